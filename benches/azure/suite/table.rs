//! The figures beside what the design asks for. Must never invent one: what was not measured has
//! no cell.

use std::fmt::Write as _;

use serde::Serialize;

use super::killed::Job;

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Better {
    Less,
    More,
}

/// What is asked of a figure.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Goal {
    /// What it must reach.
    pub(crate) floor: f64,
    /// What it should reach.
    pub(crate) aim: f64,
    pub(crate) better: Better,
}

/// How a figure stands to its goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Verdict {
    AimMet,
    FloorMet,
    Missed,
}

impl Goal {
    pub(crate) fn judge(&self, figure: f64) -> Verdict {
        let reaches = |goal: f64| match self.better {
            Better::Less => figure <= goal,
            Better::More => figure >= goal,
        };
        if reaches(self.aim) {
            Verdict::AimMet
        } else if reaches(self.floor) {
            Verdict::FloorMet
        } else {
            Verdict::Missed
        }
    }
}

impl Verdict {
    fn words(self) -> &'static str {
        match self {
            Self::AimMet => "aim met",
            Self::FloorMet => "floor met",
            Self::Missed => "MISSED",
        }
    }
}

/// One line: a figure at each number of machines.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) what: &'static str,
    /// By number of machines; none where it was not measured.
    pub(crate) figures: Vec<Option<f64>>,
    #[serde(skip)]
    pub(crate) decimals: usize,
    pub(crate) goal: Option<Goal>,
    /// Of the largest number of machines.
    pub(crate) verdict: Option<Verdict>,
}

impl Row {
    pub(crate) fn new(what: &'static str, decimals: usize, figures: Vec<Option<f64>>) -> Self {
        Self {
            what,
            figures,
            decimals,
            goal: None,
            verdict: None,
        }
    }

    /// Sets what is asked of the figure at the largest number of machines.
    pub(crate) fn goal(mut self, better: Better, floor: f64, aim: f64) -> Self {
        let goal = Goal { floor, aim, better };
        let last = self.figures.last().copied().flatten();
        self.verdict = last.map(|own| goal.judge(own));
        self.goal = Some(goal);
        self
    }

    fn cells(&self) -> Vec<String> {
        let number = |own: f64| format!("{own:.*}", self.decimals);
        let mut cells = vec![self.what.to_owned()];
        let figures = self.figures.iter();
        cells.extend(figures.map(|own| own.map_or("not measured".to_owned(), number)));
        match &self.goal {
            // As they are written in the design, not rounded.
            Some(goal) => cells.extend([goal.floor.to_string(), goal.aim.to_string()]),
            None => cells.extend([String::new(), String::new()]),
        }
        let verdict = self.verdict.map_or("", Verdict::words);
        cells.push(verdict.to_owned());
        cells
    }
}

/// Who did the job that was killed halfway, and what it came to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Doer {
    pub(crate) who: &'static str,
    pub(crate) job: Job,
}

impl Doer {
    fn cells(&self) -> Vec<String> {
        let own = &self.job;
        vec![
            self.who.to_owned(),
            own.machines.to_string(),
            own.installed_at_death.to_string(),
            own.repeated.to_string(),
            own.refused.to_string(),
            own.reboots_repeated.to_string(),
            own.current.to_string(),
            format!("{:.2}", own.calls_per_machine),
            own.throttled.to_string(),
            format!("{:.1}", own.cpu_seconds),
            format!("{:.0}", mega(own.peak_bytes)),
        ]
    }
}

/// Turns bytes into MB of a million.
#[expect(
    clippy::cast_precision_loss,
    reason = "bytes of a process are far below 2^52"
)]
pub(crate) fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Writes the first part of the table.
pub(crate) fn figures(sizes: &[usize], rows: &[Row]) -> String {
    let Some(largest) = sizes.last() else {
        return String::new();
    };
    let mut head = vec!["the operator, its own process".to_owned()];
    head.extend(sizes.iter().map(|own| format!("{own} machines")));
    head.extend([
        "floor".to_owned(),
        "aim".to_owned(),
        format!("at {largest}"),
    ]);
    let cells: Vec<Vec<String>> = rows.iter().map(Row::cells).collect();
    aligned(&head, &cells)
}

/// Writes the second part.
pub(crate) fn doers(doers: &[Doer]) -> String {
    let head = [
        "killed -9 halfway and run again",
        "machines",
        "installed at death",
        "installs repeated",
        "refused as busy",
        "reboots repeated",
        "current in the end",
        "calls per machine",
        "429s",
        "CPU s",
        "peak MB",
    ];
    let cells: Vec<Vec<String>> = doers.iter().map(Doer::cells).collect();
    aligned(&head.map(str::to_owned), &cells)
}

/// Writes columns: the first to the left, the others to the right.
fn aligned(head: &[String], rows: &[Vec<String>]) -> String {
    let all = || std::iter::once(head).chain(rows.iter().map(Vec::as_slice));
    let mut widths = vec![0; head.len()];
    for row in all() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in all() {
        let mut line = String::new();
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // A String takes all that is written to it.
            let _ = if index == 0 {
                write!(line, "{cell:<width$}")
            } else {
                write!(line, "  {cell:>width$}")
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
