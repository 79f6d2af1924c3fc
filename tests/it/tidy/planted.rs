//! Planted bugs stay what they are: off by default, few hooks each, no hook a statement.

use std::collections::{BTreeMap, BTreeSet};

use super::pages::checkers;
use super::source::{Finding, Source, read, tree};
use super::{fires, none};

/// The feature.
const FEATURE: &str = "planted-bugs";

/// The file of the switch.
const SWITCH: &str = "src/planted.rs";

/// The most places at which one bug is hooked in.
const HOOKS_MAX: usize = 3;

/// Returns the bugs of the switch, each with the checker named for it.
fn bugs(switch: &str) -> BTreeMap<String, String> {
    let list = switch.split("\nbugs! {\n").nth(1).unwrap_or_default();
    let list = list.split("\n}\n").next().unwrap_or_default();
    let lines = list.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines
        .map(|line| {
            let mut parts = line.split('"');
            let name = parts.next().unwrap_or_default().trim();
            (name.to_owned(), parts.next().unwrap_or_default().to_owned())
        })
        .collect()
}

/// Returns the bugs that a file hooks in, once for each hook.
fn hooked(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.product().map(|(_, line)| line).collect();
    let code = lines.join("\n");
    let found = code.split("Bug::").skip(1);
    let is_name = |c: char| c.is_alphanumeric();
    found
        .map(|rest| rest.chars().take_while(|c| is_name(*c)).collect())
        .collect()
}

/// Finds hooks that open a branch of their own: there the right way cannot be read past them.
fn branches(source: &Source) -> Vec<Finding> {
    let lines: Vec<(usize, &str)> = source.product().collect();
    let mut found = Vec::new();
    for (index, line) in lines {
        let Some((_, rest)) = line.split_once("if planted::is(") else {
            continue;
        };
        let after = rest.split_once(')').map_or("", |own| own.1).trim();
        if after == "{" {
            let says = "a planted bug opens a branch of its own: make the hook an operand, or an \
                        argument of planted::pick";
            found.push(source.finding(index, says));
        }
    }
    found
}

#[test]
fn planted_bugs_are_off_unless_somebody_asks_for_them() {
    let manifest = read("Cargo.toml");
    let features = manifest.split("\n[features]\n").nth(1).unwrap();
    let features = features.split("\n[").next().unwrap();
    assert!(
        features.contains(&format!("\n{FEATURE} = []")),
        "{features}"
    );
    assert!(
        !features.contains("default"),
        "{FEATURE} is not default: {features}"
    );
    let named = manifest.matches(FEATURE).count();
    assert_eq!(named, 1, "nothing in Cargo.toml switches {FEATURE} on");
    for path in [
        "crates/kube-sim",
        "crates/azure-sim",
        "crates/control-plane",
    ] {
        let other = read(&format!("{path}/Cargo.toml"));
        assert!(!other.contains(FEATURE), "{path} switches {FEATURE} on");
    }
}

#[test]
fn each_planted_bug_has_few_hooks_and_each_hook_a_bug() {
    let bugs = bugs(&read(SWITCH));
    assert!(bugs.len() >= 34, "{} bugs", bugs.len());
    let mut hooks: BTreeMap<String, usize> = BTreeMap::new();
    let product = tree()
        .iter()
        .filter(|own| own.path.starts_with("src/") && own.path != SWITCH);
    // The list of all of them is no hook.
    for name in product.flat_map(hooked).filter(|own| own != "ALL") {
        *hooks.entry(name).or_default() += 1;
    }
    for (bug, count) in &hooks {
        assert!(bugs.contains_key(bug), "{bug} is no bug of {SWITCH}");
        assert!(
            *count <= HOOKS_MAX,
            "{bug} has {count} hooks: find one place for it"
        );
    }
    for bug in bugs.keys() {
        assert!(hooks.contains_key(bug), "{bug} is planted nowhere");
    }
}

#[test]
fn no_planted_bug_opens_a_branch_of_its_own() {
    none(tree().iter().flat_map(branches).collect());
}

#[test]
fn each_planted_bug_names_a_checker_that_exists() {
    let known: BTreeSet<String> = checkers(tree());
    for (bug, checker) in bugs(&read(SWITCH)) {
        assert!(
            known.contains(&checker),
            "{bug}: there is no checker {checker}"
        );
    }
}

#[test]
fn bugs_and_hooks_are_read_from_the_sources() {
    let switch = "\nbugs! {\n    // A group.\n    One \"window\" \"It is wrong.\";\n}\nfn a() {}\n";
    let one = ("One".to_owned(), "window".to_owned());
    assert_eq!(bugs(switch), BTreeMap::from([one]));
    let text = "let a = b && !planted::is(Bug::One);\nlet c = planted::pick(\n    Bug::Two,\n";
    assert_eq!(hooked(&Source::new("src/a.rs", text)), ["One", "Two"]);
    let path = "src/a.rs";
    fires(branches, path, "    if planted::is(Bug::One) {\n", &[1]);
    fires(branches, path, "    if !planted::is(Bug::One) {\n", &[]);
    fires(
        branches,
        path,
        "    Ok(_) if planted::is(Bug::One) => {\n",
        &[],
    );
    fires(branches, path, "    if a && planted::is(Bug::One) {\n", &[]);
}
