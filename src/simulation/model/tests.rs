#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

use super::*;

fn whole(bounds: Bounds, flaw: Option<Flaw>) -> Explored {
    explore(bounds, flaw, &mut |_| {})
}

/// Fails with the story, if there is one.
fn holds(found: &Explored) {
    let broken = found.violation.as_ref();
    let told = broken.map(|own| format!("{}: {}\n{}", own.invariant, own.says, own.story));
    assert_eq!(told, None, "{}", found.bounds);
}

#[test]
fn every_state_without_a_fault_holds_and_reaches_an_end() {
    let found = whole(Bounds::CALM, None);
    holds(&found);
    assert!(found.states > 5_000, "{found:?}");
    assert!(found.ends > 1_000, "{found:?}");
    let again = whole(Bounds::CALM, None);
    assert_eq!(found, again, "the same bounds give the same numbers");
}

#[test]
fn every_state_holds_where_an_answer_is_lost() {
    let found = whole(Bounds::SHORT, None);
    holds(&found);
    assert!(found.states > 30_000, "{found:?}");
}

#[test]
#[ignore = "takes minutes: made for the sim profile"]
fn every_state_of_the_whole_model_holds() {
    for bounds in Bounds::WHOLE {
        let found = whole(bounds, None);
        println!(
            "{}: {} states, {} steps, depth {}, {} ends, {} questions",
            found.bounds, found.states, found.transitions, found.depth, found.ends, found.questions
        );
        holds(&found);
    }
}

/// What must be possible for a flaw to show, and the invariant that names it.
fn planted(flaw: Flaw) -> (Bounds, &'static str) {
    let calm = Bounds::CALM;
    let lost = Bounds {
        lost_answers: 1,
        ..calm
    };
    let paused = Bounds { pauses: 1, ..calm };
    let killed = Bounds { crashes: 1, ..calm };
    match flaw {
        Flaw::SkipRenewal => (calm, "renewal"),
        Flaw::IgnoreEpoch | Flaw::FenceBackwards | Flaw::BlindOutcome => (paused, "epoch"),
        Flaw::RetryOnTimeout => (lost, "once"),
        Flaw::DropIntent => (calm, "intent"),
        // With a limit of two, the machine that a person reboots leaves room for a second leader.
        Flaw::SkipWait => {
            let bounds = Bounds {
                budget: 2,
                foreign_reboots: 1,
                lease_deletions: 1,
                ..calm
            };
            (bounds, "fence")
        }
        Flaw::ForgetIntents => (calm, "budget"),
        Flaw::TrustAbsence => (lost, "attempts"),
        Flaw::IgnoreTime => (paused, "alone"),
        Flaw::ForgetCrash => (killed, "attempts"),
        Flaw::SkipLook => {
            let bounds = Bounds {
                foreign_reboots: 1,
                ..calm
            };
            (bounds, "alone")
        }
        Flaw::SkipRecheck => {
            let bounds = Bounds {
                suspensions: 1,
                ..calm
            };
            (bounds, "quiet")
        }
    }
}

#[test]
fn every_planted_flaw_is_found_and_named() {
    let mut missed = Vec::new();
    for flaw in Flaw::ALL {
        let (bounds, invariant) = planted(flaw);
        let found = whole(bounds, Some(flaw));
        let named = found.violation.as_ref().map(|own| own.invariant);
        if named != Some(invariant) {
            missed.push(format!(
                "{flaw:?}: {named:?} instead of {invariant}, {found:#?}"
            ));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn a_counterexample_is_told_step_by_step() {
    let found = whole(Bounds::CALM, Some(Flaw::DropIntent));
    let story = found.violation.unwrap().story;
    let last = story.lines().last().unwrap();
    assert!(last.ends_with("sends a finish to vm-a in run-1"), "{story}");
    assert!(story.contains("hours pass"), "{story}");
    assert!(
        !story.contains("Starting"),
        "the intent was dropped: {story}"
    );
}

#[test]
fn a_fingerprint_tells_any_two_small_changes_apart() {
    let state = steps::first(&Bounds::CALM);
    let mut seen = std::collections::BTreeSet::from([fingerprint::fingerprint(&state)]);
    for who in 0..state::REPLICAS {
        for entry in 0..state::ENTRIES {
            for value in 1..=u8::MAX {
                let mut other = state;
                other.replicas[who].work[entry].since = value;
                assert!(seen.insert(fingerprint::fingerprint(&other)));
                other.replicas[who].asked[entry] = value;
                assert!(seen.insert(fingerprint::fingerprint(&other)));
            }
        }
    }
}
