//! Whose cloud acts for a namespace.
//!
//! The installation chooses one source of identities, and nothing stands in for it: what is missing
//! or empty is a refusal with a name. Must never use an identity for a namespace that did not give
//! it.

mod fleet;
mod own;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;

pub use self::fleet::{CLIENT_ANNOTATION, FleetClouds, OPT_IN_ANNOTATION, TENANT_ANNOTATION};
pub use self::own::{Allowed, Own, OwnClouds};
use crate::azure::buckets::{Buckets, Now};
use crate::azure::identity::{Authority, Fault, Refusal};
use crate::azure::{Cloud, Endpoint, Error, Token, Transport};

/// Gives each namespace and ServiceAccount the cloud that its identity sees.
pub trait Clouds: Send + Sync {
    /// Names who acts for a ServiceAccount: those with the same name act as one and see the same.
    fn principal<'a>(&self, service_account: &'a str) -> &'a str;

    /// Returns the cloud of a ServiceAccount, with a token that outlives a pass. An empty name is
    /// an error, never a fallback.
    ///
    /// # Errors
    /// [`Error::Identity`] where the identity cannot be had.
    fn cloud<'a>(
        &'a self,
        namespace: &'a str,
        service_account: &'a str,
        now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Cloud, Error>>;
}

/// Where tokens are issued, and where they are used.
#[derive(Clone)]
pub struct Ways {
    /// To Azure Resource Manager.
    pub azure: Arc<dyn Transport>,
    /// Azure Resource Manager.
    pub endpoint: Endpoint,
    /// To whoever issues tokens.
    pub login: Arc<dyn Transport>,
    /// Entra ID.
    pub authority: Authority,
    /// What Azure lets out, for all identities together.
    pub buckets: Arc<Buckets>,
    /// The clock that the buckets go by.
    pub now: Now,
}

impl Ways {
    /// Makes the cloud of a principal, by the name that tells it from all others.
    fn cloud(&self, principal: &str, token: Token) -> Cloud {
        let cloud = Cloud::new(Arc::clone(&self.azure), self.endpoint.clone(), token);
        let now = Arc::clone(&self.now);
        cloud.paced(Arc::clone(&self.buckets), principal, now)
    }
}

/// Refuses a ServiceAccount without a name.
fn named(service_account: &str) -> Result<(), Refusal> {
    if service_account.is_empty() {
        let text = "spec.serviceAccountName is empty; name a ServiceAccount of this namespace";
        return Err(Refusal::new(Fault::NoIdentity, text));
    }
    Ok(())
}

/// One cloud for all, with a token that never ends: for simulations.
pub struct OneCloud(pub Cloud);

impl Clouds for OneCloud {
    fn principal<'a>(&self, _service_account: &'a str) -> &'a str {
        ""
    }

    fn cloud<'a>(
        &'a self,
        _namespace: &'a str,
        service_account: &'a str,
        _now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Cloud, Error>> {
        Box::pin(async move {
            named(service_account)?;
            Ok(self.0.clone())
        })
    }
}
