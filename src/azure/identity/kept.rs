//! Tokens that were issued, for as long as they are good.
//!
//! The key of a token is who asked, not only which client id was named: a client id is no secret,
//! and whoever names another's must prove by an exchange of its own that it is that client.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::answer::Issued;
use super::refusal::{Fault, Refusal};
use crate::azure::endpoint::Token;

/// How long before its end a token is asked for anew: longer than a pass takes, so that the token
/// with which a pass begins outlives it.
pub const REFRESH_EARLY: TimeDelta = TimeDelta::minutes(10);

/// How long a token must still live to be used where none newer can be had.
const LIFE_LEFT_MIN: TimeDelta = TimeDelta::minutes(2);

/// How long after a refusal, or silence, the same is asked again.
pub const RETRY_REST: TimeDelta = TimeDelta::seconds(60);

/// How long after a token was fetched in place of one that Azure Resource Manager did not accept
/// another may be: until then its not being accepted either is a refusal of the identity.
const REPLACED_REST: TimeDelta = TimeDelta::minutes(10);

/// Whose token it is, beside the key: where any of it changes, the token goes.
pub type Stamp = Vec<String>;

#[derive(Default)]
struct Slot {
    stamp: Stamp,
    held: Option<Held>,
    failed: Option<(DateTime<Utc>, Refusal)>,
    replaced_at: Option<DateTime<Utc>>,
}

struct Held {
    token: Token,
    until: DateTime<Utc>,
}

type Slots<K> = BTreeMap<K, (DateTime<Utc>, Arc<tokio::sync::Mutex<Slot>>)>;

/// How long the slot of an identity that nobody asks for is kept.
const UNUSED_KEPT: TimeDelta = TimeDelta::hours(1);

/// The tokens of all identities, by who asks.
pub struct Tokens<K> {
    slots: Mutex<Slots<K>>,
}

impl<K> Default for Tokens<K> {
    fn default() -> Self {
        Self {
            slots: Mutex::default(),
        }
    }
}

impl<K: Ord> Tokens<K> {
    /// Returns the token of `key`, fetched at most once by this call.
    ///
    /// One that has more than [`REFRESH_EARLY`] to live is returned as it is. Others who ask for
    /// the same key meanwhile wait and get what was fetched. Where the fetch fails, a token that is
    /// still good serves on, and nothing is fetched for [`RETRY_REST`].
    ///
    /// # Errors
    /// [`Refusal`] where there is none.
    pub async fn get<F: Future<Output = Result<Issued, Refusal>>>(
        &self,
        key: K,
        stamp: Stamp,
        now: DateTime<Utc>,
        fetch: impl FnOnce() -> F,
    ) -> Result<Token, Refusal> {
        let slot = self.slot(key, now);
        let mut slot = slot.lock().await;
        if slot.stamp != stamp {
            *slot = Slot {
                stamp,
                ..Slot::default()
            };
        }
        slot.drop_unaccepted(now)?;
        if let Some(held) = slot
            .held
            .as_ref()
            .filter(|own| own.until - now > REFRESH_EARLY)
        {
            return Ok(held.token.clone());
        }
        if let Some((at, refusal)) = slot.failed.clone()
            && now - at < RETRY_REST
        {
            return slot.serve_on(now).ok_or(refusal);
        }
        match fetch().await {
            Ok(issued) => {
                let token = issued.token.clone();
                slot.failed = None;
                slot.held = Some(Held {
                    until: now + TimeDelta::seconds(issued.life_seconds),
                    token: issued.token,
                });
                Ok(token)
            }
            Err(refusal) => {
                slot.failed = Some((now, refusal.clone()));
                slot.serve_on(now).ok_or(refusal)
            }
        }
    }

    fn slot(&self, key: K, now: DateTime<Utc>) -> Arc<tokio::sync::Mutex<Slot>> {
        // The map is whole between any two statements that could panic.
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, (used, _)| now - *used < UNUSED_KEPT);
        let (used, slot) = slots.entry(key).or_default();
        *used = now;
        Arc::clone(slot)
    }
}

impl Slot {
    /// Lets go of a token that Azure Resource Manager did not accept, once in a while.
    fn drop_unaccepted(&mut self, now: DateTime<Utc>) -> Result<(), Refusal> {
        if !self
            .held
            .as_ref()
            .is_some_and(|own| own.token.is_unaccepted())
        {
            return Ok(());
        }
        if self.replaced_at.is_some_and(|at| now - at < REPLACED_REST) {
            let text = "Azure Resource Manager accepts neither the token nor a newer one; compare \
                        the tenant of the identity with that of the subscriptions";
            return Err(Refusal::new(Fault::TokenNotAccepted, text));
        }
        self.held = None;
        self.failed = None;
        self.replaced_at = Some(now);
        Ok(())
    }

    /// Returns the token that is held, if it is good for a while.
    fn serve_on(&self, now: DateTime<Utc>) -> Option<Token> {
        let held = self.held.as_ref()?;
        (held.until - now > LIFE_LEFT_MIN).then(|| held.token.clone())
    }
}
