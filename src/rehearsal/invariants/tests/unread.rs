//! What cannot be read: the checkers of the unknown and of what is damaged.

use super::*;
use crate::rehearsal::doubt::Doubt;

fn sending(machine: &str, command: &str) -> (String, String, String) {
    ("web/run-1".to_owned(), id(machine), command.to_owned())
}

/// A pass that sends to the first, would send to the second, and could to the third in turn, with
/// something of machine `a` made unknown.
fn doubted(sent: &[&str], doubted: &[&str], in_turn: &[&str]) -> Tale {
    let set = |names: &[&str]| names.iter().map(|own| sending(own, "Finish")).collect();
    let mut tale = Tale::new();
    tale.take_in(Happening::Doubted(Arc::new(Doubt {
        at: tale.at,
        lost: "health",
        machine: Some(id("a")),
        sent: set(sent),
        doubted: set(doubted),
        in_turn: set(in_turn),
    })));
    tale
}

#[test]
fn a_command_that_only_what_is_unknown_allows_is_found() {
    // What is sent, what would be, what could be in the turn of `a`, and whether that is right.
    type Row = (
        &'static [&'static str],
        &'static [&'static str],
        &'static [&'static str],
        bool,
    );
    let rows: [Row; 11] = [
        (&[], &[], &[], true),
        (&["a", "b"], &["b"], &[], true),
        (&["b"], &["b"], &[], true),
        (&["b"], &["a", "b"], &[], false),
        (&[], &["a"], &["a"], false),
        (&[], &["b"], &["b"], false),
        (&["a"], &["b"], &["b", "c"], true),
        (&["a"], &["b", "c"], &["b"], false),
        (&["a", "b"], &["a", "b", "c"], &[], false),
        (&["b"], &["c"], &["c"], true),
        (&["b"], &["c"], &[], false),
    ];
    for (place, (sent, would, in_turn, is_right)) in rows.into_iter().enumerate() {
        let tale = doubted(sent, would, in_turn);
        println!("row {place}");
        match is_right {
            true => tale.holds(),
            false => tale.violates("unknown"),
        }
    }
}

#[test]
fn another_command_than_the_one_before_is_one_more() {
    let mut tale = Tale::new();
    tale.take_in(Happening::Doubted(Arc::new(Doubt {
        at: tale.at,
        lost: "reboots of its installs",
        machine: Some(id("a")),
        sent: [sending("a", "Stage")].into(),
        doubted: [sending("a", "Finish")].into(),
        in_turn: [sending("a", "Finish")].into(),
    })));
    tale.violates("unknown");
}

/// Writes an entry as somebody else would.
fn damage(tale: &mut Tale, machine: &str, entry: Value) {
    let entries = tale.run["status"]["machines"].as_array_mut().unwrap();
    entries.retain(|own| own["id"] != id(machine).as_str());
    entries.push(entry);
    tale.write_run();
}

fn flying(machine: &str) -> Value {
    json!({"id": id(machine), "step": "Flying"})
}

#[test]
fn what_is_damaged_stays_or_ends_and_the_others_go_on() {
    let mut tale = Tale::new();
    tale.step("a", "Planned", "");
    damage(&mut tale, "a", flying("a"));
    tale.command("b", "r2");
    damage(
        &mut tale,
        "c",
        json!({"id": id("c"), "step": "Planned", "altitude": 3}),
    );
    damage(&mut tale, "c", json!({"id": id("c"), "step": "Corrupt"}));
    tale.run["status"]["conditions"] = json!([{
        "type": "Held", "status": "True", "reason": "NotUnderstood", "message": "a",
        "lastTransitionTime": NIGHT,
    }]);
    tale.write_run();
    tale.ended("b", "r2");
    tale.step("a", "Skipped", "");
    tale.holds();
}

#[test]
fn a_damaged_entry_that_is_guessed_back_is_found() {
    for step in ["Planned", "Starting", "Running", "Unknown", "Succeeded"] {
        for damaged in [
            flying("a"),
            json!({"id": id("a"), "step": step, "altitude": 3}),
        ] {
            let mut tale = Tale::new();
            damage(&mut tale, "a", damaged);
            tale.step("a", step, "r1");
            tale.violates("quarantine");
        }
    }
}

#[test]
fn a_command_for_what_is_damaged_is_found() {
    let mut entry = flying("a");
    entry["requestId"] = json!("r1");
    let mut tale = Tale::new();
    damage(&mut tale, "a", entry);
    tale.command("a", "r1");
    tale.violates("quarantine");
    let mut whole = Tale::new();
    whole.run["status"]["altitude"] = json!(3);
    whole.write_run();
    whole.command("b", "r2");
    whole.violates("quarantine");
    // Damaged after the intent: its writer could not know.
    let mut late = Tale::new();
    late.step("a", "Starting", "r1");
    late.lease("process-1", 1);
    let mut entry = flying("a");
    entry["requestId"] = json!("r1");
    damage(&mut late, "a", entry);
    late.effect("a", What::CallAccepted(finish("r1")));
    late.holds();
}

#[test]
fn what_is_good_and_yet_called_damaged_is_found() {
    for word in ["Corrupt", "Missing"] {
        let mut tale = Tale::new();
        tale.step("a", "Planned", "");
        tale.step("a", word, "");
        tale.violates("quarantine");
    }
    let mut tale = Tale::new();
    tale.run["status"]["conditions"] = json!([{
        "type": "Held", "status": "True", "reason": "NotUnderstood", "message": "a",
        "lastTransitionTime": NIGHT,
    }]);
    tale.write_run();
    tale.violates("quarantine");
}

#[test]
fn a_machine_that_is_quarantined_for_the_entry_of_another_is_found() {
    for (machine, is_whole, is_right) in
        [("a", false, true), ("b", false, false), ("b", true, true)]
    {
        let mut tale = Tale::new();
        damage(&mut tale, "a", flying("a"));
        if is_whole {
            tale.run["status"]["altitude"] = json!(3);
            tale.write_run();
        }
        let record = json!({
            "spec": {"resourceId": id(machine)}, "status": {"reasons": ["Quarantined"]},
        });
        tale.write("hotpatchmachines.hotpatch.dev", machine, record);
        match is_right {
            true => tale.holds(),
            false => tale.violates("quarantine"),
        }
    }
}
