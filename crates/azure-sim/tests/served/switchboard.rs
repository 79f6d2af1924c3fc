//! The switchboard over HTTPS, and what each way of losing a call looks like on the wire.

use serde_json::json;

use crate::command::Sim;

const LIST: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/providers/\
                    Microsoft.Compute/virtualMachines";

#[test]
fn faults_are_switched_on_listed_and_off_while_it_runs() {
    let sim = Sim::start(&["--machines", "1", "--fault", "token-expired,count=1"]);
    assert_eq!(sim.send("GET", LIST, "").status, 401);
    let rule = json!({"fault": "server-error", "value": 503, "method": "GET", "count": 2});
    let made = sim.send("POST", "/_sim/faults", &rule.to_string());
    assert_eq!((made.status, made.body["id"].as_u64()), (201, Some(2)));
    assert_eq!(sim.send("GET", LIST, "").status, 503);
    let standing = sim.send("GET", "/_sim/faults", "").body;
    let shown: Vec<_> = standing["faults"].as_array().unwrap().iter().collect();
    assert_eq!(
        (&shown[0]["fault"], &shown[0]["struck"]),
        (&json!("token-expired"), &json!(1))
    );
    assert_eq!(
        (&shown[1]["count"], &shown[1]["struck"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(sim.send("DELETE", "/_sim/faults/2", "").status, 204);
    assert_eq!(sim.send("DELETE", "/_sim/faults/2", "").status, 404);
    assert_eq!(sim.send("GET", LIST, "").status, 200);
    let text = sim.send(
        "POST",
        "/_sim/faults",
        "throttled-seconds=7,path=virtualMachines",
    );
    assert_eq!(text.status, 201, "text as on the command line");
    let refused = sim.send("GET", LIST, "");
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (429, Some("7"))
    );
    assert_eq!(sim.send("DELETE", "/_sim/faults", "").status, 204);
    assert_eq!(sim.send("GET", LIST, "").status, 200);
    for bad in ["", "moon", "{", r#"{"fault":"lost-reply","often":true}"#] {
        let reply = sim.send("POST", "/_sim/faults", bad);
        assert_eq!(reply.status, 400, "{bad:?}");
        assert!(reply.body["error"].is_string(), "{bad:?}");
    }
}

#[test]
fn a_lost_call_breaks_the_connection_and_only_a_reset_after_it_was_handled() {
    let cases = [
        ("reset-before,method=POST", true, 0),
        ("reset-after,method=POST", true, 1),
        ("lost-reply,method=POST", false, 1),
    ];
    for (fault, is_reset, handled) in cases {
        let sim = Sim::start(&["--machines", "1"]);
        let vms = sim.send("GET", LIST, "").body;
        let id = vms["value"][0]["id"].as_str().unwrap().to_owned();
        let path = format!("{id}/assessPatches");
        let rule = format!("{fault},path=assessPatches");
        assert_eq!(sim.send("POST", "/_sim/faults", &rule).status, 201);
        let lost = sim.try_send("POST", &path, "").err().expect(fault);
        let reset = lost.kind() == std::io::ErrorKind::ConnectionReset;
        assert_eq!(reset, is_reset, "{fault}: {lost:?}");
        assert_eq!(sim.send("DELETE", "/_sim/faults", "").status, 204);
        // An assessment that runs is in the way of another.
        let again = sim.send("POST", &path, "");
        assert_eq!(
            again.status,
            if handled == 1 { 409 } else { 202 },
            "{fault}"
        );
    }
}
