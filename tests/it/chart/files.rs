//! The files of the chart agree with each other and with the tree. Needs no Helm.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::{path, read, yaml};

/// The default rendering, without the definitions; `chart_renders_as_the_golden_file` keeps it.
pub(super) const GOLDEN: &str = "tests/chart/default.yaml";

/// The option that lets scripts run in guests.
pub(super) const SCRIPTS: &str = "--allow-run-commands";

fn tree(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn texts(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

#[test]
fn the_definitions_of_the_chart_are_those_of_the_tree() {
    let tree = texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("crds"));
    let chart = texts(&path("files/crds"));
    let differ: Vec<&String> = tree
        .keys()
        .chain(chart.keys())
        .filter(|name| tree.get(*name) != chart.get(*name))
        .collect();
    let cure = "charts/hotpatch-operator/files/crds is stale: run `make crds`";
    assert!(differ.is_empty(), "{cure} ({differ:?} differ)");
}

#[test]
fn the_chart_is_of_this_version() {
    let chart: Value = yaml("Chart.yaml");
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["name"], env!("CARGO_PKG_NAME"));
}

/// One value of the chart.
#[derive(Debug, PartialEq, Eq)]
struct Setting {
    path: String,
    default: String,
    help: String,
}

/// Reads the values with their comments. A value is a scalar, a list, or a map that holds nothing
/// with a comment of its own.
fn settings(text: &str) -> Vec<Setting> {
    let values: Value = serde_saphyr::from_str(text).unwrap();
    let mut found = Vec::new();
    let mut parents: Vec<(usize, String)> = Vec::new();
    let mut help: Vec<String> = Vec::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if let Some(comment) = line.strip_prefix('#') {
            help.push(comment.trim().to_owned());
            continue;
        }
        let Some((key, _)) = line.split_once(':') else {
            help.clear();
            continue;
        };
        parents.retain(|(own, _)| *own < indent);
        let names = parents.iter().map(|own| own.1.as_str()).chain([key]);
        let path = names.collect::<Vec<_>>().join(".");
        parents.push((indent, key.to_owned()));
        let value = values.pointer(&format!("/{}", path.replace('.', "/")));
        let value = value.unwrap_or_else(|| panic!("{path} is no value"));
        if !help.is_empty() {
            found.push(Setting {
                path,
                default: value.to_string(),
                help: std::mem::take(&mut help).join(" "),
            });
        }
    }
    found
}

/// Returns the paths of everything in the values below which the schema knows no fixed fields.
fn leaves(value: &Value, schema: &Value, path: &str, into: &mut BTreeSet<String>) {
    match (value, schema["properties"].as_object()) {
        (Value::Object(fields), Some(properties)) => {
            for (name, value) in fields {
                let below = format!("{path}.{name}");
                let schema = properties.get(name);
                let schema = schema.unwrap_or_else(|| panic!("{below} is not in the schema"));
                leaves(value, schema, below.trim_start_matches('.'), into);
            }
        }
        _ => {
            into.insert(path.to_owned());
        }
    }
}

#[test]
fn every_value_has_a_comment_and_stands_in_the_schema() {
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    let values: Value = yaml("values.yaml");
    let mut paths = BTreeSet::new();
    leaves(&values, &schema, "", &mut paths);
    let told: Vec<Setting> = settings(&read("values.yaml"));
    // What a pod asks for is one value, though its schema knows the fields.
    let is_told = |path: &str| {
        told.iter()
            .any(|own| own.path == path || path.starts_with(&format!("{}.", own.path)))
    };
    let silent: Vec<&String> = paths.iter().filter(|path| !is_told(path)).collect();
    assert!(silent.is_empty(), "values.yaml: say what {silent:?} is");
}

#[test]
fn the_schema_knows_every_value_and_nothing_else_is_allowed() {
    const WORDS: [&str; 22] = [
        "$schema",
        "title",
        "type",
        "properties",
        "additionalProperties",
        "required",
        "items",
        "enum",
        "const",
        "pattern",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "minItems",
        "maxItems",
        "uniqueItems",
        "maxProperties",
        "not",
        "if",
        "then",
        "else",
    ];
    fn walk(node: &Value, values: Option<&Value>, path: &str) {
        for word in node.as_object().unwrap().keys() {
            assert!(WORDS.contains(&word.as_str()), "{path}: {word}");
        }
        let Some(properties) = node["properties"].as_object() else {
            return;
        };
        assert_eq!(node["additionalProperties"], false, "{path}");
        assert_eq!(node["type"], "object", "{path}");
        for (name, schema) in properties {
            let below = format!("{path}.{name}");
            let value = values.and_then(|own| own.get(name));
            // Helm gives every chart `global`; claims are seldom asked for.
            let is_optional = ["global", "claims"].contains(&name.as_str());
            assert!(value.is_some() || is_optional, "{below} is no value");
            walk(schema, value, &below);
        }
    }
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    walk(&schema, Some(&yaml("values.yaml")), "");
}

#[test]
fn the_table_of_values_is_made_from_them() {
    let mut table = String::from("| value | default | what it is |\n| --- | --- | --- |\n");
    for own in settings(&read("values.yaml")) {
        let default = own.default.replace('|', "\\|");
        let row = format!("| `{}` | `{default}` | {} |\n", own.path, own.help);
        table.push_str(&row);
    }
    assert!(
        read("README.md").contains(&table),
        "charts/hotpatch-operator/README.md: its table must be\n\n{table}"
    );
}

/// Returns the documents of the default rendering.
fn golden() -> Vec<Value> {
    let text = tree(GOLDEN);
    let documents = text.split("\n---\n").filter(|own| own.contains("kind:"));
    documents
        .map(|own| serde_saphyr::from_str(own).unwrap_or_else(|error| panic!("{error}\n{own}")))
        .collect()
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let found: Vec<&Value> = objects.iter().filter(|own| own["kind"] == kind).collect();
    assert!(!found.is_empty(), "no {kind} in {GOLDEN}");
    found
}

#[test]
fn pods_meet_the_restricted_profile() {
    let objects = golden();
    let pod = &of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"];
    for name in ["hostNetwork", "hostPID", "hostIPC"] {
        assert!(pod[name].is_null(), "{name}");
    }
    let own = &pod["securityContext"];
    assert_eq!(own["runAsNonRoot"], true);
    assert_eq!(own["seccompProfile"]["type"], "RuntimeDefault");
    for container in pod["containers"].as_array().unwrap() {
        let own = &container["securityContext"];
        assert_eq!(own["allowPrivilegeEscalation"], false);
        assert_eq!(own["readOnlyRootFilesystem"], true);
        assert_eq!(own["capabilities"]["drop"][0], "ALL");
        assert!(own["capabilities"]["add"].is_null());
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let path = container[probe]["httpGet"]["path"].as_str().unwrap();
            assert!(["/livez", "/readyz"].contains(&path), "{path}");
        }
        for what in ["requests", "limits"] {
            assert!(container["resources"][what]["memory"].is_string(), "{what}");
        }
    }
    for volume in pod["volumes"].as_array().into_iter().flatten() {
        assert!(volume["hostPath"].is_null(), "{volume}");
    }
}

#[test]
fn the_rendered_rights_are_those_of_the_files() {
    let objects = golden();
    let roles: Vec<&Value> = objects
        .iter()
        .filter(|own| ["Role", "ClusterRole"].contains(&own["kind"].as_str().unwrap()))
        .collect();
    let mut rendered: Vec<Value> = roles.iter().map(|own| own["rules"].clone()).collect();
    // Rights on ServiceAccounts come from the values: by name, to read and to request tokens.
    let mut on_accounts = Vec::new();
    for rules in rendered.iter_mut().filter_map(Value::as_array_mut) {
        let is_other = |rule: &Value| !rule["resources"].to_string().contains("serviceaccounts");
        let taken = rules.iter().filter(|rule| !is_other(rule)).cloned();
        on_accounts.extend(taken);
        rules.retain(is_other);
    }
    let rule = |resource: &str, verb: &str| {
        serde_json::json!({
            "apiGroups": [""], "resources": [resource], "resourceNames": ["hotpatch"],
            "verbs": [verb],
        })
    };
    let expected = [
        rule("serviceaccounts", "get"),
        rule("serviceaccounts/token", "create"),
    ];
    assert_eq!(on_accounts, expected);
    let files = [
        "watched",
        "cluster",
        "own",
        "people-view",
        "people-edit",
        "people-request",
    ];
    for file in files {
        let rules: Value = yaml(&format!("files/rbac/{file}.yaml"));
        let at = rendered.iter().position(|own| *own == rules);
        rendered.remove(at.unwrap_or_else(|| panic!("no role has the rules of {file}.yaml")));
    }
    assert!(
        rendered.is_empty(),
        "a role has rules of no file: {rendered:#?}"
    );
}

#[test]
fn the_deployment_asks_for_what_the_command_line_has() {
    let objects = golden();
    let container =
        &of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0];
    let args = container["args"].as_array().unwrap();
    let mut args: Vec<&str> = args.iter().map(|own| own.as_str().unwrap()).collect();
    assert_eq!(args.remove(0), "run");
    let help = hotpatch_operator::cli::help("run").unwrap();
    for arg in args {
        let option = arg.split('=').next().unwrap();
        let known = help.contains(&format!("{option} ")) || help.contains(&format!("{option}\n"));
        assert!(known, "{option} is no option of `run`");
    }
}

#[test]
fn scripts_run_in_guests_only_where_the_value_for_it_says_so() {
    let values: Value = yaml("values.yaml");
    assert_eq!(values["runCommands"]["allow"], false);
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    let own = &schema["properties"]["runCommands"];
    assert_eq!(own["properties"]["allow"]["type"], "boolean");
    assert!(!tree(GOLDEN).contains(SCRIPTS), "not by default");
    let help = hotpatch_operator::cli::help("run").unwrap();
    assert!(help.contains(SCRIPTS), "no option of `run`");
    // The option stands once, and nothing but the value's own condition lets it through.
    let template = read("templates/deployment.yaml");
    let lines: Vec<&str> = template.lines().map(str::trim).collect();
    let places: Vec<usize> = (0..lines.len())
        .filter(|at| lines[*at].contains(SCRIPTS))
        .collect();
    assert_eq!(places.len(), 1, "{places:?}");
    let around = &lines[places[0] - 1..=places[0] + 1];
    let wanted = [
        "{{- if .Values.runCommands.allow }}",
        "- --allow-run-commands",
        "{{- end }}",
    ];
    assert_eq!(around, wanted);
    let others = std::fs::read_dir(path("templates")).unwrap();
    let others = others.map(|entry| entry.unwrap().path());
    for other in others.filter(|own| !own.ends_with("deployment.yaml")) {
        let text = std::fs::read_to_string(&other).unwrap();
        assert!(!text.contains(SCRIPTS), "{}", other.display());
    }
}
