//! The pages say what is there: targets, modules, checkers.

use std::collections::BTreeSet;

use super::source::{Source, read, tree};

/// Targets that the README must name.
const NAMED_TARGETS: [&str; 2] = ["demo", "test"];

/// Targets that the Makefile must have.
const TARGETS: [&str; 5] = ["help", "demo", "test", "check", "crds"];

/// Returns the targets of a Makefile that say what they do.
fn targets(makefile: &str) -> BTreeSet<&str> {
    let said = makefile
        .lines()
        .filter(|line| !line.starts_with('\t') && line.contains(" ## "));
    said.filter_map(|line| Some(line.split_once(':')?.0))
        .collect()
}

/// Returns the targets that a page names as `make target`, in code.
fn named_targets(page: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for (at, _) in page.match_indices("make ") {
        let is_code = page[..at].ends_with(['`', '\n', ' ', '$']) || at == 0;
        let is_shell = page[..at].ends_with('`') || page[..at].ends_with('\n');
        let word = page[at + 5..]
            .split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit())
            .next();
        if let Some(word) = word.filter(|word| !word.is_empty() && is_code && is_shell) {
            found.insert(word);
        }
    }
    found
}

/// Returns the parts of `src/` and the packages of `crates/`, as ARCHITECTURE.md names them.
fn parts(sources: &[Source]) -> BTreeSet<String> {
    let mut parts = BTreeSet::new();
    for source in sources {
        let mut steps = source.path.split('/');
        match (steps.next(), steps.next(), steps.next()) {
            (Some("src"), Some(folder), Some(_)) => {
                // A module with a file beside its folder is named once, by its file.
                let file = format!("src/{folder}.rs");
                let has_file = sources.iter().any(|own| own.path == file);
                parts.insert(if has_file {
                    format!("{folder}.rs")
                } else {
                    format!("{folder}/")
                });
            }
            (Some("src"), Some(file), None) => {
                parts.insert(file.to_owned());
            }
            (Some("crates"), Some(name), _) => {
                parts.insert(format!("{name}/"));
            }
            _ => {}
        }
    }
    parts
}

/// Returns the names that the checkers of invariants give themselves.
pub(super) fn checkers(sources: &[Source]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for source in sources
        .iter()
        .filter(|own| own.path.starts_with("src/rehearsal/invariants"))
    {
        let pairs = source
            .lines
            .iter()
            .zip(source.lines.iter().skip(1))
            .enumerate();
        for (index, (line, next)) in pairs {
            if line.trim() == "fn name(&self) -> &'static str {" && !source.is_test[index] {
                names.insert(next.trim().trim_matches('"').to_owned());
            }
        }
    }
    names
}

/// Returns the checkers of ARCHITECTURE.md: what stands in backticks in the last column of the
/// table of invariants.
fn told_checkers(page: &str) -> BTreeSet<String> {
    let section = page
        .split("\n## ")
        .find(|own| own.starts_with("What must always hold"));
    let rows = section
        .unwrap_or_default()
        .lines()
        .filter(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next());
    let words = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    words.map(str::to_owned).collect()
}

#[test]
fn the_readme_names_targets_that_exist() {
    let makefile = read("Makefile");
    let targets = targets(&makefile);
    for own in TARGETS {
        assert!(
            targets.contains(own),
            "Makefile: add `{own}: ## what it does`"
        );
    }
    for page in ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"] {
        let text = read(page);
        for own in named_targets(&text) {
            assert!(
                targets.contains(own),
                "{page}: `make {own}` is no target of the Makefile"
            );
        }
    }
    let readme = read("README.md");
    for own in NAMED_TARGETS {
        assert!(
            named_targets(&readme).contains(own),
            "README.md: name `make {own}`"
        );
    }
}

#[test]
fn ci_runs_what_the_readme_names() {
    let script = read(".ci/run");
    for own in NAMED_TARGETS {
        let call = format!(" make {own}\n");
        assert!(
            script.contains(&call),
            ".ci/run: call `make {own}`, as README.md does"
        );
    }
}

#[test]
fn the_changelog_has_a_place_for_what_is_new() {
    assert!(
        read("CHANGELOG.md").contains("\n## Unreleased\n"),
        "CHANGELOG.md: add `## Unreleased`"
    );
}

#[test]
fn the_architecture_names_every_part() {
    let page = read("ARCHITECTURE.md");
    for part in parts(tree()) {
        let says = format!("ARCHITECTURE.md: say in the code map what `{part}` is");
        assert!(page.contains(&format!("`{part}`")), "{says}");
    }
}

#[test]
fn the_architecture_names_every_checker_and_no_other() {
    let sources = tree();
    let all = sources
        .iter()
        .find(|own| own.path == "src/rehearsal/invariants/mod.rs");
    let list = all
        .expect("the checkers live in src/rehearsal/invariants")
        .code
        .join("\n");
    let found = checkers(sources);
    assert_eq!(
        list.matches("Box::new(").count(),
        found.len(),
        "each checker names itself once"
    );
    let told = told_checkers(&read("ARCHITECTURE.md"));
    let cure = "ARCHITECTURE.md, \"What must always hold\": the last column of the table names \
                the checkers of src/rehearsal/invariants";
    assert_eq!(told, found, "{cure}");
}

#[test]
fn what_a_page_names_is_read_from_it() {
    let page = "Type `make demo`, or\n\n    \nmake test\nto make sure of `make it`.\n";
    assert_eq!(named_targets(page), BTreeSet::from(["demo", "test", "it"]));
    let makefile = "demo: a ## Shows\n\tmake x ## no\nhidden:\n";
    assert_eq!(targets(makefile), BTreeSet::from(["demo"]));
    let page =
        "\n## What must always hold\n\n| it | `no` | `window`, `once` |\n\n## Next\n| `x` |\n";
    let expected: BTreeSet<String> = ["window", "once"].map(str::to_owned).into();
    assert_eq!(told_checkers(page), expected);
}

#[test]
fn parts_and_checkers_are_read_from_the_sources() {
    let sources = [
        Source::new("src/a.rs", ""),
        Source::new("src/a/b.rs", ""),
        Source::new("src/c/mod.rs", ""),
        Source::new("crates/d/src/lib.rs", ""),
        Source::new(
            "src/rehearsal/invariants/e.rs",
            "    fn name(&self) -> &'static str {\n        \"once\"\n    }\n",
        ),
    ];
    let expected = ["a.rs", "c/", "d/", "rehearsal/"].map(str::to_owned);
    assert_eq!(parts(&sources), BTreeSet::from(expected));
    assert_eq!(checkers(&sources), BTreeSet::from(["once".to_owned()]));
}
