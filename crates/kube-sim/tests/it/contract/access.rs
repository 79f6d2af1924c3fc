//! Who may do what: tokens, reviews, RBAC, impersonation.

use serde_json::{Value, json};

use super::answer::{Answer, Differs, Outcome};
use super::cases;
use super::world::World;

cases![
    a_token_is_issued_for_a_service_account,
    a_token_needs_its_service_account,
    a_token_lives_ten_minutes_at_least,
    a_token_review_names_the_account,
    a_token_review_of_another_audience_is_refused,
    a_token_review_of_nonsense_is_refused,
    a_token_speaks_for_its_account,
    a_wrong_token_is_unauthorized,
    a_role_allows_what_it_names,
    a_role_can_be_limited_to_a_name,
    a_cluster_role_bound_in_a_namespace_is_limited_to_it,
    a_refusal_says_who_wanted_what,
    a_refusal_of_a_cluster_resource_says_so,
    a_refusal_of_a_subresource_says_so,
    a_subject_access_review_answers,
    a_self_subject_access_review_answers,
    an_administrator_may_do_all,
    a_role_binding_keeps_its_role,
];

const RBAC: &str = "rbac.authorization.k8s.io/v1";

async fn account(w: &World, name: &str) -> Result<Answer, Differs> {
    let made = w
        .post(
            w.core("serviceaccounts"),
            json!({"metadata": {"name": name}}),
        )
        .await?;
    made.code(201)?;
    Ok(made)
}

async fn token(w: &World, name: &str, spec: Value) -> Result<Answer, Differs> {
    let body = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec,
    });
    w.post(w.core(&format!("serviceaccounts/{name}/token")), body)
        .await
}

async fn grant(w: &World, account: &str, rules: Value) -> Outcome {
    let role = json!({"metadata": {"name": "r"}, "rules": rules});
    w.post(w.of(RBAC, "roles"), role).await?.code(201)?;
    let binding = json!({
        "metadata": {"name": "r"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": w.ns}],
    });
    w.post(w.of(RBAC, "rolebindings"), binding)
        .await?
        .code(201)?;
    Ok(())
}

/// Acts as a service account until an answer has a code: grants take a moment to be seen.
async fn as_account(
    w: &World,
    name: &str,
    (method, path): (&str, &str),
    code: u16,
) -> Result<Answer, Differs> {
    let user = format!("system:serviceaccount:{}:{name}", w.ns);
    let headers = [
        ("impersonate-user", user.as_str()),
        ("content-type", "application/json"),
    ];
    let mut last = w.send(method, path, &headers, "").await?;
    for _ in 0..50 {
        if last.code == code {
            return Ok(last);
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        last = w.send(method, path, &headers, "").await?;
    }
    Err(last.differs(format!("HTTP {code}")))
}

async fn a_token_is_issued_for_a_service_account(w: World) -> Outcome {
    account(&w, "s").await?;
    let spec = json!({"audiences": ["api://x"], "expirationSeconds": 600});
    let issued = token(&w, "s", spec).await?;
    issued.like(
        201,
        json!({
            "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": "s", "namespace": w.ns, "creationTimestamp": "*"},
            "spec": {"audiences": ["api://x"], "expirationSeconds": 600},
            "status": {"token": "~^[\\w-]+\\.[\\w-]+\\.[\\w-]+$", "expirationTimestamp": "~Z$"},
        }),
    )?;
    Ok(())
}

async fn a_token_needs_its_service_account(w: World) -> Outcome {
    let refused = token(&w, "s", json!({})).await?;
    let details = json!({"name": "s", "kind": "serviceaccounts"});
    refused.refused(404, "NotFound", "serviceaccounts \"s\" not found", details)?;
    Ok(())
}

async fn a_token_lives_ten_minutes_at_least(w: World) -> Outcome {
    account(&w, "s").await?;
    let refused = token(&w, "s", json!({"expirationSeconds": 5})).await?;
    let message = "Invalid value: 5: may not specify a duration less than 10 minutes";
    refused.invalid(
        ("TokenRequest", "authentication.k8s.io", ""),
        &[("FieldValueInvalid", "spec.expirationSeconds", message)],
    )?;
    Ok(())
}

const REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";

async fn issued(w: &World, name: &str, spec: Value) -> Result<String, Differs> {
    let answer = token(w, name, spec).await?;
    answer.code(201)?;
    Ok(answer.json["status"]["token"]
        .as_str()
        .unwrap_or_default()
        .to_owned())
}

async fn a_token_review_names_the_account(w: World) -> Outcome {
    let made = account(&w, "s").await?;
    let token = issued(&w, "s", json!({})).await?;
    let review = w.post(REVIEWS, json!({"spec": {"token": token}})).await?;
    review.like(
        201,
        json!({"kind": "TokenReview", "status": {
            "authenticated": true,
            "user": {
                "username": format!("system:serviceaccount:{}:s", w.ns), "uid": made.meta("uid"),
                "groups": [
                    "system:serviceaccounts", format!("system:serviceaccounts:{}", w.ns),
                    "system:authenticated",
                ],
            },
        }}),
    )?;
    Ok(())
}

async fn a_token_review_of_another_audience_is_refused(w: World) -> Outcome {
    account(&w, "s").await?;
    let token = issued(&w, "s", json!({"audiences": ["api://x"]})).await?;
    let review = w.post(REVIEWS, json!({"spec": {"token": token}})).await?;
    review.like(
        201,
        json!({"status": {"authenticated": "<absent>", "error": "*"}}),
    )?;
    let spec = json!({"token": token, "audiences": ["api://x", "api://y"]});
    let review = w.post(REVIEWS, json!({"spec": spec})).await?;
    review.like(
        201,
        json!({"status": {"authenticated": true, "audiences": ["api://x"]}}),
    )?;
    Ok(())
}

async fn a_token_review_of_nonsense_is_refused(w: World) -> Outcome {
    let review = w
        .post(REVIEWS, json!({"spec": {"token": "nonsense"}}))
        .await?;
    review.like(
        201,
        json!({"kind": "TokenReview", "status": {
            "authenticated": "<absent>", "user": {}, "error": "*",
        }}),
    )?;
    Ok(())
}

async fn a_token_speaks_for_its_account(w: World) -> Outcome {
    account(&w, "s").await?;
    let token = issued(&w, "s", json!({})).await?;
    let refused = w
        .send_with_token(&token, "GET", &w.core("configmaps"), None)
        .await?;
    let message = format!(
        "configmaps is forbidden: User \"system:serviceaccount:{}:s\" cannot list resource \
         \"configmaps\" in API group \"\" in the namespace \"{}\"",
        w.ns, w.ns
    );
    refused.refused(403, "Forbidden", &message, json!({"kind": "configmaps"}))?;
    Ok(())
}

async fn a_wrong_token_is_unauthorized(w: World) -> Outcome {
    let refused = w
        .send_with_token("wrong", "GET", &w.core("configmaps"), None)
        .await?;
    refused.refused(401, "Unauthorized", "Unauthorized", Value::Null)?;
    Ok(())
}

async fn a_role_allows_what_it_names(w: World) -> Outcome {
    account(&w, "s").await?;
    let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]);
    grant(&w, "s", rules).await?;
    as_account(&w, "s", ("GET", &w.core("configmaps")), 200).await?;
    as_account(&w, "s", ("GET", &w.map("a")), 403).await?;
    as_account(&w, "s", ("GET", "/api/v1/configmaps"), 403).await?;
    as_account(&w, "s", ("GET", &w.core("serviceaccounts")), 403).await?;
    Ok(())
}

async fn a_role_can_be_limited_to_a_name(w: World) -> Outcome {
    account(&w, "s").await?;
    w.make_map(json!({"name": "a"}), "1").await?;
    w.make_map(json!({"name": "b"}), "1").await?;
    let rules = json!([{
        "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["a"], "verbs": ["get"],
    }]);
    grant(&w, "s", rules).await?;
    as_account(&w, "s", ("GET", &w.map("a")), 200).await?;
    as_account(&w, "s", ("GET", &w.map("b")), 403).await?;
    Ok(())
}

async fn a_cluster_role_bound_in_a_namespace_is_limited_to_it(w: World) -> Outcome {
    account(&w, "s").await?;
    let name = format!("{}-role", w.ns);
    let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]);
    let roles = format!("/apis/{RBAC}/clusterroles");
    w.post(&roles, json!({"metadata": {"name": name}, "rules": rules}))
        .await?
        .code(201)?;
    let binding = json!({
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "s", "namespace": w.ns}],
    });
    w.post(w.of(RBAC, "rolebindings"), binding)
        .await?
        .code(201)?;
    as_account(&w, "s", ("GET", &w.core("configmaps")), 200).await?;
    as_account(
        &w,
        "s",
        ("GET", "/api/v1/namespaces/default/configmaps"),
        403,
    )
    .await?;
    w.delete(format!("{roles}/{name}")).await?.code(200)?;
    Ok(())
}

async fn a_refusal_says_who_wanted_what(w: World) -> Outcome {
    let refused = as_account(&w, "s", ("DELETE", &w.gadget("a")), 403).await?;
    let message = format!(
        "gadgets.{} \"a\" is forbidden: User \"system:serviceaccount:{}:s\" cannot delete \
         resource \"gadgets\" in API group \"{}\" in the namespace \"{}\"",
        w.group, w.ns, w.group, w.ns
    );
    let details = json!({"name": "a", "group": w.group, "kind": "gadgets"});
    refused.refused(403, "Forbidden", &message, details)?;
    Ok(())
}

async fn a_refusal_of_a_cluster_resource_says_so(w: World) -> Outcome {
    let refused = as_account(&w, "s", ("GET", "/api/v1/namespaces"), 403).await?;
    let message = format!(
        "namespaces is forbidden: User \"system:serviceaccount:{}:s\" cannot list resource \
         \"namespaces\" in API group \"\" at the cluster scope",
        w.ns
    );
    refused.refused(403, "Forbidden", &message, json!({"kind": "namespaces"}))?;
    Ok(())
}

async fn a_refusal_of_a_subresource_says_so(w: World) -> Outcome {
    let refused = as_account(&w, "s", ("GET", &w.gadget("a/status")), 403).await?;
    let message = format!(
        "gadgets.{} \"a\" is forbidden: User \"system:serviceaccount:{}:s\" cannot get resource \
         \"gadgets/status\" in API group \"{}\" in the namespace \"{}\"",
        w.group, w.ns, w.group, w.ns
    );
    let details = json!({"name": "a", "group": w.group, "kind": "gadgets"});
    refused.refused(403, "Forbidden", &message, details)?;
    Ok(())
}

async fn a_subject_access_review_answers(w: World) -> Outcome {
    account(&w, "s").await?;
    let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]);
    grant(&w, "s", rules).await?;
    as_account(&w, "s", ("GET", &w.map("a")), 404).await?;
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let review = |verb: &str| {
        json!({"spec": {
            "user": format!("system:serviceaccount:{}:s", w.ns),
            "resourceAttributes": {"verb": verb, "resource": "configmaps", "namespace": w.ns},
        }})
    };
    let allowed = w.post(path, review("get")).await?;
    allowed.like(
        201,
        json!({"kind": "SubjectAccessReview", "status": {
            "allowed": true,
            "reason": format!(
                "RBAC: allowed by RoleBinding \"r/{}\" of Role \"r\" to ServiceAccount \"s/{}\"",
                w.ns, w.ns
            ),
        }}),
    )?;
    let denied = w.post(path, review("delete")).await?;
    denied.code(201)?.at("/status", json!({"allowed": false}))?;
    Ok(())
}

async fn a_self_subject_access_review_answers(w: World) -> Outcome {
    account(&w, "s").await?;
    let token = issued(&w, "s", json!({})).await?;
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let body = json!({"spec": {"resourceAttributes": {
        "verb": "get", "resource": "configmaps", "namespace": w.ns,
    }}});
    // Everybody who is somebody may ask about himself.
    let own = w
        .send_with_token(&token, "POST", path, Some(body.clone()))
        .await?;
    own.like(
        201,
        json!({"kind": "SelfSubjectAccessReview", "status": {"allowed": false}}),
    )?;
    let admins = w.post(path, body).await?;
    admins.like(201, json!({"status": {"allowed": true}}))?;
    Ok(())
}

async fn an_administrator_may_do_all(w: World) -> Outcome {
    let headers = [
        ("impersonate-user", "chief"),
        ("impersonate-group", "system:masters"),
    ];
    w.send("GET", &w.core("configmaps"), &headers, "")
        .await?
        .code(200)?;
    let headers = [("impersonate-user", "clerk")];
    w.send("GET", &w.core("configmaps"), &headers, "")
        .await?
        .code(403)?;
    Ok(())
}

async fn a_role_binding_keeps_its_role(w: World) -> Outcome {
    account(&w, "s").await?;
    grant(&w, "s", json!([])).await?;
    let patch = json!({"roleRef": {"name": "other"}});
    let refused = w.merge(w.of(RBAC, "rolebindings/r"), patch).await?;
    refused.like(
        422,
        json!({"details": {"causes": [{
            "field": "roleRef", "message": "~cannot change roleRef$",
        }]}}),
    )?;
    Ok(())
}
