//! The two release files as CSV: columns, bounds, and what is wrong with a row.

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::NaiveDate;

use super::{Build, Error, Kb, OsTrack, Provenance, ReleaseKind, StandardUpdate};

/// The columns of a file of hotpatch releases, in order.
pub const RELEASE_COLUMNS: [&str; 6] = ["os", "release_date", "kb", "kind", "build", "source"];

/// The columns of a file of standard updates, in order.
pub const STANDARD_COLUMNS: [&str; 5] = ["os", "release_date", "kb", "type", "build"];

/// The most rows that one file may have.
pub const MAX_ROWS: usize = 2_000;

/// The largest file that is read, in bytes; a ConfigMap holds at most 1 MiB.
pub const MAX_FILE_BYTES: usize = 1 << 20;

/// Says what is wrong with one row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    /// The row is not CSV or has another number of fields than the header.
    #[error("cannot be read: {cause}")]
    Csv {
        /// What the reader said.
        cause: String,
    },
    /// A field has a value that it cannot have.
    #[error("{column}: {cause}")]
    Field {
        /// The column.
        column: &'static str,
        /// What is wrong with the value.
        cause: String,
    },
    /// The KB stands in an earlier row of the same file and product.
    #[error("{kb} is listed twice")]
    Repeated {
        /// The KB.
        kb: Kb,
    },
    /// An out-of-band release on a second Tuesday, where it would pass for the month's own.
    #[error("an out-of-band release cannot fall on the second Tuesday")]
    OutOfBandOnPatchTuesday,
}

/// A row of a file of hotpatch releases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReleaseRow {
    pub(super) track: OsTrack,
    pub(super) date: NaiveDate,
    pub(super) kb: Kb,
    pub(super) kind: ReleaseKind,
    pub(super) build: Option<Build>,
    pub(super) provenance: Provenance,
    pub(super) source: String,
}

/// Reads a file of hotpatch releases.
pub(super) fn releases(text: &str) -> Result<Vec<ReleaseRow>, Error> {
    let mut seen = BTreeSet::new();
    read(text, &RELEASE_COLUMNS, |record| {
        let row = ReleaseRow {
            track: field(record, &RELEASE_COLUMNS, 0)?,
            date: date(record)?,
            kb: field(record, &RELEASE_COLUMNS, 2)?,
            kind: field(record, &RELEASE_COLUMNS, 3)?,
            build: build(record)?,
            provenance: provenance(&record[5]),
            source: record[5].trim().to_owned(),
        };
        if !seen.insert((row.track, row.kb)) {
            return Err(RowFault::Repeated { kb: row.kb });
        }
        if row.kind == ReleaseKind::OobHotpatch && row.track.rule_on(row.date).is_some() {
            return Err(RowFault::OutOfBandOnPatchTuesday);
        }
        Ok(row)
    })
}

/// Reads a file of standard updates.
pub(super) fn standard_updates(text: &str) -> Result<Vec<StandardUpdate>, Error> {
    let mut seen = BTreeSet::new();
    read(text, &STANDARD_COLUMNS, |record| {
        let row = StandardUpdate {
            track: field(record, &STANDARD_COLUMNS, 0)?,
            date: date(record)?,
            kb: field(record, &STANDARD_COLUMNS, 2)?,
            kind: field(record, &STANDARD_COLUMNS, 3)?,
            build: build(record)?,
        };
        if !seen.insert((row.track, row.kb)) {
            return Err(RowFault::Repeated { kb: row.kb });
        }
        Ok(row)
    })
}

fn read<R>(
    text: &str,
    columns: &[&str],
    mut one: impl FnMut(&csv::StringRecord) -> Result<R, RowFault>,
) -> Result<Vec<R>, Error> {
    if text.len() > MAX_FILE_BYTES {
        return Err(Error::TooLarge { bytes: text.len() });
    }
    let wrong_columns = || Error::Columns {
        columns: columns.join(","),
    };
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    if reader
        .headers()
        .map_err(|_| wrong_columns())?
        .iter()
        .ne(columns.iter().copied())
    {
        return Err(wrong_columns());
    }
    let mut rows = Vec::new();
    for (index, record) in reader.records().enumerate() {
        if index >= MAX_ROWS {
            return Err(Error::TooManyRows);
        }
        let row = record
            .map_err(|cause| RowFault::Csv {
                cause: cause.to_string(),
            })
            .and_then(|record| one(&record))
            .map_err(|fault| Error::Row {
                row: index + 1,
                fault,
            })?;
        rows.push(row);
    }
    Ok(rows)
}

fn field<T: FromStr<Err = Error>>(
    record: &csv::StringRecord,
    columns: &[&'static str],
    index: usize,
) -> Result<T, RowFault> {
    let value = record[index].trim().parse();
    value.map_err(|cause: Error| RowFault::Field {
        column: columns[index],
        cause: cause.to_string(),
    })
}

fn date(record: &csv::StringRecord) -> Result<NaiveDate, RowFault> {
    let (column, text) = (RELEASE_COLUMNS[1], record[1].trim());
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    // Parsing alone would take 2026-1-3, and years beyond any calendar.
    date.filter(|date| text.len() == 10 && date.to_string() == text)
        .ok_or_else(|| RowFault::Field {
            column,
            cause: format!("{text:?} is no date; write it like 2026-10-13"),
        })
}

fn build(record: &csv::StringRecord) -> Result<Option<Build>, RowFault> {
    if record[4].trim().is_empty() {
        Ok(None)
    } else {
        field(record, &RELEASE_COLUMNS, 4).map(Some)
    }
}

/// Reads the mark in the source column.
///
/// UNVERIFIED counts in any letter case, so that a slip errs towards doubt. INFERRED counts in
/// capitals only: sources say of single fields, such as a build, that they were inferred.
fn provenance(source: &str) -> Provenance {
    if source.to_ascii_uppercase().contains("UNVERIFIED") {
        Provenance::Unverified
    } else if source.contains("INFERRED") {
        Provenance::Inferred
    } else {
        Provenance::Verified
    }
}
