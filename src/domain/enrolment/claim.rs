//! The claim: who changed a machine's settings and what stood before, as the text of one tag.
//!
//! Must never lose what it once remembered: whoever extends a claim keeps what is in it.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::domain::machine::{PatchMode, RebootSetting};

/// The longest value of an Azure tag, in bytes of ASCII (Azure Resource Manager, "Use tags to
/// organize your Azure resources": 256 characters).
pub const CLAIM_BYTES_MAX: usize = 256;

/// The longest uid that a claim takes, in bytes; Kubernetes uids have 36.
pub const UID_BYTES_MAX: usize = 64;

/// The version that this program writes.
const VERSION: &str = "v1";

/// Who claims a machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ClaimIdentity {
    /// The uid of the cluster, that is of its namespace `kube-system`.
    pub cluster: String,
    /// The uid of the fleet.
    pub fleet: String,
}

impl ClaimIdentity {
    /// Takes the two uids.
    ///
    /// # Errors
    /// [`ClaimError::Uid`] where one is empty, too long, or not of letters, digits and hyphens.
    pub fn new(cluster: impl Into<String>, fleet: impl Into<String>) -> Result<Self, ClaimError> {
        Ok(Self {
            cluster: checked_uid(cluster.into())?,
            fleet: checked_uid(fleet.into())?,
        })
    }
}

fn checked_uid(uid: String) -> Result<String, ClaimError> {
    let plain = uid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if uid.is_empty() || uid.len() > UID_BYTES_MAX || !plain {
        return Err(ClaimError::Uid {
            text: bounded(&uid),
        });
    }
    Ok(uid)
}

/// The settings as they stood before we first changed them; none where we never changed one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Earlier {
    /// `patchMode`; [`PatchMode::Unknown`] where it was absent.
    pub patch_mode: Option<PatchMode>,
    /// Whether Azure assessed every 24 h.
    pub periodic_assessment: Option<bool>,
    /// `enableHotpatching`.
    pub hotpatch: Option<bool>,
    /// `rebootSetting`; [`RebootSetting::Unknown`] where it was absent.
    pub reboot: Option<RebootSetting>,
    /// Whether the licence feature Hotpatch was on.
    pub licence: Option<bool>,
}

/// A claim on a machine. Displayed and parsed as the value of the tag
/// [`CLAIM_TAG`](super::CLAIM_TAG): `v1 c=<uid> f=<uid> m=AutomaticByOS a=false h=false …`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Who claims it.
    pub identity: ClaimIdentity,
    /// What stood before.
    pub earlier: Earlier,
    /// Parts with keys that this program does not know, kept as they are.
    pub unread: Vec<String>,
}

impl Claim {
    /// Makes a claim that remembers nothing yet.
    pub fn new(identity: ClaimIdentity) -> Self {
        Self {
            identity,
            earlier: Earlier::default(),
            unread: Vec::new(),
        }
    }
}

/// Why a text is no claim.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// Longer than a tag can be.
    #[error("claim is longer than {CLAIM_BYTES_MAX} bytes")]
    TooLong,
    /// Of a version that this program does not know.
    #[error("claim is of version {text:?}; this program reads {VERSION}")]
    Version {
        /// The version given.
        text: String,
    },
    /// A part is not `key=value`, or its value is not one that the key can have.
    #[error("claim has a wrong part {text:?}")]
    Part {
        /// The part given.
        text: String,
    },
    /// A key occurs twice.
    #[error("claim says {key}= twice")]
    Repeated {
        /// The key.
        key: String,
    },
    /// The cluster or the fleet is missing.
    #[error("claim lacks {key}=")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A uid is empty, too long, or not of letters, digits and hyphens.
    #[error("{text:?} is no uid")]
    Uid {
        /// The uid given.
        text: String,
    },
}

const MODES: [(PatchMode, &str); 5] = [
    (PatchMode::Manual, "Manual"),
    (PatchMode::AutomaticByOs, "AutomaticByOS"),
    (PatchMode::AutomaticByPlatform, "AutomaticByPlatform"),
    (PatchMode::ImageDefault, "ImageDefault"),
    (PatchMode::Unknown, "Absent"),
];

const REBOOTS: [(RebootSetting, &str); 4] = [
    (RebootSetting::IfRequired, "IfRequired"),
    (RebootSetting::Never, "Never"),
    (RebootSetting::Always, "Always"),
    (RebootSetting::Unknown, "Absent"),
];

const FLAGS: [(bool, &str); 2] = [(true, "true"), (false, "false")];

fn word<T: PartialEq + Copy>(table: &[(T, &'static str)], value: T) -> &'static str {
    let found = table.iter().find(|(own, _)| *own == value);
    found.map_or("Absent", |(_, word)| word)
}

fn value<T: Copy>(table: &[(T, &'static str)], text: &str) -> Option<T> {
    let found = table.iter().find(|(_, own)| own.eq_ignore_ascii_case(text));
    found.map(|(value, _)| *value)
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ClaimIdentity { cluster, fleet } = &self.identity;
        let earlier = &self.earlier;
        write!(f, "{VERSION} c={cluster} f={fleet}")?;
        let parts = [
            ("m", earlier.patch_mode.map(|mode| word(&MODES, mode))),
            ("a", earlier.periodic_assessment.map(|on| word(&FLAGS, on))),
            ("h", earlier.hotpatch.map(|on| word(&FLAGS, on))),
            ("r", earlier.reboot.map(|reboot| word(&REBOOTS, reboot))),
            ("l", earlier.licence.map(|on| word(&FLAGS, on))),
        ];
        for (key, text) in parts {
            if let Some(text) = text {
                write!(f, " {key}={text}")?;
            }
        }
        for part in &self.unread {
            write!(f, " {part}")?;
        }
        Ok(())
    }
}

impl FromStr for Claim {
    type Err = ClaimError;

    /// Reads a claim; the order of its parts, spaces and letter case of values do not matter, and
    /// parts with keys not known are kept. A known key with a wrong value is an error, as
    /// forgetting what stood before would make it unrestorable.
    fn from_str(text: &str) -> Result<Self, ClaimError> {
        if text.len() > CLAIM_BYTES_MAX {
            return Err(ClaimError::TooLong);
        }
        let mut words = text.split_whitespace();
        let version = words.next().unwrap_or_default();
        if version != VERSION {
            return Err(ClaimError::Version {
                text: bounded(version),
            });
        }
        let (mut cluster, mut fleet) = (None, None);
        let mut earlier = Earlier::default();
        let mut unread = Vec::new();
        for part in words {
            let wrong = || ClaimError::Part {
                text: bounded(part),
            };
            let (key, text) = part.split_once('=').ok_or_else(wrong)?;
            let read = match key {
                "c" => set(&mut cluster, Some(text.to_owned())),
                "f" => set(&mut fleet, Some(text.to_owned())),
                "m" => set(&mut earlier.patch_mode, value(&MODES, text)),
                "a" => set(&mut earlier.periodic_assessment, value(&FLAGS, text)),
                "h" => set(&mut earlier.hotpatch, value(&FLAGS, text)),
                "r" => set(&mut earlier.reboot, value(&REBOOTS, text)),
                "l" => set(&mut earlier.licence, value(&FLAGS, text)),
                _ => {
                    unread.push(part.to_owned());
                    Slot::Taken
                }
            };
            match read {
                Slot::Taken => {}
                Slot::NoValue => return Err(wrong()),
                Slot::Occupied => {
                    return Err(ClaimError::Repeated {
                        key: key.to_owned(),
                    });
                }
            }
        }
        let identity = ClaimIdentity::new(
            cluster.ok_or(ClaimError::Missing { key: "c" })?,
            fleet.ok_or(ClaimError::Missing { key: "f" })?,
        )?;
        Ok(Self {
            identity,
            earlier,
            unread,
        })
    }
}

enum Slot {
    Taken,
    NoValue,
    Occupied,
}

fn set<T>(slot: &mut Option<T>, value: Option<T>) -> Slot {
    if slot.is_some() {
        return Slot::Occupied;
    }
    *slot = value;
    if slot.is_some() {
        Slot::Taken
    } else {
        Slot::NoValue
    }
}

/// As much of a text as an error quotes.
fn bounded(text: &str) -> String {
    const QUOTED_CHARS_MAX: usize = 60;
    text.chars().take(QUOTED_CHARS_MAX).collect()
}
