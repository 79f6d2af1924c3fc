//! Holds the table of Azure regions. Must never know subscriptions or machines.

const REGIONS_CSV: &str = include_str!("../../../data/azure-regions.csv");

/// One Azure region as the locations API knows it.
#[derive(Debug, Clone)]
pub(crate) struct Region {
    pub(crate) name: String,
    pub(crate) display_name: String,
    pub(crate) geography: String,
    pub(crate) paired: Option<String>,
    pub(crate) zones: bool,
    pub(crate) cloud: String,
}

/// Reads the embedded table of regions.
pub(crate) fn regions() -> Vec<Region> {
    let mut reader = csv::Reader::from_reader(REGIONS_CSV.as_bytes());
    reader
        .records()
        .filter_map(Result::ok)
        .filter_map(|row| parse(&row))
        .collect()
}

fn parse(row: &csv::StringRecord) -> Option<Region> {
    Some(Region {
        name: row.get(0)?.to_owned(),
        display_name: row.get(1)?.to_owned(),
        geography: row.get(2)?.to_owned(),
        paired: row
            .get(3)
            .filter(|name| !name.is_empty())
            .map(str::to_owned),
        zones: row.get(4)? == "yes",
        cloud: row.get(5)?.to_owned(),
    })
}
