//! The cases: one machine at one instant each, with the track and the verdict expected of it.
//!
//! Releases are those of the embedded catalogue.

use crate::domain::due::{DueRules, Installer, LateBaseline, OffTrackRule, UnplannedRule};
use crate::domain::machine::{
    ArcFacts, Connection, Edition, Facts, Generation, Image, InstallStatus, Licence, OfferClass,
    PatchMode, Product, RebootBehavior as Behaves, RebootStatus as Reboots, ScaleSet,
};
use crate::domain::track::fixture::{Builder, arc, at, local, vm};

pub(super) const RULES: DueRules = DueRules {
    deadline_days: 21,
    late_baseline: LateBaseline::LatestCumulative,
    off_track: OffTrackRule::NextWindow,
    unplanned: UnplannedRule::NextWindow,
    installer: Installer::Operator,
};

const HOLD: DueRules = DueRules {
    late_baseline: LateBaseline::Hold,
    ..RULES
};

const UNTIL_BASELINE: DueRules = DueRules {
    off_track: OffTrackRule::UntilBaseline,
    ..RULES
};

const APPROVE: DueRules = DueRules {
    unplanned: UnplannedRule::Approve,
    ..RULES
};

const PLATFORM: DueRules = DueRules {
    installer: Installer::Platform,
    ..RULES
};

/// One machine at one instant, and what is to be said of it.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) now: &'static str,
    pub(super) builder: Builder,
    pub(super) rules: DueRules,
    pub(super) track: &'static str,
    pub(super) verdict: &'static str,
}

fn case(
    name: &'static str,
    now: &'static str,
    builder: Builder,
    track: &'static str,
    verdict: &'static str,
) -> Case {
    Case {
        name,
        now,
        builder,
        rules: RULES,
        track,
        verdict,
    }
}

impl Case {
    fn rules(self, rules: DueRules) -> Self {
        Self { rules, ..self }
    }
}

// February 2026, WS2025: hotpatch KB5075942 of the 10th on the baseline KB5073379 of 13 January
// (26100.32230); beside the track, KB5075899 (26100.32370).
pub(super) const FEB: &str = "2026-02-12";
pub(super) const FEB_ASSESSED: &str = "2026-02-12T06:00:00Z";
const ON_JANUARY: &str = "OnTrack ws2025-2026-01-13";
const HOTPATCH_DUE: &str =
    "Hotpatch Planned ws2025-2026-02-10 KB5075942 until 2026-02-10 by 2026-03-03";

pub(super) fn february() -> Builder {
    vm("web-1").assessed(FEB_ASSESSED)
}

fn hotpatch_months() -> Vec<Case> {
    let offered = || february().offered("KB5075942", Behaves::Never);
    let off_peak = "wait PlatformInstalls";
    vec![
        case("hotpatch offered", FEB, offered(), ON_JANUARY, HOTPATCH_DUE),
        case("on arc", FEB, of_arc(arc("a")), ON_JANUARY, HOTPATCH_DUE),
        case(
            "on azure local",
            FEB,
            of_arc(local("l")),
            ON_JANUARY,
            HOTPATCH_DUE,
        ),
        case(
            "the platform installs",
            FEB,
            offered(),
            ON_JANUARY,
            off_peak,
        )
        .rules(PLATFORM),
        case(
            "hotpatch that may reboot",
            FEB,
            february().offered("KB5075942", Behaves::CanRequest),
            ON_JANUARY,
            "wait HotpatchMayReboot",
        ),
        case(
            "hotpatch of which the reboot is untold",
            FEB,
            february().offered("KB5075942", Behaves::Unknown),
            ON_JANUARY,
            "wait HotpatchMayReboot",
        ),
        case(
            "a servicing stack rides along",
            FEB,
            offered()
                .offered("KB5070000", Behaves::Never)
                .class(OfferClass::ServicingStack),
            ON_JANUARY,
            "Hotpatch Planned ws2025-2026-02-10 KB5070000+KB5075942 until 2026-02-10 by 2026-03-03",
        ),
        case(
            "installed, assessed before",
            FEB,
            offered().installed("KB5075942", "2026-02-12T08:00:00Z", Reboots::NotNeeded),
            ON_JANUARY,
            "current ws2025-2026-02-10 by Record",
        ),
        case(
            "installed, never assessed",
            FEB,
            vm("web-1").installed("KB5075942", "2026-02-11", Reboots::Completed),
            ON_JANUARY,
            "current ws2025-2026-02-10 by Record",
        ),
        case(
            "nothing offered",
            FEB,
            february(),
            ON_JANUARY,
            "current ws2025-2026-02-10 by Assessment",
        ),
        case(
            "only other things offered",
            FEB,
            february()
                .offered("KB5300001", Behaves::CanRequest)
                .class(OfferClass::DotNet)
                .offered("KB5300002", Behaves::Always)
                .class(OfferClass::Driver),
            ON_JANUARY,
            "current ws2025-2026-02-10 by Assessment",
        ),
        case(
            "something offered of which nothing is known",
            FEB,
            february()
                .offered("KB5300001", Behaves::CanRequest)
                .class(OfferClass::Unknown),
            "Unknown OffersUnclear",
            "wait ReleaseNotOffered assess",
        )
        .at("2026-02-12T06:00:00Z", "2026-02-11T12:00:00Z"),
        case(
            "an install that failed leaves it due",
            FEB,
            offered().install(
                "2026-02-12T07:00:00Z",
                InstallStatus::Failed,
                Reboots::NotNeeded,
                &[],
            ),
            ON_JANUARY,
            HOTPATCH_DUE,
        ),
    ]
}

impl Case {
    /// Moves now and the assessment.
    fn at(mut self, now: &'static str, assessed: &str) -> Self {
        let moved = at(assessed);
        self.now = now;
        self.builder = self.builder.with(|machine| {
            machine.assessment.as_mut().unwrap().at = moved;
        });
        self
    }
}

fn of_arc(builder: Builder) -> Builder {
    builder
        .assessed(FEB_ASSESSED)
        .offered("KB5075942", Behaves::Never)
}

fn poor_assessments() -> Vec<Case> {
    let older = "Unknown AssessmentOlderThanRelease";
    vec![
        case(
            "none",
            FEB,
            vm("web-1"),
            "Unknown NoAssessment",
            "wait NoAssessment assess",
        ),
        case(
            "older than the release, Azure's own still to come",
            "2026-02-11T19:59:00Z",
            vm("web-1")
                .assessed("2026-02-10T17:00:00Z")
                .offered("KB5075942", Behaves::Never),
            older,
            "wait AssessmentOlderThanRelease",
        ),
        case(
            "older than the release, Azure's own overdue",
            "2026-02-11T20:01:00Z",
            vm("web-1")
                .assessed("2026-02-10T17:00:00Z")
                .offered("KB5075942", Behaves::Never),
            older,
            "wait AssessmentOlderThanRelease assess",
        ),
        case(
            "too old by a minute",
            "2026-02-14T06:01:00Z",
            february().offered("KB5075942", Behaves::Never),
            "Unknown AssessmentStale",
            "wait AssessmentStale assess",
        ),
        case(
            "just young enough",
            "2026-02-14T06:00:00Z",
            february().offered("KB5075942", Behaves::Never),
            ON_JANUARY,
            HOTPATCH_DUE,
        ),
        case(
            "from the future",
            "2026-02-12T05:54:00Z",
            february().offered("KB5075942", Behaves::Never),
            "Unknown AssessmentFromFuture",
            "wait AssessmentFromFuture",
        ),
    ]
}

// January 2026, WS2025: baseline KB5073379; out of band, beside the track, KB5077793 of the 17th.
const JAN: &str = "2026-01-20";
const BASELINE_DUE: &str =
    "Baseline Planned ws2025-2026-01-13 KB5073379 until 2026-01-13 by 2026-02-03";

fn january() -> Builder {
    vm("web-1").assessed("2026-01-20T06:00:00Z")
}

fn baseline_months() -> Vec<Case> {
    let offered = || january().offered("KB5073379", Behaves::CanRequest);
    let due = "BaselineDue ws2025-2026-01-13";
    vec![
        case("baseline offered", JAN, offered(), due, BASELINE_DUE),
        case(
            "baseline, whoever installs hotpatches",
            JAN,
            offered(),
            due,
            BASELINE_DUE,
        )
        .rules(PLATFORM),
        case(
            "baseline of which the reboot is untold",
            JAN,
            january().offered("KB5073379", Behaves::Unknown),
            due,
            BASELINE_DUE,
        ),
        case(
            "baseline done",
            JAN,
            offered().installed("KB5073379", "2026-01-20T08:00:00Z", Reboots::Completed),
            ON_JANUARY,
            "current ws2025-2026-01-13 by Record",
        ),
        case(
            "beside the track since the baseline",
            JAN,
            january().installed("KB5077793", "2026-01-19", Reboots::Completed),
            "OffTrack StandardUpdate(Kb(5077793)) until 2026-04-14 offered nothing",
            "current ws2025-2026-01-13 by Record",
        ),
        case(
            "baseline replaced by what leaves the track",
            JAN,
            january().offered("KB5077793", Behaves::CanRequest),
            "OffTrack Unproven until 2026-04-14 offered KB5077793",
            "wait WouldLeaveTrack",
        ),
        case(
            "baseline missed for sure and replaced",
            JAN,
            january()
                .offered("KB5077793", Behaves::CanRequest)
                .build("26100.7392"),
            "OffTrack MissedBaseline until 2026-04-14 offered KB5077793",
            "Baseline LateBaseline ws2025-2026-01-13 KB5077793 until 2026-01-17 by 2026-02-03",
        ),
        case(
            "an unplanned baseline",
            "2024-08-15",
            unplanned(),
            "BaselineDue ws2022-2024-08-13",
            "Baseline Unplanned ws2022-2024-08-13 KB5041160 until 2024-08-13 by 2024-09-03",
        ),
        case(
            "an unplanned baseline not yet approved",
            "2024-08-15",
            unplanned(),
            "BaselineDue ws2022-2024-08-13",
            "wait UnplannedBaseline",
        )
        .rules(APPROVE),
    ]
}

fn unplanned() -> Builder {
    vm("web-1")
        .ws2022()
        .assessed("2024-08-15T06:00:00Z")
        .offered("KB5041160", Behaves::Always)
}

fn owed_reboots() -> Vec<Case> {
    let required = || vm("web-1").installed("KB5073379", "2026-01-18", Reboots::Required);
    let owed = "RebootOwed KB5073379 activity-1";
    let due = "Baseline RebootOwed ws2025-2026-01-13 KB5073379 until 2026-01-13 by 2026-02-03";
    let assessed = "2026-01-20T06:00:00Z";
    vec![
        case(
            "owed by record",
            JAN,
            required(),
            owed,
            "wait RebootUnconfirmed assess",
        ),
        case(
            "owed, confirmed",
            JAN,
            required().assessed(assessed).pending(),
            owed,
            due,
        ),
        case(
            "owed, confirmed too long ago",
            "2026-01-22T06:01:00Z",
            required().assessed(assessed).pending(),
            owed,
            "wait RebootUnconfirmed assess",
        ),
        case(
            "owed, and rebooted by somebody since",
            JAN,
            required().assessed(assessed),
            ON_JANUARY,
            "current ws2025-2026-01-13 by Assessment",
        ),
        case(
            "owed, and settled by a later install",
            JAN,
            required().installed("KB5300009", "2026-01-19", Reboots::Completed),
            "Unknown NoAssessment",
            "wait NoAssessment assess",
        ),
        case(
            "a reboot that did not come about",
            JAN,
            vm("web-1")
                .installed("KB5073379", "2026-01-18", Reboots::Failed)
                .assessed(assessed)
                .pending(),
            owed,
            due,
        ),
        case(
            "pending in the guest, nobody knows why, nothing offered",
            JAN,
            january().pending(),
            "RebootOwed unknown guest",
            due,
        ),
        case(
            "pending in the guest before the baseline goes in: pinned to what is there",
            JAN,
            january().offered("KB5073379", Behaves::Always).pending(),
            "RebootOwed unknown guest",
            "Baseline RebootOwed ws2025-2026-01-13 KB5072014 until 2026-01-13 by 2026-02-03",
        ),
        case(
            "pending before the last reboot",
            JAN,
            january()
                .pending()
                .installed("KB5073379", "2026-01-20T08:00:00Z", Reboots::Completed),
            ON_JANUARY,
            "current ws2025-2026-01-13 by Record",
        ),
        case(
            "pending although an install needed none",
            JAN,
            january()
                .pending()
                .installed("KB5073379", "2026-01-20T08:00:00Z", Reboots::NotNeeded),
            "RebootOwed unknown guest",
            due,
        ),
        case(
            "reboot untold",
            JAN,
            vm("web-1").installed("KB5073379", "2026-01-18", Reboots::Unknown),
            "Unknown RebootUnclear",
            "wait RebootUnclear assess",
        ),
    ]
}

fn installs_under_way() -> Vec<Case> {
    let install = |status, when| {
        january().offered("KB5073379", Behaves::Always).install(
            when,
            status,
            Reboots::NotNeeded,
            &[],
        )
    };
    let due = "BaselineDue ws2025-2026-01-13";
    vec![
        case(
            "running",
            JAN,
            install(InstallStatus::InProgress, "2026-01-20T11:00:00Z"),
            "Unknown InstallInProgress",
            "wait InstallInProgress",
        ),
        case(
            "running, so a record of the release says nothing yet",
            JAN,
            install(InstallStatus::InProgress, "2026-01-20T11:00:00Z").with(|machine| {
                machine.installs[0].installed = vec!["KB5073379".parse().unwrap()];
            }),
            "Unknown InstallInProgress",
            "wait InstallInProgress",
        ),
        case(
            "ended nobody knows how",
            JAN,
            install(InstallStatus::Unknown, "2026-01-20T05:00:00Z"),
            "Unknown InstallUnclear",
            "wait InstallUnclear",
        ),
        case(
            "silent for long, and assessed since",
            JAN,
            install(InstallStatus::InProgress, "2026-01-19T23:00:00Z"),
            due,
            BASELINE_DUE,
        ),
        case(
            "silent for long, and not assessed since",
            "2026-01-21",
            install(InstallStatus::InProgress, "2026-01-20T07:00:00Z"),
            "Unknown InstallInProgress",
            "wait InstallInProgress",
        ),
    ]
}

fn off_track() -> Vec<Case> {
    let lcu = || february().offered("KB5075899", Behaves::CanRequest);
    let with_baseline = || lcu().installed("KB5073379", "2026-01-24", Reboots::Completed);
    let missed = || lcu().build("26100.7392");
    let unexplained = "OffTrack Unexplained until 2026-04-14 offered KB5075899";
    let unproven = "OffTrack Unproven until 2026-04-14 offered KB5075899";
    let missed_line = "OffTrack MissedBaseline until 2026-04-14 offered KB5075899";
    let due = "Baseline OffTrack ws2025-2026-02-10 KB5075899 until 2026-02-10 by 2026-03-03";
    let late = "Baseline LateBaseline ws2025-2026-02-10 KB5075899 until 2026-02-10 by 2026-02-03";
    vec![
        case("has the baseline", FEB, with_baseline(), unexplained, due),
        case("has the baseline", FEB, with_baseline(), unexplained, due).rules(HOLD),
        case(
            "has the baseline",
            FEB,
            with_baseline(),
            unexplained,
            "wait UntilBaseline",
        )
        .rules(UNTIL_BASELINE),
        case("no record", FEB, lcu(), unproven, due),
        case("no record", FEB, lcu(), unproven, "wait UntilBaseline").rules(UNTIL_BASELINE),
        case("no record", FEB, lcu(), unproven, "wait LateBaselineHeld").rules(HOLD),
        case("missed", FEB, missed(), missed_line, late),
        case("missed", FEB, missed(), missed_line, late).rules(UNTIL_BASELINE),
        case(
            "missed",
            FEB,
            missed(),
            missed_line,
            "wait LateBaselineHeld",
        )
        .rules(HOLD),
        case(
            "the late baseline itself is still offered",
            FEB,
            lcu().offered("KB5073379", Behaves::Always),
            "BaselineDue ws2025-2026-01-13",
            "Baseline LateBaseline ws2025-2026-01-13 KB5073379 until 2026-01-13 by 2026-02-03",
        )
        .rules(HOLD),
        case(
            "the standard update is in",
            FEB,
            lcu().installed("KB5075899", "2026-02-12T09:00:00Z", Reboots::Completed),
            "OffTrack StandardUpdate(Kb(5075899)) until 2026-04-14 offered nothing",
            "current ws2025-2026-02-10 by Record",
        ),
        case(
            "build ahead of the hotpatch",
            FEB,
            february().build("26100.32370"),
            "Unknown BuildAhead",
            "wait BuildAhead",
        ),
        case(
            "build ahead of the hotpatch, which a record shows",
            FEB,
            february().build("26100.32370").installed(
                "KB5075942",
                "2026-02-11",
                Reboots::NotNeeded,
            ),
            "Unknown BuildAhead",
            "current ws2025-2026-02-10 by Record",
        ),
        case(
            "build of the hotpatch",
            FEB,
            february().build("26100.32313"),
            ON_JANUARY,
            "current ws2025-2026-02-10 by Assessment",
        ),
    ]
}

// October and November 2025, WS2025: baseline KB5066835 of 14 October; KB5070881 of the 23rd leaves
// the track and KB5070893 of the 24th keeps it, both with build 26100.6905; hotpatch KB5068966 and
// standard update KB5068861 of 11 November.
fn the_twins_of_october() -> Vec<Case> {
    let baseline = || vm("web-1").installed("KB5066835", "2025-10-18", Reboots::Completed);
    let assessed = || baseline().assessed("2025-10-25T06:00:00Z");
    let left = || baseline().installed("KB5070881", "2025-10-25", Reboots::Completed);
    let on_october = "OnTrack ws2025-2025-10-14";
    vec![
        case(
            "the one that keeps the track",
            "2025-10-25",
            assessed().offered("KB5070893", Behaves::Never),
            on_october,
            "Hotpatch OutOfBand ws2025-2025-10-24 KB5070893 until 2025-10-24 by 2025-11-14",
        ),
        case(
            "the one that leaves it is offered and not taken",
            "2025-10-25",
            assessed().offered("KB5070881", Behaves::CanRequest),
            on_october,
            "wait WouldLeaveTrack",
        ),
        case(
            "both are offered",
            "2025-10-25",
            assessed()
                .offered("KB5070881", Behaves::CanRequest)
                .offered("KB5070893", Behaves::Never),
            on_october,
            "Hotpatch OutOfBand ws2025-2025-10-24 KB5070893 until 2025-10-24 by 2025-11-14",
        ),
        case(
            "the one that keeps the track is in, same build",
            "2025-10-28",
            baseline()
                .installed("KB5070893", "2025-10-25", Reboots::NotNeeded)
                .build("26100.6905"),
            on_october,
            "current ws2025-2025-10-24 by Record",
        ),
        case(
            "the one that leaves it is in, same build",
            "2025-11-13",
            left()
                .build("26100.6905")
                .assessed("2025-11-13T06:00:00Z")
                .offered("KB5068861", Behaves::CanRequest),
            "OffTrack StandardUpdate(Kb(5070881)) until 2026-01-13 offered KB5068861",
            "Baseline OffTrack ws2025-2025-11-11 KB5068861 until 2025-11-11 by 2025-12-02",
        ),
        case(
            "the one that leaves it is in, and the policy waits",
            "2025-11-13",
            left()
                .assessed("2025-11-13T06:00:00Z")
                .offered("KB5068861", Behaves::CanRequest),
            "OffTrack StandardUpdate(Kb(5070881)) until 2026-01-13 offered KB5068861",
            "wait UntilBaseline",
        )
        .rules(UNTIL_BASELINE),
        case(
            "the hotpatch was offered before it left",
            "2025-10-25T20:00:00Z",
            assessed().offered("KB5070893", Behaves::Never).installed(
                "KB5070881",
                "2025-10-25",
                Reboots::Completed,
            ),
            "OffTrack StandardUpdate(Kb(5070881)) until 2026-01-13 offered nothing",
            "wait AssessmentStale assess",
        ),
        case(
            "left, and nothing is offered",
            "2025-10-28",
            left().assessed("2025-10-28T06:00:00Z"),
            "OffTrack StandardUpdate(Kb(5070881)) until 2026-01-13 offered nothing",
            "current ws2025-2025-10-24 by Assessment",
        ),
        case(
            "back on the track with the next baseline",
            JAN,
            vm("web-1")
                .installed("KB5072359", "2025-12-29", Reboots::Completed)
                .installed("KB5073379", "2026-01-18", Reboots::Completed),
            ON_JANUARY,
            "current ws2025-2026-01-13 by Record",
        ),
    ]
}

// June 2026 is listed as an unplanned baseline KB5094125 without proof. September to November 2026
// have no rows: the rule makes October a baseline and the others hotpatches.
fn months_in_doubt() -> Vec<Case> {
    let june = |behaves| {
        vm("web-1")
            .assessed("2026-06-11T06:00:00Z")
            .offered("KB5094125", behaves)
    };
    let november = |day, behaves| {
        vm("web-1")
            .assessed("2026-11-12T06:00:00Z")
            .offered("KB5200001", behaves)
            .published(day)
    };
    let on_april = "OnTrack ws2025-2026-04-14";
    let off_november = "OffTrack Unproven until 2027-01-12 offered KB5200001";
    let unclear = "Unknown OffersUnclear";
    vec![
        case(
            "june, offered as rebooting",
            "2026-06-11",
            june(Behaves::CanRequest),
            "BaselineDue ws2025-2026-06-09",
            "Baseline Unplanned ws2025-2026-06-09 KB5094125 until 2026-06-09 by 2026-06-30",
        ),
        case(
            "june, offered as rebooting, not approved",
            "2026-06-11",
            june(Behaves::Always),
            "BaselineDue ws2025-2026-06-09",
            "wait UnplannedBaseline",
        )
        .rules(APPROVE),
        case(
            "june, offered as a hotpatch",
            "2026-06-11",
            june(Behaves::Never),
            on_april,
            "Hotpatch Planned ws2025-2026-06-09 KB5094125 until 2026-06-09 by 2026-06-30",
        ),
        case(
            "june, reboot untold",
            "2026-06-11",
            june(Behaves::Unknown),
            unclear,
            "wait ReleaseNotOffered",
        ),
        case(
            "june, a hotpatch nobody listed",
            "2026-06-11",
            vm("web-1")
                .assessed("2026-06-11T06:00:00Z")
                .offered("KB5094999", Behaves::Never)
                .published("2026-06-09"),
            on_april,
            "Hotpatch Planned ws2025-2026-06-09 KB5094999 until 2026-06-09 by 2026-06-30",
        ),
        case(
            "june, installed",
            "2026-06-11",
            vm("web-1").installed("KB5094125", "2026-06-10", Reboots::Completed),
            on_april,
            "current ws2025-2026-06-09 by Record",
        ),
        case(
            "september, the standard update is listed",
            "2026-09-10",
            vm("web-1")
                .assessed("2026-09-10T06:00:00Z")
                .offered("KB5122871", Behaves::CanRequest),
            "OffTrack Unproven until 2026-10-13 offered KB5122871",
            "Baseline OffTrack ws2025-2026-09-08 KB5122871 until 2026-09-08 by 2026-09-29",
        ),
        case(
            "october, the baseline by rule",
            "2026-10-15",
            vm("web-1")
                .assessed("2026-10-15T06:00:00Z")
                .offered("KB5200000", Behaves::CanRequest)
                .published("2026-10-13"),
            "BaselineDue ws2025-2026-10-13",
            "Baseline Planned ws2025-2026-10-13 KB5200000 until 2026-10-13 by 2026-11-03",
        ),
        case(
            "october, something that never reboots is no baseline",
            "2026-10-15",
            vm("web-1")
                .assessed("2026-10-15T06:00:00Z")
                .offered("KB5200000", Behaves::Never)
                .published("2026-10-13"),
            unclear,
            "wait ReleaseNotOffered assess",
        )
        .at("2026-10-15", "2026-10-14T06:00:00Z"),
        case(
            "november, the hotpatch by rule",
            "2026-11-12",
            november("2026-11-10", Behaves::Never),
            "OnTrack ws2025-2026-10-13",
            "Hotpatch Planned ws2025-2026-11-10 KB5200001 until 2026-11-10 by 2026-12-01",
        ),
        case(
            "november, done",
            "2026-11-12",
            november("2026-11-10", Behaves::Never).installed(
                "KB5200001",
                "2026-11-12T08:00:00Z",
                Reboots::NotNeeded,
            ),
            "OnTrack ws2025-2026-10-13",
            "current ws2025-2026-11-10 by Record",
        ),
        case(
            "november, rebooting",
            "2026-11-12",
            november("2026-11-11", Behaves::CanRequest),
            off_november,
            "Baseline OffTrack ws2025-2026-11-10 KB5200001 until 2026-11-11 by 2026-12-01",
        ),
        case(
            "november, rebooting, not approved",
            "2026-11-12",
            november("2026-11-10", Behaves::CanRequest),
            off_november,
            "wait UnplannedBaseline",
        )
        .rules(APPROVE),
        case(
            "november, the baseline of october by its date",
            "2026-11-12",
            november("2026-10-13", Behaves::Always),
            "BaselineDue ws2025-2026-10-13",
            "Baseline LateBaseline ws2025-2026-10-13 KB5200001 until 2026-10-13 by 2026-11-03",
        ),
        case(
            "november, something newer",
            "2026-11-22",
            november("2026-11-20", Behaves::Never),
            "Unknown Superseded",
            "wait Superseded",
        )
        .at("2026-11-22", "2026-11-22T06:00:00Z"),
        case(
            "november, of a day without a release",
            "2026-11-12",
            november("2026-10-27", Behaves::CanRequest),
            unclear,
            "wait ReleaseNotOffered",
        ),
        case(
            "november, two that might be it",
            "2026-11-12",
            november("2026-11-10", Behaves::Never)
                .offered("KB5200002", Behaves::Never)
                .published("2026-11-10"),
            unclear,
            "wait ReleaseNotOffered",
        ),
        case(
            "november, day untold",
            "2026-11-12",
            vm("web-1")
                .assessed("2026-11-12T06:00:00Z")
                .offered("KB5200001", Behaves::Never),
            unclear,
            "wait ReleaseNotOffered",
        ),
        case(
            "november, one that is no security update",
            "2026-11-12",
            november("2026-11-10", Behaves::CanRequest).with(|machine| {
                machine.assessment.as_mut().unwrap().offered[0].security = false;
            }),
            "OnTrack ws2025-2026-10-13",
            "current ws2025-2026-11-10 by Assessment",
        ),
    ]
}

fn not_judged() -> Vec<Case> {
    let offered = |builder: Builder| of_arc(builder);
    let claim = "v1 c=cluster f=fleet h=false l=false";
    vec![
        case(
            "ineligible",
            FEB,
            offered(vm("web-1")).edition(Edition::Standard),
            "Ineligible UnsupportedEdition",
            "wait Ineligible",
        ),
        case(
            "ineligible and unknown",
            FEB,
            offered(vm("web-1"))
                .edition(Edition::Unknown)
                .vm(|vm| vm.image = Image::Absent),
            "Ineligible EditionUnknown",
            "wait Ineligible",
        ),
        case(
            "unknown",
            FEB,
            offered(vm("web-1")).with(|machine| machine.product = Product::Unknown),
            "Unknown FactsMissing",
            "wait FactsMissing",
        ),
        case(
            "not enrolled",
            FEB,
            offered(vm("web-1")).settings(|own| own.hotpatch = false),
            "NotEnrolled None",
            "wait NotEnrolled",
        ),
        case(
            "licence refused",
            FEB,
            offered(arc("web-1")).arc(|arc| arc.licence = Licence::Failed),
            "Ineligible LicenceFailed",
            "wait Ineligible",
        ),
        case(
            "vbs off",
            FEB,
            offered(arc("web-1")).arc(|arc| {
                arc.vbs_running = Some(false);
                arc.enablement = Some("ActionRequired".into());
            }),
            "Ineligible VbsOff",
            "wait Ineligible",
        ),
        case(
            "build too old",
            FEB,
            offered(arc("web-1"))
                .build("26100.1")
                .arc(|arc| arc.enablement = Some("ActionRequired".into())),
            "Ineligible BuildTooOld",
            "wait Ineligible",
        ),
        case(
            "enrolment pending",
            FEB,
            offered(arc("web-1")).arc(|arc| arc.enablement = Some("PendingEvaluation".into())),
            "NotEnrolled Some(Evaluation(Some(\"PendingEvaluation\")))",
            "wait NotEnrolled",
        ),
        case(
            "hotpatch turned off behind our back",
            FEB,
            offered(vm("web-1"))
                .settings(|own| own.hotpatch = false)
                .tag("hotpatch-claim", claim),
            "Regressed HotpatchOff",
            "wait Regressed",
        ),
        case(
            "licence turned off behind our back",
            FEB,
            offered(arc("web-1"))
                .arc(|arc| arc.licence = Licence::Disabled)
                .tag("hotpatch-claim", claim),
            "Regressed LicenceOff",
            "wait Regressed",
        ),
        case(
            "offered again after its install",
            FEB,
            offered(vm("web-1")).installed("KB5075942", "2026-02-11", Reboots::NotNeeded),
            "Regressed OfferedAgain(Kb(5075942))",
            "wait Regressed",
        ),
        case(
            "baseline offered again after its install",
            JAN,
            january().offered("KB5073379", Behaves::Always).installed(
                "KB5073379",
                "2026-01-18",
                Reboots::Completed,
            ),
            "Regressed OfferedAgain(Kb(5073379))",
            "wait Regressed",
        ),
        case(
            "before the first release of its track",
            "2024-10-01",
            vm("web-1").assessed("2024-09-30"),
            "Unknown NoRelease",
            "wait NoRelease",
        ),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    [
        hotpatch_months(),
        poor_assessments(),
        baseline_months(),
        owed_reboots(),
        installs_under_way(),
        off_track(),
        the_twins_of_october(),
        months_in_doubt(),
        not_judged(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Machines that a hotpatch waits for and that one fact alone keeps from it.
pub(super) fn kept_from_it() -> Vec<Builder> {
    let offered = |builder: Builder| of_arc(builder);
    let old_word = |arc: &mut ArcFacts| arc.enablement = Some("ActionRequired".into());
    vec![
        offered(vm("generation")).vm(|vm| vm.generation = Some(Generation::V1)),
        offered(vm("image")).vm(|vm| vm.image = Image::Custom("/galleries/g".into())),
        offered(vm("scale-set")).vm(|vm| vm.scale_set = ScaleSet::Uniform),
        offered(vm("agent")).os_profile(|own| own.provision_vm_agent = false),
        offered(vm("mode")).settings(|own| own.patch_mode = PatchMode::Manual),
        offered(vm("bypass")).settings(|own| own.bypass = true),
        offered(vm("windows")).with(|machine| machine.product = Product::OtherWindows),
        offered(vm("linux")).with(|machine| machine.product = Product::NotWindows),
        offered(arc("connection")).arc(|arc| arc.connection = Connection::Faulty),
        offered(arc("product")).with(|machine| machine.product = Product::Ws2022),
        offered(arc("edition")).edition(Edition::Other),
        offered(arc("hanging")).arc(|arc| arc.licence = Licence::Enabling),
        offered(arc("absent")).arc(|arc| arc.licence = Licence::Absent),
        offered(arc("evaluated")).arc(old_word),
        offered(local("guest")).with(|machine| machine.facts = Facts::AzureLocalVm(None)),
    ]
}
