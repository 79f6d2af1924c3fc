//! What befalls one call: the word between the switchboard, which decides it, and the router,
//! which does it. Must never decide anything itself.

/// On which side of its handling the call is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// It never arrives.
    Before,
    /// It is handled, and its answer does not arrive.
    After,
}

/// An answer instead of the handling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Conflict,
    /// 429 with the seconds to wait.
    Seconds(u32),
    /// 429 with the instant in so many seconds.
    Date(u32),
    Server(u16),
    RegionDown,
    TokenExpired,
    Denied,
}

/// What befalls one call. By default, nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Strike {
    pub(crate) loss: Option<Loss>,
    pub(crate) refusal: Option<Refusal>,
    /// The status that is answered in place of what the handling gave.
    pub(crate) error_after: Option<u16>,
    /// The rule by which the answer is lost if it is a good one.
    pub(crate) loses_success: Option<u64>,
    pub(crate) bends: Bends,
}

/// What is answered otherwise than it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Bends {
    pub(crate) stuck: bool,
    pub(crate) expired: bool,
    pub(crate) graph_lag_minutes: Option<u32>,
    pub(crate) missing: Option<Rows>,
    pub(crate) repeats: bool,
    pub(crate) truncates: bool,
    pub(crate) skew_seconds: i64,
}

/// Some machines, or rows about them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rows {
    machine: Option<String>,
    region: Option<String>,
    pub(crate) probability: f64,
    pub(crate) seed: u64,
}

impl Strike {
    /// Tells whether the call is not handled.
    pub(crate) fn is_over(&self) -> bool {
        self.refusal.is_some() || self.loss == Some(Loss::Before)
    }
}

impl Rows {
    pub(crate) fn new(machine: Option<&str>, region: Option<&str>) -> Self {
        Self {
            machine: machine.map(str::to_lowercase),
            region: region.map(str::to_lowercase),
            probability: 1.0,
            seed: 0,
        }
    }

    /// Tells whether a machine and region, in lower case, are meant.
    pub(crate) fn concern(&self, machine: Option<&str>, region: Option<&str>) -> bool {
        let same =
            |own: &str| machine.is_some_and(|id| id == own || id.rsplit('/').next() == Some(own));
        self.machine.as_deref().is_none_or(same)
            && self.region.as_deref().is_none_or(|own| region == Some(own))
    }
}
