//! What Azure must allow for each call of this client, and in which role it is granted.
//!
//! [`CALLS`] names every request and every kind of row that is asked for, with the action that
//! Azure Resource Manager checks; [`RIGHTS`] says of each action what it is for and what is left
//! without it. The role files in `roles/` are written from these tables and from nothing else.
//! Must never hold a wildcard or a data action.
//!
//! Sources: [`Source`].

use std::collections::BTreeSet;

/// Actions in one role at most: what a person still reads before granting it.
pub const ACTIONS_MAX: usize = 20;

/// A role: what is granted together, because it is used for one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Find machines and say how they stand. All that mode Observe needs.
    Read,
    /// Turn hotpatching on, and put settings back. For modes Enrol and Enforce.
    Settings,
    /// Assess, install, restart, and follow what was commanded. For mode Enforce.
    Install,
    /// Run a script in a guest: the restart of an Arc server. Only where the operator runs with
    /// `--allow-run-commands`.
    RunCommand,
}

impl Role {
    /// All roles, from the weakest to the strongest.
    pub const ALL: [Self; 4] = [Self::Read, Self::Settings, Self::Install, Self::RunCommand];

    /// The name of the role's file in `roles/`.
    pub fn file(self) -> &'static str {
        match self {
            Self::Read => "hotpatch-read.json",
            Self::Settings => "hotpatch-settings.json",
            Self::Install => "hotpatch-install-and-restart.json",
            Self::RunCommand => "hotpatch-run-command.json",
        }
    }

    /// The name of the role in Azure.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "Hotpatch Read",
            Self::Settings => "Hotpatch Settings",
            Self::Install => "Hotpatch Install and Restart",
            Self::RunCommand => "Hotpatch Run Command",
        }
    }

    /// What the role is for, in one sentence.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Read => {
                "Lets hotpatch-operator find machines and say how they stand; all that mode \
                 Observe needs."
            }
            Self::Settings => {
                "Lets hotpatch-operator turn hotpatching on and put settings back; for modes \
                 Enrol and Enforce, beside Hotpatch Read."
            }
            Self::Install => {
                "Lets hotpatch-operator assess, install, restart and follow what it commanded; \
                 for mode Enforce, beside Hotpatch Read."
            }
            Self::RunCommand => {
                "Lets hotpatch-operator run scripts as SYSTEM in guests, to restart an Arc server \
                 that owes its reboot and to ask machines that get no hotpatches why; only with \
                 --allow-run-commands, beside the other roles."
            }
        }
    }

    /// The actions of the role, sorted.
    pub fn actions(self) -> BTreeSet<&'static str> {
        RIGHTS
            .iter()
            .filter(|right| right.role == self)
            .map(|right| right.action)
            .collect()
    }
}

/// Where it is written that a call needs an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Microsoft Learn, "Azure permissions" (the registered operations of each provider): a
    /// custom role may only name what is registered there.
    Permissions,
    /// Microsoft Learn, "Roles and permissions in Azure Update Manager".
    UpdateManager,
    /// Microsoft Learn, "Activity log" of Azure Monitor, roles and permissions.
    Monitor,
}

impl Source {
    /// Names the document.
    pub fn title(self) -> &'static str {
        match self {
            Self::Permissions => "Azure permissions reference",
            Self::UpdateManager => "Roles and permissions in Azure Update Manager",
            Self::Monitor => "Roles and permissions in Azure Monitor",
        }
    }
}

/// One action, the role that grants it, and what it is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right {
    /// The action as Azure registers it.
    pub action: &'static str,
    /// The role that grants it.
    pub role: Role,
    /// What it is used for.
    pub used_for: &'static str,
    /// What is shown or done without it.
    pub without: &'static str,
    /// Where the action is named.
    pub source: Source,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A request: method and path, in which `*` is one segment.
    Request(&'static str, &'static str),
    /// Rows of Resource Graph of this type. Who may not read a resource gets no row of it, and
    /// no error (Resource Graph overview, "Permissions in Azure Resource Graph").
    Rows(&'static str),
}

/// One call of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The file below `src/azure/` that makes it.
    pub made_by: &'static str,
    /// What it asks for.
    pub asked: Asked,
    /// The action that Azure checks.
    pub action: &'static str,
}

mod calls;
mod granted;
#[cfg(test)]
mod tests;

pub use calls::CALLS;
pub use granted::RIGHTS;

/// Returns the right that a request needs, or none where no call of the client looks like it.
pub fn of_request(method: &str, path: &str) -> Option<&'static Right> {
    let path = path.split('?').next().unwrap_or_default();
    let call = CALLS.iter().find(|call| match call.asked {
        Asked::Request(own, pattern) => own.eq_ignore_ascii_case(method) && fits(pattern, path),
        Asked::Rows(_) => false,
    })?;
    named(call.action)
}

/// Returns the right of an action.
pub fn named(action: &str) -> Option<&'static Right> {
    RIGHTS
        .iter()
        .find(|right| right.action.eq_ignore_ascii_case(action))
}

/// Says which role file grants an action, and what is left without it; empty for an action that
/// no call needs.
pub fn cure(action: &str) -> String {
    named(action).map_or_else(String::new, |right| {
        let (file, name) = (right.role.file(), right.role.name());
        format!(
            "roles/{file} (role {name}) grants it; without it {}",
            right.without
        )
    })
}

fn fits(pattern: &str, path: &str) -> bool {
    let mut path = path.split('/');
    for own in pattern.split('/') {
        match path.next() {
            Some(found) if own == "*" || own.eq_ignore_ascii_case(found) => {}
            _ => return false,
        }
    }
    path.next().is_none()
}
