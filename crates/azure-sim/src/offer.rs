//! Decides what Windows Update offers a guest. Pure: it reads a machine, the history, the
//! assumptions and the time.

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use uuid::Uuid;

use crate::machine::{Guest, Machine};
use crate::options::{Assumptions, BaselineReports, HotpatchReports};
use crate::patches::{Classification, KbKind, Offered};
use crate::releases::{
    DEFINITION_KB, History, Release, ReleaseKind, Track, dotnet_kb, newest_patch_day, published_at,
};

const NEVER: &str = "NeverReboots";
const CAN: &str = "CanRequestReboot";
const ALWAYS: &str = "AlwaysRequiresReboot";

/// Lists what is on offer to a machine, in the order it would be installed.
pub(crate) fn offers(
    machine: &Machine,
    history: &History,
    assumptions: &Assumptions,
    now: DateTime<Utc>,
) -> Vec<Offered> {
    if !machine.guest.os.windows() {
        return Vec::new();
    }
    let mut out = Vec::new();
    out.extend(definition(&machine.guest, now));
    if let Some(track) = machine.guest.os.track() {
        let rows = releases(machine, track, history, assumptions, now);
        out.extend(rows.into_iter().map(|row| from_release(row, assumptions)));
    }
    out.extend(dotnet(&machine.guest, assumptions, now));
    out
}

/// Tells whether the guest sits on the newest baseline with nothing but hotpatches after it.
pub(crate) fn on_baseline(guest: &Guest, history: &History, now: DateTime<Utc>) -> bool {
    let Some(track) = guest.os.track() else {
        return false;
    };
    let Some(baseline) = history.baseline(track, now) else {
        return false;
    };
    guest.installed.contains_key(&baseline.kb)
        && guest.cumulative_date() == Some(baseline.date)
        && !guest.installed.values().any(|kb| {
            // An out-of-band update may come on the day of the baseline itself.
            kb.kind == KbKind::Lcu && kb.date >= baseline.date
        })
}

/// Chooses the cumulative updates or hotpatches on offer, oldest first.
fn releases<'a>(
    machine: &Machine,
    track: Track,
    history: &'a History,
    assumptions: &Assumptions,
    now: DateTime<Utc>,
) -> Vec<&'a Release> {
    let guest = &machine.guest;
    // Windows Update offers no further cumulative update before the reboot that one waits for.
    if guest
        .pending
        .values()
        .any(|kb| kb.installed.kind.is_cumulative())
    {
        return Vec::new();
    }
    let enrolled = machine.enrolled(now);
    let mut rows: Vec<&Release> = if enrolled && on_baseline(guest, history, now) {
        hotpatches(guest, track, history, now)
    } else {
        let have = guest.cumulative_date();
        let newer = |row: &&Release| have.is_none_or(|date| row.date > date);
        let on_track = enrolled && baseline_open(track, history, now);
        history
            .published(track, now)
            .filter(|row| {
                if on_track {
                    row.kind.is_baseline()
                } else {
                    !row.kind.is_hotpatch()
                }
            })
            .filter(newer)
            .collect()
    };
    if !assumptions.superseded_offered {
        rows = rows.pop().into_iter().collect();
    }
    rows
}

fn hotpatches<'a>(
    guest: &Guest,
    track: Track,
    history: &'a History,
    now: DateTime<Utc>,
) -> Vec<&'a Release> {
    // Other updates, as definitions, are newer every day.
    let of_releases = guest.installed.values();
    let of_releases =
        of_releases.filter(|kb| kb.kind.is_cumulative() || kb.kind == KbKind::Hotpatch);
    let newest = of_releases.map(|kb| kb.date).max();
    history
        .published(track, now)
        .filter(|row| row.kind.is_hotpatch())
        .filter(|row| newest.is_none_or(|date| row.date > date))
        .collect()
}

/// Tells whether the newest baseline is still the update of the month: no monthly hotpatch has
/// followed it. After that a machine without it is offered what leaves the track.
fn baseline_open(track: Track, history: &History, now: DateTime<Utc>) -> bool {
    let mut newest_first = history.published(track, now).rev();
    newest_first
        .find(|row| row.kind.is_baseline() || row.kind == ReleaseKind::Hotpatch)
        .is_some_and(|row| row.kind.is_baseline())
}

/// Gives an offer of one release.
pub(crate) fn from_release(row: &Release, assumptions: &Assumptions) -> Offered {
    let (kind, behavior) = match row.kind {
        ReleaseKind::Hotpatch | ReleaseKind::OobHotpatch => {
            let behavior = match assumptions.hotpatch_reports {
                HotpatchReports::NeverReboots => NEVER,
                HotpatchReports::CanRequestReboot => CAN,
            };
            (KbKind::Hotpatch, behavior)
        }
        ReleaseKind::PlannedBaseline | ReleaseKind::UnplannedBaseline => {
            let behavior = match assumptions.baseline_reports {
                BaselineReports::AlwaysRequiresReboot => ALWAYS,
                BaselineReports::CanRequestReboot => CAN,
            };
            (KbKind::Baseline, behavior)
        }
        ReleaseKind::Lcu | ReleaseKind::OobLcu => (KbKind::Lcu, CAN),
    };
    Offered {
        kb: row.kb.clone(),
        patch_id: patch_id(&row.kb),
        name: row.title(),
        class: Classification::Security,
        reboot_behavior: behavior,
        needs_reboot: kind != KbKind::Hotpatch,
        published: row.published_at(),
        date: row.date,
        kind,
        build: row.build.clone(),
    }
}

/// The monthly .NET update; a security update every other month.
fn dotnet(guest: &Guest, assumptions: &Assumptions, now: DateTime<Utc>) -> Option<Offered> {
    let day = newest_patch_day(now)?;
    let kb = dotnet_kb(day).to_string();
    if guest.dotnet.is_some_and(|have| have >= day) || guest.pending.contains_key(&kb) {
        return None;
    }
    let security = day.month() % 2 == 0;
    let class = if security {
        Classification::Security
    } else {
        Classification::Updates
    };
    let month = day.format("%Y-%m");
    Some(Offered {
        patch_id: patch_id(&kb),
        name: format!("{month} Cumulative Update for .NET Framework 3.5 and 4.8.1 (KB{kb})"),
        class,
        reboot_behavior: CAN,
        needs_reboot: assumptions.dotnet_needs_reboot,
        published: published_at(day),
        date: day,
        kind: KbKind::DotNet,
        build: None,
        kb,
    })
}

/// The daily definition update.
fn definition(guest: &Guest, now: DateTime<Utc>) -> Option<Offered> {
    if now - guest.definition < TimeDelta::days(1) {
        return None;
    }
    let kb = DEFINITION_KB.to_string();
    let date = now.date_naive();
    Some(Offered {
        patch_id: patch_id(&format!("{kb}/{date}")),
        name: format!(
            "Security Intelligence Update for Microsoft Defender Antivirus - KB{kb} \
             (Version 1.{}.{}.0)",
            date.year() - 1600,
            date.ordinal()
        ),
        class: Classification::Definition,
        reboot_behavior: NEVER,
        needs_reboot: false,
        published: date.and_time(chrono::NaiveTime::MIN).and_utc(),
        date,
        kind: KbKind::Definition,
        build: None,
        kb,
    })
}

fn patch_id(name: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
}
