//! Azure's limits, as documented: what a burst lets through, what the answer says, when to come
//! again.

use azure_sim::{ArcSpec, Buckets, Options, VmSpec};
use serde_json::{Value, json};

use crate::support::{Azure, Reply};

const START: &str = "2025-11-20T06:00:00Z";
const LEFT: &str = "x-ms-ratelimit-remaining-resource";

fn limited(foreign_percent: u8) -> Azure {
    let buckets = Buckets {
        enforced: true,
        foreign_percent,
    };
    Azure::with(
        START,
        Options {
            buckets,
            ..Options::default()
        },
    )
}

/// Sends the same call until it is refused; gives how many were let in, and the refusal.
fn burst(azure: &Azure, method: &str, path: &str) -> (u32, Reply) {
    for count in 0..30_000 {
        let reply = azure.send(method, path, &Value::Null);
        if reply.status == 429 {
            return (count, reply);
        }
    }
    panic!("{method} {path} is never refused");
}

#[test]
fn the_limits_of_one_vm_are_those_of_the_documents() {
    let cases = [
        ("POST", "/assessPatches", 6, "VMGuestPatchResource", 30),
        ("GET", "/instanceView", 36, "LowCostGetResource", 5),
        ("POST", "/restart", 12, "UpdateVMResource", 15),
    ];
    for (method, end, burst_max, name, wait) in cases {
        let azure = limited(0);
        let id = azure.sim.add_vm(VmSpec::ws2025_azure_edition("vm"));
        let (count, refusal) = burst(&azure, method, &format!("{id}{end}"));
        assert_eq!(count, burst_max, "{end}");
        assert_eq!(refusal.code(), "OperationNotAllowed");
        assert_eq!(
            refusal.body["error"]["details"][0]["code"],
            "TooManyRequests"
        );
        assert_eq!(refusal.body["error"]["details"][0]["target"], name);
        assert_eq!(refusal.header(LEFT), format!("Microsoft.Compute/{name};0"));
        assert_eq!(refusal.header("retry-after"), wait.to_string());
        // One that waited as it was told is let in, and then it is empty again.
        azure.set(&format!("2025-11-20T06:00:{wait:02}Z"));
        assert_ne!(
            azure
                .send(method, &format!("{id}{end}"), &Value::Null)
                .status,
            429
        );
        assert_eq!(
            azure
                .send(method, &format!("{id}{end}"), &Value::Null)
                .status,
            429
        );
    }
}

#[test]
fn polls_of_an_operation_count_against_its_vm() {
    let azure = limited(0);
    let id = azure.sim.add_vm(VmSpec::ws2025_azure_edition("vm"));
    let sent = azure.send("POST", &format!("{id}/assessPatches"), &Value::Null);
    let (count, refusal) = burst(&azure, "GET", &sent.header("location"));
    assert_eq!(count, 45);
    assert_eq!(
        refusal.header(LEFT),
        "Microsoft.Compute/GetOperationResource;0"
    );
}

#[test]
fn guest_patching_is_limited_for_a_subscription_in_a_region() {
    for (percent, want) in [(0, 600), (30, 420)] {
        let azure = limited(percent);
        let ids: Vec<String> = (0..700)
            .map(|number| {
                let spec = VmSpec::ws2025_azure_edition(&format!("vm-{number}"));
                azure.sim.add_vm(spec.region("westeurope"))
            })
            .collect();
        let elsewhere = VmSpec::ws2025_azure_edition("far").region("eastus2");
        let elsewhere = azure.sim.add_vm(elsewhere);
        // Many callers, so that no limit of one caller is met first; 15 times one caller's is
        // what all of them may do together.
        let send = |number: usize, id: &str| {
            let token = format!("Bearer caller-{}", number / 100);
            let path = format!("{id}/assessPatches");
            azure.send_with("POST", &path, &Value::Null, &[("authorization", &token)])
        };
        let replies: Vec<Reply> = ids
            .iter()
            .enumerate()
            .map(|(at, id)| send(at, id))
            .collect();
        let accepted = replies.iter().filter(|own| own.status == 202).count();
        assert_eq!(accepted, want, "{percent} %");
        let refused = replies.last().unwrap();
        let header = "Microsoft.Compute/VMGuestPatchSubscriptionMaximum;0";
        assert_eq!(
            (refused.status, refused.header(LEFT).as_str()),
            (429, header)
        );
        assert_eq!(
            refused.header("retry-after"),
            "1",
            "three and more a second"
        );
        assert_eq!(send(0, &elsewhere).status, 202, "another region");
    }
}

#[test]
fn arm_counts_reads_and_writes_of_one_caller_in_a_subscription() {
    let azure = limited(0);
    let id = azure.sim.add_arc(ArcSpec::ws2025_datacenter("arc"));
    let cases = [
        ("GET", "", 250, "reads"),
        ("PATCH", "", 200, "writes"),
        ("DELETE", "/licenseProfiles/default", 200, "deletes"),
    ];
    for (method, end, burst_max, word) in cases {
        let (count, refusal) = burst(&azure, method, &format!("{id}{end}"));
        assert_eq!(count, burst_max, "{word}");
        let header = format!("x-ms-ratelimit-remaining-subscription-{word}");
        assert_eq!(refusal.header(&header), "0");
        assert_eq!(refusal.code(), "SubscriptionRequestsThrottled");
        assert_eq!(refusal.header("retry-after"), "1");
        assert_eq!(
            refusal.header(LEFT),
            "",
            "the resource provider was not asked"
        );
    }
    let other = [("authorization", "Bearer somebody else")];
    let reply = azure.send_with("GET", &id, &Value::Null, &other);
    assert_eq!(reply.status, 200, "another caller has his own");
}

#[test]
fn an_answer_says_what_is_left() {
    let azure = limited(0);
    let id = azure.sim.add_vm(VmSpec::ws2025_azure_edition("vm"));
    let reply = azure.send("GET", &id, &Value::Null);
    assert_eq!(
        reply.header(LEFT),
        "Microsoft.Compute/LowCostGetSubscriptionMaximum;23999,\
         Microsoft.Compute/LowCostGetResource;35"
    );
    assert_eq!(reply.header("x-ms-request-charge"), "1");
    let reads = "x-ms-ratelimit-remaining-subscription-reads";
    assert_eq!(reply.header(reads), "249");
    assert_eq!(
        reply.header("x-ms-ratelimit-remaining-subscription-global-reads"),
        "3749"
    );
    azure.send("GET", &id, &Value::Null);
    azure.set("2025-11-20T06:00:01Z");
    assert_eq!(
        azure.send("GET", &id, &Value::Null).header(reads),
        "249",
        "refilled"
    );
}

#[test]
fn resource_graph_takes_fifteen_queries_in_five_seconds() {
    let azure = limited(0);
    let ask = || azure.graph(&json!({"query": "resources"}));
    for left in (0..15).rev() {
        let reply = ask();
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("x-ms-user-quota-remaining"), left.to_string());
    }
    let refusal = ask();
    assert_eq!((refusal.status, refusal.code()), (429, "RateLimiting"));
    assert_eq!(refusal.header("x-ms-user-quota-remaining"), "0");
    assert_eq!(refusal.header("x-ms-user-quota-resets-after"), "00:00:05");
    assert_eq!(refusal.header("retry-after"), "5");
    azure.set("2025-11-20T06:00:05Z");
    assert_eq!(ask().status, 200);
}

#[test]
fn a_refused_call_leaves_no_trace() {
    let azure = limited(0);
    let id = azure.sim.add_vm(VmSpec::ws2025_azure_edition("vm"));
    let before = azure.happened(&id).len();
    let path = format!("{id}/restart");
    let (_, _) = burst(&azure, "POST", &path);
    let during = azure.happened(&id).len();
    azure.send("POST", &path, &Value::Null);
    assert!(during > before);
    assert_eq!(azure.happened(&id).len(), during);
}

#[test]
fn without_limits_nothing_is_refused() {
    let azure = Azure::new(START);
    let id = azure.sim.add_vm(VmSpec::ws2025_azure_edition("vm"));
    for _ in 0..300 {
        assert_eq!(azure.send("GET", &id, &Value::Null).status, 200);
    }
    for _ in 0..20 {
        let reply = azure.graph(&json!({"query": "resources"}));
        assert_eq!(reply.status, 200);
    }
}
