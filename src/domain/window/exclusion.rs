//! Exclusions: local dates on which nothing is open.

use chrono::{NaiveDate, NaiveTime};
use serde::Serialize;

use super::{Error, Opening};
use crate::domain::zone::Zone;

/// A named range of local dates, both inclusive, that subtracts from openings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Exclusion {
    name: String,
    from: NaiveDate,
    through: NaiveDate,
}

impl Exclusion {
    /// Makes an exclusion.
    ///
    /// # Errors
    /// [`Error::ExclusionOrder`] when `through` is before `from`.
    pub fn new(
        name: impl Into<String>,
        from: NaiveDate,
        through: NaiveDate,
    ) -> Result<Exclusion, Error> {
        let name = name.into();
        if through < from {
            return Err(Error::ExclusionOrder {
                name,
                from,
                through,
            });
        }
        Ok(Exclusion {
            name,
            from,
            through,
        })
    }

    /// The exclusion's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first excluded local date.
    pub fn from(&self) -> NaiveDate {
        self.from
    }

    /// The last excluded local date.
    pub fn through(&self) -> NaiveDate {
        self.through
    }

    /// The time that is shut in a zone: local midnight of `from` to local midnight after `through`.
    ///
    /// Empty (start = end) for a date that a zone skipped, as Pacific/Apia did 2011-12-30.
    pub fn closed(&self, zone: &Zone) -> Opening {
        let after = self.through.succ_opt().unwrap_or(NaiveDate::MAX);
        let midnight = |date: NaiveDate| zone.local_to_utc(date.and_time(NaiveTime::MIN)).utc;
        Opening {
            start: midnight(self.from),
            end: midnight(after),
        }
    }
}
