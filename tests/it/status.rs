//! What the objects say of themselves: every condition stands in the table, `Ready` follows its
//! rules, and a status moves only when something happened.

// tests may unwrap
#![allow(clippy::unwrap_used)]

mod authority;
mod build;
mod events;
mod fleet;
mod machine;
mod next;
mod objects;

use hotpatch_operator::api::conditions;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// Checks each condition against the table.
fn assert_in_table(kind: &str, told: &[Condition]) {
    for own in told {
        let row = conditions::find(kind, &own.type_)
            .unwrap_or_else(|| panic!("{kind} has no condition {}", own.type_));
        let listed = row
            .reasons
            .iter()
            .any(|r| r.status == own.status && r.name == own.reason);
        assert!(listed, "{kind} {}={} {}", own.type_, own.status, own.reason);
        assert!(!own.message.is_empty(), "{kind} {} says nothing", own.type_);
        assert!(!own.message.contains('\n'), "{}", own.message);
    }
}

/// Returns status and reason of a condition as `Status/Reason`.
fn told(conditions: &[Condition], name: &str) -> String {
    conditions.iter().find(|own| own.type_ == name).map_or_else(
        || "absent".to_owned(),
        |own| format!("{}/{}", own.status, own.reason),
    )
}
