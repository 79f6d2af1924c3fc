//! Quiet: where somebody said stop, nothing new is sent.

use chrono::{DateTime, Utc};

use super::{Fault, Invariant, WATCH_GRACE};
use crate::api::HotpatchRun;
use crate::api::fleet::Mode;
use crate::api::request::{HotpatchRequestSpec, Verb};
use crate::api::time::from_k8s;
use crate::rehearsal::shelf::Name;
use crate::rehearsal::world::World;

/// Checks that mode, suspend, pause, abort and deletion are obeyed.
pub(super) struct Quiet;

impl Invariant for Quiet {
    fn name(&self) -> &'static str {
        "quiet"
    }

    fn states(&self) -> &'static str {
        "Observe, suspend, pause, abort and deletion: nothing new is sent once they are seen"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        let Some(sent) = world.just_sent() else {
            return Ok(0);
        };
        let Some((name, run)) = sent.run.as_ref().zip(world.run_of(sent)) else {
            return Ok(0);
        };
        let now = stopped(world, name, run, sent.at);
        let before = stopped(world, name, run, sent.at - WATCH_GRACE);
        match now.zip(before) {
            Some((why, _)) => Err(Fault::on(
                &sent.machine,
                format!("silence: {why}"),
                "a command",
            )),
            None => Ok(1),
        }
    }
}

fn stopped(world: &World, name: &Name, run: &HotpatchRun, at: DateTime<Utc>) -> Option<String> {
    let deleted = run.metadata.deletion_timestamp.as_ref().and_then(from_k8s);
    if deleted.is_some_and(|since| since <= at) {
        return Some(format!("run {} is being deleted", name.1));
    }
    let key = (name.0.clone(), run.spec.fleet_name.clone());
    let Some(fleet) = world.fleets.at(&key, at) else {
        return Some(format!("fleet {} is not there", key.1));
    };
    if fleet.metadata.uid.as_deref() != Some(&run.spec.fleet_uid) {
        return Some(format!("fleet {} is another one", key.1));
    }
    if fleet.metadata.deletion_timestamp.is_some() {
        return Some(format!("fleet {} is being deleted", key.1));
    }
    if fleet.spec.mode != Mode::Enforce {
        return Some(format!("fleet {} is in mode {:?}", key.1, fleet.spec.mode));
    }
    if fleet.spec.suspend {
        return Some(format!("fleet {} is suspended", key.1));
    }
    let mut requests = world.requests.all_at(at).filter(|(own, _)| own.0 == name.0);
    requests
        .find(|(_, own)| stops(&own.spec, run, at))
        .map(|(own, _)| format!("request {}", own.1))
}

fn stops(request: &HotpatchRequestSpec, run: &HotpatchRun, at: DateTime<Utc>) -> bool {
    let release =
        |own: &String| *own == run.spec.release || run.spec.release.contains(own.as_str());
    matches!(request.verb, Verb::Pause | Verb::Abort)
        && request.fleet_ref.name == run.spec.fleet_name
        && request.release.as_ref().is_none_or(release)
        && request
            .stage
            .as_ref()
            .is_none_or(|own| *own == run.spec.stage)
        && request.expires_at.is_none_or(|end| at < end)
}
