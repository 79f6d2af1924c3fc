//! Holds what runs on a machine at the moment: one job at a time, the others wait. Must never
//! hold what outlives the job: that goes to records, operations and effects.

use chrono::{DateTime, TimeDelta, Utc};

use crate::effects::{Actor, RebootCause};
use crate::patches::{Classification, RebootSetting};

/// One assessment, install or restart of a machine.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: u64,
    /// The long-running operation that shows it, for what came through the API.
    pub(crate) operation: Option<String>,
    pub(crate) by: Actor,
    pub(crate) work: Work,
    pub(crate) phase: Phase,
    /// When it is given up if the machine does not take it up.
    pub(crate) expires: DateTime<Utc>,
}

/// What a job does.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    Assess {
        activity: String,
    },
    Install {
        activity: String,
        request: InstallRequest,
    },
    Restart,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not taken up yet: the machine cannot be reached, or another job runs.
    Waiting,
    /// Scanning for updates.
    Scanning,
    /// Installing the patch at this place of the record.
    Installing(usize),
    /// The guest is down for this job.
    Rebooting,
}

/// What an install asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InstallRequest {
    pub(crate) maximum: Option<TimeDelta>,
    pub(crate) reboot: RebootSetting,
    pub(crate) classifications: Vec<Classification>,
    pub(crate) include: Vec<String>,
    pub(crate) exclude: Vec<String>,
    pub(crate) exclude_reboot: bool,
    pub(crate) published_before: Option<DateTime<Utc>>,
    pub(crate) name_include: Vec<String>,
    pub(crate) name_exclude: Vec<String>,
}

impl InstallRequest {
    /// Gives the request of Azure's own patching: Critical and Security (AVGP).
    pub(crate) fn platform(reboot: RebootSetting, exclude_reboot: bool) -> Self {
        Self {
            maximum: None,
            reboot,
            classifications: vec![Classification::Critical, Classification::Security],
            include: Vec::new(),
            exclude: Vec::new(),
            exclude_reboot,
            published_before: None,
            name_include: Vec::new(),
            name_exclude: Vec::new(),
        }
    }

    /// Gives the request of Windows Update in the guest: all there is.
    pub(crate) fn everything(reboot: RebootSetting) -> Self {
        Self {
            classifications: Classification::ALL.to_vec(),
            ..Self::platform(reboot, false)
        }
    }
}

impl Job {
    /// Gives the cause of a reboot that this job begins.
    pub(crate) fn reboot_cause(&self) -> RebootCause {
        match &self.by {
            Actor::Platform => RebootCause::Platform,
            Actor::WindowsUpdate => RebootCause::Guest,
            Actor::Foreign => RebootCause::Foreign,
            Actor::Caller {
                name,
                client_request_id,
                operation_id,
            } => {
                let caller = name.clone();
                let operation_id = operation_id.clone();
                let client_request_id = client_request_id.clone();
                match self.work {
                    Work::Restart => RebootCause::Restart {
                        caller,
                        operation_id,
                        client_request_id,
                    },
                    _ => RebootCause::Install {
                        caller,
                        operation_id,
                        client_request_id,
                    },
                }
            }
        }
    }
}

/// Matches a patch name against a mask with `*` and `?`, without regard to case.
pub(crate) fn mask_matches(mask: &str, name: &str) -> bool {
    let mask: Vec<char> = mask.to_lowercase().chars().collect();
    let name: Vec<char> = name.to_lowercase().chars().collect();
    let (mut at_mask, mut at_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at_name < name.len() {
        match mask.get(at_mask) {
            Some('*') => {
                star = Some((at_mask, at_name));
                at_mask += 1;
            }
            Some(letter) if *letter == '?' || *letter == name[at_name] => {
                at_mask += 1;
                at_name += 1;
            }
            _ => match star {
                Some((mask_back, name_back)) => {
                    star = Some((mask_back, name_back + 1));
                    at_mask = mask_back + 1;
                    at_name = name_back + 1;
                }
                None => return false,
            },
        }
    }
    mask[at_mask..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::mask_matches;

    #[test]
    fn a_mask_matches_with_stars_and_question_marks() {
        for (mask, name, expected) in [
            ("*SQL*", "Update for sql Server", true),
            ("*SQL*", "Windows", false),
            ("2026-0? *", "2026-08 Hotpatch", true),
            ("*patch", "2026-08 Hotpatch x", false),
            ("", "x", false),
        ] {
            assert_eq!(mask_matches(mask, name), expected, "{mask} against {name}");
        }
    }
}
