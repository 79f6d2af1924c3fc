//! Once: a machine gets at most 1 + retries disruptive commands for a release, and never another
//! reboot than those.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::{Fault, Invariant};
use crate::api::HotpatchRun;
use crate::rehearsal::shelf::Name;
use crate::rehearsal::truth::{Cause, Sent};
use crate::rehearsal::weather::Arrival;
use crate::rehearsal::world::World;

/// Azure assesses a machine by itself once a day; Resource Graph may be behind it.
pub(super) const SHOWN_AFTER: TimeDelta = TimeDelta::hours(26);

/// A machine in one life, and a release.
type Key = (String, String, String);

/// Checks that no machine is commanded or rebooted more often than allowed.
#[derive(Default)]
pub(super) struct Once {
    commands: BTreeMap<Key, u32>,
    reboots: BTreeMap<Key, u32>,
    /// Requests to try again, oldest first: the machines they name, in lower case.
    retries: Vec<Vec<String>>,
}

impl Invariant for Once {
    fn name(&self) -> &'static str {
        "once"
    }

    fn states(&self) -> &'static str {
        "per machine and release at most 1 + retries disruptive commands, and no more reboots"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        if let Some(sent) = world.just_arrived() {
            // What the network doubled was commanded once; its reboots count.
            return match sent.arrival {
                Arrival::InTime | Arrival::Late => self.command(world, sent),
                Arrival::Again => Ok(0),
            };
        }
        self.asked(world);
        self.reboot(world)
    }
}

impl Once {
    /// Notes a person's wish to try again.
    fn asked(&mut self, world: &World) {
        let write = world
            .just_written()
            .filter(|own| own.resource == "hotpatchrequests.hotpatch.dev" && own.before.is_none());
        let Some(spec) = write
            .and_then(|own| own.after.as_ref())
            .map(|own| &own["spec"])
        else {
            return;
        };
        if spec["verb"] == "Retry" {
            let machines = spec["machines"].as_array().into_iter().flatten();
            let names = machines.filter_map(|own| own.as_str());
            self.retries
                .push(names.map(str::to_ascii_lowercase).collect());
        }
    }

    /// Returns how often people let a machine be tried anew for a run's release: by asking for it,
    /// or by deleting the run that tried.
    fn granted(&self, world: &World, sent: &Sent, run: &HotpatchRun) -> u32 {
        let asked = self
            .retries
            .iter()
            .filter(|own| own.is_empty() || own.contains(&sent.machine));
        let earlier = world.sent.iter().filter(|own| {
            own.machine == sent.machine && own.order < sent.order && own.is_disruptive()
        });
        let of_deleted: BTreeSet<&Name> = earlier
            .filter_map(|own| own.run.as_ref())
            .filter(|name| world.deleted_runs.contains(*name) || world.reborn_runs.contains(*name))
            .filter(|name| {
                let other = world.runs.get(*name);
                other.is_some_and(|other| other.spec.release == run.spec.release)
            })
            .collect();
        // A name that was borne twice stands for one that is gone, and perhaps for another.
        let times = |name: &&Name| {
            usize::from(world.deleted_runs.contains(*name))
                + usize::from(world.reborn_runs.contains(*name))
        };
        let deleted: usize = of_deleted.iter().map(times).sum();
        u32::try_from(asked.count() + deleted).unwrap_or(u32::MAX)
    }

    fn command(&mut self, world: &World, sent: &Sent) -> Result<u64, Fault> {
        let Some(run) = world
            .run_of(sent)
            .filter(|_| sent.is_accepted() && sent.is_disruptive())
        else {
            return Ok(0);
        };
        let release = &run.spec.release;
        let key = (
            sent.machine.clone(),
            sent.incarnation.clone(),
            release.clone(),
        );
        let more = self.granted(world, sent, run);
        let count = self.commands.entry(key).or_default();
        *count += 1;
        let max = (1 + run.spec.failures.retries) * (1 + more);
        if *count > max {
            let text = format!("at most {max} disruptive commands for {release}");
            return Err(Fault::on(&sent.machine, text, format!("number {count}")));
        }
        let truth = world.machines.get(&sent.machine);
        let at_release = truth.is_some_and(|truth| {
            let kbs = run
                .spec
                .allowed_kbs
                .iter()
                .map(|kb| kb.trim_start_matches("KB"));
            // What took effect by somebody's hand shows with the next assessment.
            let shows = truth
                .effective_at
                .is_none_or(|at| sent.at - at > SHOWN_AFTER);
            shows
                && truth.pending.is_empty()
                && kbs.into_iter().all(|kb| truth.installed.contains(kb))
        });
        if *count > 1 && at_release && !run.spec.allowed_kbs.is_empty() {
            let text = format!("no further command once it has {release}");
            return Err(Fault::on(&sent.machine, text, "another disruptive command"));
        }
        Ok(2)
    }

    fn reboot(&mut self, world: &World) -> Result<u64, Fault> {
        let Some(reboot) = world.reboots.last().filter(|own| {
            let seq = world.just_effect().map(|effect| &effect.what);
            matches!(seq, Some(azure_sim::What::RebootStarted { .. }))
                && matches!(own.cause, Cause::Command(_))
        }) else {
            return Ok(0);
        };
        let Some(run) = world
            .run_of_reboot(reboot)
            .and_then(|name| world.runs.get(name))
        else {
            let text = "a reboot that a run commanded";
            return Err(Fault::on(&reboot.machine, text, "one that no run knows of"));
        };
        let key = (
            reboot.machine.clone(),
            reboot.incarnation.clone(),
            run.spec.release.clone(),
        );
        let accepted = self.commands.get(&key).copied().unwrap_or(0);
        let count = self.reboots.entry(key).or_default();
        *count += 1;
        if *count > accepted {
            let text = format!("at most {accepted} reboots, one a command");
            return Err(Fault::on(
                &reboot.machine,
                text,
                format!("reboot number {count}"),
            ));
        }
        Ok(1)
    }
}
