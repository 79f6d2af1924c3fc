//! Reads the tables of Resource Graph page by page, and can stop between two pages.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use super::arm::Arm;
use super::error::Error;
use super::graph::{
    ASSESSMENTS, HEALTH, INSTALLS, INSTANCES, OFFERS, PAGES_MAX, PATCHES, Query, RESOURCES, Target,
    page, text,
};
use super::resources::Resources;
use super::tables::Tables;
use crate::domain::machine::MachineId;

/// The tables in the order they are read. Patches come before the installs they belong to, and
/// offers before their assessments: an install seen between the two has no updates yet, which
/// proves nothing, rather than updates without an install, which would be lost.
const TABLES: [Table; 7] = [
    Table::Resources,
    Table::Instances,
    Table::Offers,
    Table::Assessments,
    Table::Patches,
    Table::Installs,
    Table::Health,
];

#[derive(Debug, Clone, Copy)]
enum Table {
    Resources,
    Instances,
    Assessments,
    Offers,
    Installs,
    Patches,
    Health,
}

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
    targets: Vec<Target>,
    machines: Option<Vec<MachineId>>,
    table: usize,
    target: usize,
    token: Option<String>,
    pages: u32,
    pub(super) resources: Resources,
    pub(super) tables: Tables,
}

impl Gathering {
    pub(super) fn new(
        began: DateTime<Utc>,
        targets: Vec<Target>,
        machines: Option<Vec<MachineId>>,
    ) -> Self {
        Self {
            began,
            targets,
            machines,
            table: 0,
            target: 0,
            token: None,
            pages: 0,
            resources: Resources::default(),
            tables: Tables::default(),
        }
    }

    /// Reads one page. After an error nothing is lost: the same page is read again.
    pub(super) async fn step(&mut self, arm: &Arm) -> Result<Step, Error> {
        let Some(table) = TABLES.get(self.table).copied() else {
            return Ok(Step::Done);
        };
        let (next, wait_seconds) = match table {
            Table::Resources => {
                let take = |own: &mut Self, row| own.resources.take(row, &mut own.tables);
                self.read(arm, RESOURCES, take).await?
            }
            Table::Instances => {
                let take = |own: &mut Self, row| own.resources.instance(row, &mut own.tables);
                self.read(arm, INSTANCES, take).await?
            }
            Table::Assessments => {
                let take = |own: &mut Self, row| own.tables.assessment(&row);
                self.read(arm, ASSESSMENTS, take).await?
            }
            Table::Offers => {
                let take = |own: &mut Self, row| own.tables.offer(&row);
                self.read(arm, OFFERS, take).await?
            }
            Table::Installs => {
                let take = |own: &mut Self, row| own.tables.install(&row);
                self.read(arm, INSTALLS, take).await?
            }
            Table::Patches => {
                let take = |own: &mut Self, row| own.tables.patch(&row);
                self.read(arm, PATCHES, take).await?
            }
            Table::Health => {
                let take = |own: &mut Self, row| own.tables.health(&row);
                self.read(arm, HEALTH, take).await?
            }
        };
        self.turn(next);
        let done = self.table == TABLES.len();
        Ok(if done {
            Step::Done
        } else {
            Step::More { wait_seconds }
        })
    }

    /// Reads a page of one table and takes its rows; returns where the next page begins, and the
    /// seconds to wait for it.
    async fn read<T: DeserializeOwned>(
        &mut self,
        arm: &Arm,
        query: Query,
        take: impl Fn(&mut Self, T),
    ) -> Result<(Option<String>, Option<u64>), Error> {
        let Some(target) = self.targets.get(self.target) else {
            return Ok((None, None));
        };
        if self.pages >= PAGES_MAX {
            let why = format!("more than {PAGES_MAX} pages");
            return Err(Error::malformed(query.what, why));
        }
        let text = text(query, self.machines.as_deref());
        let page = page(arm, query.what, target, &text, self.token.as_deref()).await?;
        for row in page.rows {
            match row {
                Ok(row) => take(self, row),
                Err(row) => self.tables.lost(row),
            }
        }
        Ok((page.next, page.wait_seconds))
    }

    /// Instances are read where there is an Azure Local VM; offers not for some machines, whose
    /// installs are what is asked for.
    fn is_wanted(&self, table: Table) -> bool {
        match table {
            Table::Instances => self.resources.has_local(),
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
            while TABLES
                .get(self.table)
                .is_some_and(|table| !self.is_wanted(*table))
            {
                self.table += 1;
            }
        }
    }
}
