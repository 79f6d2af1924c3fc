//! What is accepted and yet worth saying: fields without effect so far, names that look wrong,
//! windows that never open.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Utc};

use crate::api::fleet::OnRelease;
use crate::api::policy::{OtherUpdate, ResourceHealth};
use crate::api::{BaselinePolicy, HotpatchFleet};
use crate::domain::fleet::Fleet;
use crate::domain::region::{PairGroup, Regions, normalise};
use crate::domain::window::{FleetWindows, HORIZON_DAYS, NamedWindow};

/// A field that is accepted and has no effect yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unsupported {
    /// The field, such as `spec.health.prometheus`.
    pub field: &'static str,
    /// What is done instead.
    pub why: &'static str,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.why)
    }
}

/// A value that is accepted although it looks wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The field.
    pub field: &'static str,
    /// What looks wrong about it.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Lists the fields of a fleet and of a policy that ask for what this version does not do.
///
/// The one list of them: a line leaves it when its behaviour comes. Requests say the same in
/// their own rulings.
pub fn unsupported(
    fleet: Option<&HotpatchFleet>,
    policy: Option<&BaselinePolicy>,
) -> Vec<Unsupported> {
    let mut list: Vec<(bool, &'static str, &'static str)> = Vec::new();
    if let Some(fleet) = fleet.map(|fleet| &fleet.spec) {
        list.extend([(
            fleet.on_release == OnRelease::Restore,
            "spec.onRelease",
            "Restore puts settings back when a machine leaves the fleet; after the fleet is \
             deleted, `hotpatch-operator release` does",
        )]);
    }
    if let Some(policy) = policy.map(|policy| &policy.spec) {
        let asked = |update: OtherUpdate| update != OtherUpdate::Leave;
        let left = "these updates are left alone: the operator installs releases only";
        let (health, other) = (&policy.health, &policy.other_updates);
        list.extend([
            (
                !health.prometheus.is_empty(),
                "spec.health.prometheus",
                "no query is asked: health is what Azure reports",
            ),
            (
                health.resource_health == ResourceHealth::Ignore,
                "spec.health.resourceHealth",
                "Resource Health is required all the same",
            ),
            (
                policy.unplanned_baselines.ignore_exclusions,
                "spec.unplannedBaselines.ignoreExclusions",
                "exclusions hold for unplanned baselines too",
            ),
            (asked(other.dotnet), "spec.otherUpdates.dotnet", left),
            (asked(other.drivers), "spec.otherUpdates.drivers", left),
            (
                asked(other.non_security),
                "spec.otherUpdates.nonSecurity",
                left,
            ),
            (asked(other.sql), "spec.otherUpdates.sql", left),
            (
                !policy.objectives.is_empty(),
                "spec.objectives",
                "objectives are accepted and not reported on",
            ),
        ]);
    }
    let list = list.into_iter().filter(|(is_set, ..)| *is_set);
    list.map(|(_, field, why)| Unsupported { field, why })
        .collect()
}

/// Lists what looks wrong in a fleet and does not stop it: names of regions that are not known.
pub fn warnings(fleet: &HotpatchFleet) -> Vec<Warning> {
    let regions = Regions::embedded();
    let strange = fleet
        .spec
        .selector
        .locations
        .iter()
        .filter(|location| regions.pair_group(location) == PairGroup::Unknown);
    let warn = |location: &String| Warning {
        field: "spec.selector.locations",
        message: format!(
            "{location:?} is no region that is known here (read as {}); no machine matches it if \
             it is a mistake",
            normalise(location)
        ),
    };
    strange.map(warn).collect()
}

/// Which windows of a fleet never open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowNotes {
    /// The windows that do not open within [`HORIZON_DAYS`], the fleet's exclusions applied.
    pub never_open: BTreeSet<String>,
    /// Whether no window of the fleet opens, or it has none.
    pub none_opens: bool,
}

impl WindowNotes {
    /// Says it for people; none where every window opens.
    pub fn message(&self) -> Option<String> {
        let names: Vec<&str> = self.never_open.iter().map(String::as_str).collect();
        match (self.none_opens, names.as_slice()) {
            (true, []) => Some("the fleet has no window: nothing is ever rebooted".to_owned()),
            (false, []) => None,
            (all, names) => {
                let windows = names.join(", ");
                let rest = if all {
                    "; nothing is ever rebooted"
                } else {
                    ""
                };
                Some(format!(
                    "no opening within {HORIZON_DAYS} days: window {windows}{rest}"
                ))
            }
        }
    }
}

/// Tells which windows of a fleet never open; the fleet is planned for all the same.
pub fn window_notes(fleet: &Fleet, now: DateTime<Utc>) -> WindowNotes {
    let shut = |window: &&crate::domain::fleet::FleetWindow| {
        let windows = [NamedWindow {
            name: &window.name,
            window: &window.window,
        }];
        let alone = FleetWindows {
            windows: &windows,
            fleet_exclusions: &fleet.exclusions,
        };
        alone.never_open(now)
    };
    let never_open: BTreeSet<String> = fleet
        .windows
        .iter()
        .filter(shut)
        .map(|window| window.name.clone())
        .collect();
    let none_opens = never_open.len() == fleet.windows.len();
    WindowNotes {
        never_open,
        none_opens,
    }
}
