//! What the operator costs Azure, Kubernetes and its host, measured; and what a script on
//! Microsoft's Python client does with the same job.
//!
//! Measured is the operator's own binary in a process of its own. Both emulators are in this
//! process, behind loopback sockets, and all calls, commands and writes are counted there.

mod arena;
mod killed;
pub(crate) mod log;
mod manifests;
mod months;
mod process;
mod rows;
pub(crate) mod table;
pub(crate) mod waves;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Serialize;

use self::manifests::Fleet;
use self::months::Life;
use self::table::{Doer, Row};
use self::waves::Wave;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The world cannot be set up.
    #[error("cannot set the world up: {0}")]
    SetUp(String),
    /// A file, folder or program cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The operator ended by itself.
    #[error("the operator ended by itself:\n{0}")]
    Ended(String),
    /// It takes too long.
    #[error("not done at {0}:\n{1}")]
    TooLong(DateTime<Utc>, String),
    /// Something did not come about in the time that it has.
    #[error("not in time: {0}")]
    Unfinished(String),
}

impl Error {
    fn file(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        Self::File { path, source }
    }
}

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// The operator.
    pub(crate) binary: PathBuf,
    /// How many machines there are, once for each number.
    pub(crate) sizes: Vec<usize>,
    /// Whether two whole months are lived through, which takes minutes.
    pub(crate) months: bool,
    /// How many machines the job has that is killed halfway; 0 for none.
    pub(crate) job: usize,
    /// A Python with Microsoft's client.
    pub(crate) python: Option<PathBuf>,
}

/// Everything that one number of machines came to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) by_platform: Option<Life>,
    pub(crate) by_operator: Option<Life>,
    pub(crate) wave: Wave,
    pub(crate) foreign: Wave,
}

/// What the bench came to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) machines: Vec<usize>,
    pub(crate) rows: Vec<Row>,
    pub(crate) killed: Vec<Doer>,
    pub(crate) measured: Vec<Measured>,
}

/// Measures everything; `tell` hears what is being measured.
pub(crate) async fn measure(order: &Order, tell: &dyn Fn(&str)) -> Result<Figures, Error> {
    let mut measured = Vec::new();
    for machines in order.sizes.iter().copied() {
        let by_platform = month(order, machines, "Platform", "None", tell).await?;
        let by_operator = month(order, machines, "Operator", "All", tell).await?;
        tell(&format!("{machines} machines: all at once, alone"));
        let wave = waves::pass(&order.binary, machines, 0).await?;
        tell_figures(&wave, tell);
        tell(&format!(
            "{machines} machines: all at once, somebody else takes 30 % of the buckets"
        ));
        let foreign = waves::pass(&order.binary, machines, 30).await?;
        tell_figures(&foreign, tell);
        measured.push(Measured {
            by_platform,
            by_operator,
            wave,
            foreign,
        });
    }
    let killed = jobs(order, tell).await?;
    Ok(Figures {
        machines: order.sizes.clone(),
        rows: rows::rows(&measured),
        killed,
        measured,
    })
}

/// Lives through two months, where they are wanted.
async fn month(
    order: &Order,
    machines: usize,
    installer: &'static str,
    records: &'static str,
    tell: &dyn Fn(&str),
) -> Result<Option<Life>, Error> {
    if !order.months {
        return Ok(None);
    }
    tell(&format!(
        "{machines} machines: two months, hotpatches by {installer}, records {records}"
    ));
    let fleet = Fleet {
        installer,
        records,
        max_unavailable: "20%",
        ..Fleet::default()
    };
    let life = months::live(&order.binary, machines, fleet).await?;
    tell_figures(&life, tell);
    Ok(Some(life))
}

/// Has the same job done by all, killed halfway.
async fn jobs(order: &Order, tell: &dyn Fn(&str)) -> Result<Vec<Doer>, Error> {
    let machines = order.job;
    let mut doers = Vec::new();
    if machines == 0 {
        return Ok(doers);
    }
    tell(&format!(
        "{machines} machines: the operator, killed halfway and run again"
    ));
    let job = killed::by_operator(&order.binary, machines).await?;
    tell_figures(&job, tell);
    doers.push(Doer {
        who: "the operator",
        job,
    });
    let Some(python) = &order.python else {
        return Ok(doers);
    };
    for (assesses, who) in [
        (false, "a script on azure-mgmt-compute, 64 threads"),
        (true, "the same, asking first what is offered"),
    ] {
        tell(&format!(
            "{machines} machines: {who}, killed halfway and run again"
        ));
        let job = killed::by_script(python, machines, assesses).await?;
        tell_figures(&job, tell);
        doers.push(Doer { who, job });
    }
    Ok(doers)
}

/// Tells figures as soon as they are there: what is broken off later has measured something.
fn tell_figures(figures: &impl Serialize, tell: &dyn Fn(&str)) {
    tell(&serde_json::to_string(figures).expect("figures are plain data"));
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("a constant of this program")
}
