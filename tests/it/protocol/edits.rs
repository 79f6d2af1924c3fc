//! Runs in flight survive what people do to their fleet, window and policy.

use serde_json::json;

use super::*;
use crate::rehearsal::paused;

const WINDOWS: &str = "maintenancewindows.hotpatch.dev";

/// An edit that narrows, and what it is called.
type Edit = (&'static str, &'static str, &'static str, fn(&mut Value));

const NARROWING: [Edit; 6] = [
    ("suspend", FLEETS, "small", |own| {
        own["spec"]["suspend"] = json!(true);
    }),
    ("Observe", FLEETS, "small", |own| {
        own["spec"]["mode"] = json!("Observe");
    }),
    ("a freeze", FLEETS, "small", |own| {
        let freeze = json!({"name": "freeze", "from": "2025-07-01", "through": "2025-07-31"});
        own["spec"]["exclusions"] = json!([freeze]);
    }),
    ("another policy", FLEETS, "small", |own| {
        own["spec"]["policyRef"] = json!({"name": "none-such"});
    }),
    ("a window long past", WINDOWS, "nights", |own| {
        own["spec"]["schedule"] = json!({"once": {"date": "2025-01-04"}});
    }),
    ("no machine may be down", POLICIES, "quick", |own| {
        own["spec"]["stages"][0]["maxUnavailable"] = json!(0);
    }),
];

#[test]
fn whatever_narrows_in_mid_rollout_stops_what_is_new_and_follows_what_runs() {
    for (what, resource, name, edit) in NARROWING {
        paused(async {
            let mut own = begin(&wide(2)).await;
            until(&mut own, |world| world.open_commands().count() == 2).await;
            let before = object(&own, resource, name)["spec"].clone();
            force(&own, resource, name, edit);
            pass_hours(&mut own, 4).await;
            assert_eq!((commands(&own), under_way(&own)), (2, 0), "{what}");
            force(&own, resource, name, |own| own["spec"] = before);
            pass_hours(&mut own, 72).await;
            assert_eq!(
                commands(&own),
                6,
                "{what}: it goes on when that is taken back"
            );
            held(&own);
        });
    }
}

#[test]
fn whatever_widens_in_mid_rollout_does_not_reach_the_run() {
    paused(async {
        let mut own = begin(&wide(1)).await;
        until(&mut own, |world| world.open_commands().count() == 1).await;
        let run = own.look(|world| world.runs.keys().next().cloned()).unwrap();
        force(&own, POLICIES, "quick", |own| {
            own["spec"]["stages"][0]["maxUnavailable"] = json!(6);
            own["spec"]["failures"] = json!({"max": 100, "retries": 5});
        });
        for _ in 0..48 {
            pass_hours(&mut own, 1).await;
            let of_run = own.look(|world| {
                let open = world.open_commands();
                open.filter(|own| own.run.as_ref() == Some(&run)).count()
            });
            assert!(of_run <= 1, "{of_run} at once");
        }
        held(&own);
    });
}
