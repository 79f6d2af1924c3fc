//! The listener: TLS and nothing else, bounds of what a client may send, signals, wrong options.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use crate::command::{Sim, read};

const LIST: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/providers/\
                    Microsoft.Compute/virtualMachines";

#[test]
fn it_serves_the_machines_it_was_told_to_and_ends_by_sigterm() {
    let mut sim = Sim::start(&["--machines", "40"]);
    let vms = sim.send("GET", LIST, "");
    assert_eq!(vms.status, 200, "{}", vms.body);
    assert_eq!(vms.body["value"].as_array().unwrap().len(), 32);
    assert_eq!(sim.calls("GET", "/virtualmachines"), 1);
    assert_eq!(sim.end("-TERM"), Some(0));
}

#[test]
fn the_addresses_it_gives_are_its_own() {
    let sim = Sim::start(&["--machines", "1"]);
    let vms = sim.send("GET", LIST, "").body;
    let id = vms["value"][0]["id"].as_str().unwrap();
    let sent = sim.send("POST", &format!("{id}/assessPatches"), "");
    assert_eq!(sent.status, 202, "{}", sent.body);
    let location = sent.header("location").unwrap();
    let path = location.strip_prefix(&sim.endpoint).expect(location);
    assert_eq!(sim.send("GET", path, "").status, 202);
}

/// How often a request is made whose answer may be overtaken.
const ASKED_MAX: usize = 10;

#[test]
fn plain_http_is_not_answered() {
    let sim = Sim::start(&["--machines", "1"]);
    let mut stream = TcpStream::connect(sim.address()).unwrap();
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
}

#[test]
fn a_head_or_a_body_beyond_its_bound_is_refused() {
    let sim = Sim::start(&["--machines", "1"]);
    let long = "x".repeat(256 * 1024);
    let mut many = String::new();
    for number in 0..200 {
        many.push_str(&format!("X-{number}: 1\r\n"));
    }
    let cases = [
        (
            format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
            [414, 431],
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n"),
            [431; 2],
        ),
        (format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n"), [431; 2]),
    ];
    for (request, want) in cases {
        // The answer comes while the rest is still on its way, and the end of the connection may
        // overtake it: then it is asked again.
        let asked = (0..ASKED_MAX).find_map(|_| {
            let mut stream = sim.connect();
            let _ = stream.write_all(request.as_bytes());
            read(&mut stream).ok()
        });
        let reply = asked.unwrap();
        assert!(want.contains(&reply.status), "{}", reply.head);
    }
    let body = "x".repeat(4 * 1024 * 1024 + 1);
    let reply = sim.send("POST", LIST, &body);
    assert_eq!(reply.status, 413);
    assert_eq!(reply.body["error"]["code"], "RequestTooLarge");
    assert_eq!(sim.send("GET", LIST, "").status, 200, "it goes on");
}

#[test]
fn what_cannot_be_understood_ends_the_command_with_a_reason() {
    let cases = [
        (["--assume", "moon=full"], "no assumption is called"),
        (["--assume", "tags-patch=both"], "merge or replace"),
        (["--fault", "server-error=404"], "500, 502, 503 or 504"),
        (["--foreign-percent", "95"], "0..=90"),
        (["--certificate", "/nowhere/at/all.pem"], "cannot write"),
    ];
    for (options, why) in cases {
        let mut command = Command::new(env!("CARGO_BIN_EXE_azure-sim"));
        command.arg("serve").args(options);
        if options[0] != "--certificate" {
            command.args(["--certificate", "/nowhere/at/all.pem"]);
        }
        let done = command.output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(
            !done.status.success() && said.contains(why),
            "{options:?}: {said}"
        );
    }
}

#[test]
fn limits_hold_by_default_and_a_share_of_them_can_be_taken() {
    for (options, want) in [
        (&["--machines", "1", "--clock", "callers"][..], 6),
        (
            &["--machines", "1", "--clock", "callers", "--no-buckets"][..],
            20,
        ),
    ] {
        let sim = Sim::start(options);
        let vms = sim.send("GET", LIST, "").body;
        let id = vms["value"][0]["id"].as_str().unwrap();
        let path = format!("{id}/assessPatches");
        let sent: Vec<u16> = (0..20)
            .map(|_| sim.send("POST", &path, "").status)
            .collect();
        let refused = sent.iter().filter(|own| **own == 429).count();
        assert_eq!(20 - refused, want, "{options:?}: {sent:?}");
    }
    let sim = Sim::start(&["--machines", "1", "--foreign-percent", "30"]);
    let reply = sim.send("GET", LIST, "");
    let left = reply.header("x-ms-ratelimit-remaining-resource").unwrap();
    assert_eq!(left, "Microsoft.Compute/HighCostGetSubscriptionMaximum;629");
}
