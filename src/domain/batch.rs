//! Which machines the next run of a fleet names: availability first.
//!
//! A batch holds one release, one action, one stage, and only machines that may be worked on side
//! by side: one zone of one region, one site, one cluster. Must never ask whether it may act;
//! `permission` and `budget` say so later, command by command.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::due::{Action, Cause, Due, Verdict, WaitReason};
use super::fleet::Fleet;
use super::machine::{MachineId, MachineKind, Placement, ZonePlace};
use super::policy::{GroupRule, Spread};
use super::region::Regions;
use super::release::{Kb, ReleaseId};
use super::roster::{Member, Roster};
use super::run::RUN_MACHINES_MAX;
use super::spread::{Place, apart};

/// A machine that could go next, with what decides its turn.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// The machine.
    pub member: &'a Member,
    /// What is due on it.
    pub due: &'a Due,
    /// The place of its stage.
    pub stage: usize,
}

/// What decides who goes first: stage, overdue, reboot owed, failure domain, order within its
/// group, name.
type Turn<'a> = (
    usize,
    Reverse<bool>,
    Reverse<bool>,
    DomainKey<'a>,
    GroupOrder,
    &'a MachineId,
);

/// The failure domain of a machine, in the order in which domains are worked through.
pub type DomainKey<'a> = (&'a str, &'a str, u32, &'a str, &'a str);

/// The order of a machine within its group: numbers first, by value; then other words; last those
/// without the tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupOrder {
    /// A number.
    Number(u64),
    /// Another word.
    Word(String),
    /// None.
    Last,
}

/// Returns the key of the failure domain in which a machine stands.
pub fn domain_key(kind: MachineKind, placement: &Placement) -> DomainKey<'_> {
    if kind != MachineKind::AzureVm {
        let site = placement.site.as_deref().unwrap_or("");
        return ("", site, 0, placement.cluster.as_deref().unwrap_or(""), "");
    }
    let zone = match &placement.zone {
        ZonePlace::Physical(zone) => zone.as_str(),
        ZonePlace::Regional => "",
        ZonePlace::Unknown => "?",
    };
    let (set, domain) = placement.availability_set.as_ref().map_or(("", 0), |set| {
        (set.id.as_str(), set.update_domain.map_or(0, |own| own + 1))
    });
    (placement.region.as_str(), zone, domain, set, "")
}

/// Returns the order of a machine within its groups: the lowest that any group rule gives it.
pub fn group_order(fleet: &Fleet, member: &Member) -> GroupOrder {
    fleet
        .policy
        .groups
        .iter()
        .filter(|rule| member.machine.tags.get(&rule.tag).is_some())
        .map(|rule| order_in(rule, member))
        .min()
        .unwrap_or(GroupOrder::Last)
}

/// Returns the order of a machine within one of its groups.
fn order_in(rule: &GroupRule, member: &Member) -> GroupOrder {
    let word = rule
        .order_tag
        .as_ref()
        .and_then(|tag| member.machine.tags.get(tag));
    word.map_or(GroupOrder::Last, |word| {
        word.trim()
            .parse()
            .map_or_else(|_| GroupOrder::Word(word.into()), GroupOrder::Number)
    })
}

fn turn<'a>(fleet: &Fleet, candidate: &Candidate<'a>, now: DateTime<Utc>) -> Turn<'a> {
    let machine = &candidate.member.machine;
    (
        candidate.stage,
        Reverse(now >= candidate.due.deadline),
        Reverse(candidate.due.cause == Cause::RebootOwed),
        domain_key(machine.kind, &machine.placement),
        group_order(fleet, candidate.member),
        &machine.id,
    )
}

/// Sorts candidates by whose turn it is.
pub fn in_turn(fleet: &Fleet, candidates: &mut [Candidate<'_>], now: DateTime<Utc>) {
    candidates.sort_by_cached_key(|candidate| {
        let turn = turn(fleet, candidate, now);
        (
            turn.0,
            turn.1,
            turn.2,
            OwnedKey::from(turn.3),
            turn.4,
            turn.5.clone(),
        )
    });
}

type OwnedDomain = (String, String, u32, String, String);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct OwnedKey(OwnedDomain);

impl From<DomainKey<'_>> for OwnedKey {
    fn from((a, b, c, d, e): DomainKey<'_>) -> Self {
        Self((a.into(), b.into(), c, d.into(), e.into()))
    }
}

/// A batch: what one run will do, on which machines.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    /// The release.
    pub release: ReleaseId,
    /// What is done.
    pub action: Action,
    /// Why.
    pub cause: Cause,
    /// The KBs that may be installed.
    pub kbs: BTreeSet<Kb>,
    /// The stage's place.
    pub stage: usize,
    /// The machines in turn.
    pub members: Vec<&'a Member>,
}

/// Returns the next batch of candidates that are sorted by [`in_turn`]: the first one leads, and
/// all that share its release, action, cause, KBs and stage and need not be kept apart from any
/// machine of the batch, as the pairs of `regions` are, join it, up to `size`.
pub fn batch<'a>(
    candidates: &[Candidate<'a>],
    spread: Spread,
    size: usize,
    regions: &Regions,
) -> Option<Batch<'a>> {
    let lead = candidates.first()?;
    let mut members: Vec<&Member> = Vec::new();
    // One machine of each failure domain stands for all of it, so the check stays short.
    let mut domains: BTreeMap<DomainKey<'_>, Vec<Place<'_>>> = BTreeMap::new();
    for candidate in candidates {
        if members.len() >= size.min(RUN_MACHINES_MAX) {
            break;
        }
        let same_work = candidate.due.release == lead.due.release
            && candidate.due.action == lead.due.action
            && candidate.due.cause == lead.due.cause
            && candidate.due.kbs == lead.due.kbs
            && candidate.stage == lead.stage;
        if !same_work {
            continue;
        }
        let machine = &candidate.member.machine;
        let place = Place::of(machine);
        let key = domain_key(machine.kind, &machine.placement);
        let fits = domains
            .values()
            .flatten()
            .all(|other| apart(place, *other, spread, regions).is_none());
        if fits {
            let known = domains.entry(key).or_default();
            // Members of a Flexible set share a key and differ by fault domain.
            if known.is_empty() || machine.placement.flexible_scale_set.is_some() {
                known.push(place);
            }
            members.push(candidate.member);
        }
    }
    Some(Batch {
        release: lead.due.release,
        action: lead.due.action,
        cause: lead.due.cause,
        kbs: lead.due.kbs.clone(),
        stage: lead.stage,
        members,
    })
}

/// Returns the member of one of a machine's ordered groups that must be done before it: one with
/// a lower order that is being worked on, or on which the same release is due, or may be for all
/// that is known, and which may go.
pub fn waits_for<'a>(
    fleet: &Fleet,
    member: &Member,
    release: ReleaseId,
    roster: &'a Roster,
    may_go: impl Fn(&Member) -> bool,
    is_worked_on: impl Fn(&Member) -> bool,
) -> Option<&'a Member> {
    let is_open = |other: &Member| match &other.verdict {
        Verdict::Due(due) => due.release == release,
        Verdict::Wait(wait) => {
            let lost = [WaitReason::FactsMissing, WaitReason::InstallInProgress];
            wait.reason.assessing_may_help() || lost.contains(&wait.reason)
        }
        Verdict::Current { .. } => false,
    };
    fleet
        .policy
        .groups
        .iter()
        .filter(|rule| rule.order_tag.is_some())
        .find_map(|rule| {
            let value = member.machine.tags.get(&rule.tag)?;
            let own = order_in(rule, member);
            roster.values().find(|other| {
                other.machine.id != member.machine.id
                    && other.machine.tags.get(&rule.tag) == Some(value)
                    && other.stage == member.stage
                    && order_in(rule, other) < own
                    && (is_worked_on(other) || (is_open(other) && may_go(other)))
            })
        })
}

#[cfg(test)]
mod tests;
