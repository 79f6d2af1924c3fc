//! Once: a machine gets at most 1 + retries disruptive commands for a release, and never another
//! reboot than those.

use std::collections::BTreeMap;

use super::{Fault, Invariant};
use crate::rehearsal::truth::{Cause, Sent};
use crate::rehearsal::weather::Arrival;
use crate::rehearsal::world::World;

/// A machine in one life, and a release.
type Key = (String, String, String);

/// Checks that no machine is commanded or rebooted more often than allowed.
#[derive(Default)]
pub(super) struct Once {
    commands: BTreeMap<Key, u32>,
    reboots: BTreeMap<Key, u32>,
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
        self.reboot(world)
    }
}

impl Once {
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
        let count = self.commands.entry(key).or_default();
        *count += 1;
        let max = 1 + run.spec.failures.retries;
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
            truth.pending.is_empty() && kbs.into_iter().all(|kb| truth.installed.contains(kb))
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
