#![allow(clippy::unwrap_used)] // tests may unwrap

use super::*;

fn seen(method: &str, path: &str) -> Seen {
    Seen {
        method: method.to_owned(),
        path: path.to_owned(),
        ..Seen::default()
    }
}

#[test]
fn a_rule_reads_as_it_is_written() {
    let texts = [
        "lost-reply",
        "throttled-date=30,method=POST,path=installPatches,count=2,probability=0.5",
        "region-down,region=westeurope",
        "graph-lag=30",
        "skewed-date=-600,machine=vm-1",
        "server-error=503,count=1",
    ];
    for text in texts {
        let rule: Rule = text.parse().unwrap();
        assert_eq!(rule.to_string(), text);
        let json = serde_json::to_string(&rule).unwrap();
        assert_eq!(serde_json::from_str::<Rule>(&json).unwrap(), rule, "{json}");
    }
    for trouble in Trouble::ALL {
        assert_eq!(serde_json::to_value(trouble).unwrap(), trouble.name());
    }
}

#[test]
fn a_rule_that_makes_no_sense_is_refused_with_a_reason() {
    let cases = [
        ("lost", "names no fault"),
        ("lost-reply,sometimes", "KEY=VALUE"),
        ("lost-reply,verb=GET", "the keys are"),
        ("lost-reply,count=-1", "not a number"),
        ("lost-reply,probability=0", "probability"),
        ("lost-reply,probability=1.5", "probability"),
        ("server-error=404", "500, 502, 503 or 504"),
        ("server-error", "500, 502, 503 or 504"),
        ("graph-lag=31", "30 at most"),
        ("region-down", "a region"),
        ("throttled-seconds", "seconds"),
        ("skewed-date=0", "either way"),
    ];
    for (text, why) in cases {
        let error = text.parse::<Rule>().unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn scope_and_count_bound_what_is_struck() {
    let board = Switchboard::new(1);
    let rule = Rule::new(Trouble::Conflict).on("post", "installPatches");
    let id = board.set(rule.times(2)).unwrap();
    let post = seen("POST", "/x/installpatches");
    assert!(
        board
            .strike(&seen("GET", "/x/installpatches"))
            .refusal
            .is_none()
    );
    assert!(board.strike(&seen("POST", "/x/restart")).refusal.is_none());
    assert!(board.strike(&post).refusal.is_some());
    assert!(board.strike(&post).refusal.is_some());
    assert!(board.strike(&post).refusal.is_none(), "the count is spent");
    assert_eq!(board.standing()[0].struck, 2);
    assert!(board.remove(id) && !board.remove(id));
}

#[test]
fn a_machine_is_meant_by_id_name_or_operation_and_a_region_by_its_name() {
    let id = "/subscriptions/s/resourcegroups/g/providers/p/t/vm-1";
    let call = Seen {
        machine: Some(id.to_owned()),
        region: Some("westeurope".to_owned()),
        is_poll: true,
        ..seen("GET", "/op")
    };
    let hits = |rule: Rule| {
        let board = Switchboard::new(1);
        board.set(rule).unwrap();
        board.strike(&call).bends.stuck
    };
    let stuck = || Rule::new(Trouble::StuckOperation);
    assert!(hits(stuck()));
    assert!(hits(stuck().machine("VM-1")) && hits(stuck().machine(&id.to_uppercase())));
    assert!(!hits(stuck().machine("vm-11")) && !hits(stuck().machine("m-1")));
    assert!(hits(stuck().region("WestEurope")) && !hits(stuck().region("northeurope")));
}

#[test]
fn a_probability_is_drawn_from_the_seed_and_holds() {
    let hits = |seed| -> Vec<bool> {
        let board = Switchboard::new(seed);
        let rule = Rule::new(Trouble::ResetBefore).with_probability(0.3);
        board.set(rule).unwrap();
        let call = seen("GET", "/");
        (0..1000)
            .map(|_| board.strike(&call).loss.is_some())
            .collect()
    };
    let first = hits(1);
    assert_eq!(first, hits(1));
    assert_ne!(first, hits(2));
    let count = first.iter().filter(|hit| **hit).count();
    assert!((240..360).contains(&count), "{count} of 1000");
}

#[test]
fn a_lost_reply_is_counted_when_it_is_lost() {
    let board = Switchboard::new(1);
    board.set(Rule::new(Trouble::LostReply).times(1)).unwrap();
    let id = board.strike(&seen("POST", "/")).loses_success.unwrap();
    assert_eq!(board.standing()[0].struck, 0, "the call may yet fail");
    assert!(board.spend(id) && !board.spend(id));
    assert!(board.strike(&seen("POST", "/")).loses_success.is_none());
}

#[test]
fn a_board_is_bounded() {
    let board = Switchboard::new(1);
    for _ in 0..RULES_MAX {
        board.set(Rule::new(Trouble::Conflict)).unwrap();
    }
    let beyond = board.set(Rule::new(Trouble::Conflict)).unwrap_err();
    assert_eq!(beyond, RuleError::TooMany);
    board.clear();
    assert!(board.is_empty());
}
