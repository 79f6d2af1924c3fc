//! What an inventory costs in memory. Run by hand, one size a process, because what a process gave
//! back to its allocator still counts: `cargo test --test it -- --ignored --nocapture
//! ten_thousand_machines_cost`, then `hundred_thousand`. The difference of the two is what a
//! machine costs; each alone has the pages in it that the test makes up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::future::BoxFuture;
use hotpatch_operator::azure::{Cloud, Endpoint, Error, Scope, Token, Transport, TransportError};
use hotpatch_operator::domain::machine::Machine;
use serde_json::{Value, json};

use super::script::now;

const PAGE: usize = 1000;

/// Answers with pages of machines that it makes up, one after another.
struct Pages {
    machines: usize,
    asked: AtomicUsize,
}

fn row(number: usize) -> Value {
    let group = format!(
        "/subscriptions/8f6d2c1e-0000-4000-8000-{:012}/resourceGroups/rg-{}",
        number / 20_000,
        number / 200
    );
    let id = format!("{group}/providers/Microsoft.Compute/virtualMachines/vm-{number:06}");
    let activity = |n: usize| format!("{number:08}-0000-4000-8000-{n:012}");
    let installs: Vec<Value> = (0..2)
        .flat_map(|n| {
            let install = json!({"part": activity(n), "activity": activity(n),
                "status": "Succeeded", "reboot": "Completed", "exceeded": false,
                "started": format!("2026-11-{:02}T01:00:00Z", 10 + n),
                "modified": format!("2026-11-{:02}T02:00:00Z", 10 + n)});
            let kb = json!({"part": format!("{}/softwarepatches/p{n}", activity(n)),
                "kb": (5_070_000 + n).to_string(), "state": "Installed"});
            [install, kb]
        })
        .collect();
    let offer = |n: usize| {
        json!({"part": format!("latest/softwarepatches/{}", activity(n)),
            "kb": (5_080_000 + n).to_string(), "reboot": "CanRequestReboot",
            "title": "2026-11 Cumulative Update for Microsoft server operating system",
            "classifications": ["Security"], "published": "2026-11-10T00:00:00Z"})
    };
    json!({
        "id": id, "name": format!("vm-{number:06}"), "type": "microsoft.compute/virtualmachines",
        "location": "westeurope", "zones": null,
        "tags": {"app": format!("app-{}", number % 50), "ring": "broad", "owner": "team-web"},
        "vmId": activity(9), "provisioning": "Succeeded",
        "disk": format!("{group}/providers/Microsoft.Compute/disks/vm-{number:06}_os"),
        "diskOs": "Windows",
        "image": {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer",
            "sku": "2025-datacenter-azure-edition"},
        "windows": {"provisionVMAgent": true, "enableAutomaticUpdates": true, "patchSettings": {
            "patchMode": "AutomaticByPlatform", "enableHotpatching": true}},
        "availabilitySet": null,
        "view": {"powerState": {"code": "PowerState/running"}, "hyperVGeneration": "V2",
            "osName": "Windows Server 2025 Datacenter Azure Edition",
            "osVersion": "10.0.26100.0"},
        "assessed": [
            {"part": "latest", "status": "Succeeded", "rebootPending": false,
                "started": "2026-11-21T01:00:00Z", "modified": "2026-11-21T01:05:00Z"},
            offer(0), offer(1), offer(2),
        ],
        "installed": installs,
        "states": ["Available"],
    })
}

impl Transport for Pages {
    fn send(
        &self,
        _: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let page = self.asked.fetch_add(1, Ordering::SeqCst);
        let rows: Vec<Value> = (page * PAGE..self.machines.min((page + 1) * PAGE))
            .map(row)
            .collect();
        let mut body = json!({"count": rows.len(), "resultTruncated": "false", "data": rows});
        if (page + 1) * PAGE < self.machines {
            body["$skipToken"] = json!(format!("t{page}"));
        }
        let body = Bytes::from(body.to_string());
        Box::pin(std::future::ready(Ok(http::Response::new(body))))
    }
}

/// A line of /proc/self/status, in bytes.
fn status(name: &str) -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse::<usize>().unwrap() * 1024
}

#[tokio::test]
#[ignore = "measures; see the head of the file"]
async fn what_ten_thousand_machines_cost() {
    measure(10_000).await;
}

#[tokio::test]
#[ignore = "measures; see the head of the file"]
async fn what_a_hundred_thousand_machines_cost() {
    measure(100_000).await;
}

async fn measure(machines: usize) {
    let transport = Arc::new(Pages {
        machines,
        asked: AtomicUsize::new(0),
    });
    let endpoint = Endpoint::parse(Endpoint::PUBLIC).unwrap();
    let cloud = Cloud::new(transport, endpoint, Token::new("t").unwrap());
    let scope = Scope {
        subscriptions: vec!["s".into()],
        management_groups: vec![],
    };
    let before = status("VmRSS");
    let inventory = loop {
        match cloud.inventory(&scope, now()).await {
            Ok(found) => break found,
            Err(Error::Throttled { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    };
    let (after, peak) = (status("VmRSS"), status("VmHWM"));
    assert_eq!(inventory.machines.len(), machines);
    println!(
        "{machines} machines: {} bytes each on the stack of a Machine, {} resident each, \
         {} MB more at the peak",
        size_of::<Machine>(),
        (after - before) / machines,
        (peak - before) / 1_048_576,
    );
}
