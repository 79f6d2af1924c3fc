//! What guests said of themselves. All of it can be lost: it is asked again.
//!
//! What an Arc server said is believed only for as long as Azure goes on finding it unfit, so that
//! an old word never stands against a newer one; what a VM said decides nothing. Must never ask:
//! that is `act`'s.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::enrolment::lacks_something;
use crate::domain::fleet::FleetKey;
use crate::domain::machine::{Facts, Incarnation, Machine, MachineId, MachineKind};
use crate::domain::snapshot::Snapshot;

/// How long a guest is remembered that nobody asks any more.
const REMEMBERED: TimeDelta = TimeDelta::hours(48);

/// How the script in a guest stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// It was asked for, and has not ended.
    Runs,
    /// It ended, and its resource is still there.
    Ended,
    /// Nothing of it is left.
    Gone,
}

/// A guest that was asked.
#[derive(Clone, Debug)]
pub struct Guest {
    /// The fleet for which it was asked.
    pub fleet: FleetKey,
    /// The machine's kind.
    pub kind: MachineKind,
    /// Which life of the machine.
    pub incarnation: Incarnation,
    /// Where Azure keeps its record.
    pub region: String,
    /// When it was asked.
    pub asked_at: DateTime<Utc>,
    /// When it may be asked again.
    pub again_at: DateTime<Utc>,
    /// The script.
    pub script: Script,
    /// Whether virtualization-based security runs, as it said last.
    pub vbs_running: Option<bool>,
}

/// The guests that were asked.
#[derive(Default)]
pub struct Guests(pub(super) BTreeMap<MachineId, Guest>);

impl Guests {
    /// Puts what guests said beside what Azure says of their machines, for the namespace that asked
    /// them.
    pub fn tell(&self, snapshot: &mut Snapshot) {
        for (id, guest) in &self.0 {
            let Some(runs) = guest.vbs_running else {
                continue;
            };
            let Some(domain) = snapshot.domains.get_mut(&guest.fleet.namespace) else {
                continue;
            };
            let sights = domain.sights.values_mut().map(|own| &mut own.inventory);
            for inventory in sights.chain([&mut domain.inventory]).flatten() {
                let machine = inventory.machines.get_mut(id);
                let machine = machine.filter(|own| is_still(own, guest));
                let facts = machine.map(|own| &mut Arc::make_mut(own).facts);
                match facts {
                    Some(Facts::ArcServer(facts)) => facts.vbs_running = Some(runs),
                    Some(Facts::AzureVm(facts)) => facts.vbs_running = Some(runs),
                    Some(Facts::AzureLocalVm(_)) | None => {}
                }
            }
        }
    }

    /// Tells whether a guest is not to be asked again yet.
    pub(super) fn rests(&self, machine: &Machine, now: DateTime<Utc>) -> bool {
        self.0.get(&machine.id).is_some_and(|own| {
            let is_same = own.incarnation == machine.incarnation;
            own.script != Script::Gone || is_same && now < own.again_at
        })
    }

    /// Counts the guests whose script is not gone, by namespace.
    pub(super) fn asked(&self) -> BTreeMap<String, usize> {
        let mut asked = BTreeMap::new();
        for own in self.0.values().filter(|own| own.script != Script::Gone) {
            *asked.entry(own.fleet.namespace.clone()).or_insert(0) += 1;
        }
        asked
    }

    /// Forgets guests that nobody asks any more.
    pub(super) fn forget(&mut self, now: DateTime<Utc>) {
        self.0.retain(|_, own| now - own.asked_at < REMEMBERED);
    }
}

/// Tells whether a machine is the one that was asked, and its word still counts.
fn is_still(machine: &Machine, guest: &Guest) -> bool {
    let counts = machine.kind == MachineKind::AzureVm || lacks_something(machine);
    counts && machine.incarnation == guest.incarnation
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may unwrap")]

    use super::*;
    use crate::domain::machine::ArcFacts;
    use crate::domain::snapshot::Sighted;
    use crate::domain::testkit::{arc, domain, fleet, opens, snapshot, vm};

    /// An Arc server of which Azure says this.
    fn server(word: &str) -> Machine {
        let told = |facts: &mut ArcFacts| {
            (facts.vbs_running, facts.enablement) = (None, Some(word.to_owned()));
        };
        arc("server-1").arc(told).machine()
    }

    fn guest(machine: &Machine, namespace: &str, vbs_running: Option<bool>) -> Guests {
        let mut key = fleet("a").key;
        namespace.clone_into(&mut key.namespace);
        let guest = Guest {
            fleet: key,
            kind: machine.kind,
            incarnation: machine.incarnation.clone(),
            region: "westeurope".to_owned(),
            asked_at: opens(),
            again_at: opens() + TimeDelta::hours(1),
            script: Script::Gone,
            vbs_running,
        };
        Guests(BTreeMap::from([(machine.id.clone(), guest)]))
    }

    fn vbs(machine: &Machine) -> Option<bool> {
        let of_vm = machine.vm().and_then(|own| own.vbs_running);
        machine.arc().map_or(of_vm, |own| own.vbs_running)
    }

    #[test]
    fn the_word_of_a_vm_stands_for_the_vm_that_was_asked() {
        for (is_anew, expected) in [(false, Some(false)), (true, None)] {
            let machine = vm("vm1").machine();
            let own = fleet("a").key.namespace;
            let guests = guest(&machine, &own, Some(false));
            let mut seen = machine.clone();
            if is_anew {
                seen.incarnation.vm_id = "another".to_owned();
            }
            let mut snapshot = snapshot(domain([fleet("a")], vec![seen], opens()));
            guests.tell(&mut snapshot);
            let inventory = snapshot.domains[&own].inventory.as_ref().unwrap();
            assert_eq!(vbs(&inventory.machines[&machine.id]), expected, "{is_anew}");
        }
    }

    #[test]
    fn the_word_of_a_guest_counts_while_azure_finds_its_machine_unfit() {
        let own = fleet("a").key.namespace;
        // What Azure says, who asked, what the guest said, whether it was made anew, and what is
        // known then.
        let rows = [
            (
                "ActionRequired",
                own.as_str(),
                Some(false),
                false,
                Some(false),
            ),
            (
                "actionrequired",
                own.as_str(),
                Some(true),
                false,
                Some(true),
            ),
            ("ActionRequired", own.as_str(), None, false, None),
            ("ActionRequired", own.as_str(), Some(false), true, None),
            ("ActionRequired", "another", Some(false), false, None),
            ("PendingEvaluation", own.as_str(), Some(false), false, None),
            ("Enabled", own.as_str(), Some(false), false, None),
        ];
        for (word, namespace, said, is_anew, expected) in rows {
            let machine = server(word);
            let guests = guest(&machine, namespace, said);
            let mut seen = machine.clone();
            if is_anew {
                seen.incarnation.vm_id = "another".to_owned();
            }
            let mut domain = domain([fleet("a")], vec![seen], opens());
            let sight = Sighted {
                inventory: domain.inventory.clone(),
                gone: None,
            };
            domain.sights.insert("other".to_owned(), sight);
            let mut snapshot = snapshot(domain);
            guests.tell(&mut snapshot);
            let domain = &snapshot.domains[&own];
            for inventory in [&domain.inventory, &domain.sights["other"].inventory] {
                let told = &inventory.as_ref().unwrap().machines[&machine.id];
                assert_eq!(vbs(told), expected, "{word} {namespace} {said:?} {is_anew}");
            }
        }
    }

    #[test]
    fn a_guest_rests_until_it_may_be_asked_again_and_while_its_script_is_there() {
        let machine = server("ActionRequired");
        let mut anew = machine.clone();
        anew.incarnation.vm_id = "another".to_owned();
        let minutes = |count| opens() + TimeDelta::minutes(count);
        // The script, minutes since it was asked for, and whether it rests: it, and made anew.
        let rows = [
            (Script::Gone, 59, true, false),
            (Script::Gone, 60, false, false),
            (Script::Runs, 90, true, true),
            (Script::Ended, 90, true, true),
        ];
        for (script, after, same, other) in rows {
            let mut guests = guest(&machine, "web", Some(false));
            guests.0.values_mut().for_each(|own| own.script = script);
            let rests = |own| guests.rests(own, minutes(after));
            assert_eq!((rests(&machine), rests(&anew)), (same, other), "{script:?}");
            let asked = guests.asked().get("web").copied();
            assert_eq!(asked, (script != Script::Gone).then_some(1), "{script:?}");
        }
        let mut guests = guest(&machine, "web", Some(false));
        guests.forget(opens() + REMEMBERED);
        assert!(guests.0.is_empty());
    }
}
