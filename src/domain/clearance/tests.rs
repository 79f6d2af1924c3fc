//! What a last look shows against a machine.
#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

use super::*;
use crate::domain::testkit::{due_vm, fleet, local, run_machine};

fn look(machine: &Machine, connection: Option<Connection>) -> Reading {
    Reading {
        incarnation: machine.incarnation.clone(),
        settings: machine.settings,
        power: machine.power,
        cluster_update: ClusterUpdate::Quiet,
        health: Health::Healthy,
        busy: None,
        last_activity: None,
        shows_installs: true,
        reboot_pending: None,
        assessed_at: None,
        connection,
        tags: machine.tags.clone(),
        etag: None,
        server_date: None,
    }
}

#[test]
fn a_cluster_that_updates_itself_holds_its_guests_and_so_does_one_that_says_nothing() {
    let own = ClaimIdentity::new("cluster", "fleet").unwrap();
    let now: DateTime<Utc> = "2026-11-22T03:00:00Z".parse().unwrap();
    let guest = local("hci").machine();
    let vm = due_vm("vm").machine();
    let connected = Some(Connection::Connected);
    let rows = [
        (&guest, connected, ClusterUpdate::Quiet, None),
        (
            &guest,
            connected,
            ClusterUpdate::Running,
            Some("ClusterUpdating"),
        ),
        (
            &guest,
            connected,
            ClusterUpdate::Unknown,
            Some("ClusterUnknown"),
        ),
        (&vm, None, ClusterUpdate::Unknown, None),
    ];
    for (machine, connection, state, expected) in rows {
        let planned = run_machine(&fleet("web"), machine);
        let mut reading = look(machine, connection);
        reading.cluster_update = state;
        let found = clearance(&planned, machine, &reading, &own, now);
        let reason = found.err().map(|withdrawn| {
            assert!(!withdrawn.to_string().is_empty());
            withdrawn.reason()
        });
        assert_eq!(reason, expected, "{state:?} under {}", machine.name);
    }
}
