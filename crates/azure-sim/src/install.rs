//! Runs one install: chooses patches, installs them one by one within the time given, and
//! decides about the reboot (azure.md 1.5).

use chrono::TimeDelta;

use crate::effects::What;
use crate::job::{InstallRequest, Job, Phase, mask_matches};
use crate::machine::{Installed, Machine, Pending};
use crate::offer::offers;
use crate::options::Minutes;
use crate::patches::{
    InstallRecord, InstallStatus, KbKind, Offered, PatchError, PatchState, RebootSetting,
    RebootStatus,
};
use crate::shapes::results;
use crate::world::World;

/// Time that must be left before each scan and install: 15 minutes and 10 for a reboot.
const LEFT_BEFORE_STEP: TimeDelta = TimeDelta::minutes(25);
/// Time that must be left before a reboot.
const LEFT_BEFORE_REBOOT: TimeDelta = TimeDelta::minutes(10);
/// Records of ended installs kept per machine at most; a bound, beside their age.
const RECORDS_BOUND: usize = 60;

impl World {
    pub(crate) fn start_install(
        &mut self,
        key: &str,
        job: &Job,
        activity: &str,
        request: &InstallRequest,
    ) {
        let now = self.now;
        let Some(machine) = self.machines.get_mut(key) else {
            return;
        };
        machine.installs.retain(|record| !record.forgotten(now));
        if machine.installs.len() >= RECORDS_BOUND {
            machine.installs.remove(0);
        }
        let record = new_record(activity, now, job);
        machine.installs.push(record);
        let planned = machine.fail_next.take();
        let what = What::InstallStarted {
            activity: activity.to_owned(),
            by: job.by.clone(),
        };
        self.effect(key, what);
        if let Some(error) = planned {
            self.fail_install(key, job, activity, error);
            return;
        }
        if request
            .maximum
            .is_some_and(|maximum| maximum < LEFT_BEFORE_STEP)
        {
            self.exceed(key);
            self.conclude(key, job);
            return;
        }
        self.set_phase(key, Phase::Scanning);
        let takes = self.draw(key, Minutes(1, 2));
        self.schedule_step(key, job.id, takes);
    }

    /// Begins the patch at `index` or the first selected one after it; at the end, the reboot.
    pub(crate) fn next_patch(
        &mut self,
        key: &str,
        job: &Job,
        request: &InstallRequest,
        index: usize,
    ) {
        if job.phase == Phase::Scanning {
            self.select(key, request);
        }
        let next = self.record(key).and_then(|record| {
            let pending = |(_, state): &(Offered, PatchState)| *state == PatchState::Pending;
            let rest = record.patches.get(index..)?;
            Some(index + rest.iter().position(pending)?)
        });
        let Some(next) = next else {
            self.reboot_or_conclude(key, job, request);
            return;
        };
        if self
            .time_left(key, request)
            .is_some_and(|left| left < LEFT_BEFORE_STEP)
        {
            self.exceed(key);
            self.reboot_or_conclude(key, job, request);
            return;
        }
        let kind = self.record(key).map(|record| record.patches[next].0.kind);
        let timings = &self.options.timings;
        let range = match kind {
            Some(KbKind::Hotpatch) => timings.hotpatch_install,
            Some(KbKind::Baseline | KbKind::Lcu) => timings.cumulative_install,
            _ => timings.small_install,
        };
        let takes = self.draw(key, range);
        self.set_phase(key, Phase::Installing(next));
        self.schedule_step(key, job.id, takes);
    }

    /// Decides for each offered patch whether this install takes it.
    fn select(&mut self, key: &str, request: &InstallRequest) {
        let now = self.now;
        let Some(machine) = self.machines.get_mut(key) else {
            return;
        };
        let offered = offers(machine, &self.history, &self.options.assumptions, now);
        let patches = offered.into_iter().map(|patch| {
            let state = selection(&patch, request);
            (patch, state)
        });
        let patches: Vec<_> = patches.collect();
        if let Some(record) = machine.installs.last_mut() {
            record.patches = patches;
            record.modified = now;
        }
        self.touch(key);
    }

    pub(crate) fn patch_done(&mut self, key: &str, job: &Job, activity: &str, index: usize) {
        let now = self.now;
        let Some(machine) = self.machines.get_mut(key) else {
            return;
        };
        let Some(record) = machine.installs.last_mut() else {
            return;
        };
        let Some((patch, state)) = record.patches.get_mut(index) else {
            return;
        };
        *state = PatchState::Installed;
        let patch = patch.clone();
        record.modified = now;
        let by = job.by.clone();
        let kb = patch.kb.clone();
        let activity = activity.to_owned();
        let what = if patch.needs_reboot {
            let pending = Pending {
                installed: installed(&patch, now),
                activity: activity.clone(),
                by: by.clone(),
            };
            machine.guest.pending.insert(kb.clone(), pending);
            What::KbStaged { kb, activity, by }
        } else {
            take_effect(machine, &kb, installed(&patch, now));
            What::KbInstalled { kb, activity, by }
        };
        self.effect(key, what);
    }

    fn reboot_or_conclude(&mut self, key: &str, job: &Job, request: &InstallRequest) {
        let owed = self
            .machines
            .get(key)
            .is_some_and(|m| !m.guest.pending.is_empty());
        let wanted = match self.effective_reboot(key, job, request.reboot) {
            RebootSetting::Never => false,
            RebootSetting::IfRequired => owed,
            RebootSetting::Always => true,
        };
        let in_time = self
            .time_left(key, request)
            .is_none_or(|left| left >= LEFT_BEFORE_REBOOT);
        let vetoed = wanted
            && in_time
            && self
                .machines
                .get_mut(key)
                .is_some_and(|machine| std::mem::take(&mut machine.keep_up_next));
        if vetoed {
            self.set_reboot(key, RebootStatus::Failed);
            self.conclude(key, job);
            return;
        }
        if wanted && in_time {
            self.set_reboot(key, RebootStatus::Started);
            self.set_phase(key, Phase::Rebooting);
            self.give_up_later(key, job.id);
            self.begin_reboot(key, job.reboot_cause());
            return;
        }
        if wanted {
            self.exceed(key);
        }
        self.set_reboot(
            key,
            if owed {
                RebootStatus::Required
            } else {
                RebootStatus::NotNeeded
            },
        );
        self.conclude(key, job);
    }

    /// The setting in force: by assumption, `Never` in a VM's model wins over `IfRequired`.
    fn effective_reboot(&self, key: &str, job: &Job, asked: RebootSetting) -> RebootSetting {
        let never = self.machines.get(key).is_some_and(|machine| {
            machine.settings.by_platform()
                && machine.settings.reboot_setting.as_deref() == Some("Never")
        });
        let overrides = self.options.assumptions.model_never_overrides_if_required;
        if never && overrides && job.operation.is_some() && asked == RebootSetting::IfRequired {
            RebootSetting::Never
        } else {
            asked
        }
    }

    /// Ends an install whose reboot is over.
    pub(crate) fn install_rebooted(&mut self, key: &str, job: &Job) {
        self.set_reboot(key, RebootStatus::Completed);
        self.conclude(key, job);
    }

    /// Ends an install: its status follows from what became of its patches.
    fn conclude(&mut self, key: &str, job: &Job) {
        let now = self.now;
        if let Some(record) = self.record_mut(key) {
            let failed = record.count(PatchState::Failed) > 0;
            record.status = match (record.exceeded, failed) {
                (true, _) => InstallStatus::Failed,
                (false, true) => InstallStatus::CompletedWithWarnings,
                (false, false) => InstallStatus::Succeeded,
            };
            record.modified = now;
        }
        self.end_install(key, job);
    }

    /// Ends an install as a whole with an error.
    pub(crate) fn fail_install(&mut self, key: &str, job: &Job, activity: &str, error: PatchError) {
        let now = self.now;
        let Some(machine) = self.machines.get_mut(key) else {
            return;
        };
        if machine
            .last_install()
            .is_none_or(|record| record.activity != activity)
        {
            machine.installs.push(new_record(activity, now, job));
        }
        let owed = !machine.guest.pending.is_empty();
        if let Some(record) = machine.installs.last_mut() {
            for (_, state) in &mut record.patches {
                if *state == PatchState::Pending {
                    *state = PatchState::Failed;
                }
            }
            record.reboot = match (job.phase, owed) {
                (Phase::Rebooting, _) => RebootStatus::Failed,
                (_, true) => RebootStatus::Required,
                (_, false) => RebootStatus::NotNeeded,
            };
            record.status = InstallStatus::Failed;
            record.error = Some(error);
            record.modified = now;
        }
        self.end_install(key, job);
    }

    fn end_install(&mut self, key: &str, job: &Job) {
        self.note_install_end(key, job);
        if self.options.assumptions.assesses_after_install {
            let activity = self.guid();
            self.record_assessment(key, &activity, false);
        }
        let body = self.machines.get(key).map(results::install);
        self.end_job(key, job, body, None);
    }

    fn exceed(&mut self, key: &str) {
        if let Some(record) = self.record_mut(key) {
            record.exceeded = true;
            record.error = Some(PatchError {
                code: "MaintenanceWindowExceeded".into(),
                message: "The operation did not fit into the maximum duration.".into(),
            });
        }
    }

    fn set_reboot(&mut self, key: &str, status: RebootStatus) {
        let now = self.now;
        if let Some(record) = self.record_mut(key) {
            record.reboot = status;
            record.modified = now;
        }
        self.touch(key);
    }

    fn record(&self, key: &str) -> Option<&InstallRecord> {
        self.machines.get(key)?.last_install()
    }

    fn record_mut(&mut self, key: &str) -> Option<&mut InstallRecord> {
        self.machines.get_mut(key)?.installs.last_mut()
    }

    /// Gives what is left of the maximum duration, which counts from the real start.
    fn time_left(&self, key: &str, request: &InstallRequest) -> Option<TimeDelta> {
        let started = self.record(key)?.started;
        Some(request.maximum? - (self.now - started))
    }
}

fn new_record(activity: &str, now: chrono::DateTime<chrono::Utc>, job: &Job) -> InstallRecord {
    InstallRecord {
        activity: activity.to_owned(),
        started: now,
        modified: now,
        status: InstallStatus::InProgress,
        reboot: RebootStatus::NotNeeded,
        exceeded: false,
        patches: Vec::new(),
        by_platform: job.operation.is_none(),
        error: None,
    }
}

/// Decides about one patch. Named KBs come on top of classifications; exclusions win.
fn selection(patch: &Offered, request: &InstallRequest) -> PatchState {
    let named = request.include.contains(&patch.kb)
        || request
            .name_include
            .iter()
            .any(|mask| mask_matches(mask, &patch.name));
    let wanted = named || request.classifications.contains(&patch.class);
    let too_new = request
        .published_before
        .is_some_and(|limit| patch.published > limit);
    if !wanted || too_new {
        return PatchState::NotSelected;
    }
    let excluded = request.exclude.contains(&patch.kb)
        || request
            .name_exclude
            .iter()
            .any(|mask| mask_matches(mask, &patch.name))
        || (request.exclude_reboot && patch.reboot_behavior != "NeverReboots");
    if excluded {
        PatchState::Excluded
    } else {
        PatchState::Pending
    }
}

fn installed(patch: &Offered, at: chrono::DateTime<chrono::Utc>) -> Installed {
    Installed {
        at,
        kind: patch.kind,
        date: patch.date,
        build: patch.build.clone(),
    }
}

/// Puts a KB into effect in a guest.
pub(crate) fn take_effect(machine: &mut Machine, kb: &str, installed: Installed) {
    match installed.kind {
        KbKind::Definition => machine.guest.definition = installed.at,
        KbKind::DotNet => machine.guest.dotnet = Some(installed.date),
        KbKind::Baseline | KbKind::Hotpatch | KbKind::Lcu => {}
    }
    machine.guest.installed.insert(kb.to_owned(), installed);
}
