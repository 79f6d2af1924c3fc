//! Writes patch settings and asks for assessments.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::Deeds;
use crate::controller::Shell;
use crate::controller::observe::Observed;
use crate::domain::machine::{MachineId, MachineKind};
use crate::domain::plan::{Note, Plan};
use crate::record::request_id;

/// How long a machine's settings are left to settle after a change: Azure Arc takes about ten
/// minutes to read a change back (windowsserverdocs, enable-hotpatch-azure-arc-enabled-servers;
/// azure.md §2).
const CHANGE_REST: TimeDelta = TimeDelta::minutes(20);

/// How long an assessment may take to show before another one is asked for.
const ASSESSMENT_REST: TimeDelta = TimeDelta::hours(6);

/// What was asked of machines lately. It can be lost: a change is written as a difference, and one
/// assessment more does no harm.
#[derive(Default)]
pub struct Rests {
    changed: BTreeMap<MachineId, DateTime<Utc>>,
    assessed: BTreeMap<MachineId, DateTime<Utc>>,
}

fn kind_of(observed: &Observed, namespace: &str, id: &MachineId) -> Option<MachineKind> {
    let domain = observed.snapshot.domains.get(namespace)?;
    Some(domain.inventory.as_ref().ok()?.machines.get(id)?.kind)
}

/// Writes the settings that a plan changes.
pub(super) async fn change(
    shell: &Shell,
    observed: &Observed,
    plan: &Plan,
    rests: &mut Rests,
    deeds: &mut Deeds,
) {
    let now = shell.clock.now();
    rests.changed.retain(|_, at| now - *at < CHANGE_REST);
    for (fleet, change) in &plan.changes {
        let id = &change.machine;
        let Some(cloud) = observed.clouds.get(&fleet.namespace) else {
            continue;
        };
        let Some(kind) = kind_of(observed, &fleet.namespace, id) else {
            continue;
        };
        if rests.changed.contains_key(id) {
            continue;
        }
        rests.changed.insert(id.clone(), now);
        let changed = cloud.change(change, kind).await;
        let outcome = if changed.is_ok() {
            "accepted"
        } else {
            "failed"
        };
        shell.telemetry.command("settings", outcome);
        if let Err(error) = changed {
            tracing::warn!(machine = %id, %error, "the settings could not be changed");
            let note = Note {
                reason: "SettingsNotWritten".to_owned(),
                message: error.to_string(),
            };
            deeds
                .notes
                .insert((fleet.namespace.clone(), id.clone()), note);
        } else {
            tracing::info!(machine = %id, fleet = %fleet, "settings changed");
        }
    }
}

/// Asks for the assessments of a plan.
pub(super) async fn assess(
    shell: &Shell,
    observed: &Observed,
    plan: &Plan,
    rests: &mut Rests,
    deeds: &mut Deeds,
) {
    let now = shell.clock.now();
    rests.assessed.retain(|_, at| now - *at < ASSESSMENT_REST);
    for (fleet, id) in &plan.assessments {
        let Some(cloud) = observed.clouds.get(&fleet.namespace) else {
            continue;
        };
        let Some(kind) = kind_of(observed, &fleet.namespace, id) else {
            continue;
        };
        if rests.assessed.contains_key(id) {
            continue;
        }
        rests.assessed.insert(id.clone(), now);
        let minute = u32::try_from(now.timestamp() / 60).unwrap_or_default();
        let request = request_id(&fleet.to_string(), id, minute, 0);
        let asked = cloud.assess(id, kind, request).await;
        let outcome = if asked.is_ok() { "accepted" } else { "failed" };
        shell.telemetry.command("assess", outcome);
        if let Err(error) = asked {
            tracing::info!(machine = %id, %error, "the assessment could not be asked for");
            let note = Note {
                reason: "NotAssessed".to_owned(),
                message: error.to_string(),
            };
            deeds
                .notes
                .insert((fleet.namespace.clone(), id.clone()), note);
        }
    }
}
