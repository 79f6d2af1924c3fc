//! What is left of a lease when its holder gives it up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hotpatch_operator::controller::lease::{Error, LEASE_NAME, Leadership, Tenure};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::PostParams;
use kube_sim::{Fault, KubeSim, Verb};

use super::*;
use crate::rehearsal::paused;

const LEASES: &str = "leases.coordination.k8s.io";

/// What came in between the last renewal that was answered and the end of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    Nothing,
    /// A renewal of ours was applied, and its answer lost.
    AnswerLost,
    /// A command of ours is on its way.
    Command,
    /// Somebody else took the lease.
    Taken,
    /// Somebody deleted it.
    Deleted,
}

/// Who holds the lease after it was given up, if it is there, and what giving it up came to.
async fn give_up(between: Between) -> (Option<String>, Result<(), Error>) {
    let now = EVE.parse().unwrap();
    let kube = KubeSim::new(Arc::new(move || now));
    let namespaces: Api<Namespace> = Api::all(kube.client());
    let mut home = Namespace::default();
    home.metadata.name = Some(NAMESPACE.to_owned());
    let made = namespaces.create(&PostParams::default(), &home).await;
    made.unwrap();
    let loses = Arc::new(AtomicBool::new(false));
    let armed = Arc::clone(&loses);
    kube.on_request(move |call| {
        let is_write = call.verb == Verb::Update && call.resource == LEASES;
        if is_write && armed.swap(false, Ordering::SeqCst) {
            Fault::DropAfter
        } else {
            Fault::None
        }
    });
    let mut own = Leadership::new(kube.client(), NAMESPACE, "one", Tenure::default());
    own.acquire(now).await.unwrap();
    let stored = || kube.get_object(LEASES, Some(NAMESPACE), LEASE_NAME);
    let holder = || {
        let found = stored()?;
        Some(found["spec"]["holderIdentity"].as_str()?.to_owned())
    };
    assert_eq!(holder().as_deref(), Some("one"));
    match between {
        Between::Nothing => {}
        Between::AnswerLost => {
            loses.store(true, Ordering::SeqCst);
            let renewed = own.renew(now).await;
            assert!(matches!(renewed, Err(Error::Api { .. })), "{renewed:?}");
        }
        Between::Command => own.sends(true),
        Between::Taken => {
            let mut theirs = Value::clone(&stored().unwrap());
            theirs["spec"]["holderIdentity"] = "two".into();
            kube.force_object(LEASES, Some(NAMESPACE), LEASE_NAME, Some(theirs));
        }
        Between::Deleted => kube.force_object(LEASES, Some(NAMESPACE), LEASE_NAME, None),
    }
    let released = own.release(now).await;
    assert!(!own.is_held());
    (holder(), released)
}

#[test]
fn a_lease_is_given_up_whole_or_left_to_run_out() {
    // What came in between, who holds the lease then, and whether it was found lost.
    let rows = [
        (Between::Nothing, None, false),
        (Between::AnswerLost, None, false),
        (Between::Command, Some("one"), false),
        (Between::Taken, Some("two"), true),
        (Between::Deleted, None, true),
    ];
    for (between, holder, is_lost) in rows {
        let (found, released) = paused(give_up(between));
        assert_eq!(found.as_deref(), holder, "{between:?}");
        let lost = matches!(released, Err(Error::Lost));
        assert_eq!(lost, is_lost, "{between:?}: {released:?}");
        assert!(lost || released.is_ok(), "{between:?}: {released:?}");
    }
}
