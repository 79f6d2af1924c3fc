//! Reads patch settings out of bodies and checks what a VM allows (azure.md 1.1).

use serde_json::Value;

use crate::http::reply::ArmError;
use crate::machine::{Image, PatchSettings, VmFacts};

const PATCH_MODES: [&str; 4] = [
    "Manual",
    "AutomaticByOS",
    "AutomaticByPlatform",
    "ImageDefault",
];
const ASSESSMENT_MODES: [&str; 2] = ["ImageDefault", "AutomaticByPlatform"];
const REBOOT_SETTINGS: [&str; 4] = ["Unknown", "IfRequired", "Never", "Always"];
const TARGET: &str = "osProfile.windowsConfiguration.patchSettings";

/// Puts what a body's `patchSettings` names over the settings; the rest stays.
pub(crate) fn merge(settings: &mut PatchSettings, patch: &Value) {
    if let Some(mode) = patch["patchMode"].as_str() {
        settings.patch_mode = Some(canonical(&PATCH_MODES, mode));
    }
    if let Some(mode) = patch["assessmentMode"].as_str() {
        settings.assessment_mode = Some(canonical(&ASSESSMENT_MODES, mode));
    }
    if let Some(on) = patch["enableHotpatching"].as_bool() {
        settings.enable_hotpatching = Some(on);
    }
    let platform = &patch["automaticByPlatformSettings"];
    if let Some(setting) = platform["rebootSetting"].as_str() {
        settings.reboot_setting = Some(canonical(&REBOOT_SETTINGS, setting));
    }
    if let Some(on) = platform["bypassPlatformSafetyChecksOnUserSchedule"].as_bool() {
        settings.bypass = Some(on);
    }
}

fn canonical(words: &[&str], text: &str) -> String {
    let found = words.iter().find(|word| word.eq_ignore_ascii_case(text));
    found.map_or_else(|| text.to_owned(), |word| (*word).to_owned())
}

/// Checks the words of a body's `patchSettings`.
pub(crate) fn check_words(patch: &Value) -> Result<(), ArmError> {
    let platform = &patch["automaticByPlatformSettings"];
    let words: [(&str, &Value, &[&str]); 3] = [
        ("patchMode", &patch["patchMode"], &PATCH_MODES),
        (
            "assessmentMode",
            &patch["assessmentMode"],
            &ASSESSMENT_MODES,
        ),
        (
            "automaticByPlatformSettings.rebootSetting",
            &platform["rebootSetting"],
            &REBOOT_SETTINGS,
        ),
    ];
    for (name, value, allowed) in words {
        let sound = value.is_null()
            || value
                .as_str()
                .is_some_and(|text| allowed.iter().any(|word| word.eq_ignore_ascii_case(text)));
        if !sound {
            let target = format!("{TARGET}.{name}");
            return Err(ArmError::invalid(
                &target,
                format!("The value of {name} is invalid."),
            ));
        }
    }
    for (name, value) in [
        ("enableHotpatching", &patch["enableHotpatching"]),
        (
            "automaticByPlatformSettings.bypassPlatformSafetyChecksOnUserSchedule",
            &platform["bypassPlatformSafetyChecksOnUserSchedule"],
        ),
    ] {
        if !value.is_null() && !value.is_boolean() {
            let target = format!("{TARGET}.{name}");
            return Err(ArmError::invalid(
                &target,
                format!("The value of {name} is invalid."),
            ));
        }
    }
    Ok(())
}

/// Checks whether a VM may go from one set of settings to another.
pub(crate) fn check_vm(
    vm: &VmFacts,
    before: &PatchSettings,
    after: &PatchSettings,
) -> Result<(), ArmError> {
    let hotpatch = format!("{TARGET}.enableHotpatching");
    if !vm.os_profile {
        return Err(ArmError::invalid(
            "osProfile",
            "Changing property 'osProfile' is not allowed.",
        ));
    }
    check_transition(vm, before, after)?;
    if after.bypass == Some(true) && !after.by_platform() {
        return Err(ArmError::invalid(
            TARGET,
            "'BypassPlatformSafetyChecksOnUserSchedule' needs patchMode 'AutomaticByPlatform'.",
        ));
    }
    if !after.hotpatch() {
        return Ok(());
    }
    if after.bypass == Some(true) {
        return Err(ArmError::invalid(
            &hotpatch,
            "Hotpatch updates require platform safety checks. The \
             'BypassPlatformSafetyChecksOnUserSchedule' flag must be set to false to enable \
             hotpatching.",
        ));
    }
    if !after.by_platform() {
        return Err(ArmError::invalid(
            &hotpatch,
            "'enableHotpatching' needs patchMode 'AutomaticByPlatform'.",
        ));
    }
    if !vm.provision_vm_agent {
        return Err(ArmError::invalid(
            &hotpatch,
            "'enableHotpatching' needs 'provisionVMAgent' to be true.",
        ));
    }
    if !vm.image_supports_hotpatch() {
        return Err(ArmError::invalid(&hotpatch, unsupported(vm)));
    }
    Ok(())
}

fn unsupported(vm: &VmFacts) -> String {
    match &vm.image {
        Image::Gallery { id } => format!("Image '{id}' does not support hotpatching."),
        Image::Marketplace {
            publisher,
            offer,
            sku,
        } => {
            format!("Image '{publisher}:{offer}:{sku}' does not support hotpatching on this VM.")
        }
    }
}

/// `enableAutomaticUpdates` is create-only and decides between which modes a VM may change.
fn check_transition(
    vm: &VmFacts,
    before: &PatchSettings,
    after: &PatchSettings,
) -> Result<(), ArmError> {
    if before.patch_mode == after.patch_mode {
        return Ok(());
    }
    let target = format!("{TARGET}.patchMode");
    let refuse = |why: &str| Err(ArmError::invalid(&target, why));
    match (after.patch_mode.as_deref(), vm.enable_automatic_updates) {
        (Some("AutomaticByOS"), false) => {
            refuse("patchMode 'AutomaticByOS' needs 'enableAutomaticUpdates' to be true.")
        }
        (Some("Manual"), true) => {
            refuse("patchMode 'Manual' needs 'enableAutomaticUpdates' to be false.")
        }
        (Some("ImageDefault"), _) => refuse("patchMode 'ImageDefault' is for Linux only."),
        (Some("AutomaticByPlatform"), _) if !vm.provision_vm_agent => {
            refuse("patchMode 'AutomaticByPlatform' needs 'provisionVMAgent' to be true.")
        }
        _ => Ok(()),
    }
}
