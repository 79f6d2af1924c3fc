//! How the access of a fleet's identity stands, for its status.

use std::borrow::Cow;

use crate::api::HotpatchFleet;
use crate::azure::Error;
use crate::azure::identity::Fault;
use crate::controller::Shell;
use crate::controller::observe::{Access, Memory};
use crate::domain::fleet::FleetKey;
use crate::status;
use crate::validate::Found;

/// Returns how the access of a fleet's identity stands: what reading came to, or else an action
/// that Azure denied.
pub(super) fn access_in<'a>(
    shell: &Shell,
    memory: &'a Memory,
    namespace: &str,
    found: &Found<HotpatchFleet>,
) -> Cow<'a, Access> {
    let Some(object) = found.object() else {
        return Cow::Owned(Access::Unknown);
    };
    let principal = shell.clouds.principal(&object.spec.service_account_name);
    let who = (namespace.to_owned(), principal.to_owned());
    let fleet = FleetKey {
        namespace: namespace.to_owned(),
        name: found.name().to_owned(),
    };
    match memory.access.get(&who) {
        None => Cow::Owned(Access::Unknown),
        Some(Access::Valid) => match memory.denials.of(&fleet, shell.clock.now()) {
            Some(denial) => Cow::Owned(Access::Failed(denial.clone())),
            None => Cow::Owned(Access::Valid),
        },
        Some(access) => Cow::Borrowed(access),
    }
}

/// Says it in the words of status.
pub(super) fn access_of<'a>(access: &'a Access, refusal: &'a str) -> status::Access<'a> {
    match access {
        Access::Unknown => status::Access::Unknown,
        Access::Failed(Error::Denied { action, message }) => status::Access::Denied {
            action,
            message,
            cure: refusal,
        },
        Access::Failed(Error::Unauthorised { .. }) => status::Access::Refused {
            reason: Fault::TokenNotAccepted.reason(),
            message: refusal,
        },
        Access::Failed(Error::Identity(own)) => status::Access::Refused {
            reason: own.fault.reason(),
            message: &own.message,
        },
        // Anything else says nothing of the identity.
        Access::Valid | Access::Failed(_) => status::Access::Valid,
    }
}
