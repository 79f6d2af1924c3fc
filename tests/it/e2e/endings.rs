//! What becomes of a rollout whose namespace goes away.

use azure_sim::{CallOperation, Effect, What};

use super::stage::{Deeds, NAMESPACE, Stage};

/// Half an hour after the baseline of July 2025 is out.
const BASELINE: &str = "2025-07-08T17:30:00Z";

#[tokio::test]
#[ignore = "needs a real API server: make e2e"]
async fn rollout_ends_with_its_namespace() {
    let mut stage = Stage::set("endings", "2025-07-07T08:00:00Z");
    stage.start_operator(BASELINE);
    stage
        .until("the canary is under command", Stage::is_commanding)
        .await;
    stage.kubectl(&["delete", "namespace", NAMESPACE, "--wait=false"]);
    let deleted = stage.clock.now();
    stage
        .until("the namespace is gone", |own| {
            let found = own.read(&["namespaces", "--ignore-not-found"]);
            found.is_some_and(|own| {
                let items = own["items"].as_array().cloned().unwrap_or_default();
                items.iter().all(|own| own["metadata"]["name"] != NAMESPACE)
            })
        })
        .await;
    // The run holds its namespace until what was commanded has ended.
    let ends = |own: &Stage| {
        let effects = own.effects_from(BASELINE);
        let is_end = |own: &&Effect| matches!(own.what, What::InstallEnded { .. });
        effects.iter().filter(is_end).count()
    };
    assert_eq!(
        ends(&stage),
        1,
        "the namespace went before the install had ended"
    );
    stage
        .until("the machine under command has come to its end", |own| {
            own.azure.machines().iter().all(|own| own.up && !own.busy)
        })
        .await;
    stage.stop_operator().await;
    let effects = stage.effects_from(BASELINE);
    let later = effects
        .iter()
        .filter(|own| own.at > deleted + MARGIN)
        .filter(|own| {
            matches!(&own.what, What::CallAccepted(call) | What::CallRefused { call, .. }
            if matches!(call.operation, CallOperation::Install | CallOperation::Restart))
        });
    assert_eq!(
        later.count(),
        0,
        "nothing is commanded for a namespace that goes"
    );
    let deeds = Deeds::of(&effects);
    assert!(
        deeds.installs.values().all(|own| *own == 1),
        "{:?}",
        deeds.installs
    );
    assert_eq!(deeds.most_down(|_| true), 1);
}

/// What may already be on its way when the namespace is deleted, in virtual time: kubectl takes a
/// moment, in which an hour passes every second.
const MARGIN: chrono::TimeDelta = chrono::TimeDelta::minutes(30);
