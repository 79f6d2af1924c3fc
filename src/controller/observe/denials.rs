//! What Azure denied to an identity beside reading. Shown, and never decided from: each command is
//! sent or withheld for reasons of its own.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Account, Principal};
use crate::azure::Error;
use crate::controller::clouds::Clouds;

/// How long a denial is shown where the same is not asked for again: whoever adds the right need
/// not wait for the next window to see the condition clear.
const SHOWN: TimeDelta = TimeDelta::hours(6);

/// What was denied to each identity, by what was asked, with Azure's refusal and its time.
#[derive(Default)]
pub struct Denials(BTreeMap<Principal, BTreeMap<&'static str, (DateTime<Utc>, Error)>>);

impl Denials {
    /// Takes in what Azure answered to calls of ServiceAccounts, by what was asked.
    pub fn learn(
        &mut self,
        clouds: &dyn Clouds,
        answers: &[(Account, &'static str, Option<Error>)],
        now: DateTime<Utc>,
    ) {
        for ((namespace, account), asked, answer) in answers {
            let who = (namespace.clone(), clouds.principal(account).to_owned());
            match answer {
                Some(error) => self.note(&who, asked, error, now),
                None => self.clear(&who, asked),
            }
        }
    }

    /// Notes what became of a call of an identity, if it was denied.
    fn note(&mut self, who: &Principal, asked: &'static str, error: &Error, now: DateTime<Utc>) {
        if matches!(error, Error::Denied { .. }) {
            let own = self.0.entry(who.clone()).or_default();
            own.insert(asked, (now, error.clone()));
        }
    }

    /// Returns the first denial of an identity that is not too long ago.
    pub fn of(&self, who: &Principal, now: DateTime<Utc>) -> Option<&Error> {
        let own = self.0.get(who)?.values();
        let mut fresh = own.filter(|(at, _)| now - *at < SHOWN);
        fresh.next().map(|(_, error)| error)
    }

    /// Forgets the denial of what was accepted.
    fn clear(&mut self, who: &Principal, asked: &'static str) {
        if let Some(own) = self.0.get_mut(who) {
            own.remove(asked);
        }
    }

    /// Keeps those of these identities only.
    pub(super) fn retain(&mut self, looked: &BTreeSet<Principal>) {
        self.0.retain(|who, _| looked.contains(who));
    }
}
