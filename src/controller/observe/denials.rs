//! What Azure denied to a fleet beside its inventory. Shown, and never decided from: each command
//! is sent or withheld for reasons of its own.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::azure::Error;
use crate::domain::fleet::FleetKey;
use crate::domain::machine::{MachineId, MachineKind};

/// How long a denial is shown where the same is not asked for again: whoever adds the right need
/// not wait for the next window to see the condition clear.
const SHOWN: TimeDelta = TimeDelta::hours(6);

/// What was asked of Azure, of what kind of machine, and where: each kind needs a right of its own,
/// and a role may be assigned in one resource group and missing in the next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    what: &'static str,
    kind: MachineKind,
    subscription: String,
    group: String,
}

impl Asked {
    /// Returns what was asked on a machine.
    pub fn on(machine: &MachineId, kind: MachineKind, what: &'static str) -> Self {
        Self {
            what,
            kind,
            subscription: machine.subscription().to_owned(),
            group: machine.resource_group().to_owned(),
        }
    }
}

/// What Azure answered to a call of a fleet.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The fleet.
    pub fleet: FleetKey,
    /// What was asked.
    pub asked: Asked,
    /// Why it was not accepted, if it was not.
    pub refusal: Option<Error>,
}

/// What was denied to each fleet, with Azure's refusal and its time. A denial stands until the same
/// is accepted in the same place, or for `SHOWN`: that somebody assigned a role cannot be seen
/// otherwise.
#[derive(Default)]
pub struct Denials(BTreeMap<FleetKey, BTreeMap<Asked, (DateTime<Utc>, Error)>>);

impl Denials {
    /// Takes in what Azure answered, in its order, and forgets what is too long ago.
    pub fn learn(&mut self, answers: &[Answer], now: DateTime<Utc>) {
        for answer in answers {
            let own = self.0.entry(answer.fleet.clone()).or_default();
            match &answer.refusal {
                Some(error @ Error::Denied { .. }) => {
                    own.insert(answer.asked.clone(), (now, error.clone()));
                }
                // Nothing is said of the right by a refusal for another reason.
                Some(_) => {}
                None => {
                    own.remove(&answer.asked);
                }
            }
        }
        for own in self.0.values_mut() {
            own.retain(|_, (at, _)| now - *at < SHOWN);
        }
        self.0.retain(|_, own| !own.is_empty());
    }

    /// Returns the first denial of a fleet that is not too long ago.
    pub fn of(&self, fleet: &FleetKey, now: DateTime<Utc>) -> Option<&Error> {
        let own = self.0.get(fleet)?.values();
        let mut fresh = own.filter(|(at, _)| now - *at < SHOWN);
        fresh.next().map(|(_, error)| error)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may unwrap")]

    use super::*;

    fn fleet(name: &str) -> FleetKey {
        FleetKey {
            namespace: "web".to_owned(),
            name: name.to_owned(),
        }
    }

    fn asked(group: &str, what: &'static str) -> Asked {
        let id = format!(
            "/subscriptions/s1/resourceGroups/{group}/providers/Microsoft.Compute/\
             virtualMachines/vm"
        );
        Asked::on(&MachineId::parse(&id).unwrap(), MachineKind::AzureVm, what)
    }

    fn answer(name: &str, group: &str, what: &'static str, denied: Option<&str>) -> Answer {
        Answer {
            fleet: fleet(name),
            asked: asked(group, what),
            refusal: denied.map(|action| Error::Denied {
                action: action.to_owned(),
                message: "no".to_owned(),
            }),
        }
    }

    /// Returns the action that is shown as denied.
    fn shown(denials: &Denials, name: &str, minutes: i64) -> String {
        let now = DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes);
        match denials.of(&fleet(name), now) {
            Some(Error::Denied { action, .. }) => action.clone(),
            _ => String::new(),
        }
    }

    #[test]
    fn a_denial_stands_until_the_same_works_in_the_same_place() {
        let busy = Error::Conflict {
            what: "install".to_owned(),
            code: "c".to_owned(),
            message: "m".to_owned(),
        };
        let conflict = Answer {
            refusal: Some(busy),
            ..answer("shop", "g1", "Finish", None)
        };
        let of_arc = answer("shop", "g1", "Finish", None);
        let of_arc = Answer {
            asked: Asked {
                kind: MachineKind::ArcServer,
                ..of_arc.asked
            },
            ..of_arc
        };
        // What is answered, and what is shown then for the fleet `shop`.
        let rows = [
            (answer("shop", "g1", "Finish", Some("install")), "install"),
            (answer("till", "g1", "Finish", None), "install"),
            (answer("shop", "g2", "Finish", None), "install"),
            (answer("shop", "g1", "assess", None), "install"),
            (conflict, "install"),
            (of_arc, "install"),
            (answer("shop", "g1", "Finish", None), ""),
            (answer("shop", "g1", "Restart", Some("restart")), "restart"),
        ];
        let mut denials = Denials::default();
        for (place, (answer, expected)) in rows.into_iter().enumerate() {
            denials.learn(&[answer], DateTime::UNIX_EPOCH);
            assert_eq!(shown(&denials, "shop", 0), expected, "row {place}");
            assert_eq!(shown(&denials, "till", 0), "", "row {place}");
        }
        assert_eq!(shown(&denials, "shop", 359), "restart");
        assert_eq!(shown(&denials, "shop", 360), "", "not for ever");
        denials.learn(&[], DateTime::UNIX_EPOCH + TimeDelta::hours(6));
        assert!(denials.0.is_empty(), "nor kept");
    }
}
