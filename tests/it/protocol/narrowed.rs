//! Something narrows while the commands of one pass are sent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::rehearsal::paused;

/// Changes an object as soon as the first install was accepted, in the middle of its pass.
fn at_the_first_install(
    own: &Rehearsal,
    change: impl Fn(&kube_sim::KubeSim) + Send + Sync + 'static,
) {
    let (kube, done) = (own.kube.clone(), AtomicBool::new(false));
    own.azure.after_call(move |method, path, status| {
        let is_install = method == "POST" && path.contains("/installPatches") && status < 300;
        if is_install && !done.swap(true, Ordering::SeqCst) {
            change(&kube);
        }
    });
    // Without any, nothing that happens meanwhile would be seen before the next command.
    own.gate.slow_down(Duration::from_millis(300));
}

#[test]
fn a_limit_that_is_narrowed_between_two_commands_of_a_pass_holds_for_the_second() {
    paused(async {
        let mut own = begin(&wide(4)).await;
        // By the next day Azure has assessed all machines: several are due at once.
        pass_hours(&mut own, 20).await;
        assert_eq!(commands(&own), 0);
        at_the_first_install(&own, |kube| {
            let found = kube.get_object(POLICIES, Some(NAMESPACE), "quick").unwrap();
            let mut policy = Value::clone(&found);
            policy["spec"]["stages"][0]["maxUnavailable"] = json!(1);
            kube.force_object(POLICIES, Some(NAMESPACE), "quick", Some(policy));
        });
        until(&mut own, |world| !world.sent.is_empty()).await;
        assert_eq!(commands(&own), 1, "the others were withdrawn");
        assert!(own.look(|world| world.intents.len()) > 1);
        pass_hours(&mut own, 1).await;
        held(&own);
    });
}

#[test]
fn a_view_whose_watch_is_silent_is_listed_anew_once_the_server_says_otherwise() {
    paused(async {
        let mut own = begin(&wide(1)).await;
        until(&mut own, |world| !world.sent.is_empty()).await;
        own.kube.on_request(|call| match call.verb {
            kube_sim::Verb::Watch if call.resource == FLEETS => kube_sim::Fault::DropBefore,
            _ => kube_sim::Fault::None,
        });
        own.kube.cut_watches();
        let found = own.kube.get_object(FLEETS, Some(NAMESPACE), "small");
        let mut fleet = Value::clone(&found.unwrap());
        fleet["spec"]["suspend"] = json!(true);
        own.kube
            .force_object(FLEETS, Some(NAMESPACE), "small", Some(fleet));
        pass_hours(&mut own, 12).await;
        assert_eq!((commands(&own), under_way(&own)), (1, 0));
        let intents = own.look(|world| world.intents.len());
        assert_eq!(intents, 2, "one was withheld, and the next pass knew");
        held(&own);
    });
}

#[test]
fn a_pause_between_two_commands_of_a_pass_holds_for_the_second() {
    paused(async {
        let mut own = begin(&wide(4)).await;
        at_the_first_install(&own, |kube| {
            let found = kube.get_object(FLEETS, Some(NAMESPACE), "small").unwrap();
            let mut fleet = Value::clone(&found);
            fleet["spec"]["suspend"] = json!(true);
            kube.force_object(FLEETS, Some(NAMESPACE), "small", Some(fleet));
        });
        until(&mut own, |world| !world.sent.is_empty()).await;
        assert_eq!(commands(&own), 1);
        pass_hours(&mut own, 12).await;
        assert_eq!(
            (commands(&own), under_way(&own)),
            (1, 0),
            "and followed to its end"
        );
        held(&own);
    });
}
