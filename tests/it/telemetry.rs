//! Probes and metrics of the whole controller, and the page that documents them.

// tests may unwrap
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::TimeDelta;
use hotpatch_operator::rehearsal::identities::IDENTITIES;
use hotpatch_operator::rehearsal::{Ended, Rehearsal};
use hotpatch_operator::telemetry::METRICS;

use crate::rehearsal::{FLEET, NIGHTS, QUICK, options, paused};

/// The hour before the baseline of July 2025.
const EVE: &str = "2025-07-08T16:00:00Z";

/// The most series that an installation of any size shows: labels are words of the program.
const SERIES_MAX: usize = 600;

/// The series of a page: name, labels, value.
fn series(page: &str) -> Vec<(String, BTreeMap<String, String>, f64)> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let labels = labels.trim_end_matches('}').split(',');
            let labels = labels.filter(|own| !own.is_empty()).map(|own| {
                let (key, value) = own.split_once('=').unwrap();
                (key.to_owned(), value.trim_matches('"').to_owned())
            });
            let labels: BTreeMap<_, _> = labels.collect();
            (name.to_owned(), labels, value.parse().unwrap())
        })
        .collect()
}

async fn rollout() -> (Rehearsal, String) {
    let options = options(1, EVE.parse().unwrap(), &[QUICK, NIGHTS, FLEET]);
    let mut own = Rehearsal::new(options).await.unwrap();
    assert!(own.telemetry.is_ready().is_err(), "ready before it started");
    let until = own.now() + TimeDelta::days(2);
    assert_eq!(own.run_until(|_, _| false, until).await, Ended::TimeUp);
    assert_eq!(own.telemetry.is_ready(), Ok(()));
    assert_eq!(own.telemetry.is_live(), Ok(()));
    let page = own.telemetry.exposition();
    (own, page)
}

#[test]
fn a_rollout_is_counted_and_every_series_is_of_the_table() {
    let (commands, page) = paused(async {
        let (own, page) = rollout().await;
        (own.look(|world| world.sent.len()), page)
    });
    let mut labels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for metric in METRICS {
        labels.insert(metric.name, metric.labels.iter().copied().collect());
    }
    let series = series(&page);
    for (name, found, _) in &series {
        let histogram = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end));
        let name = histogram.unwrap_or(name);
        let known = labels.get(name).unwrap_or_else(|| panic!("{name}"));
        let found: BTreeSet<&str> = found.keys().map(String::as_str).collect();
        let found = found.into_iter().filter(|own| *own != "le").collect();
        assert_eq!(*known, found, "{name}");
    }
    let sum = |name: &str, label: &str, value: &str| -> f64 {
        let own = series.iter().filter(|(own, labels, _)| {
            own == name && (label.is_empty() || labels.get(label).is_some_and(|own| own == value))
        });
        own.map(|own| own.2).sum()
    };
    let accepted = sum("hotpatch_commands_total", "outcome", "accepted");
    assert!(
        commands > 0 && accepted >= commands as f64,
        "{accepted}\n{page}"
    );
    assert_eq!(sum("hotpatch_leader", "", ""), 1.0);
    assert_eq!(sum("hotpatch_fleets", "mode", "Enforce"), 1.0);
    assert!(sum("hotpatch_passes_total", "", "") > 10.0, "{page}");
    assert!(sum("hotpatch_machines", "", "") > 3.0, "{page}");
    assert!(
        sum("hotpatch_azure_requests_total", "kind", "install") > 0.0,
        "{page}"
    );
    assert_eq!(
        sum("hotpatch_azure_requests_total", "kind", "other"),
        0.0,
        "{page}"
    );
    assert!(sum("hotpatch_kube_requests_total", "resource", "leases") > 0.0);
    assert_eq!(
        sum("hotpatch_kube_requests_total", "resource", "other"),
        0.0,
        "{page}"
    );
    assert_eq!(
        sum("hotpatch_fleet_conditions", "condition", "Ready"),
        1.0,
        "{page}"
    );
    assert!(series.len() < SERIES_MAX, "{} series", series.len());
}

#[test]
fn no_credential_machine_or_namespace_stands_on_the_page() {
    let (names, page) = paused(async {
        let (own, page) = rollout().await;
        let names = own.look(|world| {
            let machines = world.facts.keys().map(|id| id.rsplit('/').next().unwrap());
            machines.map(str::to_owned).collect::<Vec<_>>()
        });
        (names, page)
    });
    let mut identities = IDENTITIES.iter();
    assert!(identities.all(|own| !page.contains(own.secret)));
    assert!(names.len() > 3, "{names:?}");
    for (_, labels, _) in series(&page) {
        for value in labels.values() {
            let named = names.iter().any(|name| value.eq_ignore_ascii_case(name));
            assert!(!named && value != "web", "{value}");
        }
    }
}

#[test]
fn one_that_stands_by_is_ready_and_one_that_is_cut_off_is_not_live() {
    paused(async {
        let (mut own, _) = rollout().await;
        let first = own.telemetry.clone();
        // The killed leader's lease stands: the next process waits for it to run out.
        own.restart();
        let until = own.now() + TimeDelta::minutes(6);
        own.run_until(|_, _| false, until).await;
        assert_eq!(own.telemetry.is_ready(), Ok(()));
        let leads = |page: &str| page.lines().any(|own| own == "hotpatch_leader 1");
        assert!(!leads(&own.telemetry.exposition()), "stands by");
        let until = own.now() + TimeDelta::minutes(20);
        own.run_until(|_, _| false, until).await;
        assert!(leads(&own.telemetry.exposition()), "takes over");
        assert!(
            first.is_live().is_err(),
            "the dead one shows no sign of life"
        );
    });
}

#[test]
fn the_page_of_metrics_is_made_from_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    let mut table =
        String::from("| name | type | labels | what it tells |\n| --- | --- | --- | --- |\n");
    for own in METRICS {
        let labels: Vec<String> = own.labels.iter().map(|own| format!("`{own}`")).collect();
        let row = format!(
            "| `{}` | {} | {} | {} |\n",
            own.name,
            own.kind,
            labels.join(", "),
            own.help
        );
        table.push_str(&row);
    }
    assert!(
        page.contains(&table),
        "docs/metrics.md: its table must be\n\n{table}"
    );
}
