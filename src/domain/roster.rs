//! The machines of one fleet, each judged once per pass: its stage, its blockers, its track, what
//! it needs, and whether the fleet may act on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::due::{Cause, CurrentBy, Due, DueRules, UnplannedRule, Verdict, verdict};
use super::eligibility::{Blocker, blockers};
use super::fleet::{Fleet, FleetKey, Mode, Wants};
use super::machine::{Health, Machine, MachineId};
use super::release::{Catalogue, OsTrack, ReleaseId};
use super::rollout::is_approved;
use super::run::Run;
use super::snapshot::{ARC_SILENT_AFTER, Domain, FleetView, Inventory, Snapshot};
use super::track::{OffTrackCause, Track, os_track, track};

/// One machine of a fleet.
#[derive(Clone, Debug, Serialize)]
pub struct Member {
    /// The machine.
    pub machine: Arc<Machine>,
    /// Its place in the policy's stages; none if no stage takes it.
    pub stage: Option<usize>,
    /// Its operating system's release track; none if it has none.
    pub os_track: Option<OsTrack>,
    /// Everything that keeps it from being hotpatched.
    pub blockers: Vec<Blocker>,
    /// Where it stands on the hotpatch track.
    pub track: Track,
    /// What it needs.
    pub verdict: Verdict,
    /// Why its owner left it out, if he did.
    pub excluded: Option<String>,
    /// Whether its owner let it sleep.
    pub dormant: bool,
    /// The fleet that may act on it, if that is another one.
    pub owner: Option<FleetKey>,
}

impl Member {
    /// Returns what is due on it, if anything is.
    pub fn due(&self) -> Option<&Due> {
        match &self.verdict {
            Verdict::Due(due) => Some(due),
            _ => None,
        }
    }

    /// Tells whether the fleet may act on it at all.
    pub fn is_actionable(&self) -> bool {
        !self.dormant
            && self.excluded.is_none()
            && self.owner.is_none()
            && self.blockers.is_empty()
            && self.stage.is_some()
    }

    /// Tells whether its failures count for its fleet: also while it sleeps, and while something
    /// about it cannot be read, which undoes no failure.
    pub fn is_accountable(&self) -> bool {
        let is_fit = |own: &Blocker| own.reason.is_unknown();
        self.excluded.is_none() && self.owner.is_none() && self.blockers.iter().all(is_fit)
    }

    /// Tells whether it is off the track and nothing that Azure shows explains it.
    pub fn is_off_for_no_reason(&self) -> bool {
        use OffTrackCause::{Unexplained, Unproven};
        let Track::OffTrack { cause, .. } = &self.track else {
            return false;
        };
        matches!(cause, Unexplained | Unproven)
    }

    /// Tells whether it counts as unavailable by itself.
    pub fn is_down(&self) -> bool {
        !self.dormant && self.machine.health != Health::Healthy
    }

    /// Tells since when it has a release by its own record: none if it does not have it, or
    /// nobody knows since when.
    pub fn has_release_since(&self, release: ReleaseId) -> Option<DateTime<Utc>> {
        match &self.verdict {
            Verdict::Current {
                release: own,
                since,
                evidence: CurrentBy::Record,
            } if *own == release => *since,
            _ => None,
        }
    }
}

/// The machines of a fleet.
pub type Roster = BTreeMap<MachineId, Member>;

/// Returns which fleet may act on each machine that more than nobody wants: of the fleets in
/// Enforce whose own spec is understood, the oldest, then the first by name. A machine that an open
/// run names stays with that run's fleet, first of all with the run that commands or holds it.
///
/// What cannot be read allows nothing: a fleet keeps the machines that it may want while what it
/// refers to is missing and while its inventory cannot be read. One whose identity Azure refuses
/// has no right to install, and so no claim on a machine that no run of it names.
pub fn owners(snapshot: &Snapshot, now: DateTime<Utc>) -> BTreeMap<MachineId, FleetKey> {
    let mut owners = BTreeMap::new();
    let open = || {
        let domains = snapshot.domains.values();
        domains.flat_map(|own| own.runs.values().filter(|run| run.is_open()))
    };
    for engaged in [true, false] {
        for run in open() {
            for (id, progress) in &run.progress {
                if !progress.step.is_final() && progress.step.is_engaged() == engaged {
                    owners
                        .entry(id.clone())
                        .or_insert_with(|| run.fleet.clone());
                }
            }
        }
    }
    let mut rivals: Vec<(&FleetView, &Wants, &Domain)> = snapshot
        .domains
        .values()
        .flat_map(|domain| domain.fleets.iter().map(move |view| (view, domain)))
        .filter_map(|(view, domain)| Some((view, view.wants.as_ref()?, domain)))
        .filter(|(_, wants, domain)| domain.gone(&wants.service_account).is_none())
        .filter(|(_, wants, _)| wants.mode == Mode::Enforce)
        .collect();
    rivals.sort_by(|(a, ..), (b, ..)| (a.created_at, &a.key).cmp(&(b.created_at, &b.key)));
    for (view, wants, domain) in rivals {
        let mut take = |machine: &Machine| {
            owners
                .entry(machine.id.clone())
                .or_insert_with(|| view.key.clone());
        };
        let own = domain.seen_by(&wants.service_account).into_iter();
        let own = own.flat_map(|inventory| inventory.machines.values());
        own.filter(|machine| wants.selector.matches(machine))
            .for_each(|machine| take(machine));
        if domain.fresh(&wants.service_account, now).is_none() {
            let seen = snapshot.domains.values().flat_map(|own| &own.inventory);
            seen.flat_map(|inventory| inventory.machines.values())
                .filter(|own| wants.scope.may_hold(&own.id) && wants.selector.matches(own))
                .for_each(|machine| take(machine));
        }
    }
    owners
}

/// Returns the rules by which a fleet judges what is due.
pub fn due_rules(fleet: &Fleet) -> DueRules {
    DueRules {
        deadline_days: fleet.policy.deadline_days,
        late_baseline: fleet.policy.late_baseline,
        off_track: fleet.policy.off_track,
        unplanned: fleet.policy.unplanned,
        installer: fleet.installer,
    }
}

/// Returns the rule for unplanned baselines on a machine: that of the policy, unless its latest
/// release is approved for its stage.
fn unplanned(
    fleet: &Fleet,
    machine: &Machine,
    catalogue: &Catalogue,
    now: DateTime<Utc>,
) -> UnplannedRule {
    let latest = os_track(machine).and_then(|own| catalogue.latest_effective(own, now));
    let stage = fleet.policy.stage_of(&machine.tags);
    match latest.zip(stage) {
        Some((release, (_, stage)))
            if is_approved(fleet, release.id, &stage.name, Cause::Unplanned) =>
        {
            UnplannedRule::NextWindow
        }
        _ => fleet.policy.unplanned,
    }
}

/// Judges every machine of a fleet.
pub fn roster(
    fleet: &Fleet,
    inventory: &Inventory,
    owners: &BTreeMap<MachineId, FleetKey>,
    catalogue: &Catalogue,
    now: DateTime<Utc>,
) -> Roster {
    let rules = due_rules(fleet);
    inventory
        .machines
        .values()
        .filter(|machine| fleet.selector.matches(machine))
        .map(|machine| {
            let blockers = blockers(machine);
            let track = track(machine, &blockers, catalogue, now);
            let rules = DueRules {
                unplanned: unplanned(fleet, machine, catalogue, now),
                ..rules
            };
            let verdict = verdict(machine, &track, &rules, catalogue, now);
            let member = Member {
                stage: fleet.policy.stage_of(&machine.tags).map(|(place, _)| place),
                os_track: os_track(machine),
                blockers,
                track,
                verdict,
                excluded: fleet
                    .selector
                    .exclusion(&machine.id, now)
                    .map(|excluded| excluded.reason.clone()),
                dormant: machine.is_dormant(now, ARC_SILENT_AFTER),
                owner: owners
                    .get(&machine.id)
                    .filter(|owner| **owner != fleet.key)
                    .cloned(),
                machine: Arc::clone(machine),
            };
            (machine.id.clone(), member)
        })
        .collect()
}

/// Returns the commands that may have been accepted for a release by this incarnation of a
/// machine, over all runs of a domain.
pub fn attempts(domain: &Domain, member: &Machine, release: ReleaseId) -> u32 {
    runs_of(domain, &member.id, release)
        .filter(|run| {
            run.terms
                .machines
                .get(&member.id)
                .is_some_and(|own| own.incarnation == member.incarnation)
        })
        .filter_map(|run| run.progress.get(&member.id))
        .map(|progress| progress.attempts)
        .sum()
}

/// Returns the runs of a release that name a machine.
pub fn runs_of<'a>(
    domain: &'a Domain,
    machine: &MachineId,
    release: ReleaseId,
) -> impl Iterator<Item = &'a Run> {
    let naming = domain.runs.naming(machine);
    naming.filter(move |run| run.terms.release == release)
}

/// Returns the machines that a run which still moves or holds names.
pub fn in_open_runs(domain: &Domain) -> BTreeSet<MachineId> {
    domain
        .runs
        .values()
        .filter(|run| run.is_open())
        .flat_map(|run| run.progress.iter())
        .filter(|(_, progress)| !progress.step.is_final())
        .map(|(id, _)| id.clone())
        .chain(domain.held.keys().cloned())
        .collect()
}

#[cfg(test)]
mod tests;
