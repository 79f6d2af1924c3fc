//! Letting go of machines by hand, against the emulator.

use std::sync::Arc;

use azure_sim::{AzureSim, Options, VmSpec, What};
use chrono::{DateTime, Utc};
use hotpatch_operator::azure::transport::SimTransport;
use hotpatch_operator::azure::{Cloud, Endpoint, Scope, Token};
use hotpatch_operator::cli::release::release;
use hotpatch_operator::domain::enrolment::{ClaimIdentity, Desired, Wanted, claim_of, difference};
use hotpatch_operator::domain::machine::{Machine, PatchMode, RebootSetting};

struct World {
    sim: AzureSim,
    cloud: Cloud,
    time: Arc<std::sync::Mutex<DateTime<Utc>>>,
    scope: Scope,
}

impl World {
    fn new() -> Self {
        let start: DateTime<Utc> = "2025-11-20T06:00:00Z".parse().unwrap();
        let time = Arc::new(std::sync::Mutex::new(start));
        let read = Arc::clone(&time);
        let sim = AzureSim::new(Arc::new(move || *read.lock().unwrap()), Options::default());
        let endpoint = Endpoint::parse(Endpoint::PUBLIC).unwrap();
        let transport = Arc::new(SimTransport::new(sim.clone()));
        let cloud = Cloud::new(transport, endpoint, Token::new("operator").unwrap());
        let scope = Scope {
            subscriptions: vec![azure_sim::DEFAULT_SUBSCRIPTION.to_owned()],
            management_groups: vec![],
        };
        Self {
            sim,
            cloud,
            time,
            scope,
        }
    }

    fn now(&self) -> DateTime<Utc> {
        *self.time.lock().unwrap()
    }

    /// Lets Resource Graph catch up.
    fn rest(&self) {
        *self.time.lock().unwrap() += chrono::TimeDelta::minutes(5);
        self.sim.advance();
    }

    async fn machine(&self, name: &str) -> Machine {
        let inventory = self.cloud.inventory(&self.scope, self.now()).await.unwrap();
        let found = inventory.machines.iter().find(|own| own.name == name);
        Machine::clone(found.unwrap())
    }

    /// Adds a VM that Windows Update patches, and enrols it for a fleet.
    async fn enrol(&self, name: &str, cluster: &str, fleet: &str) {
        self.sim
            .add_vm(VmSpec::ws2025_azure_edition(name).os_patching());
        self.rest();
        let machine = self.machine(name).await;
        let identity = ClaimIdentity::new(cluster, fleet).unwrap();
        let desired = Desired::of(&machine, true);
        let change = difference(&machine, &desired, &identity).unwrap().unwrap();
        self.cloud.change(&change, machine.kind).await.unwrap();
        self.rest();
    }

    fn writes(&self) -> usize {
        let effects = self.sim.effects_since(0);
        let is_write = |own: &&azure_sim::Effect| matches!(own.what, What::CallAccepted(_));
        effects.iter().filter(is_write).count()
    }
}

fn of_fleet(cluster: &str, fleet: &str) -> Wanted {
    Wanted {
        cluster: cluster.to_owned(),
        fleet: Some(fleet.to_owned()),
        ..Wanted::default()
    }
}

#[tokio::test]
async fn a_fleet_that_is_gone_gives_its_machines_back_as_they_were() {
    let own = World::new();
    own.enrol("vm1", "c1", "f1").await;
    own.enrol("vm2", "c1", "f2").await;
    let enrolled = own.machine("vm1").await;
    assert_eq!(enrolled.settings.patch_mode, PatchMode::AutomaticByPlatform);
    let (before, wanted) = (own.writes(), of_fleet("c1", "f1"));

    let said = release(&own.cloud, &own.scope, &wanted, false, own.now())
        .await
        .unwrap();
    assert_eq!(
        (said.changed, said.kept, said.failed),
        (1, 0, 0),
        "{said:?}"
    );
    assert!(said.text.contains("would write patchMode"), "{}", said.text);
    assert_eq!(own.writes(), before, "a dry run writes nothing");

    let done = release(&own.cloud, &own.scope, &wanted, true, own.now())
        .await
        .unwrap();
    assert_eq!(
        (done.changed, done.kept, done.failed),
        (1, 0, 0),
        "{done:?}"
    );
    own.rest();
    let freed = own.machine("vm1").await;
    assert_eq!(freed.settings.patch_mode, PatchMode::AutomaticByOs);
    assert!(!freed.settings.hotpatch);
    assert_ne!(freed.settings.reboot, RebootSetting::Never);
    assert_eq!(claim_of(&freed), Ok(None));
    let other = own.machine("vm2").await;
    assert_eq!(other.settings.patch_mode, PatchMode::AutomaticByPlatform);
    assert!(claim_of(&other).unwrap().is_some());
    let again = release(&own.cloud, &own.scope, &wanted, true, own.now())
        .await
        .unwrap();
    assert_eq!((again.changed, again.kept), (0, 0), "{again:?}");
}

#[tokio::test]
async fn a_machine_of_another_cluster_stays_whoever_asks() {
    let own = World::new();
    own.enrol("vm1", "c2", "f1").await;
    let before = own.writes();
    let id = own.machine("vm1").await.id;
    let listed = Wanted {
        cluster: "c1".to_owned(),
        fleet: None,
        machines: [id].into(),
    };
    for wanted in [of_fleet("c1", "f1"), listed] {
        let said = release(&own.cloud, &own.scope, &wanted, true, own.now())
            .await
            .unwrap();
        assert_eq!((said.changed, said.kept), (0, 1), "{said:?}");
        assert!(
            said.text.contains("fleet f1 of cluster c2"),
            "{}",
            said.text
        );
    }
    assert_eq!(own.writes(), before);
}
