//! One state of the model: everything that can be different, and nothing else.
//!
//! All fields are small numbers, so that a state is about 300 bytes. What is never looked at again
//! is reset, so that two states that differ only there are one.

/// Machines.
pub(super) const MACHINES: usize = 3;

/// Runs.
pub(super) const RUNS: usize = 2;

/// Replicas of the operator.
pub(super) const REPLICAS: usize = 2;

/// Machines of runs: one entry for each machine that a run names.
pub(super) const ENTRIES: usize = 4;

/// The run of each entry: both runs name the middle machine.
pub(super) const RUN_OF: [usize; ENTRIES] = [0, 0, 1, 1];

/// The machine of each entry.
pub(super) const MACHINE_OF: [usize; ENTRIES] = [0, 1, 1, 2];

/// Installs that one machine remembers here.
pub(super) const RECORDS: usize = 3;

/// Returns the entries of a run, as bits.
pub(super) fn entries_of(run: usize) -> u8 {
    (0..ENTRIES)
        .filter(|own| RUN_OF[*own] == run)
        .map(bit)
        .sum()
}

/// Returns the bit of a number.
pub(super) fn bit(number: usize) -> u8 {
    1 << number
}

/// Returns the numbers whose bits are set.
pub(super) fn bits(mask: u8) -> impl Iterator<Item = usize> {
    (0..8).filter(move |own| mask & bit(*own) != 0)
}

/// The steps of the run protocol (`domain/run.rs`); the model stores no others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum At {
    #[default]
    Planned,
    Starting,
    Running,
    Verifying,
    Succeeded,
    Failed,
    Skipped,
    Unknown,
}

impl At {
    /// Mirrors `Step::is_final`.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Skipped)
    }

    /// Mirrors `Step::is_engaged`.
    pub(super) fn is_engaged(self) -> bool {
        !self.is_final() && self != Self::Planned
    }
}

/// The disruptive commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Order {
    /// None yet.
    #[default]
    None,
    Finish,
    Restart,
}

/// Where a machine of a run stands: `domain/run.rs`'s `Progress` without the text for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    pub(super) step: At,
    pub(super) order: Order,
    pub(super) attempts: u8,
    pub(super) refusals: u8,
    /// The request id, as a number; nought is none.
    pub(super) request: u8,
    /// The hour of the intent, from 1; nought is none.
    pub(super) intent: u8,
    /// The hour since which the step stands.
    pub(super) since: u8,
    /// The hour in which the command ended, from 1; nought is none.
    pub(super) ended: u8,
    /// The install seen before the intent, from 1; nought is none.
    pub(super) before: u8,
    /// Whether there is an operation to ask on.
    pub(super) operation: bool,
    /// The reason, by its place in a table; nought is none.
    pub(super) reason: u8,
}

/// How an install stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Install {
    /// There is no such install.
    #[default]
    None,
    InProgress,
    /// Installed and rebooted.
    Completed,
    Failed,
    /// Installed, and the reboot is owed.
    Owed,
    /// There was nothing to do.
    Nothing,
}

/// One install that a machine remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Record {
    pub(super) install: Install,
    pub(super) started: u8,
    pub(super) changed: u8,
}

/// What a machine does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Job {
    #[default]
    Idle,
    /// Our install runs.
    Installs,
    /// It reboots at the end of our install.
    Reboots,
    /// It reboots because of our restart.
    Restarts,
    /// It reboots because a person wished so.
    Foreign,
}

impl Job {
    /// Tells whether it does not serve.
    pub(super) fn is_down(self) -> bool {
        matches!(self, Self::Reboots | Self::Restarts | Self::Foreign)
    }

    /// Tells whether it is ours.
    pub(super) fn is_ours(self) -> bool {
        !matches!(self, Self::Idle | Self::Foreign)
    }
}

/// A machine as it is, and as an inventory may show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Machine {
    pub(super) job: Job,
    /// The hour since which it does that.
    pub(super) since: u8,
    /// Oldest first.
    pub(super) records: [Record; RECORDS],
    /// Whether the release is on it.
    pub(super) is_current: bool,
    /// Whether it owes a reboot.
    pub(super) owes: bool,
}

impl Machine {
    /// Returns how many installs it remembers.
    pub(super) fn installs(&self) -> usize {
        let is_there = |own: &&Record| own.install != Install::None;
        self.records.iter().filter(is_there).count()
    }

    /// Returns its newest install.
    pub(super) fn newest(&mut self) -> Option<&mut Record> {
        let count = self.installs();
        self.records[..count].last_mut()
    }
}

/// Commands on their way, of one entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Post {
    /// How many; more than one only where the model is flawed.
    pub(super) count: u8,
    pub(super) order: Order,
    pub(super) request: u8,
    /// The hour in which it was sent.
    pub(super) sent: u8,
}

/// What Azure's Activity Log says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Word {
    #[default]
    Absent,
    Accepted,
    Refused,
}

/// The last line of the Activity Log for an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Line {
    pub(super) word: Word,
    pub(super) request: u8,
    pub(super) hour: u8,
}

/// Who holds the lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    /// There is no lease.
    #[default]
    Missing,
    /// It was given up.
    Nobody,
    /// A life that is over.
    Dead,
    Replica(u8),
}

/// The lease (`controller/lease.rs`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Lease {
    pub(super) holder: Holder,
    pub(super) epoch: u8,
    /// Beats since it was written.
    pub(super) age: u8,
}

/// Where a replica stands in `controller/mod.rs` and `controller/act.rs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Pc {
    /// Does not run.
    #[default]
    Down,
    /// Does not lead.
    Standby,
    /// `take_over`: has the lease; reads the runs and raises the lease's epoch.
    Raise,
    /// `raise_epochs`: takes the run over.
    Fence(u8),
    /// `lead`: waits until whatever an earlier leader sent must have arrived.
    Quiet,
    /// Between two passes.
    Rest,
    /// `act/send.rs`, `look`.
    Look,
    /// `act/runs.rs`, `write`: of the run.
    Intent(u8),
    /// `act.rs`: the renewal between intents and commands.
    Renew,
    /// `act/send.rs`, `send`: the next command.
    Send,
    /// The command of the entry is on its way.
    Await(u8),
    /// `act/runs.rs`, `record`: of the run.
    Record(u8),
}

/// The answer that waits for a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Reply {
    #[default]
    None,
    Accepted,
    Refused,
}

/// One replica of the operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Replica {
    pub(super) pc: Pc,
    /// Stopped by its node, with all it believes.
    pub(super) is_paused: bool,
    /// Whether it believes that it leads.
    pub(super) holds: bool,
    pub(super) epoch: u8,
    /// Beats since its last renewal began.
    pub(super) age: u8,
    /// Beats that it still waits before it acts.
    pub(super) quiet: u8,
    /// Whether there was no lease when it took it.
    pub(super) found_none: bool,
    /// Whether its watch told it of the suspension.
    pub(super) knows_suspended: bool,
    /// Runs that nobody else wrote since it read or wrote them: there its next write succeeds.
    pub(super) fresh: u8,
    /// Runs that it has to write.
    pub(super) touched: u8,
    /// Its copy of what the runs say, with what it did to it.
    pub(super) work: [Entry; ENTRIES],
    /// Machines as its inventory showed them, and in which hour.
    pub(super) seen: [Machine; MACHINES],
    pub(super) seen_at: u8,
    /// Entries that the plan would command.
    pub(super) planned: u8,
    /// Entries whose intents are written or about to be.
    pub(super) intents: u8,
    /// Machines that the looks of this pass found down.
    pub(super) down: u8,
    /// Beats since the looks.
    pub(super) looked: u8,
    pub(super) reply: Reply,
    /// The requests of its intents.
    pub(super) asked: [u8; ENTRIES],
    /// Ghost: entries whose intents were committed in this pass.
    pub(super) committed: u8,
    /// Ghost: whether the lease was renewed since.
    pub(super) renewed: bool,
    /// Ghost: machines that did nothing when they were looked at.
    pub(super) clean: u8,
    /// Ghost: beats left of the term of the lease in which it sent last.
    pub(super) term: u8,
}

/// Faults that may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Left {
    pub(super) crashes: u8,
    pub(super) stops: u8,
    pub(super) pauses: u8,
    pub(super) lost: u8,
    pub(super) doubled: u8,
    pub(super) throttled: u8,
    pub(super) bad: u8,
    pub(super) owed: u8,
    pub(super) late: u8,
    pub(super) people: u8,
    pub(super) suspensions: u8,
    pub(super) deletions: u8,
}

/// What a checker remembers of a machine, and nobody else knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Ghost {
    /// Commands of ours that Azure accepted, duplicates not counted.
    pub(super) accepted: u8,
    /// Reboots because of us.
    pub(super) reboots: u8,
}

/// The whole state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) hour: u8,
    pub(super) is_suspended: bool,
    pub(super) lease: Lease,
    /// The epoch that each run bears.
    pub(super) epochs: [u8; RUNS],
    /// What the runs say.
    pub(super) entries: [Entry; ENTRIES],
    pub(super) posts: [Post; ENTRIES],
    /// A second copy of a Finish that arrives some time: of the entry, from 1, and since when.
    pub(super) double: (u8, u8),
    pub(super) log: [Line; ENTRIES],
    pub(super) machines: [Machine; MACHINES],
    pub(super) replicas: [Replica; REPLICAS],
    pub(super) left: Left,
    pub(super) ghosts: [Ghost; MACHINES],
    /// Ghost: the highest epoch that wrote an intent.
    pub(super) intent_epoch: u8,
}
