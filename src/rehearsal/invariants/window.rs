//! Windows: every disruptive command lies inside an opening and can end inside it.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Fault, Invariant, WATCH_GRACE};
use crate::api::HotpatchRun;
use crate::domain::window::Opening;
use crate::rehearsal::openings;
use crate::rehearsal::shelf::Name;
use crate::rehearsal::truth::Sent;
use crate::rehearsal::world::World;

/// Checks that disruptive commands are sent inside open windows, with time enough left.
pub(super) struct Window;

impl Invariant for Window {
    fn name(&self) -> &'static str {
        "window"
    }

    fn states(&self) -> &'static str {
        "no disruptive command outside an open window, nor with less time left than it may take"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        let Some(sent) = world
            .just_sent()
            .filter(|own| own.is_accepted() && own.is_disruptive())
        else {
            return Ok(0);
        };
        let Some((name, run)) = sent.run.as_ref().zip(world.run_of(sent)) else {
            return Err(Fault::on(
                &sent.machine,
                "a run that names a window",
                "no run at all",
            ));
        };
        let reserve = TimeDelta::seconds(i64::from(run.spec.estimates.reserve_seconds));
        let needed = sent.maximum().unwrap_or_default() + reserve;
        let fits = |open: &Opening| open.contains(sent.at) && sent.at + needed <= open.end;
        let frozen = run.spec.window.as_ref().map(|own| Opening {
            start: own.start,
            end: own.end,
        });
        if !frozen.as_ref().is_some_and(fits) {
            let text = format!("{needed} left in the window of run {}", name.1);
            return Err(Fault::on(
                &sent.machine,
                text,
                shown(frozen.as_ref(), sent.at),
            ));
        }
        let views = [sent.at, sent.at - WATCH_GRACE].map(|seen| open(world, name, run, sent, seen));
        if views.iter().flatten().any(fits) {
            return Ok(1);
        }
        let text = format!(
            "{needed} left in an open window of stage {}",
            run.spec.stage
        );
        Err(Fault::on(
            &sent.machine,
            text,
            shown(views[0].as_ref(), sent.at),
        ))
    }
}

fn open(
    world: &World,
    name: &Name,
    run: &HotpatchRun,
    sent: &Sent,
    seen: DateTime<Utc>,
) -> Option<Opening> {
    let fleet = world
        .fleets
        .at(&(name.0.clone(), run.spec.fleet_name.clone()), seen)?;
    openings::open_at(world, &name.0, &fleet, &run.spec.stage, sent.at, seen)
}

fn shown(open: Option<&Opening>, at: DateTime<Utc>) -> String {
    match open {
        Some(open) => format!("one that ends {} ({} left)", open.end, open.end - at),
        None => "no open window".to_owned(),
    }
}
