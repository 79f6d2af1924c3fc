//! One rollout, and everything small that can go wrong in it: each request with each fault that
//! applies to it, each two deaths, each command late or doubled until each later step. Nothing is
//! drawn; what is tried can be counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::play::{Now, Played, perform_in};
use super::scenario::Scenario;
use crate::rehearsal::gate::Side;
use crate::rehearsal::weather::{Fault, Passing, RetryAfter, To, Weather};

/// The most failing cases that are kept; then it ends.
const FAILED_MAX: usize = 20;

/// A command to a VM may be late for so long: less than its late horizon of two hours.
const LATE_MAX: Duration = Duration::from_secs(119 * 60);

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Every request with every single fault that applies to it.
    Faults,
    /// Every two deaths: after one side effect, and before a later one.
    Deaths,
    /// Every command late, or doubled, until every later step.
    Commands,
}

impl std::str::FromStr for Kind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "faults" => Ok(Self::Faults),
            "deaths" => Ok(Self::Deaths),
            "commands" => Ok(Self::Commands),
            _ => Err("one of faults, deaths, commands"),
        }
    }
}

/// A request of the rollout in which nothing goes wrong.
#[derive(Clone, Debug)]
struct Step {
    number: u64,
    at: DateTime<Utc>,
    to: To,
    is_effect: bool,
    is_watch: bool,
    is_command: bool,
    is_renewal: bool,
    what: String,
}

/// One thing to try.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its number, from 0.
    pub number: usize,
    /// What goes wrong, in words.
    pub what: String,
    faults: Vec<(u64, Fault)>,
}

/// Something that did not hold.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The number of the case.
    pub case: usize,
    /// What went wrong.
    pub what: String,
    /// What did not hold.
    pub found: String,
}

/// What all cases came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tried {
    /// Requests of the rollout.
    pub steps: usize,
    /// Cases.
    pub cases: usize,
    /// What did not hold.
    pub failed: Vec<Finding>,
}

/// Writes down what passes.
struct Recorder {
    now: Now,
    steps: Arc<Mutex<Vec<Step>>>,
}

impl Weather for Recorder {
    fn meet(&mut self, passing: &Passing<'_>) -> Fault {
        let step = Step {
            number: passing.number,
            at: (self.now)(),
            to: passing.to,
            is_effect: passing.is_effect,
            is_watch: passing.is_watch,
            is_command: passing.is_command(),
            is_renewal: passing.path.contains("/leases/"),
            what: format!("{} {}", passing.method, short(passing.path)),
        };
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        steps.push(step);
        Fault::None
    }
}

/// Cuts what is the same in all paths.
fn short(path: &str) -> &str {
    let cut = path.find("/providers/").map_or(0, |at| at + 11);
    &path[cut..]
}

/// Puts faults at requests by their number.
struct Planted(Vec<(u64, Fault)>);

impl Weather for Planted {
    fn meet(&mut self, passing: &Passing<'_>) -> Fault {
        let found = self.0.iter().find(|own| own.0 == passing.number);
        found.map_or(Fault::None, |own| own.1)
    }
}

/// Plays the rollout in which nothing goes wrong, and returns its requests.
fn steps() -> Vec<Step> {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&steps);
    let replay = "hotpatch-operator simulate --every faults".to_owned();
    let played = perform_in(&Scenario::plain(), replay, |now, _| {
        Arc::new(Mutex::new(Recorder { now, steps }))
    });
    if played.is_err() {
        return Vec::new();
    }
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut kept)
}

fn refused(status: u16) -> Fault {
    Fault::Refused {
        status,
        retry_after: RetryAfter::Unsaid,
    }
}

/// Returns the faults that apply to a request.
fn applicable(step: &Step) -> Vec<Fault> {
    let minutes = |own: u64| Duration::from_secs(60 * own);
    let mut all = vec![
        Fault::Death(Side::Before),
        Fault::Death(Side::After),
        Fault::NotSent,
        Fault::AnswerLost,
        refused(500),
        refused(503),
        Fault::Refused {
            status: 429,
            retry_after: RetryAfter::Seconds(90),
        },
        Fault::Refused {
            status: 429,
            retry_after: RetryAfter::Date(90),
        },
        Fault::Slow(Duration::ZERO, Duration::from_secs(20)),
    ];
    if step.to == To::Azure {
        all.extend([refused(401), refused(403), refused(404)]);
    }
    if step.is_watch {
        all.extend([
            Fault::Silent(minutes(30)),
            Fault::Lagging(minutes(2)),
            refused(410),
        ]);
    } else if step.is_effect {
        all.extend([
            refused(409),
            Fault::RequestLost,
            Fault::AnswerSpoilt(504),
            Fault::Late(minutes(2)),
            Fault::Twice(minutes(2)),
            Fault::Slow(Duration::ZERO, minutes(40)),
        ]);
    }
    all
}

/// Returns everything of a kind that is to be tried.
pub fn cases(kind: Kind) -> (usize, Vec<Case>) {
    let steps = steps();
    let mut cases: Vec<(String, Vec<(u64, Fault)>)> = Vec::new();
    match kind {
        Kind::Faults => {
            for step in &steps {
                for fault in applicable(step) {
                    let text = format!("step {}, {}: {fault:?}", step.number, step.what);
                    cases.push((text, vec![(step.number, fault)]));
                }
            }
        }
        Kind::Deaths => {
            let effects: Vec<&Step> = steps
                .iter()
                .filter(|own| own.is_effect && !own.is_renewal)
                .collect();
            for (index, first) in effects.iter().enumerate() {
                // Numbers go on counting in the next life, whose requests are others: the second
                // death strikes wherever that life then is.
                for second in &effects[index + 1..] {
                    let faults = vec![
                        (first.number, Fault::Death(Side::After)),
                        (second.number, Fault::Death(Side::Before)),
                    ];
                    let text = format!("deaths after {} and before {}", first.what, second.what);
                    cases.push((text, faults));
                }
            }
        }
        Kind::Commands => {
            for (index, step) in steps.iter().enumerate().filter(|own| own.1.is_command) {
                let later = steps[index + 1..].iter().map(|own| own.at - step.at);
                let mut delays: Vec<Duration> = later.filter_map(|own| own.to_std().ok()).collect();
                delays.dedup();
                for delay in delays.into_iter().filter(|own| *own <= LATE_MAX) {
                    for fault in [Fault::Late(delay), Fault::Twice(delay)] {
                        let text = format!("step {}, {}: {fault:?}", step.number, step.what);
                        cases.push((text, vec![(step.number, fault)]));
                    }
                }
            }
        }
    }
    let numbered = cases.into_iter().enumerate();
    let cases = numbered.map(|(number, (what, faults))| Case {
        number,
        what,
        faults,
    });
    (steps.len(), cases.collect())
}

/// Tries one case.
///
/// # Errors
/// The [`Finding`].
pub fn attempt(kind: Kind, case: &Case) -> Result<Played, Box<Finding>> {
    let finding = |found: String| {
        Box::new(Finding {
            case: case.number,
            what: case.what.clone(),
            found,
        })
    };
    let word = format!("{kind:?}").to_lowercase();
    let replay = format!(
        "hotpatch-operator simulate --every {word} --case {}",
        case.number
    );
    let faults = case.faults.clone();
    let played = perform_in(&Scenario::plain(), replay, |_, _| {
        Arc::new(Mutex::new(Planted(faults)))
    });
    let played = played.map_err(|error| finding(error.to_string()))?;
    if let Some(violation) = played.violations.first() {
        return Err(finding(violation.to_string()));
    }
    if played.current < played.machines {
        let text = format!("{} of {} current", played.current, played.machines);
        return Err(finding(format!("{text}: {:?}", played.blocked)));
    }
    if played.reboots_most > 1 {
        let text = format!("{} reboots of one machine", played.reboots_most);
        return Err(finding(text));
    }
    Ok(played)
}

/// Tries every `stride`-th case on so many threads; `progress` is told after each how many there
/// were and how many failed.
pub fn all(
    kind: Kind,
    stride: usize,
    threads: usize,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Tried {
    let (steps, cases) = cases(kind);
    let chosen: Vec<&Case> = cases.iter().step_by(stride.max(1)).collect();
    let next = AtomicU64::new(0);
    let failed = Mutex::new(Vec::new());
    let done = AtomicU64::new(0);
    let count = |own: &AtomicU64| usize::try_from(own.load(Ordering::Relaxed)).unwrap_or(0);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let case = usize::try_from(index).ok().and_then(|own| chosen.get(own));
                    let Some(case) = case else { return };
                    let tried = attempt(kind, case);
                    let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                    failed.extend(tried.err().map(|own| *own));
                    done.fetch_add(1, Ordering::Relaxed);
                    progress(count(&done), failed.len());
                    if failed.len() >= FAILED_MAX {
                        return;
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.sort_by_key(|own: &Finding| own.case);
    Tried {
        steps,
        cases: count(&done),
        failed,
    }
}
