//! Holds the faults that are switched on: what goes wrong, for which calls, how often. Must never
//! touch the world: it says what befalls a call, and the router does it.

mod rule;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use rule::{GRAPH_LAG_MINUTES_MAX, Rule, RuleError, Trouble};

use crate::strike::{Bends, Loss, Refusal, Strike};

/// Rules that stand at once.
pub const RULES_MAX: usize = 256;

/// A rule that stands, with its number and how often it struck.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Standing {
    /// Its number, by which it is taken away.
    pub id: u64,
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// Calls that it spoiled so far.
    pub struck: u32,
}

/// A call as far as rules look at it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Lower case.
    pub(crate) path: String,
    /// The machine it concerns, lower case: by its path, or by the operation it polls.
    pub(crate) machine: Option<String>,
    /// The region of that machine or operation, lower case.
    pub(crate) region: Option<String>,
    pub(crate) is_poll: bool,
    pub(crate) is_graph: bool,
}

/// The switchboard of one emulator. Clones share it.
#[derive(Debug, Clone)]
pub struct Switchboard(Arc<Mutex<Board>>);

#[derive(Debug)]
struct Board {
    rules: Vec<Standing>,
    last_id: u64,
    dice: fastrand::Rng,
}

impl Switchboard {
    pub(crate) fn new(seed: u64) -> Self {
        // Its own dice: switching a fault on changes nothing else that is drawn.
        let dice = fastrand::Rng::with_seed(seed ^ 0x5357_4954_4348_4544);
        Self(Arc::new(Mutex::new(Board {
            rules: Vec::new(),
            last_id: 0,
            dice,
        })))
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Switches a fault on and gives its number.
    ///
    /// # Errors
    /// [`RuleError`] where the rule can never strike or names no sound value, or where
    /// [`RULES_MAX`] stand already.
    pub fn set(&self, rule: Rule) -> Result<u64, RuleError> {
        rule.check()?;
        let mut board = self.board();
        if board.rules.len() >= RULES_MAX {
            return Err(RuleError::TooMany);
        }
        board.last_id += 1;
        let id = board.last_id;
        board.rules.push(Standing {
            id,
            rule,
            struck: 0,
        });
        Ok(id)
    }

    /// Switches a fault off; tells whether it stood.
    pub fn remove(&self, id: u64) -> bool {
        let mut board = self.board();
        let before = board.rules.len();
        board.rules.retain(|own| own.id != id);
        board.rules.len() < before
    }

    /// Switches all faults off.
    pub fn clear(&self) {
        self.board().rules.clear();
    }

    /// Shows what stands, in the order in which it was set.
    #[must_use]
    pub fn standing(&self) -> Vec<Standing> {
        self.board().rules.clone()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.board().rules.is_empty()
    }

    /// Says what befalls a call. Rules are asked in the order in which they were set; the first
    /// that keeps the call from being handled counts, and those behind it are not asked.
    pub(crate) fn strike(&self, seen: &Seen) -> Strike {
        let mut board = self.board();
        let Board { rules, dice, .. } = &mut *board;
        let mut strike = Strike::default();
        for own in rules.iter_mut() {
            if own.is_spent() || !own.rule.covers(seen) || !own.rule.falls(dice) {
                continue;
            }
            // Whether a lost reply would have been a good one is not known yet.
            if own.rule.fault == Trouble::LostReply {
                strike.loses_success.get_or_insert(own.id);
                continue;
            }
            own.struck += 1;
            own.rule.befall(&mut strike, dice);
            if strike.is_over() {
                break;
            }
        }
        strike
    }

    /// Counts a strike that was decided late; tells whether the rule still had one.
    pub(crate) fn spend(&self, id: u64) -> bool {
        let mut board = self.board();
        let found = board.rules.iter_mut().find(|own| own.id == id);
        let Some(own) = found.filter(|own| !own.is_spent()) else {
            return false;
        };
        own.struck += 1;
        true
    }
}

impl Standing {
    fn is_spent(&self) -> bool {
        self.rule.count.is_some_and(|count| self.struck >= count)
    }
}

impl Rule {
    /// Adds what the rule does to what befalls the call.
    fn befall(&self, strike: &mut Strike, dice: &mut fastrand::Rng) {
        let number = self.value.unwrap_or_default();
        let seconds = || u32::try_from(number).unwrap_or_default();
        let bends: &mut Bends = &mut strike.bends;
        match self.fault {
            Trouble::LostReply => {}
            Trouble::ResetBefore => strike.loss = Some(Loss::Before),
            Trouble::ResetAfter => strike.loss = Some(Loss::After),
            Trouble::Conflict => strike.refusal = Some(Refusal::Conflict),
            Trouble::ThrottledSeconds => strike.refusal = Some(Refusal::Seconds(seconds())),
            Trouble::ThrottledDate => strike.refusal = Some(Refusal::Date(seconds())),
            Trouble::ServerError => {
                strike.refusal = Some(Refusal::Server(u16::try_from(number).unwrap_or(500)));
            }
            Trouble::ServerErrorAfter => {
                strike.error_after = Some(u16::try_from(number).unwrap_or(500));
            }
            Trouble::RegionDown => strike.refusal = Some(Refusal::RegionDown),
            Trouble::Denied => strike.refusal = Some(Refusal::Denied),
            Trouble::TokenExpired => strike.refusal = Some(Refusal::TokenExpired),
            Trouble::StuckOperation => bends.stuck = true,
            Trouble::ExpiredOperation => bends.expired = true,
            Trouble::GraphLag => {
                bends.graph_lag_minutes = Some(u32::try_from(number).unwrap_or_default());
            }
            Trouble::MissingRows => bends.missing = Some(self.rows(dice)),
            Trouble::DuplicateRows => bends.repeats = true,
            Trouble::TruncatedPage => bends.truncates = true,
            Trouble::SkewedDate => bends.skew_seconds = number,
        }
    }
}
