//! Evaluation of roles and bindings (k8s.io/kubernetes `plugin/pkg/auth/authorizer/rbac`). Reads
//! stored RBAC objects; aggregation of cluster roles is left to whoever writes them.

use serde_json::{Value, json};

use super::{AUTHENTICATED, MASTERS, UNAUTHENTICATED, User};
use crate::store::{ObjectKey, State};

pub(crate) const ROLES: &str = "roles.rbac.authorization.k8s.io";
pub(crate) const CLUSTER_ROLES: &str = "clusterroles.rbac.authorization.k8s.io";
pub(crate) const BINDINGS: &str = "rolebindings.rbac.authorization.k8s.io";
pub(crate) const CLUSTER_BINDINGS: &str = "clusterrolebindings.rbac.authorization.k8s.io";

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attributes {
    Path {
        verb: String,
        path: String,
    },
    Resource {
        verb: String,
        group: String,
        resource: String,
        subresource: String,
        /// Empty at the cluster scope.
        namespace: String,
        /// Empty for a collection.
        name: String,
    },
}

/// A rule that applies to a user, with the reason why.
struct Grant {
    rule: Value,
    reason: String,
}

/// Why a user may do what is asked; `None` when nothing allows it.
pub(crate) fn allowed(state: &State, user: &User, asked: &Attributes) -> Option<String> {
    if user.groups.iter().any(|group| group == MASTERS) {
        return Some(String::new());
    }
    let namespace = match asked {
        Attributes::Path { .. } => "",
        Attributes::Resource { namespace, .. } => namespace,
    };
    let mut grants = grants(state, user, namespace).into_iter();
    let grant = grants.find(|grant| covers(&grant.rule, asked))?;
    Some(format!("RBAC: allowed by {}", grant.reason))
}

/// All rules that a user has in a namespace.
pub(crate) fn rules(state: &State, user: &User, namespace: &str) -> Vec<Value> {
    let grants = grants(state, user, namespace);
    grants.into_iter().map(|grant| grant.rule).collect()
}

fn grants(state: &State, user: &User, namespace: &str) -> Vec<Grant> {
    let mut found = standing(user);
    if let Some(table) = state.tables.get(CLUSTER_BINDINGS) {
        for (key, binding) in &table.objects {
            let kind = format!("ClusterRoleBinding {:?}", &*key.name);
            collect(state, user, binding, (&kind, ""), &mut found);
        }
    }
    if let Some(table) = state.tables.get(BINDINGS).filter(|_| !namespace.is_empty()) {
        for (key, binding) in table.in_namespace(&namespace.into()) {
            let kind = format!("RoleBinding \"{}/{namespace}\"", key.name);
            collect(state, user, binding, (&kind, namespace), &mut found);
        }
    }
    found
}

fn collect(
    state: &State,
    user: &User,
    binding: &Value,
    (shown, namespace): (&str, &str),
    found: &mut Vec<Grant>,
) {
    let subjects = binding["subjects"].as_array().into_iter().flatten();
    let Some(subject) = subjects
        .filter_map(|subject| matches(user, subject, namespace))
        .next()
    else {
        return;
    };
    let reference = &binding["roleRef"];
    let text = |field: &str| reference[field].as_str().unwrap_or_default();
    let role = if text("kind") == "ClusterRole" {
        state.get(CLUSTER_ROLES, &ObjectKey::new(None, text("name")))
    } else {
        state.get(ROLES, &ObjectKey::new(Some(namespace), text("name")))
    };
    let rules = role.and_then(|role| role["rules"].as_array());
    for rule in rules.into_iter().flatten() {
        found.push(Grant {
            rule: rule.clone(),
            reason: format!(
                "{shown} of {} {:?} to {subject}",
                text("kind"),
                text("name")
            ),
        });
    }
}

/// How a subject of a binding names the user, if it does.
fn matches(user: &User, subject: &Value, namespace: &str) -> Option<String> {
    let text = |field: &str| subject[field].as_str().unwrap_or_default();
    let name = text("name");
    let (is, shown) = match text("kind") {
        "User" => (user.name == name, format!("User {name:?}")),
        "Group" => (
            user.groups.iter().any(|group| group == name),
            format!("Group {name:?}"),
        ),
        "ServiceAccount" => {
            let home = match text("namespace") {
                "" => namespace,
                home => home,
            };
            (
                user.name == format!("system:serviceaccount:{home}:{name}"),
                format!("ServiceAccount \"{name}/{home}\""),
            )
        }
        _ => (false, String::new()),
    };
    is.then_some(shown)
}

/// What everybody may do: the bootstrap bindings `system:discovery`, `system:basic-user` and
/// `system:public-info-viewer`.
fn standing(user: &User) -> Vec<Grant> {
    let is = |name: &str| user.groups.iter().any(|group| group == name);
    let mut found = Vec::new();
    let mut grant = |role: &str, group: &str, rule: Value| {
        found.push(Grant {
            rule,
            reason: format!(
                "ClusterRoleBinding {role:?} of ClusterRole {role:?} to Group {group:?}"
            ),
        });
    };
    if is(AUTHENTICATED) {
        let reviews = ["selfsubjectaccessreviews", "selfsubjectrulesreviews"];
        for (group, resources) in [
            ("authorization.k8s.io", json!(reviews)),
            ("authentication.k8s.io", json!(["selfsubjectreviews"])),
        ] {
            let rule = json!({"verbs": ["create"], "apiGroups": [group], "resources": resources});
            grant("system:basic-user", AUTHENTICATED, rule);
        }
        let urls = [
            "/api",
            "/api/*",
            "/apis",
            "/apis/*",
            "/healthz",
            "/livez",
            "/openapi",
            "/openapi/*",
            "/readyz",
            "/version",
            "/version/",
        ];
        let rule = json!({"verbs": ["get"], "nonResourceURLs": urls});
        grant("system:discovery", AUTHENTICATED, rule);
    }
    let urls = ["/healthz", "/livez", "/readyz", "/version", "/version/"];
    for group in [AUTHENTICATED, UNAUTHENTICATED] {
        if is(group) {
            let rule = json!({"verbs": ["get"], "nonResourceURLs": urls});
            grant("system:public-info-viewer", group, rule);
        }
    }
    found
}

fn has(rule: &Value, field: &str, wanted: &str) -> bool {
    let list = rule[field].as_array().into_iter().flatten();
    list.filter_map(Value::as_str)
        .any(|own| own == "*" || own == wanted)
}

/// Whether a rule allows what is asked.
fn covers(rule: &Value, asked: &Attributes) -> bool {
    match asked {
        Attributes::Path { verb, path } => {
            let urls = rule["nonResourceURLs"].as_array().into_iter().flatten();
            let fits = |own: &str| match own.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => own == path,
            };
            has(rule, "verbs", verb) && urls.filter_map(Value::as_str).any(fits)
        }
        Attributes::Resource {
            verb,
            group,
            resource,
            subresource,
            name,
            ..
        } => {
            let names = rule["resourceNames"].as_array();
            let named = names.is_none_or(|names| {
                names.is_empty() || (!name.is_empty() && names.iter().any(|own| own == name))
            });
            let whole = match subresource.as_str() {
                "" => resource.clone(),
                sub => format!("{resource}/{sub}"),
            };
            let of_any = format!("*/{subresource}");
            let of_kind = has(rule, "resources", &whole)
                || (!subresource.is_empty() && has(rule, "resources", &of_any));
            has(rule, "verbs", verb) && has(rule, "apiGroups", group) && of_kind && named
        }
    }
}
