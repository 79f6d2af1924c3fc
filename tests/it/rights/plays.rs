//! The rehearsals that use every right.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use azure_sim::{ArcSpec, Assumptions, AzureSim, Fault, LicenceState, LocalSpec, VmSpec};
use bytes::Bytes;
use chrono::TimeDelta;
use hotpatch_operator::azure::transport::SimTransport;
use hotpatch_operator::azure::{Cloud, Endpoint, Token};
use hotpatch_operator::domain::command::RequestId;
use hotpatch_operator::domain::enrolment::{Change, SettingsPatch, TagChange};
use hotpatch_operator::domain::machine::{MachineId, MachineKind};
use hotpatch_operator::rehearsal::{Ended, Rehearsal};

use super::witness;
use crate::rehearsal::{FLEET, NIGHTS, QUICK, options, paused};

/// The hour before the baseline of July 2025.
const EVE: &str = "2025-07-08T16:00:00Z";

/// Plays rollouts in which everything is asked for that the client can ask for.
pub(super) fn everything_that_is_used() -> BTreeSet<String> {
    let used = Arc::default();
    paused(a_baseline(&used));
    paused(a_few_by_hand(&used));
    let found: BTreeSet<String> = Mutex::lock(&used).unwrap().clone();
    found
}

/// A baseline on all kinds: settings and licences are changed, one answer is lost, and reboots
/// stay owed, so that restarts follow: of the Arc server by a script.
async fn a_baseline(used: &Arc<Mutex<BTreeSet<String>>>) {
    let mut options = options(1, EVE.parse().unwrap(), &[QUICK, NIGHTS, FLEET]);
    options.assumptions = Assumptions {
        model_never_overrides_if_required: true,
        ..Assumptions::default()
    };
    options.run_commands = true;
    let mut own = Rehearsal::new(options).await.unwrap();
    witness(&own.azure, used);
    let servers = own.azure.machines().into_iter().map(|own| own.id);
    for server in servers.filter(|id| id.ends_with("/branch-1")) {
        own.azure.keep_up(&server);
    }
    lose_an_answer(&own);
    let until = own.now() + TimeDelta::days(5);
    assert_eq!(own.run_until(|_, _| false, until).await, Ended::TimeUp);
    own.kill();
    assert!(own.violations().is_empty(), "{:#?}", own.violations());
}

/// What a rollout seldom comes to, asked through the same port: the restart of an Azure Local VM
/// whose reboot stayed owed, an operation of an Arc server before its records tell its end, a look
/// into a VM, and a licence profile that is not there yet.
async fn a_few_by_hand(used: &Arc<Mutex<BTreeSet<String>>>) {
    let start = EVE.parse().unwrap();
    let azure = AzureSim::new(Arc::new(move || start), azure_sim::Options::default());
    let vm = azure.add_vm(VmSpec::ws2025_azure_edition("vm-1"));
    let guest = azure.add_local(LocalSpec::ws2025_azure_edition("guest-1"));
    let server = azure.add_arc(ArcSpec::ws2025_standard("branch-1").licence(LicenceState::Missing));
    witness(&azure, used);
    let endpoint = Endpoint::parse(Endpoint::PUBLIC).unwrap();
    let transport = Arc::new(SimTransport::new(azure));
    let cloud = Cloud::new(transport, endpoint, Token::new("operator").unwrap());
    let request = RequestId("7d4f0000-0000-4000-8000-000000000001".to_owned());
    let guest = MachineId::parse(&guest).unwrap();
    let operation = cloud
        .restart(&guest, MachineKind::AzureLocalVm, request)
        .await
        .unwrap();
    cloud.operation(&operation).await.unwrap();
    let (vm, kind) = (MachineId::parse(&vm).unwrap(), MachineKind::AzureVm);
    let request = RequestId("7d4f0000-0000-4000-8000-000000000003".to_owned());
    let asked = cloud.ask_guest(&vm, kind, "westeurope", request);
    asked.await.unwrap();
    cloud.guest_answer(&vm, kind).await.unwrap();
    cloud.clear_guest(&vm, kind).await.unwrap();
    let server = MachineId::parse(&server).unwrap();
    let request = RequestId("7d4f0000-0000-4000-8000-000000000002".to_owned());
    let assessing = cloud.assess(&server, MachineKind::ArcServer, request);
    let operation = assessing.await.unwrap();
    cloud.operation(&operation).await.unwrap();
    let change = Change {
        machine: server,
        settings: SettingsPatch::default(),
        licence: Some(true),
        tag: TagChange::Keep,
        replaces: None,
    };
    cloud.change(&change, MachineKind::ArcServer).await.unwrap();
}

/// Loses the answer to the first install.
fn lose_an_answer(own: &Rehearsal) {
    let lost = AtomicBool::new(false);
    own.azure.on_call(move |request: &http::Request<Bytes>| {
        let is_install = request.uri().path().ends_with("/installPatches");
        if is_install && !lost.swap(true, Ordering::SeqCst) {
            Fault::DropAfter
        } else {
            Fault::None
        }
    });
}
