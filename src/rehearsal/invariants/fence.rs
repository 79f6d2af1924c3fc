//! Fence: a new leader shuts the old one out before it does anything of its own.

use chrono::TimeDelta;

use super::{Fault, Invariant};
use crate::azure::transport::REQUEST_TIMEOUT;
use crate::rehearsal::world::{World, Write};

/// Checks epochs and the silence after a change of leaders.
pub(super) struct Fence;

impl Invariant for Fence {
    fn name(&self) -> &'static str {
        "fence"
    }

    fn states(&self) -> &'static str {
        "a new leader raises all epochs first, and sends once the old one's requests have ended"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        if let Some(write) = world.just_written() {
            return raised(write);
        }
        let Some(sent) = world.just_sent() else {
            return Ok(0);
        };
        let request = sent.call.client_request_id.as_ref();
        let intent = request.and_then(|own| world.intents.get(own));
        let (Some(intent), Some(taken)) = (intent, &world.taken) else {
            return Ok(0);
        };
        if intent.holder.as_deref() != Some(&taken.holder) {
            return Ok(0);
        }
        if intent.epoch <= taken.epoch_before {
            let text = format!("an epoch above {}, as it was before", taken.epoch_before);
            let found = format!("epoch {}", intent.epoch);
            return Err(Fault::on(&sent.machine, text, found));
        }
        let quiet = TimeDelta::from_std(REQUEST_TIMEOUT).unwrap_or_default();
        let until = taken.expired + quiet;
        if !taken.is_given_up && sent.at < until {
            let text = format!("silence until {until}");
            return Err(Fault::on(&sent.machine, text, "a command"));
        }
        Ok(2)
    }
}

/// Checks that an epoch rises by a write of its own, which changes nothing else of the log, and
/// that none falls.
fn raised(write: &Write) -> Result<u64, Fault> {
    let (Some(before), Some(after)) = (&write.before, &write.after) else {
        return Ok(0);
    };
    if write.resource != "hotpatchruns.hotpatch.dev" {
        return Ok(0);
    }
    let epoch = |own: &serde_json::Value| own["status"]["epoch"].as_i64();
    let (Some(old), Some(new)) = (epoch(before), epoch(after)) else {
        return Ok(0);
    };
    let log = |own: &serde_json::Value| own["status"]["machines"].clone();
    let fault = |expected: &str, found: String| Fault {
        machine: None,
        expected: format!("{expected} (run {})", write.name),
        found,
    };
    if new < old {
        let found = format!("epoch {new} over {old}");
        return Err(fault(
            "no log of an earlier leader over a later one's",
            found,
        ));
    }
    let has_log = log(before).as_array().is_some_and(|own| !own.is_empty());
    // A run that is over is followed by nobody: its epoch stays behind, until somebody damages it.
    let is_open = before["status"]["completedAt"].is_null();
    if is_open && new > old && has_log && log(before) != log(after) {
        let found = "one write that raises it and changes the log".to_owned();
        return Err(fault("the epoch to be raised by a write of its own", found));
    }
    Ok(1)
}
