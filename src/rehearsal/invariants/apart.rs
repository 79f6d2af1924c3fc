//! Apart: what backs each other up is never down by our commands at the same time.

use super::{Fault, Invariant};
use crate::api::HotpatchRun;
use crate::api::machine::MachineKind;
use crate::api::policy::Spread;
use crate::domain::region::{PairGroup, Regions};
use crate::rehearsal::facts::Facts;
use crate::rehearsal::shelf::Name;
use crate::rehearsal::truth::Sent;
use crate::rehearsal::world::World;

/// Checks that commands under way keep to one zone, region, update domain, site and cluster.
pub(super) struct Apart;

impl Invariant for Apart {
    fn name(&self) -> &'static str {
        "apart"
    }

    fn states(&self) -> &'static str {
        "never two zones, paired regions, update domains, sites or clusters under command at once"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        let Some(sent) = world.just_sent().filter(|own| own.is_accepted()) else {
            return Ok(0);
        };
        let Some(own) = world.facts.get(&sent.machine) else {
            return Ok(0);
        };
        let spread = spread_of(world, sent);
        let mut checks = 0;
        // Another namespace is another domain, whose machines back nothing of this one up.
        let namespace = |own: &Sent| own.run.as_ref().map(|name| name.0.clone());
        let is_elsewhere = |other: &Sent| {
            let both = namespace(other).zip(namespace(sent));
            both.is_some_and(|(own, other)| own != other)
        };
        for other in world
            .known_commands()
            .filter(|other| other.machine != sent.machine && !is_elsewhere(other))
        {
            let Some(facts) = world.facts.get(&other.machine) else {
                continue;
            };
            checks += 1;
            if let Some(by) = parted(own, facts, &spread) {
                let text = format!("no command in {by} while {} is under command", facts.name);
                return Err(Fault::on(&sent.machine, text, "a command"));
            }
        }
        Ok(checks)
    }
}

/// The domains that the fleet's policy keeps apart; all where it cannot be read.
fn spread_of(world: &World, sent: &Sent) -> Vec<Spread> {
    let policy = || {
        let name: &Name = sent.run.as_ref()?;
        let run: &HotpatchRun = world.run_of(sent)?;
        let fleet = world
            .fleets
            .get(&(name.0.clone(), run.spec.fleet_name.clone()))?;
        world
            .policies
            .get(&(name.0.clone(), fleet.spec.policy_ref.name.clone()))
    };
    policy().map_or_else(
        || Spread::ALL.to_vec(),
        |own| own.spec.availability.spread.clone(),
    )
}

fn parted(a: &Facts, b: &Facts, spread: &[Spread]) -> Option<&'static str> {
    let kept = |own: Spread| spread.contains(&own);
    let vms = (
        a.kind == MachineKind::AzureVm,
        b.kind == MachineKind::AzureVm,
    );
    match vms {
        (true, true) if a.region != b.region => {
            let regions = Regions::embedded();
            let group = regions.pair_group(&a.region);
            let paired = matches!(group, PairGroup::Group(_) | PairGroup::Unknown)
                && group == regions.pair_group(&b.region);
            if paired && kept(Spread::GeoPair) {
                return Some("the paired region");
            }
            kept(Spread::Region).then_some("another region")
        }
        (true, true) => {
            if kept(Spread::Zone) && differ(a.zone.as_ref(), b.zone.as_ref()) {
                return Some("another zone");
            }
            let (own, other) = (a.set.as_ref()?, b.set.as_ref()?);
            let split = own.set == other.set && own.number != other.number;
            (kept(Spread::AvailabilitySet) && split).then_some("another update domain")
        }
        (false, false) => {
            if kept(Spread::Site) && differ(a.site(), b.site()) {
                return Some("another site");
            }
            let split = differ(a.cluster.as_ref(), b.cluster.as_ref());
            (kept(Spread::Cluster) && split).then_some("another cluster")
        }
        _ => None,
    }
}

fn differ<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a != b)
}
