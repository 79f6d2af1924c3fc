//! The verdict track by track: which offer may be taken, under which rule.
//!
//! Must never make something due without a fresh assessment that shows it.

use std::collections::BTreeSet;

use chrono::{NaiveDate, TimeDelta};

use super::{
    Action, Cause, CurrentBy, Due, DueRules, Installer, LateBaseline, OffTrackRule, UnplannedRule,
    Verdict, Wait, WaitReason,
};
use crate::domain::machine::{Assessment, RebootBehavior};
use crate::domain::release::{Kb, Release, ReleaseId, ReleaseKind, StandardKind};
use crate::domain::track::evidence::{Evidence, Freshness, Reboot};
use crate::domain::track::offer::Offer;
use crate::domain::track::{ASSESSMENT_MAX, Doubt, OffTrackCause};

/// How old a release may be to which a command is pinned that settles a reboot: more than one
/// baseline back.
const PINNABLE_AGE: TimeDelta = TimeDelta::days(200);

/// One machine's evidence against its rules.
pub(super) struct Judge<'a> {
    pub(super) evidence: Evidence<'a>,
    pub(super) rules: &'a DueRules,
}

impl Judge<'_> {
    fn current_by_record(&self) -> Option<Verdict> {
        let record = self.evidence.release_record()?;
        Some(Verdict::Current {
            release: self.evidence.release.id,
            since: Some(record.modified),
            evidence: CurrentBy::Record,
        })
    }

    fn wait(&self, reason: WaitReason, message: impl Into<String>) -> Verdict {
        let wait = Wait::new(reason, message);
        let assess = reason.assessing_may_help() && self.evidence.assessing_helps();
        Verdict::Wait(Wait { assess, ..wait })
    }

    /// A record of the release outweighs a poor assessment or a build, and nothing else.
    pub(super) fn in_doubt(&self, doubt: &Doubt) -> Verdict {
        let outweighed = matches!(
            doubt,
            Doubt::NoAssessment
                | Doubt::AssessmentFromFuture
                | Doubt::AssessmentOlderThanRelease
                | Doubt::AssessmentStale
                | Doubt::OffersUnclear(_)
                | Doubt::BuildAhead
        );
        let current = self.current_by_record().filter(|_| outweighed);
        let Wait {
            reason, message, ..
        } = Wait::in_doubt(doubt);
        current.unwrap_or_else(|| self.wait(reason, message))
    }

    pub(super) fn on_track(&self) -> Verdict {
        if let Some(current) = self.current_by_record() {
            return current;
        }
        let Freshness::Fresh(assessment) = self.evidence.freshness() else {
            return self.wait(
                WaitReason::AssessmentStale,
                "its assessment is not newer than the release and 48 hours",
            );
        };
        let release = &self.evidence.release;
        match self.evidence.offer(assessment) {
            Offer::Nothing => self.nothing_offered(assessment),
            Offer::Release { kb, .. } if release.is_baseline() => self.baseline(kb),
            Offer::Release { kb, reboot } => self.hotpatch(kb, reboot),
            Offer::InDoubt { kb } => self.unplanned(kb),
            Offer::Baseline { kb } => {
                let baseline = &self.evidence.baseline;
                self.due(baseline, Action::Baseline, Cause::LateBaseline, kb)
            }
            Offer::Standard { kb, .. } => self.would_leave(kb),
            Offer::Newer { kb } => self.superseded(kb),
            Offer::Unclear { kb } => self.unclear(kb),
        }
    }

    /// Nothing of the track is offered, or what was offered is in.
    fn nothing_offered(&self, assessment: &Assessment) -> Verdict {
        let (since, evidence) = match self.evidence.offer_taken(assessment) {
            Some(record) => (record.modified, CurrentBy::Record),
            None => (assessment.at, CurrentBy::Assessment),
        };
        Verdict::Current {
            release: self.evidence.release.id,
            since: Some(since),
            evidence,
        }
    }

    fn baseline(&self, kb: Kb) -> Verdict {
        let release = &self.evidence.release;
        match release.effective_kind() {
            ReleaseKind::UnplannedBaseline => self.unplanned(kb),
            _ => self.due(release, Action::Baseline, Cause::Planned, kb),
        }
    }

    fn unplanned(&self, kb: Kb) -> Verdict {
        match self.rules.unplanned {
            UnplannedRule::NextWindow => {
                let release = &self.evidence.release;
                self.due(release, Action::Baseline, Cause::Unplanned, kb)
            }
            UnplannedRule::Approve => self.wait(
                WaitReason::UnplannedBaseline,
                format!(
                    "{kb} is a baseline that was not planned; approve {}",
                    self.release()
                ),
            ),
        }
    }

    /// A hotpatch must be offered as NeverReboots. That some report CanRequestReboot is an
    /// assumption about Azure that is not made here (design §7): the install would be dropped by
    /// `excludeKbsRequiringReboot` anyway.
    fn hotpatch(&self, kb: Kb, reboot: RebootBehavior) -> Verdict {
        if reboot != RebootBehavior::Never {
            return self.wait(
                WaitReason::HotpatchMayReboot,
                format!("{kb} is a hotpatch, and Azure does not say that it never reboots"),
            );
        }
        if self.rules.installer == Installer::Platform {
            return self.wait(
                WaitReason::PlatformInstalls,
                format!("{kb} is installed by the Azure platform in the machine's off-peak hours"),
            );
        }
        let release = &self.evidence.release;
        let cause = match release.effective_kind() {
            ReleaseKind::OobHotpatch => Cause::OutOfBand,
            _ => Cause::Planned,
        };
        self.due(release, Action::Hotpatch, cause, kb)
    }

    pub(super) fn off_track(&self, cause: OffTrackCause) -> Verdict {
        if let Some(current) = self.current_by_record() {
            return current;
        }
        let Freshness::Fresh(assessment) = self.evidence.freshness() else {
            return self.wait(
                WaitReason::AssessmentStale,
                "its assessment is not newer than the release and 48 hours",
            );
        };
        match self.evidence.offer(assessment) {
            Offer::Nothing => self.nothing_offered(assessment),
            Offer::Standard {
                kb,
                kind,
                date,
                listed,
            } => self.standard(cause, kb, kind, date, listed),
            Offer::InDoubt { kb } => self.standard(
                cause,
                kb,
                StandardKind::Monthly,
                self.evidence.release.date,
                false,
            ),
            Offer::Newer { kb } => self.superseded(kb),
            Offer::Release { kb, .. } | Offer::Baseline { kb } => self.wait(
                WaitReason::AssessmentStale,
                format!("{kb} was offered before something else was installed"),
            ),
            Offer::Unclear { kb } => self.unclear(kb),
        }
    }

    /// The standard update, with its reboot. Every rule that may apply must allow it: where no
    /// record proves why the machine is off the track, both that for machines off it and that for
    /// missed baselines; where the update was only concluded, that for unplanned baselines too.
    fn standard(
        &self,
        cause: OffTrackCause,
        kb: Kb,
        kind: StandardKind,
        date: NaiveDate,
        listed: bool,
    ) -> Verdict {
        let (off_rule, late_rule) = match cause {
            OffTrackCause::StandardUpdate(_) | OffTrackCause::Unexplained => (true, false),
            OffTrackCause::MissedBaseline => (false, true),
            OffTrackCause::Unproven if kind == StandardKind::OutOfBand => {
                return self.would_leave(kb);
            }
            OffTrackCause::Unproven => (true, true),
        };
        if off_rule && self.rules.off_track == OffTrackRule::UntilBaseline {
            return self.wait(
                WaitReason::UntilBaseline,
                format!("the machine is off the track and waits for the next baseline, not {kb}"),
            );
        }
        if late_rule && self.rules.late_baseline == LateBaseline::Hold {
            return self.wait(
                WaitReason::LateBaselineHeld,
                format!("the baseline was missed, and {kb} would replace it; the policy holds"),
            );
        }
        if !listed && self.rules.unplanned == UnplannedRule::Approve {
            return self.wait(
                WaitReason::UnplannedBaseline,
                format!(
                    "{kb} reboots in a hotpatch month; approve {}",
                    self.release()
                ),
            );
        }
        let (cause, deadline_of) = match cause {
            OffTrackCause::MissedBaseline => (Cause::LateBaseline, &self.evidence.baseline),
            _ => (Cause::OffTrack, &self.evidence.release),
        };
        let release = &self.evidence.release;
        let mut due = self.made(release, Action::Baseline, cause, kb);
        due.deadline = deadline_of.overdue_at(self.rules.deadline_days);
        due.published_until = date.max(release.date);
        Verdict::Due(due)
    }

    /// A reboot that is owed comes first, and is due only where a fresh assessment newer than the
    /// install says that it is still pending: somebody may have rebooted the machine since.
    pub(super) fn reboot_owed(&self, kb: Option<Kb>) -> Verdict {
        let evidence = &self.evidence;
        let confirmed = match evidence.reboot() {
            Reboot::Owed { confirmed, .. } => confirmed,
            Reboot::Settled | Reboot::Unclear => None,
        };
        let fresh = confirmed.filter(|at| evidence.now - *at <= ASSESSMENT_MAX);
        if fresh.is_none() {
            let wait = Wait::new(
                WaitReason::RebootUnconfirmed,
                "a reboot is owed, and no assessment since shows that it is still pending",
            );
            return Verdict::Wait(Wait {
                assess: true,
                ..wait
            });
        }
        let Some(kb) = kb.or_else(|| self.installed_kb()) else {
            return self.wait(
                WaitReason::RebootWithoutKb,
                "the guest waits for a reboot, and no update is known to which a command could \
                 be pinned; restart it in a window",
            );
        };
        let release = &evidence.release;
        self.due(release, Action::Baseline, Cause::RebootOwed, kb)
    }

    /// A KB that is on the machine by record, or an older release that is not offered to it, so
    /// that an install pinned to it installs nothing and only settles the reboot.
    fn installed_kb(&self) -> Option<Kb> {
        let evidence = &self.evidence;
        let assessment = evidence.machine.assessment.as_ref()?;
        let recorded = evidence
            .machine
            .installs
            .iter()
            .flat_map(|r| r.installed.iter().copied());
        let from = assessment.at - PINNABLE_AGE;
        let older = evidence.catalogue.between(evidence.os, from, assessment.at);
        let older = older.iter().rev().filter_map(Release::effective_kb);
        recorded.chain(older).find(|kb| !assessment.offers(kb))
    }

    fn due(&self, release: &Release, action: Action, cause: Cause, kb: Kb) -> Verdict {
        Verdict::Due(self.made(release, action, cause, kb))
    }

    fn made(&self, release: &Release, action: Action, cause: Cause, kb: Kb) -> Due {
        let stacks = match self.evidence.freshness() {
            Freshness::Fresh(assessment) if cause != Cause::RebootOwed => {
                self.evidence.servicing_stacks(assessment).collect()
            }
            _ => BTreeSet::new(),
        };
        Due {
            release: release.id,
            action,
            cause,
            kbs: stacks.into_iter().chain([kb]).collect(),
            published_until: release.date,
            deadline: release.overdue_at(self.rules.deadline_days),
        }
    }

    fn would_leave(&self, kb: Kb) -> Verdict {
        self.wait(
            WaitReason::WouldLeaveTrack,
            format!("{kb} is offered, and installing it would take the machine off the track"),
        )
    }

    fn superseded(&self, kb: Kb) -> Verdict {
        self.wait(
            WaitReason::Superseded,
            format!(
                "{kb} is offered and newer than {}; add it to the catalogue",
                self.release()
            ),
        )
    }

    fn unclear(&self, kb: Kb) -> Verdict {
        self.wait(
            WaitReason::ReleaseNotOffered,
            format!(
                "{} is not offered, but {kb} is, of which nothing is known",
                self.release()
            ),
        )
    }

    fn release(&self) -> ReleaseId {
        self.evidence.release.id
    }
}
