//! One fault: its kind, which calls it befalls, and how often. Read from the command line, from
//! JSON, or built in code.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Seen;
use crate::strike::Rows;

/// The longest lag of Resource Graph that can be switched on, in minutes.
pub const GRAPH_LAG_MINUTES_MAX: u32 = 30;

/// The status codes of a server's error that can be switched on.
const SERVER_ERRORS: [i64; 4] = [500, 502, 503, 504];

/// The longest wait that a refusal may ask for, in seconds, and the widest skew of a clock.
const SECONDS_MAX: i64 = 24 * 60 * 60;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// The call is handled and succeeds, and its answer never arrives.
    LostReply,
    /// The connection is reset before the call arrives.
    ResetBefore,
    /// The call is handled, however it ends, and the connection is reset.
    ResetAfter,
    /// 409, not handled: somebody else's operation is in the way.
    Conflict,
    /// 429, not handled; `Retry-After` is `value` seconds.
    ThrottledSeconds,
    /// 429, not handled; `Retry-After` is the HTTP date in `value` seconds.
    ThrottledDate,
    /// The status `value` (500, 502, 503 or 504), not handled.
    ServerError,
    /// The same, and the call was handled all the same: a gateway gave up on it.
    ServerErrorAfter,
    /// Polls of an operation say that it runs, for as long as this stands.
    StuckOperation,
    /// Polls of an operation find nothing (404): its result is not kept any more.
    ExpiredOperation,
    /// Resource Graph shows the world as it was `value` minutes ago, 30 at most.
    GraphLag,
    /// Rows of Resource Graph are missing, each with the probability of the rule; machine and
    /// region say of whom.
    MissingRows,
    /// Every page of Resource Graph but the first begins with the last row of the one before.
    DuplicateRows,
    /// A page of Resource Graph ends early and says `resultTruncated` with no token for the rest.
    TruncatedPage,
    /// Everything that concerns machines of the region is answered 503.
    RegionDown,
    /// 401: the token has expired.
    TokenExpired,
    /// 403, not handled: the caller lacks the right, which the answer names.
    Denied,
    /// The `Date` of answers is off by `value` seconds.
    SkewedDate,
}

impl Trouble {
    /// All of them, in the order of their documentation.
    pub const ALL: [Self; 18] = [
        Self::LostReply,
        Self::ResetBefore,
        Self::ResetAfter,
        Self::Conflict,
        Self::ThrottledSeconds,
        Self::ThrottledDate,
        Self::ServerError,
        Self::ServerErrorAfter,
        Self::StuckOperation,
        Self::ExpiredOperation,
        Self::GraphLag,
        Self::MissingRows,
        Self::DuplicateRows,
        Self::TruncatedPage,
        Self::RegionDown,
        Self::TokenExpired,
        Self::Denied,
        Self::SkewedDate,
    ];

    /// Gives its name, as it is written in options and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LostReply => "lost-reply",
            Self::ResetBefore => "reset-before",
            Self::ResetAfter => "reset-after",
            Self::Conflict => "conflict",
            Self::ThrottledSeconds => "throttled-seconds",
            Self::ThrottledDate => "throttled-date",
            Self::ServerError => "server-error",
            Self::ServerErrorAfter => "server-error-after",
            Self::StuckOperation => "stuck-operation",
            Self::ExpiredOperation => "expired-operation",
            Self::GraphLag => "graph-lag",
            Self::MissingRows => "missing-rows",
            Self::DuplicateRows => "duplicate-rows",
            Self::TruncatedPage => "truncated-page",
            Self::RegionDown => "region-down",
            Self::TokenExpired => "token-expired",
            Self::Denied => "denied",
            Self::SkewedDate => "skewed-date",
        }
    }

    fn is_of_graph(self) -> bool {
        matches!(
            self,
            Self::GraphLag | Self::MissingRows | Self::DuplicateRows | Self::TruncatedPage
        )
    }

    fn is_of_polls(self) -> bool {
        matches!(self, Self::StuckOperation | Self::ExpiredOperation)
    }
}

/// One fault with its scope, count and probability. What is not named is not looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What goes wrong.
    pub fault: Trouble,
    /// Its number: seconds, minutes or a status code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<i64>,
    /// Only calls with this method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only calls whose path holds this, without regard to case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Only calls that concern this machine, by its resource id or name. Polls of its operations
    /// concern it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Only calls that concern machines of this region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// How many calls it strikes; without it, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// How likely it strikes a call in its scope, from 0 to 1, drawn from the seed. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
}

/// Why a rule cannot stand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The text is not `NAME[=VALUE][,KEY=VALUE]...`.
    #[error("cannot read {part:?}: {why}")]
    Text {
        /// The part that cannot be read.
        part: String,
        /// What it should be.
        why: &'static str,
    },
    /// The value is missing or not one of those that the fault takes.
    #[error("{fault} needs {wants}")]
    Value {
        /// The fault.
        fault: &'static str,
        /// What it needs.
        wants: &'static str,
    },
    /// The probability is not between 0 and 1.
    #[error("a probability is more than 0 and at most 1")]
    Probability,
    /// Too many rules stand.
    #[error("too many faults stand; take some away")]
    TooMany,
}

impl Rule {
    /// Makes a rule that strikes every call it fits.
    #[must_use]
    pub fn new(fault: Trouble) -> Self {
        Self {
            fault,
            value: None,
            method: None,
            path: None,
            machine: None,
            region: None,
            count: None,
            probability: None,
        }
    }

    /// Gives it its number: seconds, minutes or a status code.
    #[must_use]
    pub fn of(mut self, value: i64) -> Self {
        self.value = Some(value);
        self
    }

    /// Narrows it to calls with a method and a part of the path.
    #[must_use]
    pub fn on(mut self, method: &str, path: &str) -> Self {
        self.method = Some(method.to_owned());
        self.path = Some(path.to_owned());
        self
    }

    /// Narrows it to a machine, by resource id or name.
    #[must_use]
    pub fn machine(mut self, machine: &str) -> Self {
        self.machine = Some(machine.to_owned());
        self
    }

    /// Narrows it to a region.
    #[must_use]
    pub fn region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    /// Lets it strike so many calls.
    #[must_use]
    pub fn times(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }

    /// Lets it strike with a probability.
    #[must_use]
    pub fn with_probability(mut self, probability: f64) -> Self {
        self.probability = Some(probability);
        self
    }

    pub(super) fn check(&self) -> Result<(), RuleError> {
        let value = |wants, is_sound: &dyn Fn(i64) -> bool| {
            let fault = self.fault.name();
            match self.value.filter(|value| is_sound(*value)) {
                Some(_) => Ok(()),
                None => Err(RuleError::Value { fault, wants }),
            }
        };
        match self.fault {
            Trouble::ThrottledSeconds | Trouble::ThrottledDate => {
                value("the seconds to wait, a day at most", &|own| {
                    (0..=SECONDS_MAX).contains(&own)
                })?;
            }
            Trouble::ServerError | Trouble::ServerErrorAfter => {
                value("a status: 500, 502, 503 or 504", &|own| {
                    SERVER_ERRORS.contains(&own)
                })?;
            }
            Trouble::GraphLag => value("minutes, 30 at most", &|own| {
                (0..=i64::from(GRAPH_LAG_MINUTES_MAX)).contains(&own)
            })?,
            Trouble::SkewedDate => value("seconds, a day at most either way", &|own| {
                own != 0 && own.abs() <= SECONDS_MAX
            })?,
            Trouble::RegionDown if self.region.is_none() => {
                let fault = self.fault.name();
                let wants = "a region";
                return Err(RuleError::Value { fault, wants });
            }
            _ => {}
        }
        match self.probability {
            Some(own) if !(own > 0.0 && own <= 1.0) => Err(RuleError::Probability),
            _ => Ok(()),
        }
    }

    /// Tells whether a call is in the rule's scope.
    pub(super) fn covers(&self, seen: &Seen) -> bool {
        if (self.fault.is_of_graph() && !seen.is_graph)
            || (self.fault.is_of_polls() && !seen.is_poll)
        {
            return false;
        }
        let method = self.method.as_ref();
        let path = self.path.as_ref().map(|own| own.to_lowercase());
        if !method.is_none_or(|own| own.eq_ignore_ascii_case(&seen.method))
            || !path.is_none_or(|own| seen.path.contains(&own))
        {
            return false;
        }
        // Whose rows are missing is looked at row by row.
        self.fault == Trouble::MissingRows
            || Rows::new(self.machine.as_deref(), self.region.as_deref())
                .concern(seen.machine.as_deref(), seen.region.as_deref())
    }

    /// Draws whether the rule strikes.
    pub(super) fn falls(&self, dice: &mut fastrand::Rng) -> bool {
        // Of missing rows each is drawn for itself.
        self.fault == Trouble::MissingRows || self.probability.is_none_or(|own| dice.f64() < own)
    }

    /// Says which rows go missing.
    pub(super) fn rows(&self, dice: &mut fastrand::Rng) -> Rows {
        let mut rows = Rows::new(self.machine.as_deref(), self.region.as_deref());
        rows.probability = self.probability.unwrap_or(1.0);
        rows.seed = dice.u64(..);
        rows
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    /// Reads `NAME[=VALUE][,KEY=VALUE]...`, for example
    /// `throttled-date=30,method=POST,path=installPatches,count=2,probability=0.5`.
    fn from_str(text: &str) -> Result<Self, RuleError> {
        let mut parts = text.split(',').map(str::trim);
        let first = parts.next().unwrap_or_default();
        let (name, value) = match first.split_once('=') {
            Some((name, value)) => (name, Some(number(first, value)?)),
            None => (first, None),
        };
        let fault = Trouble::ALL.into_iter().find(|own| own.name() == name);
        let fault = fault.ok_or_else(|| unreadable(first, "it names no fault"))?;
        let mut rule = Self {
            value,
            ..Self::new(fault)
        };
        for part in parts {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| unreadable(part, "it is not KEY=VALUE"))?;
            match key {
                "method" => rule.method = Some(value.to_owned()),
                "path" => rule.path = Some(value.to_owned()),
                "machine" => rule.machine = Some(value.to_owned()),
                "region" => rule.region = Some(value.to_owned()),
                "count" => rule.count = Some(number(part, value)?),
                "probability" => rule.probability = Some(number(part, value)?),
                _ => {
                    let why = "the keys are method, path, machine, region, count, probability";
                    return Err(unreadable(part, why));
                }
            }
        }
        rule.check()?;
        Ok(rule)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fault.name())?;
        if let Some(value) = self.value {
            write!(f, "={value}")?;
        }
        let words = [
            ("method", &self.method),
            ("path", &self.path),
            ("machine", &self.machine),
            ("region", &self.region),
        ];
        for (key, value) in words {
            if let Some(value) = value {
                write!(f, ",{key}={value}")?;
            }
        }
        if let Some(count) = self.count {
            write!(f, ",count={count}")?;
        }
        if let Some(probability) = self.probability {
            write!(f, ",probability={probability}")?;
        }
        Ok(())
    }
}

fn number<T: FromStr>(part: &str, value: &str) -> Result<T, RuleError> {
    value
        .parse()
        .map_err(|_| unreadable(part, "its value is not a number that fits"))
}

fn unreadable(part: &str, why: &'static str) -> RuleError {
    let part = part.to_owned();
    RuleError::Text { part, why }
}
