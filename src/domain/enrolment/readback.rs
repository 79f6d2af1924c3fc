//! Whether hotpatching is in force, as Azure reads it back.

use std::fmt;

use serde::Serialize;

use crate::domain::eligibility;
use crate::domain::machine::{ArcFacts, Facts, Licence, Machine, PatchMode};

/// What a machine still waits for before hotpatching is in force.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Pending {
    /// `patchMode` is not AutomaticByPlatform.
    PatchMode,
    /// The flag for customer-managed schedules is set, which Azure does not allow with hotpatch.
    Bypass,
    /// The licence feature Hotpatch is not on, or its state is not known.
    Licence,
    /// The licence feature Hotpatch is being switched on. It has hung for days before
    /// (KB5066835, October 2025; azure.md §2).
    LicenceEnabling,
    /// Azure has not yet evaluated the machine as enabled; its own word, where it gave one.
    Evaluation(Option<String>),
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PatchMode => f.write_str("patchMode is not AutomaticByPlatform"),
            Self::Bypass => f.write_str("the flag for customer-managed schedules is set"),
            Self::Licence => f.write_str("the licence feature Hotpatch is not on"),
            Self::LicenceEnabling => {
                f.write_str("the licence feature Hotpatch is being switched on")
            }
            Self::Evaluation(None) => f.write_str("Azure has not evaluated the machine yet"),
            Self::Evaluation(Some(word)) if word.eq_ignore_ascii_case(ENABLEMENT_LACKING) => {
                write!(f, "Azure evaluates the machine as {word}: {LACKING_ADVICE}")
            }
            Self::Evaluation(Some(word)) => write!(f, "Azure evaluates the machine as {word}"),
        }
    }
}

/// Whether hotpatching is in force on a machine, by read-back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Enrolled {
    /// It is.
    Yes,
    /// It is asked for and not yet in force.
    Pending(Pending),
    /// It is not asked for.
    No,
}

/// The word by which Azure says that hotpatching is in force on an Arc machine
/// (`hotpatchEnablementStatus`, HybridCompute; azure.md §2).
const ENABLEMENT_IN_FORCE: &str = "Enabled";

/// The word by which Azure says that something in the guest is missing, and not what (the same).
const ENABLEMENT_LACKING: &str = "ActionRequired";

/// What to do then.
const LACKING_ADVICE: &str = "something in the guest is missing, such as virtualization-based \
                              security; with --allow-run-commands the operator asks the guest \
                              whether that runs";

/// Tells whether hotpatching is switched on for an Arc server, and Azure misses something in its
/// guest. What, only the guest can say. Run commands are for servers outside Azure Local
/// (azure.md §2).
pub fn lacks_something(machine: &Machine) -> bool {
    let Facts::ArcServer(arc) = &machine.facts else {
        return false;
    };
    let word = arc.enablement.as_deref();
    word.is_some_and(|own| own.eq_ignore_ascii_case(ENABLEMENT_LACKING))
}

/// Tells from what Azure reads back whether hotpatching is in force.
///
/// A VM shows its intent only (azure.md §0.2), so the intent counts. An Arc machine needs both
/// switches and Azure's own evaluation; the evaluation is what stands in for facts that no API
/// shows, such as virtualization-based security.
pub fn enrolled(machine: &Machine) -> Enrolled {
    let settings = &machine.settings;
    match &machine.facts {
        Facts::AzureLocalVm(None) => Enrolled::No,
        _ if eligibility::hotpatch_by_edition(machine) => Enrolled::Yes,
        _ if !settings.hotpatch => Enrolled::No,
        Facts::AzureVm(_) if settings.patch_mode != PatchMode::AutomaticByPlatform => {
            Enrolled::Pending(Pending::PatchMode)
        }
        Facts::AzureVm(_) if settings.bypass => Enrolled::Pending(Pending::Bypass),
        Facts::AzureVm(_) => Enrolled::Yes,
        Facts::ArcServer(arc) | Facts::AzureLocalVm(Some(arc)) => arc_enrolled(arc),
    }
}

fn arc_enrolled(arc: &ArcFacts) -> Enrolled {
    match arc.licence {
        Licence::Enabled => {}
        Licence::Enabling => return Enrolled::Pending(Pending::LicenceEnabling),
        Licence::Absent | Licence::Disabled | Licence::Failed | Licence::Unknown => {
            return Enrolled::Pending(Pending::Licence);
        }
    }
    match &arc.enablement {
        Some(word) if word.eq_ignore_ascii_case(ENABLEMENT_IN_FORCE) => Enrolled::Yes,
        other => Enrolled::Pending(Pending::Evaluation(other.clone())),
    }
}
