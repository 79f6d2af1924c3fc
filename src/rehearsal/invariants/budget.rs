//! Budget: at each send the unavailable machines stay within every limit.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fault, Invariant, WATCH_GRACE};
use crate::api::HotpatchRun;
use crate::rehearsal::limits::{Limit, limits, unavailable};
use crate::rehearsal::truth::Sent;
use crate::rehearsal::world::World;

/// Checks that a send keeps every limit of its namespace.
pub(super) struct Budget;

impl Invariant for Budget {
    fn name(&self) -> &'static str {
        "budget"
    }

    fn states(&self) -> &'static str {
        "at each send the unavailable machines stay within each stage, group, set and cluster limit"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        let Some(sent) = world.just_sent().filter(|own| own.is_accepted()) else {
            return Ok(0);
        };
        let Some((name, run)) = sent.run.as_ref().zip(world.run_of(sent)) else {
            return Ok(0);
        };
        let down = world
            .machines
            .get(&sent.machine)
            .and_then(|truth| truth.down_since);
        if down.is_some() {
            return Ok(1);
        }
        let mut gone = unavailable(world, &name.0);
        gone.insert(sent.machine.clone());
        let now = judge(run, sent, &gone, &limits(world, &name.0, sent.at));
        match now {
            Ok(checks) => Ok(checks),
            Err(fault) => {
                let earlier = limits(world, &name.0, sent.at - WATCH_GRACE);
                judge(run, sent, &gone, &earlier).map_err(|_| fault)
            }
        }
    }
}

fn judge(
    run: &HotpatchRun,
    sent: &Sent,
    gone: &BTreeSet<String>,
    limits: &[Limit],
) -> Result<u64, Fault> {
    let mut frozen: BTreeMap<String, u32> = BTreeMap::new();
    for own in &run.spec.limits {
        frozen.insert(
            key(&run.spec.fleet_name, &own.scope, &own.key),
            own.max_unavailable,
        );
    }
    let mut checks = 0;
    for limit in limits
        .iter()
        .filter(|own| own.members.contains(&sent.machine))
    {
        let also = frozen.get(&format!(
            "{}/{}",
            limit.scope,
            limit.key.to_ascii_lowercase()
        ));
        let max = also.map_or(limit.max, |own| limit.max.min(*own));
        let count = limit.members.intersection(gone).count();
        checks += 1;
        if count > max as usize {
            let text = format!("at most {max} of {} {} unavailable", limit.scope, limit.key);
            let names: Vec<&str> = limit
                .members
                .intersection(gone)
                .map(|id| last(id))
                .collect();
            let found = format!("{count}: {}", names.join(", "));
            return Err(Fault::on(&sent.machine, text, found));
        }
    }
    Ok(checks)
}

/// A frozen stage is named by itself; here stages carry their fleet.
fn key(fleet: &str, scope: &str, key: &str) -> String {
    let key = key.to_ascii_lowercase();
    match scope {
        "stage" if !key.contains('/') => format!("stage/{fleet}/{key}"),
        scope => format!("{scope}/{key}"),
    }
}

fn last(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}
