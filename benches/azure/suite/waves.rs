//! How much of the buckets is used while work remains: every machine wants its hotpatch at once,
//! and nothing but Azure's limits holds it back.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::arena::{Arena, Plot};
use super::log::{self, Asked, Asks};
use super::manifests::Fleet;
use super::months::{BASELINE, HOTPATCH, HOTPATCH_KB, having, per};
use super::{Error, instant};

/// What Compute lets out for assessments and installs together, in a subscription and region: at
/// once, and more in a minute (Microsoft, `compute-throttling-limits.md`, 2024-05-27).
const GUEST_PATCHES: (f64, f64) = (600.0, 200.0);

/// What Azure Resource Manager lets one principal write in a subscription: at once, and more in a
/// minute (Microsoft, "Azure Resource Manager throttling").
const ARM_WRITES: (f64, f64) = (200.0, 600.0);

/// A day after the release there are machines, and Azure assesses each within a day: it does so
/// every day, by their settings.
const MADE: &str = "2025-06-11T16:00:00Z";

/// When the operator starts: one and a half hours before the window.
const START: &str = "2025-06-12T16:30:00Z";

/// So long after the first install all is over.
const LONG: TimeDelta = TimeDelta::hours(3);

/// How a wave went.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Wave {
    pub(crate) machines: usize,
    pub(crate) foreign_percent: u8,
    /// Machines that have the hotpatch in the end.
    pub(crate) current: usize,
    /// Installs that were accepted.
    pub(crate) installs: usize,
    /// From the first to the last.
    pub(crate) seconds: f64,
    /// Of what the tightest bucket let out in that time, the percentage that was taken.
    pub(crate) used_percent: f64,
    /// Requests to Azure.
    pub(crate) calls: u64,
    /// How many of them were answered 429.
    pub(crate) throttled: u64,
    pub(crate) throttled_per_10000: f64,
}

/// Lets a wave pass.
pub(super) async fn pass(
    binary: &Path,
    machines: usize,
    foreign_percent: u8,
) -> Result<Wave, Error> {
    let plot = Plot {
        from: instant(MADE),
        patched: (instant(HOTPATCH) - TimeDelta::days(1)).date_naive(),
        machines,
        foreign_percent,
        poll_after_seconds: 15,
        fleet: Fleet {
            when: "InWindow",
            days: "Thursday",
            ..Fleet::default()
        },
    };
    let mut arena = Arena::new(binary, &plot).await?;
    arena.start(instant(START))?;
    let mut first = None;
    let is_over = |own: &mut Arena| {
        let now = own.clock.now();
        if first.is_none() {
            first = own.log.first_install();
        }
        first.is_some_and(|own| now >= own + LONG)
    };
    if !arena.until(is_over, instant(BASELINE)).await? {
        return Err(Error::Unfinished("the wave".to_owned()));
    }
    let current = having(&arena.azure, HOTPATCH_KB);
    let calls = arena.log.calls(plot.from, DateTime::<Utc>::MAX_UTC);
    arena.kill();
    Ok(Wave {
        current,
        ..measure(&calls, machines, foreign_percent)
    })
}

fn accepted(calls: &[Asked]) -> Vec<DateTime<Utc>> {
    let own = calls
        .iter()
        .filter(|own| own.asks == Asks::Install && own.status < 300);
    own.map(|own| own.at).collect()
}

/// Measures a wave by the requests that reached Azure.
pub(crate) fn measure(calls: &[Asked], machines: usize, foreign_percent: u8) -> Wave {
    let installs = accepted(calls);
    let (first, last) = (installs.first().copied(), installs.last().copied());
    let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
    let seconds = (last - first).as_seconds_f64();
    let taken = |kinds: &[Asks]| {
        let own = calls.iter().filter(|own| {
            (first..=last).contains(&own.at) && own.status < 300 && kinds.contains(&own.asks)
        });
        own.count() as u64
    };
    let let_out =
        |(burst, a_minute): (f64, f64), share: f64| share * (burst + a_minute * seconds / 60.0);
    // Compute's bucket is shared by all; Resource Manager's is the principal's own.
    let left = 1.0 - f64::from(foreign_percent) / 100.0;
    let installing = per(taken(&[Asks::Install, Asks::Assess]), 1);
    let writing = [Asks::Install, Asks::Assess, Asks::Restart, Asks::Settings];
    let writing = per(taken(&writing), 1);
    let used = (installing / let_out(GUEST_PATCHES, left)).max(writing / let_out(ARM_WRITES, 1.0));
    let throttled = log::throttled(calls);
    Wave {
        machines,
        current: 0,
        foreign_percent,
        installs: installs.len(),
        seconds,
        used_percent: 100.0 * used,
        calls: calls.len() as u64,
        throttled,
        throttled_per_10000: 10_000.0 * per(throttled, calls.len()),
    }
}
