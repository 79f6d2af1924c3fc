//! The classes of faults that a simulation injects, by the numbers of the reliability plan.

use std::collections::BTreeMap;

/// A class of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub enum Class {
    /// F1: the process dies before or after a request.
    Death,
    /// F2: it dies again within minutes of its start.
    DeathInRecovery,
    /// F3: watches show everything late.
    StaleWatch,
    /// F4: a watch shows nothing, without an error.
    SilentWatch,
    /// F5: watches break, and what happened meanwhile is seen only in sum.
    MissedEvents,
    /// F6: the history is gone: 410.
    Expired,
    /// F7: 409 on a write.
    Conflict,
    /// F8: 429, with seconds, with a date, or without either.
    Throttled,
    /// F9: 500, 502, 503 and 504.
    ServerError,
    /// F10: no connection comes about.
    NotSent,
    /// F11: the request is applied and its answer is lost.
    AnswerLost,
    /// F12: a request arrives late, or twice.
    Doubled,
    /// F13: an operation that never ends, fails, or can no longer be asked for.
    StuckOperation,
    /// F14: the token is not accepted.
    TokenRefused,
    /// F15: the process's clock is wrong.
    ClockSkew,
    /// F16: the night in which clocks change.
    ClockChange,
    /// F17: Azure does not answer for a while.
    AzureDown,
    /// F18: Resource Graph is behind.
    GraphLag,
    /// F19: the API server does not answer for a while.
    ApiServerDown,
    /// F20: two replicas, and a leader that stands still.
    TwoLeaders,
    /// F21: the definitions are written again in mid-rollout.
    Definitions,
    /// F22: people edit, suspend, pause, abort and delete.
    Edited,
    /// F23: machines are deleted, made anew, stopped, cut off.
    MachineChanged,
    /// F24: somebody else reboots or patches.
    Foreign,
    /// F25: a stored field is damaged.
    Damaged,
    /// F26: a right is taken away.
    Denied,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 26] = [
        Self::Death,
        Self::DeathInRecovery,
        Self::StaleWatch,
        Self::SilentWatch,
        Self::MissedEvents,
        Self::Expired,
        Self::Conflict,
        Self::Throttled,
        Self::ServerError,
        Self::NotSent,
        Self::AnswerLost,
        Self::Doubled,
        Self::StuckOperation,
        Self::TokenRefused,
        Self::ClockSkew,
        Self::ClockChange,
        Self::AzureDown,
        Self::GraphLag,
        Self::ApiServerDown,
        Self::TwoLeaders,
        Self::Definitions,
        Self::Edited,
        Self::MachineChanged,
        Self::Foreign,
        Self::Damaged,
        Self::Denied,
    ];

    /// Returns its number, from 1.
    pub fn number(self) -> usize {
        1 + Self::ALL.iter().position(|own| *own == self).unwrap_or(0)
    }

    /// Returns what it is, in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Death => "the process dies around a request",
            Self::DeathInRecovery => "it dies again while it recovers",
            Self::StaleWatch => "watches show everything late",
            Self::SilentWatch => "a watch falls silent",
            Self::MissedEvents => "watches break",
            Self::Expired => "410, the history is gone",
            Self::Conflict => "409 on a write",
            Self::Throttled => "429 in three forms",
            Self::ServerError => "500, 502, 503, 504",
            Self::NotSent => "no connection",
            Self::AnswerLost => "applied, answer lost",
            Self::Doubled => "arrives late or twice",
            Self::StuckOperation => "an operation hangs, fails or is forgotten",
            Self::TokenRefused => "401 for a while",
            Self::ClockSkew => "the process's clock is wrong",
            Self::ClockChange => "the night in which clocks change",
            Self::AzureDown => "Azure is away for a while",
            Self::GraphLag => "Resource Graph is behind",
            Self::ApiServerDown => "the API server is away for a while",
            Self::TwoLeaders => "two replicas, one stands still",
            Self::Definitions => "definitions written again",
            Self::Edited => "people edit, suspend, abort, delete",
            Self::MachineChanged => "machines go, stop, come anew",
            Self::Foreign => "somebody else reboots or patches",
            Self::Damaged => "a stored field is damaged",
            Self::Denied => "403 for a while",
        }
    }
}

/// How often each class was injected.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts(pub BTreeMap<Class, u64>);

impl Counts {
    /// Counts one.
    pub fn note(&mut self, class: Class) {
        *self.0.entry(class).or_default() += 1;
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        for (class, count) in &other.0 {
            *self.0.entry(*class).or_default() += count;
        }
    }

    /// Returns how many of a class there were.
    pub fn of(&self, class: Class) -> u64 {
        self.0.get(&class).copied().unwrap_or(0)
    }

    /// Returns all of them together.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}
