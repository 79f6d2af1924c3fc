//! The client against the emulator: every case in process, and by HTTPS with the real transport.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use azure_sim::serve::{Certificate, Listen, Served};
use azure_sim::{
    ArcSpec, AzureSim, Clock, DEFAULT_SUBSCRIPTION, Fault, LicenceState, LocalSpec, Options,
    PatchLevel, TagsPatch, VmSpec,
};
use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone, Utc};
use hotpatch_operator::azure::transport::{HttpsTransport, Roots, SimTransport};
use hotpatch_operator::azure::{
    Cloud, Endpoint, Error, Inventory, LogEvidence, Operation, OperationState, Outcome, PollStyle,
    Scope, Token, Transport,
};
use hotpatch_operator::domain::command::{InstallOrder, RequestId, RestartOrder};
use hotpatch_operator::domain::enrolment::{CLAIM_TAG, Change, SettingsPatch, TagChange};
use hotpatch_operator::domain::machine::{
    ClusterUpdate, Connection, Facts, Health, Image, InstallStatus, Licence, Machine, MachineId,
    MachineKind, PatchMode, Power, Product, RebootStatus, ScaleSet, ZonePlace,
};

/// Polls of one operation before a test gives up.
const POLLS_MAX: usize = 200;

/// How the client reaches the emulator.
#[derive(Clone, Copy)]
enum Way {
    InProcess,
    Https,
}

/// Gives a transport to an emulator, its address, and what serves it.
fn reach(way: Way, sim: &AzureSim) -> (Arc<dyn Transport>, String, Option<Served>) {
    match way {
        Way::InProcess => {
            let transport = Arc::new(SimTransport::new(sim.clone()));
            (transport, Endpoint::PUBLIC.to_owned(), None)
        }
        Way::Https => {
            let certificate = Certificate::make().unwrap();
            let pem = certificate.authority_pem().to_owned();
            let listen = Listen::default().with_certificate(certificate);
            let served = Served::start_as(sim.clone(), listen).unwrap();
            let transport = HttpsTransport::new(Roots::Only(pem.as_bytes())).unwrap();
            (Arc::new(transport), served.endpoint(), Some(served))
        }
    }
}

/// Runs cases in process and by HTTPS. A case that is not named here does not compile: nobody
/// would use it.
macro_rules! both_ways {
    ($($name:ident),* $(,)?) => {
        mod in_process {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Way::InProcess).await;
            })*
        }
        mod by_https {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Way::Https).await;
            })*
        }
    };
}

mod steering;

both_ways! {
    a_stuck_operation_runs_and_an_expired_one_is_gone,
    rows_doubled_across_pages_are_one_machine_each,
    a_truncated_or_refused_page_is_no_inventory,
    a_mixed_fleet_is_read_whole,
    a_large_fleet_is_read_page_by_page_within_the_quota,
    an_azure_local_vm_shows_whether_its_cluster_updates_itself,
    an_install_runs_to_its_end_on_every_kind,
    a_restart_restarts_once,
    a_script_restarts_an_arc_server_once_and_only_while_it_owes_a_reboot,
    a_script_whose_answer_is_lost_is_found_by_its_name,
    what_stands_in_the_way_of_a_script_is_told,
    a_second_install_is_refused_for_sure,
    a_vm_is_enrolled_and_released_however_tags_are_patched,
    a_tag_written_in_between_is_a_conflict_and_not_lost,
    an_arc_server_gets_its_licence_made_and_switched_off,
    the_log_proves_what_a_lost_reply_does_not,
    the_log_shows_a_refusal_and_the_restart_of_an_azure_local_vm,
    a_machine_made_anew_is_another_incarnation,
}

struct World {
    sim: AzureSim,
    cloud: Cloud,
    /// Makes a cloud that remembers nothing.
    way_in: Box<dyn Fn() -> Cloud>,
    time: Arc<Mutex<DateTime<Utc>>>,
    /// Serves until the world is gone.
    _served: Option<Served>,
}

impl World {
    fn new(way: Way, options: Options) -> Self {
        let start = Utc.with_ymd_and_hms(2025, 11, 20, 6, 0, 0).unwrap();
        let time = Arc::new(Mutex::new(start));
        let read = time.clone();
        let clock: Clock = Arc::new(move || *read.lock().unwrap());
        let sim = AzureSim::new(clock, options);
        let (transport, endpoint, served) = reach(way, &sim);
        let endpoint = Endpoint::parse(&endpoint).unwrap();
        let way_in = move || {
            let token = Token::new("operator").unwrap();
            Cloud::new(Arc::clone(&transport), endpoint.clone(), token)
        };
        Self {
            sim,
            cloud: way_in(),
            way_in: Box::new(way_in),
            time,
            _served: served,
        }
    }

    /// The cloud as another process of the operator makes it, which remembers nothing.
    fn another_process(&self) -> Cloud {
        (self.way_in)()
    }

    fn now(&self) -> DateTime<Utc> {
        *self.time.lock().unwrap()
    }

    fn pass(&self, delta: TimeDelta) {
        *self.time.lock().unwrap() += delta;
        self.sim.advance();
    }

    fn scope(&self) -> Scope {
        Scope {
            subscriptions: vec![DEFAULT_SUBSCRIPTION.to_owned()],
            management_groups: vec![],
        }
    }

    /// Reads the inventory as a caller does that obeys the quota.
    async fn inventory(&self) -> Inventory {
        for _ in 0..POLLS_MAX {
            match self.cloud.inventory(&self.scope(), self.now()).await {
                Ok(inventory) => return inventory,
                Err(Error::Throttled { until_seconds, .. }) => {
                    self.pass(TimeDelta::seconds(i64::try_from(until_seconds).unwrap()));
                }
                Err(error) => panic!("{error}"),
            }
        }
        panic!("no inventory");
    }

    async fn end(&self, operation: &Operation) -> Outcome {
        for _ in 0..POLLS_MAX {
            match self.cloud.operation(operation).await.unwrap() {
                OperationState::Ended(outcome) => return outcome,
                OperationState::Running { again_seconds } => {
                    let seconds = i64::try_from(again_seconds).unwrap();
                    self.pass(TimeDelta::seconds(seconds.max(60)));
                }
                OperationState::Gone => panic!("gone"),
            }
        }
        panic!("it does not end");
    }
}

fn machine<'a>(inventory: &'a Inventory, name: &str) -> &'a Machine {
    inventory
        .machines
        .iter()
        .find(|machine| machine.name == name)
        .unwrap_or_else(|| panic!("{name}: {:?}", inventory.unreadable))
}

fn vm_facts(machine: &Machine) -> &hotpatch_operator::domain::machine::VmFacts {
    let Facts::AzureVm(facts) = &machine.facts else {
        panic!("{:?}", machine.facts)
    };
    facts
}

fn request(number: u8) -> RequestId {
    RequestId(format!("5f2c2d0e-9d0a-5c6c-8f6a-0123456789{number:02x}"))
}

async fn a_mixed_fleet_is_read_whole(way: Way) {
    let world = World::new(way, Options::default());
    let sim = &world.sim;
    sim.set_zone_mapping(DEFAULT_SUBSCRIPTION, "westeurope", [3, 1, 2]);
    sim.add_vm(
        VmSpec::ws2025_azure_edition("web-1")
            .zone(1)
            .tag("ring", "canary"),
    );
    sim.add_vm(VmSpec::ws2022_azure_edition("web-2").availability_set("as-1", 2));
    sim.add_vm(VmSpec::ws2019("old-1").os_patching());
    sim.add_vm(VmSpec::linux("tux-1"));
    sim.add_vm(VmSpec::ws2025_azure_edition("off-1").deallocated());
    sim.add_vm(VmSpec::ws2025_azure_edition("bare-1").without_os_profile());
    sim.add_vm(VmSpec::ws2025_azure_edition("own-1").gallery_image("/gallery/mine"));
    sim.add_vm(VmSpec::ws2025_azure_edition("uni-1").uniform_scale_set("set-1"));
    sim.add_arc(ArcSpec::ws2025_datacenter("arc-1").tag("site", "Hamburg"));
    sim.add_arc(ArcSpec::ws2022("arc-2"));
    sim.add_arc(ArcSpec::ws2025_standard("arc-3").licence(LicenceState::Failed));
    sim.add_arc(ArcSpec::ws2025_standard("arc-4").disconnected());
    sim.add_local(LocalSpec::ws2025_azure_edition("hci-1").cluster("c-1"));
    sim.add_local(LocalSpec::ws2025_azure_edition("hci-2").without_guest_management());
    world.pass(TimeDelta::minutes(5));
    let inventory = world.inventory().await;
    assert!(
        inventory.unreadable.is_empty(),
        "{:?}",
        inventory.unreadable
    );
    assert_eq!(inventory.machines.len(), 14);
    assert!(inventory.machines.is_sorted_by(|a, b| a.id < b.id));

    let web = machine(&inventory, "web-1");
    assert_eq!(
        (web.kind, web.product),
        (MachineKind::AzureVm, Product::Ws2025)
    );
    assert!(matches!(&web.placement.zone, ZonePlace::Physical(zone) if zone.ends_with("3")));
    assert_eq!((&web.health, web.power), (&Health::Healthy, Power::Running));
    assert_eq!(web.settings.patch_mode, PatchMode::AutomaticByPlatform);
    assert!(web.settings.hotpatch);
    assert_eq!(web.tags.get("RING"), Some("canary"));
    assert!(web.incarnation.body.is_some());
    let set = machine(&inventory, "web-2")
        .placement
        .availability_set
        .as_ref()
        .unwrap();
    assert!(set.id.ends_with("/as-1"), "{set:?}");
    assert_eq!(machine(&inventory, "web-2").product, Product::Ws2022);
    assert_eq!(machine(&inventory, "old-1").product, Product::OtherWindows);
    assert_eq!(machine(&inventory, "tux-1").product, Product::NotWindows);
    assert_eq!(machine(&inventory, "off-1").power, Power::Off);
    assert_eq!(
        machine(&inventory, "off-1").product,
        Product::Ws2025,
        "by its image"
    );
    assert!(vm_facts(machine(&inventory, "bare-1")).os_profile.is_none());
    assert!(matches!(
        vm_facts(machine(&inventory, "own-1")).image,
        Image::Custom(_)
    ));
    assert_eq!(
        vm_facts(machine(&inventory, "uni-1")).scale_set,
        ScaleSet::Uniform
    );

    let arc = machine(&inventory, "arc-1");
    let Facts::ArcServer(facts) = &arc.facts else {
        panic!("{:?}", arc.facts)
    };
    assert_eq!(
        (facts.licence, facts.connection),
        (Licence::Enabled, Connection::Connected)
    );
    assert_eq!(arc.placement.site.as_deref(), Some("Hamburg"));
    assert!(
        arc.build.is_some_and(|build| build.build() == 26100),
        "{:?}",
        arc.build
    );
    let licence = |name: &str| match &machine(&inventory, name).facts {
        Facts::ArcServer(facts) => facts.licence,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (licence("arc-2"), licence("arc-3")),
        (Licence::Absent, Licence::Failed)
    );
    let silent = machine(&inventory, "arc-4");
    assert!(matches!(&silent.facts, Facts::ArcServer(facts)
        if matches!(facts.connection, Connection::Disconnected { since: Some(_) })));

    let local = machine(&inventory, "hci-1");
    assert!(
        matches!(&local.facts, Facts::AzureLocalVm(Some(_))),
        "{:?}",
        local.facts
    );
    assert_eq!(local.power, Power::Running);
    assert!(
        local
            .placement
            .cluster
            .as_deref()
            .is_some_and(|id| id.ends_with("/c-1"))
    );
    let bare = machine(&inventory, "hci-2");
    assert_eq!(
        (bare.kind, &bare.facts),
        (MachineKind::AzureLocalVm, &Facts::AzureLocalVm(None))
    );
}

async fn a_large_fleet_is_read_page_by_page_within_the_quota(way: Way) {
    let world = World::new(way, Options::default());
    for number in 0..1500 {
        world
            .sim
            .add_vm(VmSpec::ws2025_azure_edition(&format!("vm-{number:04}")));
    }
    world.pass(TimeDelta::minutes(5));
    let inventory = world.inventory().await;
    assert_eq!(inventory.machines.len(), 1500);
    assert!(inventory.unreadable.is_empty());
}

async fn an_azure_local_vm_shows_whether_its_cluster_updates_itself(way: Way) {
    let world = World::new(way, Options::default());
    let local = |name: &str| LocalSpec::ws2025_azure_edition(name).cluster("c-1");
    let id = world.sim.add_local(local("hci"));
    world.sim.add_vm(VmSpec::ws2025_azure_edition("vm"));
    world.pass(TimeDelta::minutes(5));
    let inventory = world.inventory().await;
    let cluster = machine(&inventory, "hci")
        .placement
        .cluster
        .clone()
        .unwrap();
    let rows = [
        (Some("AppliedSuccessfully"), ClusterUpdate::Quiet),
        (Some("UpdateInProgress"), ClusterUpdate::Running),
        (Some("PreparationInProgress"), ClusterUpdate::Running),
        (Some("UpdateFailed"), ClusterUpdate::Quiet),
        (Some("AWordOfTomorrow"), ClusterUpdate::Unknown),
        (None, ClusterUpdate::Unknown),
    ];
    for (state, expected) in rows {
        world.sim.set_cluster_update(&cluster.to_uppercase(), state);
        world.pass(TimeDelta::minutes(5));
        let inventory = world.inventory().await;
        let found = |name: &str| machine(&inventory, name).cluster_update;
        assert_eq!(found("hci"), expected, "{state:?}");
        assert_eq!(found("vm"), ClusterUpdate::Quiet, "{state:?}");
        let only = BTreeSet::from([MachineId::parse(&id).unwrap()]);
        let glimpse = world.cloud.progress(&world.scope(), &only).await.unwrap();
        assert_eq!(
            glimpse.values().next().unwrap().cluster_update,
            expected,
            "{state:?}"
        );
    }
}

/// Assesses a machine and returns what is offered to it.
async fn offered(world: &World, id: &MachineId, kind: MachineKind) -> InstallOrder {
    let operation = world.cloud.assess(id, kind, request(1)).await.unwrap();
    let outcome = world.end(&operation).await;
    assert_eq!(outcome.status, InstallStatus::Succeeded, "{outcome:?}");
    world.pass(TimeDelta::minutes(5));
    let inventory = world.inventory().await;
    let found = inventory
        .machines
        .iter()
        .find(|machine| machine.id == *id)
        .unwrap();
    let assessment = found.assessment.as_ref().expect("an assessment");
    let security: Vec<_> = assessment
        .offered
        .iter()
        .filter(|offer| offer.security)
        .collect();
    assert!(!security.is_empty(), "{assessment:?}");
    InstallOrder {
        kbs: security.iter().map(|offer| offer.kb).collect(),
        may_reboot: true,
        exclude_rebooting: false,
        published_until: world.now().date_naive(),
        maximum_duration: TimeDelta::minutes(235),
    }
}

async fn an_install_runs_to_its_end_on_every_kind(way: Way) {
    let world = World::new(way, Options::default());
    let behind = PatchLevel::AsOf(NaiveDate::from_ymd_opt(2025, 9, 20).unwrap());
    let vm = VmSpec::ws2025_azure_edition("vm").patched(behind);
    let arc = ArcSpec::ws2025_datacenter("arc").patched(behind);
    let local = LocalSpec::ws2025_azure_edition("hci").patched(behind);
    let ids = [
        (world.sim.add_vm(vm), MachineKind::AzureVm),
        (world.sim.add_arc(arc), MachineKind::ArcServer),
        (world.sim.add_local(local), MachineKind::AzureLocalVm),
    ];
    world.pass(TimeDelta::minutes(5));
    for (text, kind) in ids {
        let id = MachineId::parse(&text).unwrap();
        let order = offered(&world, &id, kind).await;
        let before = world.sim.machine(&text).unwrap().boot_count;
        let operation = world
            .cloud
            .install(&id, kind, &order, request(2))
            .await
            .unwrap();
        world.pass(TimeDelta::minutes(3));

        let only = BTreeSet::from([id.clone()]);
        let running = world.cloud.progress(&world.scope(), &only).await.unwrap();
        assert_eq!(
            running[&id].installs[0].status,
            InstallStatus::InProgress,
            "{kind}"
        );
        let reading = world.cloud.read(&id, kind).await.unwrap();
        assert_eq!(
            reading.busy.is_some(),
            reading.shows_installs,
            "{kind}: {reading:?}"
        );

        // Another process goes on with no more than what a run stores.
        let stored = (operation.url.clone(), operation.style.to_string());
        let resumed = Operation::resume(stored.0, stored.1.parse().unwrap());
        let state = world.another_process().operation(&resumed).await.unwrap();
        assert!(
            matches!(state, OperationState::Running { .. }),
            "{kind}: {state:?}"
        );
        let operation = resumed;

        let outcome = world.end(&operation).await;
        assert_eq!(
            outcome.status,
            InstallStatus::Succeeded,
            "{kind}: {outcome:?}"
        );
        assert_eq!(
            outcome.reboot,
            RebootStatus::Completed,
            "{kind}: {outcome:?}"
        );
        world.pass(TimeDelta::minutes(5));
        let done = world.cloud.progress(&world.scope(), &only).await.unwrap();
        let record = &done[&id].installs[0];
        assert_eq!(Some(&record.activity), outcome.activity.as_ref());
        assert_eq!(record.status, InstallStatus::Succeeded);
        assert_eq!(record.installed, order.kbs, "{kind}");
        assert_eq!(done[&id].health, Health::Healthy, "{kind}");
        let truth = world.sim.machine(&text).unwrap();
        for kb in &order.kbs {
            assert!(
                truth.installed.contains(&kb.number().to_string()),
                "{kind}: {kb}"
            );
        }
        assert_eq!(truth.boot_count, before + 1, "{kind}");
        let reading = world.cloud.read(&id, kind).await.unwrap();
        assert_eq!(reading.busy, None, "{kind}");
        assert_eq!(reading.health, Health::Healthy, "{kind}");
    }
}

async fn a_restart_restarts_once(way: Way) {
    let world = World::new(way, Options::default());
    let vm = world.sim.add_vm(VmSpec::ws2025_azure_edition("vm"));
    let local = world.sim.add_local(LocalSpec::ws2025_azure_edition("hci"));
    for (text, kind) in [
        (vm, MachineKind::AzureVm),
        (local, MachineKind::AzureLocalVm),
    ] {
        let id = MachineId::parse(&text).unwrap();
        let before = world.sim.machine(&text).unwrap().boot_count;
        let operation = world.cloud.restart(&id, kind, request(3)).await.unwrap();
        let outcome = world.end(&operation).await;
        assert_eq!(outcome.status, InstallStatus::Succeeded, "{kind}");
        world.pass(TimeDelta::minutes(20));
        assert_eq!(
            world.sim.machine(&text).unwrap().boot_count,
            before + 1,
            "{kind}"
        );
    }
}

/// An Arc server that owes the reboot of a baseline.
async fn owing(world: &World) -> MachineId {
    let behind = PatchLevel::AsOf(NaiveDate::from_ymd_opt(2025, 9, 20).unwrap());
    let spec = ArcSpec::ws2025_standard("srv").patched(behind);
    let text = world.sim.add_arc(spec);
    let id = MachineId::parse(&text).unwrap();
    world.pass(TimeDelta::minutes(5));
    world.sim.keep_up(&text);
    let order = offered(world, &id, MachineKind::ArcServer).await;
    let installed = world
        .cloud
        .install(&id, MachineKind::ArcServer, &order, request(1));
    let operation = installed.await.unwrap();
    world.end(&operation).await;
    world.pass(TimeDelta::minutes(5));
    let owes = world.sim.machine(&text).unwrap().pending_reboot;
    assert!(!owes.is_empty());
    id
}

fn restart_until(not_after: DateTime<Utc>) -> RestartOrder {
    RestartOrder {
        location: "westeurope".to_owned(),
        not_after,
    }
}

async fn a_script_restarts_an_arc_server_once_and_only_while_it_owes_a_reboot(way: Way) {
    for runs_again in [true, false] {
        let mut options = Options::default();
        options.assumptions.repeated_run_command_runs = runs_again;
        let world = World::new(way, options);
        let id = owing(&world).await;
        let boots = || world.sim.machine(id.as_str()).unwrap().boot_count;
        let before = boots();
        let order = restart_until(world.now() + TimeDelta::hours(1));
        let send = |n| world.cloud.restart_by_script(&id, &order, request(n));
        let operation = send(2).await.unwrap();
        assert_eq!(operation.style, PollStyle::RunCommand);
        // The network may deliver a PUT twice: it is the same resource.
        assert_eq!(send(2).await.unwrap(), operation);
        let outcome = world.end(&operation).await;
        assert_eq!(outcome.status, InstallStatus::Succeeded);
        assert_eq!(
            boots(),
            before,
            "the answer comes before the guest goes down"
        );
        world.pass(TimeDelta::minutes(20));
        assert_eq!(boots(), before + 1);
        // Late copies, and another restart, find nothing owed.
        send(2).await.unwrap();
        let another = send(3).await.unwrap();
        assert_eq!(world.end(&another).await.status, InstallStatus::Succeeded);
        world.pass(TimeDelta::minutes(20));
        assert_eq!(boots(), before + 1);
        world.cloud.clear_restart(&id, &request(2)).await.unwrap();
        world.cloud.clear_restart(&id, &request(2)).await.unwrap();
        let gone = world.cloud.operation(&operation).await.unwrap();
        assert_eq!(gone, OperationState::Gone);
    }
}

async fn a_script_whose_answer_is_lost_is_found_by_its_name(way: Way) {
    let world = World::new(way, Options::default());
    let id = owing(&world).await;
    let since = world.now();
    let order = restart_until(since + TimeDelta::hours(1));
    for (fault, arrives) in [(Fault::DropBefore, false), (Fault::DropAfter, true)] {
        let struck = std::sync::atomic::AtomicBool::new(false);
        world
            .sim
            .on_call(move |call: &http::Request<bytes::Bytes>| {
                let is_put = call.method() == http::Method::PUT;
                let first = is_put && !struck.swap(true, std::sync::atomic::Ordering::SeqCst);
                if first { fault.clone() } else { Fault::None }
            });
        let number = if arrives { 8 } else { 7 };
        let sent = world.cloud.restart_by_script(&id, &order, request(number));
        let lost = sent.await.unwrap_err();
        assert!(!lost.is_sure_refusal(), "{lost}");
        let now = world.now();
        let found = world
            .cloud
            .evidence_of_restart(&id, request(number), since, now);
        match found.await.unwrap() {
            LogEvidence::Accepted { operation, .. } => {
                assert!(arrives);
                let outcome = world.end(&operation.unwrap()).await;
                assert_eq!(outcome.status, InstallStatus::Succeeded);
            }
            LogEvidence::Absent { searched_until } => {
                assert!(!arrives && searched_until == now);
            }
            LogEvidence::Refused { .. } => panic!("nothing was refused"),
        }
        world.sim.clear_hooks();
    }
    // Once it is deleted the Activity Log still knows of it.
    world.pass(TimeDelta::minutes(10));
    world.cloud.clear_restart(&id, &request(8)).await.unwrap();
    let found = world
        .cloud
        .evidence_of_restart(&id, request(8), since, world.now());
    let found = found.await.unwrap();
    assert!(
        matches!(
            found,
            LogEvidence::Accepted {
                operation: None,
                ..
            }
        ),
        "{found:?}"
    );
}

async fn what_stands_in_the_way_of_a_script_is_told(way: Way) {
    let world = World::new(way, Options::default());
    let id = owing(&world).await;
    let before = world.sim.machine(id.as_str()).unwrap().boot_count;
    // It waited for its machine until the window was over.
    world.sim.disconnect(id.as_str());
    let order = restart_until(world.now() + TimeDelta::minutes(10));
    let waits = world.cloud.restart_by_script(&id, &order, request(4));
    let waits = waits.await.unwrap();
    world.pass(TimeDelta::minutes(60));
    let running = world.cloud.operation(&waits).await.unwrap();
    assert!(matches!(running, OperationState::Running { .. }));
    world.sim.reconnect(id.as_str());
    let outcome = world.end(&waits).await;
    assert_eq!(outcome.status, InstallStatus::Failed);
    let error = outcome.error.unwrap();
    assert!(error.contains("exit code 3: too late"), "{error}");
    // It never came back in time.
    world.sim.disconnect(id.as_str());
    let order = restart_until(world.now() + TimeDelta::hours(20));
    let lost = world.cloud.restart_by_script(&id, &order, request(5));
    let lost = lost.await.unwrap();
    world.pass(TimeDelta::hours(7));
    let outcome = world.end(&lost).await;
    assert_eq!(outcome.status, InstallStatus::Failed);
    let after = world.sim.machine(id.as_str()).unwrap().boot_count;
    assert_eq!(after, before);
}

async fn a_second_install_is_refused_for_sure(way: Way) {
    let world = World::new(way, Options::default());
    let behind = PatchLevel::AsOf(NaiveDate::from_ymd_opt(2025, 9, 20).unwrap());
    let text = world
        .sim
        .add_vm(VmSpec::ws2025_azure_edition("vm").patched(behind));
    world.pass(TimeDelta::minutes(5));
    let id = MachineId::parse(&text).unwrap();
    let order = offered(&world, &id, MachineKind::AzureVm).await;
    let send = |n| {
        world
            .cloud
            .install(&id, MachineKind::AzureVm, &order, request(n))
    };
    send(4).await.unwrap();
    let refused = send(5).await.unwrap_err();
    assert!(matches!(refused, Error::Conflict { .. }), "{refused:?}");
    assert!(refused.is_sure_refusal());
}

fn enrol(id: &MachineId, tag: TagChange) -> Change {
    let settings = SettingsPatch {
        patch_mode: Some(PatchMode::AutomaticByPlatform),
        hotpatch: Some(true),
        ..SettingsPatch::default()
    };
    Change {
        machine: id.clone(),
        settings,
        licence: None,
        tag,
        replaces: None,
    }
}

async fn a_vm_is_enrolled_and_released_however_tags_are_patched(way: Way) {
    for tags_patch in [TagsPatch::Merge, TagsPatch::Replace] {
        let mut options = Options::default();
        options.assumptions.tags_patch = tags_patch;
        let world = World::new(way, options);
        let spec = VmSpec::ws2025_azure_edition("vm")
            .os_patching()
            .tag("app", "web");
        let text = world.sim.add_vm(spec);
        let id = MachineId::parse(&text).unwrap();
        let change = enrol(&id, TagChange::Set("claim".into()));
        world
            .cloud
            .change(&change, MachineKind::AzureVm)
            .await
            .unwrap();
        world.pass(TimeDelta::minutes(5));
        let reading = world.cloud.read(&id, MachineKind::AzureVm).await.unwrap();
        assert!(reading.settings.hotpatch, "{tags_patch:?}");
        assert_eq!(reading.settings.patch_mode, PatchMode::AutomaticByPlatform);
        assert_eq!(reading.tags.get(CLAIM_TAG), Some("claim"));
        assert_eq!(reading.tags.get("app"), Some("web"));
        assert!(reading.etag.is_some() && reading.server_date.is_some());

        let mut release = enrol(&id, TagChange::Remove);
        release.settings.hotpatch = Some(false);
        world
            .cloud
            .change(&release, MachineKind::AzureVm)
            .await
            .unwrap();
        world.pass(TimeDelta::minutes(5));
        let reading = world.cloud.read(&id, MachineKind::AzureVm).await.unwrap();
        assert!(!reading.settings.hotpatch, "{tags_patch:?}");
        assert_eq!(reading.tags.get(CLAIM_TAG), None, "{tags_patch:?}");
        assert_eq!(reading.tags.get("app"), Some("web"));
    }
}

async fn a_tag_written_in_between_is_a_conflict_and_not_lost(way: Way) {
    let world = World::new(way, Options::default());
    let text = world.sim.add_vm(VmSpec::ws2025_azure_edition("vm"));
    let id = MachineId::parse(&text).unwrap();
    let sim = world.sim.clone();
    let other = text.clone();
    world.sim.after_call(move |method, _, _| {
        if method == "GET" {
            sim.retag(&other, "app", Some("web"));
        }
    });
    let change = enrol(&id, TagChange::Set("claim".into()));
    let found = world
        .cloud
        .change(&change, MachineKind::AzureVm)
        .await
        .unwrap_err();
    assert!(matches!(found, Error::Conflict { .. }), "{found:?}");
    world.sim.clear_hooks();
    let reading = world.cloud.read(&id, MachineKind::AzureVm).await.unwrap();
    assert_eq!(
        (reading.tags.get("app"), reading.tags.get(CLAIM_TAG)),
        (Some("web"), None)
    );
}

async fn an_arc_server_gets_its_licence_made_and_switched_off(way: Way) {
    let world = World::new(way, Options::default());
    let text = world
        .sim
        .add_arc(ArcSpec::ws2025_standard("arc").not_enrolled());
    let id = MachineId::parse(&text).unwrap();
    let mut change = enrol(&id, TagChange::Set("claim".into()));
    change.settings.patch_mode = None;
    change.licence = Some(true);
    world
        .cloud
        .change(&change, MachineKind::ArcServer)
        .await
        .unwrap();
    world.pass(TimeDelta::hours(2));
    assert!(world.sim.machine(&text).unwrap().enrolled);
    let licence = |inventory: &Inventory| match &inventory.machines[0].facts {
        Facts::ArcServer(facts) => facts.licence,
        other => panic!("{other:?}"),
    };
    assert_eq!(licence(&world.inventory().await), Licence::Enabled);
    change.tag = TagChange::Remove;
    change.settings.hotpatch = Some(false);
    change.licence = Some(false);
    world
        .cloud
        .change(&change, MachineKind::ArcServer)
        .await
        .unwrap();
    world.pass(TimeDelta::hours(2));
    assert_eq!(licence(&world.inventory().await), Licence::Disabled);
    let reading = world.cloud.read(&id, MachineKind::ArcServer).await.unwrap();
    assert_eq!(reading.tags.get(CLAIM_TAG), None);
    assert!(!reading.settings.hotpatch);
}

async fn the_log_proves_what_a_lost_reply_does_not(way: Way) {
    let world = World::new(way, Options::default());
    let text = world.sim.add_vm(VmSpec::ws2025_azure_edition("vm"));
    let id = MachineId::parse(&text).unwrap();
    let since = world.now() - TimeDelta::minutes(1);
    for (number, fault, arrived) in [(6, Fault::DropBefore, false), (7, Fault::DropAfter, true)] {
        world.sim.on_call(move |request| {
            if request.method() == "POST" {
                fault.clone()
            } else {
                Fault::None
            }
        });
        let sent = world
            .cloud
            .restart(&id, MachineKind::AzureVm, request(number))
            .await;
        let found = sent.unwrap_err();
        assert!(matches!(found, Error::Ambiguous { .. }), "{found:?}");
        world.sim.clear_hooks();
        world.pass(TimeDelta::minutes(10));
        let now = world.now();
        let evidence = world
            .cloud
            .evidence(&id, request(number), since, now)
            .await
            .unwrap();
        match evidence {
            LogEvidence::Accepted { .. } => assert!(arrived),
            LogEvidence::Absent { searched_until } => assert!(!arrived && searched_until == now),
            LogEvidence::Refused { .. } => panic!("{evidence:?}"),
        }
    }
}

async fn the_log_shows_a_refusal_and_the_restart_of_an_azure_local_vm(way: Way) {
    let world = World::new(way, Options::default());
    let behind = PatchLevel::AsOf(NaiveDate::from_ymd_opt(2025, 9, 20).unwrap());
    let text = world
        .sim
        .add_vm(VmSpec::ws2025_azure_edition("vm").patched(behind));
    let id = MachineId::parse(&text).unwrap();
    let since = world.now() - TimeDelta::minutes(1);
    world.pass(TimeDelta::minutes(5));
    let order = offered(&world, &id, MachineKind::AzureVm).await;
    let send = |n| {
        world
            .cloud
            .install(&id, MachineKind::AzureVm, &order, request(n))
    };
    send(8).await.unwrap();
    let _ = send(9).await.unwrap_err();
    let local = world.sim.add_local(LocalSpec::ws2025_azure_edition("hci"));
    let local = MachineId::parse(&local).unwrap();
    world
        .cloud
        .restart(&local, MachineKind::AzureLocalVm, request(10))
        .await
        .unwrap();
    world.pass(TimeDelta::minutes(10));
    let evidence = |id, n| world.cloud.evidence(id, request(n), since, world.now());
    assert!(matches!(
        evidence(&id, 8).await.unwrap(),
        LogEvidence::Accepted { .. }
    ));
    assert!(matches!(
        evidence(&id, 9).await.unwrap(),
        LogEvidence::Refused { .. }
    ));
    assert!(matches!(
        evidence(&local, 10).await.unwrap(),
        LogEvidence::Accepted { .. }
    ));
}

async fn a_machine_made_anew_is_another_incarnation(way: Way) {
    let world = World::new(way, Options::default());
    let text = world.sim.add_vm(VmSpec::ws2025_azure_edition("vm"));
    let id = MachineId::parse(&text).unwrap();
    let before = world
        .cloud
        .read(&id, MachineKind::AzureVm)
        .await
        .unwrap()
        .incarnation;
    world.sim.recreate(&text);
    let after = world
        .cloud
        .read(&id, MachineKind::AzureVm)
        .await
        .unwrap()
        .incarnation;
    assert_ne!(before, after);
    world.sim.delete_machine(&text);
    let gone = world
        .cloud
        .read(&id, MachineKind::AzureVm)
        .await
        .unwrap_err();
    assert!(matches!(gone, Error::NotFound { .. }), "{gone:?}");
}

/// Switches a fault on.
fn switch(world: &World, rule: &str) {
    let rule = rule.parse().unwrap();
    world.sim.switchboard().set(rule).unwrap();
}

async fn a_stuck_operation_runs_and_an_expired_one_is_gone(way: Way) {
    let world = World::new(way, Options::default());
    let text = world.sim.add_vm(VmSpec::ws2025_azure_edition("vm"));
    let id = MachineId::parse(&text).unwrap();
    let sent = world
        .cloud
        .assess(&id, MachineKind::AzureVm, request(11))
        .await
        .unwrap();
    world.pass(TimeDelta::hours(5));
    switch(&world, "stuck-operation,machine=vm");
    let state = world.cloud.operation(&sent).await.unwrap();
    assert!(matches!(state, OperationState::Running { .. }), "{state:?}");
    world.sim.switchboard().clear();
    switch(&world, "expired-operation,machine=vm");
    let state = world.cloud.operation(&sent).await.unwrap();
    assert!(matches!(state, OperationState::Gone), "{state:?}");
    world.sim.switchboard().clear();
    let state = world.cloud.operation(&sent).await.unwrap();
    assert!(matches!(state, OperationState::Ended(_)), "{state:?}");
}

async fn rows_doubled_across_pages_are_one_machine_each(way: Way) {
    let world = World::new(way, Options::default());
    for number in 0..1100 {
        let name = format!("vm-{number:04}");
        world.sim.add_vm(VmSpec::ws2025_azure_edition(&name));
    }
    world.pass(TimeDelta::minutes(5));
    switch(&world, "duplicate-rows");
    let inventory = world.inventory().await;
    assert_eq!(inventory.machines.len(), 1100);
    assert!(
        inventory.unreadable.is_empty(),
        "{:?}",
        inventory.unreadable
    );
}

async fn a_truncated_or_refused_page_is_no_inventory(way: Way) {
    for rule in [
        "truncated-page",
        "server-error=503",
        "reset-after",
        "token-expired",
    ] {
        let world = World::new(way, Options::default());
        world.sim.add_vm(VmSpec::ws2025_azure_edition("vm-1"));
        world.sim.add_vm(VmSpec::ws2025_azure_edition("vm-2"));
        world.pass(TimeDelta::minutes(5));
        switch(&world, &format!("{rule},path=resourcegraph"));
        let read = world.cloud.inventory(&world.scope(), world.now()).await;
        assert!(read.is_err(), "{rule}: {read:?}");
    }
}
