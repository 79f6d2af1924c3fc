//! Bearer tokens, service account tokens, reviews and RBAC; messages are those of kube-apiserver
//! 1.36.3.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::Duration;
use http::Method;
use kube_sim::KubeSim;
use serde_json::{Value, json};

use crate::http::{Answer, JSON, MERGE, owners, patch, post, send_as};
use crate::support::test_time;

const ACCOUNTS: &str = "/api/v1/namespaces/default/serviceaccounts";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const ACCESS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
const REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";

async fn guarded() -> (KubeSim, Arc<AtomicI64>) {
    let seconds = Arc::new(AtomicI64::new(0));
    let hand = Arc::clone(&seconds);
    let clock = move || test_time() + Duration::seconds(hand.load(Ordering::SeqCst));
    let sim = KubeSim::new(Arc::new(clock));
    post(&sim, ACCOUNTS, json!({"metadata": {"name": "op"}}))
        .await
        .good();
    sim.add_token("root", "admin", &["system:masters"]);
    sim.add_token("bobs", "bob", &["devs"]);
    sim.require_auth();
    (sim, seconds)
}

async fn ask(sim: &KubeSim, token: &str, method: Method, path: &str, body: Value) -> Answer {
    let media_type = if method == Method::PATCH { MERGE } else { JSON };
    let text = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    send_as(sim, ("probe/1", token), method, path, media_type, text).await
}

async fn make(sim: &KubeSim, path: &str, body: Value) -> Value {
    ask(sim, "root", Method::POST, path, body).await.good()
}

async fn token(sim: &KubeSim, spec: Value) -> String {
    let made = make(sim, &format!("{ACCOUNTS}/op/token"), json!({"spec": spec})).await;
    made["status"]["token"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_token_is_asked_for_within_bounds() {
    let (sim, _) = guarded().await;
    let path = format!("{ACCOUNTS}/op/token");
    let made = make(&sim, &path, json!({"spec": {"audiences": ["a"]}})).await;
    assert_eq!(
        made["status"]["expirationTimestamp"],
        "2026-02-01T01:00:00Z"
    );
    assert_eq!(made["spec"]["audiences"], json!(["a"]));
    let fields = json!({"f:spec": {"f:audiences": {}, "f:expirationSeconds": {}}});
    assert_eq!(owners(&made), json!([["probe Update token", fields]]));
    let invalid = |text: &str| format!("TokenRequest.authentication.k8s.io {text}");
    let table = [
        (
            "op",
            json!({"spec": {"expirationSeconds": 100}}),
            invalid(
                "\"\" is invalid: spec.expirationSeconds: Invalid value: 100: may not specify a \
                 duration less than 10 minutes",
            ),
        ),
        (
            "op",
            json!({"spec": {"expirationSeconds": 4_294_967_299_i64}}),
            invalid(
                "\"\" is invalid: spec.expirationSeconds: Invalid value: 4294967299: may not \
                 specify a duration larger than 2^32 seconds",
            ),
        ),
        (
            "op",
            json!({"metadata": {"name": "x"}, "spec": {}}),
            invalid(
                "\"op\" is invalid: metadata.name: Invalid value: \"x\": must match the service \
                 account name if specified",
            ),
        ),
        (
            "nope",
            json!({"spec": {}}),
            "serviceaccounts \"nope\" not found".to_owned(),
        ),
    ];
    for (account, body, message) in table {
        let path = format!("{ACCOUNTS}/{account}/token");
        let refused = ask(&sim, "root", Method::POST, &path, body).await;
        assert_eq!(refused.message(), message);
    }
    assert_eq!(
        ask(&sim, "root", Method::GET, &path, Value::Null)
            .await
            .code,
        405
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_is_good_for_its_audience_until_it_expires_or_its_account_goes() {
    let (sim, clock) = guarded().await;
    let own = token(&sim, json!({"expirationSeconds": 600})).await;
    let other = token(&sim, json!({"audiences": ["a"]})).await;
    assert_ne!(own, other);
    let review = |spec: Value| {
        let sim = sim.clone();
        async move { make(&sim, REVIEWS, json!({"spec": spec})).await["status"].clone() }
    };
    let good = review(json!({"token": own})).await;
    assert_eq!(good["authenticated"], true);
    assert_eq!(good["user"]["username"], "system:serviceaccount:default:op");
    assert_eq!(
        good["user"]["groups"],
        json!([
            "system:serviceaccounts",
            "system:serviceaccounts:default",
            "system:authenticated"
        ])
    );
    let wrong = review(json!({"token": other})).await;
    assert!(
        wrong["error"]
            .as_str()
            .unwrap()
            .contains("token audiences [\"a\"] is invalid"),
        "{wrong}"
    );
    let right = review(json!({"token": other, "audiences": ["a", "b"]})).await;
    assert_eq!(right["audiences"], json!(["a"]));
    let bad = review(json!({"token": "bad"})).await;
    assert_eq!(bad, json!({"user": {}, "error": "invalid bearer token"}));
    clock.store(600, Ordering::SeqCst);
    assert_eq!(review(json!({"token": own})).await, bad);
    let unknown = ask(&sim, &own, Method::GET, MAPS, Value::Null).await;
    assert_eq!((unknown.code, unknown.message()), (401, "Unauthorized"));
    let path = format!("{ACCOUNTS}/op");
    ask(&sim, "root", Method::DELETE, &path, Value::Null)
        .await
        .good();
    make(&sim, ACCOUNTS, json!({"metadata": {"name": "op"}})).await;
    assert_eq!(
        review(json!({"token": other, "audiences": ["a"]})).await,
        bad
    );
}

#[tokio::test(start_paused = true)]
async fn what_nothing_allows_is_forbidden_in_the_words_of_the_real_server() {
    let (sim, _) = guarded().await;
    let own = token(&sim, json!({})).await;
    let user = "User \"system:serviceaccount:default:op\"";
    let here = "in API group \"\" in the namespace \"default\"";
    let one = format!("{MAPS}/x");
    let table = [
        (
            Method::GET,
            MAPS.to_owned(),
            format!("configmaps is forbidden: {user} cannot list resource \"configmaps\" {here}"),
        ),
        (
            Method::GET,
            one.clone(),
            format!(
                "configmaps \"x\" is forbidden: {user} cannot get resource \"configmaps\" {here}"
            ),
        ),
        (
            Method::DELETE,
            MAPS.to_owned(),
            format!(
                "configmaps is forbidden: {user} cannot deletecollection resource \
                 \"configmaps\" {here}"
            ),
        ),
        (
            Method::GET,
            "/api/v1/configmaps".to_owned(),
            format!(
                "configmaps is forbidden: {user} cannot list resource \"configmaps\" in API \
                 group \"\" at the cluster scope"
            ),
        ),
        (
            Method::GET,
            "/api/v1/namespaces/default".to_owned(),
            format!(
                "namespaces \"default\" is forbidden: {user} cannot get resource \
                 \"namespaces\" {here}"
            ),
        ),
        (
            Method::PATCH,
            "/apis/test.dev/v1/namespaces/default/widgets/a/status".to_owned(),
            format!(
                "widgets.test.dev \"a\" is forbidden: {user} cannot patch resource \
                 \"widgets/status\" in API group \"test.dev\" in the namespace \"default\""
            ),
        ),
        (
            Method::POST,
            format!("{ACCOUNTS}/op/token"),
            format!(
                "serviceaccounts \"op\" is forbidden: {user} cannot create resource \
                 \"serviceaccounts/token\" {here}"
            ),
        ),
        (
            Method::GET,
            "/metrics".to_owned(),
            format!("forbidden: {user} cannot get path \"/metrics\""),
        ),
    ];
    for (method, path, message) in table {
        let refused = ask(&sim, &own, method, &path, json!({})).await;
        assert_eq!((refused.code, refused.message()), (403, message.as_str()));
    }
    for path in ["/version", "/api", "/apis"] {
        assert_eq!(
            ask(&sim, &own, Method::GET, path, Value::Null).await.code,
            200,
            "{path}"
        );
    }
    assert_eq!(
        ask(&sim, "", Method::GET, "/version", Value::Null)
            .await
            .code,
        200
    );
    assert_eq!(
        ask(&sim, "", Method::GET, "/api", Value::Null).await.code,
        403
    );
    assert_eq!(
        ask(&sim, "wrong", Method::GET, "/version", Value::Null)
            .await
            .code,
        401
    );
    assert_eq!(
        ask(&sim, "root", Method::GET, MAPS, Value::Null).await.code,
        200
    );
}

#[tokio::test(start_paused = true)]
async fn roles_grant_names_subresources_and_urls_through_bindings() {
    let (sim, _) = guarded().await;
    let own = token(&sim, json!({})).await;
    make(
        &sim,
        &format!("{RBAC}/namespaces/default/roles"),
        json!({
            "metadata": {"name": "r"},
            "rules": [
                {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["x"],
                 "verbs": ["get"]},
                {"apiGroups": [""], "resources": ["serviceaccounts/token"], "resourceNames": ["op"],
                 "verbs": ["create"]},
            ],
        }),
    )
    .await;
    make(
        &sim,
        &format!("{RBAC}/clusterroles"),
        json!({
            "metadata": {"name": "c"},
            "rules": [
                {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["*"]},
                {"nonResourceURLs": ["/metrics", "/logs/*"], "verbs": ["get"]},
            ],
        }),
    )
    .await;
    let subjects = json!([{"kind": "ServiceAccount", "name": "op", "namespace": "default"}]);
    let bind = |kind: &str, name: &str| {
        json!({
            "metadata": {"name": name}, "subjects": subjects,
            "roleRef": {"kind": kind, "name": name},
        })
    };
    let here = format!("{RBAC}/namespaces/default/rolebindings");
    let bound = make(&sim, &here, bind("Role", "r"));
    assert_eq!(
        bound.await["roleRef"]["apiGroup"],
        "rbac.authorization.k8s.io"
    );
    make(
        &sim,
        &format!("{RBAC}/clusterrolebindings"),
        bind("ClusterRole", "c"),
    )
    .await;
    let table = [
        (Method::GET, format!("{MAPS}/x"), 404),
        (Method::GET, format!("{MAPS}/y"), 403),
        (Method::GET, MAPS.to_owned(), 403),
        (Method::GET, "/api/v1/namespaces".to_owned(), 200),
        (Method::GET, "/logs/a".to_owned(), 404),
        (Method::GET, "/log".to_owned(), 403),
        (Method::POST, format!("{ACCOUNTS}/op/token"), 201),
        (Method::POST, format!("{ACCOUNTS}/other/token"), 403),
    ];
    for (method, path, code) in table {
        let answer = ask(&sim, &own, method, &path, json!({"spec": {}})).await;
        assert_eq!(answer.code, code, "{path}");
    }
    let may = json!({"namespace": "default", "verb": "get", "resource": "configmaps", "name": "x"});
    let review = json!({"spec": {"resourceAttributes": may}});
    let answer = ask(&sim, &own, Method::POST, ACCESS, review.clone())
        .await
        .good();
    assert_eq!(
        answer["status"],
        json!({
            "allowed": true,
            "reason": "RBAC: allowed by RoleBinding \"r/default\" of Role \"r\" to ServiceAccount \
                       \"op/default\"",
        })
    );
    let answer = ask(&sim, "bobs", Method::POST, ACCESS, review).await.good();
    assert_eq!(answer["status"], json!({"allowed": false}));
    let neither = ask(&sim, "bobs", Method::POST, ACCESS, json!({"spec": {}})).await;
    assert_eq!(
        neither.message(),
        ".authorization.k8s.io \"\" is invalid: spec.resourceAttributes: Invalid value: null: \
         exactly one of nonResourceAttributes or resourceAttributes must be specified"
    );
    let others = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let asked = json!({"spec": {
        "user": "system:serviceaccount:default:op",
        "nonResourceAttributes": {"path": "/logs/a", "verb": "get"},
    }});
    assert_eq!(
        make(&sim, others, asked.clone()).await["status"]["allowed"],
        true
    );
    assert_eq!(ask(&sim, &own, Method::POST, others, asked).await.code, 403);
    let rules = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let asked = json!({"spec": {"namespace": "default"}});
    let found = ask(&sim, &own, Method::POST, rules, asked).await.good();
    let resources: Vec<&Value> = found["status"]["resourceRules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| &rule["resources"][0])
        .collect();
    assert!(resources.contains(&&json!("configmaps")) && resources.contains(&&json!("namespaces")));
}

#[tokio::test(start_paused = true)]
async fn roles_and_bindings_are_checked() {
    let sim = KubeSim::new(Arc::new(test_time));
    let home = format!("{RBAC}/namespaces/default");
    let about = "rbac.authorization.k8s.io \"b\" is invalid: ";
    let table = [
        (
            format!("{home}/rolebindings"),
            json!({"roleRef": {"kind": "Foo", "name": "r"},
                   "subjects": [{"kind": "Bar", "name": "o"}]}),
            format!(
                "RoleBinding.{about}[roleRef.kind: Unsupported value: \"Foo\": supported values: \
                 \"Role\", \"ClusterRole\", subjects[0].kind: Unsupported value: \"Bar\": \
                 supported values: \"ServiceAccount\", \"User\", \"Group\"]"
            ),
        ),
        (
            format!("{RBAC}/clusterroles"),
            json!({"rules": [{"nonResourceURLs": ["/f"], "resources": ["x"], "verbs": ["get"]},
                             {"verbs": ["get"]}]}),
            format!(
                "ClusterRole.{about}[rules[0].nonResourceURLs: Invalid value: [\"/f\"]: rules \
                 cannot apply to both regular resources and non-resource URLs, \
                 rules[1].apiGroups: Required value: resource rules must supply at least one api \
                 group, rules[1].resources: Required value: resource rules must supply at least \
                 one resource]"
            ),
        ),
        (
            format!("{home}/roles"),
            json!({"rules": [{"apiGroups": [""], "resources": ["x"]}]}),
            format!(
                "Role.{about}rules[0].verbs: Required value: verbs must contain at least one value"
            ),
        ),
    ];
    for (path, mut body, message) in table {
        body["metadata"] = json!({"name": "b"});
        let refused = post(&sim, &path, body).await;
        assert_eq!((refused.code, refused.message()), (422, message.as_str()));
    }
    let body = json!({"metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": "r"}});
    post(&sim, &format!("{home}/rolebindings"), body)
        .await
        .good();
    let other = json!({"roleRef": {"name": "other"}});
    let refused = patch(&sim, &format!("{home}/rolebindings/b"), MERGE, other).await;
    assert!(
        refused.message().ends_with("cannot change roleRef"),
        "{refused:?}"
    );
}
