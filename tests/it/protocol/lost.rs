//! What the operator wrote down is lost in the middle of a rollout.

use hotpatch_operator::record::ANNOTATION_LOGGED;
use serde_json::json;

use super::*;
use crate::rehearsal::paused;

/// A rollout with commands under way on all six machines: VMs, an Arc server, a guest.
async fn all_under_way() -> Rehearsal {
    let mut own = begin(&wide(6)).await;
    until(&mut own, |world| world.open_commands().count() > 3).await;
    own
}

fn run_name(own: &Rehearsal) -> String {
    own.look(|world| world.runs.keys().next().cloned())
        .unwrap()
        .1
}

/// Commands a machine got, at most.
fn most_commands(own: &Rehearsal) -> usize {
    own.look(|world| {
        let of = |id: &String| {
            let sent = world.sent.iter().filter(|own| own.is_accepted());
            sent.filter(|own| own.machine == *id).count()
        };
        world.facts.keys().map(of).max().unwrap_or(0)
    })
}

#[test]
fn a_run_whose_whole_status_was_deleted_holds_all_its_machines() {
    paused(async {
        let mut own = all_under_way().await;
        let name = run_name(&own);
        let marked = object(&own, RUNS, &name)["metadata"]["annotations"].clone();
        assert!(marked.get(ANNOTATION_LOGGED).is_some(), "{marked}");
        let sent = commands(&own);
        force(&own, RUNS, &name, |run| {
            run.as_object_mut().unwrap().remove("status");
        });
        pass_hours(&mut own, 20).await;
        let again = own.look(|world| {
            let run = |own: &&hotpatch_operator::rehearsal::truth::Sent| {
                own.run.as_ref().is_some_and(|run| run.1 == name)
            };
            world.sent.iter().filter(run).count()
        });
        assert_eq!(again, sent, "nothing more is sent from it");
        assert_eq!(most_commands(&own), 1, "nor to its machines from another");
        pass_hours(&mut own, 48).await;
        assert_eq!(most_commands(&own), 1);
        held(&own);
    });
}

#[test]
fn a_run_restored_from_before_it_began_commands_nothing_that_it_commanded_before() {
    paused(async {
        let mut own = all_under_way().await;
        let name = run_name(&own);
        // As a backup of etcd has it that was taken when the run had just been announced.
        force(&own, RUNS, &name, |run| {
            run.as_object_mut().unwrap().remove("status");
            run["metadata"]["annotations"] = json!({});
        });
        pass_hours(&mut own, 60).await;
        assert_eq!(most_commands(&own), 1);
        held(&own);
    });
}
