//! The operating system of a machine and what is installed in it.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use crate::effects::Actor;
use crate::os::Os;
use crate::patches::KbKind;

/// The operating system of a machine.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    pub(crate) os: Os,
    pub(crate) power: Power,
    pub(crate) since: DateTime<Utc>,
    pub(crate) boot_time: DateTime<Utc>,
    pub(crate) boot_count: u32,
    /// When it goes down for a restart that it was told of.
    pub(crate) shuts_down_at: Option<DateTime<Utc>>,
    pub(crate) installed: BTreeMap<String, Installed>,
    pub(crate) pending: BTreeMap<String, Pending>,
    pub(crate) dotnet: Option<NaiveDate>,
    pub(crate) definition: DateTime<Utc>,
    pub(crate) vbs: bool,
    /// The build the machine was set up with; what is installed may raise it.
    pub(crate) image_build: String,
}

/// Whether the guest runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Power {
    Up,
    Rebooting,
    /// Went down for a reboot and does not come back.
    Hung,
    Stopped,
    Deallocated,
}

/// A KB in effect.
#[derive(Debug, Clone)]
pub(crate) struct Installed {
    pub(crate) at: DateTime<Utc>,
    pub(crate) kind: KbKind,
    pub(crate) date: NaiveDate,
    pub(crate) build: Option<String>,
}

/// A KB that takes effect at the next reboot.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) installed: Installed,
    pub(crate) activity: String,
    pub(crate) by: Actor,
}

impl Guest {
    /// Gives the build of the newest KB in effect whose build is known.
    pub(crate) fn build(&self) -> String {
        self.installed
            .values()
            .filter(|kb| kb.build.is_some())
            .max_by_key(|kb| (kb.date, kb.kind))
            .and_then(|kb| kb.build.clone())
            .unwrap_or_else(|| self.image_build.clone())
    }

    /// Gives the date of the newest cumulative update in effect.
    pub(crate) fn cumulative_date(&self) -> Option<NaiveDate> {
        self.installed
            .values()
            .filter(|kb| kb.kind.is_cumulative())
            .map(|kb| kb.date)
            .max()
    }
}
