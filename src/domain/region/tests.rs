#![allow(clippy::unwrap_used)] // tests may unwrap

use super::*;

fn group(region: &str) -> PairGroup {
    Regions::embedded().pair_group(region)
}

fn of(key: &str) -> PairGroup {
    PairGroup::Group(key.to_owned())
}

#[test]
fn pairs_group_in_both_directions() {
    for (region, expected) in [
        ("westeurope", of("northeurope")),
        ("northeurope", of("northeurope")),
        ("West Europe", of("northeurope")),
        ("(Europe) West Europe", of("northeurope")),
        // brazilsoutheast → brazilsouth → southcentralus ↔ northcentralus
        ("brazilsoutheast", of("brazilsouth")),
        ("southcentralus", of("brazilsouth")),
        ("northcentralus", of("brazilsouth")),
        // westus3 → eastus ↔ westus
        ("westus3", of("eastus")),
        ("westus", of("eastus")),
        // westindia → southindia ↔ centralindia ← indiasouthcentral
        ("westindia", of("centralindia")),
        ("indiasouthcentral", of("centralindia")),
        ("usgovarizona", of("usgovarizona")),
        ("usgovvirginia", of("usgovarizona")),
        ("chinanorth3", of("chinaeast3")),
        ("austriaeast", PairGroup::Unpaired),
        ("polandcentral", PairGroup::Unpaired),
        ("", PairGroup::Unknown),
        ("global", PairGroup::Unknown),
        ("atlantisnorth", PairGroup::Unknown),
    ] {
        assert_eq!(group(region), expected, "{region}");
    }
}

#[test]
fn every_region_shares_its_group_with_its_pair() {
    let mut reader = csv::Reader::from_reader(EMBEDDED.as_bytes());
    let mut paired = 0;
    for record in reader.records() {
        let record = record.unwrap();
        if !record[3].is_empty() {
            paired += 1;
            assert_eq!(group(&record[0]), group(&record[3]), "{}", &record[0]);
            assert!(
                matches!(group(&record[0]), PairGroup::Group(_)),
                "{}",
                &record[0]
            );
        }
    }
    assert!(paired > 50, "{paired}");
}

#[test]
fn display_names_of_the_real_file_lead_to_their_regions() {
    let regions = Regions::embedded();
    assert!(regions.names().count() > 60);
    for name in regions.names() {
        assert_eq!(normalise(regions.display_name(name).unwrap()), name);
        assert_eq!(normalise(name), name);
    }
}

#[test]
fn a_group_lists_its_members() {
    let regions = Regions::embedded();
    assert_eq!(
        regions.group_members("West US"),
        ["eastus", "westus", "westus3"]
    );
    assert_eq!(regions.group_members("austriaeast"), ["austriaeast"]);
    assert!(regions.group_members("atlantisnorth").is_empty());
}

#[test]
fn a_pair_that_has_no_row_of_its_own_still_counts() {
    let header = COLUMNS.join(",");
    let regions = Regions::parse(&format!("{header}\na,A,G,b,no,public,s\n")).unwrap();
    assert_eq!(regions.pair_group("b"), of("a"));
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let mut lines: Vec<&str> = EMBEDDED.lines().collect();
    lines[1..].reverse();
    assert_eq!(
        &Regions::parse(&lines.join("\n")).unwrap(),
        Regions::embedded()
    );
}

#[test]
fn a_wrong_file_names_its_row() {
    let header = COLUMNS.join(",");
    for (text, message) in [
        (
            "a,b\n",
            "the region file must have the columns region_name,",
        ),
        (
            &format!("{header}\na,A,G,,no,public,s\na,A,G,,no,public,s\n"),
            "region row 2 repeats",
        ),
        (
            &format!("{header}\n,A,G,,no,public,s\n"),
            "region row 1 names no region",
        ),
        (
            &format!("{header}\na,A\n"),
            "the region file cannot be read",
        ),
    ] {
        let error = Regions::parse(text).expect_err(text).to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn what_azure_says_of_a_region_comes_before_the_file_and_its_silence_does_not() {
    let told = |pairs: &[(&'static str, &'static str)]| {
        Regions::shared_with(&pairs.iter().copied().collect())
    };
    // Told, a region, and the group that it is in.
    type Row<'a> = (&'a [(&'static str, &'static str)], &'a str, PairGroup);
    let rows: [Row<'_>; 6] = [
        (&[], "westeurope", of("northeurope")),
        (
            &[("westeurope", "northeurope")],
            "westeurope",
            of("northeurope"),
        ),
        // The file pairs polandcentral with nobody; told from either side, both are in it.
        (
            &[("polandcentral", "swedencentral")],
            "polandcentral",
            of("polandcentral"),
        ),
        (
            &[("atlantisnorth", "polandcentral")],
            "polandcentral",
            of("atlantisnorth"),
        ),
        (
            &[("atlantisnorth", "polandcentral")],
            "atlantisnorth",
            of("atlantisnorth"),
        ),
        (
            &[("atlantisnorth", "polandcentral")],
            "westeurope",
            of("northeurope"),
        ),
    ];
    for (pairs, region, expected) in rows {
        assert_eq!(
            told(pairs).pair_group(region),
            expected,
            "{pairs:?} {region}"
        );
    }
    // Both halves of a pair that Azure pairs anew leave each other.
    let anew = told(&[
        ("westeurope", "polandcentral"),
        ("northeurope", "austriaeast"),
    ]);
    assert_eq!(anew.pair_group("westeurope"), of("polandcentral"));
    assert_eq!(anew.pair_group("northeurope"), of("austriaeast"));
    assert!(
        Arc::ptr_eq(&told(&[]), &Regions::shared()),
        "nothing new costs nothing"
    );
    let both = Regions::both(&anew, &Regions::shared());
    for region in ["northeurope", "polandcentral", "austriaeast"] {
        assert_eq!(
            both.pair_group(region),
            both.pair_group("westeurope"),
            "{region}"
        );
    }
}
