//! What a guest says of itself, asked by a script that changes nothing.
//!
//! Whether virtualization-based security runs is in no resource of Azure (azure.md §2). The script
//! and its name are constants: sent twice, it is one resource and one answer. Must never run
//! anything that changes the guest.

use super::arm::Arm;
use super::error::{Error, bounded};
use super::port::GuestAnswer;
use super::read_as::some;
use super::run_command::{Place, delete, ended, named, order, put, view_of};
use super::wire::run_command::{RunCommand, RunCommandProperties};
use super::wire::{API_COMPUTE, API_HYBRID_SCRIPTS};
use crate::domain::command::RequestId;
use crate::domain::machine::{InstallStatus, MachineId, MachineKind};

/// The script: it prints one number, 0 where virtualization-based security is off, 1 where it is
/// switched on and does not run, 2 where it runs (`Win32_DeviceGuard`,
/// `VirtualizationBasedSecurityStatus`; windowsserverdocs,
/// enable-hotpatch-azure-arc-enabled-servers).
pub const LOOK_SCRIPT: &str = "\
$ErrorActionPreference = 'Stop'
$place = 'root/Microsoft/Windows/DeviceGuard'
$guard = Get-CimInstance -Namespace $place -ClassName Win32_DeviceGuard
[string]$guard.VirtualizationBasedSecurityStatus
";

/// What the run command is called on each machine.
const NAME: &str = "hotpatch-look";

/// What the script prints where virtualization-based security runs, and where it does not.
const ANSWERS: [(&str, bool); 3] = [("0", false), ("1", false), ("2", true)];

fn what(machine: &MachineId) -> String {
    format!("the look into {machine}")
}

/// Returns the run command on a machine. Azure Local is not among the places where run commands are
/// documented (azure.md §2).
fn place(what: &str, machine: &MachineId, kind: MachineKind) -> Result<Place, Error> {
    match kind {
        MachineKind::AzureVm => named(what, machine, NAME, API_COMPUTE),
        MachineKind::ArcServer => named(what, machine, NAME, API_HYBRID_SCRIPTS),
        MachineKind::AzureLocalVm => Err(Error::Unsupported {
            what: what.to_owned(),
        }),
    }
}

/// Has the script run.
pub(super) async fn ask(
    arm: &Arm,
    machine: &MachineId,
    kind: MachineKind,
    location: &str,
    request: &RequestId,
) -> Result<(), Error> {
    let what = what(machine);
    let place = place(&what, machine, kind)?;
    let body = order(location, LOOK_SCRIPT, Vec::new());
    put(arm, &what, &place, &body, request).await
}

/// Asks what the script printed.
pub(super) async fn answer(
    arm: &Arm,
    machine: &MachineId,
    kind: MachineKind,
) -> Result<GuestAnswer, Error> {
    let what = what(machine);
    let url = view_of(arm, &what, &place(&what, machine, kind)?)?;
    let reply = arm.poll(&what, &url).await?;
    match reply.status.as_u16() {
        404 | 410 => Ok(GuestAnswer::Gone),
        200..=299 => {
            let found: RunCommand = reply.json(&what)?;
            Ok(judged(&found.properties.unwrap_or_default()))
        }
        _ => Err(arm.refused_read(&what, &reply)),
    }
}

fn judged(properties: &RunCommandProperties) -> GuestAnswer {
    let Some(outcome) = ended(properties) else {
        return GuestAnswer::Awaited;
    };
    let view = properties.instance_view.as_ref();
    let output = view.and_then(|own| some(own.output.as_ref()));
    let output = output.map_or("", str::trim);
    let known = ANSWERS.iter().find(|(word, _)| *word == output);
    match (outcome.status, known) {
        (InstallStatus::Succeeded, Some((_, runs))) => GuestAnswer::VbsRuns(*runs),
        _ => GuestAnswer::Silent(outcome.error.unwrap_or_else(|| {
            bounded(&format!("the script that looks into it printed {output:?}"))
        })),
    }
}

/// Deletes the run command. To be asked for once the script ended.
pub(super) async fn clear(arm: &Arm, machine: &MachineId, kind: MachineKind) -> Result<(), Error> {
    let what = what(machine);
    delete(arm, &what, &place(&what, machine, kind)?).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may unwrap")]

    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_number_that_windows_documents_is_an_answer() {
        let ended = |state: &str, output: &str| {
            json!({"provisioningState": "Succeeded",
                "instanceView": {"executionState": state, "output": output}})
        };
        let silent = |text: &str| GuestAnswer::Silent(text.to_owned());
        let printed = "the script that looks into it printed";
        let rows = [
            (
                json!({"provisioningState": "Creating"}),
                GuestAnswer::Awaited,
            ),
            (ended("Running", ""), GuestAnswer::Awaited),
            (ended("Succeeded", "0"), GuestAnswer::VbsRuns(false)),
            (ended("Succeeded", "1\r\n"), GuestAnswer::VbsRuns(false)),
            (ended("Succeeded", " 2\n"), GuestAnswer::VbsRuns(true)),
            (
                ended("Succeeded", "22"),
                silent(&format!("{printed} \"22\"")),
            ),
            (ended("Succeeded", ""), silent(&format!("{printed} \"\""))),
            (
                ended("Failed", "2"),
                silent("the script ended as Failed: 2"),
            ),
        ];
        for (properties, expected) in rows {
            let text = properties.to_string();
            let found = judged(&serde_json::from_value(properties).unwrap());
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn the_script_changes_nothing() {
        for line in LOOK_SCRIPT.lines() {
            let is_read = line.contains("Get-CimInstance")
                || line.starts_with("[string]")
                || line.contains(" = '");
            assert!(is_read, "{line}");
        }
    }
}
