//! The limits that are counted apart, with their documented numbers and names.

use super::bucket::Rate;

/// What ARM counts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Read,
    Write,
    Delete,
}

impl Verb {
    /// A POST is taken for a write: nothing says otherwise, and it is the narrower guess.
    pub(crate) fn of(method: &str) -> Self {
        match method {
            "GET" | "HEAD" => Self::Read,
            "DELETE" => Self::Delete,
            _ => Self::Write,
        }
    }

    /// 250 and 25 a second for reads, 200 and 10 a second for the others.
    pub(crate) fn rate(self) -> Rate {
        match self {
            Self::Read => Rate::new(25 * 60, 250),
            Self::Write | Self::Delete => Rate::new(10 * 60, 200),
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
        }
    }

    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Read => "x-ms-ratelimit-remaining-subscription-reads",
            Self::Write => "x-ms-ratelimit-remaining-subscription-writes",
            Self::Delete => "x-ms-ratelimit-remaining-subscription-deletes",
        }
    }

    pub(crate) fn global_header(self) -> &'static str {
        match self {
            Self::Read => "x-ms-ratelimit-remaining-subscription-global-reads",
            Self::Write => "x-ms-ratelimit-remaining-subscription-global-writes",
            Self::Delete => "x-ms-ratelimit-remaining-subscription-global-deletes",
        }
    }
}

/// What Compute counts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Policy {
    GuestPatch,
    UpdateVm,
    LowCostGet,
    HighCostGet,
    GetOperation,
}

impl Policy {
    /// Of one VM, and of its subscription in its region.
    pub(crate) fn rates(self) -> (Option<Rate>, Rate) {
        let of = |own, shared| (Some(own), shared);
        match self {
            Self::GuestPatch => of(Rate::new(2, 6), Rate::new(200, 600)),
            Self::UpdateVm => of(Rate::new(4, 12), Rate::new(500, 1_500)),
            Self::LowCostGet => of(Rate::new(12, 36), Rate::new(8_000, 24_000)),
            Self::HighCostGet => (None, Rate::new(300, 900)),
            Self::GetOperation => of(Rate::new(15, 45), Rate::new(5_000, 15_000)),
        }
    }

    fn stem(self) -> &'static str {
        match self {
            Self::GuestPatch => "VMGuestPatch",
            Self::UpdateVm => "UpdateVM",
            Self::LowCostGet => "LowCostGet",
            Self::HighCostGet => "HighCostGet",
            Self::GetOperation => "GetOperation",
        }
    }

    /// How the header names the bucket of the subscription and region. The pattern is that of
    /// published traces; the one for guest patching is built after it.
    pub(crate) fn shared_name(self) -> String {
        format!("{}SubscriptionMaximum", self.stem())
    }

    /// How the header names the bucket of the VM.
    pub(crate) fn own_name(self) -> String {
        format!("{}Resource", self.stem())
    }
}
