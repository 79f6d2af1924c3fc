//! Stories of the run protocol: what happens to runs in flight when people and accidents come in
//! between. The whole controller over both simulators, judged after every request.

// Tests may unwrap: a panic is how they fail.
#![allow(clippy::unwrap_used)]

mod deletion;
mod edits;
mod leaders;
mod leases;
mod lost;
mod narrowed;
mod windows;
mod withheld;

use chrono::TimeDelta;
use hotpatch_operator::rehearsal::world::World;
use hotpatch_operator::rehearsal::{Ended, Rehearsal};
use serde_json::Value;

use crate::rehearsal::{FLEET, NIGHTS, options};

const NAMESPACE: &str = "web";
const FLEETS: &str = "hotpatchfleets.hotpatch.dev";
const POLICIES: &str = "baselinepolicies.hotpatch.dev";
const RUNS: &str = "hotpatchruns.hotpatch.dev";

/// The hour before the baseline of July 2025.
const EVE: &str = "2025-07-08T16:00:00Z";

/// A policy that lets so many machines go at once, with no canaries and no groups.
fn wide(max: u32) -> String {
    format!(
        r#"
apiVersion: hotpatch.dev/v1alpha1
kind: BaselinePolicy
metadata: {{name: quick}}
spec:
  stages: [{{name: all, maxUnavailable: {max}}}]
  availability: {{spread: []}}
"#
    )
}

async fn begin(policy: &str) -> Rehearsal {
    let manifests = [policy, NIGHTS, FLEET];
    Rehearsal::new(options(1, EVE.parse().unwrap(), &manifests))
        .await
        .unwrap()
}

/// Lets time pass until a condition is true; it must come true within three days.
async fn until(own: &mut Rehearsal, mut is_reached: impl FnMut(&World) -> bool) {
    let limit = own.now() + TimeDelta::days(3);
    let ended = own.run_until(|world, _| is_reached(world), limit).await;
    assert_eq!(ended, Ended::Reached, "at {}", own.now());
}

async fn pass_hours(own: &mut Rehearsal, hours: i64) {
    let until = own.now() + TimeDelta::hours(hours);
    let ended = own.run_until(|_, _| false, until).await;
    assert_eq!(ended, Ended::TimeUp);
}

fn object(own: &Rehearsal, resource: &str, name: &str) -> Value {
    let found = own.kube.get_object(resource, Some(NAMESPACE), name);
    found.map(|found| Value::clone(&found)).unwrap_or_default()
}

fn force(own: &Rehearsal, resource: &str, name: &str, change: impl FnOnce(&mut Value)) {
    let mut found = object(own, resource, name);
    change(&mut found);
    own.kube
        .force_object(resource, Some(NAMESPACE), name, Some(found));
}

fn commands(own: &Rehearsal) -> usize {
    own.look(|world| world.sent.iter().filter(|own| own.is_accepted()).count())
}

/// The machines that a command of ours is under way on.
fn under_way(own: &Rehearsal) -> usize {
    own.look(|world| world.open_commands().count())
}

/// Asserts that every checker held so far.
fn held(own: &Rehearsal) {
    let violations: Vec<String> = own.violations().iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{violations:#?}");
}
