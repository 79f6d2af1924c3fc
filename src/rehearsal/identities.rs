//! Who acts in a rehearsal: an identity for each namespace, by which Azure knows the operator. The
//! simulator sees by it whose call it is.

use azure_sim::Actor;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;

use super::{NAMESPACE, OTHER_NAMESPACE};
use crate::azure::identity::{Fault, Refusal};
use crate::azure::{Cloud, Error};
use crate::controller::clouds::{Clouds, OneCloud};

/// The identity of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The namespace.
    pub namespace: &'static str,
    /// The name under which Azure knows it.
    pub name: &'static str,
    /// Its token: a secret that must show nowhere.
    pub secret: &'static str,
}

/// All of them.
pub const IDENTITIES: [Identity; 2] = [
    Identity {
        namespace: NAMESPACE,
        name: "hotpatch-operator",
        secret: "rehearsal-token-5f1d0c7e9a3b",
    },
    Identity {
        namespace: OTHER_NAMESPACE,
        name: "hotpatch-operator-tills",
        secret: "rehearsal-token-b80c23d41e6f",
    },
];

/// Returns the namespace for which a caller acts; none where it is not the operator.
pub fn namespace_of(caller: &str) -> Option<&'static str> {
    let mut all = IDENTITIES.iter();
    all.find(|own| own.name == caller).map(|own| own.namespace)
}

/// Tells whether a caller is the operator.
pub fn is_operator(caller: &str) -> bool {
    namespace_of(caller).is_some()
}

/// Tells whether the operator did something.
pub fn is_ours(by: &Actor) -> bool {
    matches!(by, Actor::Caller { name, .. } if is_operator(name))
}

/// The cloud of each identity, with a token that never ends.
pub(super) struct OfNamespace(Vec<(&'static str, OneCloud)>);

impl OfNamespace {
    pub(super) fn of(clouds: impl Iterator<Item = (&'static str, Cloud)>) -> Self {
        Self(clouds.map(|(own, cloud)| (own, OneCloud(cloud))).collect())
    }
}

impl Clouds for OfNamespace {
    fn principal<'a>(&self, _service_account: &'a str) -> &'a str {
        ""
    }

    fn cloud<'a>(
        &'a self,
        namespace: &'a str,
        service_account: &'a str,
        now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Cloud, Error>> {
        let own = self.0.iter().find(|(own, _)| *own == namespace);
        match own {
            Some((_, cloud)) => cloud.cloud(namespace, service_account, now),
            None => {
                let text = "no identity for this namespace";
                Box::pin(async move { Err(Refusal::new(Fault::NoIdentity, text).into()) })
            }
        }
    }
}
