//! Why a machine of a run stands where it stands, as one word.

use serde::Serialize;

/// Why a machine of a run stands where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum StepReason {
    /// The window closed before its turn came.
    WindowClosed,
    /// The run was aborted before its turn came.
    Aborted,
    /// It is not there any more.
    MachineGone,
    /// Another machine bears its id now.
    Recreated,
    /// It has the release already.
    AlreadyCurrent,
    /// Whether the command arrived is not known.
    OutcomeUnknown,
    /// The command is known never to have arrived.
    NeverArrived,
    /// Azure refused the command too often.
    Refused,
    /// The command was accepted and never ended.
    NoEnd,
    /// It did not become healthy again.
    NotHealthy,
    /// Its reboot is still owed.
    RebootOwed,
    /// The install failed.
    InstallFailed,
    /// The install ran out of its time.
    OutOfTime,
    /// Nothing was installed.
    NothingInstalled,
    /// Something else was installed by the same activity.
    ForeignContent,
    /// A person let go of the hold.
    LetGo,
    /// An install that is not accounted for began on it since the run was made.
    ForeignRun,
    /// Its run was deleted, and its end was not seen in time.
    Orphaned,
    /// What is stored about it cannot be understood.
    Corrupt,
    /// A word of another version.
    Other(String),
}

impl StepReason {
    const WORDS: [(Self, &'static str); 19] = [
        (Self::WindowClosed, "WindowClosed"),
        (Self::Aborted, "Aborted"),
        (Self::MachineGone, "MachineGone"),
        (Self::Recreated, "Recreated"),
        (Self::AlreadyCurrent, "AlreadyCurrent"),
        (Self::OutcomeUnknown, "OutcomeUnknown"),
        (Self::NeverArrived, "NeverArrived"),
        (Self::Refused, "Refused"),
        (Self::NoEnd, "NoEnd"),
        (Self::NotHealthy, "NotHealthy"),
        (Self::RebootOwed, "RebootOwed"),
        (Self::InstallFailed, "InstallFailed"),
        (Self::OutOfTime, "OutOfTime"),
        (Self::NothingInstalled, "NothingInstalled"),
        (Self::ForeignContent, "ForeignContent"),
        (Self::LetGo, "LetGo"),
        (Self::ForeignRun, "ForeignRun"),
        (Self::Orphaned, "Orphaned"),
        (Self::Corrupt, "Corrupt"),
    ];

    /// Returns the word that stands in the run's status.
    pub fn word(&self) -> &str {
        if let Self::Other(word) = self {
            return word;
        }
        Self::WORDS
            .iter()
            .find_map(|(reason, word)| (reason == self).then_some(*word))
            .unwrap_or("Other")
    }

    /// Reads the word of a run's status.
    pub fn parse(word: &str) -> Self {
        Self::WORDS
            .iter()
            .find_map(|(reason, own)| (*own == word).then(|| reason.clone()))
            .unwrap_or_else(|| Self::Other(word.to_owned()))
    }
}
