//! How many queries an inventory costs, and that all ways to ask tell the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use azure_sim::{ArcSpec, Assumptions, AzureSim, LocalSpec, Options, PatchLevel, VmSpec};
use bytes::Bytes;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use hotpatch_operator::azure::transport::SimTransport;
use hotpatch_operator::azure::{Cloud, Endpoint, Error, Inventory, Scope, Token};
use std::sync::Mutex;

/// A fleet of which every machine was assessed and installed twice.
struct Fleet {
    sim: AzureSim,
    clock: Arc<Mutex<DateTime<Utc>>>,
    queries: Arc<AtomicUsize>,
}

impl Fleet {
    fn new(remote_tables: usize, machines: usize) -> Self {
        let start = DateTime::parse_from_rfc3339("2025-09-20T00:00:00Z").unwrap();
        let clock = Arc::new(Mutex::new(start.to_utc()));
        let shown = Arc::clone(&clock);
        let options = Options {
            assumptions: Assumptions {
                graph_remote_tables: remote_tables,
                ..Assumptions::default()
            },
            ..Options::default()
        };
        let sim = AzureSim::new(Arc::new(move || *shown.lock().unwrap()), options);
        let behind = PatchLevel::AsOf(NaiveDate::from_ymd_opt(2025, 8, 1).unwrap());
        let mut ids = Vec::new();
        for number in 0..machines {
            let name = format!("m-{number:05}");
            ids.push(match number % 10 {
                0 => sim.add_arc(ArcSpec::ws2025_datacenter(&name).patched(behind)),
                1 => sim.add_local(LocalSpec::ws2025_azure_edition(&name).patched(behind)),
                _ => sim.add_vm(VmSpec::ws2025_azure_edition(&name).patched(behind)),
            });
        }
        let fleet = Self {
            sim,
            clock,
            queries: Arc::default(),
        };
        let classes = r#"{"maximumDuration":"PT2H","rebootSetting":"IfRequired",
            "windowsParameters":{"classificationsToInclude":["Critical","Security"]}}"#;
        for (action, body) in [("installPatches", classes), ("assessPatches", "")] {
            for id in &ids {
                fleet.post(&format!("{id}/{action}"), body);
            }
            fleet.pass(TimeDelta::hours(6));
        }
        let counted = Arc::clone(&fleet.queries);
        fleet.sim.after_call(move |_, path, _| {
            if path.to_lowercase().contains("microsoft.resourcegraph") {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        fleet
    }

    fn post(&self, path: &str, body: &str) {
        let request = http::Request::post(format!(
            "https://management.azure.com{path}?api-version=2025-01-13"
        ))
        .header("authorization", "Bearer t")
        .body(Bytes::from(body.to_owned()))
        .unwrap();
        let status = self.sim.call(request).unwrap().status();
        assert!(status.is_success(), "{path}: {status}");
    }

    fn pass(&self, time: TimeDelta) {
        *self.clock.lock().unwrap() += time;
        self.sim.advance();
    }

    /// Reads everything, waiting wherever the quota says so; returns the queries it took.
    async fn await_inventory(&self) -> (Inventory, usize) {
        let endpoint = Endpoint::parse(Endpoint::PUBLIC).unwrap();
        let transport = Arc::new(SimTransport::new(self.sim.clone()));
        let cloud = Cloud::new(transport, endpoint, Token::new("t").unwrap());
        let mut subscriptions: Vec<String> = Vec::new();
        for machine in self.sim.machines() {
            subscriptions.push(machine.id.split('/').nth(2).unwrap().to_lowercase());
        }
        subscriptions.sort();
        subscriptions.dedup();
        let scope = Scope {
            subscriptions,
            management_groups: Vec::new(),
        };
        // The first reading learns what the tenant allows.
        let mut found = None;
        let mut taken = 0;
        for _ in 0..2 {
            let before = self.queries.load(Ordering::SeqCst);
            found = Some(loop {
                let now = *self.clock.lock().unwrap();
                match cloud.inventory(&scope, now).await {
                    Ok(found) => break found,
                    Err(Error::Throttled { until_seconds, .. }) => {
                        self.pass(TimeDelta::seconds(i64::try_from(until_seconds).unwrap()));
                    }
                    Err(error) => panic!("{error}"),
                }
            });
            taken = self.queries.load(Ordering::SeqCst) - before;
        }
        (found.unwrap(), taken)
    }
}

#[tokio::test]
async fn a_thousand_machines_cost_five_queries_as_the_documents_limit_joins() {
    let machines = 1000;
    let (inventory, queries) = Fleet::new(1, machines).await_inventory().await;
    println!("{queries} queries for {machines} machines");
    // Two pages of machines with the licence profiles of Arc servers; Azure Local; installs;
    // health.
    assert_eq!(queries, 5);
    assert_eq!(inventory.machines.len(), machines);
}

#[tokio::test]
async fn however_a_tenant_limits_joins_the_same_is_told() {
    let machines = 100;
    let mut told = Vec::new();
    // Other tables that a query may join, and the queries.
    for (remote_tables, expected) in [(3, 2), (1, 4), (0, 7)] {
        let (mut inventory, queries) = Fleet::new(remote_tables, machines).await_inventory().await;
        println!("{remote_tables} joined tables: {queries} queries for {machines} machines");
        assert_eq!(queries, expected, "{remote_tables}");
        assert_eq!(inventory.machines.len(), machines);
        assert!(
            inventory.unreadable.is_empty(),
            "{:?}",
            inventory.unreadable
        );
        let sound = inventory.machines.iter().filter(|machine| {
            machine.assessment.is_some()
                && machine.installs.iter().any(|own| !own.installed.is_empty())
        });
        assert_eq!(sound.count(), machines);
        // Times differ by what the quota made the reading wait.
        inventory.at = DateTime::<Utc>::MIN_UTC;
        told.push(inventory);
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], told[2]);
}
