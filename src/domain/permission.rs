//! Whether a run may command at all: what it froze, narrowed by what its fleet says now.
//!
//! Asked when a pass is planned and again just before each command is sent. Narrowing (a pause, a
//! closed window, a fleet that cannot be read) acts at once; nothing here can widen a run.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::due::Action;
use super::fleet::{Fleet, HotpatchWhen, Mode};
use super::rollout::is_approved;
use super::run::{MAXIMUM_DURATION_CEILING, MAXIMUM_DURATION_FLOOR, Progress, Run, Step, Terms};
use super::window::{FleetWindows, NamedWindow};
use super::zone::Zone;
use crate::planted::{self, Bug};

/// The name under which a run that needs no window carries its time.
pub const ANY_TIME: &str = "any-time";

/// How long a run that needs no window may take.
pub const ANY_TIME_SPAN: TimeDelta = TimeDelta::hours(24);

/// Why a run may not command now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Withheld {
    /// Its fleet is gone, or another one bears its name.
    FleetGone,
    /// Its fleet's spec, policy or window cannot be understood or found.
    FleetUnresolved(String),
    /// The fleet's mode allows no commands.
    Mode,
    /// The fleet is suspended.
    Suspended,
    /// A person paused it.
    Paused(String),
    /// A person aborted it, or it is being deleted.
    Aborted,
    /// What is stored in its status cannot be understood.
    Quarantined(String),
    /// The stage has failed too often.
    Halted(String),
    /// No window is open.
    WindowClosed,
    /// A window is open, but closes too soon.
    TooLate,
    /// A condition that other controllers set is not true.
    GateClosed(String),
    /// Nobody gave the word that the policy asks for.
    NotApproved,
}

impl Withheld {
    /// Returns the CamelCase reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::FleetGone => "FleetGone",
            Self::FleetUnresolved(_) => "FleetUnresolved",
            Self::Mode => "ModeForbids",
            Self::Suspended => "Suspended",
            Self::Paused(_) => "Paused",
            Self::Aborted => "Aborted",
            Self::Quarantined(_) => "Quarantined",
            Self::Halted(_) => "Halted",
            Self::WindowClosed => "WindowClosed",
            Self::TooLate => "WindowTooShort",
            Self::GateClosed(_) => "GateClosed",
            Self::NotApproved => "NotApproved",
        }
    }
}

impl std::fmt::Display for Withheld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::FleetGone => f.write_str("its fleet is gone"),
            Self::FleetUnresolved(why) => write!(f, "its fleet cannot be resolved: {why}"),
            Self::Mode => f.write_str("the fleet's mode is not Enforce"),
            Self::Suspended => f.write_str("the fleet is suspended"),
            Self::Paused(who) => write!(f, "paused: {who}"),
            Self::Aborted => f.write_str("the run is aborted"),
            Self::Quarantined(what) => write!(f, "the run's status cannot be understood: {what}"),
            Self::Halted(why) => write!(f, "halted: {why}"),
            Self::WindowClosed => f.write_str("no window is open"),
            Self::TooLate => f.write_str("the window closes before it could be finished"),
            Self::GateClosed(gate) => write!(f, "condition {gate} is not true on the run"),
            Self::NotApproved => f.write_str("the policy asks for an approval"),
        }
    }
}

/// How a run's fleet stands.
#[derive(Clone, Copy, Debug)]
pub enum Standing<'a> {
    /// Found, and everything it refers to.
    Ready(&'a Fleet),
    /// Found, but not everything it refers to.
    Unresolved(&'a str),
    /// Not found.
    Gone,
}

/// A time in which a run may command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Span {
    /// Its begin.
    pub start: DateTime<Utc>,
    /// Its end: by then every command must be done.
    pub end: DateTime<Utc>,
}

/// Returns the fleet's windows that serve a stage.
fn windows_of<'a>(fleet: &'a Fleet, stage: &str) -> Vec<NamedWindow<'a>> {
    fleet
        .windows
        .iter()
        .filter(|own| own.stages.is_empty() || own.stages.contains(stage))
        .map(|own| NamedWindow {
            name: &own.name,
            window: &own.window,
        })
        .collect()
}

/// Returns the time from `now` in which an action on a stage may be commanded: the open window,
/// or, for hotpatches at any time, until the next exclusion. A fleet without windows has its
/// exclusions in UTC.
pub fn open_span(
    fleet: &Fleet,
    stage: &str,
    action: Action,
    now: DateTime<Utc>,
) -> Option<(Span, String)> {
    if action == Action::Hotpatch && fleet.hotpatch_when == HotpatchWhen::AnyTime {
        let mut end = now + ANY_TIME_SPAN;
        let mut zones: Vec<Zone> = fleet
            .windows
            .iter()
            .map(|own| own.window.zone().clone())
            .collect();
        if zones.is_empty() {
            zones.push(Zone::utc());
        }
        for zone in &zones {
            for exclusion in &fleet.exclusions {
                let closed = exclusion.closed(zone);
                if closed.contains(now) {
                    return None;
                }
                if closed.start > now {
                    end = end.min(closed.start);
                }
            }
        }
        return Some((Span { start: now, end }, ANY_TIME.to_owned()));
    }
    let windows = windows_of(fleet, stage);
    let all = FleetWindows {
        windows: &windows,
        fleet_exclusions: planted::pick(Bug::IgnoreExclusions, &fleet.exclusions, &[]),
    };
    let open = all.open_at(now)?;
    let name = open.windows.into_iter().next()?;
    Some((
        Span {
            start: open.opening.start,
            end: open.opening.end,
        },
        name,
    ))
}

/// Returns the next time a window of a stage opens after `now`.
pub fn next_span(fleet: &Fleet, stage: &str, now: DateTime<Utc>) -> Option<(Span, String)> {
    let windows = windows_of(fleet, stage);
    let all = FleetWindows {
        windows: &windows,
        fleet_exclusions: planted::pick(Bug::IgnoreExclusions, &fleet.exclusions, &[]),
    };
    let open = all.next(now, 1).into_iter().next()?;
    let name = open.windows.into_iter().next()?;
    Some((
        Span {
            start: open.opening.start,
            end: open.opening.end,
        },
        name,
    ))
}

/// Returns the end of the time in which a run may command, given that of an open window: what it
/// froze cannot grow.
fn within(terms: &Terms, end: DateTime<Utc>) -> DateTime<Utc> {
    planted::pick(Bug::TodaysWindow, end.min(terms.window.end), end)
}

/// Returns what is left free before that end.
fn reserve(terms: &Terms) -> TimeDelta {
    let reserve = terms.estimates.reserve;
    planted::pick(Bug::IgnoreReserve, reserve, TimeDelta::zero())
}

/// Returns the last instant at which a run may still send: later there is not enough time left
/// for what it expects, or for the shortest duration that is ever sent, and the reserve.
pub fn last_start(terms: &Terms, end: DateTime<Utc>) -> DateTime<Utc> {
    let end = within(terms, end);
    planted::pick(
        Bug::PastTheEnd,
        end - terms.estimate() - reserve(terms),
        end,
    )
}

/// Returns the `maximumDuration` of a command sent now: what is left of the time less the reserve,
/// at most [`MAXIMUM_DURATION_CEILING`]; none where that is under [`MAXIMUM_DURATION_FLOOR`].
pub fn maximum_duration(
    terms: &Terms,
    end: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<TimeDelta> {
    let left = within(terms, end) - now - reserve(terms);
    let left = planted::pick(Bug::PastTheEnd, left, MAXIMUM_DURATION_CEILING);
    (left >= MAXIMUM_DURATION_FLOOR).then(|| left.min(MAXIMUM_DURATION_CEILING))
}

/// Returns the end of the time in which a run may command now.
///
/// Guarantees: the result lies within the window the run froze and, at `now`, within an open
/// window of its fleet; there is time for the run's estimate before it.
///
/// # Errors
/// The first [`Withheld`] that stands in the way.
pub fn permission(
    run: &Run,
    standing: Standing<'_>,
    halted: Option<&str>,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, Withheld> {
    let terms = &run.terms;
    let holds_all = |own: &&Progress| {
        planted::is(Bug::OneHoldsAll) && matches!(own.step, Step::NotUnderstood(_))
    };
    let strange = run.progress.values().find(holds_all);
    let strange = strange.map(|own| &own.message);
    if let Some(what) = run.quarantined.as_ref().or(strange) {
        return Err(Withheld::Quarantined(what.clone()));
    }
    let fleet = match standing {
        Standing::Gone => return Err(Withheld::FleetGone),
        Standing::Unresolved(why) => return Err(Withheld::FleetUnresolved(why.to_owned())),
        Standing::Ready(fleet) if fleet.uid != terms.fleet_uid => return Err(Withheld::FleetGone),
        Standing::Ready(fleet) => fleet,
    };
    if is_aborted(run, Some(fleet)) {
        return Err(Withheld::Aborted);
    }
    if fleet.mode != Mode::Enforce && !planted::is(Bug::IgnoreObserve) {
        return Err(Withheld::Mode);
    }
    if fleet.suspended && !planted::is(Bug::IgnoreSuspend) {
        return Err(Withheld::Suspended);
    }
    if let Some(pause) = fleet.pause(terms.release, &terms.stage)
        && !planted::is(Bug::IgnorePause)
    {
        return Err(Withheld::Paused(pause.origin.clone()));
    }
    if !is_approved(fleet, terms.release, &terms.stage, terms.cause) {
        return Err(Withheld::NotApproved);
    }
    if let Some(why) = halted.filter(|_| !planted::is(Bug::IgnoreHalt)) {
        return Err(Withheld::Halted(why.to_owned()));
    }
    if let Some(gate) = terms
        .gates
        .iter()
        .find(|gate| !run.gates_open.contains(&gate.condition))
    {
        return Err(Withheld::GateClosed(gate.condition.clone()));
    }
    let is_over = now >= terms.window.end && !planted::is(Bug::TodaysWindow);
    if now < terms.window.start || is_over {
        return Err(Withheld::WindowClosed);
    }
    let (span, _) =
        open_span(fleet, &terms.stage, terms.action, now).ok_or(Withheld::WindowClosed)?;
    let end = within(terms, span.end);
    if now > last_start(terms, end) || maximum_duration(terms, end, now).is_none() {
        return Err(Withheld::TooLate);
    }
    Ok(end)
}

/// Tells whether a run was aborted: by deletion, by a request, or because its fleet is gone.
pub fn is_aborted(run: &Run, fleet: Option<&Fleet>) -> bool {
    let terms = &run.terms;
    let is_deleted = run.deleted_at.is_some() && !planted::is(Bug::IgnoreDeletion);
    is_deleted
        || fleet.is_none()
        || fleet.is_some_and(|fleet| {
            fleet.uid != terms.fleet_uid
                || fleet
                    .aborts
                    .iter()
                    .any(|word| word.covers(terms.release, &terms.stage))
                    && !planted::is(Bug::IgnoreAbort)
        })
}

#[cfg(test)]
mod tests;
