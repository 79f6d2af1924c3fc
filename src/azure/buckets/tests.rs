//! Which buckets calls share, and what answers do to them.
#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::*;

fn start() -> DateTime<Utc> {
    "2026-11-22T03:00:00Z".parse().unwrap()
}

/// Buckets as principal `who` draws on them in `region`, at a time that a test sets.
struct Case {
    buckets: Arc<Buckets>,
    time: Arc<Mutex<DateTime<Utc>>>,
}

impl Case {
    fn new() -> Self {
        Self {
            buckets: Arc::default(),
            time: Arc::new(Mutex::new(start())),
        }
    }

    fn pace(&self, who: &str, region: &str) -> Pace {
        let time = Arc::clone(&self.time);
        let now: Now = Arc::new(move || *time.lock().unwrap());
        Pace::new(Arc::clone(&self.buckets), who, now).in_region(region)
    }

    fn pass(&self, seconds: i64) {
        *self.time.lock().unwrap() += TimeDelta::seconds(seconds);
    }
}

fn machine(subscription: &str, name: &str) -> String {
    format!(
        "/subscriptions/{subscription}/resourceGroups/rg/providers/Microsoft.Compute/\
         virtualMachines/{name}"
    )
}

fn install(pace: &Pace, subscription: &str, number: usize) -> Result<(), Error> {
    let path = format!(
        "{}/installPatches",
        machine(subscription, &format!("v{number}"))
    );
    pace.take("it", &Method::POST, &path)
}

/// Sends installs until one is refused; returns how many went.
fn drain(pace: &Pace, subscription: &str) -> usize {
    (0..)
        .find(|number| install(pace, subscription, *number).is_err())
        .unwrap()
}

fn reply(status: u16, rows: &[(&'static str, &str)]) -> Reply {
    let mut headers = HeaderMap::new();
    for (name, value) in rows {
        let value = HeaderValue::from_str(value).unwrap();
        headers.append(HeaderName::from_static(name), value);
    }
    Reply {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: Bytes::new(),
        needs: None,
        denied: None,
    }
}

#[test]
fn a_burst_ends_where_the_tightest_bucket_does() {
    let case = Case::new();
    let own = case.pace("a", "westeurope");
    // Writes of a subscription are fewer than the installs of a region.
    assert_eq!(drain(&own, "s1"), 200);
    assert_eq!(drain(&own, "s2"), 200, "another subscription has its own");
    let other = case.pace("b", "westeurope");
    assert_eq!(
        drain(&other, "s1"),
        200,
        "another principal writes by his own bucket"
    );
    let third = case.pace("c", "westeurope");
    assert_eq!(drain(&third, "s1"), 200);
    let fourth = case.pace("d", "westeurope");
    assert_eq!(
        drain(&fourth, "s1"),
        0,
        "600 installs are all that the region lets out"
    );
    let elsewhere = case.pace("d", "northeurope");
    assert_eq!(drain(&elsewhere, "s1"), 200, "another region has its own");
}

#[test]
fn one_vm_gets_six_and_then_two_in_a_minute() {
    let case = Case::new();
    let own = case.pace("a", "westeurope");
    for _ in 0..6 {
        install(&own, "s1", 1).unwrap();
    }
    let refused = install(&own, "s1", 1).unwrap_err();
    let Error::Throttled { until_seconds, .. } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(until_seconds, 31);
    assert!(install(&own, "s1", 2).is_ok(), "another VM has its own");
    case.pass(31);
    install(&own, "s1", 1).unwrap();
    assert!(install(&own, "s1", 1).is_err());
}

#[test]
fn a_refused_call_takes_nothing_from_any_bucket() {
    let case = Case::new();
    let own = case.pace("a", "westeurope");
    for _ in 0..6 {
        install(&own, "s1", 1).unwrap();
    }
    for _ in 0..500 {
        assert!(install(&own, "s1", 1).is_err());
    }
    assert_eq!(
        (100..)
            .take_while(|n| install(&own, "s1", *n).is_ok())
            .count(),
        194
    );
}

#[test]
fn assessments_leave_a_quarter_of_the_bucket_to_installs() {
    let case = Case::new();
    let mut assessed = 0;
    for who in ["a", "b", "c"] {
        let own = case.pace(who, "westeurope");
        assessed += (0..)
            .take_while(|number| {
                let path = format!(
                    "{}/assessPatches",
                    machine("s1", &format!("v{number}-{who}"))
                );
                own.take("it", &Method::POST, &path).is_ok()
            })
            .count();
    }
    assert_eq!(assessed, 450);
    assert_eq!(drain(&case.pace("d", "westeurope"), "s1"), 150);
}

#[test]
fn an_answer_that_refuses_closes_the_bucket_that_refused() {
    const WRITES: &str = "x-ms-ratelimit-remaining-subscription-writes";
    const RESOURCE: &str = "x-ms-ratelimit-remaining-resource";
    let date = ("date", "Sun, 22 Nov 2026 03:00:00 GMT");
    let own = "Microsoft.Compute/VMGuestPatchResource;0, Microsoft.Compute/VMGuestPatch;500";
    // The answer; then, for how many seconds the same VM, another VM, an Arc machine's install
    // and a read of the VM must wait.
    let rows = [
        (vec![("retry-after", "17")], [17, 17, 0, 0]),
        (
            vec![("retry-after", "Sun, 22 Nov 2026 03:01:30 GMT"), date],
            [90, 90, 0, 0],
        ),
        (vec![("retry-after", "17"), (WRITES, "0")], [17, 17, 17, 0]),
        (
            vec![("retry-after", "17"), (WRITES, "150"), (RESOURCE, own)],
            [17, 0, 0, 0],
        ),
        (vec![], [30, 30, 0, 0]),
    ];
    let vm = machine("s1", "v1");
    let arc = "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/a";
    for (headers, seconds) in rows {
        let calls = [
            (Method::POST, format!("{vm}/installPatches")),
            (
                Method::POST,
                format!("{}/installPatches", machine("s1", "v2")),
            ),
            (Method::POST, format!("{arc}/installPatches")),
            (Method::GET, vm.clone()),
        ];
        for ((method, path), seconds) in calls.into_iter().zip(seconds) {
            let case = Case::new();
            let pace = case.pace("a", "westeurope");
            let sent = format!("{vm}/installPatches");
            pace.take("it", &Method::POST, &sent).unwrap();
            pace.heard(&Method::POST, &sent, &reply(429, &headers));
            if seconds > 0 {
                case.pass(seconds - 1);
                assert!(
                    pace.take("it", &method, &path).is_err(),
                    "{headers:?} {path}"
                );
                // What refills meanwhile is slower than a token for a VM of its own.
                case.pass(31);
            }
            assert!(
                pace.take("it", &method, &path).is_ok(),
                "{headers:?} {path}"
            );
        }
    }
}

#[test]
fn the_quota_of_resource_graph_is_kept_by_what_it_says() {
    let case = Case::new();
    let pace = case.pace("a", "");
    let path = "/providers/Microsoft.ResourceGraph/resources";
    let ask = |pace: &Pace| pace.take("it", &Method::POST, path);
    for _ in 0..15 {
        ask(&pace).unwrap();
    }
    assert!(ask(&pace).is_err(), "fifteen in five seconds");
    assert!(
        ask(&case.pace("b", "")).is_ok(),
        "each principal has its own"
    );
    case.pass(60);
    ask(&pace).unwrap();
    let spent = [
        ("x-ms-user-quota-remaining", "0"),
        ("x-ms-user-quota-resets-after", "00:00:05"),
    ];
    pace.heard(&Method::POST, path, &reply(200, &spent));
    case.pass(4);
    assert!(ask(&pace).is_err());
    case.pass(2);
    assert!(ask(&pace).is_ok());
}

#[test]
fn what_comes_soon_counts_for_installs_and_not_the_machines_own_bucket() {
    let case = Case::new();
    let pace = case.pace("a", "westeurope");
    let id = MachineId::parse(&machine("s1", "v1")).unwrap();
    let horizon = TimeDelta::seconds(15);
    assert_eq!(pace.installs(&id, horizon), 200, "writes are the tightest");
    for _ in 0..6 {
        install(&pace, "s1", 900).unwrap();
    }
    assert_eq!(
        pace.installs(&id, horizon),
        200,
        "six sent, and ten a second come back"
    );
    for who in ["b", "c", "d"] {
        drain(&case.pace(who, "westeurope"), "s1");
    }
    assert_eq!(case.pace("e", "westeurope").installs(&id, horizon), 50);
}

#[test]
fn idle_buckets_are_not_kept_for_ever() {
    let case = Case::new();
    let pace = case.pace("a", "westeurope");
    for number in 0..=BUCKETS_KEPT {
        let _ = pace.take("it", &Method::GET, &machine("s1", &format!("v{number}")));
        if number % 200 == 0 {
            case.pass(10);
        }
    }
    case.pass(3600);
    pace.take("it", &Method::GET, &machine("s1", "last"))
        .unwrap();
    assert!(
        case.buckets.lock().len() < 10,
        "{}",
        case.buckets.lock().len()
    );
}
