//! What the facts of a machine say about its track, question by question.
//!
//! Holds the reading of assessment, install records, build and catalogue that
//! [`track`](super::track) and [`verdict`](crate::domain::due::verdict) share. Must never prove a
//! track by a build (KB5070881 and KB5070893 share 26100.6905): a build only contradicts.

use chrono::{DateTime, TimeDelta, Utc};

use super::Doubt;
use crate::domain::machine::{Assessment, InstallRecord, InstallStatus, Machine, RebootStatus};
use crate::domain::release::{
    Catalogue, Kb, OsTrack, Release, StandardKind, StandardUpdate, Standing,
};

/// The oldest assessment on which anything is commanded.
pub const ASSESSMENT_MAX: TimeDelta = TimeDelta::hours(48);

/// How long after a publication Azure's own assessment is waited for: it assesses every 24 h
/// (azure.md §1.1) and takes a while.
pub const ASSESSMENT_PATIENCE: TimeDelta = TimeDelta::hours(26);

/// How long an install without an end is believed to run: longer than the latest late effect on
/// an Arc machine (7 h), and than any maximumDuration.
pub const INSTALL_SILENT_MAX: TimeDelta = TimeDelta::hours(12);

/// How far in the future an assessment may lie before it is disbelieved.
pub const SKEW_MAX: TimeDelta = TimeDelta::minutes(5);

/// How good the last assessment is for judging the latest release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain) enum Freshness<'a> {
    Absent,
    FromFuture,
    OlderThanRelease,
    Stale,
    Fresh(&'a Assessment),
}

/// What became of the reboots that installs asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::domain) enum Reboot<'a> {
    Settled,
    Owed {
        record: Option<&'a InstallRecord>,
        /// The newest assessment that says so, where it is newer than the record.
        confirmed: Option<DateTime<Utc>>,
    },
    Unclear,
}

/// The facts of one machine against the catalogue at one instant.
#[derive(Clone, Debug)]
pub(in crate::domain) struct Evidence<'a> {
    pub(in crate::domain) machine: &'a Machine,
    pub(in crate::domain) catalogue: &'a Catalogue,
    pub(in crate::domain) os: OsTrack,
    pub(in crate::domain) now: DateTime<Utc>,
    /// The latest release that may be acted upon.
    pub(in crate::domain) release: Release,
    /// The baseline it builds on; itself, where it is one.
    pub(in crate::domain) baseline: Release,
}

impl<'a> Evidence<'a> {
    /// Gathers the evidence; none where no release of the machine's track is published.
    pub(in crate::domain) fn gather(
        machine: &'a Machine,
        catalogue: &'a Catalogue,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let os = super::os_track(machine)?;
        let release = catalogue.latest_effective(os, now)?;
        let baseline = catalogue.baseline_of(&release)?;
        Some(Self {
            machine,
            catalogue,
            os,
            now,
            release,
            baseline,
        })
    }

    /// Tells how good the last assessment is.
    pub(in crate::domain) fn freshness(&self) -> Freshness<'a> {
        let Some(assessment) = &self.machine.assessment else {
            return Freshness::Absent;
        };
        if assessment.at > self.now + SKEW_MAX {
            Freshness::FromFuture
        } else if assessment.at < self.release.published_at() {
            Freshness::OlderThanRelease
        } else if self.now - assessment.at > ASSESSMENT_MAX {
            Freshness::Stale
        } else {
            Freshness::Fresh(assessment)
        }
    }

    /// Tells whether asking for an assessment would help: there is none, it is too old, or Azure's
    /// own one has had its time since the release was published and has not come.
    pub(in crate::domain) fn assessing_helps(&self) -> bool {
        let Some(assessment) = &self.machine.assessment else {
            return true;
        };
        let due = self.release.published_at() + ASSESSMENT_PATIENCE;
        self.now - assessment.at > ASSESSMENT_MAX || (assessment.at < due && self.now >= due)
    }

    /// Tells whether an install runs, or has vanished without a word.
    pub(in crate::domain) fn install_doubt(&self) -> Option<Doubt> {
        let record = self.machine.last_install()?;
        let doubt = match record.status {
            InstallStatus::InProgress => Doubt::InstallInProgress,
            InstallStatus::Unknown => Doubt::InstallUnclear,
            InstallStatus::Succeeded | InstallStatus::Warnings | InstallStatus::Failed => {
                return None;
            }
        };
        let silent = self.now - record.modified > INSTALL_SILENT_MAX;
        let judged_since = self.assessed_since(record.modified).is_some();
        (!(silent && judged_since)).then_some(doubt)
    }

    fn assessed_since(&self, instant: DateTime<Utc>) -> Option<&'a Assessment> {
        let assessment = self.machine.assessment.as_ref()?;
        (assessment.at > instant && assessment.at <= self.now + SKEW_MAX).then_some(assessment)
    }

    /// Tells whether a reboot is owed. Of an install record and an assessment, the newer speaks.
    pub(in crate::domain) fn reboot(&self) -> Reboot<'a> {
        let machine = self.machine;
        let completed = |record: &&InstallRecord| record.reboot == RebootStatus::Completed;
        let unsettled = machine
            .installs
            .iter()
            .take_while(|record| !completed(record))
            .find(|record| !record.reboot.is_settled());
        if let Some(record) = unsettled {
            return match self.assessed_since(record.modified) {
                Some(assessment) if assessment.reboot_pending => Reboot::Owed {
                    record: Some(record),
                    confirmed: Some(assessment.at),
                },
                Some(_) => Reboot::Settled,
                None if record.reboot == RebootStatus::Unknown => Reboot::Unclear,
                None => Reboot::Owed {
                    record: Some(record),
                    confirmed: None,
                },
            };
        }
        let last_reboot = machine.installs.iter().find(completed).map(|r| r.modified);
        let since = last_reboot.unwrap_or(DateTime::<Utc>::MIN_UTC);
        match self.assessed_since(since) {
            Some(assessment) if assessment.reboot_pending => Reboot::Owed {
                record: None,
                confirmed: Some(assessment.at),
            },
            _ => Reboot::Settled,
        }
    }

    /// Returns the record that proves the latest release, or a cumulative update at least as new,
    /// installed with its reboot settled.
    pub(in crate::domain) fn release_record(&self) -> Option<&'a InstallRecord> {
        let contains_release = |kb: &Kb| {
            let newer = |update: &StandardUpdate| {
                update.kind != StandardKind::Preview && update.date >= self.release.date
            };
            self.release.kb == Some(*kb)
                || self
                    .catalogue
                    .standard_update(self.os, *kb)
                    .is_some_and(newer)
        };
        self.machine
            .installs
            .iter()
            .find(|record| settled(record) && record.installed.iter().any(contains_release))
    }

    /// Tells whether a record proves the baseline: itself, or a hotpatch that builds on it.
    pub(in crate::domain) fn proves_baseline(&self) -> bool {
        let builds_on_it = |kb: &Kb| {
            self.catalogue
                .release_by_kb(self.os, *kb)
                .is_some_and(|release| {
                    release.id >= self.baseline.id
                        && !release.kind_in_doubt()
                        && (release.id == self.baseline.id || !release.is_baseline())
                })
        };
        let mut settled = self
            .machine
            .installs
            .iter()
            .filter(|record| settled(record));
        settled.any(|record| record.installed.iter().any(builds_on_it))
    }

    /// Returns the update that took the machine off the track since its baseline, and when.
    pub(in crate::domain) fn left_by(&self) -> Option<(Kb, DateTime<Utc>)> {
        let leaves = |kb: &&Kb| {
            let update = self.catalogue.standard_update(self.os, **kb);
            update.is_some_and(|update| update.date > self.baseline.date)
                && self.catalogue.standing(self.os, **kb) == Standing::LeavesTrack
        };
        let mut records = self.machine.installs.iter();
        records.find_map(|record| {
            let kb = record.installed.iter().find(leaves)?;
            Some((*kb, record.modified))
        })
    }

    /// Tells whether the machine left the track after its last assessment.
    pub(in crate::domain) fn left_since_assessed(&self) -> bool {
        let assessed = self
            .machine
            .assessment
            .as_ref()
            .map(|assessment| assessment.at);
        self.left_by()
            .is_some_and(|(_, since)| Some(since) >= assessed)
    }

    /// Returns the release that a record says is installed and a newer assessment offers again.
    pub(in crate::domain) fn offered_again(&self) -> Option<Kb> {
        let ours = [self.release.kb, self.baseline.kb];
        ours.into_iter().flatten().find(|kb| {
            let record = self.machine.install_of(kb);
            let assessment = record.and_then(|record| self.assessed_since(record.modified));
            assessment.is_some_and(|assessment| assessment.offers(kb))
        })
    }

    /// Tells whether the build is known to be older than the baseline's. Builds only grow, and a
    /// stale one is older than the real one, so this alone permits nothing.
    pub(in crate::domain) fn build_before_baseline(&self) -> bool {
        matches!((self.machine.build, self.baseline.build), (Some(own), Some(baseline))
            if own.build() == baseline.build() && own < baseline)
    }

    /// Tells whether the build is newer than the latest release gives: something else is installed.
    pub(in crate::domain) fn build_ahead(&self) -> bool {
        matches!((self.machine.build, self.release.build), (Some(own), Some(latest))
            if own.build() == latest.build() && own > latest)
    }
}

pub(super) fn settled(record: &InstallRecord) -> bool {
    record.status.is_final() && record.reboot.is_settled()
}
