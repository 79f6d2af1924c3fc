//! Takes guests down and brings them back. Must never decide that a reboot is wanted.

use chrono::TimeDelta;

use crate::effects::{RebootCause, What};
use crate::install::take_effect;
use crate::job::{Phase, Work};
use crate::machine::{DISCONNECTED_AFTER, Power};
use crate::patches::KbKind;
use crate::world::{Event, World};

impl World {
    /// Takes the guest down; it comes back by itself unless it was made to hang.
    pub(crate) fn begin_reboot(&mut self, key: &str, cause: RebootCause) {
        let takes = self.draw(key, self.options.timings.reboot);
        let now = self.now;
        let Some(machine) = self.machines.get_mut(key) else {
            return;
        };
        machine.guest.power = Power::Rebooting;
        machine.guest.since = now;
        let boot = machine.guest.boot_count + 1;
        self.effect(key, What::RebootStarted { cause });
        self.schedule(
            now + takes,
            Event::RebootEnds {
                machine: key.to_owned(),
                boot,
            },
        );
        self.schedule(
            now + DISCONNECTED_AFTER,
            Event::Settles {
                machine: key.to_owned(),
            },
        );
    }

    pub(crate) fn end_reboot(&mut self, key: &str, boot: u32) {
        let Some(machine) = self.machines.get_mut(key) else {
            return;
        };
        let due = machine.guest.boot_count + 1 == boot && machine.guest.power == Power::Rebooting;
        if !due {
            return;
        }
        if std::mem::take(&mut machine.hang_next) {
            machine.guest.power = Power::Hung;
            let why = "the guest did not come back from its reboot".to_owned();
            self.effect(key, What::WentUnhealthy { why });
            return;
        }
        let twice = self.options.assumptions.baseline_reboots_twice
            && machine
                .guest
                .pending
                .values()
                .any(|kb| kb.installed.kind == KbKind::Baseline);
        self.boot(key);
        let boot_count = self
            .machines
            .get(key)
            .map_or(0, |machine| machine.guest.boot_count);
        self.effect(key, What::RebootEnded { boot_count });
        if twice {
            self.begin_reboot(key, RebootCause::UpdateAgain);
        } else {
            self.after_boot(key);
        }
    }

    /// Marks the guest as up since now; what was pending takes effect.
    fn boot(&mut self, key: &str) {
        let now = self.now;
        let Some(machine) = self.machines.get_mut(key) else {
            return;
        };
        if machine
            .silent_since()
            .is_some_and(|since| now - since >= DISCONNECTED_AFTER)
            && let Some(arc) = machine.arc_mut()
        {
            arc.last_status_change = now;
        }
        let guest = &mut machine.guest;
        guest.power = Power::Up;
        guest.since = now;
        guest.boot_time = now;
        guest.boot_count += 1;
        guest.shuts_down_at = None;
        let pending = std::mem::take(&mut guest.pending);
        let mut done = Vec::new();
        for (kb, mut waiting) in pending {
            waiting.installed.at = now;
            take_effect(machine, &kb, waiting.installed);
            done.push(What::KbInstalled {
                kb,
                activity: waiting.activity,
                by: waiting.by,
            });
        }
        for what in done {
            self.effect(key, what);
        }
    }

    /// Goes on with what waited for the boot.
    fn after_boot(&mut self, key: &str) {
        let job = self
            .machines
            .get(key)
            .and_then(|machine| machine.job.clone());
        match job {
            Some(job) if job.phase == Phase::Rebooting => match job.work {
                Work::Install { .. } => self.install_rebooted(key, &job),
                _ => self.end_job(key, &job, None, None),
            },
            Some(_) => self.take_up(key),
            None => {}
        }
        self.arm_timers(key);
    }

    /// Reboots a guest from outside, also under a running install.
    pub(crate) fn reboot_from_outside(&mut self, key: &str, cause: RebootCause) {
        let up = self
            .machines
            .get(key)
            .is_some_and(|m| m.guest.power == Power::Up);
        if up {
            self.begin_reboot(key, cause);
            self.break_off(key, "The machine was rebooted from outside.");
        }
    }

    /// Stops a guest without bringing it back.
    pub(crate) fn power_off(&mut self, key: &str, to: Power) {
        let now = self.now;
        let Some(machine) = self.machines.get_mut(key) else {
            return;
        };
        machine.guest.power = to;
        machine.guest.since = now;
        let why = format!("{to:?}").to_lowercase();
        self.effect(key, What::WentUnhealthy { why });
        self.break_off(key, "The machine was stopped.");
        let shown = Event::Settles {
            machine: key.to_owned(),
        };
        self.schedule(now + DISCONNECTED_AFTER, shown);
    }

    /// Starts a guest that is stopped, deallocated or hung.
    pub(crate) fn power_on(&mut self, key: &str) {
        let down = self
            .machines
            .get(key)
            .is_some_and(|m| m.guest.power != Power::Up);
        if down {
            self.boot(key);
            self.effect(key, What::BecameHealthy);
            self.after_boot(key);
        }
    }

    /// Stops or resumes the heartbeats of an Arc agent whose guest runs on.
    pub(crate) fn set_agent_up(&mut self, key: &str, up: bool) {
        let now = self.now;
        let Some(arc) = self
            .machines
            .get_mut(key)
            .and_then(|machine| machine.arc_mut())
        else {
            return;
        };
        if up {
            let since = arc.agent_down_since.take();
            if since.is_some_and(|since| now - since >= DISCONNECTED_AFTER) {
                arc.last_status_change = now;
            }
            self.effect(key, What::BecameHealthy);
            self.take_up(key);
        } else {
            arc.agent_down_since = Some(now);
            self.effect(
                key,
                What::WentUnhealthy {
                    why: "agent disconnected".to_owned(),
                },
            );
            let shown = Event::Settles {
                machine: key.to_owned(),
            };
            self.schedule(now + DISCONNECTED_AFTER + TimeDelta::seconds(1), shown);
        }
    }
}
