//! Whose cloud acts for a namespace.

use futures::future::BoxFuture;

use crate::azure::{Cloud, Error};

/// Gives each namespace and ServiceAccount the cloud that its identity sees.
pub trait Clouds: Send + Sync {
    /// Returns the cloud of a ServiceAccount. An empty name is an error, never a fallback.
    ///
    /// # Errors
    /// [`Error`] where the identity cannot be had.
    fn cloud<'a>(
        &'a self,
        namespace: &'a str,
        service_account: &'a str,
    ) -> BoxFuture<'a, Result<Cloud, Error>>;
}

/// One cloud for all: the installation's own token.
pub struct OneCloud(pub Cloud);

impl Clouds for OneCloud {
    fn cloud<'a>(
        &'a self,
        _namespace: &'a str,
        service_account: &'a str,
    ) -> BoxFuture<'a, Result<Cloud, Error>> {
        Box::pin(async move {
            if service_account.is_empty() {
                return Err(Error::Unauthorised {
                    what: "an identity without a name".to_owned(),
                });
            }
            Ok(self.0.clone())
        })
    }
}
