//! How many machines may be unavailable at once, and which ones now.
//!
//! One budget covers a whole disruption domain: every run of every fleet in it. Unavailable is
//! what a run commands or holds, what is observed unhealthy, and what is not known; dormant
//! machines count neither above nor below the line. Must never look at windows or approvals.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU8;
use std::sync::Arc;

use super::machine::{MachineId, MachineKind, Placement};
use super::policy::{Limit, Spread};
use super::region::Regions;
use super::run::LimitKey;
use super::spread::{Apart, Place, apart};
use crate::planted::{self, Bug};

/// The share of an availability set, or of an Azure Local cluster's guests, that may be
/// unavailable at once (Automatic VM Guest Patching, azure.md §7).
pub const SET_SHARE: Limit = Limit::Percent(match NonZeroU8::new(20) {
    Some(share) => share,
    None => unreachable!(),
});

/// The reason of machines that share a limit with machines which cannot be read.
pub const NEIGHBOUR_UNREAD: &str = "NeighbourUnread";

/// Below this many members a set lets one machine through at a time (azure.md §7).
pub const SET_SMALL: usize = 10;

/// Returns how many of an availability set or a cluster may be unavailable at once.
pub fn set_limit(members: usize) -> u32 {
    let least = planted::pick(Bug::WholeSet, 1, members);
    if members < SET_SMALL {
        members.min(least) as u32
    } else {
        SET_SHARE.of(members)
    }
}

/// A limit with the machines it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceiling {
    /// What it is.
    pub key: LimitKey,
    /// The machines it counts; dormant and excluded ones are not among them.
    pub members: BTreeSet<MachineId>,
    /// How many of them may be unavailable.
    pub max: u32,
}

/// Why a machine may not be taken now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A limit is used up.
    Full {
        /// The limit.
        key: LimitKey,
        /// How many of it are unavailable.
        unavailable: u32,
        /// How many may be.
        max: u32,
    },
    /// A limit may count machines that nobody can read now.
    Unread {
        /// The limit.
        key: LimitKey,
        /// The fleet whose machines they are.
        fleet: String,
    },
    /// A machine that must be kept apart from this one is being worked on.
    Apart {
        /// What keeps them apart.
        by: Apart,
        /// The other machine's name.
        from: String,
    },
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full {
                key,
                unavailable,
                max,
            } => {
                write!(
                    f,
                    "{key} is at its limit: {unavailable} of {max} unavailable"
                )
            }
            Self::Unread { key, fleet } => write!(
                f,
                "{key} may count machines of fleet {fleet} of this namespace, which cannot be \
                 read, and some of them may be unavailable: see the conditions of that fleet and \
                 cure it, or suspend or delete it"
            ),
            Self::Apart { by, from } => write!(f, "{from} in {by} is being worked on"),
        }
    }
}

impl Refusal {
    /// Returns the CamelCase reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unread { .. } => NEIGHBOUR_UNREAD,
            Self::Full { .. } | Self::Apart { .. } => "BudgetExhausted",
        }
    }
}

/// Where machines are commanded or held, and what they freeze for others: those of one ground are
/// asked about once, however many they are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ground {
    kind: MachineKind,
    placement: Placement,
    spread: Spread,
}

/// A machine that is commanded or held.
#[derive(Clone, Debug)]
struct Engaged {
    /// By how many runs.
    by: u32,
    name: String,
    ground: Arc<Ground>,
}

/// The budget of one disruption domain at one instant.
#[derive(Clone, Debug)]
pub struct Budget {
    regions: Arc<Regions>,
    ceilings: Vec<Ceiling>,
    /// The ceilings that count a machine, by their place in `ceilings`.
    of_machine: BTreeMap<MachineId, Vec<usize>>,
    unavailable: BTreeSet<MachineId>,
    /// Those that are unavailable by themselves.
    down: BTreeSet<MachineId>,
    used: Vec<u32>,
    engaged: BTreeMap<MachineId, Engaged>,
    /// The same machines by their grounds; none is empty.
    grounds: BTreeMap<Arc<Ground>, BTreeSet<MachineId>>,
    /// The fleet whose machines a limit may count, though nobody can read them.
    unread: BTreeMap<LimitKey, String>,
}

impl Budget {
    /// Takes the ceilings of a domain and the machines in it that are unavailable by themselves.
    pub fn new(ceilings: Vec<Ceiling>, unavailable: impl IntoIterator<Item = MachineId>) -> Self {
        let mut of_machine: BTreeMap<MachineId, Vec<usize>> = BTreeMap::new();
        for (place, ceiling) in ceilings.iter().enumerate() {
            for id in &ceiling.members {
                of_machine.entry(id.clone()).or_default().push(place);
            }
        }
        let down: BTreeSet<MachineId> = unavailable.into_iter().collect();
        let mut budget = Self {
            regions: Regions::shared(),
            used: vec![0; ceilings.len()],
            ceilings,
            of_machine,
            unavailable: BTreeSet::new(),
            down: BTreeSet::new(),
            engaged: BTreeMap::new(),
            grounds: BTreeMap::new(),
            unread: BTreeMap::new(),
        };
        for id in &down {
            budget.take(id);
        }
        budget.down = down;
        budget
    }

    /// Takes the limits that may count machines which nobody can read, each with their fleet: they
    /// let nothing through that is available.
    pub fn unread(&mut self, limits: BTreeMap<LimitKey, String>) {
        self.unread = limits;
    }

    /// Returns the same budget, which knows these regions and their pairs.
    #[must_use]
    pub fn in_regions(mut self, regions: Arc<Regions>) -> Self {
        self.regions = regions;
        self
    }

    /// Returns the regions that it knows.
    pub fn regions(&self) -> &Regions {
        &self.regions
    }

    fn take(&mut self, id: &MachineId) {
        if self.unavailable.insert(id.clone()) {
            for place in self.of_machine.get(id).into_iter().flatten() {
                self.used[*place] += 1;
            }
        }
    }

    /// Counts a machine that a run commands or holds.
    pub fn engage(
        &mut self,
        id: &MachineId,
        name: &str,
        kind: MachineKind,
        placement: &Placement,
        spread: Spread,
    ) {
        self.take(id);
        let before = self.leave(id);
        // Who engaged it first said where it stands; the stricter word counts.
        let ground = match &before {
            None => Ground {
                kind,
                placement: placement.clone(),
                spread,
            },
            Some(own) => Ground {
                spread: own.ground.spread.stricter(spread),
                ..Ground::clone(&own.ground)
            },
        };
        let own = Engaged {
            by: before.as_ref().map_or(1, |own| own.by + 1),
            name: before.map_or_else(|| name.to_owned(), |own| own.name),
            ground: self.stand(id, ground),
        };
        self.engaged.insert(id.clone(), own);
    }

    /// Puts a machine on a ground.
    fn stand(&mut self, id: &MachineId, ground: Ground) -> Arc<Ground> {
        let known = self.grounds.get_key_value(&ground);
        let known = known.map(|(own, _)| Arc::clone(own));
        let ground = known.unwrap_or_else(|| Arc::new(ground));
        let there = self.grounds.entry(Arc::clone(&ground)).or_default();
        there.insert(id.clone());
        ground
    }

    /// Takes a machine off its ground, if it is commanded or held.
    fn leave(&mut self, id: &MachineId) -> Option<Engaged> {
        let own = self.engaged.remove(id)?;
        if let Some(there) = self.grounds.get_mut(&own.ground) {
            there.remove(id);
            if there.is_empty() {
                self.grounds.remove(&own.ground);
            }
        }
        Some(own)
    }

    /// Counts a machine no more for one of the runs that commanded or held it: its command was not
    /// sent. One that is down by itself, or that another run holds, stays counted.
    pub fn release(&mut self, id: &MachineId) {
        let Some(own) = self.engaged.get_mut(id) else {
            return;
        };
        own.by -= 1;
        if own.by > 0 {
            return;
        }
        self.leave(id);
        if !self.down.contains(id) && self.unavailable.remove(id) {
            for place in self.of_machine.get(id).into_iter().flatten() {
                self.used[*place] -= 1;
            }
        }
    }

    /// Asks whether one more machine may be taken. A machine that is unavailable already uses up
    /// nothing more, but is still kept apart from those in other domains. `frozen` are limits that
    /// a run carries: the stricter of the two counts.
    ///
    /// # Errors
    /// The [`Refusal`] that names the limit or the machine in the way.
    pub fn admit(
        &self,
        id: &MachineId,
        place: Place<'_>,
        spread: Spread,
        frozen: &BTreeMap<LimitKey, u32>,
    ) -> Result<(), Refusal> {
        if let Some((other, by)) = self.in_the_way(id, place, spread) {
            let from = self.engaged.get(other).map(|own| own.name.clone());
            return Err(Refusal::Apart {
                by,
                from: from.unwrap_or_default(),
            });
        }
        if self.unavailable.contains(id) {
            return Ok(());
        }
        for index in self.of_machine.get(id).into_iter().flatten() {
            let ceiling = &self.ceilings[*index];
            if let Some(fleet) = self.unread.get(&ceiling.key) {
                return Err(Refusal::Unread {
                    key: ceiling.key.clone(),
                    fleet: fleet.clone(),
                });
            }
            let max = frozen
                .get(&ceiling.key)
                .filter(|_| !planted::is(Bug::WidenedLimit))
                .map_or(ceiling.max, |own| ceiling.max.min(*own));
            if self.used[*index] + 1 > max {
                return Err(Refusal::Full {
                    key: ceiling.key.clone(),
                    unavailable: self.used[*index],
                    max,
                });
            }
        }
        Ok(())
    }

    /// Returns the first machine being worked on from which another one must be kept apart.
    fn in_the_way(
        &self,
        id: &MachineId,
        place: Place<'_>,
        spread: Spread,
    ) -> Option<(&MachineId, Apart)> {
        let others = self.grounds.iter().filter_map(|(ground, there)| {
            let other = there.iter().find(|own| *own != id)?;
            let standing = Place {
                kind: ground.kind,
                placement: &ground.placement,
            };
            let spread = spread.stricter(ground.spread);
            let by = apart(place, standing, spread, &self.regions)?;
            Some((other, by))
        });
        others.min_by_key(|(other, _)| *other)
    }

    /// Returns the ceilings that count a machine.
    pub fn ceilings_of(&self, id: &MachineId) -> impl Iterator<Item = &Ceiling> {
        self.of_machine
            .get(id)
            .into_iter()
            .flatten()
            .map(|place| &self.ceilings[*place])
    }

    /// Returns every ceiling with how many of its machines are unavailable.
    pub fn usage(&self) -> impl Iterator<Item = (&Ceiling, u32)> {
        self.ceilings.iter().zip(self.used.iter().copied())
    }

    /// Tells whether a machine counts as unavailable.
    pub fn is_unavailable(&self, id: &MachineId) -> bool {
        self.unavailable.contains(id)
    }
}

#[cfg(test)]
mod tests;
