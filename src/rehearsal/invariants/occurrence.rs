//! One opening: a window opens at most once on a local date, also when the clock changes.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use super::{Fault, Invariant};
use crate::domain::window::parse_start_time;
use crate::domain::zone::{Meeting, Zone};
use crate::rehearsal::openings::length;
use crate::rehearsal::shelf::Name;
use crate::rehearsal::world::World;

/// Checks that runs of one window and date name one opening.
#[derive(Default)]
pub(super) struct OneOpening {
    /// By window, its schedule as written, and local date: when the opening began.
    seen: BTreeMap<(Name, String, NaiveDate), DateTime<Utc>>,
}

impl Invariant for OneOpening {
    fn name(&self) -> &'static str {
        "one-opening"
    }

    fn states(&self) -> &'static str {
        "a window opens at most once on a date, also when the clock changes"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        let Some(sent) = world.just_sent().filter(|own| own.is_disruptive()) else {
            return Ok(0);
        };
        let Some((name, run)) = sent.run.as_ref().zip(world.run_of(sent)) else {
            return Ok(0);
        };
        let Some(window) = &run.spec.window else {
            return Ok(0);
        };
        let key: Name = (name.0.clone(), window.name.clone());
        let Some(object) = world.windows.get(&key) else {
            return Ok(0);
        };
        let Ok(zone) = Zone::parse(&object.spec.time_zone) else {
            return Ok(0);
        };
        // An excluded day may have cut off the begin, never what comes after it.
        let begins = length(&object.spec.duration).map_or(window.start, |own| window.end - own);
        let local = zone.utc_to_local(begins);
        let date = local.date();
        // A run that began before the window was written anew has the opening of the older text.
        if !is_begin(&object.spec.start_time, &zone, local) {
            return Ok(0);
        }
        // Whoever writes another start time opens another window.
        let spec = format!("{:?} {}", object.spec.schedule, object.spec.start_time);
        let start = *self.seen.entry((key, spec, date)).or_insert(window.start);
        if start == window.start {
            return Ok(1);
        }
        let text = format!("one opening of {} on {date}, at {start}", window.name);
        Err(Fault::on(
            &sent.machine,
            text,
            format!("another at {}", window.start),
        ))
    }
}

/// Tells whether a local time is when a window begins on its date; in a gap any time may be.
fn is_begin(start_time: &str, zone: &Zone, local: NaiveDateTime) -> bool {
    parse_start_time(start_time).is_ok_and(|start| {
        let meeting = zone.local_to_utc(local.date().and_time(start)).meeting;
        local.time() == start || matches!(meeting, Meeting::Gap { .. })
    })
}
