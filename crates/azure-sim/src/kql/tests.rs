//! Tables of queries and what they give.
#![allow(clippy::unwrap_used)] // tests may unwrap

use std::sync::Arc;

use chrono::DateTime;
use serde_json::{Value, json};

use super::{Limits, Memory};

fn shared<const N: usize>(rows: [Value; N]) -> Vec<Arc<Value>> {
    rows.into_iter().map(Arc::new).collect()
}

fn rows(text: &str) -> Result<Vec<Value>, String> {
    let now = DateTime::parse_from_rfc3339("2026-01-10T00:00:00Z")
        .unwrap()
        .to_utc();
    let t = shared([
        json!({"id": "/A/x", "n": 1, "tags": {"App": "web", "my-tag": "q"},
                   "at": "2026-01-09T00:00:00Z", "on": true}),
        json!({"id": "/a/y", "n": 2, "tags": {"App": "db"}, "at": "2025-01-01", "on": "false"}),
        json!({"id": "/B/z", "n": null, "tags": null, "at": null, "on": null}),
    ]);
    let u = shared([
        json!({"key": "/A/x", "v": 10}),
        json!({"key": "/none", "v": 11}),
    ]);
    let tables = |name: &str| match name.to_lowercase().as_str() {
        "t" => Some(t.clone()),
        "u" => Some(u.clone()),
        _ => None,
    };
    let limits = Limits { remote_tables: 1 };
    let mut memory = Memory::default();
    let mut ask = || {
        let found = memory.run(text, now, limits, &tables);
        let found = found.map_err(|error| error.to_string())?;
        Ok(found.into_iter().map(Arc::unwrap_or_clone).collect())
    };
    let first = ask();
    for _ in 0..2 {
        assert_eq!(ask(), first, "what is remembered changes nothing: {text}");
    }
    first
}

/// Gives the column `r` of the rows a query gives.
fn column(text: &str) -> Value {
    let found = rows(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    found.into_iter().map(|row| row["r"].clone()).collect()
}

#[test]
fn conditions_keep_the_rows_they_hold_for() {
    for (condition, expected) in [
        ("id == '/A/x'", json!(["/A/x"])),
        ("id =~ '/a/X'", json!(["/A/x"])),
        ("id != '/A/x'", json!(["/a/y", "/B/z"])),
        ("id !~ '/a/X'", json!(["/a/y", "/B/z"])),
        ("id in ('/A/x', '/b/z')", json!(["/A/x"])),
        ("id in~ ('/A/x', '/b/z')", json!(["/A/x", "/B/z"])),
        ("id !in ('/A/x')", json!(["/a/y", "/B/z"])),
        ("id startswith '/a/'", json!(["/A/x", "/a/y"])),
        ("id endswith 'Z'", json!(["/B/z"])),
        ("id contains 'a'", json!(["/A/x", "/a/y"])),
        ("id !contains 'a'", json!(["/B/z"])),
        ("id has 'a'", json!(["/A/x", "/a/y"])),
        ("n > 1", json!(["/a/y"])),
        ("n >= 1 and n < 2", json!(["/A/x"])),
        ("n == 1 or n == 2", json!(["/A/x", "/a/y"])),
        ("not(n == 1)", json!(["/a/y", "/B/z"])),
        ("isnull(n)", json!(["/B/z"])),
        ("isnotnull(n)", json!(["/A/x", "/a/y"])),
        ("isnotempty(tags.App)", json!(["/A/x", "/a/y"])),
        ("isempty(tags.App)", json!(["/B/z"])),
        ("tags['my-tag'] == 'q'", json!(["/A/x"])),
        ("todatetime(at) > datetime(2025-06-01)", json!(["/A/x"])),
        (
            "todatetime(at) > datetime('2025-06-01T00:00:00Z')",
            json!(["/A/x"]),
        ),
        ("todatetime(at) >= ago(2d)", json!(["/A/x"])),
        (
            "todatetime(at) between (datetime(2025-01-01) .. now())",
            json!(["/A/x", "/a/y"]),
        ),
        ("tobool(on)", json!(["/A/x"])),
        ("tobool(on) == false", json!(["/a/y"])),
        ("n == 1 // a comment\n", json!(["/A/x"])),
    ] {
        assert_eq!(
            column(&format!("t | where {condition} | project r = id")),
            expected,
            "{condition}"
        );
    }
}

#[test]
fn functions_give_values() {
    for (expression, expected) in [
        ("tolower(id)", json!("/a/x")),
        ("toupper(id)", json!("/A/X")),
        ("tostring(n)", json!("1")),
        ("toint('7')", json!(7)),
        ("strcat(id, '-', n)", json!("/A/x-1")),
        ("split(id, '/')[1]", json!("A")),
        ("split(id, '/')[-1]", json!("x")),
        ("tostring(split(id, '/')[9])", json!("")),
        ("coalesce(tags.none, tags.App)", json!("web")),
        ("iff(n > 1, 'many', 'one')", json!("one")),
        ("case(n == 5, 'a', n == 1, 'b', 'c')", json!("b")),
        ("n + 2", json!(3)),
        ("array_length(split(id, '/'))", json!(3)),
        ("substring(id, 1, 1)", json!("A")),
        ("tags.App", json!("web")),
        ("todatetime(at)", json!("2026-01-09T00:00:00Z")),
    ] {
        let text = format!("t | where id == '/A/x' | project r = {expression}");
        assert_eq!(column(&text), json!([expected]), "{expression}");
    }
}

#[test]
fn operators_shape_rows() {
    assert_eq!(
        column("t | order by n asc | project r = n"),
        json!([null, 1, 2])
    );
    assert_eq!(
        column("t | sort by n desc | project r = n"),
        json!([2, 1, null])
    );
    assert_eq!(
        column("t | order by n | take 1 | project r = n"),
        json!([2])
    );
    assert_eq!(rows("t | limit 2 | count").unwrap(), [json!({"Count": 2})]);
    assert_eq!(
        rows("t | summarize count() by tostring(tags.App)").unwrap(),
        [
            json!({"tags_App": "", "count_": 1}),
            json!({"tags_App": "db", "count_": 1}),
            json!({"tags_App": "web", "count_": 1}),
        ]
    );
    assert_eq!(
        rows("t | summarize top = max(n), s = sum(n), c = countif(n > 1)").unwrap(),
        [json!({"top": 2, "s": 3, "c": 1})]
    );
    let join = "t | project key = id, n | join kind=leftouter (u | project key, r = v) on key \
                | project r";
    assert_eq!(column(join), json!([10, null, null]));
    let join = "t | join kind=leftouter (u | where key == 'none' | summarize r = make_list(v) \
                by id = key | order by id asc) on id | project r";
    assert_eq!(
        column(join),
        json!([null, null, null]),
        "it has columns without rows"
    );
    let join = "t | join kind=inner (u) on $left.id == $right.key | project r = v";
    assert_eq!(column(join), json!([10]));
    assert_eq!(
        column("t | where n == 1 | mv-expand r = split('a,b', ',') | project r"),
        json!(["a", "b"])
    );
    assert_eq!(
        rows("t | project id | union (t | project id) | count").unwrap(),
        [json!({"Count": 6})]
    );
}

#[test]
fn errors_say_what_is_not_known() {
    for (text, expected) in [
        ("x | take 1", "table 'x' is not supported"),
        ("t | render", "operator 'render' is not supported"),
        ("t | where foo(id)", "function 'foo' is not supported"),
        ("t | where bar == 1", "failed to resolve column 'bar'"),
        (
            "t | where id ==",
            "syntax error at character 15: an expression expected",
        ),
        (
            "t | where id == 'x",
            "syntax error at character 16: text without an end",
        ),
        (
            "t | take x",
            "syntax error at character 10: a number expected",
        ),
        (
            "t | join kind=rightanti (u) on id",
            "join kind 'rightanti' is not supported",
        ),
        (
            "t | where tolower()",
            "tolower() has a wrong number of arguments",
        ),
        (
            "t extra",
            "syntax error at character 2: unexpected text after the query",
        ),
    ] {
        assert_eq!(rows(text).unwrap_err(), expected, "{text}");
    }
}

#[test]
fn a_query_joins_three_times_and_one_other_table_once() {
    let join = |table: &str| format!(" | join kind=leftouter ({table} | project id = key) on id");
    let own = " | join kind=leftouter (t | project id) on id";
    let refused = [
        format!("t{}{}", join("u"), join("u")),
        format!("t{own}{own}{own}{own}"),
        "t | union (u | project key)".to_owned(),
        format!("t | join (t{}{}) on id", join("u"), join("v")),
    ];
    for text in refused {
        let error = rows(&text).unwrap_err();
        assert!(
            error.contains("a query may") || error.contains("united"),
            "{text}: {error}"
        );
    }
    assert!(rows(&format!("t{own}{}", join("u"))).is_ok());
}

#[test]
fn rows_are_packed_into_a_list_and_a_taken_name_gets_the_next_number() {
    let packed = rows(
        "t | summarize all = make_list(bag_pack('own', id, 'twice', id)) by one = 'x' \
         | project n = array_length(all), first = all[0].twice, own = all[0].own",
    )
    .unwrap();
    assert_eq!(packed[0]["first"], packed[0]["own"]);
    let joined = rows(
        "t | project id | join kind=inner (t | project id) on id \
         | join kind=inner (t | project id) on id",
    )
    .unwrap();
    assert_eq!(joined[0]["id2"], joined[0]["id"]);
    assert!(rows("t | project x = bag_pack('a')").is_err());
}

#[test]
fn a_row_that_is_another_is_read_anew() {
    let now = DateTime::UNIX_EPOCH;
    let limits = Limits { remote_tables: 1 };
    let mut memory = Memory::default();
    let mut table = shared([json!({"n": 1}), json!({"n": 2}), json!({"n": 3})]);
    let mut ask = |table: &Vec<Arc<Value>>| {
        let text = "T | where n > 1 | extend twice = n + n | order by n asc";
        let tables = |_: &str| Some(table.clone());
        let found = memory.run(text, now, limits, &tables).unwrap();
        found
            .iter()
            .map(|row| row["twice"].as_i64().unwrap())
            .collect::<Vec<_>>()
    };
    for _ in 0..3 {
        assert_eq!(ask(&table), [4, 6]);
    }
    table[0] = Arc::new(json!({"n": 7}));
    assert_eq!(ask(&table), [4, 6, 14]);
    table.remove(1);
    assert_eq!(ask(&table), [6, 14]);
    table.push(Arc::new(json!({"n": 0})));
    assert_eq!(ask(&table), [6, 14]);
}

#[test]
fn what_is_joined_with_groups_is_as_if_all_groups_were_made() {
    let list = (0..30).map(|n| format!("'/{n}'")).collect::<Vec<_>>();
    let list = format!("{}, '/A/x', '/B/z'", list.join(", "));
    let groups = "u | summarize r = sum(v) by id = key";
    let rows = [
        ("inner", "", json!([10])),
        ("leftouter", "", json!([10, null, null])),
        ("leftouter", &list, json!([10, null])),
        ("inner", &list, json!([10])),
        ("leftouter", "'/a/y'", json!([null])),
    ];
    for (kind, list, expected) in rows {
        let only = match list {
            "" => String::new(),
            list => format!(" | where id in ({list})"),
        };
        let text = format!("t{only} | join kind={kind} ({groups}) on id | order by id asc");
        assert_eq!(column(&text), expected, "{text}");
    }
}
