// tests may unwrap
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::found::{Policies, Schedules};
use super::part::Gather;
use super::queries::{ASSIGNMENTS, policies};
use crate::domain::authority::steering::Does;

fn gathered<G: Gather>(rows: &[Value]) -> Result<G::Made, String> {
    let mut all = G::default();
    for row in rows {
        all.take(serde_json::from_value(row.clone()).map_err(|error| error.to_string())?)?;
    }
    Ok(all.made())
}

#[test]
fn the_queries_are_constants_that_can_be_paged() {
    for text in [ASSIGNMENTS.to_owned(), policies()] {
        assert!(text.contains("| project id, "), "{text}");
        assert!(text.ends_with("| order by id asc"), "{text}");
        assert!(text.matches("| join ").count() <= 1, "{text}");
    }
}

fn assignment(id: &str, configuration: &str, scope: Value, reboot: Value) -> Value {
    let id = format!("{id}/providers/Microsoft.Maintenance/configurationAssignments/a");
    json!({"id": id, "configuration": configuration, "scope": scope, "reboot": reboot})
}

#[test]
fn a_schedule_does_what_its_configuration_says() {
    let vm = "/subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/virtualMachines/vm1";
    let rows = [
        (json!("InGuestPatch"), json!("Always"), Does::Reboots),
        (json!("InGuestPatch"), json!("IfRequired"), Does::Reboots),
        (json!("InGuestPatch"), Value::Null, Does::Reboots),
        (json!("inguestpatch"), json!("never"), Does::Installs),
        (json!("InGuestPatch"), json!("NeverReboot"), Does::Installs),
        (json!("OSImage"), Value::Null, Does::Nothing),
        (json!("Host"), json!("Always"), Does::Nothing),
        (Value::Null, Value::Null, Does::Hidden),
        (json!(""), json!(""), Does::Hidden),
    ];
    for (scope, reboot, expected) in rows {
        let row = assignment(vm, "/c/1", scope, reboot);
        let found = gathered::<Schedules>(&[row.clone(), row.clone()]).unwrap();
        assert_eq!(found.schedules.len(), 1, "{row}");
        assert_eq!(found.schedules[0].does, expected, "{row}");
        assert_eq!(found.assigned.len(), 1, "told twice, counted once: {row}");
    }
}

#[test]
fn an_assignment_is_of_a_machine_a_filter_or_something_else() {
    let group = "/subscriptions/s/resourceGroups/g";
    let rows = [
        (
            format!("{group}/providers/Microsoft.HybridCompute/machines/m"),
            (1, 0),
        ),
        ("/subscriptions/s".to_owned(), (0, 1)),
        (group.to_owned(), (0, 1)),
        (
            format!("{group}/providers/Microsoft.Compute/virtualMachineScaleSets/v"),
            (0, 0),
        ),
        (
            format!("{group}/providers/Microsoft.Sql/servers/x/databases/d"),
            (0, 0),
        ),
    ];
    for (id, expected) in rows {
        let row = assignment(&id, "/c/1", json!("InGuestPatch"), json!("Always"));
        let found = gathered::<Schedules>(&[row]).unwrap();
        assert_eq!((found.assigned.len(), found.scopes.len()), expected, "{id}");
    }
    for bad in [
        json!({"id": "/subscriptions/s", "configuration": "/c/1"}),
        json!({"configuration": "/c/1"}),
        assignment(group, "", json!("InGuestPatch"), json!("Always")),
        json!({"id": 3}),
    ] {
        assert!(
            gathered::<Schedules>(std::slice::from_ref(&bad)).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn what_changes_nothing_is_no_policy_and_states_repeat_nothing() {
    let row = |name: &str, scope: &str, effect: &str, mode: &str, subscription: &str| {
        json!({
            "id": "x", "assignment": format!("{scope}/assignments/{name}"), "scope": scope,
            "definition": "9905ca54-1471-49c6-8291-7582c04cd4d4", "effect": effect,
            "enforcement": mode, "except": "[]", "subscription": subscription,
        })
    };
    let root = "/providers/microsoft.management/managementgroups/root";
    let rows = [
        row("a", "/subscriptions/s", "", "Default", ""),
        row("a", "/subscriptions/s", "deployifnotexists", "", "s"),
        row("b", root, "modify", "", "s"),
        row("b", root, "modify", "", "t"),
        row("c", "/subscriptions/s", "disabled", "Default", ""),
        row("d", "/subscriptions/s", "", "DoNotEnforce", ""),
        row("d", "/subscriptions/s", "deployifnotexists", "", "s"),
        row("e", root, "auditifnotexists", "", "s"),
    ];
    let found = gathered::<Policies>(&rows).unwrap();
    let names: Vec<(&str, Option<&str>)> = found
        .iter()
        .map(|own| (&*own.name, own.subscription.as_deref()))
        .collect();
    assert_eq!(names, [("b", Some("s")), ("b", Some("t")), ("a", None)]);
    let mut unknown = row("f", root, "", "", "");
    unknown["definition"] = json!("another");
    assert!(gathered::<Policies>(&[unknown]).is_err());
    let mut broken = row("g", root, "", "", "");
    broken["except"] = json!("not json");
    assert!(gathered::<Policies>(&[broken]).is_err());
}
