//! Why a call to Azure did not do what was asked, in kinds the controller decides by.
//!
//! Holds no secret and no whole body: every text in it is bounded. Must never call an outcome
//! certain that is not: [`Error::is_sure_refusal`] is what keeps a command from being sent twice.

use chrono::{DateTime, TimeDelta, Utc};

use super::identity::Refusal;
use super::rights;

/// The longest text of Azure's that an error carries, in characters.
pub const TEXT_CHARS_MAX: usize = 300;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The resource does not exist (404).
    #[error("{what} was not found")]
    NotFound {
        /// What was asked for.
        what: String,
    },
    /// A bucket is empty (429), or its last reading says the next call would find it so.
    #[error("{what} was throttled, to be asked again in {until_seconds} s")]
    Throttled {
        /// Seconds until the call may be made again.
        until_seconds: u64,
        /// What was throttled.
        what: String,
    },
    /// The identity lacks the right (403).
    #[error("{action} was denied: {message}{}", cured(action))]
    Denied {
        /// The action of Azure Resource Manager that was denied, or what was asked for where no
        /// action is known.
        action: String,
        /// Azure's words.
        message: String,
    },
    /// The token was not accepted (401).
    #[error("{what} was refused: the token was not accepted")]
    Unauthorised {
        /// What was asked for.
        what: String,
    },
    /// No token could be had, so nothing was asked.
    #[error("no token: {0}")]
    Identity(#[from] Refusal),
    /// The machine is busy (409), or changed since it was read (412).
    #[error("{what} met a conflict: {code}: {message}")]
    Conflict {
        /// What was asked for.
        what: String,
        /// Azure's code.
        code: String,
        /// Azure's words.
        message: String,
    },
    /// Azure does not accept the request (any other 4xx), or it could not even be built.
    #[error("{what} was refused as invalid: {code}: {message}")]
    Invalid {
        /// What was asked for.
        what: String,
        /// Azure's code; match on this and on `target`, never on the message.
        code: String,
        /// The property the complaint is about, where Azure says.
        target: Option<String>,
        /// Azure's words.
        message: String,
    },
    /// A read failed in passing (5xx, lost reply), or any request never left.
    #[error("{what} failed for now: {why}")]
    Transient {
        /// What was asked for.
        what: String,
        /// How it failed.
        why: String,
    },
    /// A command was sent and nobody knows whether it took effect.
    #[error("{what} was sent and its outcome is unknown: {why}")]
    Ambiguous {
        /// What was sent.
        what: String,
        /// Why its outcome is unknown.
        why: String,
    },
    /// The cloud has no such command for this kind of machine; nothing was sent.
    #[error("{what} is not supported")]
    Unsupported {
        /// What was asked for.
        what: String,
    },
    /// An answer that cannot be understood or must not be followed.
    #[error("the answer to {what} is malformed: {why}")]
    Malformed {
        /// What was asked for.
        what: String,
        /// What is wrong with the answer.
        why: String,
    },
}

impl Error {
    /// Tells whether a command certainly did not take effect: it was never sent, or Azure
    /// answered 4xx or 429. Anything else says nothing, and the machine is to be held.
    ///
    /// A [`Error::Transient`] that a command returns means that it never left: a command that may
    /// have left is [`Error::Ambiguous`].
    pub fn is_sure_refusal(&self) -> bool {
        match self {
            Self::NotFound { .. }
            | Self::Throttled { .. }
            | Self::Denied { .. }
            | Self::Unauthorised { .. }
            | Self::Identity(_)
            | Self::Conflict { .. }
            | Self::Invalid { .. }
            | Self::Transient { .. }
            | Self::Unsupported { .. } => true,
            Self::Ambiguous { .. } | Self::Malformed { .. } => false,
        }
    }

    /// Returns when the call may be made again, where it was throttled.
    pub fn again_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let Self::Throttled { until_seconds, .. } = self else {
            return None;
        };
        let seconds = i64::try_from(*until_seconds).unwrap_or(i64::MAX);
        Some(now + TimeDelta::seconds(seconds.clamp(1, 3600)))
    }

    pub(crate) fn malformed(what: &str, why: impl Into<String>) -> Self {
        Self::Malformed {
            what: what.to_owned(),
            why: bounded(&why.into()),
        }
    }
}

fn cured(action: &str) -> String {
    match rights::cure(action).as_str() {
        "" => String::new(),
        cure => format!("; {cure}"),
    }
}

/// Cuts a text of Azure's to [`TEXT_CHARS_MAX`] and takes out control characters, so that it fits
/// into a log line and a condition.
pub(crate) fn bounded(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(TEXT_CHARS_MAX).map(clean).collect()
}
