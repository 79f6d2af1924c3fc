//! A short simulation: some seeds in bad weather, some of everything small. `make sim` does it all.

// tests may unwrap
#![allow(clippy::unwrap_used)]

use hotpatch_operator::simulation::campaign;
use hotpatch_operator::simulation::class::Class;
use hotpatch_operator::simulation::every::{self, Kind};
use hotpatch_operator::simulation::play::play;
use hotpatch_operator::simulation::scenario::Scenario;

/// Seeds that `make test` plays.
const SEEDS: u64 = 24;

/// Of everything small `make test` tries one in so many.
const STRIDE: usize = 301;

#[test]
fn whole_rollouts_in_bad_weather_hold() {
    let sum = campaign::seeds(1..1 + SEEDS, 2, &|_| {});
    let violations: Vec<String> = sum.failed.iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{violations:#?}");
    assert_eq!(sum.seeds, SEEDS);
    let met = Class::ALL.iter().filter(|own| sum.faults.of(**own) > 0);
    assert!(
        met.count() >= 18,
        "too calm to tell anything: {:?}",
        sum.faults
    );
    assert!(sum.commands > 50 && sum.reboots > 30, "{sum:?}");
}

#[test]
fn a_seed_is_the_same_story_each_time_and_another_seed_is_another() {
    let digest = |seed| play(seed).unwrap().digest;
    let once = digest(7);
    assert_eq!(once, digest(7));
    assert_ne!(once, digest(8));
}

#[test]
fn a_violation_names_the_command_that_shows_it_again() {
    let played = play(3).unwrap();
    assert!(played.violations.is_empty());
    let story = hotpatch_operator::cli::simulate::story(&played);
    assert!(story.contains("seed 3"), "{story}");
    assert!(story.contains(&played.digest), "{story}");
}

#[test]
fn each_fault_each_death_and_each_late_command_is_borne() {
    for kind in [Kind::Faults, Kind::Deaths, Kind::Commands] {
        let (steps, cases) = every::cases(kind);
        assert!(steps > 100, "{steps} requests");
        let tried = every::all(kind, STRIDE.min(cases.len() / 4), 2, &|_, _| {});
        assert!(tried.cases >= 4, "{kind:?}: {} cases", tried.cases);
        assert!(tried.failed.is_empty(), "{kind:?}: {:#?}", tried.failed);
    }
}

#[test]
fn every_kind_of_scenario_is_drawn() {
    let (mut doubled, mut acts) = (0, 0);
    let mut seasons = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let own = Scenario::of(seed);
        doubled += usize::from(own.is_doubled);
        acts += own.acts.len();
        seasons.insert(format!("{:?}", own.season));
    }
    assert_eq!(seasons.len(), 4, "{seasons:?}");
    assert!(doubled > 40 && acts > 600, "{doubled} doubled, {acts} acts");
}
