//! What a pass found, in numbers, for telemetry.

use std::collections::BTreeMap;

use super::act::Deeds;
use super::observe::{Mirrors, Observed};
use crate::api::conditions;
use crate::api::fleet::Mode;
use crate::domain::machine::MachineKind;
use crate::domain::plan::Plan;
use crate::domain::run::{Run, Step};
use crate::domain::track::Track;
use crate::telemetry::Census;
use crate::validate::Found;

/// Counts fleets and their conditions as they are stored, machines as the plan judged them, and
/// runs as the pass left them.
pub(super) fn census(mirrors: &Mirrors, observed: &Observed, plan: &Plan, deeds: &Deeds) -> Census {
    let mut census = Census::default();
    for found in mirrors.fleets.objects().into_values() {
        let Found::Object(fleet) = &found else {
            *census.fleets.entry("Unreadable").or_default() += 1;
            continue;
        };
        *census.fleets.entry(mode(fleet.spec.mode)).or_default() += 1;
        for condition in fleet.status.iter().flat_map(|own| &own.conditions) {
            if let Some(row) = conditions::find("HotpatchFleet", &condition.type_) {
                let status = status(&condition.status);
                *census.conditions.entry((row.name, status)).or_default() += 1;
            }
        }
    }
    for outlook in plan.outlooks.values() {
        let members = outlook.roster.values().filter(|own| own.owner.is_none());
        for member in members {
            let key = (kind(member.machine.kind), track(&member.track));
            *census.machines.entry(key).or_default() += 1;
        }
    }
    for run in runs(observed, deeds)
        .into_values()
        .filter(|own| own.is_open())
    {
        census.runs_open += 1;
        let held = run
            .progress
            .values()
            .filter(|own| own.step == Step::Unknown);
        census.machines_held += i64::try_from(held.count()).unwrap_or(i64::MAX);
    }
    census
}

fn runs<'a>(observed: &'a Observed, deeds: &'a Deeds) -> BTreeMap<(&'a str, &'a str), &'a Run> {
    let domains = observed.snapshot.domains.values();
    let before = domains.flat_map(|domain| domain.runs.values());
    let changed = deeds.runs.iter().map(|(_, after)| after);
    let all = before.chain(changed).chain(&deeds.announced);
    all.map(|run| ((run.fleet.namespace.as_str(), run.name.as_str()), run))
        .collect()
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "Observe",
        Mode::Enrol => "Enrol",
        Mode::Enforce => "Enforce",
    }
}

fn status(status: &str) -> &'static str {
    match status {
        "True" => "True",
        "False" => "False",
        _ => "Unknown",
    }
}

fn kind(kind: MachineKind) -> &'static str {
    match kind {
        MachineKind::AzureVm => "AzureVM",
        MachineKind::ArcServer => "ArcServer",
        MachineKind::AzureLocalVm => "AzureLocalVM",
    }
}

fn track(track: &Track) -> &'static str {
    match track {
        Track::OnTrack { .. } => "OnTrack",
        Track::BaselineDue { .. } => "BaselineDue",
        Track::RebootOwed { .. } => "RebootOwed",
        Track::OffTrack { .. } => "OffTrack",
        Track::NotEnrolled { .. } => "NotEnrolled",
        Track::Ineligible(_) => "Ineligible",
        Track::Regressed(_) => "Regressed",
        Track::Unknown(_) => "Unknown",
    }
}
