//! What tests may do to Entra ID and see of it.

use chrono::TimeDelta;

use crate::entra::{Assertion, Identity};
use crate::sim::AzureSim;

impl AzureSim {
    /// Makes an identity known, or changes it. From then on only tokens that were issued, or stand
    /// in the options, are accepted.
    pub fn register(&self, identity: Identity) {
        self.with(|world| {
            let client = identity.client.to_lowercase();
            world.entra.revoked.remove(&client);
            world.entra.identities.insert(client, identity);
        });
    }

    /// Revokes an identity: no token is issued for it, and none that was is accepted.
    pub fn revoke(&self, client: &str) {
        self.with(|world| world.entra.revoked.insert(client.to_lowercase()));
    }

    /// Ends all tokens that were issued, as if their time were up.
    pub fn expire_tokens(&self) {
        self.with(|world| {
            let now = world.now;
            let all = world.entra.issued.values_mut();
            all.for_each(|own| own.expires = now);
        });
    }

    /// Sets how assertions are checked.
    pub fn trust_issuers(&self, read: impl Fn(&str) -> Option<Assertion> + Send + Sync + 'static) {
        self.with(|world| world.entra.issuers = Some(std::sync::Arc::new(read)));
    }

    /// Takes the token endpoint and the metadata service down, or brings them back.
    pub fn set_login_down(&self, down: bool) {
        self.with(|world| world.entra.down = down);
    }

    /// Sets how long tokens live that are issued from now on.
    pub fn set_token_life(&self, life: TimeDelta) {
        self.with(|world| world.entra.life = Some(life));
    }

    /// Returns all tokens that were ever issued, in order.
    #[must_use]
    pub fn issued_tokens(&self) -> Vec<String> {
        self.with(|world| world.entra.issued.keys().cloned().collect())
    }
}
