//! Azure regions and their geo pairs.
//!
//! Pairs are not symmetric: brazilsouth names southcentralus, which names northcentralus. What must
//! not be down together is therefore the connected group, over pairs read in both directions. Data:
//! `data/azure-regions.csv` (Azure reliability documentation, list of regions). Must never guess:
//! a region that is not listed is unknown, not unpaired.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

const EMBEDDED: &str = include_str!("../../data/azure-regions.csv");

/// The columns of a region file, in order.
pub const COLUMNS: [&str; 7] = [
    "region_name",
    "display_name",
    "geography",
    "paired_region",
    "availability_zones",
    "cloud",
    "source",
];

/// The most rows that a region file may have.
pub const MAX_ROWS: usize = 1_000;

static REGIONS: LazyLock<Arc<Regions>> = LazyLock::new(|| {
    let found = Regions::parse(EMBEDDED);
    Arc::new(found.expect("a test reads the embedded region file"))
});

/// Says what is wrong with a region file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not CSV of seven columns.
    #[error("the region file cannot be read")]
    Csv(#[from] csv::Error),
    /// The header differs from [`COLUMNS`].
    #[error("the region file must have the columns {}", COLUMNS.join(","))]
    Columns,
    /// A row without a region name.
    #[error("region row {row} names no region")]
    NoName {
        /// Number of the row, the first below the header being 1.
        row: usize,
    },
    /// Two rows for one region.
    #[error("region row {row} repeats region {region}")]
    Repeated {
        /// Number of the row, the first below the header being 1.
        row: usize,
        /// The region.
        region: String,
    },
    /// More rows than [`MAX_ROWS`].
    #[error("the region file has more than {MAX_ROWS} rows")]
    TooManyRows,
}

/// The group of regions that count as one geo pair.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PairGroup {
    /// The region is not listed: its pair is unknown, not absent.
    Unknown,
    /// The region is listed and has no pair.
    Unpaired,
    /// The first region name of the connected group; a stable key for all its members.
    Group(String),
}

impl fmt::Display for PairGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PairGroup::Unknown => f.write_str("unknown"),
            PairGroup::Unpaired => f.write_str("unpaired"),
            PairGroup::Group(key) => f.write_str(key),
        }
    }
}

/// Writes a region's name the way ARM compares it: `West Europe` becomes `westeurope`.
///
/// Portal names with a leading geography, `(Europe) West Europe`, lose it.
pub fn normalise(region: &str) -> String {
    let region = region.trim();
    let name = match region
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(')'))
    {
        Some((_, name)) => name,
        None => region,
    };
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The regions and their groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regions {
    /// Region name to the first name of its group; its own name when it has no pair.
    group_of: BTreeMap<String, String>,
    members: BTreeMap<String, BTreeSet<String>>,
    /// What the groups were made of: region and pair, the pair empty where there is none.
    pairs: BTreeSet<(String, String)>,
    display_names: BTreeMap<String, String>,
}

impl Regions {
    /// The regions embedded in the program.
    pub fn embedded() -> &'static Regions {
        &REGIONS
    }

    /// The same, to be kept.
    pub fn shared() -> Arc<Regions> {
        Arc::clone(&REGIONS)
    }

    /// Reads a region file with the columns [`COLUMNS`].
    ///
    /// # Errors
    /// Names the first row that is wrong.
    pub fn parse(text: &str) -> Result<Regions, Error> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        if reader.headers()?.iter().ne(COLUMNS) {
            return Err(Error::Columns);
        }
        let mut display_names = BTreeMap::new();
        let mut pairs = BTreeSet::new();
        for (index, record) in reader.records().enumerate() {
            let (row, record) = (index + 1, record?);
            if row > MAX_ROWS {
                return Err(Error::TooManyRows);
            }
            let region = normalise(&record[0]);
            if region.is_empty() {
                return Err(Error::NoName { row });
            }
            if display_names
                .insert(region.clone(), record[1].to_owned())
                .is_some()
            {
                return Err(Error::Repeated { row, region });
            }
            pairs.insert((region, normalise(&record[3])));
        }
        Ok(Regions::of(pairs, display_names))
    }

    /// Returns the embedded regions with pairs that Azure told, both given as [`normalise`] writes
    /// them. What Azure says of a region stands instead of what is embedded; a region of which it
    /// names no pair keeps the embedded one, because silence proves nothing.
    pub fn shared_with(told: &BTreeSet<(&str, &str)>) -> Arc<Regions> {
        let known = |region: &str, pair: &str| {
            let (region, pair) = (region.to_owned(), pair.to_owned());
            REGIONS.pairs.contains(&(region, pair))
        };
        if told.iter().all(|(region, pair)| known(region, pair)) {
            return Regions::shared();
        }
        let named: BTreeSet<&str> = told.iter().map(|(region, _)| *region).collect();
        let embedded = REGIONS.pairs.iter();
        let embedded = embedded.filter(|(region, _)| !named.contains(region.as_str()));
        let told = told
            .iter()
            .map(|(region, pair)| ((*region).to_owned(), (*pair).to_owned()));
        let pairs = embedded.cloned().chain(told).collect();
        Arc::new(Regions::of(pairs, REGIONS.display_names.clone()))
    }

    /// Returns the regions of both with the pairs of both: what one knows to be a pair is one.
    pub fn both(own: &Arc<Regions>, other: &Arc<Regions>) -> Arc<Regions> {
        if own == other {
            return Arc::clone(own);
        }
        let pairs = own.pairs.union(&other.pairs).cloned().collect();
        Arc::new(Regions::of(pairs, own.display_names.clone()))
    }

    fn of(pairs: BTreeSet<(String, String)>, display_names: BTreeMap<String, String>) -> Regions {
        let members = connect(&pairs);
        let group_of = members
            .iter()
            .flat_map(|(key, names)| names.iter().map(|name| (name.clone(), key.clone())))
            .collect();
        Regions {
            group_of,
            members,
            pairs,
            display_names,
        }
    }

    /// The pair group of a region, given by name or display name.
    pub fn pair_group(&self, region: &str) -> PairGroup {
        let Some(key) = self.group_of.get(&normalise(region)) else {
            return PairGroup::Unknown;
        };
        match self.members.get(key) {
            Some(names) if names.len() > 1 => PairGroup::Group(key.clone()),
            _ => PairGroup::Unpaired,
        }
    }

    /// All regions of the region's group with itself, sorted; empty for an unknown region.
    pub fn group_members(&self, region: &str) -> Vec<&str> {
        let key = self.group_of.get(&normalise(region));
        let names = key.and_then(|key| self.members.get(key));
        names.into_iter().flatten().map(String::as_str).collect()
    }

    /// The name that people read, such as `West Europe`.
    pub fn display_name(&self, region: &str) -> Option<&str> {
        self.display_names
            .get(&normalise(region))
            .map(String::as_str)
    }

    /// The names of all regions with a row, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.display_names.keys().map(String::as_str)
    }
}

/// Gives the connected groups under their first names, pairs read in both directions.
fn connect(pairs: &BTreeSet<(String, String)>) -> BTreeMap<String, BTreeSet<String>> {
    let mut neighbours: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (region, pair) in pairs {
        let own = neighbours.entry(region).or_default();
        if !pair.is_empty() {
            own.insert(pair);
            neighbours.entry(pair).or_default().insert(region);
        }
    }
    let mut groups = BTreeMap::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for first in neighbours.keys().copied() {
        if !seen.insert(first) {
            continue;
        }
        let mut group = BTreeSet::from([first.to_owned()]);
        let mut open = vec![first];
        while let Some(region) = open.pop() {
            for next in neighbours.get(region).into_iter().flatten().copied() {
                if seen.insert(next) {
                    group.insert(next.to_owned());
                    open.push(next);
                }
            }
        }
        groups.insert(first.to_owned(), group);
    }
    groups
}

#[cfg(test)]
mod tests;
