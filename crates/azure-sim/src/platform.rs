//! Patches machines without being asked: Azure's automatic guest patching (AVGP, azure.md 7),
//! Windows Update in the guest, and periodic assessment. Must never act against the settings.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use crate::effects::Actor;
use crate::job::{InstallRequest, Work};
use crate::machine::{Machine, Power};
use crate::offer::offers;
use crate::patches::{Classification, RebootSetting};
use crate::world::{Event, World};

/// Off-peak hours begin at 22:00 UTC and last 8 hours (azure.md 7, unverified).
const OFF_PEAK_FROM_HOUR: u32 = 22;
const OFF_PEAK_MINUTES: i64 = 7 * 60;
/// AVGP spreads a release over days; the last night ends before the fourteenth day is over.
const PLATFORM_DAYS: std::ops::RangeInclusive<i64> = 1..=13;
const WINDOWS_UPDATE_DAYS: std::ops::RangeInclusive<i64> = 1..=6;
/// `assessmentMode: AutomaticByPlatform` assesses every 24 hours.
const ASSESS_EVERY: TimeDelta = TimeDelta::hours(24);

/// Who patches a machine that nobody commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SelfPatcher {
    Platform,
    WindowsUpdate,
}

impl World {
    /// Sets the timers that the settings of a machine ask for, if they are not set.
    pub(crate) fn arm_timers(&mut self, key: &str) {
        let Some(machine) = self.machines.get(key) else {
            return;
        };
        let incarnation = machine.incarnation.clone();
        let assess = wants_assessment(machine) && !machine.assess_timer;
        let patch = self_patcher(machine).filter(|_| !machine.patch_timer);
        if assess {
            let mut rng = self.own_rng(key, "assess");
            let after = TimeDelta::minutes(rng.i64(10..=24 * 60));
            self.set_timer(key, |machine| machine.assess_timer = true);
            let event = Event::PeriodicAssessment {
                machine: key.to_owned(),
                incarnation: incarnation.clone(),
            };
            self.schedule(self.now + after, event);
        }
        if let Some(patcher) = patch
            && self.self_patching_would_install(key, patcher)
        {
            let at = self.night(key, patcher, self.now);
            self.set_timer(key, |machine| machine.patch_timer = true);
            self.schedule(
                at,
                Event::SelfPatching {
                    machine: key.to_owned(),
                    incarnation,
                },
            );
        }
    }

    fn set_timer(&mut self, key: &str, set: impl FnOnce(&mut Machine)) {
        if let Some(machine) = self.machines.get_mut(key) {
            set(machine);
        }
    }

    /// Draws the off-peak instant, some days after `from`, at which a machine patches itself.
    fn night(&self, key: &str, patcher: SelfPatcher, from: DateTime<Utc>) -> DateTime<Utc> {
        let mut rng = self.own_rng(key, &format!("night/{}", from.date_naive()));
        let days = match patcher {
            SelfPatcher::Platform => rng.i64(PLATFORM_DAYS),
            SelfPatcher::WindowsUpdate => rng.i64(WINDOWS_UPDATE_DAYS),
        };
        let evening = off_peak_start(from + TimeDelta::days(days));
        evening + TimeDelta::minutes(rng.i64(0..=OFF_PEAK_MINUTES))
    }

    /// Lets every machine that patches itself choose its night.
    pub(crate) fn release_published(&mut self) {
        let keys: Vec<String> = self.machines.keys().cloned().collect();
        for key in keys {
            self.arm_timers(&key);
        }
    }

    pub(crate) fn self_patching(&mut self, key: &str, incarnation: &str) {
        let Some(machine) = self.machines.get_mut(key) else {
            return;
        };
        if machine.incarnation != incarnation {
            return;
        }
        machine.patch_timer = false;
        let Some(patcher) = self_patcher(machine) else {
            return;
        };
        let busy = machine.job.is_some();
        let up = machine.guest.power == Power::Up;
        if !up || busy {
            self.try_next_night(key, incarnation);
            return;
        }
        let request = self.self_request(key, patcher);
        if !self.would_install(key, &request) && !self.owes_own_reboot(key, patcher) {
            return;
        }
        let by = match patcher {
            SelfPatcher::Platform => Actor::Platform,
            SelfPatcher::WindowsUpdate => Actor::WindowsUpdate,
        };
        let activity = self.guid();
        self.submit(key, None, by, Work::Install { activity, request });
    }

    fn try_next_night(&mut self, key: &str, incarnation: &str) {
        let at = off_peak_start(self.now + TimeDelta::hours(8)) + TimeDelta::minutes(30);
        self.set_timer(key, |machine| machine.patch_timer = true);
        let event = Event::SelfPatching {
            machine: key.to_owned(),
            incarnation: incarnation.to_owned(),
        };
        self.schedule(at, event);
    }

    /// Windows Update ends a night with the reboot it owes; the platform owes none.
    fn owes_own_reboot(&self, key: &str, patcher: SelfPatcher) -> bool {
        patcher == SelfPatcher::WindowsUpdate
            && self
                .machines
                .get(key)
                .is_some_and(|m| !m.guest.pending.is_empty())
    }

    fn self_request(&self, key: &str, patcher: SelfPatcher) -> InstallRequest {
        if patcher == SelfPatcher::WindowsUpdate {
            return InstallRequest::everything(RebootSetting::IfRequired);
        }
        let setting = self
            .machines
            .get(key)
            .and_then(|machine| machine.settings.reboot_setting.as_deref())
            .and_then(RebootSetting::parse)
            .unwrap_or(RebootSetting::IfRequired);
        // `Always` would reboot after a hotpatch too; AVGP reboots only for what it installed.
        let setting = if setting == RebootSetting::Always {
            RebootSetting::IfRequired
        } else {
            setting
        };
        let stages = self.options.assumptions.platform_stages_under_never;
        InstallRequest::platform(setting, setting == RebootSetting::Never && !stages)
    }

    fn self_patching_would_install(&self, key: &str, patcher: SelfPatcher) -> bool {
        let request = self.self_request(key, patcher);
        self.would_install(key, &request)
    }

    /// Definition updates alone are no reason to wake: they come every day.
    fn would_install(&self, key: &str, request: &InstallRequest) -> bool {
        let Some(machine) = self.machines.get(key) else {
            return false;
        };
        offers(machine, &self.history, &self.options.assumptions, self.now)
            .iter()
            .filter(|patch| patch.class != Classification::Definition)
            .filter(|patch| request.classifications.contains(&patch.class))
            .any(|patch| !request.exclude_reboot || patch.reboot_behavior == "NeverReboots")
    }

    pub(crate) fn periodic_assessment(&mut self, key: &str, incarnation: &str) {
        let Some(machine) = self.machines.get_mut(key) else {
            return;
        };
        if machine.incarnation != incarnation {
            return;
        }
        machine.assess_timer = wants_assessment(machine);
        if !machine.assess_timer {
            return;
        }
        if machine.reachable() && machine.job.is_none() {
            let activity = self.guid();
            self.record_assessment(key, &activity, true);
        }
        let event = Event::PeriodicAssessment {
            machine: key.to_owned(),
            incarnation: incarnation.to_owned(),
        };
        self.schedule(self.now + ASSESS_EVERY, event);
    }
}

fn wants_assessment(machine: &Machine) -> bool {
    machine.settings.assessment_mode.as_deref() == Some("AutomaticByPlatform")
}

fn self_patcher(machine: &Machine) -> Option<SelfPatcher> {
    let settings = &machine.settings;
    match (settings.patch_mode.as_deref(), machine.vm()) {
        (Some("AutomaticByPlatform"), Some(_)) if settings.bypass != Some(true) => {
            Some(SelfPatcher::Platform)
        }
        (Some("AutomaticByOS"), vm) if vm.is_none_or(|vm| vm.enable_automatic_updates) => {
            Some(SelfPatcher::WindowsUpdate)
        }
        _ => None,
    }
}

/// Gives the first start of off-peak hours at or after an instant.
fn off_peak_start(from: DateTime<Utc>) -> DateTime<Utc> {
    let hour = NaiveTime::from_hms_opt(OFF_PEAK_FROM_HOUR, 0, 0).unwrap_or(NaiveTime::MIN);
    let today = from.date_naive().and_time(hour).and_utc();
    if today >= from {
        today
    } else {
        today + TimeDelta::days(1)
    }
}
