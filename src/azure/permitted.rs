//! What an identity may do in a subscription, by Azure's own word.
//!
//! Resource Graph gives no row of what may not be read, and no error: only the rights tell an empty
//! table from a closed one.

use super::act::segment;
use super::arm::Arm;
use super::error::Error;
use super::read_as::some;
use super::wire::API_AUTHORIZATION;
use super::wire::steering::{Permission, Permissions};

/// Pages of a caller's roles read at most.
const PAGES_MAX: usize = 20;

/// What one identity may do at one scope.
#[derive(Debug, Default)]
pub(super) struct Permitted(Vec<Permission>);

impl Permitted {
    /// Tells whether an action is granted: a role names it and does not take it out again (Azure
    /// RBAC, "Understand role definitions": what one role takes out another may still grant).
    pub(super) fn grants(&self, action: &str) -> bool {
        let names = |list: &Option<Vec<String>>| {
            let list = list.iter().flatten();
            list.into_iter().any(|pattern| fits(pattern, action))
        };
        self.0
            .iter()
            .any(|own| names(&own.actions) && !names(&own.not_actions))
    }
}

/// Reads what the identity may do in a subscription: one call as a rule.
///
/// The call is documented for resource groups and resources (Azure REST reference, "Permissions");
/// that a subscription answers it too is how the portal asks, and not documented. Where it does
/// not, nothing is known.
pub(super) async fn permitted(arm: &Arm, subscription: &str) -> Result<Permitted, Error> {
    let what = format!("the rights in subscription {subscription}");
    let subscription = segment(&what, subscription)?;
    let path = format!(
        "/subscriptions/{subscription}/providers/Microsoft.Authorization/permissions\
         ?api-version={API_AUTHORIZATION}"
    );
    let mut found = Vec::new();
    let mut page: Permissions = arm.get(&what, &path).await?.json(&what)?;
    for _ in 0..PAGES_MAX {
        found.append(&mut page.value);
        let Some(next) = some(page.next_link.as_ref()) else {
            return Ok(Permitted(found));
        };
        page = arm.follow(&what, next).await?.json(&what)?;
    }
    let why = format!("more than {PAGES_MAX} pages");
    Err(Error::malformed(&what, why))
}

/// Tells whether an action fits a pattern, in which `*` stands for anything, without case.
fn fits(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = action.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_fits_a_pattern_as_azure_writes_them() {
        let action = "Microsoft.Maintenance/configurationAssignments/read";
        let rows = [
            ("*", true),
            ("*/read", true),
            ("Microsoft.Maintenance/*", true),
            ("microsoft.maintenance/configurationassignments/READ", true),
            ("Microsoft.Maintenance/*/read", true),
            ("Microsoft.*/configuration*/r*d", true),
            ("*/write", false),
            ("Microsoft.Maintenance", false),
            ("Microsoft.Maintenance/configurationAssignments", false),
            (
                "Microsoft.Maintenance/configurationAssignments/read/x",
                false,
            ),
            ("Microsoft.Compute/*", false),
            ("", false),
        ];
        for (pattern, expected) in rows {
            assert_eq!(fits(pattern, action), expected, "{pattern}");
        }
    }

    #[test]
    fn what_one_role_takes_out_another_may_grant() {
        let list = |all: &[&str]| Some(all.iter().map(|own| (*own).to_owned()).collect());
        let role = |actions: &[&str], not: &[&str]| Permission {
            actions: list(actions),
            not_actions: list(not),
        };
        let rows = [
            (vec![], false),
            (vec![role(&["*"], &[])], true),
            (vec![role(&["*"], &["a/*"])], false),
            (vec![role(&["*"], &["a/*"]), role(&["a/b/read"], &[])], true),
            (vec![role(&["a/b/write"], &[])], false),
        ];
        for (roles, expected) in rows {
            let permitted = Permitted(roles);
            assert_eq!(permitted.grants("a/b/read"), expected, "{permitted:?}");
        }
    }
}
