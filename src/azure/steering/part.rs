//! One part of what steers machines: read page by page, kept, and stopped where the quota ends.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::de::DeserializeOwned;

use crate::azure::arm::Arm;
use crate::azure::error::{Error, bounded};
use crate::azure::graph::{Asked, PAGE_ROWS, Target, page};
use crate::domain::authority::steering::Why;

/// How long a reading is good, in seconds.
const GOOD_SECONDS: i64 = 3600;

/// How long a reading stands in for a later one that fails, in seconds.
const STANDS_SECONDS: i64 = 6 * 3600;

/// How long a failure keeps from the next try, in seconds.
const BAD_SECONDS: i64 = 300;

/// Pages read at most: a schedule assigned to each of 200,000 machines.
const PAGES_MAX: u32 = 200;

/// What is gathered of rows.
pub(super) trait Gather: Default {
    /// A row.
    type Row: DeserializeOwned;
    /// What the rows become.
    type Made;
    /// Names the query for messages.
    const WHAT: &'static str;

    /// Writes the query.
    fn text() -> String;

    /// Takes a row.
    ///
    /// # Errors
    /// What is wrong with it. One row that is lost could be the one that matters, so that the
    /// reading fails as a whole.
    fn take(&mut self, row: Self::Row) -> Result<(), String>;

    /// Makes of the rows what they mean.
    fn made(self) -> Self::Made;
}

/// What is known of one part.
#[derive(Debug)]
pub(super) struct Part<G: Gather> {
    good: Option<(DateTime<Utc>, Arc<G::Made>)>,
    bad: Option<(DateTime<Utc>, Why)>,
    unfinished: Option<Reading<G>>,
}

impl<G: Gather> Default for Part<G> {
    fn default() -> Self {
        Self {
            good: None,
            bad: None,
            unfinished: None,
        }
    }
}

/// A reading that can stop between two pages.
#[derive(Debug)]
struct Reading<G> {
    began: DateTime<Utc>,
    target: usize,
    token: Option<String>,
    pages: u32,
    gathered: G,
}

/// What one page led to.
enum Step {
    /// There is more to read.
    More,
    /// There is more to read, and the quota is spent.
    Stopped,
    /// All is read.
    Done,
}

fn is_within(at: DateTime<Utc>, now: DateTime<Utc>, seconds: i64) -> bool {
    let age = now - at;
    TimeDelta::zero() <= age && age < TimeDelta::seconds(seconds)
}

impl<G: Gather> Part<G> {
    /// Returns what is known, and keeps what is good of it.
    pub(super) fn lend(&mut self) -> Self {
        Self {
            good: self.good.clone(),
            bad: self.bad.clone(),
            unfinished: self.unfinished.take(),
        }
    }

    /// Returns what is known, read anew or read on where that has grown old; or why nothing is.
    pub(super) async fn of(
        &mut self,
        arm: &Arm,
        targets: &[Target],
        now: DateTime<Utc>,
    ) -> Result<Arc<G::Made>, Why> {
        let good = self.good.as_ref().map(|(at, _)| *at);
        let bad = self.bad.as_ref().map(|(at, _)| *at);
        let rests = good.is_some_and(|at| is_within(at, now, GOOD_SECONDS))
            || bad.is_some_and(|at| is_within(at, now, BAD_SECONDS));
        if !rests {
            self.look(arm, targets, now).await;
        }
        match (&self.good, &self.bad) {
            (Some((at, good)), _) if is_within(*at, now, STANDS_SECONDS) => Ok(Arc::clone(good)),
            (_, Some((_, why))) => Err(why.clone()),
            (_, None) => Err(Why::NotYet),
        }
    }

    async fn look(&mut self, arm: &Arm, targets: &[Target], now: DateTime<Utc>) {
        let unfinished = self.unfinished.take();
        let unfinished = unfinished.filter(|own| is_within(own.began, now, GOOD_SECONDS));
        let mut reading = unfinished.unwrap_or_else(|| Reading {
            began: now,
            target: 0,
            token: None,
            pages: 0,
            gathered: G::default(),
        });
        loop {
            match reading.step(arm, targets).await {
                Ok(Step::More) => {}
                Ok(Step::Done) => {
                    self.good = Some((reading.began, Arc::new(reading.gathered.made())));
                    self.bad = None;
                    return;
                }
                Ok(Step::Stopped) | Err(Error::Throttled { .. }) => {
                    self.unfinished = Some(reading);
                    return;
                }
                Err(error) => {
                    tracing::info!(%error, "what steers machines cannot be read");
                    let why = Why::Failed(bounded(&error.to_string()).into());
                    self.bad = Some((now, why));
                    return;
                }
            }
        }
    }
}

impl<G: Gather> Reading<G> {
    async fn step(&mut self, arm: &Arm, targets: &[Target]) -> Result<Step, Error> {
        let Some(target) = targets.get(self.target) else {
            return Ok(Step::Done);
        };
        if self.pages >= PAGES_MAX {
            let why = format!("more than {PAGES_MAX} pages");
            return Err(Error::malformed(G::WHAT, why));
        }
        let text = G::text();
        let asked = Asked {
            what: G::WHAT,
            target,
            text: &text,
            rows: PAGE_ROWS,
            token: self.token.as_deref(),
        };
        let page = page(arm, &asked).await?;
        for row in page.rows {
            let row = row.map_err(|row| row.why);
            row.and_then(|row| self.gathered.take(row))
                .map_err(|why| Error::malformed(G::WHAT, why))?;
        }
        self.pages += 1;
        self.token = page.next;
        if self.token.is_none() {
            self.target += 1;
        }
        Ok(if self.target == targets.len() {
            Step::Done
        } else if page.wait_seconds.is_some() {
            Step::Stopped
        } else {
            Step::More
        })
    }
}
