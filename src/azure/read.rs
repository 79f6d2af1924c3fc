//! One machine, read from itself: one call, just before acting on it or to confirm an end.

use super::act::{path, version};
use super::arm::{Arm, Reply};
use super::error::Error;
use super::port::{LastActivity, Reading};
use super::read_as::{
    Signs, connection, install_status, instant, is, power, provisioning, settings, some,
};
use super::wire::arc::ArcMachine;
use super::wire::vm::{InstanceView, PatchStatus, Vm};
use crate::domain::machine::{
    ClusterUpdate, Incarnation, InstallStatus, MachineId, MachineKind, Power, Tags,
};

pub(super) async fn read(
    arm: &Arm,
    machine: &MachineId,
    kind: MachineKind,
) -> Result<Reading, Error> {
    let what = format!("the machine {machine}");
    let path = path(&what, machine)?;
    let path = format!("{path}?$expand=instanceView&api-version={}", version(kind));
    let reply = arm.get(&what, &path).await?;
    let reading = match kind {
        MachineKind::AzureVm => vm(reply.json(&what)?),
        MachineKind::ArcServer | MachineKind::AzureLocalVm => arc(reply.json(&what)?),
    };
    let reading = reading.ok_or_else(|| Error::malformed(&what, "it has no vmId"))?;
    Ok(with_headers(reading, &reply))
}

fn with_headers(mut reading: Reading, reply: &Reply) -> Reading {
    reading.server_date = reply.date();
    if reading.etag.is_none() {
        reading.etag = reply.header("etag").map(str::to_owned);
    }
    reading
}

fn incarnation(vm_id: Option<&String>, body: Option<&String>) -> Option<Incarnation> {
    Some(Incarnation {
        vm_id: some(vm_id)?.to_ascii_lowercase(),
        body: some(body).map(str::to_ascii_lowercase),
    })
}

fn vm(vm: Vm) -> Option<Reading> {
    let properties = vm.properties.unwrap_or_default();
    let disk = properties
        .storage_profile
        .as_ref()
        .and_then(|s| s.os_disk.as_ref())
        .and_then(|d| d.managed_disk.as_ref())
        .and_then(|d| d.id.as_ref());
    let windows = properties
        .os_profile
        .as_ref()
        .and_then(|p| p.windows_configuration.as_ref());
    let view = properties.instance_view.as_ref();
    let patch = view.and_then(|v| v.patch_status.as_ref());
    let mut signs = Signs::default();
    signs.vm(view, true);
    let last = patch.and_then(last_activity);
    let assessed = patch.and_then(|p| p.available_patch_summary.as_ref());
    Some(Reading {
        incarnation: incarnation(properties.vm_id.as_ref(), disk)?,
        settings: settings(windows.and_then(|w| w.patch_settings.as_ref())),
        power: power(view).0,
        cluster_update: ClusterUpdate::Quiet,
        health: signs.judge(),
        busy: busy(
            properties.provisioning_state.as_deref(),
            view,
            last.as_ref(),
        ),
        last_activity: last,
        shows_installs: patch.is_some(),
        reboot_pending: assessed.and_then(|a| a.reboot_pending),
        assessed_at: assessed
            .and_then(|a| some(a.last_modified_time.as_ref()))
            .and_then(instant),
        connection: None,
        tags: Tags::new(vm.tags.unwrap_or_default()),
        etag: vm.etag,
        server_date: None,
    })
}

fn last_activity(patch: &PatchStatus) -> Option<LastActivity> {
    let last = patch.last_patch_installation_summary.as_ref()?;
    Some(LastActivity {
        id: some(last.installation_activity_id.as_ref())?.to_owned(),
        started: some(last.start_time.as_ref()).and_then(instant),
        status: install_status(last.status.as_deref()),
    })
}

/// The operation that shows on a VM: provisioning, an install, or an assessment, which Azure does
/// not let another command overtake.
fn busy(
    state: Option<&str>,
    view: Option<&InstanceView>,
    last: Option<&LastActivity>,
) -> Option<String> {
    let patch = view.and_then(|v| v.patch_status.as_ref());
    let assesses = patch
        .and_then(|p| p.available_patch_summary.as_ref())
        .is_some_and(|a| is(a.status.as_deref(), "InProgress"));
    let runs = last.filter(|last| last.status == InstallStatus::InProgress);
    provisioning(state)
        .or_else(|| view_provisioning(view))
        .or_else(|| runs.map(|last| format!("installPatches {}", last.id)))
        .or_else(|| assesses.then(|| "assessPatches".to_owned()))
}

fn view_provisioning(view: Option<&InstanceView>) -> Option<String> {
    let code = view?
        .statuses
        .iter()
        .flatten()
        .filter_map(|status| status.code.as_deref())
        .find(|code| code.to_ascii_lowercase().starts_with("provisioningstate/"))?;
    provisioning(code.split('/').nth(1))
}

fn arc(machine: ArcMachine) -> Option<Reading> {
    let properties = machine.properties.unwrap_or_default();
    let windows = properties
        .os_profile
        .as_ref()
        .and_then(|p| p.windows_configuration.as_ref());
    let mut signs = Signs::default();
    let changed = some(properties.last_status_change.as_ref());
    let connection = connection(some(properties.status.as_ref()), changed);
    match some(properties.status.as_ref()) {
        Some(_) => signs.arc(connection),
        None => signs.silent("Arc agent"),
    }
    let connected = is(properties.status.as_deref(), "Connected");
    Some(Reading {
        incarnation: incarnation(properties.vm_id.as_ref(), properties.vm_uuid.as_ref())?,
        settings: settings(windows.and_then(|w| w.patch_settings.as_ref())),
        power: if connected {
            Power::Running
        } else {
            Power::Unknown
        },
        cluster_update: ClusterUpdate::Unknown,
        health: signs.judge(),
        busy: provisioning(properties.provisioning_state.as_deref()),
        last_activity: None,
        shows_installs: false,
        reboot_pending: None,
        assessed_at: None,
        connection: Some(connection),
        tags: Tags::new(machine.tags.unwrap_or_default()),
        etag: machine.etag,
        server_date: None,
    })
}
