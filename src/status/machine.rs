//! The record of one machine: its name, whether it is wanted, and its status.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::hindrance::{WaitsFor, waits_for};
use super::told::Told;
use super::{authority, text};
use crate::api::fleet::MachineRecords;
use crate::api::machine::{
    AvailabilityDomains, HotpatchMachineStatus, LastRun, MAX_MACHINE_GROUPS, MAX_REASONS,
    PatchSettings,
};
use crate::api::schema::MAX_MESSAGE;
use crate::domain::authority::ForeignClaim;
use crate::domain::authority::steering::Steering;
use crate::domain::due::{Action, Verdict, WaitReason};
use crate::domain::enrolment::{Enrolled, enrolled};
use crate::domain::fleet::Fleet;
use crate::domain::machine::{
    Health, Machine, MachineKind, PatchMode, RebootSetting, Settings, VmFacts, ZonePlace,
};
use crate::domain::plan::Note;
use crate::domain::roster::Member;
use crate::domain::run::{Progress, Run};
use crate::domain::track::Track;

/// Characters of a VM name that its record's name keeps: with the hash it is a label value too.
const NAME_MAX: usize = 54;
/// Hexadecimal digits of the resource id's hash in the record's name.
const HASH_DIGITS: usize = 8;
/// The longest word in a record, in characters.
const WORD_MAX: usize = 64;
/// The longest site in a record, in characters.
const SITE_MAX: usize = 256;
/// The longest budget group in a record, in characters.
const GROUP_MAX: usize = 800;

/// Everything that the record of a machine follows from.
#[derive(Clone, Copy, Debug)]
pub struct MachineInput<'a> {
    /// The fleet that selects it.
    pub fleet: &'a Fleet,
    /// The machine as judged.
    pub member: &'a Member,
    /// The plan's note on it.
    pub note: &'a Note,
    /// The last run that named it, and where it stands there.
    pub run: Option<(&'a Run, &'a Progress)>,
    /// The schedules and policies that the fleet's identity sees.
    pub steering: &'a Steering,
    /// Whose claim it bears, if it is not the fleet's.
    pub foreign_claim: Option<ForeignClaim>,
    /// The status that the record has.
    pub previous: Option<&'a HotpatchMachineStatus>,
    /// `metadata.generation` of the record.
    pub generation: Option<i64>,
}

/// Returns the name of a machine's record: the VM's name, safe for DNS, and the first 8 hex digits
/// of the SHA-256 of its resource id in lower case. At most 63 characters.
pub fn machine_name(machine: &Machine) -> String {
    let safe: String = machine
        .name
        .chars()
        .map(|own| {
            if own.is_ascii_alphanumeric() {
                own.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    let cut: String = safe.trim_matches('-').chars().take(NAME_MAX).collect();
    let name = cut.trim_end_matches('-');
    let name = if name.is_empty() { "machine" } else { name };
    let hash: String = Sha256::digest(machine.id.as_str().as_bytes())
        .iter()
        .take(HASH_DIGITS / 2)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{name}-{hash}")
}

/// Tells whether a machine gets a record. `limited` is whether the installation has too many
/// machines for all of them; then `All` means exceptions.
///
/// Exceptions are machines that somebody must look at: ineligible, failed, held, without a stage.
/// A halt or a missing approval concerns the fleet and makes no machine an exception, or a large
/// fleet would write all its records at once.
pub fn wants_record(records: MachineRecords, limited: bool, member: &Member, note: &Note) -> bool {
    match records {
        MachineRecords::All if !limited => true,
        MachineRecords::None => false,
        MachineRecords::All | MachineRecords::Exceptions => {
            !member.blockers.is_empty() || waits_for(&note.reason) == WaitsFor::Person
        }
    }
}

/// Makes the status of a machine's record.
///
/// Guarantees: equal to the previous status where nothing changed.
pub fn machine(input: &MachineInput<'_>, now: DateTime<Utc>) -> HotpatchMachineStatus {
    let MachineInput {
        fleet,
        member,
        note,
        steering,
        foreign_claim,
        previous,
        generation,
        ..
    } = *input;
    let seen = &member.machine;
    let before = previous
        .map(|own| own.conditions.clone())
        .unwrap_or_default();
    let mut told = Told::new("HotpatchMachine", before, generation, now);
    let eligible = tell_eligible(member, &mut told);
    tell_enrolled(member, note, &mut told);
    tell_current(member, note, &mut told);
    let health = tell_healthy(member, &mut told);
    authority::tell_machine(member, foreign_claim, steering, &mut told);
    let stage = member
        .stage
        .and_then(|place| fleet.policy.stages.get(place));
    HotpatchMachineStatus {
        observed_generation: generation,
        eligible,
        reasons: reasons(member, note),
        track: Some(member.track.to_string()),
        release: match &member.verdict {
            Verdict::Current { release, .. } => Some(release.to_string()),
            Verdict::Due(_) | Verdict::Wait(_) => None,
        },
        due: member.due().map(|due| due.release.to_string()),
        deadline: member.due().map(|due| due.deadline),
        stage: stage.map(|own| own.name.clone()),
        settings: Some(settings(&seen.settings)),
        availability: Some(availability(fleet, seen)),
        last_run: input.run.map(last_run),
        health: Some(health.to_owned()),
        message: Some(text::line(&note.message, MAX_MESSAGE as usize)),
        conditions: told.into_conditions(),
    }
}

/// Reasons that only say whose turn it is.
const TURNS: [&str; 5] = ["AwaitsRun", "BudgetExhausted", "Due", "Paced", "Planned"];

/// Tells whether a record may stay as it is, for what it would say passes by itself and soon:
/// whose turn it is while other machines of the fleet are worked on (`is_moving`), and the steps
/// between a command and its end. That the command runs is said once.
pub fn is_in_passing(
    input: &MachineInput<'_>,
    wanted: &HotpatchMachineStatus,
    is_moving: bool,
) -> bool {
    let Some(previous) = input.previous.filter(|own| !own.conditions.is_empty()) else {
        return false;
    };
    match input.note.reason.as_str() {
        "Starting" | "Verifying" => true,
        "Running" => previous.last_run == wanted.last_run,
        reason if TURNS.contains(&reason) => {
            is_moving && wanted.due.is_some() && previous.due == wanted.due
        }
        _ => false,
    }
}

/// Lists why a machine is not eligible or is held back, the weightiest first.
fn reasons(member: &Member, note: &Note) -> Vec<String> {
    let mut reasons: Vec<String> = member
        .blockers
        .iter()
        .map(|own| own.reason.to_string())
        .collect();
    if member.excluded.is_some() {
        reasons.push("Excluded".to_owned());
    }
    if member.owner.is_some() {
        reasons.push("OwnedByAnotherFleet".to_owned());
    }
    if member.dormant {
        reasons.push("Dormant".to_owned());
    }
    if member.stage.is_none() {
        reasons.push("NoStage".to_owned());
    }
    if !matches!(
        note.reason.as_str(),
        "Current" | "Due" | "Succeeded" | "AlreadyCurrent"
    ) {
        reasons.push(text::line(&note.reason, WORD_MAX));
    }
    let mut seen = std::collections::BTreeSet::new();
    reasons.retain(|own| seen.insert(own.clone()));
    reasons.truncate(MAX_REASONS as usize);
    reasons
}

fn tell_eligible(member: &Member, told: &mut Told<'_>) -> Option<bool> {
    const NAME: &str = "Eligible";
    let all: Vec<&str> = member
        .blockers
        .iter()
        .map(|own| own.message.as_str())
        .collect();
    if member.blockers.is_empty() {
        told.say(NAME, "True", "Eligible", "Every requirement is met.");
        Some(true)
    } else if member.blockers.iter().any(|own| !own.reason.is_unknown()) {
        told.say(NAME, "False", "Ineligible", all.join("; "));
        Some(false)
    } else {
        told.say(NAME, "Unknown", "NotKnown", all.join("; "));
        None
    }
}

fn tell_enrolled(member: &Member, note: &Note, told: &mut Told<'_>) {
    const NAME: &str = "Enrolled";
    match enrolled(&member.machine) {
        Enrolled::Yes => told.say(NAME, "True", "Enrolled", "Hotpatching is in force."),
        _ if note.reason == "SettingsRefused" => {
            told.say(NAME, "False", "SettingsRefused", &note.message);
        }
        Enrolled::Pending(pending) => {
            let text = format!("Hotpatching is asked for and not yet in force: {pending}.");
            told.say(NAME, "False", "NotEnrolled", text);
        }
        Enrolled::No => told.say(
            NAME,
            "False",
            "NotEnrolled",
            "Hotpatching is not turned on.",
        ),
    }
}

/// What the guest of a machine said that is off the track.
const VBS_OFF: &str = " Virtualization-based security does not run in its guest, which hotpatching \
                       needs: turn it on, and restart the machine.";

fn tell_current(member: &Member, note: &Note, told: &mut Told<'_>) {
    const NAME: &str = "Current";
    let message = &note.message;
    match (&member.verdict, &member.track) {
        (Verdict::Current { release, .. }, _) => {
            told.say(NAME, "True", "Current", format!("It has {release}."));
        }
        (_, Track::RebootOwed { .. }) => told.say(NAME, "False", "RebootOwed", message),
        (_, Track::OffTrack { cause, .. }) => {
            let is_off = |vm: &VmFacts| vm.vbs_running == Some(false);
            let is_why = member.is_off_for_no_reason() && member.machine.vm().is_some_and(is_off);
            let why = if is_why { VBS_OFF } else { "" };
            told.say(NAME, "False", "OffTrack", format!("{cause}.{why}"));
        }
        (Verdict::Due(due), _) => {
            let reason = match due.action {
                Action::Hotpatch => "HotpatchDue",
                Action::Baseline => "BaselineDue",
            };
            let deadline = text::at(due.deadline);
            let text = format!("{} is due until {deadline}.", due.release);
            told.say(NAME, "False", reason, text);
        }
        (Verdict::Wait(wait), _) => {
            let missing = matches!(
                wait.reason,
                WaitReason::PlatformInstalls
                    | WaitReason::HotpatchMayReboot
                    | WaitReason::UnplannedBaseline
                    | WaitReason::LateBaselineHeld
                    | WaitReason::UntilBaseline
                    | WaitReason::WouldLeaveTrack
            );
            if missing {
                told.say(NAME, "False", "Waiting", &wait.message);
            } else {
                told.say(NAME, "Unknown", "NotKnown", &wait.message);
            }
        }
    }
}

/// Sets `Healthy` and returns its word.
fn tell_healthy(member: &Member, told: &mut Told<'_>) -> &'static str {
    const NAME: &str = "Healthy";
    if member.dormant {
        let text = "Its owner switched it off, or it is silent for long.";
        told.say(NAME, "False", "Dormant", text);
        return "Dormant";
    }
    match &member.machine.health {
        Health::Healthy => {
            told.say(NAME, "True", "Healthy", "All signs of health are good.");
            "Healthy"
        }
        Health::Unhealthy(why) => {
            told.say(NAME, "False", "Unhealthy", why);
            "Unhealthy"
        }
        Health::Unknown(why) => {
            told.say(NAME, "Unknown", "NotKnown", why);
            "Unknown"
        }
    }
}

fn settings(own: &Settings) -> PatchSettings {
    let patch_mode = match own.patch_mode {
        PatchMode::Manual => Some("Manual"),
        PatchMode::AutomaticByOs => Some("AutomaticByOS"),
        PatchMode::AutomaticByPlatform => Some("AutomaticByPlatform"),
        PatchMode::ImageDefault => Some("ImageDefault"),
        PatchMode::Unknown => None,
    };
    let reboot = match own.reboot {
        RebootSetting::IfRequired => Some("IfRequired"),
        RebootSetting::Never => Some("Never"),
        RebootSetting::Always => Some("Always"),
        RebootSetting::Unknown => None,
    };
    // Of the assessment mode only this word is read; another one is not told apart.
    let assessed = own.periodic_assessment.then_some("AutomaticByPlatform");
    PatchSettings {
        patch_mode: patch_mode.map(str::to_owned),
        assessment_mode: assessed.map(str::to_owned),
        hotpatching_enabled: Some(own.hotpatch),
        reboot_setting: reboot.map(str::to_owned),
        bypass_platform_safety_checks: Some(own.bypass),
    }
}

fn availability(fleet: &Fleet, machine: &Machine) -> AvailabilityDomains {
    let placement = &machine.placement;
    let is_vm = machine.kind == MachineKind::AzureVm;
    let set = placement.availability_set.as_ref();
    let flexible = placement.flexible_scale_set.as_ref();
    AvailabilityDomains {
        // An Arc machine's region says where its record is kept, not where it stands.
        region: is_vm.then(|| text::line(&placement.region, WORD_MAX)),
        zone: match &placement.zone {
            ZonePlace::Physical(zone) => Some(text::line(zone, WORD_MAX)),
            ZonePlace::Regional | ZonePlace::Unknown => None,
        },
        availability_set: set
            .map(|own| own.id.clone())
            .or(flexible.map(|own| own.0.clone())),
        update_domain: set.map_or(flexible.and_then(|own| own.1), |own| own.update_domain),
        site: placement
            .site
            .as_deref()
            .map(|site| text::line(site, SITE_MAX)),
        cluster: placement.cluster.clone(),
        groups: fleet
            .policy
            .groups
            .iter()
            .filter_map(|rule| {
                let value = machine.tags.get(&rule.tag)?;
                Some(text::line(&format!("{}={value}", rule.tag), GROUP_MAX))
            })
            .take(MAX_MACHINE_GROUPS as usize)
            .collect(),
    }
}

fn last_run((run, progress): (&Run, &Progress)) -> LastRun {
    LastRun {
        name: run.name.clone(),
        step: text::line(progress.step.word(), WORD_MAX),
        reason: progress
            .reason
            .as_ref()
            .map(|own| text::line(own.word(), WORD_MAX)),
        finished_at: progress.step.is_final().then_some(progress.since),
    }
}
