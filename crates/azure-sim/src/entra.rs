//! Holds who Entra ID knows, what it trusts, and the tokens it issued. A token is an opaque text;
//! Azure Resource Manager here asks this list instead of checking a signature.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

/// The client id of an application or a managed identity, lower case.
pub(crate) type ClientId = String;

/// How long a token lives unless a test says otherwise (Entra ID draws 60 to 90 minutes).
const LIFE: TimeDelta = TimeDelta::minutes(60);

/// Somebody whom Entra ID knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The tenant's id.
    pub tenant: String,
    /// The client id.
    pub client: String,
    /// The name under which its calls are noted.
    pub name: String,
    /// The subscriptions in which it has rights, lower case.
    pub subscriptions: BTreeSet<String>,
    /// The assertions that stand for it.
    pub federated: Vec<Federated>,
    /// Its client secret, if it has one.
    pub secret: Option<String>,
    /// Whether the metadata service of this machine speaks for it.
    pub managed: bool,
}

/// A federated credential: whose assertions stand for an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Federated {
    /// Who signs them.
    pub issuer: String,
    /// Whom they are about.
    pub subject: String,
}

/// What an assertion says, once its signature is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// Who signed it.
    pub issuer: String,
    /// Whom it is about.
    pub subject: String,
    /// For whom it is meant.
    pub audiences: Vec<String>,
    /// When it ends.
    pub expires: DateTime<Utc>,
}

/// Checks the signature of an assertion and reads it; none is an assertion of nobody known.
pub(crate) type Issuers = Arc<dyn Fn(&str) -> Option<Assertion> + Send + Sync>;

/// A token that was issued.
#[derive(Debug, Clone)]
pub(crate) struct IssuedToken {
    pub(crate) client: ClientId,
    pub(crate) expires: DateTime<Utc>,
}

/// The state of Entra ID.
#[derive(Default)]
pub(crate) struct Entra {
    pub(crate) identities: BTreeMap<ClientId, Identity>,
    pub(crate) revoked: BTreeSet<ClientId>,
    pub(crate) issued: BTreeMap<String, IssuedToken>,
    pub(crate) issuers: Option<Issuers>,
    pub(crate) down: bool,
    pub(crate) life: Option<TimeDelta>,
    counter: u64,
}

impl Entra {
    /// Returns how long a token lives.
    pub(crate) fn life(&self) -> TimeDelta {
        self.life.unwrap_or(LIFE)
    }

    /// Issues a token.
    pub(crate) fn issue(&mut self, client: &str, now: DateTime<Utc>) -> String {
        self.counter += 1;
        let token = format!("entra.{client}.{:08x}", self.counter);
        let issued = IssuedToken {
            client: client.to_owned(),
            expires: now + self.life(),
        };
        self.issued.insert(token.clone(), issued);
        token
    }

    /// Returns the identity by whose name calls are noted.
    pub(crate) fn named(&self, caller: &str) -> Option<&Identity> {
        self.identities.values().find(|own| own.name == caller)
    }

    /// Tells whether a caller has rights in a subscription; who is not known here has them all.
    pub(crate) fn sees(&self, caller: &str, subscription: &str) -> bool {
        let identity = self.named(caller);
        identity.is_none_or(|own| own.subscriptions.contains(&subscription.to_lowercase()))
    }
}
