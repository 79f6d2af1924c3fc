//! What happens to machines on which something is due, told by what they have in common.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::when;
use crate::domain::due::Action;
use crate::domain::fleet::Mode;
use crate::domain::permission::{ANY_TIME, next_span, open_span};
use crate::domain::release::ReleaseId;
use crate::domain::window::HORIZON_DAYS;
use crate::status::hindrance::{WaitsFor, waits_for};
use crate::status::picture::{Judged, Picture};
use crate::status::text;

/// What several due machines have in common: reason, stage, release, action.
type Group = (usize, ReleaseId, Action);

/// Reasons by how soon they lead to an action, the soonest first.
const SOONEST: [&str; 10] = [
    "Due",
    "AwaitsRun",
    "KeptApart",
    "AwaitsWindow",
    "Soaking",
    "NotApproved",
    "NoWindow",
    "Unhealthy",
    "AwaitsRetry",
    "Paused",
];

/// Says what happens to machines on which something is due.
pub(super) fn by_due(picture: &Picture<'_>) -> Option<String> {
    let mut groups: BTreeMap<String, BTreeMap<Group, Vec<&Judged<'_>>>> = BTreeMap::new();
    for own in picture.due().filter(|own| own.step.is_none()) {
        let (Some(due), Some(stage)) = (own.member.due(), own.member.stage) else {
            continue;
        };
        let reason = own.reason().to_owned();
        groups
            .entry(reason)
            .or_default()
            .entry((stage, due.release, due.action))
            .or_default()
            .push(own);
    }
    if picture.fleet.mode != Mode::Enforce {
        let due: usize = groups
            .values()
            .flat_map(BTreeMap::values)
            .map(Vec::len)
            .sum();
        return (due > 0).then(|| {
            let due = text::machines(due);
            format!(
                "Nothing is installed in mode {:?}; due: {due}.",
                picture.fleet.mode
            )
        });
    }
    let sentences = groups
        .iter()
        .flat_map(|(reason, groups)| {
            groups
                .iter()
                .map(move |(group, members)| (reason, group, members))
        })
        .filter_map(|(reason, group, members)| {
            let (at, sentence) = sentence(picture, reason, *group, members)?;
            Some((rank(reason), at, sentence))
        });
    let first = sentences.min_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    first
        .map(|(_, _, sentence)| sentence)
        .or_else(|| unreachable_due(picture))
}

fn rank(reason: &str) -> usize {
    SOONEST
        .iter()
        .position(|known| *known == reason)
        .unwrap_or(SOONEST.len())
}

/// Says what comes for one group of due machines, and when.
fn sentence(
    picture: &Picture<'_>,
    reason: &str,
    (stage, release, action): Group,
    members: &[&Judged<'_>],
) -> Option<(Option<DateTime<Utc>>, String)> {
    let fleet = picture.fleet;
    let stage = &fleet.policy.stages.get(stage)?.name;
    let count = text::machines(members.len());
    let what = format!("{stage} of {release} on {count}");
    let told = match reason {
        "Due" | "AwaitsRun" | "KeptApart" => {
            let window = open_span(fleet, stage, action, picture.now);
            let place = match &window {
                Some((_, name)) if name == ANY_TIME => " now".to_owned(),
                Some((_, name)) => format!(" in window {name}"),
                None => String::new(),
            };
            (None, format!("Next: {what}{place}."))
        }
        "AwaitsWindow" => {
            let (span, window) = next_span(fleet, stage, picture.now)?;
            let when = when(&window, span.start, picture.now);
            (Some(span.start), format!("Next: {what} {when}."))
        }
        "Soaking" => {
            let (before, until) = picture.soak_before(release, stage)?;
            let opens = picture
                .opens(release, stage, action)
                .filter(|at| *at > until);
            let then = opens.map_or_else(String::new, |at| {
                format!(", in the window that opens {}", text::at(at))
            });
            let until_text = text::at(until);
            let text = format!("Next: {what} after stage {before} has soaked, {until_text}{then}.");
            (Some(until), text)
        }
        "NotApproved" => (
            None,
            format!(
                "Waits for an approval: {what}; add it to spec.approvals or send a \
                 HotpatchRequest with verb Approve."
            ),
        ),
        "NoWindow" => (
            None,
            format!(
                "Waits for a window: none of stage {stage} opens in the next {HORIZON_DAYS} \
                 days; {release} is due on {count}. Add a MaintenanceWindow to spec.windowRefs."
            ),
        ),
        // It follows whatever its earlier stage waits for.
        "AwaitsStage" => return None,
        other => {
            let why = members
                .first()
                .and_then(|own| own.note)
                .map_or("", |note| &note.message);
            let whom = match waits_for(other) {
                WaitsFor::Person => "Waits for a person",
                WaitsFor::Nobody | WaitsFor::Word => "Waits",
            };
            (None, format!("{whom}: {what}: {why}."))
        }
    };
    Some(told)
}

/// Says why due machines that the fleet may not act on, or whose stage waits, stay as they are.
fn unreachable_due(picture: &Picture<'_>) -> Option<String> {
    let due: Vec<&Judged<'_>> = picture
        .machines
        .iter()
        .filter(|own| own.member.due().is_some() && own.step.is_none())
        .collect();
    let lead = due.first()?;
    let why = lead.note.map_or("", |note| note.message.as_str());
    Some(format!(
        "Nothing can start: {} due; {}: {why}.",
        text::machines(due.len()),
        lead.reason()
    ))
}
