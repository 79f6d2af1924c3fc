//! Writes the rows of what is assigned to machines: maintenance configurations, dynamic scopes,
//! policies and the states of resources under them (azure.md 4, 5, 9). What is assigned shows at
//! once: the lag is of machines alone.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::graph::Seen;
use crate::graph::tables::Table;
use crate::policies::Assigned;
use crate::world::World;

/// Writes the rows that a table has beside those of machines. `sees` tells whether a subscription,
/// lower-cased, is in scope; `is_tenant` that management groups are asked.
pub(crate) fn rows(
    world: &World,
    table: Table,
    machines: &[&Seen],
    sees: &dyn Fn(&str) -> bool,
    is_tenant: bool,
) -> Vec<Value> {
    let seen = |body: &&Value| {
        let id = body["id"].as_str().unwrap_or_default().to_lowercase();
        sees(subscription(&id))
    };
    match table {
        Table::Resources => {
            let found = world.maintenance.values().filter(seen);
            found.map(row).collect()
        }
        Table::Maintenance => {
            let found = world.scopes.values().filter(seen);
            found.map(row).collect()
        }
        Table::Policy => {
            let all = world.policies.values();
            all.flat_map(|own| policy(own, machines, sees, is_tenant))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn subscription(id: &str) -> &str {
    id.split('/').nth(2).unwrap_or_default()
}

/// Writes a stored body as a row: the id as it was given, the type in lower case.
fn row(body: &Value) -> Value {
    let id = body["id"].as_str().unwrap_or_default();
    let kind = body["type"].as_str().unwrap_or_default().to_lowercase();
    head(id, &kind, &body["name"], &body["properties"])
}

fn head(id: &str, kind: &str, name: &Value, properties: &Value) -> Value {
    json!({
        "id": id,
        "name": name,
        "type": kind,
        "tenantId": "11111111-1111-1111-1111-111111111111",
        "subscriptionId": subscription(&id.to_lowercase()),
        "properties": properties,
    })
}

/// Writes a policy's assignment, where its scope is asked, and a state for each machine under it.
fn policy(
    own: &Assigned,
    machines: &[&Seen],
    sees: &dyn Fn(&str) -> bool,
    is_tenant: bool,
) -> Vec<Value> {
    let mut rows = Vec::new();
    let id = own.id();
    let is_shown = match own.scope.to_lowercase().strip_prefix("/subscriptions/") {
        Some(rest) => sees(rest.split('/').next().unwrap_or_default()),
        None => is_tenant,
    };
    if is_shown {
        let kind = "microsoft.authorization/policyassignments";
        rows.push(head(&id, kind, &json!(own.name), &own.properties()));
    }
    let machines = machines.iter().map(|seen| &seen.machine);
    for machine in machines.filter(|machine| own.takes(&machine.key())) {
        for definition in &own.definitions {
            let seed = format!("{id}/{definition}/{}", machine.key());
            let name = Uuid::new_v5(&Uuid::NAMESPACE_OID, seed.as_bytes()).to_string();
            let state = format!(
                "{}/providers/microsoft.policyinsights/policystates/{name}",
                machine.key()
            );
            let kind = "microsoft.policyinsights/policystates";
            let properties = own.state(machine, definition);
            rows.push(head(&state, kind, &json!(name), &properties));
        }
    }
    rows
}
