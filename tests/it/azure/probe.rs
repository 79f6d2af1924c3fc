//! What `probe-azure` answers follows the switches of the emulator.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use azure_sim::{
    Assumptions, AzureSim, BaselineReports, HotpatchReports, Options, PatchLevel, VmSpec,
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use hotpatch_operator::azure::transport::SimTransport;
use hotpatch_operator::azure::{Cloud, Endpoint, Scope, Token};
use hotpatch_operator::cli::probe_azure::{Answer, UNASKED, answers, text};
use hotpatch_operator::domain::command::RequestId;
use hotpatch_operator::domain::machine::{Machine, MachineId, MachineKind};
use hotpatch_operator::domain::release::Catalogue;

/// After a baseline and before the next hotpatch, and after that one.
const OCTOBER: &str = "2025-10-20T06:00:00Z";
const NOVEMBER: &str = "2025-11-20T06:00:00Z";

/// Probes a tenant with a VM that has the newest baseline and one that lacks two.
async fn probe(assumptions: Assumptions, start: &str) -> Vec<Answer> {
    let start: DateTime<Utc> = start.parse().unwrap();
    let time = Arc::new(Mutex::new(start));
    let read = Arc::clone(&time);
    let options = Options {
        assumptions,
        ..Options::default()
    };
    let sim = AzureSim::new(Arc::new(move || *read.lock().unwrap()), options);
    let old = NaiveDate::from_ymd_opt(2025, 5, 20).unwrap();
    let vms = [
        ("late", PatchLevel::Baseline),
        ("old", PatchLevel::AsOf(old)),
    ]
    .map(|(name, level)| sim.add_vm(VmSpec::ws2025_azure_edition(name).patched(level)));
    let endpoint = Endpoint::parse(Endpoint::PUBLIC).unwrap();
    let transport = Arc::new(SimTransport::new(sim.clone()));
    let cloud = Cloud::new(transport, endpoint, Token::new("operator").unwrap());
    for (number, vm) in vms.iter().enumerate() {
        let id = MachineId::parse(vm).unwrap();
        let request = RequestId(format!("00000000-0000-4000-8000-00000000000{number}"));
        cloud
            .assess(&id, MachineKind::AzureVm, request)
            .await
            .unwrap();
    }
    *time.lock().unwrap() += TimeDelta::hours(1);
    sim.advance();
    let scope = Scope {
        subscriptions: vec![azure_sim::DEFAULT_SUBSCRIPTION.to_owned()],
        management_groups: vec![],
    };
    let now = *time.lock().unwrap();
    let inventory = cloud.inventory(&scope, now).await.unwrap();
    let machines: Vec<&Machine> = inventory.machines.iter().map(AsRef::as_ref).collect();
    answers(&machines, Catalogue::embedded())
}

#[tokio::test]
async fn each_answer_follows_its_switch() {
    let never = Assumptions::default();
    let rows = [
        (never.clone(), "hotpatch_reports", "NeverReboots"),
        (
            Assumptions {
                hotpatch_reports: HotpatchReports::CanRequestReboot,
                ..never.clone()
            },
            "hotpatch_reports",
            "CanRequestReboot",
        ),
        (never.clone(), "baseline_reports", "AlwaysRequiresReboot"),
        (
            Assumptions {
                baseline_reports: BaselineReports::CanRequestReboot,
                ..never.clone()
            },
            "baseline_reports",
            "CanRequestReboot",
        ),
        (never.clone(), "superseded_offered", "false"),
        (
            Assumptions {
                superseded_offered: true,
                ..never
            },
            "superseded_offered",
            "true",
        ),
    ];
    for (assumptions, switch, expected) in rows {
        let hotpatch = switch == "hotpatch_reports";
        let start = if hotpatch { NOVEMBER } else { OCTOBER };
        let found = probe(assumptions, start).await;
        let own = found.iter().find(|own| own.switch == switch).unwrap();
        assert_eq!(own.value, Some(expected), "{found:#?}");
        assert!(text(&found).contains(&format!("{switch} = {expected}")));
    }
}

#[test]
fn nothing_is_answered_from_nothing() {
    for own in answers(&[], Catalogue::embedded()) {
        assert_eq!(own.value, None, "{own:?}");
    }
}

#[test]
fn every_assumption_is_answered_or_named() {
    let answered = answers(&[], Catalogue::embedded());
    let named: BTreeSet<&str> = answered
        .iter()
        .map(|own| own.switch)
        .chain(UNASKED.iter().map(|(switch, _)| *switch))
        .collect();
    let debug = format!("{:?}", Assumptions::default());
    let body = debug.split_once('{').unwrap().1.trim_end_matches('}');
    let fields: BTreeSet<&str> = body
        .split(',')
        .filter_map(|own| Some(own.split_once(':')?.0.trim()))
        .collect();
    assert_eq!(named, fields);
}
