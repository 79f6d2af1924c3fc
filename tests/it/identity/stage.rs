//! The controller over both simulators with real identities, and everything that it lets be seen.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use azure_sim::{Assertion, AzureSim, Federated, Identity, PatchLevel, VmSpec};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use hotpatch_operator::azure::identity::{Authority, AzureCloud, Imds, Login};
use hotpatch_operator::azure::{Endpoint, Transport, TransportError};
use hotpatch_operator::controller::audit::Lines;
use hotpatch_operator::controller::clock::Clock;
use hotpatch_operator::controller::clouds::{
    Allowed, CLIENT_ANNOTATION, Clouds, FleetClouds, OPT_IN_ANNOTATION, Own, OwnClouds,
    TENANT_ANNOTATION, Ways,
};
use hotpatch_operator::controller::lease::Tenure;
use hotpatch_operator::controller::{Settings, Shell, run};
use hotpatch_operator::telemetry::{MeteredKube, MeteredTransport, Telemetry};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, PostParams};
use kube_sim::KubeSim;
use serde_json::{Value, json};

use crate::rehearsal::{FLEET, NIGHTS};

/// One stage for all, so that a rollout is over in a night.
const POLICY: &str = r#"
apiVersion: hotpatch.dev/v1alpha1
kind: BaselinePolicy
metadata: {name: quick}
spec:
  stages:
  - {name: all, maxUnavailable: 2}
"#;

/// The evening before the baseline of July 2025.
pub(crate) const EVE: &str = "2025-07-08T16:00:00Z";

pub(crate) const TENANT: &str = "99999999-0000-0000-0000-000000000000";
pub(crate) const CLIENT_A: &str = "aaaaaaaa-0000-0000-0000-000000000000";
pub(crate) const CLIENT_B: &str = "bbbbbbbb-0000-0000-0000-000000000000";
pub(crate) const SUB_A: &str = "00000000-0000-0000-0000-00000000000a";
pub(crate) const SUB_B: &str = "00000000-0000-0000-0000-00000000000b";

/// The namespace of the fleets, and the operator's.
pub(crate) const FLEETS: &str = "web";
const OWN: &str = "hotpatch-system";

/// Who signs the tokens of ServiceAccounts.
const ISSUER: &str = "https://cluster.example";

const AUTHORITY: &str = "login.microsoftonline.com";
const IMDS: &str = "169.254.169.254";
const ARM: &str = "management.azure.com";

/// Texts that others may write at any time.
#[derive(Clone, Default)]
pub(crate) struct Sheet(Arc<Mutex<Vec<u8>>>);

impl Sheet {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Sheet {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A request: its host, bearer and body.
pub(crate) type Sent = (String, Option<String>, String);

/// The wire to Azure: sends, and notes what went where.
#[derive(Clone)]
pub(crate) struct Wire {
    azure: AzureSim,
    pub(crate) seen: Arc<Mutex<Vec<Sent>>>,
}

impl Transport for Wire {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let host = request.uri().host().unwrap().to_owned();
        let bearer = request.headers().get("authorization");
        let bearer = bearer.map(|own| own.to_str().unwrap().to_owned());
        let body = String::from_utf8_lossy(request.body()).into_owned();
        self.seen.lock().unwrap().push((host, bearer, body));
        let answer = self.azure.call(request);
        let answer = answer.map_err(|error| TransportError::AnswerLost(error.to_string()));
        Box::pin(std::future::ready(answer))
    }
}

pub(crate) struct Stage {
    pub(crate) clock: Clock,
    pub(crate) kube: KubeSim,
    pub(crate) azure: AzureSim,
    pub(crate) wire: Wire,
    pub(crate) logs: Sheet,
    pub(crate) audit: Sheet,
    pub(crate) telemetry: Telemetry,
    /// The texts of all assertions that Entra ID was shown.
    pub(crate) assertions: Arc<Mutex<Vec<String>>>,
}

/// An application that trusts one ServiceAccount and has rights in one subscription.
pub(crate) fn identity(client: &str, subscription: &str, account: &str) -> Identity {
    Identity {
        tenant: TENANT.to_owned(),
        client: client.to_owned(),
        name: format!("app-{}", &client[..1]),
        subscriptions: [subscription.to_owned()].into(),
        federated: vec![Federated {
            issuer: ISSUER.to_owned(),
            subject: format!("system:serviceaccount:{FLEETS}:{account}"),
        }],
        ..Identity::default()
    }
}

impl Stage {
    /// Sets up two subscriptions with two machines each, an application for each, and definitions,
    /// a policy and a window in a namespace.
    pub(crate) async fn new() -> Self {
        let clock = Clock::starting_at(EVE.parse().unwrap());
        let kube = KubeSim::new(clock.as_fn());
        let azure = AzureSim::new(clock.as_fn(), azure_sim::Options::default());
        for (subscription, name) in [(SUB_A, "a"), (SUB_B, "b")] {
            for number in 1..=2 {
                let vm = VmSpec::ws2025_azure_edition(&format!("vm-{name}{number}"));
                let vm = vm.subscription(subscription).tag("patching", "hotpatch");
                azure.add_vm(vm.patched(PatchLevel::Current));
            }
        }
        azure.register(identity(CLIENT_A, SUB_A, "team-a"));
        azure.register(identity(CLIENT_B, SUB_B, "team-b"));
        let assertions = Arc::new(Mutex::new(Vec::new()));
        let (shown, issuer) = (Arc::clone(&assertions), kube.clone());
        azure.trust_issuers(move |text| {
            shown.lock().unwrap().push(text.to_owned());
            let claims = issuer.token_claims(text)?;
            Some(Assertion {
                issuer: ISSUER.to_owned(),
                subject: claims.subject,
                audiences: claims.audiences,
                expires: claims.expires,
            })
        });
        let wire = Wire {
            azure: azure.clone(),
            seen: Arc::default(),
        };
        let stage = Self {
            clock,
            kube,
            azure,
            wire,
            logs: Sheet::default(),
            audit: Sheet::default(),
            telemetry: Telemetry::default(),
            assertions,
        };
        let crds: Api<CustomResourceDefinition> = Api::all(stage.kube.client());
        for crd in hotpatch_operator::api::all_crds() {
            crds.create(&PostParams::default(), &crd).await.unwrap();
        }
        for name in [OWN, FLEETS] {
            let object =
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            stage.put("namespaces", None, name, object);
        }
        stage.apply("maintenancewindows.hotpatch.dev", NIGHTS);
        stage.apply("baselinepolicies.hotpatch.dev", POLICY);
        stage
    }

    fn put(&self, resource: &str, namespace: Option<&str>, name: &str, mut object: Value) {
        object["metadata"]["uid"] = json!(format!("uid-{name}-{}", self.kube.resource_version()));
        object["metadata"]["generation"] = json!(1);
        object["metadata"]["creationTimestamp"] = json!(EVE);
        self.kube
            .force_object(resource, namespace, name, Some(object));
    }

    fn apply(&self, resource: &str, text: &str) {
        let mut object: Value = serde_saphyr::from_str(text).unwrap();
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        object["metadata"]["namespace"] = json!(FLEETS);
        self.put(resource, Some(FLEETS), &name, object);
    }

    /// Makes a ServiceAccount with the annotations of an Azure identity.
    pub(crate) fn account(&self, name: &str, client: &str) {
        let annotations = json!({
            OPT_IN_ANNOTATION: "true", CLIENT_ANNOTATION: client, TENANT_ANNOTATION: TENANT,
        });
        self.account_with(name, annotations);
    }

    pub(crate) fn account_with(&self, name: &str, annotations: Value) {
        let object = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": FLEETS, "annotations": annotations},
        });
        self.put("serviceaccounts", Some(FLEETS), name, object);
    }

    /// Makes a fleet that wants every machine of both subscriptions.
    pub(crate) fn fleet(&self, name: &str, account: &str) {
        let text = FLEET
            .replace("{name: small}", &format!("{{name: {name}}}"))
            .replace(
                "serviceAccountName: hotpatch",
                &format!("serviceAccountName: {account}"),
            )
            .replace(
                "00000000-0000-0000-0000-000000000001",
                &format!("{SUB_A}, {SUB_B}"),
            );
        self.apply("hotpatchfleets.hotpatch.dev", &text);
    }

    pub(crate) fn ways(&self) -> Ways {
        let cloud = AzureCloud::Public;
        let wire = MeteredTransport::new(Arc::new(self.wire.clone()), self.telemetry.clone());
        let wire: Arc<dyn Transport> = Arc::new(wire);
        Ways {
            azure: Arc::clone(&wire),
            endpoint: Endpoint::parse(cloud.resource_manager()).unwrap(),
            login: wire,
            authority: Authority::new(Endpoint::parse(cloud.authority()).unwrap(), cloud),
            buckets: Arc::default(),
            now: self.clock.as_fn(),
        }
    }

    fn client(&self) -> kube::Client {
        let way = MeteredKube::new(self.kube.service(), self.telemetry.clone());
        kube::Client::new(way, FLEETS)
    }

    pub(crate) fn per_fleet(&self) -> Arc<dyn Clouds> {
        Arc::new(FleetClouds::new(self.client(), self.ways()))
    }

    pub(crate) fn own(&self, own: Own) -> Arc<dyn Clouds> {
        let allowed = Allowed::Only([FLEETS.to_owned()].into());
        Arc::new(OwnClouds::new(own, allowed, self.ways()))
    }

    /// Runs the controller for some virtual time, with all its logs kept.
    pub(crate) async fn run(&self, clouds: Arc<dyn Clouds>, minutes: u64) {
        let logs = self.logs.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || logs.clone())
            .finish();
        let _kept = tracing::subscriber::set_default(subscriber);
        let shell = Shell {
            witness: Arc::new(hotpatch_operator::controller::witness::Unwatched),
            kube: self.client(),
            clouds,
            clock: self.clock.clone(),
            audit: Arc::new(Lines::new(self.audit.clone())),
            telemetry: self.telemetry.clone(),
            settings: Settings {
                holder: format!("one-{}", self.clock.now().timestamp()),
                namespace: OWN.to_owned(),
                tenure: Tenure::default(),
                watched: None,
                requested_by_is_enforced: true,
                run_commands: false,
            },
        };
        let shutdown = tokio::time::sleep(Duration::from_secs(minutes * 60));
        run(shell, shutdown).await.unwrap();
    }

    pub(crate) fn status(&self, fleet: &str) -> Value {
        let found = self
            .kube
            .get_object("hotpatchfleets.hotpatch.dev", Some(FLEETS), fleet);
        found.unwrap()["status"].clone()
    }

    /// Returns status, reason and message of a fleet's condition.
    pub(crate) fn condition(&self, fleet: &str, name: &str) -> (String, String, String) {
        let status = self.status(fleet);
        let all = status["conditions"]
            .as_array()
            .unwrap_or_else(|| panic!("{status}"));
        let own = all.iter().find(|own| own["type"] == name).unwrap();
        let text = |key: &str| own[key].as_str().unwrap().to_owned();
        (text("status"), text("reason"), text("message"))
    }

    /// Returns reason and status of `CredentialsValid`.
    pub(crate) fn credentials(&self, fleet: &str) -> (String, String) {
        let (status, reason, _) = self.condition(fleet, "CredentialsValid");
        (status, reason)
    }

    /// Returns the names of the machines that have a record in a fleet.
    pub(crate) fn records(&self, fleet: &str) -> Vec<String> {
        let all = self.kube.list_objects("hotpatchmachines.hotpatch.dev");
        let own = all
            .iter()
            .filter(|own| own["spec"]["fleet"] == fleet)
            .map(|own| {
                let id = own["spec"]["resourceId"].as_str().unwrap();
                id.rsplit('/').next().unwrap().to_owned()
            });
        let mut own: Vec<String> = own.collect();
        own.sort();
        own
    }

    /// Returns how often a host was asked.
    pub(crate) fn asked(&self, host: &str) -> usize {
        let seen = self.wire.seen.lock().unwrap();
        seen.iter().filter(|own| own.0 == host).count()
    }

    pub(crate) fn exchanges(&self) -> usize {
        self.asked(AUTHORITY)
    }

    /// Fails where a credential went to a host that it is not for.
    pub(crate) fn assert_each_credential_went_home(&self) {
        let proofs = self.assertions.lock().unwrap().clone();
        for (host, bearer, body) in self.wire.seen.lock().unwrap().iter() {
            match host.as_str() {
                AUTHORITY | IMDS => assert_eq!(*bearer, None, "a token went to {host}"),
                ARM => {
                    let shows = proofs.iter().any(|own| body.contains(own.as_str()));
                    assert!(!shows && !body.contains("client_secret"), "{body}");
                }
                other => panic!("something went to {other}"),
            }
        }
    }
}

pub(crate) fn login(client: &str) -> Login {
    Login::new(TENANT, client).unwrap()
}

pub(crate) fn imds(client: Option<&str>) -> Imds {
    Imds::new(client, AzureCloud::Public).unwrap()
}

/// Writes a file of this test's own.
pub(crate) fn file(name: &str, text: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("hotpatch-identity-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

pub(crate) fn hours(hours: i64) -> TimeDelta {
    TimeDelta::hours(hours)
}

pub(crate) fn later(by: TimeDelta) -> DateTime<Utc> {
    EVE.parse::<DateTime<Utc>>().unwrap() + by
}
