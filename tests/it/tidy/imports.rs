//! Imports run one way: cli → simulation → rehearsal → controller → {telemetry, validate, record,
//! status} → azure → {domain, api} → nothing; the switch of planted bugs lies below them all.

use super::source::{Finding, Source, names, tree};
use super::{fires, none};

/// What a part of `src/` may import.
struct Layer {
    /// The module, below `src/`.
    module: &'static str,
    /// Modules of this crate.
    modules: &'static [&'static str],
    /// Other crates, or paths into them.
    crates: &'static [&'static str],
}

/// The whole architecture. `*` is everything.
const LAYERS: [Layer; 12] = [
    Layer {
        module: "planted",
        modules: &[],
        crates: &["std"],
    },
    Layer {
        module: "api",
        modules: &[],
        crates: &[
            "std",
            "chrono",
            "k8s_openapi",
            "kube",
            "schemars",
            "serde",
            "serde_json",
        ],
    },
    Layer {
        module: "domain",
        modules: &["planted"],
        crates: &["std", "chrono", "csv", "serde", "thiserror"],
    },
    Layer {
        module: "validate",
        modules: &["api", "domain", "record"],
        crates: VALUES,
    },
    Layer {
        module: "record",
        modules: &["api", "domain"],
        crates: VALUES,
    },
    Layer {
        module: "status",
        modules: &["api", "domain"],
        crates: VALUES,
    },
    Layer {
        module: "azure",
        modules: &["domain", "planted"],
        crates: &[
            "std",
            "bytes",
            "chrono",
            "futures",
            "http",
            "http_body_util",
            "hyper_rustls",
            "hyper_util",
            "rustls",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "tracing",
            "zeroize",
        ],
    },
    Layer {
        module: "telemetry",
        modules: &["azure"],
        crates: &[
            "std",
            "bytes",
            "futures",
            "http",
            "http_body_util",
            "hyper",
            "hyper_util",
            "prometheus_client",
            "tokio",
            "tower",
            "tracing",
        ],
    },
    Layer {
        module: "controller",
        modules: &[
            "api",
            "azure",
            "domain",
            "planted",
            "record",
            "status",
            "telemetry",
            "validate",
        ],
        crates: &[
            "std",
            "chrono",
            "futures",
            "http",
            "http_body_util",
            "k8s_openapi",
            "kube",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
            "tokio",
            "tracing",
            "uuid",
        ],
    },
    Layer {
        module: "rehearsal",
        modules: &[
            "api",
            "azure",
            "controller",
            "domain",
            "planted",
            "record",
            "status",
            "telemetry",
            "validate",
        ],
        crates: &[
            "std",
            "azure_sim",
            "bytes",
            "chrono",
            "fastrand",
            "futures",
            "http",
            "http_body",
            "http_body_util",
            "k8s_openapi",
            "kube",
            "kube_sim",
            "serde",
            "serde_json",
            "serde_saphyr",
            "sha2",
            "thiserror",
            "tokio",
            "tower",
            "tracing",
            "uuid",
        ],
    },
    Layer {
        module: "simulation",
        modules: &["api", "controller", "domain", "planted", "rehearsal"],
        crates: &[
            "std",
            "azure_sim",
            "chrono",
            "fastrand",
            "k8s_openapi",
            "kube",
            "kube_sim",
            "serde",
            "serde_json",
            "serde_saphyr",
            "sha2",
            "thiserror",
            "tokio",
        ],
    },
    Layer {
        module: "cli",
        modules: &["*"],
        crates: &["*"],
    },
];

/// What pure translations between values may use: types, hashes and text, nothing that acts.
const VALUES: &[&str] = &[
    "std",
    "chrono",
    "k8s_openapi",
    "kube::Resource",
    "kube::ResourceExt",
    "serde",
    "serde_json",
    "sha2",
    "thiserror",
    "uuid",
];

/// What single files may import beyond their layer, and what nobody else of the layer may.
const DOORS: [(&str, &str); 2] = [
    ("src/domain/zone.rs", "jiff"),
    ("src/azure/transport/sim.rs", "azure_sim"),
];

/// The parts of std that act. No layer below the controller may name them but where a line here
/// says so.
const ACTING_STD: [&str; 6] = [
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::time::Instant",
];

/// Files below the controller that may use a part of std that acts.
const ACTING_DOORS: [(&str, &str); 2] = [
    ("src/azure/transport/https.rs", "std::net"),
    ("src/azure/transport/https.rs", "std::fs"),
];

/// Layers that never act.
const STILL: [&str; 5] = ["api", "domain", "validate", "record", "status"];

/// Words that have no place in code that never acts.
const ACTING_WORDS: [&str; 4] = ["async", "await", "tokio", "tracing"];

/// Returns the part of `src/` that a file belongs to.
fn module_of(path: &str) -> Option<&str> {
    let below = path.strip_prefix("src/")?;
    let first = below.split('/').next()?;
    Some(first.strip_suffix(".rs").unwrap_or(first))
}

/// The crates that the packages of this workspace name, as code spells them.
fn known_crates(manifest: &str) -> Vec<String> {
    let mut known = vec!["std".to_owned(), "core".to_owned(), "alloc".to_owned()];
    let mut within = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            within = line.contains("dependencies]");
        } else if within && let Some((name, _)) = line.split_once(['=', '.']) {
            known.push(name.trim().replace('-', "_"));
        }
    }
    known
}

/// One path in code: its first names, joined by `::`, and the line.
struct Use {
    index: usize,
    path: String,
}

/// Returns the paths of a file, outside tests, that begin at a crate.
fn paths(source: &Source, known: &[String]) -> Vec<Use> {
    let mut found = Vec::new();
    for (index, line) in source.product() {
        for (at, name) in names(line) {
            let before = line[..at].trim_end();
            let rest = &line[at + name.len()..];
            let is_use = before.ends_with("use") && rest.trim_start().starts_with(';');
            let starts = !before.ends_with("::") && !before.ends_with('.');
            let is_path = rest.starts_with("::") || is_use;
            let is_crate = known.iter().any(|own| own == name) || name == "crate";
            let is_local = name == "crate" && before.ends_with('$');
            if !starts || !is_path || !is_crate || is_local {
                continue;
            }
            let path: String = line[at..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '{'))
                .collect();
            found.push(Use { index, path });
        }
    }
    found
}

/// Tells whether `path` is `prefix` or below it.
fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Finds imports that run the wrong way.
fn wrong_way(source: &Source, known: &[String]) -> Vec<Finding> {
    let Some(module) = module_of(&source.path).filter(|_| source.is_rust()) else {
        return Vec::new();
    };
    if matches!(module, "main" | "lib" | "bin") {
        return Vec::new();
    }
    let Some(layer) = LAYERS.iter().find(|own| own.module == module) else {
        let says = format!(
            "`{module}` has no layer: say in LAYERS of tests/it/tidy/imports.rs \
                            what it may import, and in ARCHITECTURE.md what it is"
        );
        return vec![source.finding(0, says)];
    };
    let mut findings = Vec::new();
    for own in paths(source, known) {
        if let Some(says) = fault(source, layer, &own.path) {
            findings.push(source.finding(own.index, says));
        }
    }
    findings.extend(beyond_the_root(source));
    findings
}

fn fault(source: &Source, layer: &Layer, path: &str) -> Option<String> {
    if let Some(rest) = path.strip_prefix("crate::") {
        let module = rest.split("::").next().unwrap_or_default();
        if module.starts_with('{') {
            return Some("write one `use crate::module` a line, so that the way shows".to_owned());
        }
        let may =
            module == layer.module || [module, "*"].iter().any(|own| layer.modules.contains(own));
        return (!may).then(|| {
            let (from, to) = (layer.module, module);
            format!("`{from}` may not import `{to}`: pass it in, or move the type down to `domain`")
        });
    }
    let may = layer
        .crates
        .iter()
        .any(|own| *own == "*" || is_below(path, own));
    let has_door = DOORS
        .iter()
        .any(|(file, own)| *file == source.path && is_below(path, own));
    if !may && !has_door {
        let name = layer.module;
        return Some(format!(
            "`{name}` may not use `{path}`: do this in the shell, or in one file \
                             that hides it"
        ));
    }
    let acting = ACTING_STD.iter().find(|own| is_below(path, own))?;
    let is_still = STILL.contains(&layer.module) || layer.module == "azure";
    let door = ACTING_DOORS
        .iter()
        .any(|(file, own)| *file == source.path && own == acting);
    (is_still && !door).then(|| format!("`{acting}` acts; `{}` only computes", layer.module))
}

/// Finds `super::` chains that leave a file's own part of `src/` unseen.
fn beyond_the_root(source: &Source) -> Vec<Finding> {
    let stem = source
        .path
        .trim_start_matches("src/")
        .trim_end_matches(".rs");
    let depth = stem.trim_end_matches("/mod").split('/').count();
    let too_far = "super::".repeat(depth);
    let lines = source.product().filter(|(_, line)| line.contains(&too_far));
    lines
        .map(|(index, _)| source.finding(index, "write `crate::` to leave the module"))
        .collect()
}

/// Finds words of doing in code that only computes.
fn acting(source: &Source) -> Vec<Finding> {
    let module = module_of(&source.path).unwrap_or_default();
    if !source.is_rust() || !STILL.contains(&module) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (index, line) in source.product() {
        for (_, name) in names(line)
            .iter()
            .filter(|(_, name)| ACTING_WORDS.contains(name))
        {
            let says = format!(
                "`{name}` has no place in `{module}`, which only computes: do it \
                                in `controller`"
            );
            findings.push(source.finding(index, says));
        }
    }
    findings
}

/// Finds in the simulators what they must not know.
fn simulators_know_too_much(source: &Source) -> Vec<Finding> {
    let of = |name: &str| source.path.starts_with(&format!("crates/{name}/"));
    let banned: &[&str] = match () {
        () if of("kube-sim") => &["hotpatch", "azure"],
        () if of("azure-sim") => &["kube", "k8s", "hotpatch_operator", "hotpatch-operator"],
        () => return Vec::new(),
    };
    // Azure has a product that is called hotpatching; only code and manifests are looked at there.
    let lines = if source.is_rust() && of("azure-sim") {
        &source.code
    } else {
        &source.lines
    };
    let mut findings = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let line = line.to_lowercase();
        for word in banned.iter().filter(|word| line.contains(**word)) {
            let says =
                format!("a simulator knows nothing of \"{word}\": put it into src/rehearsal");
            findings.push(source.finding(index, says));
        }
    }
    findings
}

#[test]
fn imports_run_one_way() {
    let known = known_crates(&super::source::read("Cargo.toml"));
    none(
        tree()
            .iter()
            .flat_map(|own| wrong_way(own, &known))
            .collect(),
    );
}

#[test]
fn what_only_computes_does_not_act() {
    none(tree().iter().flat_map(acting).collect());
}

#[test]
fn the_simulators_know_nothing_of_each_other_nor_of_the_operator() {
    none(tree().iter().flat_map(simulators_know_too_much).collect());
}

#[test]
fn every_layer_imports_only_layers_above_it_in_the_list() {
    for (index, layer) in LAYERS.iter().enumerate() {
        for module in layer.modules.iter().filter(|own| **own != "*") {
            let at = LAYERS.iter().position(|own| own.module == *module);
            let lower = at.is_some_and(|at| at < index)
                || (layer.module, *module) == ("validate", "record");
            assert!(
                lower,
                "{} imports {module}, which stands below it",
                layer.module
            );
        }
    }
}

#[test]
fn an_import_the_wrong_way_is_found() {
    let known: Vec<String> = [
        "std",
        "kube",
        "tokio",
        "jiff",
        "serde_json",
        "azure_sim",
        "csv",
    ]
    .map(str::to_owned)
    .into();
    let rule = |source: &Source| wrong_way(source, &known);
    let cases: &[(&str, &str, &[usize])] = &[
        (
            "src/domain/plan.rs",
            "use crate::domain::run::Run;\nuse std::fmt;\nuse csv::Reader;",
            &[],
        ),
        ("src/domain/plan.rs", "use crate::controller::Shell;", &[1]),
        ("src/domain/plan.rs", "fn a() -> kube::Client { b() }", &[1]),
        ("src/domain/plan.rs", "\nuse crate::{api, domain};", &[2]),
        (
            "src/domain/plan.rs",
            "use super::super::azure::Cloud;",
            &[1],
        ),
        (
            "src/domain/plan.rs",
            "let a = std::time::Instant::now();",
            &[1],
        ),
        (
            "src/domain/plan.rs",
            "/// As `kube::Client` does.\nlet a = \"tokio::spawn\";",
            &[],
        ),
        (
            "src/domain/plan.rs",
            "#[cfg(test)]\nmod tests {\n    use serde_json::json;\n}",
            &[],
        ),
        ("src/domain/zone.rs", "use jiff::tz::TimeZone;", &[]),
        ("src/domain/window.rs", "use jiff::tz::TimeZone;", &[1]),
        ("src/api/fleet.rs", "use crate::domain::fleet::Fleet;", &[1]),
        ("src/status.rs", "use crate::azure::Cloud;", &[1]),
        (
            "src/status.rs",
            "use kube::Resource;\nuse kube::Client;",
            &[2],
        ),
        ("src/status.rs", "use super::azure::Cloud;", &[1]),
        (
            "src/azure/arm.rs",
            "use crate::api::HotpatchRun;\nuse azure_sim::AzureSim;",
            &[1, 2],
        ),
        (
            "src/azure/transport/sim.rs",
            "use azure_sim::AzureSim;",
            &[],
        ),
        (
            "src/controller/act.rs",
            "use crate::rehearsal::world::World;",
            &[1],
        ),
        ("src/helpers.rs", "", &[1]),
    ];
    for (path, text, lines) in cases {
        fires(rule, path, text, lines);
    }
}

#[test]
fn a_word_of_doing_is_found() {
    fires(
        acting,
        "src/domain/plan.rs",
        "async fn a() {\n    b().await;\n}",
        &[1, 2],
    );
    fires(acting, "src/validate.rs", "// async\nfn is_async() {}", &[]);
    fires(acting, "src/controller/act.rs", "async fn a() {}", &[]);
}

#[test]
fn a_simulator_that_knows_too_much_is_found() {
    let rule = simulators_know_too_much;
    fires(
        rule,
        "crates/kube-sim/src/lib.rs",
        "// for Hotpatch runs",
        &[1],
    );
    fires(
        rule,
        "crates/azure-sim/src/lib.rs",
        "// no Kubernetes\nuse kube::Client;",
        &[2],
    );
    fires(
        rule,
        "crates/azure-sim/Cargo.toml",
        "kube-sim = { path = \"../kube-sim\" }",
        &[1],
    );
    fires(rule, "src/lib.rs", "use kube::Client;", &[]);
}
