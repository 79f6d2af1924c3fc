//! Faults of commands and of what becomes of them. All machines need one command each.

use super::*;

/// The two commands that go out first.
const FIRST_TWO: &str = "method=POST,path=installPatches,count=2";

fn first_two(fault: &str) -> Told {
    let told = play(&[&format!("{fault},{FIRST_TWO}")], 200);
    assert_eq!(told.struck, 2, "{fault}");
    told
}

#[test]
fn a_command_whose_answer_is_lost_is_found_in_the_activity_log_and_never_sent_again() {
    for fault in ["lost-reply", "reset-after"] {
        let told = first_two(fault);
        assert_eq!(told.posts.len(), 6, "{fault}: {:?}", told.posts);
        assert!(told.has_been("Unknown") && told.log_reads > 0, "{fault}");
    }
}

#[test]
fn a_command_that_a_server_answers_with_5xx_though_it_took_it_is_found_and_never_sent_again() {
    for status in [500, 502, 503, 504] {
        let told = first_two(&format!("server-error-after={status}"));
        assert_eq!(told.posts.len(), 6, "{status}: {:?}", told.posts);
        assert_eq!(told.answered(Some(status)), 2);
        assert!(told.has_been("Unknown") && told.log_reads > 0, "{status}");
    }
}

#[test]
fn a_command_that_may_not_have_arrived_holds_its_machine_until_its_absence_is_proved() {
    for fault in ["reset-before", "server-error=503"] {
        let told = first_two(fault);
        assert!(told.has_been("Unknown") && told.log_reads > 0, "{fault}");
        let lost = told.posts.iter().filter(|own| own.is_unknown()).count();
        assert_eq!(lost, 2, "{fault}: {:?}", told.posts);
    }
}

#[test]
fn a_conflict_is_a_refusal_that_is_tried_again_without_doubt() {
    let told = first_two("conflict");
    assert_eq!(told.answered(Some(409)), 2);
    assert_eq!(told.answered(Some(202)), 6);
    assert!(!told.has_been("Unknown") && told.log_reads == 0);
}

#[test]
fn a_throttled_command_is_sent_again_when_azure_said_so_and_without_doubt() {
    for fault in ["throttled-seconds=900", "throttled-date=900"] {
        let told = first_two(fault);
        assert_eq!(told.answered(Some(429)), 2, "{fault}");
        assert_eq!(told.answered(Some(202)), 6, "{fault}");
        let waits = told.waits_after(429);
        assert!(
            waits.len() == 2 && waits.iter().all(|own| *own >= 900),
            "{fault}: {waits:?}"
        );
        assert!(!told.has_been("Unknown") && told.log_reads == 0, "{fault}");
    }
}

#[test]
fn polls_that_lie_do_not_matter_where_records_of_installs_can_be_read() {
    for fault in ["stuck-operation", "expired-operation"] {
        let told = play(&[fault], 200);
        assert_eq!(told.posts.len(), 6, "{fault}: {:?}", told.posts);
        assert_eq!(told.struck, 0, "{fault}: nothing was polled");
        assert!(!told.has_been("Unknown"), "{fault}");
    }
}
