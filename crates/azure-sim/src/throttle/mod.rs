//! Holds the limits that Azure documents, and what is left of them.
//!
//! Sources: azure.md §6, from "Azure Resource Manager throttling" and Compute's
//! `compute-throttling-limits.md` (2024-05-27); Resource Graph has its quota in
//! `http/resource_graph`. Not published and left out: limits of HybridCompute and of Azure
//! Local, and that asking again too early prolongs the wait. Must never draw a number.

mod bucket;
mod policy;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

pub(crate) use bucket::Rate;
use bucket::TokenBucket;
pub(crate) use policy::{Policy, Verb};

/// Calls after which buckets that are full again are forgotten.
const FORGET_EVERY: u32 = 4096;

/// How often ARM lets all principals of a subscription together do what it lets one do.
pub(crate) const ALL_PRINCIPALS: u32 = 15;

/// Chooses whether limits hold, and who else draws on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Buckets {
    /// Whether calls beyond a limit are refused with 429. Default: false.
    pub enforced: bool,
    /// The share of each bucket that is shared by all principals (Compute's per subscription and
    /// region, ARM's per subscription) which somebody else uses up all the time, in percent, 90
    /// at most. Default: 0.
    pub foreign_percent: u8,
}

impl Buckets {
    /// Limits hold, and nobody else draws on them.
    pub const ENFORCED: Self = Self {
        enforced: true,
        foreign_percent: 0,
    };

    /// The largest share that somebody else can take, in percent.
    pub const FOREIGN_PERCENT_MAX: u8 = 90;
}

/// What a bucket is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// ARM's, of one principal in a subscription.
    Principal(Verb, String, String),
    /// ARM's, of all principals in a subscription.
    Subscription(Verb, String),
    /// Compute's, of a subscription in a region.
    Region(Policy, String, String),
    /// Compute's, of one machine.
    Machine(Policy, String),
}

/// All buckets that are not full.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    buckets: BTreeMap<Key, TokenBucket>,
    charged: u32,
}

impl Throttle {
    /// Takes one token from each bucket, or none if one is empty. Gives what is left in each, or
    /// the first that is empty and the seconds until it has one.
    pub(crate) fn take(
        &mut self,
        wanted: &[(Key, Rate)],
        now: DateTime<Utc>,
    ) -> Result<Vec<u32>, (Key, u32)> {
        self.charged += 1;
        if self.charged.is_multiple_of(FORGET_EVERY) {
            self.buckets.retain(|_, own| !own.is_full(now));
        }
        for (key, rate) in wanted {
            let bucket = self.buckets.entry(key.clone());
            let bucket = bucket.or_insert_with(|| TokenBucket::full(*rate, now));
            if let Some(seconds) = bucket.wait_seconds(now) {
                return Err((key.clone(), seconds));
            }
        }
        let left = |(key, _): &(Key, Rate)| {
            let bucket = self.buckets.get_mut(key);
            bucket.map_or(0, |own| own.take(now))
        };
        Ok(wanted.iter().map(left).collect())
    }
}

#[cfg(test)]
mod tests;
