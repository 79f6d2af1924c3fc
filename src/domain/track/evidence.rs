//! What the facts of a machine say about its track, question by question.
//!
//! Holds the reading of assessment, install records, build and catalogue that
//! [`track`](super::track) and [`verdict`](crate::domain::due::verdict) share. Must never prove a
//! track by a build (KB5070881 and KB5070893 share 26100.6905): a build only contradicts.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::Doubt;
use crate::domain::machine::{
    Assessment, InstallRecord, InstallStatus, Machine, OfferClass, Offered, RebootBehavior,
    RebootStatus,
};
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

/// What the assessment offers of the track, less what was installed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::domain) enum Offer {
    /// Nothing.
    Nothing,
    /// The latest release.
    Release { kb: Kb, reboot: RebootBehavior },
    /// The latest release, listed as a baseline without proof, and offered as rebooting.
    InDoubt { kb: Kb },
    /// The baseline on which the latest release builds.
    Baseline { kb: Kb },
    /// An update of Windows beside the hotpatch track.
    Standard {
        kb: Kb,
        kind: StandardKind,
        date: NaiveDate,
        /// Whether the catalogue lists it; else it was concluded from the offer.
        listed: bool,
    },
    /// Something published after the latest release that the catalogue does not know.
    Newer { kb: Kb },
    /// Something that may be of the track and cannot be told.
    Unclear { kb: Kb },
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

    /// Returns the servicing stacks that the assessment offers.
    pub(in crate::domain) fn servicing_stacks(
        &self,
        assessment: &'a Assessment,
    ) -> impl Iterator<Item = Kb> {
        let stacks = |offered: &&Offered| offered.class == OfferClass::ServicingStack;
        assessment
            .offered
            .iter()
            .filter(stacks)
            .map(|offered| offered.kb)
    }

    /// Tells what a fresh assessment offers of the track.
    pub(in crate::domain) fn offer(&self, assessment: &'a Assessment) -> Offer {
        let open: Vec<&Offered> = assessment
            .offered
            .iter()
            .filter(|offered| !self.installed_since(offered.kb, assessment.at))
            .collect();
        self.listed_offer(&open)
            .unwrap_or_else(|| self.concluded_offer(&open))
    }

    fn installed_since(&self, kb: Kb, instant: DateTime<Utc>) -> bool {
        self.machine.installs.iter().any(|record| {
            record.modified >= instant && settled(record) && record.installed.contains(&kb)
        })
    }

    /// What the catalogue can name, in the order in which it is wanted.
    fn listed_offer(&self, open: &[&Offered]) -> Option<Offer> {
        let find = |kb: Option<Kb>| open.iter().find(|offered| Some(offered.kb) == kb);
        let release_kb = self
            .release
            .effective_kb()
            .or_else(|| self.standard_in_place(&self.release));
        if let Some(offered) = find(release_kb) {
            return Some(Offer::Release {
                kb: offered.kb,
                reboot: offered.reboot,
            });
        }
        if let Some(offered) = find(self.release.kb.filter(|_| self.release.kind_in_doubt())) {
            return Some(match offered.reboot {
                RebootBehavior::Never => Offer::Release {
                    kb: offered.kb,
                    reboot: offered.reboot,
                },
                RebootBehavior::CanRequest | RebootBehavior::Always => {
                    Offer::InDoubt { kb: offered.kb }
                }
                RebootBehavior::Unknown => Offer::Unclear { kb: offered.kb },
            });
        }
        let baseline_kb = self
            .baseline
            .effective_kb()
            .or_else(|| self.standard_in_place(&self.baseline));
        if let Some(offered) = find(baseline_kb) {
            return Some(Offer::Baseline { kb: offered.kb });
        }
        let standard = open
            .iter()
            .filter_map(|offered| self.catalogue.standard_update(self.os, offered.kb))
            .filter(|update| update.kind != StandardKind::Preview)
            .filter(|update| update.date > self.baseline.date)
            .max_by_key(|update| (update.date, update.kb))?;
        Some(Offer::Standard {
            kb: standard.kb,
            kind: standard.kind,
            date: standard.date,
            listed: true,
        })
    }

    /// The monthly cumulative update that is a baseline for which there is no row.
    fn standard_in_place(&self, release: &Release) -> Option<Kb> {
        if release.kb.is_some() || !release.is_baseline() {
            return None;
        }
        let published = release.published_at();
        let update = self.catalogue.latest_standard(self.os, published)?;
        let in_place = update.date == release.date && update.kind == StandardKind::Monthly;
        in_place.then_some(update.kb)
    }

    /// What can be concluded where the catalogue has no name for it: only from one single offer
    /// of a security update of Windows whose date and reboot behaviour are known.
    fn concluded_offer(&self, open: &[&Offered]) -> Offer {
        let relevant: Vec<&Offered> = open
            .iter()
            .copied()
            .filter(|offered| self.may_be_of_track(offered))
            .collect();
        let Some(first) = relevant.first() else {
            return Offer::Nothing;
        };
        let kb = first.kb;
        let newer = relevant.iter().find(|offered| {
            offered
                .published
                .is_some_and(|date| date > next_day(self.release.date))
        });
        if let Some(newer) = newer {
            return Offer::Newer { kb: newer.kb };
        }
        let unlisted = self.catalogue.standing(self.os, kb) == Standing::Unlisted;
        let nameable =
            relevant.len() == 1 && unlisted && first.class == OfferClass::OperatingSystem;
        let (true, Some(date)) = (nameable, first.published) else {
            return Offer::Unclear { kb };
        };
        self.concluded_single(kb, date, first.reboot)
            .unwrap_or(Offer::Unclear { kb })
    }

    fn concluded_single(&self, kb: Kb, date: NaiveDate, reboot: RebootBehavior) -> Option<Offer> {
        let published_with =
            |release: &Release| date == release.date || date == next_day(release.date);
        let reboots = match reboot {
            RebootBehavior::Never => false,
            RebootBehavior::CanRequest | RebootBehavior::Always => true,
            RebootBehavior::Unknown => return None,
        };
        let unnamed = self.release.effective_kb().is_none();
        if published_with(&self.release) {
            return match (self.release.is_baseline(), reboots) {
                (true, true) | (false, false) if unnamed => Some(Offer::Release { kb, reboot }),
                (false, true) => Some(Offer::Standard {
                    kb,
                    kind: StandardKind::Monthly,
                    date,
                    listed: false,
                }),
                _ => None,
            };
        }
        let baseline_unnamed = self.baseline.effective_kb().is_none();
        (published_with(&self.baseline) && reboots && baseline_unnamed)
            .then_some(Offer::Baseline { kb })
    }

    /// Tells whether an offer, not named so far, may be of the track. Previews are not.
    fn may_be_of_track(&self, offered: &Offered) -> bool {
        match self.catalogue.standing(self.os, offered.kb) {
            Standing::OnTrack | Standing::InDoubt => true,
            Standing::LeavesTrack => self
                .catalogue
                .standard_update(self.os, offered.kb)
                .is_some_and(|update| update.kind != StandardKind::Preview),
            Standing::Unlisted => {
                let class = matches!(
                    offered.class,
                    OfferClass::OperatingSystem | OfferClass::Unknown
                );
                offered.security && class
            }
        }
    }
}

fn settled(record: &InstallRecord) -> bool {
    record.status.is_final() && record.reboot.is_settled()
}

fn next_day(date: NaiveDate) -> NaiveDate {
    date.succ_opt().unwrap_or(date)
}
