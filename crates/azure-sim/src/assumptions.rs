//! Names the switches of [`Assumptions`], so that they can be set from a command line. Must never
//! decide what a switch does.

use crate::options::{Assumptions, BaselineReports, HotpatchReports, SecondOperation, TagsPatch};

/// Why a switch is not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssumptionError {
    /// The text is not `NAME=VALUE`.
    #[error("cannot read {0:?}: it is not NAME=VALUE")]
    Text(String),
    /// There is no such switch.
    #[error("no assumption is called {name:?}; there are {known}")]
    Name {
        /// What was named.
        name: String,
        /// All names.
        known: String,
    },
    /// The switch has no such position.
    #[error("{name} cannot be {value:?}; it is {positions}")]
    Value {
        /// The switch.
        name: &'static str,
        /// What was wanted.
        value: String,
        /// What it can be.
        positions: &'static str,
    },
}

const BOOL: &str = "true or false";
const MINUTES: &str = "a number of minutes";
const TABLES: &str = "a number of tables";
const SECOND: &str = "refused or queued";
const HOTPATCH: &str = "never-reboots or can-request-reboot";
const BASELINE: &str = "always-requires-reboot or can-request-reboot";
const TAGS: &str = "merge or replace";

/// One switch: its name, its position, its positions.
pub type Named = (&'static str, String, &'static str);

impl Assumptions {
    /// Lists all switches with their positions.
    #[must_use]
    pub fn named(&self) -> Vec<Named> {
        // Without a rest: a new switch does not compile until it has a name.
        let Self {
            model_never_overrides_if_required,
            second_operation,
            platform_stages_under_never,
            hotpatch_reports,
            baseline_reports,
            assesses_after_install,
            superseded_offered,
            baseline_reboots_twice,
            dotnet_needs_reboot,
            graph_lag_minutes,
            graph_remote_tables,
            activity_log_delay_minutes,
            tags_patch,
            repeated_run_command_runs,
        } = self;
        let second = match second_operation {
            SecondOperation::Refused => "refused",
            SecondOperation::Queued => "queued",
        };
        let hotpatch = match hotpatch_reports {
            HotpatchReports::NeverReboots => "never-reboots",
            HotpatchReports::CanRequestReboot => "can-request-reboot",
        };
        let baseline = match baseline_reports {
            BaselineReports::AlwaysRequiresReboot => "always-requires-reboot",
            BaselineReports::CanRequestReboot => "can-request-reboot",
        };
        let tags = match tags_patch {
            TagsPatch::Merge => "merge",
            TagsPatch::Replace => "replace",
        };
        let switch = |name, on: &bool| (name, on.to_string(), BOOL);
        let minutes = |name, own: &u32| (name, own.to_string(), MINUTES);
        vec![
            switch(
                "model-never-overrides-if-required",
                model_never_overrides_if_required,
            ),
            ("second-operation", second.to_owned(), SECOND),
            switch("platform-stages-under-never", platform_stages_under_never),
            ("hotpatch-reports", hotpatch.to_owned(), HOTPATCH),
            ("baseline-reports", baseline.to_owned(), BASELINE),
            switch("assesses-after-install", assesses_after_install),
            switch("superseded-offered", superseded_offered),
            switch("baseline-reboots-twice", baseline_reboots_twice),
            switch("dotnet-needs-reboot", dotnet_needs_reboot),
            minutes("graph-lag-minutes", graph_lag_minutes),
            (
                "graph-remote-tables",
                graph_remote_tables.to_string(),
                TABLES,
            ),
            minutes("activity-log-delay-minutes", activity_log_delay_minutes),
            ("tags-patch", tags.to_owned(), TAGS),
            switch("repeated-run-command-runs", repeated_run_command_runs),
        ]
    }

    /// Sets a switch, given as `NAME=VALUE`.
    ///
    /// # Errors
    /// [`AssumptionError`] naming what there is.
    pub fn set(&mut self, text: &str) -> Result<(), AssumptionError> {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| AssumptionError::Text(text.to_owned()))?;
        let all = self.named();
        let Some((name, _, positions)) = all.iter().find(|own| own.0 == name) else {
            let known: Vec<&str> = all.iter().map(|own| own.0).collect();
            return Err(AssumptionError::Name {
                name: name.to_owned(),
                known: known.join(", "),
            });
        };
        self.put(name, value).ok_or_else(|| AssumptionError::Value {
            name,
            value: value.to_owned(),
            positions,
        })
    }

    fn put(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "model-never-overrides-if-required" => {
                self.model_never_overrides_if_required = value.parse().ok()?;
            }
            "second-operation" => {
                self.second_operation = match value {
                    "refused" => SecondOperation::Refused,
                    "queued" => SecondOperation::Queued,
                    _ => return None,
                }
            }
            "platform-stages-under-never" => {
                self.platform_stages_under_never = value.parse().ok()?;
            }
            "hotpatch-reports" => {
                self.hotpatch_reports = match value {
                    "never-reboots" => HotpatchReports::NeverReboots,
                    "can-request-reboot" => HotpatchReports::CanRequestReboot,
                    _ => return None,
                }
            }
            "baseline-reports" => {
                self.baseline_reports = match value {
                    "always-requires-reboot" => BaselineReports::AlwaysRequiresReboot,
                    "can-request-reboot" => BaselineReports::CanRequestReboot,
                    _ => return None,
                }
            }
            "assesses-after-install" => self.assesses_after_install = value.parse().ok()?,
            "superseded-offered" => self.superseded_offered = value.parse().ok()?,
            "baseline-reboots-twice" => self.baseline_reboots_twice = value.parse().ok()?,
            "dotnet-needs-reboot" => self.dotnet_needs_reboot = value.parse().ok()?,
            "graph-lag-minutes" => self.graph_lag_minutes = value.parse().ok()?,
            "graph-remote-tables" => self.graph_remote_tables = value.parse().ok()?,
            "activity-log-delay-minutes" => {
                self.activity_log_delay_minutes = value.parse().ok()?;
            }
            "tags-patch" => {
                self.tags_patch = match value {
                    "merge" => TagsPatch::Merge,
                    "replace" => TagsPatch::Replace,
                    _ => return None,
                }
            }
            "repeated-run-command-runs" => self.repeated_run_command_runs = value.parse().ok()?,
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests may unwrap
    use super::*;

    /// Gives the positions of a switch.
    fn positions(text: &'static str) -> Vec<&'static str> {
        if [MINUTES, TABLES].contains(&text) {
            return vec!["0", "1", "30"];
        }
        text.split(" or ").collect()
    }

    #[test]
    fn every_switch_can_be_set_to_every_position_by_its_name() {
        for (name, _, text) in Assumptions::default().named() {
            for position in positions(text) {
                let mut own = Assumptions::default();
                own.set(&format!("{name}={position}")).unwrap();
                for ((at, now, _), (_, before, _)) in
                    own.named().into_iter().zip(Assumptions::default().named())
                {
                    let want = if at == name { position } else { &before };
                    assert_eq!(now, want, "{at} after {name}={position}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_switch_or_position_is_refused_and_changes_nothing() {
        let cases = [
            ("graph-lag-minutes", "NAME=VALUE"),
            ("lag=1", "there are model-never-overrides-if-required, "),
            ("graph-lag-minutes=-1", "a number of minutes"),
            ("tags-patch=both", "merge or replace"),
            ("superseded-offered=yes", "true or false"),
        ];
        for (text, why) in cases {
            let mut own = Assumptions::default();
            let error = own.set(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
            assert_eq!(own, Assumptions::default());
        }
    }
}
