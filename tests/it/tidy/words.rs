//! Words that must not stand in the tree, and calls that belong to one place.

use super::source::{Finding, Source, tree};
use super::{fires, found, none};

/// The files that name the words they look for.
const THIS: &str = "tests/it/tidy";

/// Marks of unfinished work.
const UNFINISHED: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// Macros of unfinished work.
const UNFINISHED_MACROS: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

/// Folders that exist on one machine only.
const MACHINE_FOLDERS: [&str; 4] = ["/home/", "/root/", "/work/", "/Users/"];

/// Hosts that serve packages. Which of them is used is the business of the machine that builds.
const REGISTRY_HOSTS: [&str; 9] = [
    "index.crates.io",
    "static.crates.io",
    "proxy.golang.org",
    "registry.npmjs.org",
    "pypi.org",
    "files.pythonhosted.org",
    "repo.maven.apache.org",
    "repo1.maven.org",
    "deb.debian.org",
];

/// A call, where it may stand, and why nowhere else. Product code only.
struct Only {
    call: &'static str,
    at: &'static [&'static str],
    cure: &'static str,
}

const CLOCK: &[&str] = &[
    "src/controller/clock.rs",
    "crates/azure-sim/src/bin/azure-sim/clock.rs",
];
const CLOCK_CURE: &str = "time is an argument: take `now`, or ask `controller::clock::Clock`";
const SENDS: &[&str] = &["src/controller/act/", "src/azure/", "crates/"];
const SENDS_CURE: &str = "only `controller::act` sends commands, after an intent and a renewal";

const ONLY: [Only; 10] = [
    Only {
        call: "SystemTime::now",
        at: CLOCK,
        cure: CLOCK_CURE,
    },
    Only {
        call: "Utc::now",
        at: CLOCK,
        cure: CLOCK_CURE,
    },
    Only {
        call: "Local::now",
        at: CLOCK,
        cure: CLOCK_CURE,
    },
    Only {
        call: "Timestamp::now",
        at: CLOCK,
        cure: CLOCK_CURE,
    },
    Only {
        call: "Zoned::now",
        at: CLOCK,
        cure: CLOCK_CURE,
    },
    Only {
        call: "cloud.install(",
        at: SENDS,
        cure: SENDS_CURE,
    },
    Only {
        call: "cloud.restart(",
        at: SENDS,
        cure: SENDS_CURE,
    },
    Only {
        call: "cloud.assess(",
        at: SENDS,
        cure: SENDS_CURE,
    },
    Only {
        call: "cloud.change(",
        at: &[
            "src/controller/act/",
            "src/azure/",
            "src/cli/release.rs",
            "crates/",
        ],
        cure: SENDS_CURE,
    },
    Only {
        call: "thread_rng",
        at: &[],
        cure: "chance comes from a seed that is an argument",
    },
];

fn unfinished(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if source.path.starts_with(THIS) {
        return findings;
    }
    for (index, line) in source.lines.iter().enumerate() {
        let is_word = |word: &str| {
            super::source::names(line)
                .iter()
                .any(|(_, name)| *name == word)
        };
        for word in UNFINISHED.iter().filter(|word| is_word(word)) {
            let says = format!("\"{word}\": finish it, or write an issue and say here what holds");
            findings.push(source.finding(index, says));
        }
    }
    for (index, line) in source.code.iter().enumerate() {
        for own in UNFINISHED_MACROS.iter().filter(|own| line.contains(**own)) {
            findings.push(source.finding(index, format!("`{own}` panics or prints: finish it")));
        }
    }
    findings
}

/// Finds paths and hosts of single machines.
fn of_one_machine(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if source.path.starts_with(THIS) {
        return findings;
    }
    for (index, line) in source.lines.iter().enumerate() {
        for folder in MACHINE_FOLDERS {
            let starts = line.match_indices(folder).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '.' | '}' | '_' | '-'))
            });
            if starts {
                let says = format!("\"{folder}…\" exists on one machine: use a relative path");
                findings.push(source.finding(index, says));
            }
        }
        for host in REGISTRY_HOSTS.iter().filter(|host| line.contains(**host)) {
            let says = format!("{host}: which registry serves packages is the machine's business");
            findings.push(source.finding(index, says));
        }
    }
    findings
}

/// Finds lints that are switched off without a word.
fn silent(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in source.code.iter().enumerate() {
        let starts = ["#[allow(", "#![allow(", "#[expect(", "#![expect("];
        if !starts.iter().any(|own| line.contains(own)) {
            continue;
        }
        let end = (index..source.code.len()).find(|&own| source.code[own].contains(")]"));
        let whole = &source.lines[index..=end.unwrap_or(index)];
        let is_said = whole
            .iter()
            .any(|own| own.contains("reason =") || own.contains("//"));
        let above = index
            .checked_sub(1)
            .map(|own| source.lines[own].trim_start());
        let is_said_above = above.is_some_and(|own| own.starts_with("//"));
        if !is_said && !is_said_above {
            findings
                .push(source.finding(index, "say why: `reason = \"…\"`, or a comment beside it"));
        }
    }
    findings
}

fn out_of_place(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !source.path.starts_with("src/") && !source.path.starts_with("crates/") {
        return findings;
    }
    for (index, line) in source.product() {
        for own in ONLY.iter().filter(|own| line.contains(own.call)) {
            if !own.at.iter().any(|at| source.path.starts_with(at)) {
                findings.push(source.finding(index, format!("`{}`: {}", own.call, own.cure)));
            }
        }
    }
    findings
}

#[test]
fn nothing_is_unfinished() {
    none(tree().iter().flat_map(unfinished).collect());
}

#[test]
fn nothing_names_one_machine() {
    none(tree().iter().flat_map(of_one_machine).collect());
}

#[test]
fn no_lint_is_switched_off_without_a_reason() {
    none(tree().iter().flat_map(silent).collect());
}

#[test]
fn only_the_clock_reads_time_and_only_act_sends_commands() {
    none(tree().iter().flat_map(out_of_place).collect());
}

#[test]
fn unfinished_work_is_found() {
    fires(
        unfinished,
        "src/a.rs",
        "// TODO: later\nfn a() { todo!() }\n/* FIXME */",
        &[1, 3, 2],
    );
    fires(unfinished, "README.md", "a TODO list", &[1]);
    fires(unfinished, "Cargo.toml", "todo = \"warn\"", &[]);
    fires(unfinished, "src/a.rs", "let a = \"dbg!\"; // todo!", &[]);
}

#[test]
fn the_path_of_one_machine_is_found() {
    fires(
        of_one_machine,
        "Makefile",
        "\tcp /home/me/x .\nA=/work/x\n(/root/y)",
        &[1, 2, 3],
    );
    fires(
        of_one_machine,
        "README.md",
        "https://learn.example/home/a and ./work/b",
        &[],
    );
    fires(
        of_one_machine,
        "deny.toml",
        "a = \"https://index.crates.io/\"",
        &[1],
    );
    fires(
        of_one_machine,
        "deny.toml",
        "allow-registry = [\"a/crates.io-index\"]",
        &[],
    );
}

#[test]
fn a_silent_lint_is_found_and_its_cure_is_named() {
    let lines = found(silent, "src/a.rs", "\n#[allow(dead_code)]\nfn a() {}");
    assert_eq!(
        lines,
        ["2: say why: `reason = \"…\"`, or a comment beside it"]
    );
    fires(
        silent,
        "src/a.rs",
        "#[allow(dead_code)] // a mirror of the wire",
        &[],
    );
    fires(
        silent,
        "src/a.rs",
        "// tests may unwrap\n#![allow(clippy::unwrap_used)]",
        &[],
    );
    fires(
        silent,
        "src/a.rs",
        "#[expect(\n    dead_code,\n    reason = \"b\"\n)]",
        &[],
    );
    fires(
        silent,
        "src/a.rs",
        "#[expect(\n    dead_code\n)]\nlet a = 1; // b",
        &[1],
    );
}

#[test]
fn a_call_out_of_place_is_found() {
    fires(
        out_of_place,
        "src/domain/plan.rs",
        "let now = Utc::now();",
        &[1],
    );
    fires(
        out_of_place,
        "src/controller/clock.rs",
        "let now = SystemTime::now();",
        &[],
    );
    fires(
        out_of_place,
        "src/controller/observe.rs",
        "cloud.install(&id, kind).await",
        &[1],
    );
    fires(
        out_of_place,
        "src/controller/act/send.rs",
        "cloud.install(&id, kind).await",
        &[],
    );
    fires(
        out_of_place,
        "src/a.rs",
        "#[cfg(test)]\nmod tests {\n    Utc::now();\n}",
        &[],
    );
}
