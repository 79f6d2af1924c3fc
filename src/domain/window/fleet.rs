//! The openings of a fleet: the union of its windows, less the fleet's exclusions.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, Utc};
use serde::{Deserialize, Serialize};

use super::{Exclusion, HORIZON_DAYS, Opening, WindowSpec, opening};

/// A window under the name by which a fleet refers to it.
#[derive(Debug, Clone, Copy)]
pub struct NamedWindow<'a> {
    /// The name.
    pub name: &'a str,
    /// The window.
    pub window: &'a WindowSpec,
}

/// A merged opening of several windows. Scheduling counts to its end, not to one window's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetOpening {
    /// The time from the first start to the last end.
    #[serde(flatten)]
    pub opening: Opening,
    /// Names of the windows that cover a part of it, sorted.
    pub windows: BTreeSet<String>,
}

impl AsRef<Opening> for FleetOpening {
    fn as_ref(&self) -> &Opening {
        &self.opening
    }
}

/// Merges the openings of several windows that have an instant in `[from, until)`.
///
/// Fleet exclusions are local dates in each window's own zone. The result is sorted and disjoint,
/// and does not depend on the order of the windows. An empty list of windows has no openings.
pub fn union(
    windows: &[NamedWindow<'_>],
    fleet_exclusions: &[Exclusion],
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Vec<FleetOpening> {
    FleetWindows {
        windows,
        fleet_exclusions,
    }
    .openings(from, until)
}

/// The windows of a fleet, or of one stage of it, with the fleet's exclusions.
#[derive(Debug, Clone, Copy)]
pub struct FleetWindows<'a> {
    /// The windows; their union counts.
    pub windows: &'a [NamedWindow<'a>],
    /// Exclusions that close all of them, in each window's own zone.
    pub fleet_exclusions: &'a [Exclusion],
}

impl FleetWindows<'_> {
    /// Gives every merged opening that has an instant in `[from, until)`, whole.
    pub fn openings(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<FleetOpening> {
        let until = opening::bound(from, until, super::MAX_SPAN_DAYS);
        super::as_far_as_needed(from, until, |follow| self.followed(from, until, follow))
    }

    /// Gives them as far as they are followed, in days beyond the span.
    pub(super) fn followed(
        &self,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        follow: Days,
    ) -> Vec<FleetOpening> {
        let mut parts: Vec<(Opening, &str)> = Vec::new();
        for NamedWindow { name, window } in self.windows {
            // The followed list, not the one cut to the span: a part beyond the span's edge may
            // touch one inside it and lengthen the merged opening.
            let followed = window.followed(from, until, self.fleet_exclusions, follow);
            parts.extend(followed.into_iter().map(|opening| (opening, *name)));
        }
        parts.sort_unstable();
        let mut merged: Vec<FleetOpening> = Vec::new();
        for (opening, name) in parts {
            match merged.last_mut() {
                Some(last) if opening.start <= last.opening.end => {
                    last.opening.end = last.opening.end.max(opening.end);
                    last.windows.insert(name.to_owned());
                }
                _ => merged.push(FleetOpening {
                    opening,
                    windows: BTreeSet::from([name.to_owned()]),
                }),
            }
        }
        merged.retain(|merged| merged.opening.meets(from, until));
        merged
    }

    /// Gives the merged opening that `now` lies in.
    pub fn open_at(&self, now: DateTime<Utc>) -> Option<FleetOpening> {
        let soon = opening::bound(now, DateTime::<Utc>::MAX_UTC, 1);
        self.openings(now, soon)
            .into_iter()
            .find(|merged| merged.opening.contains(now))
    }

    /// Gives the next `n` merged openings that start after `now`, within [`HORIZON_DAYS`].
    pub fn next(&self, now: DateTime<Utc>, n: usize) -> Vec<FleetOpening> {
        super::next_of(now, n, |until| self.openings(now, until))
    }

    /// Whether all windows are shut at `now` and for the [`HORIZON_DAYS`] after.
    pub fn never_open(&self, now: DateTime<Utc>) -> bool {
        let until = opening::bound(now, DateTime::<Utc>::MAX_UTC, HORIZON_DAYS);
        self.openings(now, until).is_empty()
    }
}
