#![allow(clippy::unwrap_used)] // tests may unwrap

use super::*;
use crate::domain::eligibility::blockers;
use crate::domain::machine::RebootStatus as Reboots;
use crate::domain::track::fixture::{at, degradations, vm};
use crate::domain::track::{ASSESSMENT_MAX, OffTrackCause, track};

mod cases;

use cases::{FEB, FEB_ASSESSED, RULES, cases, february, kept_from_it};

fn judged(machine: &Machine, rules: &DueRules, now: &str) -> (Track, Verdict) {
    let catalogue = Catalogue::embedded();
    let track = track(machine, &blockers(machine), catalogue, at(now));
    let verdict = verdict(machine, &track, rules, catalogue, at(now));
    (track, verdict)
}

/// A track in a line.
fn track_line(track: &Track) -> String {
    let detail = match track {
        Track::OnTrack { baseline } => baseline.to_string(),
        Track::BaselineDue { release } => release.to_string(),
        Track::RebootOwed { kb, by, .. } => {
            let kb = kb.map_or("unknown".to_owned(), |kb| kb.to_string());
            format!("{kb} {}", by.as_deref().unwrap_or("guest"))
        }
        Track::OffTrack {
            cause, until, kb, ..
        } => {
            let until = until.map_or("never".to_owned(), |date| date.to_string());
            let kb = kb.map_or("nothing".to_owned(), |kb| kb.to_string());
            format!("{cause:?} until {until} offered {kb}")
        }
        Track::NotEnrolled { pending } => format!("{pending:?}"),
        Track::Ineligible(blockers) => blockers[0].reason.to_string(),
        Track::Regressed(what) => format!("{what:?}"),
        Track::Unknown(doubt) => doubt.to_string(),
    };
    format!("{track} {detail}")
}

/// A verdict in a line.
fn verdict_line(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Current {
            release, evidence, ..
        } => format!("current {release} by {evidence:?}"),
        Verdict::Due(due) => {
            let kbs: Vec<String> = due.kbs.iter().map(Kb::to_string).collect();
            format!(
                "{} {} {} {} until {} by {}",
                due.action,
                due.cause,
                due.release,
                kbs.join("+"),
                due.published_until,
                due.deadline.date_naive()
            )
        }
        Verdict::Wait(wait) if wait.assess => format!("wait {} assess", wait.reason),
        Verdict::Wait(wait) => format!("wait {}", wait.reason),
    }
}

#[test]
fn every_case_has_its_track_and_its_verdict() {
    let mut wrong = Vec::new();
    for case in cases() {
        let (track, verdict) = judged(&case.builder.machine(), &case.rules, case.now);
        let found = (track_line(&track), verdict_line(&verdict));
        if found != (case.track.to_owned(), case.verdict.to_owned()) {
            wrong.push(format!("{}: {found:#?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn all_rules() -> Vec<DueRules> {
    let mut all = Vec::new();
    for late_baseline in [LateBaseline::Hold, LateBaseline::LatestCumulative] {
        for off_track in [OffTrackRule::NextWindow, OffTrackRule::UntilBaseline] {
            for unplanned in [UnplannedRule::NextWindow, UnplannedRule::Approve] {
                for installer in [Installer::Operator, Installer::Platform] {
                    all.push(DueRules {
                        deadline_days: 21,
                        late_baseline,
                        off_track,
                        unplanned,
                        installer,
                    });
                }
            }
        }
    }
    all
}

/// Every machine of every case with its instant, and those that one fact keeps from a hotpatch.
fn machines() -> Vec<(String, Machine, &'static str)> {
    let of_cases = cases().into_iter();
    let of_cases = of_cases.map(|case| (case.name.to_owned(), case.builder.machine(), case.now));
    let kept = kept_from_it().into_iter().map(|builder| {
        let machine = builder.machine();
        (machine.name.clone(), machine, FEB)
    });
    of_cases.chain(kept).collect()
}

#[test]
fn a_single_fact_keeps_a_machine_from_what_it_is_offered() {
    for builder in kept_from_it() {
        let machine = builder.machine();
        let (track, verdict) = judged(&machine, &RULES, FEB);
        assert!(
            matches!(verdict, Verdict::Wait(_)),
            "{}: {track:?}",
            machine.name
        );
    }
}

/// Losing any single fact adds nothing: what waited or was current does not become due, no other
/// KB becomes allowed, and nothing begins to reboot. The one excuse: that virtualization-based
/// security is off, or the build too old, counts only as long as Azure's own evaluation has not
/// said `Enabled`; so the cases say what Azure says then.
#[test]
fn losing_a_fact_never_makes_something_due() {
    let mut tried = 0;
    for (name, machine, now) in machines() {
        for rules in all_rules() {
            let (_, before) = judged(&machine, &rules, now);
            for (lost, less) in degradations(&machine) {
                let (_, after) = judged(&less, &rules, now);
                tried += 1;
                let Verdict::Due(due) = after else { continue };
                let Verdict::Due(was) = &before else {
                    panic!("{name}, {rules:?}: without {lost}, due is {due:?}");
                };
                let reboots = due.action.is_disruptive() && !was.action.is_disruptive();
                assert!(!reboots, "{name}: without {lost}, {due:?} reboots");
                assert!(
                    due.kbs.is_subset(&was.kbs),
                    "{name}: without {lost}, {due:?}"
                );
            }
        }
    }
    assert!(tried > 10_000, "only {tried} losses tried");
}

#[test]
fn what_is_due_is_pinned_dated_and_backed_by_a_fresh_assessment() {
    for (name, machine, now) in machines() {
        for rules in all_rules() {
            let (_, Verdict::Due(due)) = judged(&machine, &rules, now) else {
                continue;
            };
            let assessment = machine.assessment.as_ref().unwrap();
            assert!(at(now) - assessment.at <= ASSESSMENT_MAX, "{name}");
            assert!(!due.kbs.is_empty(), "{name}");
            let seen = due.kbs.iter().all(|kb| assessment.offers(kb));
            assert_eq!(seen, due.cause != Cause::RebootOwed, "{name}: {due:?}");
            assert!(due.published_until >= due.release.date(), "{name}");
            assert!(due.published_until <= at(now).date_naive(), "{name}");
        }
    }
}

#[test]
fn a_stricter_rule_never_makes_something_due() {
    for (name, machine, now) in machines() {
        let (_, before) = judged(&machine, &RULES, now);
        for rules in all_rules() {
            let (_, after) = judged(&machine, &rules, now);
            if matches!(after, Verdict::Due(_)) {
                assert_eq!(after, before, "{name}, {rules:?}");
            }
        }
    }
}

#[test]
fn the_order_of_the_offers_changes_nothing() {
    for (name, mut machine, now) in machines() {
        let before = judged(&machine, &RULES, now);
        if let Some(assessment) = &mut machine.assessment {
            assessment.offered.reverse();
        }
        assert_eq!(judged(&machine, &RULES, now), before, "{name}");
    }
}

#[test]
fn a_track_of_another_instant_is_met_with_a_wait() {
    let machine = vm("web-1").machine();
    let baseline = "ws2025-2026-01-13".parse().unwrap();
    let tracks = [
        Track::OnTrack { baseline },
        Track::BaselineDue { release: baseline },
        Track::RebootOwed {
            kb: None,
            since: None,
            by: None,
        },
        Track::OffTrack {
            cause: OffTrackCause::Unexplained,
            since: None,
            until: None,
            kb: None,
        },
    ];
    for track in tracks {
        let found = verdict(&machine, &track, &RULES, Catalogue::embedded(), at(FEB));
        assert!(matches!(found, Verdict::Wait(_)), "{track}: {found:?}");
    }
}

#[test]
fn the_time_of_the_evidence_is_told() {
    let record = vm("web-1")
        .installed("KB5075942", "2026-02-11", Reboots::NotNeeded)
        .machine();
    let assessed = february().machine();
    for (machine, expected) in [(record, "2026-02-11"), (assessed, FEB_ASSESSED)] {
        let (_, Verdict::Current { since, .. }) = judged(&machine, &RULES, FEB) else {
            panic!("{} is not current", machine.name);
        };
        assert_eq!(since, Some(at(expected)));
    }
}
