//! How a fleet may be rebooted: stages, limits, spread, health, failures, approval.
//!
//! Holds the rules as valid values. Must never look at machines or at the time.

use std::fmt;
use std::num::NonZeroU8;

use chrono::TimeDelta;
use serde::Serialize;

use super::due::{LateBaseline, OffTrackRule, UnplannedRule};
use super::machine::Tags;
use crate::planted::{self, Bug};

/// A number of machines, or a share of a set of machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Limit {
    /// So many. Nought allows nothing.
    Count(u32),
    /// A share of 1 to 100 percent.
    Percent(NonZeroU8),
}

impl Limit {
    /// Returns how many of a set of `members` the limit allows: percentages round down, but never
    /// to nought, so that a share of a small set still lets one machine through.
    pub fn of(self, members: usize) -> u32 {
        let members = u32::try_from(members).unwrap_or(u32::MAX);
        match self {
            Self::Count(count) => count,
            Self::Percent(_) if members == 0 => 0,
            Self::Percent(share) => {
                let rest = planted::pick(Bug::PercentUp, 0, 99);
                let part = (u64::from(members) * u64::from(share.get()) + rest) / 100;
                u32::try_from(part).unwrap_or(u32::MAX).max(1)
            }
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(share) => write!(f, "{share}%"),
        }
    }
}

/// One requirement on a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum TagRule {
    /// The tag is there with this value.
    Equals(String, String),
    /// The tag is there with one of these values.
    In(String, Vec<String>),
    /// The tag is missing or has none of these values.
    NotIn(String, Vec<String>),
    /// The tag is there.
    Exists(String),
    /// The tag is missing.
    Absent(String),
}

/// Chooses machines by their tags; no rules choose every machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TagSelector(pub Vec<TagRule>);

impl TagSelector {
    /// Tells whether tags meet every rule.
    pub fn matches(&self, tags: &Tags) -> bool {
        self.0.iter().all(|rule| match rule {
            TagRule::Equals(name, value) => tags.get(name) == Some(value),
            TagRule::In(name, values) => tags
                .get(name)
                .is_some_and(|own| values.iter().any(|value| value == own)),
            TagRule::NotIn(name, values) => !tags
                .get(name)
                .is_some_and(|own| values.iter().any(|value| value == own)),
            TagRule::Exists(name) => tags.get(name).is_some(),
            TagRule::Absent(name) => tags.get(name).is_none(),
        })
    }
}

/// One stage of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// Its name, unique in the policy.
    pub name: String,
    /// The machines in it; the first stage that matches takes a machine.
    pub selector: TagSelector,
    /// How many of its machines may be unavailable at once.
    pub max_unavailable: Limit,
    /// How long the next stage waits after the last success here.
    pub soak: TimeDelta,
    /// How many machines must have succeeded before the next stage starts.
    pub min_succeeded: u32,
    /// Whether a stage with no machines, or unproven, may be passed over.
    pub optional: bool,
}

/// Which failure domains keep machines apart: no two of the same kind of domain are ever worked
/// on at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Spread {
    /// Geo-paired regions.
    pub geo_pair: bool,
    /// Regions.
    pub region: bool,
    /// Physical zones of a region.
    pub zone: bool,
    /// Update domains of an availability set; fault domains of a Flexible scale set.
    pub availability_set: bool,
    /// Sites of Arc machines.
    pub site: bool,
    /// Azure Local clusters.
    pub cluster: bool,
}

impl Spread {
    /// All domains: the default.
    pub const ALL: Self = Self {
        geo_pair: true,
        region: true,
        zone: true,
        availability_set: true,
        site: true,
        cluster: true,
    };

    /// Returns the spread that keeps apart whatever either keeps apart.
    pub fn stricter(self, other: Self) -> Self {
        Self {
            geo_pair: self.geo_pair || other.geo_pair,
            region: self.region || other.region,
            zone: self.zone || other.zone,
            availability_set: self.availability_set || other.availability_set,
            site: self.site || other.site,
            cluster: self.cluster || other.cluster,
        }
    }
}

/// A limit for each group of machines that share the value of a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupRule {
    /// The tag whose value names the group.
    pub tag: String,
    /// How many of a group may be unavailable at once.
    pub max_unavailable: Limit,
    /// The tag that orders the members: lower goes first and must be done before the next.
    pub order_tag: Option<String>,
}

/// What counts as healthy after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct HealthRule {
    /// How long a machine must have been up before it is judged.
    pub settle: TimeDelta,
    /// How long a machine may stay unjudged before it is held as unknown.
    pub unknown_after: TimeDelta,
}

/// A condition that other controllers set on a run before it may act.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RunGate {
    /// The condition's type.
    pub condition: String,
    /// How long before its window a run is announced, so that others can prepare.
    pub announce_before: TimeDelta,
}

/// How many failures a rollout bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FailureRule {
    /// More failed machines than this halt the stage.
    pub max: Limit,
    /// Whether they are counted over the whole release instead of the stage.
    pub per_release: bool,
    /// How often a failed machine is tried again, each time in a later window.
    pub retries: u32,
}

/// Whose word a rollout needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum ApprovalRule {
    /// Nobody's.
    Never,
    /// One for each release.
    PerRelease,
    /// One for each stage of each release.
    PerStage,
}

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Estimates {
    /// A baseline on one machine, reboot included.
    pub baseline: TimeDelta,
    /// What stays free at the end of a window.
    pub reserve: TimeDelta,
}

/// A baseline policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Days from a release until a machine without it is overdue.
    pub deadline_days: u32,
    /// What happens to a baseline after the next release.
    pub late_baseline: LateBaseline,
    /// The stages, in order.
    pub stages: Vec<Stage>,
    /// The failure domains that keep machines apart.
    pub spread: Spread,
    /// The group limits.
    pub groups: Vec<GroupRule>,
    /// What counts as healthy.
    pub health: HealthRule,
    /// The conditions other controllers set on runs.
    pub run_gates: Vec<RunGate>,
    /// How many failures are borne.
    pub failures: FailureRule,
    /// Whose word is needed.
    pub approval: ApprovalRule,
    /// What happens on an unplanned baseline.
    pub unplanned: UnplannedRule,
    /// What happens to machines off the track.
    pub off_track: OffTrackRule,
    /// How long things take.
    pub estimates: Estimates,
}

impl Policy {
    /// Returns the first stage that takes a machine with these tags, and its place in the order.
    pub fn stage_of(&self, tags: &Tags) -> Option<(usize, &Stage)> {
        self.stages
            .iter()
            .enumerate()
            .find(|(_, stage)| stage.selector.matches(tags))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, kind: &str, values: &[&str]) -> TagRule {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        match kind {
            "in" => TagRule::In(name.into(), values),
            "not in" => TagRule::NotIn(name.into(), values),
            "exists" => TagRule::Exists(name.into()),
            "absent" => TagRule::Absent(name.into()),
            _ => TagRule::Equals(name.into(), values.concat()),
        }
    }

    #[test]
    fn tag_names_compare_without_case_and_values_exactly() {
        let tags = Tags::new([
            ("App".to_owned(), "Web".to_owned()),
            ("empty".into(), "".into()),
        ]);
        let rows: [(&str, &str, &[&str], bool); 18] = [
            ("app", "=", &["Web"], true),
            ("APP", "=", &["Web"], true),
            ("app", "=", &["web"], false),
            ("tier", "=", &["Web"], false),
            ("empty", "=", &[""], true),
            ("tier", "=", &[""], false),
            ("app", "in", &["Mail", "Web"], true),
            ("app", "in", &["mail", "web"], false),
            ("app", "in", &[], false),
            ("tier", "in", &["Web"], false),
            ("app", "not in", &["Mail"], true),
            ("app", "not in", &["Web"], false),
            ("tier", "not in", &["Web"], true),
            ("aPP", "exists", &[], true),
            ("tier", "exists", &[], false),
            ("empty", "exists", &[], true),
            ("tier", "absent", &[], true),
            ("empty", "absent", &[], false),
        ];
        for (name, kind, values, expected) in rows {
            let selector = TagSelector(vec![rule(name, kind, values)]);
            assert_eq!(
                selector.matches(&tags),
                expected,
                "{name} {kind} {values:?}"
            );
        }
    }

    #[test]
    fn every_rule_of_a_selector_must_hold_and_none_chooses_all() {
        let tags = Tags::new([("app".to_owned(), "web".to_owned())]);
        assert!(TagSelector::default().matches(&tags));
        assert!(TagSelector::default().matches(&Tags::default()));
        let both =
            |value| TagSelector(vec![rule("app", "exists", &[]), rule("app", "=", &[value])]);
        assert!(both("web").matches(&tags));
        assert!(!both("mail").matches(&tags));
    }
}
