//! Commands and writes. Each is sent once, as the caller asks; bodies hold nothing but what the
//! domain's order or change says.

use http::Method;
use serde_json::{Map, Value, json};

use super::arm::Arm;
use super::claims::{bears_claim, claimed_elsewhere, is_claimed, remove_left, tags};
use super::error::Error;
use super::operation;
use super::port::Operation;
use super::wire::arc::ArcMachine;
use super::wire::{API_COMPUTE, API_HYBRID, API_LOCAL};
use crate::domain::command::{InstallOrder, RequestId};
use crate::domain::enrolment::{Change, SettingsPatch, TagChange};
use crate::domain::machine::{MachineId, MachineKind, PatchMode, RebootSetting};
use crate::planted::{self, Bug};

/// The shortest and the longest install that is ever ordered, in minutes (azure.md §1.5: the
/// update needs 25 at least; Azure Update Manager's longest is 3 h 55 min).
const INSTALL_MINUTES: std::ops::RangeInclusive<i64> = 25..=240;

/// Updates named in one order at most.
const KBS_MAX: usize = 100;

/// Writes one segment of a path.
///
/// # Errors
/// [`Error::Invalid`] where it would step out of its place.
pub(super) fn segment(what: &str, text: &str) -> Result<String, Error> {
    if matches!(text, "" | "." | "..") {
        return Err(invalid(what, "id", "a part of the id is no name"));
    }
    Ok(encoded(text))
}

/// Percent-encodes everything but letters, digits and `-._~()`.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~()".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Writes a machine's path.
pub(super) fn path(what: &str, machine: &MachineId) -> Result<String, Error> {
    let mut path = String::new();
    for part in machine.as_str().split('/').skip(1) {
        path.push('/');
        path.push_str(&segment(what, part)?);
    }
    Ok(path)
}

pub(super) fn version(kind: MachineKind) -> &'static str {
    match kind {
        MachineKind::AzureVm => API_COMPUTE,
        MachineKind::ArcServer | MachineKind::AzureLocalVm => API_HYBRID,
    }
}

fn invalid(what: &str, target: &str, message: &str) -> Error {
    Error::Invalid {
        what: what.to_owned(),
        code: "InvalidOrder".to_owned(),
        target: Some(target.to_owned()),
        message: message.to_owned(),
    }
}

pub(super) async fn assess(
    arm: &Arm,
    machine: &MachineId,
    kind: MachineKind,
    request: &RequestId,
) -> Result<Operation, Error> {
    let what = format!("assessPatches on {machine}");
    let path = path(&what, machine)?;
    let path = format!("{path}/assessPatches?api-version={}", version(kind));
    let reply = arm
        .command(&what, Method::POST, &path, request, None)
        .await?;
    operation::accepted(arm, &what, &reply)
}

pub(super) async fn install(
    arm: &Arm,
    machine: &MachineId,
    kind: MachineKind,
    order: &InstallOrder,
    request: &RequestId,
) -> Result<Operation, Error> {
    let what = format!("installPatches on {machine}");
    let body = install_body(&what, order)?;
    let path = path(&what, machine)?;
    let path = format!("{path}/installPatches?api-version={}", version(kind));
    let reply = arm
        .command(&what, Method::POST, &path, request, Some(&body))
        .await?;
    operation::accepted(arm, &what, &reply)
}

/// Writes an install's body: pinned, so an order without updates is refused here.
pub(super) fn install_body(what: &str, order: &InstallOrder) -> Result<Value, Error> {
    if order.kbs.is_empty() || order.kbs.len() > KBS_MAX {
        return Err(invalid(
            what,
            "kbNumbersToInclude",
            "it names no update, or too many",
        ));
    }
    let minutes = order.maximum_duration.num_minutes();
    if !INSTALL_MINUTES.contains(&minutes) {
        return Err(invalid(
            what,
            "maximumDuration",
            "it is no time an install can take",
        ));
    }
    let numbers: Vec<String> = order.kbs.iter().map(|kb| kb.number().to_string()).collect();
    let day = order.published_until.format("%Y-%m-%d");
    let pinned = || {
        json!({
            "kbNumbersToInclude": numbers,
            "maxPatchPublishDate": format!("{day}T23:59:59Z"),
        })
    };
    let mut windows = match planted::is(Bug::ByClassification) {
        false => pinned(),
        true => json!({"classificationsToInclude": ["Critical", "Security"]}),
    };
    if order.exclude_rebooting {
        windows["excludeKbsRequiringReboot"] = json!(true);
    }
    let reboot = planted::pick(Bug::RebootAlways, "IfRequired", "Always");
    Ok(json!({
        "maximumDuration": iso_minutes(minutes),
        "rebootSetting": if order.may_reboot { reboot } else { "Never" },
        "windowsParameters": windows,
    }))
}

/// Writes whole minutes as an ISO 8601 duration, `PT3H55M`.
fn iso_minutes(minutes: i64) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("PT{minutes}M"),
        (hours, 0) => format!("PT{hours}H"),
        (hours, minutes) => format!("PT{hours}H{minutes}M"),
    }
}

pub(super) async fn restart(
    arm: &Arm,
    machine: &MachineId,
    kind: MachineKind,
    request: &RequestId,
) -> Result<Operation, Error> {
    let what = format!("restart of {machine}");
    let path = path(&what, machine)?;
    let path = match kind {
        MachineKind::AzureVm => format!("{path}/restart?api-version={API_COMPUTE}"),
        MachineKind::AzureLocalVm => {
            format!("{path}{LOCAL_INSTANCE}/restart?api-version={API_LOCAL}")
        }
        MachineKind::ArcServer => return Err(Error::Unsupported { what }),
    };
    let reply = arm
        .command(&what, Method::POST, &path, request, None)
        .await?;
    operation::accepted(arm, &what, &reply)
}

/// What leads from an Azure Local VM's machine to its instance (azure.md §3).
pub(super) const LOCAL_INSTANCE: &str =
    "/providers/Microsoft.AzureStackHCI/virtualMachineInstances/default";

pub(super) async fn change(arm: &Arm, change: &Change, kind: MachineKind) -> Result<(), Error> {
    let what = format!("the change of settings of {}", change.machine);
    let settings = settings_body(&what, &change.settings, kind)?;
    if change.licence.is_some() && kind == MachineKind::AzureVm {
        return Err(Error::Unsupported {
            what: format!("{what}: a licence for a VM"),
        });
    }
    // The claim remembers what stood before: it comes first and goes last.
    let licence_first = change.tag == TagChange::Remove;
    if licence_first && change.licence.is_some() {
        if !is_claimed(arm, &what, change, kind).await? {
            return Ok(());
        }
        licence(arm, change).await?;
    }
    write_machine(arm, &what, change, kind, settings).await?;
    if !licence_first {
        licence(arm, change).await?;
    }
    Ok(())
}

async fn write_machine(
    arm: &Arm,
    what: &str,
    change: &Change,
    kind: MachineKind,
    settings: Option<Value>,
) -> Result<(), Error> {
    if settings.is_none() && change.tag == TagChange::Keep {
        return Ok(());
    }
    let path = path(what, &change.machine)?;
    let path = format!("{path}?api-version={}", version(kind));
    let mut body = Map::new();
    let mut etag = None;
    // Only VMs are known to take If-Match (azure.md §6); a tag needs the others beside it.
    if kind == MachineKind::AzureVm || change.tag != TagChange::Keep {
        // Both services give tags and etag in the same places.
        let found: ArcMachine = arm.get(what, &path).await?.json(what)?;
        etag = found.etag;
        let found = found.tags.unwrap_or_default();
        claimed_elsewhere(what, &found, change)?;
        if change.tag == TagChange::Remove && !bears_claim(&found) {
            // An inventory may show for long what was let go of already.
            return Ok(());
        }
        if change.tag != TagChange::Keep {
            body.insert("tags".to_owned(), json!(tags(found, &change.tag)));
        }
    }
    if let Some(patch) = settings {
        let properties = json!({"osProfile": {"windowsConfiguration": {"patchSettings": patch}}});
        body.insert("properties".to_owned(), properties);
    }
    let body = Value::Object(body);
    let reply = arm
        .write(what, Method::PATCH, &path, etag.as_deref(), &body)
        .await?;
    if change.tag == TagChange::Remove {
        remove_left(arm, what, &path, &reply).await?;
    }
    Ok(())
}

/// Writes `patchSettings` with what differs; none where nothing does.
pub(super) fn settings_body(
    what: &str,
    patch: &SettingsPatch,
    kind: MachineKind,
) -> Result<Option<Value>, Error> {
    let unsupported = |word: &str| Error::Unsupported {
        what: format!("{what}: {word}"),
    };
    let mut body = Map::new();
    if let Some(mode) = patch.patch_mode {
        let word = match mode {
            PatchMode::Manual => "Manual",
            PatchMode::AutomaticByOs => "AutomaticByOS",
            PatchMode::AutomaticByPlatform => "AutomaticByPlatform",
            PatchMode::ImageDefault => "ImageDefault",
            PatchMode::Unknown => return Err(unsupported("patchMode Unknown")),
        };
        body.insert("patchMode".to_owned(), json!(word));
    }
    if let Some(periodic) = patch.periodic_assessment {
        let word = if periodic {
            "AutomaticByPlatform"
        } else {
            "ImageDefault"
        };
        body.insert("assessmentMode".to_owned(), json!(word));
    }
    if let Some(hotpatch) = patch.hotpatch {
        body.insert("enableHotpatching".to_owned(), json!(hotpatch));
    }
    let mut platform = Map::new();
    if let Some(reboot) = patch.reboot {
        let word = match reboot {
            RebootSetting::IfRequired => "IfRequired",
            RebootSetting::Never => "Never",
            RebootSetting::Always => "Always",
            RebootSetting::Unknown => return Err(unsupported("rebootSetting Unknown")),
        };
        platform.insert("rebootSetting".to_owned(), json!(word));
    }
    if let Some(bypass) = patch.bypass {
        let name = "bypassPlatformSafetyChecksOnUserSchedule".to_owned();
        platform.insert(name, json!(bypass));
    }
    if !platform.is_empty() {
        if kind != MachineKind::AzureVm {
            return Err(unsupported(
                "automaticByPlatformSettings, which only VMs have",
            ));
        }
        body.insert(
            "automaticByPlatformSettings".to_owned(),
            Value::Object(platform),
        );
    }
    Ok((!body.is_empty()).then_some(Value::Object(body)))
}

/// Writes the licence feature Hotpatch, and nothing else of the profile: its other fields cost
/// money (azure.md §2). A profile that is missing is made; there is nothing to switch off in it.
async fn licence(arm: &Arm, change: &Change) -> Result<(), Error> {
    let Some(on) = change.licence else {
        return Ok(());
    };
    let what = format!("the change of licence of {}", change.machine);
    let machine = path(&what, &change.machine)?;
    let path = format!("{machine}/licenseProfiles/default?api-version={API_HYBRID}");
    let body = licence_body(on);
    match arm.write(&what, Method::PATCH, &path, None, &body).await {
        Ok(_) => Ok(()),
        Err(Error::NotFound { .. }) if !on => Ok(()),
        Err(Error::NotFound { .. }) => {
            let machine = format!("{machine}?api-version={API_HYBRID}");
            let found: ArcMachine = arm.get(&what, &machine).await?.json(&what)?;
            let Some(location) = found.location else {
                return Err(Error::malformed(&what, "the machine has no location"));
            };
            let mut body = body;
            body["location"] = json!(location);
            arm.write(&what, Method::PUT, &path, None, &body)
                .await
                .map(|_| ())
        }
        Err(error) => Err(error),
    }
}

pub(super) fn licence_body(on: bool) -> Value {
    let word = if on { "Enable" } else { "Disable" };
    json!({"properties": {"productProfile": {
        "productType": "WindowsServer",
        "productFeatures": [{"name": "Hotpatch", "subscriptionStatus": word}],
    }}})
}
