//! A model of the run protocol, explored completely: three machines, two runs, two replicas.
//!
//! The decisions are the operator's own: `domain::plan`, `Recheck`, `clearance` and `run::follow`
//! are called with the model's values (`oracle`). Around them the shell's side effects are steps
//! of their own (`replica`), and between any two of them processes die, stop, pause and wake,
//! leases run out or are deleted, commands are lost, late, doubled or refused, sources lag,
//! machines fail, people reboot and suspend (`nature`, `steps`). Every state that can be
//! reached is visited once, breadth first (`search`), so that what breaks an invariant
//! (`checks`) is told in the fewest steps (`story`).
//!
//! Reads no clock and draws no lot: the same bounds give the same numbers. No state is reduced by
//! symmetry. What a real shell does and the model does not is said where it is left out: the
//! commit of a pass reads and judges one instant; lease and fence are one step each with the read
//! before their compare-and-swap, which can only fail more often than in reality; `mark` of
//! `act/runs.rs`, settings, assessments and announcements are left out (the second run is
//! announced by time).

mod answers;
mod checks;
mod fingerprint;
mod fleet;
mod lag;
mod lead;
mod nature;
mod oracle;
mod replica;
mod search;
mod state;
mod steps;
mod story;
#[cfg(test)]
mod tests;
mod values;

use std::fmt;

use self::oracle::Oracle;

/// How often each thing may happen, so that there is an end to it. Time, arrivals, answers and the
/// protocol itself are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many of the three machines may be unavailable at once.
    pub budget: u8,
    /// Processes killed.
    pub crashes: u8,
    /// Processes asked to end: they give the lease up.
    pub stops: u8,
    /// Leaders paused by their node, who may wake at any time.
    pub pauses: u8,
    /// Commands whose answer is lost, or that are lost or late themselves.
    pub lost_answers: u8,
    /// Installs that arrive twice, the second time at any instant inside the late horizon.
    pub duplicates: u8,
    /// Commands that Azure surely refuses (429).
    pub refusals: u8,
    /// Installs that fail.
    pub failed_installs: u8,
    /// Installs that end with their reboot owed, so that a restart follows.
    pub owed_reboots: u8,
    /// Passes to which Activity Log and Resource Graph show nothing new.
    pub late_sources: u8,
    /// Machines that a person reboots.
    pub foreign_reboots: u8,
    /// Suspensions of the fleet.
    pub suspensions: u8,
    /// Leases that a person deletes.
    pub lease_deletions: u8,
}

impl Bounds {
    /// Nothing happens but the protocol.
    pub const CALM: Self = Self {
        budget: 1,
        crashes: 0,
        stops: 0,
        pauses: 0,
        lost_answers: 0,
        duplicates: 0,
        refusals: 0,
        failed_installs: 0,
        owed_reboots: 0,
        late_sources: 0,
        foreign_reboots: 0,
        suspensions: 0,
        lease_deletions: 0,
    };

    /// A few seconds.
    pub const SHORT: Self = Self {
        lost_answers: 1,
        ..Self::CALM
    };

    /// Each explored completely, one after another.
    pub const WHOLE: [Self; 4] = [
        Self {
            pauses: 1,
            ..Self::CALM
        },
        Self {
            crashes: 1,
            ..Self::CALM
        },
        Self {
            stops: 1,
            ..Self::CALM
        },
        Self::SHORT,
    ];
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.crashes, "crashes"),
            (self.stops, "stops"),
            (self.pauses, "pauses"),
            (self.lost_answers, "lost or late commands or answers"),
            (self.duplicates, "duplicated commands"),
            (self.refusals, "refusals"),
            (self.failed_installs, "failed installs"),
            (self.owed_reboots, "owed reboots"),
            (self.late_sources, "lagging reads"),
            (self.foreign_reboots, "foreign reboots"),
            (self.suspensions, "suspensions"),
            (self.lease_deletions, "deleted leases"),
        ];
        write!(f, "3 machines, 2 runs, 2 replicas, limit {}", self.budget)?;
        for (count, what) in counts.into_iter().filter(|own| own.0 > 0) {
            write!(f, ", {what} {count}")?;
        }
        Ok(())
    }
}

/// A flaw that is planted, to see whether the checks find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The lease is not renewed between intent and command.
    SkipRenewal,
    /// Runs of a later leader are written all the same, and not taken over by a new one.
    IgnoreEpoch,
    /// A leader that was slow takes runs over from the one that came after it.
    FenceBackwards,
    /// A command without an answer is sent again.
    RetryOnTimeout,
    /// The intent is not written.
    DropIntent,
    /// A new leader does not wait.
    SkipWait,
    /// The limit counts the intents of one run only.
    ForgetIntents,
    /// What no source shows counts as never sent, before the late horizon.
    TrustAbsence,
    /// Outcomes are written without comparing what stands there.
    BlindOutcome,
    /// Neither the lease's age nor the look's is asked before a command: either alone would do.
    IgnoreTime,
    /// An intent that a crash left behind is taken for nothing.
    ForgetCrash,
    /// The machine is not looked at before it is commanded.
    SkipLook,
    /// Nothing is asked again just before a command.
    SkipRecheck,
}

impl Flaw {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::SkipRenewal,
        Self::IgnoreEpoch,
        Self::FenceBackwards,
        Self::RetryOnTimeout,
        Self::DropIntent,
        Self::SkipWait,
        Self::ForgetIntents,
        Self::TrustAbsence,
        Self::BlindOutcome,
        Self::IgnoreTime,
        Self::ForgetCrash,
        Self::SkipLook,
        Self::SkipRecheck,
    ];
}

/// What breaks an invariant, and how it comes to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant's name.
    pub invariant: &'static str,
    /// What it says.
    pub says: &'static str,
    /// The shortest way there, one line a step.
    pub story: String,
}

/// What an exploration came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explored {
    /// Different states that can be reached.
    pub states: u64,
    /// Steps between them.
    pub transitions: u64,
    /// The most steps that the shortest way to a state has.
    pub depth: u32,
    /// States in which every machine is done with, or held for good with a reason.
    pub ends: u64,
    /// Different questions that the operator's own functions were asked.
    pub questions: u64,
    /// The first invariant that is broken, if one is; nothing further is visited then.
    pub violation: Option<Violation>,
    /// How often what may happen.
    pub bounds: String,
}

/// The model: what may happen, what is planted, who decides.
struct Model {
    bounds: Bounds,
    flaw: Option<Flaw>,
    oracle: Oracle,
}

/// Explores every state within bounds; `progress` is told now and then how many there are so far.
pub fn explore(bounds: Bounds, flaw: Option<Flaw>, progress: &mut dyn FnMut(u64)) -> Explored {
    let model = Model {
        bounds,
        flaw,
        oracle: Oracle::new(bounds.budget, flaw),
    };
    search::search(model, progress)
}
