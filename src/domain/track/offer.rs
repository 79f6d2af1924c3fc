//! What an assessment offers of the track: by name where the catalogue has one, else concluded.
//!
//! Must never conclude from more than one candidate, nor from one of which a fact is missing.

use chrono::{DateTime, NaiveDate, Utc};

use super::evidence::{Evidence, settled};
use crate::domain::machine::{Assessment, InstallRecord, OfferClass, Offered, RebootBehavior};
use crate::domain::release::{Kb, Release, StandardKind, Standing};

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

impl<'a> Evidence<'a> {
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
        let mut open: Vec<&Offered> = assessment
            .offered
            .iter()
            .filter(|offered| self.installed_since(offered.kb, assessment.at).is_none())
            .collect();
        open.sort_by_key(|offered| offered.kb);
        self.listed_offer(&open)
            .unwrap_or_else(|| self.concluded_offer(&open))
    }

    /// Returns the newest record that installed something offered since it was offered.
    pub(in crate::domain) fn offer_taken(
        &self,
        assessment: &'a Assessment,
    ) -> Option<&'a InstallRecord> {
        let offered = assessment.offered.iter();
        offered
            .filter_map(|offered| self.installed_since(offered.kb, assessment.at))
            .max_by_key(|record| record.modified)
    }

    fn installed_since(&self, kb: Kb, instant: DateTime<Utc>) -> Option<&'a InstallRecord> {
        self.machine.installs.iter().find(|record| {
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

fn next_day(date: NaiveDate) -> NaiveDate {
    date.succ_opt().unwrap_or(date)
}
