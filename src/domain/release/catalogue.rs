//! The catalogue: rows and rule together, and the questions one can ask of them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::rows::{self, ReleaseRow};
use super::{
    Error, Kb, OsTrack, Provenance, Release, ReleaseId, ReleaseKind, StandardKind, StandardUpdate,
};
use crate::domain::calendar::{self, Month};

const EMBEDDED_RELEASES: &str = include_str!("../../../data/hotpatch-releases.csv");
const EMBEDDED_STANDARD: &str = include_str!("../../../data/standard-lcu-releases.csv");

/// How many months a search for a release goes back or forward before it gives up. The rule brings
/// a release every month and a baseline every third, so this is reached only where the rule is not.
const SEARCH_MONTHS: usize = 24;

/// The most months that one question for a span of releases covers.
const MAX_SPAN_MONTHS: usize = 1_200;

static EMBEDDED: LazyLock<Catalogue> = LazyLock::new(|| {
    Catalogue::parse(EMBEDDED_RELEASES, EMBEDDED_STANDARD)
        .expect("a test reads the embedded release files")
});

/// What an installed KB says about a machine's place on the track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Standing {
    /// It is a release of the track: a baseline or a hotpatch.
    OnTrack,
    /// It leaves the track until the next baseline, such as KB5070881.
    LeavesTrack,
    /// It is listed as a release, but its kind is in doubt.
    InDoubt,
    /// No file lists it.
    Unlisted,
}

/// Hotpatch releases and standard updates, with the calendar rule where there is no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    rows: Vec<ReleaseRow>,
    releases: BTreeMap<(OsTrack, ReleaseId), Release>,
    by_kb: BTreeMap<(OsTrack, Kb), ReleaseId>,
    standard: BTreeMap<(OsTrack, Kb), StandardUpdate>,
}

impl Catalogue {
    /// The catalogue embedded in the program.
    pub fn embedded() -> &'static Catalogue {
        &EMBEDDED
    }

    /// Makes a catalogue of two files of CSV, hotpatch releases and standard updates.
    ///
    /// # Errors
    /// Names the first row that is wrong.
    pub fn parse(releases: &str, standard_updates: &str) -> Result<Catalogue, Error> {
        let empty = Catalogue {
            rows: Vec::new(),
            releases: BTreeMap::new(),
            by_kb: BTreeMap::new(),
            standard: BTreeMap::new(),
        };
        empty
            .with_releases(releases)?
            .with_standard_updates(standard_updates)
    }

    /// Adds rows of hotpatch releases, given as CSV with the same columns.
    ///
    /// A row for a KB already listed replaces that row. A verified row replaces an unproven one of
    /// the same track and date. Any other row of the same date is a further release of that day.
    ///
    /// # Errors
    /// Names the first row that is wrong; then nothing was added.
    pub fn with_releases(&self, csv: &str) -> Result<Catalogue, Error> {
        let mut rows = self.rows.clone();
        for row in rows::releases(csv)? {
            let same = |old: &ReleaseRow| old.track == row.track && old.kb == row.kb;
            let settles = |old: &ReleaseRow| {
                old.track == row.track
                    && old.date == row.date
                    && old.provenance != Provenance::Verified
                    && row.provenance == Provenance::Verified
            };
            let place = rows
                .iter()
                .position(same)
                .or_else(|| rows.iter().position(settles));
            match place {
                Some(index) => rows[index] = row,
                None => rows.push(row),
            }
        }
        Ok(Catalogue {
            standard: self.standard.clone(),
            ..Catalogue::of_rows(rows)
        })
    }

    /// Adds standard updates, given as CSV with the same columns; a KB already listed is replaced.
    ///
    /// # Errors
    /// Names the first row that is wrong; then nothing was added.
    pub fn with_standard_updates(&self, csv: &str) -> Result<Catalogue, Error> {
        let mut catalogue = self.clone();
        for update in rows::standard_updates(csv)? {
            catalogue.standard.insert((update.track, update.kb), update);
        }
        Ok(catalogue)
    }

    /// The catalogue as it could be known at `now`: without the rows not yet published.
    ///
    /// For replaying the past; an operator that lives in the present keeps announcements.
    #[must_use]
    pub fn known_at(&self, now: DateTime<Utc>) -> Catalogue {
        let through = calendar::published_through(now);
        let mut standard = self.standard.clone();
        standard.retain(|_, update| update.date <= through);
        let rows = self
            .rows
            .iter()
            .filter(|row| row.date <= through)
            .cloned()
            .collect();
        Catalogue {
            standard,
            ..Catalogue::of_rows(rows)
        }
    }

    fn of_rows(rows: Vec<ReleaseRow>) -> Catalogue {
        let mut releases = BTreeMap::new();
        let mut by_kb = BTreeMap::new();
        for row in &rows {
            let first = ReleaseId::new(row.track, row.date);
            let id = (1..=u16::MAX)
                .map(|ordinal| first.with_ordinal(ordinal))
                .find(|id| !releases.contains_key(&(row.track, *id)))
                .expect("files are bounded far below 65,535 rows");
            by_kb.insert((row.track, row.kb), id);
            releases.insert((row.track, id), release(id, row));
        }
        Catalogue {
            rows,
            releases,
            by_kb,
            standard: BTreeMap::new(),
        }
    }

    /// All rows of a track, by date; without what only the rule knows.
    pub fn rows(&self, track: OsTrack) -> impl DoubleEndedIterator<Item = &Release> {
        let of_track = move |(key, _): &(&(OsTrack, ReleaseId), &Release)| key.0 == track;
        self.releases
            .iter()
            .filter(of_track)
            .map(|(_, release)| release)
    }

    /// The releases of a month, by date: its rows, and the rule's where no row takes its place.
    pub fn month(&self, track: OsTrack, month: Month) -> Vec<Release> {
        let first = (track, ReleaseId::new(track, month.first_day()));
        let last = (
            track,
            ReleaseId::new(track, month.last_day()).with_ordinal(u16::MAX),
        );
        let mut found: Vec<Release> = self
            .releases
            .range(first..=last)
            .map(|(_, r)| r.clone())
            .collect();
        let tuesday = month.patch_tuesday();
        // A proven monthly release on another date is the month's own, moved. An out-of-band one or
        // an extra baseline comes beside it, and an unproven one takes nothing away.
        let moved = |r: &Release| {
            r.is_proven() && matches!(r.kind, ReleaseKind::PlannedBaseline | ReleaseKind::Hotpatch)
        };
        let taken = found.iter().any(|r| r.date == tuesday || moved(r));
        if let Some(kind) = track.rule_on(tuesday).filter(|_| !taken) {
            found.push(by_rule(track, tuesday, kind));
            found.sort_by_key(|r| r.id);
        }
        found
    }

    /// The release of this id, from a row or by rule.
    pub fn get(&self, id: ReleaseId) -> Option<Release> {
        self.month(id.track(), id.month())
            .into_iter()
            .find(|r| r.id == id)
    }

    /// The row with this KB.
    pub fn release_by_kb(&self, track: OsTrack, kb: Kb) -> Option<&Release> {
        let id = self.by_kb.get(&(track, kb))?;
        self.releases.get(&(track, *id))
    }

    /// The releases with a publication in `[from, until)`, by date, from rows and rule.
    pub fn between(
        &self,
        track: OsTrack,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Vec<Release> {
        let first = Month::of(calendar::published_through(from)).max(track.first_month());
        let inside = |r: &Release| r.published_at() >= from && r.published_at() < until;
        months_from(first)
            .take(MAX_SPAN_MONTHS)
            .take_while(|month| calendar::published_at(month.first_day()) < until)
            .flat_map(|month| self.month(track, month))
            .filter(inside)
            .collect()
    }

    /// The latest release published at `now`, whatever its proof.
    pub fn latest(&self, track: OsTrack, now: DateTime<Utc>) -> Option<Release> {
        self.last_where(track, now, |_| true)
    }

    /// The latest release published at `now` that may be acted upon.
    pub fn latest_effective(&self, track: OsTrack, now: DateTime<Utc>) -> Option<Release> {
        self.last_where(track, now, Release::is_commandable)
    }

    /// The latest effective baseline published at `now`.
    pub fn latest_baseline(&self, track: OsTrack, now: DateTime<Utc>) -> Option<Release> {
        self.last_where(track, now, Release::is_baseline)
    }

    /// The next release that may be acted upon, published after `now`, from a row or by rule.
    ///
    /// None only near the end of the calendar, the year 9999.
    pub fn next(&self, track: OsTrack, now: DateTime<Utc>) -> Option<Release> {
        self.first_where(track, now, Release::is_commandable)
    }

    /// The next effective baseline published after `now`, from a row or by rule.
    ///
    /// None only near the end of the calendar, the year 9999.
    pub fn next_baseline(&self, track: OsTrack, now: DateTime<Utc>) -> Option<Release> {
        self.first_where(track, now, Release::is_baseline)
    }

    /// The effective baseline that a release builds on; a baseline builds on itself.
    pub fn baseline_of(&self, release: &Release) -> Option<Release> {
        if release.is_baseline() {
            return Some(release.clone());
        }
        self.latest_baseline(release.track, release.published_at())
    }

    /// The hotpatches that build on a baseline, in and out of band, up to the next baseline.
    ///
    /// Holds those to come by rule, too; [`Release::is_published`] tells them apart.
    pub fn hotpatches_on(&self, baseline: &Release) -> Vec<Release> {
        let from = baseline.published_at();
        let until = self.next_baseline(baseline.track, from);
        let until = until.map_or(DateTime::<Utc>::MAX_UTC, |next| next.published_at());
        let mut found = self.between(baseline.track, from, until);
        found.retain(|r| r.is_commandable() && !r.is_baseline());
        found
    }

    /// The last chance of a baseline: the instant at which the next release of its track appears.
    ///
    /// After it the old baseline may no longer be offered. None only near the year 9999.
    pub fn last_chance(&self, baseline: &Release) -> Option<DateTime<Utc>> {
        self.next(baseline.track, baseline.published_at())
            .map(|next| next.published_at())
    }

    /// The standard update with this KB.
    pub fn standard_update(&self, track: OsTrack, kb: Kb) -> Option<&StandardUpdate> {
        self.standard.get(&(track, kb))
    }

    /// The latest standard update published at `now`; previews do not count.
    pub fn latest_standard(&self, track: OsTrack, now: DateTime<Utc>) -> Option<&StandardUpdate> {
        self.standard
            .values()
            .filter(|u| u.track == track && u.kind != StandardKind::Preview && u.is_published(now))
            .max_by_key(|u| (u.date, u.kb))
    }

    /// What an installed KB says about a machine's place on the track.
    pub fn standing(&self, track: OsTrack, kb: Kb) -> Standing {
        match self.release_by_kb(track, kb) {
            Some(release) if release.kind_in_doubt() => return Standing::InDoubt,
            Some(_) => return Standing::OnTrack,
            None => {}
        }
        match self.standard_update(track, kb) {
            // In a baseline month the monthly cumulative update is the baseline, row or no row.
            Some(update) if self.is_baseline_update(update) => Standing::OnTrack,
            Some(_) => Standing::LeavesTrack,
            None => Standing::Unlisted,
        }
    }

    /// Whether the KB is listed as a release of the track, its kind not in doubt.
    pub fn is_on_hotpatch_track(&self, track: OsTrack, kb: Kb) -> bool {
        self.standing(track, kb) == Standing::OnTrack
    }

    /// Whether the KB takes a machine off the track until the next baseline.
    ///
    /// KB5070881 does and KB5070893 does not, though both give build 26100.6905.
    pub fn is_incompatible(&self, track: OsTrack, kb: Kb) -> bool {
        self.standing(track, kb) == Standing::LeavesTrack
    }

    fn is_baseline_update(&self, update: &StandardUpdate) -> bool {
        update.kind == StandardKind::Monthly
            && self
                .month(update.track, Month::of(update.date))
                .iter()
                .any(|r| r.date == update.date && r.is_baseline() && r.kb.is_none())
    }

    fn last_where(
        &self,
        track: OsTrack,
        now: DateTime<Utc>,
        wanted: impl Fn(&Release) -> bool,
    ) -> Option<Release> {
        let newest = Month::of(calendar::published_through(now));
        std::iter::successors(Some(newest), |month| Some(month.prev()))
            .take(SEARCH_MONTHS)
            .flat_map(|month| self.month(track, month).into_iter().rev())
            .find(|r| r.is_published(now) && wanted(r))
    }

    fn first_where(
        &self,
        track: OsTrack,
        after: DateTime<Utc>,
        wanted: impl Fn(&Release) -> bool,
    ) -> Option<Release> {
        let oldest = Month::of(calendar::published_through(after)).max(track.first_month());
        months_from(oldest)
            .take(SEARCH_MONTHS)
            .flat_map(|month| self.month(track, month))
            .find(|r| !r.is_published(after) && wanted(r))
    }
}

/// A month and all after it; ends with the last month of the calendar.
fn months_from(first: Month) -> impl Iterator<Item = Month> {
    std::iter::successors(Some(first), |month| {
        Some(month.next()).filter(|next| next != month)
    })
}

fn release(id: ReleaseId, row: &ReleaseRow) -> Release {
    Release {
        id,
        track: row.track,
        date: row.date,
        kb: Some(row.kb),
        kind: row.kind,
        build: row.build,
        provenance: row.provenance,
        source: row.source.clone(),
    }
}

fn by_rule(track: OsTrack, date: NaiveDate, kind: ReleaseKind) -> Release {
    Release {
        id: ReleaseId::new(track, date),
        track,
        date,
        kb: None,
        kind,
        build: None,
        provenance: Provenance::Rule,
        source: "calendar rule: second Tuesday; January, April, July and October are baselines"
            .to_owned(),
    }
}
