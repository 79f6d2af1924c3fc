//! Reads the tables of Resource Graph page by page, and can stop between two pages.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use super::arm::Arm;
use super::error::Error;
use super::graph::{Asked, PAGE_ROWS, PAGES_MAX, PageError, Target, page};
use super::joined;
use super::queries::{Reach, Table, tables};
use super::resources::Resources;
use super::tables::Tables;
use crate::domain::machine::MachineId;

/// Rows of a page at least: where fewer would still be too large, one machine is too large.
const PAGE_ROWS_MIN: u32 = 30;

/// What one step led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// There is more to read; where the quota is spent, only after so many seconds.
    More {
        /// Seconds until the next query may be sent.
        wait_seconds: Option<u64>,
    },
    /// All is read.
    Done,
}

/// A reading of all tables, for all machines of the targets or for some.
#[derive(Debug)]
pub(super) struct Gathering {
    /// When it began.
    pub(super) began: DateTime<Utc>,
    /// How many tables one query reads.
    pub(super) reach: Reach,
    targets: Vec<Target>,
    machines: Option<Vec<MachineId>>,
    table: usize,
    target: usize,
    token: Option<String>,
    pages: u32,
    rows: u32,
    pub(super) resources: Resources,
    pub(super) tables: Tables,
}

impl Gathering {
    pub(super) fn new(
        began: DateTime<Utc>,
        reach: Reach,
        targets: Vec<Target>,
        machines: Option<Vec<MachineId>>,
    ) -> Self {
        Self {
            began,
            reach,
            targets,
            machines,
            table: 0,
            target: 0,
            token: None,
            pages: 0,
            rows: PAGE_ROWS,
            resources: Resources::default(),
            tables: Tables::default(),
        }
    }

    /// Reads one page. After an error nothing is lost: the same page is read again.
    pub(super) async fn step(&mut self, arm: &Arm) -> Result<Step, Error> {
        let Some(table) = tables(self.reach).get(self.table).copied() else {
            return Ok(Step::Done);
        };
        let (next, wait_seconds) = match self.take(arm, table).await {
            Ok(read) => read,
            Err(error) => return self.recover(error),
        };
        self.turn(next);
        let done = self.table == tables(self.reach).len();
        Ok(if done {
            Step::Done
        } else {
            Step::More { wait_seconds }
        })
    }

    async fn take(
        &mut self,
        arm: &Arm,
        table: Table,
    ) -> Result<(Option<String>, Option<u64>), PageError> {
        match table {
            Table::Everything | Table::Assessed | Table::Resources => {
                let take = |own: &mut Self, row| own.resources.take(row, &mut own.tables);
                self.read(arm, table, take).await
            }
            Table::Local => {
                let take = |own: &mut Self, row| own.resources.local(row, &mut own.tables);
                self.read(arm, table, take).await
            }
            Table::Installed => {
                let take = |own: &mut Self, row| joined::installs(row, &mut own.tables);
                self.read(arm, table, take).await
            }
            Table::Assessments => {
                let take = |own: &mut Self, row| own.tables.assessment(&row);
                self.read(arm, table, take).await
            }
            Table::Offers => {
                let take = |own: &mut Self, row| own.tables.offer(&row);
                self.read(arm, table, take).await
            }
            Table::Installs => {
                let take = |own: &mut Self, row| own.tables.install(&row);
                self.read(arm, table, take).await
            }
            Table::Patches => {
                let take = |own: &mut Self, row| own.tables.patch(&row);
                self.read(arm, table, take).await
            }
            Table::Health => {
                let take = |own: &mut Self, row| own.tables.health(&row);
                self.read(arm, table, take).await
            }
        }
    }

    /// Reads a page of one table and takes its rows; returns where the next page begins, and the
    /// seconds to wait for it.
    async fn read<T: DeserializeOwned>(
        &mut self,
        arm: &Arm,
        table: Table,
        take: impl Fn(&mut Self, T),
    ) -> Result<(Option<String>, Option<u64>), PageError> {
        let Some(target) = self.targets.get(self.target) else {
            return Ok((None, None));
        };
        let what = table.what();
        if self.pages >= PAGES_MAX {
            let why = format!("more than {PAGES_MAX} pages");
            return Err(PageError::Other(Error::malformed(what, why)));
        }
        let text = table.text(self.machines.as_deref());
        let asked = Asked {
            what,
            target,
            text: &text,
            rows: self.rows,
            token: self.token.as_deref(),
        };
        let page = page(arm, &asked).await?;
        for row in page.rows {
            match row {
                Ok(row) => take(self, row),
                Err(row) => self.tables.lost(row),
            }
        }
        Ok((page.next, page.wait_seconds))
    }

    /// Asks for less where that may help: fewer tables at once, from the start, or fewer rows at
    /// once, from the query's first page, because a token belongs to the page size it was given
    /// for. What is read twice counts once.
    fn recover(&mut self, error: PageError) -> Result<Step, Error> {
        let again = Step::More { wait_seconds: None };
        match error {
            PageError::TooLarge(_) if self.rows > PAGE_ROWS_MIN => {
                self.rows = (self.rows / 2).max(PAGE_ROWS_MIN);
                self.token = None;
                self.pages = 0;
                Ok(again)
            }
            PageError::Refused(error) | PageError::CutShort(error) => {
                let Some(narrower) = self.reach.narrower() else {
                    return Err(error);
                };
                tracing::debug!(%error, ?narrower, "Resource Graph is asked for less at once");
                let targets = std::mem::take(&mut self.targets);
                let machines = self.machines.take();
                *self = Self::new(self.began, narrower, targets, machines);
                Ok(again)
            }
            error => Err(error.into()),
        }
    }

    /// Azure Local is asked after where there is an Azure Local VM; offers not for some machines,
    /// whose installs are what is asked for.
    fn is_wanted(&self, table: Table) -> bool {
        match table {
            Table::Local => self.resources.has_local(),
            Table::Offers => self.machines.is_none(),
            _ => true,
        }
    }

    /// Goes on to the next page, target or table.
    fn turn(&mut self, next: Option<String>) {
        self.token = next;
        self.pages += 1;
        if self.token.is_some() {
            return;
        }
        self.pages = 0;
        self.target += 1;
        if self.target == self.targets.len() {
            self.target = 0;
            self.table += 1;
            while tables(self.reach)
                .get(self.table)
                .is_some_and(|table| !self.is_wanted(*table))
            {
                self.table += 1;
            }
        }
    }
}
