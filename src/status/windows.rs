//! What the windows of a fleet allow: WindowOpen, Feasible, and the next opening.

use chrono::{DateTime, Utc};

use super::picture::{Judged, Picture};
use super::told::Told;
use super::{FleetInput, text};
use crate::api::window::Opening;
use crate::domain::due::Action;
use crate::domain::fleet::{Fleet, HotpatchWhen};
use crate::domain::permission::{next_span, open_span};
use crate::domain::policy::Limit;
use crate::domain::window::{FleetOpening, FleetWindows, HORIZON_DAYS, NamedWindow, WindowSpec};

/// Tells whether an action on a fleet waits for its windows.
pub(super) fn needs_window(fleet: &Fleet, action: Action) -> bool {
    action.is_disruptive() || fleet.hotpatch_when == HotpatchWhen::InWindow
}

fn named(fleet: &Fleet) -> Vec<NamedWindow<'_>> {
    fleet
        .windows
        .iter()
        .map(|own| NamedWindow {
            name: &own.name,
            window: &own.window,
        })
        .collect()
}

fn current_or_next(fleet: &Fleet, now: DateTime<Utc>) -> Option<FleetOpening> {
    let windows = named(fleet);
    let all = FleetWindows {
        windows: &windows,
        fleet_exclusions: &fleet.exclusions,
    };
    all.open_at(now)
        .or_else(|| all.next(now, 1).into_iter().next())
}

/// Returns the present or next opening of any window of the fleet.
pub(super) fn next_opening(fleet: &Fleet, now: DateTime<Utc>) -> Option<Opening> {
    let found = current_or_next(fleet, now)?.opening;
    Some(Opening {
        start: found.start,
        end: found.end,
    })
}

/// Sets `WindowOpen` and `Feasible`.
pub(super) fn tell(
    input: &FleetInput<'_>,
    picture: Option<&Picture<'_>>,
    told: &mut Told<'_>,
    now: DateTime<Utc>,
) {
    let Ok(fleet) = &input.view.fleet else {
        let text = "The windows are not looked at while the fleet is not understood.";
        told.say("WindowOpen", "Unknown", "Unreadable", text);
        told.say("Feasible", "Unknown", "NotForecast", text);
        return;
    };
    let opening = current_or_next(fleet, now);
    tell_open(fleet, opening.as_ref(), told, now);
    tell_feasible(fleet, opening.is_some(), picture, told, now);
}

fn tell_open(
    fleet: &Fleet,
    opening: Option<&FleetOpening>,
    told: &mut Told<'_>,
    now: DateTime<Utc>,
) {
    const NAME: &str = "WindowOpen";
    if fleet.windows.is_empty() {
        let text = "spec.windowRefs is empty: nothing is ever rebooted.";
        told.say(NAME, "False", "NoWindow", text);
        return;
    }
    let Some(found) = opening else {
        let text = format!("No window opens in the next {HORIZON_DAYS} days.");
        told.say(NAME, "False", "NeverOpens", text);
        return;
    };
    let names: Vec<&str> = found.windows.iter().map(String::as_str).collect();
    let names = text::names(&names);
    if found.opening.contains(now) {
        let text = format!(
            "Window {names} is open until {}.",
            text::at(found.opening.end)
        );
        told.say(NAME, "True", "Open", text);
        return;
    }
    let next = format!(
        "The next opening is of {names}, {}.",
        text::at(found.opening.start)
    );
    match excluded(fleet, now) {
        Some(why) => told.say(NAME, "False", "Excluded", format!("{why}. {next}")),
        None => told.say(NAME, "False", "Closed", next),
    }
}

/// Returns which exclusion closes a window that would be open.
fn excluded(fleet: &Fleet, now: DateTime<Utc>) -> Option<String> {
    fleet.windows.iter().find_map(|own| {
        own.window.without_exclusions().open_at(now)?;
        let zone = own.window.zone();
        let of_fleet = fleet
            .exclusions
            .iter()
            .map(|exclusion| ("the fleet", exclusion));
        let of_window = own
            .window
            .exclusions()
            .iter()
            .map(|exclusion| ("the window", exclusion));
        let (whose, exclusion) = of_fleet
            .chain(of_window)
            .find(|(_, exclusion)| exclusion.closed(zone).contains(now))?;
        Some(format!(
            "Exclusion {} of {whose} closes window {}",
            exclusion.name(),
            own.name
        ))
    })
}

fn tell_feasible(
    fleet: &Fleet,
    opens: bool,
    picture: Option<&Picture<'_>>,
    told: &mut Told<'_>,
    now: DateTime<Utc>,
) {
    const NAME: &str = "Feasible";
    let due: Vec<&Judged<'_>> = picture.map(|own| own.due().collect()).unwrap_or_default();
    if let Some((reason, text)) = infeasible(fleet, opens, &due, now) {
        told.say(NAME, "False", reason, text);
        return;
    }
    let text = "Nothing speaks against it so far; a forecast was not made.";
    told.say(NAME, "Unknown", "NotForecast", text);
}

/// Says what surely keeps due machines from being reached in time.
fn infeasible(
    fleet: &Fleet,
    opens: bool,
    due: &[&Judged<'_>],
    now: DateTime<Utc>,
) -> Option<(&'static str, String)> {
    let overdue = due.iter().filter(|own| own.is_overdue(now)).count();
    if overdue > 0 {
        let text = format!("{} past the deadline already.", text::machines(overdue));
        return Some(("DeadlinePassed", text));
    }
    if !opens {
        let text = format!(
            "No window opens in the next {HORIZON_DAYS} days: no baseline can be installed; add a \
             MaintenanceWindow to spec.windowRefs."
        );
        return Some(("NoWindowInTime", text));
    }
    due.iter().find_map(|own| {
        let (what, stage) = (own.member.due()?, own.member.stage?);
        let stage = fleet.policy.stages.get(stage)?;
        if stage.max_unavailable == Limit::Count(0) {
            let text = format!("Stage {} allows no machine to be unavailable.", stage.name);
            return Some(("BudgetNothing", text));
        }
        let nothing = fleet.policy.groups.iter().find(|rule| {
            rule.max_unavailable == Limit::Count(0)
                && own.member.machine.tags.get(&rule.tag).is_some()
        });
        if let Some(rule) = nothing {
            let text = format!(
                "Group tag {} allows no machine to be unavailable.",
                rule.tag
            );
            return Some(("BudgetNothing", text));
        }
        if !needs_window(fleet, what.action)
            || open_span(fleet, &stage.name, what.action, now).is_some()
        {
            return None;
        }
        let text = match next_span(fleet, &stage.name, now) {
            None => format!("No window of stage {} opens again.", stage.name),
            Some((span, window)) if span.start >= what.deadline => format!(
                "Stage {}: window {window} opens {}, after the deadline {} of {}.",
                stage.name,
                text::at(span.start),
                text::at(what.deadline),
                what.release
            ),
            Some(_) => return None,
        };
        Some(("NoWindowInTime", text))
    })
}

/// Returns the present opening of one window, and its next ones.
pub(super) fn openings(
    spec: &WindowSpec,
    now: DateTime<Utc>,
    count: usize,
) -> (Option<Opening>, Vec<Opening>) {
    let shown = |own: crate::domain::window::Opening| Opening {
        start: own.start,
        end: own.end,
    };
    (
        spec.open_at(now).map(shown),
        spec.next(now, count).into_iter().map(shown).collect(),
    )
}
