//! Holds what a caller may choose about the emulated Azure: the seed, the times things take and
//! the switches for facts about Azure that nobody has verified. Must never hold state.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::releases::Release;
use crate::throttle::Buckets;

/// Chooses how an emulated Azure behaves; every field has a default.
#[derive(Debug, Clone)]
pub struct Options {
    /// Seeds every draw; two worlds with the same seed and the same calls are identical.
    pub seed: u64,
    /// Switches for unverified facts about Azure.
    pub assumptions: Assumptions,
    /// How long things take.
    pub timings: Timings,
    /// Accepted bearer tokens and the caller each stands for. Empty: any token is accepted and
    /// is itself the caller's name.
    pub tokens: BTreeMap<String, String>,
    /// Whether a release row whose kind is marked UNVERIFIED is taken at its word. Otherwise the
    /// calendar rule decides: baselines only in January, April, July and October.
    pub unverified_rows_are_real: bool,
    /// Releases beyond the recorded history, for stories about the future.
    pub extra_releases: Vec<Release>,
    /// Invents monthly releases by the calendar rule from the end of the history through this
    /// date, with KB numbers from [`crate::INVENTED_KB_FIRST`] on.
    pub invent_releases_through: Option<NaiveDate>,
    /// Whether Azure's limits hold. Default: no.
    pub buckets: Buckets,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            assumptions: Assumptions::default(),
            timings: Timings::default(),
            tokens: BTreeMap::new(),
            unverified_rows_are_real: false,
            extra_releases: Vec::new(),
            invent_releases_through: None,
            buckets: Buckets::default(),
        }
    }
}

/// Decides each fact about Azure that public documents leave open.
///
/// The emulator has both behaviours of each switch; an operator must be right under all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assumptions {
    /// Whether `automaticByPlatformSettings.rebootSetting: Never` in a VM's model also forbids
    /// the reboot of an on-demand install that says `IfRequired`. Default: false.
    pub model_never_overrides_if_required: bool,
    /// What happens to an assessment or install sent while one runs. Default: refused.
    pub second_operation: SecondOperation,
    /// Whether platform patching installs a baseline, leaving the reboot owed, when the model
    /// says `Never`. Default: false, it leaves what would reboot alone.
    pub platform_stages_under_never: bool,
    /// The reboot behaviour Azure reports for a hotpatch. It never reboots in fact.
    pub hotpatch_reports: HotpatchReports,
    /// The reboot behaviour Azure reports for a baseline. It always reboots in fact.
    pub baseline_reports: BaselineReports,
    /// Whether an install ends with an assessment, as the patch extension for Linux does in the
    /// open (Azure/LinuxPatchExtension, `CoreMain`). Default: true.
    pub assesses_after_install: bool,
    /// Whether older updates stay on offer beside the newest. Default: false.
    pub superseded_offered: bool,
    /// Whether a baseline needs two reboots in a row. Default: false.
    pub baseline_reboots_twice: bool,
    /// Whether the monthly .NET update in fact needs the reboot it may ask for. Default: false.
    pub dotnet_needs_reboot: bool,
    /// Minutes until Resource Graph shows a change. Default: 1.
    pub graph_lag_minutes: u32,
    /// Other tables that one query of Resource Graph may join. Documented is 1; Microsoft raises
    /// it for a tenant on request. Default: 1.
    pub graph_remote_tables: usize,
    /// Minutes until the Activity Log shows an event. Default: 2.
    pub activity_log_delay_minutes: u32,
    /// Whether tags in a PATCH replace all tags or are merged by name. Default: merged.
    pub tags_patch: TagsPatch,
    /// Whether a run command that is put again as it stands runs again. Default: true.
    pub repeated_run_command_runs: bool,
}

impl Default for Assumptions {
    fn default() -> Self {
        Self {
            model_never_overrides_if_required: false,
            second_operation: SecondOperation::Refused,
            platform_stages_under_never: false,
            hotpatch_reports: HotpatchReports::NeverReboots,
            baseline_reports: BaselineReports::AlwaysRequiresReboot,
            assesses_after_install: true,
            superseded_offered: false,
            baseline_reboots_twice: false,
            dotnet_needs_reboot: false,
            graph_lag_minutes: 1,
            graph_remote_tables: 1,
            activity_log_delay_minutes: 2,
            tags_patch: TagsPatch::Merge,
            repeated_run_command_runs: true,
        }
    }
}

/// Says what becomes of a second assessment or install while one runs on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondOperation {
    /// 409 Conflict.
    Refused,
    /// 202, and it starts when the first has ended.
    Queued,
}

/// Says which `rebootBehavior` is reported for a hotpatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HotpatchReports {
    /// `NeverReboots`.
    NeverReboots,
    /// `CanRequestReboot`, so that `excludeKbsRequiringReboot` drops it.
    CanRequestReboot,
}

/// Says which `rebootBehavior` is reported for a baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaselineReports {
    /// `AlwaysRequiresReboot`.
    AlwaysRequiresReboot,
    /// `CanRequestReboot`, like any other cumulative update.
    CanRequestReboot,
}

/// Says what tags in the body of a PATCH do to the tags not named there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagsPatch {
    /// They stay; a null value removes one.
    Merge,
    /// They go.
    Replace,
}

/// A range in minutes from which the seed draws, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minutes(pub u32, pub u32);

/// Says how long things take in the emulated Azure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timings {
    /// An assessment of an Azure VM.
    pub assessment: Minutes,
    /// Installing a hotpatch.
    pub hotpatch_install: Minutes,
    /// Installing a baseline or a standard cumulative update, without its reboot.
    pub cumulative_install: Minutes,
    /// Installing a .NET or a definition update.
    pub small_install: Minutes,
    /// A reboot, from the guest going down until it answers.
    pub reboot: Minutes,
    /// Added to each of the above on Arc machines, as a percentage.
    pub arc_slower_percent: u32,
    /// Until a VM's patch configuration shows `Ready` after a change.
    pub vm_enrolment: Minutes,
    /// Until `hotpatchEnablementStatus` of an Arc machine leaves `PendingEvaluation`.
    pub arc_enrolment: Minutes,
    /// Until a licence feature leaves `Enabling` or `Disabling`.
    pub licence: Minutes,
    /// How long an Arc machine keeps an operation sent while it was disconnected.
    pub arc_queue_minutes: u32,
    /// How long a VM keeps an operation that its guest agent does not take up.
    pub vm_queue_minutes: u32,
    /// After how long a reboot that never ends fails the operation it belongs to.
    pub reboot_given_up_minutes: u32,
    /// How long the result of an ended operation can be polled.
    pub operation_kept_minutes: u32,
    /// How many seconds a client is asked to wait between two polls.
    pub poll_after_seconds: u32,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            assessment: Minutes(2, 5),
            hotpatch_install: Minutes(8, 20),
            cumulative_install: Minutes(25, 45),
            small_install: Minutes(1, 3),
            reboot: Minutes(4, 9),
            arc_slower_percent: 20,
            vm_enrolment: Minutes(20, 180),
            arc_enrolment: Minutes(10, 10),
            licence: Minutes(3, 8),
            arc_queue_minutes: 6 * 60,
            vm_queue_minutes: 90,
            reboot_given_up_minutes: 60,
            operation_kept_minutes: 24 * 60,
            poll_after_seconds: 15,
        }
    }
}
