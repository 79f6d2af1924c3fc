//! Real Helm renders the chart, and what it renders is right. Ignored unless `make e2e` asks.

use std::path::Path;

use serde_json::Value;

use super::files::{GOLDEN, SCRIPTS};
use super::path;
use super::tools::{HELM, helm_alone, kubectl, namespace, setting};

/// The name and namespace under which the chart is documented.
pub(super) const RELEASE: &str = "hotpatch-operator";
pub(super) const NAMESPACE: &str = "hotpatch-system";

/// Renders the chart with more arguments.
fn render(namespace: &str, more: &[&str]) -> super::tools::Said {
    let chart = path("");
    let chart = chart.to_str().unwrap();
    let common = ["template", RELEASE, chart, "--namespace", namespace];
    helm_alone(&[&common, more].concat())
}

fn documents(text: &str) -> Vec<Value> {
    let parts = text.split("\n---\n").filter(|own| own.contains("kind:"));
    parts
        .map(|own| serde_saphyr::from_str(own).unwrap_or_else(|error| panic!("{error}\n{own}")))
        .collect()
}

fn find<'a>(objects: &'a [Value], kind: &str, ending: &str) -> Option<&'a Value> {
    objects.iter().find(|own| {
        let name = own["metadata"]["name"].as_str().unwrap_or_default();
        own["kind"] == kind && name.ends_with(ending)
    })
}

#[test]
#[ignore = "needs helm: make e2e"]
fn chart_passes_the_strict_linter() {
    let chart = path("");
    helm_alone(&["lint", "--strict", chart.to_str().unwrap()]).ok("helm lint");
}

#[test]
#[ignore = "needs helm: make e2e"]
fn chart_renders_as_the_golden_file() {
    let told = render(NAMESPACE, &["--set", "crds.install=false"]).ok("helm template");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(GOLDEN);
    #[expect(
        clippy::disallowed_methods,
        reason = "how a person asks a test for new goldens"
    )]
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &told).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = golden.lines().zip(told.lines()).find(|(a, b)| a != b);
    assert!(
        golden == told,
        "the chart renders otherwise than {GOLDEN}, at {differs:?}; if it is right now, run \
         UPDATE_GOLDEN=1 {HELM}={} cargo test --test it -- --ignored chart_renders_as",
        setting(HELM).display()
    );
}

#[test]
#[ignore = "needs helm: make e2e"]
fn chart_refuses_values_that_make_no_sense() {
    let cases = [
        ("bogus=1", "additional properties 'bogus'"),
        ("image.tagg=1", "additional properties 'tagg'"),
        ("replicas=-1", "/replicas"),
        ("replicas=two", "/replicas"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
        ("image.digest=sha256:abc", "/image/digest"),
        ("image.repository=", "/image/repository"),
        ("azure.endpoint=management.azure.com", "/azure/endpoint"),
        ("azure.token.secret=", "/azure/token/secret"),
        ("azure.token.volume.name=x", "/azure/token/volume"),
        ("azure.identity=mine", "/azure/identity"),
        (
            "azure.identity=client-secret",
            "/azure/workloadIdentity/clientId",
        ),
        ("azure.cloud=moon", "/azure/cloud"),
        (
            "azure.allowOperatorIdentity={A}",
            "/azure/allowOperatorIdentity",
        ),
        (
            "azure.workloadIdentity.enabled=true",
            "/azure/workloadIdentity/clientId",
        ),
        (
            "azure.workloadIdentity.clientId=me",
            "/azure/workloadIdentity/clientId",
        ),
        ("lease.duration=1 minute", "/lease/duration"),
        ("logs.format=xml", "/logs/format"),
        ("runCommands.allow=sometimes", "/runCommands/allow"),
        ("runCommands.script=x", "additional properties 'script'"),
        ("metrics.port=80", "/metrics/port"),
        ("watchNamespace=Web", "/watchNamespace"),
        (
            "rbac.tokenServiceAccounts={*}",
            "/rbac/tokenServiceAccounts",
        ),
        (
            "rbac.tokenServiceAccounts={a,a}",
            "/rbac/tokenServiceAccounts",
        ),
        (
            "networkPolicy.apiServerPorts={70000}",
            "/networkPolicy/apiServerPorts",
        ),
        ("extraContainers[0].name=x", "/extraContainers/0"),
        ("serviceAccount.create=false", "serviceAccount.name"),
        (
            "metrics.service.enabled=false,metrics.serviceMonitor.enabled=true",
            "serviceMonitor",
        ),
    ];
    for (values, place) in cases {
        let why = render(NAMESPACE, &["--set", values]).refused(values);
        assert!(why.contains(place), "{values}: {why}");
    }
}

/// Value sets that a real server must accept, each with what it is for.
const SETS: [(&str, &[&str]); 8] = [
    ("defaults", &[]),
    ("one namespace", &["watchNamespace=web"]),
    (
        "workload identity and tokens of fleets",
        &[
            "azure.workloadIdentity.enabled=true",
            "azure.workloadIdentity.clientId=00000000-0000-0000-0000-000000000001",
            "azure.workloadIdentity.tenantId=00000000-0000-0000-0000-000000000002",
            "rbac.tokenServiceAccounts={hotpatch,patching}",
        ],
    ),
    (
        "another cloud, with its roots and a token from a container",
        &[
            "azure.endpoint=https://arm.example.com",
            "azure.trust.configMap=roots",
            "azure.identity=static-token",
            "azure.token.volume.emptyDir.medium=Memory",
            "extraContainers[0].name=token",
            "extraContainers[0].image=token:1",
            "extraVolumes[0].name=more",
            "extraVolumes[0].emptyDir.medium=Memory",
            "extraVolumeMounts[0].name=more",
            "extraVolumeMounts[0].mountPath=/more",
            "extraEnv[0].name=HTTPS_PROXY",
            "extraEnv[0].value=http://proxy:3128",
        ],
    ),
    (
        "guarded",
        &[
            "networkPolicy.enabled=true",
            "networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.name=monitoring",
            "imagePullSecrets[0].name=registry",
            "priorityClassName=system-cluster-critical",
            "nodeSelector.pool=system",
            "tolerations[0].operator=Exists",
            "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight=1",
            "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0]\
             .podAffinityTerm.topologyKey=zone",
            "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0]\
             .podAffinityTerm.labelSelector.matchLabels.app=x",
            "topologySpreadConstraints[0].topologyKey=zone",
            "topologySpreadConstraints[0].maxSkew=1",
            "topologySpreadConstraints[0].labelSelector.matchLabels.app=x",
            "topologySpreadConstraints[0].whenUnsatisfiable=DoNotSchedule",
        ],
    ),
    (
        "named and labelled",
        &[
            "fullnameOverride=patching",
            "commonLabels.team=platform",
            "commonLabels.app\\.kubernetes\\.io/name=mine",
            "podLabels.team=platform",
            "podAnnotations.note=x",
            "image.digest=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "serviceAccount.annotations.note=x",
            "metrics.service.annotations.note=x",
            "releases.hotpatch=a\\,b",
        ],
    ),
    (
        "as little as can be",
        &[
            "replicas=1",
            "crds.install=false",
            "rbac.userRoles=false",
            "requestedBy.enforce=false",
            "metrics.service.enabled=false",
            "podDisruptionBudget.enabled=false",
        ],
    ),
    ("scripts in guests", &["runCommands.allow=true"]),
];

fn sets(values: &[&'static str]) -> Vec<&'static str> {
    values.iter().flat_map(|own| ["--set", *own]).collect()
}

#[test]
#[ignore = "needs helm: make e2e"]
fn chart_renders_what_each_value_asks_for() {
    let objects = |index: usize| {
        let (what, values) = SETS[index];
        documents(&render(NAMESPACE, &sets(values)).ok(what))
    };
    let one = objects(1);
    let role = find(&one, "Role", "-fleets").unwrap();
    assert_eq!(role["metadata"]["namespace"], "web");
    assert!(
        find(&one, "ClusterRole", "-fleets").is_none(),
        "no right beyond that namespace"
    );
    let args = |own: &[Value]| {
        let pod = &find(own, "Deployment", "").unwrap()["spec"]["template"]["spec"];
        pod["containers"][0]["args"].to_string()
    };
    assert!(args(&one).contains("--watch-namespace=web"));
    let identity = objects(2);
    let account = &find(&identity, "ServiceAccount", "").unwrap()["metadata"]["annotations"];
    let client = "azure.workload.identity/client-id";
    assert_eq!(account[client], "00000000-0000-0000-0000-000000000001");
    let pod = &find(&identity, "Deployment", "").unwrap()["spec"]["template"];
    assert_eq!(
        pod["metadata"]["labels"]["azure.workload.identity/use"],
        "true"
    );
    let rules = find(&identity, "ClusterRole", "-fleets").unwrap()["rules"].clone();
    let token = rules
        .as_array()
        .unwrap()
        .iter()
        .find(|own| own["resources"] == serde_json::json!(["serviceaccounts/token"]));
    let names = &token.unwrap()["resourceNames"];
    assert_eq!(*names, serde_json::json!(["hotpatch", "patching"]));
    let cloud = objects(3);
    let pod = &find(&cloud, "Deployment", "").unwrap()["spec"]["template"]["spec"];
    assert_eq!(pod["volumes"][0]["emptyDir"]["medium"], "Memory");
    assert!(args(&cloud).contains("--arm-ca-file=/etc/hotpatch/trust/ca.crt"));
    let guarded = objects(4);
    let ports = find(&guarded, "NetworkPolicy", "").unwrap()["spec"]["egress"].to_string();
    assert_eq!(
        ports.matches("443,").count() + ports.matches("443}").count(),
        2,
        "{ports}"
    );
    let named = objects(5);
    assert!(find(&named, "Deployment", "patching").is_some());
    let releases = find(&named, "ConfigMap", "hotpatch-releases").unwrap();
    assert_eq!(
        releases["data"]["hotpatch-releases.csv"]
            .as_str()
            .unwrap()
            .trim(),
        "a,b"
    );
    let least = objects(6);
    for kind in [
        "CustomResourceDefinition",
        "ValidatingAdmissionPolicy",
        "Service",
    ] {
        assert!(find(&least, kind, "").is_none(), "{kind}");
    }
    assert!(!args(&least).contains("--requested-by-is-enforced"));
    let scripts = (0..SETS.len()).filter(|own| args(&objects(*own)).contains(SCRIPTS));
    assert_eq!(
        scripts.collect::<Vec<_>>(),
        [7],
        "only where they are asked for"
    );
    let refused = documents(&render(NAMESPACE, &["--set", "runCommands.allow=false"]).ok("none"));
    assert!(!args(&refused).contains(SCRIPTS));
    let none = documents(
        &render(
            NAMESPACE,
            &["--set", "rbac.create=false,rbac.userRoles=false"],
        )
        .ok("no rights"),
    );
    assert!(
        none.iter()
            .all(|own| !own["kind"].as_str().unwrap().contains("Role"))
    );
    let watched =
        render(NAMESPACE, &["--set", "metrics.serviceMonitor.enabled=true"]).ok("monitor");
    let monitor = documents(&watched);
    let monitor = find(&monitor, "ServiceMonitor", "").unwrap();
    assert_eq!(monitor["spec"]["endpoints"][0]["path"], "/metrics");
}

#[test]
#[ignore = "needs helm: make e2e"]
fn chart_marks_every_definition_to_be_kept() {
    let objects = documents(&render(NAMESPACE, &[]).ok("helm template"));
    let crds: Vec<&Value> = objects
        .iter()
        .filter(|own| own["kind"] == "CustomResourceDefinition")
        .collect();
    assert_eq!(crds.len(), 6);
    let tree = hotpatch_operator::api::all_crds();
    for crd in crds {
        let name = crd["metadata"]["name"].as_str().unwrap();
        let policy = &crd["metadata"]["annotations"]["helm.sh/resource-policy"];
        assert_eq!(policy, "keep", "{name}");
        let own = tree
            .iter()
            .find(|own| own.metadata.name.as_deref() == Some(name));
        let spec: Value = serde_json::to_value(&own.unwrap().spec).unwrap();
        let whole: k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinitionSpec =
            serde_json::from_value(crd["spec"].clone()).unwrap();
        assert_eq!(
            serde_json::to_value(whole).unwrap(),
            spec,
            "{name}: Helm changed it"
        );
    }
}

#[test]
#[ignore = "needs helm: make e2e"]
fn chart_objects_are_accepted_by_a_real_server() {
    let own = namespace("chart-sets", &[]);
    for (what, values) in SETS {
        let text = render(&own, &sets(values)).ok(what);
        // The namespace that the second set watches.
        let text = text.replace("namespace: web", &format!("namespace: {own}"));
        let said = kubectl(
            // By server-side apply, because another test may have installed the definitions.
            &[
                "apply",
                "--server-side",
                "--force-conflicts",
                "--dry-run=server",
                "--validate=strict",
                "-f",
                "-",
            ],
            &text,
        );
        assert!(said.is_ok && said.err.is_empty(), "{what}: {}", said.err);
        let count = documents(&text).len();
        assert_eq!(said.out.lines().count(), count, "{what}: {}", said.out);
    }
}
