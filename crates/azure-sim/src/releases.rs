//! Holds the history of Windows Server updates and the calendar rule. Must never know machines.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};

/// First KB number of releases invented for dates the recorded history does not reach.
pub const INVENTED_KB_FIRST: u32 = 9_500_000;
/// First KB number of the invented monthly .NET cumulative updates.
pub const DOTNET_KB_FIRST: u32 = 9_100_000;
/// The KB number every Defender definition update carries.
pub const DEFINITION_KB: u32 = 2_267_602;

const HOTPATCH_CSV: &str = include_str!("../../../data/hotpatch-releases.csv");
const STANDARD_CSV: &str = include_str!("../../../data/standard-lcu-releases.csv");
const PUBLISHED_HOUR_UTC: u32 = 17;
/// Months from January 2022 for which an invented release may exist; a bound for loops.
const MONTHS_BOUND: u32 = 12 * 20;

/// A family of releases: what guests of one Windows build are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Track {
    /// Windows Server 2022 (20348); hotpatches for Datacenter: Azure Edition only.
    Ws2022,
    /// Windows Server 2025 (26100).
    Ws2025,
}

impl Track {
    /// Lists every track.
    pub const ALL: [Track; 2] = [Track::Ws2022, Track::Ws2025];

    fn parse(text: &str) -> Option<Self> {
        match text {
            "WS2022AzureEdition" => Some(Self::Ws2022),
            "WS2025" => Some(Self::Ws2025),
            _ => None,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Ws2022 => "Microsoft server operating system version 21H2",
            Self::Ws2025 => "Microsoft server operating system version 24H2",
        }
    }
}

/// Says what a release is to the hotpatch track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReleaseKind {
    /// A cumulative update that opens a quarter; needs a reboot.
    PlannedBaseline,
    /// A cumulative update in a month that was to be a hotpatch month; needs a reboot.
    UnplannedBaseline,
    /// A monthly hotpatch; no reboot.
    Hotpatch,
    /// A hotpatch out of the monthly order; no reboot.
    OobHotpatch,
    /// The monthly cumulative update of machines off the track; needs a reboot.
    Lcu,
    /// A cumulative update out of the monthly order; needs a reboot and leaves the track.
    OobLcu,
}

impl ReleaseKind {
    /// Tells whether this release opens a new baseline.
    #[must_use]
    pub fn is_baseline(self) -> bool {
        matches!(self, Self::PlannedBaseline | Self::UnplannedBaseline)
    }

    /// Tells whether this release is a hotpatch.
    #[must_use]
    pub fn is_hotpatch(self) -> bool {
        matches!(self, Self::Hotpatch | Self::OobHotpatch)
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "planned-baseline" => Some(Self::PlannedBaseline),
            "unplanned-baseline" => Some(Self::UnplannedBaseline),
            "hotpatch" => Some(Self::Hotpatch),
            "oob-hotpatch" => Some(Self::OobHotpatch),
            "LCU-B" => Some(Self::Lcu),
            "LCU-OOB" => Some(Self::OobLcu),
            _ => None,
        }
    }
}

/// One update published for one track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Whom it is for.
    pub track: Track,
    /// The day it was published; the hour is 17:00 UTC.
    pub date: NaiveDate,
    /// The KB number, digits only.
    pub kb: String,
    /// What it is.
    pub kind: ReleaseKind,
    /// The build it brings a machine to (`26100.33222`), where known.
    pub build: Option<String>,
}

impl Release {
    /// Gives the instant from which the release is on offer.
    #[must_use]
    pub fn published_at(&self) -> DateTime<Utc> {
        published_at(self.date)
    }

    /// Gives the title Windows Update shows.
    #[must_use]
    pub fn title(&self) -> String {
        let month = self.date.format("%Y-%m");
        let what = if self.kind.is_hotpatch() {
            "Hotpatch"
        } else {
            "Cumulative Update"
        };
        format!(
            "{month} {what} for {} for x64-based Systems (KB{})",
            self.track.title(),
            self.kb
        )
    }
}

/// Gives the instant at which what is dated `date` is published.
pub(crate) fn published_at(date: NaiveDate) -> DateTime<Utc> {
    let hour = NaiveTime::from_hms_opt(PUBLISHED_HOUR_UTC, 0, 0).unwrap_or(NaiveTime::MIN);
    date.and_time(hour).and_utc()
}

/// Gives the second Tuesday of a month.
pub(crate) fn second_tuesday(year: i32, month: u32) -> Option<NaiveDate> {
    NaiveDate::from_weekday_of_month_opt(year, month, Weekday::Tue, 2)
}

/// Gives the newest second Tuesday whose updates are published at `now`.
pub(crate) fn newest_patch_day(now: DateTime<Utc>) -> Option<NaiveDate> {
    let this = second_tuesday(now.year(), now.month())?;
    if published_at(this) <= now {
        return Some(this);
    }
    let last_month = now.date_naive().with_day(1)? - TimeDelta::days(1);
    second_tuesday(last_month.year(), last_month.month())
}

/// Gives the invented KB number of the .NET update of a patch day.
pub(crate) fn dotnet_kb(date: NaiveDate) -> u32 {
    DOTNET_KB_FIRST + month_index(date)
}

fn month_index(date: NaiveDate) -> u32 {
    u32::try_from((date.year() - 2022).max(0)).unwrap_or(0) * 12 + date.month0()
}

fn calendar_kind(date: NaiveDate) -> ReleaseKind {
    match date.month() {
        1 | 4 | 7 | 10 => ReleaseKind::PlannedBaseline,
        _ => ReleaseKind::Hotpatch,
    }
}

/// Every release known to the world, by track, in order of publication.
#[derive(Debug, Clone)]
pub(crate) struct History {
    by_track: BTreeMap<Track, Vec<Release>>,
}

impl History {
    /// Reads the embedded history and adds what the options ask for.
    pub(crate) fn new(
        unverified_rows_are_real: bool,
        extra: &[Release],
        invent_through: Option<NaiveDate>,
    ) -> Self {
        let mut by_track: BTreeMap<Track, Vec<Release>> = BTreeMap::new();
        let rows = read(HOTPATCH_CSV, unverified_rows_are_real)
            .into_iter()
            .chain(read(STANDARD_CSV, unverified_rows_are_real))
            .chain(extra.iter().cloned());
        for row in rows {
            by_track.entry(row.track).or_default().push(row);
        }
        if let Some(through) = invent_through {
            for track in Track::ALL {
                invent(track, by_track.entry(track).or_default(), through);
            }
        }
        for rows in by_track.values_mut() {
            rows.sort_by(|a, b| (a.date, a.kind, &a.kb).cmp(&(b.date, b.kind, &b.kb)));
        }
        Self { by_track }
    }

    /// Lists all releases in order of publication within their track.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Release> {
        self.by_track.values().flatten()
    }

    /// Lists what is published at `now` for a track, oldest first.
    pub(crate) fn published(
        &self,
        track: Track,
        now: DateTime<Utc>,
    ) -> impl DoubleEndedIterator<Item = &Release> {
        let rows = self
            .by_track
            .get(&track)
            .map(Vec::as_slice)
            .unwrap_or_default();
        rows.iter().filter(move |row| row.published_at() <= now)
    }

    /// Finds the newest baseline published at `now`.
    pub(crate) fn baseline(&self, track: Track, now: DateTime<Utc>) -> Option<&Release> {
        self.published(track, now)
            .rev()
            .find(|row| row.kind.is_baseline())
    }

    /// Finds a release by its KB number, digits only.
    pub(crate) fn find(&self, kb: &str) -> Option<&Release> {
        self.all().find(|row| row.kb == kb)
    }
}

fn read(text: &str, unverified_rows_are_real: bool) -> Vec<Release> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader
        .records()
        .filter_map(Result::ok)
        .filter_map(|row| parse_row(&row, unverified_rows_are_real))
        .collect()
}

fn parse_row(row: &csv::StringRecord, unverified_rows_are_real: bool) -> Option<Release> {
    let date: NaiveDate = row.get(1)?.parse().ok()?;
    let mut kind = ReleaseKind::parse(row.get(3)?)?;
    let unverified = row
        .get(5)
        .is_some_and(|source| source.contains("UNVERIFIED"));
    if unverified && kind.is_baseline() && !unverified_rows_are_real {
        kind = calendar_kind(date);
    }
    Some(Release {
        track: Track::parse(row.get(0)?)?,
        date,
        kb: row.get(2)?.trim_start_matches("KB").to_owned(),
        kind,
        build: row
            .get(4)
            .filter(|build| !build.is_empty())
            .map(str::to_owned),
    })
}

/// Continues the calendar: each month after the last hotpatch-track row gets a baseline or a
/// hotpatch and, in hotpatch months without one, a standard cumulative update.
fn invent(track: Track, rows: &mut Vec<Release>, through: NaiveDate) {
    let on_track = |row: &&Release| row.kind.is_baseline() || row.kind == ReleaseKind::Hotpatch;
    let Some(last) = rows.iter().filter(on_track).map(|row| row.date).max() else {
        return;
    };
    let offset = match track {
        Track::Ws2022 => 0,
        Track::Ws2025 => 2_000,
    };
    let major = match track {
        Track::Ws2022 => 20348,
        Track::Ws2025 => 26100,
    };
    for month in month_index(last) + 1..MONTHS_BOUND {
        let year = 2022 + i32::try_from(month / 12).unwrap_or(0);
        let Some(date) = second_tuesday(year, month % 12 + 1) else {
            continue;
        };
        if date > through {
            break;
        }
        let kb = INVENTED_KB_FIRST + offset + month * 2;
        let build = |plus: u32| Some(format!("{major}.{}", 40_000 + month * 100 + plus));
        let kind = calendar_kind(date);
        let row = |kb: u32, kind, build| Release {
            track,
            date,
            kb: kb.to_string(),
            kind,
            build,
        };
        rows.push(row(kb, kind, build(0)));
        let has_lcu = rows
            .iter()
            .any(|row| row.date == date && row.kind == ReleaseKind::Lcu);
        if kind == ReleaseKind::Hotpatch && !has_lcu {
            rows.push(row(kb + 1, ReleaseKind::Lcu, build(60)));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests may unwrap

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn the_embedded_history_is_read_whole() {
        let history = History::new(false, &[], None);
        let rows = HOTPATCH_CSV.lines().count() + STANDARD_CSV.lines().count() - 2;
        assert_eq!(history.all().count(), rows);
    }

    #[test]
    fn an_unverified_baseline_follows_the_calendar_unless_taken_at_its_word() {
        for (real, kind) in [
            (false, ReleaseKind::Hotpatch),
            (true, ReleaseKind::UnplannedBaseline),
        ] {
            let history = History::new(real, &[], None);
            assert_eq!(history.find("5094125").unwrap().kind, kind);
        }
    }

    #[test]
    fn a_release_is_on_offer_from_seventeen_hours_utc_of_its_day() {
        let history = History::new(false, &[], None);
        let at = published_at(day("2026-07-14"));
        let before = history
            .baseline(Track::Ws2025, at - TimeDelta::seconds(1))
            .unwrap();
        assert_eq!(before.kb, "5082063");
        assert_eq!(history.baseline(Track::Ws2025, at).unwrap().kb, "5099536");
    }

    #[test]
    fn invented_releases_follow_the_calendar_rule() {
        let history = History::new(false, &[], Some(day("2027-02-28")));
        let kinds: Vec<_> = history
            .published(Track::Ws2025, published_at(day("2027-02-28")))
            .filter(|row| row.date > day("2026-09-30"))
            .map(|row| (row.date.to_string(), row.kind))
            .collect();
        assert_eq!(
            kinds[0],
            ("2026-10-13".to_owned(), ReleaseKind::PlannedBaseline)
        );
        assert_eq!(kinds[1], ("2026-11-10".to_owned(), ReleaseKind::Hotpatch));
        assert_eq!(kinds[2], ("2026-11-10".to_owned(), ReleaseKind::Lcu));
        assert_eq!(
            kinds[5],
            ("2027-01-12".to_owned(), ReleaseKind::PlannedBaseline)
        );
    }
}
