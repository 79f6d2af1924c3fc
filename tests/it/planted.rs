//! The tester is tested: each planted bug is found by the checker that is named for it, and the
//! operator without it stays clean in the same scene.

// Tests may unwrap: a panic is how they fail.
#![allow(clippy::unwrap_used)]

mod scenes;
mod stage;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use hotpatch_operator::planted::{self, Bug};
use hotpatch_operator::rehearsal::Rehearsal;

use self::scenes::{Scene, scene};
use self::stage::{AWAITED, Places, Setting, until};
use crate::rehearsal::paused;

/// The places of a rollout in which nothing goes wrong; the beginning of every scene of the same
/// setting is the same. Played in a thread of its own, which has its own time and no bug.
fn places(setting: &Setting) -> Places {
    let play = || {
        paused(async {
            let mut own = setting.begin().await;
            until(&mut own, 72, |world| !world.sent.is_empty()).await;
            Places::of(&own.gate.log())
        })
    };
    std::thread::scope(|scope| scope.spawn(play).join().unwrap())
}

/// What was found without a bug, by scene.
type Clean = BTreeMap<&'static str, (bool, Vec<(String, String)>)>;

/// What was found in a scene: each checker with what it said first.
fn play(scene: &Scene, bug: Option<Bug>) -> (bool, Vec<(String, String)>) {
    static PLACES: OnceLock<Places> = OnceLock::new();
    let places = *PLACES.get_or_init(|| places(&Setting::default()));
    AWAITED.set(bug.map(Bug::checker));
    planted::with(bug, || {
        paused(async {
            let mut own: Rehearsal = (scene.setting)().begin().await;
            let came = (scene.play)(&mut own, places).await;
            let report = own.finish();
            let mut found: Vec<(String, String)> = Vec::new();
            for own in &report.violations {
                if !found.iter().any(|(name, _)| name == own.invariant) {
                    found.push((own.invariant.to_owned(), own.to_string()));
                }
            }
            (came, found)
        })
    })
}

fn check(bug: Bug, clean: &mut Clean) -> Result<(), String> {
    let scene = scene(bug);
    let (came, clean) = clean
        .entry(scene.name)
        .or_insert_with(|| play(&scene, None));
    if !*came || !clean.is_empty() {
        return Err(format!(
            "{}: not clean without a bug ({came}): {clean:#?}",
            scene.name
        ));
    }
    let (_, found) = play(&scene, Some(bug));
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    println!("{:<20} {:<12} {:?}", bug.name(), bug.checker(), names);
    if names.contains(&bug.checker()) {
        return Ok(());
    }
    Err(format!(
        "{} in \"{}\": {} is silent: {found:#?}",
        bug.name(),
        scene.name,
        bug.checker()
    ))
}

#[test]
fn planted_bugs_are_each_found_by_the_checker_that_is_named_for_them() {
    #[expect(
        clippy::disallowed_methods,
        reason = "how a person asks a test for a part of it"
    )]
    let only = std::env::var("HOTPATCH_BUG").ok();
    let asked = |bug: &&Bug| {
        only.as_ref()
            .is_none_or(|own| own.split(',').any(|x| x == bug.name()))
    };
    let mut clean = Clean::new();
    let wrong: Vec<String> = Bug::ALL
        .iter()
        .filter(asked)
        .filter_map(|bug| {
            check(*bug, &mut clean)
                .inspect_err(|why| println!("{why}"))
                .err()
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        Bug::ALL.len(),
        wrong.join("\n")
    );
}
