#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_loop_that_stands_still_is_not_live_and_one_turn_mends_it() {
    let own = Telemetry::default();
    assert_eq!(own.is_live(), Ok(()));
    tokio::time::advance(LIVE_WITHIN - Duration::from_secs(1)).await;
    assert_eq!(own.is_live(), Ok(()));
    tokio::time::advance(Duration::from_secs(1)).await;
    let why = own.is_live().unwrap_err();
    assert_eq!(
        why,
        "the controller's loop has not turned for 600 s, 600 s are allowed"
    );
    own.turned();
    assert_eq!(own.is_live(), Ok(()));
}

#[tokio::test]
async fn ready_is_listed_and_leading_or_standing_by() {
    let own = Telemetry::default();
    let missing = |own: &Telemetry| own.is_ready().unwrap_err();
    assert_eq!(missing(&own), "the controller has not started");
    own.awaits(&["HotpatchFleet", "HotpatchRun"]);
    own.stands(Standing::Leading);
    own.listed("HotpatchRun");
    assert_eq!(missing(&own), "not listed yet: HotpatchFleet");
    own.listed("HotpatchFleet");
    assert_eq!(own.is_ready(), Ok(()));
    own.stands(Standing::StandingBy);
    assert_eq!(own.is_ready(), Ok(()));
    own.stands(Standing::Unknown);
    assert_eq!(missing(&own), "the lease could not be asked for");
}

#[tokio::test]
async fn what_is_counted_stands_on_the_page_and_what_is_no_more_does_not() {
    let own = Telemetry::default();
    own.stands(Standing::Leading);
    own.passed(Duration::from_millis(300), 1_700_000_000);
    own.command("finish", "accepted");
    let mut census = Census::default();
    census.machines.insert(("AzureVM", "OnTrack"), 7);
    census.runs_open = 2;
    own.counted(&census);
    let page = own.exposition();
    for line in [
        "hotpatch_leader 1",
        "hotpatch_passes_total 1",
        "hotpatch_pass_duration_seconds_bucket{le=\"0.5\"} 1",
        "hotpatch_last_pass_timestamp_seconds 1700000000",
        "hotpatch_commands_total{command=\"finish\",outcome=\"accepted\"} 1",
        "hotpatch_machines{kind=\"AzureVM\",track=\"OnTrack\"} 7",
        "hotpatch_runs_open 2",
    ] {
        assert!(page.lines().any(|own| own == line), "{line}\n{page}");
    }
    own.counted(&Census::default());
    assert!(!own.exposition().contains("hotpatch_machines{"));
}

#[tokio::test]
async fn every_metric_of_the_table_is_registered_as_it_says() {
    // A metric with labels shows once it was counted.
    let own = Telemetry::default();
    own.command("stage", "accepted");
    own.watch_failed("HotpatchRun");
    own.kube_request("get", "leases", "ok");
    own.azure_request("graph", "ok");
    own.counted(&Census {
        fleets: [("Observe", 1)].into(),
        conditions: [(("Ready", "True"), 1)].into(),
        machines: [(("AzureVM", "OnTrack"), 1)].into(),
        ..Census::default()
    });
    let page = own.exposition();
    let declared = page.lines().filter(|line| line.starts_with("# TYPE "));
    let declared: Vec<String> = declared.map(str::to_owned).collect();
    let expected = METRICS.map(|own| {
        let plain = own.name.trim_end_matches("_total");
        format!("# TYPE {plain} {}", own.kind)
    });
    assert_eq!(declared, expected);
}

async fn ask(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let text = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn probes_and_metrics_are_served_over_http() {
    let own = Telemetry::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, own.clone()));
    let cases = [
        ("GET /livez", "200 OK", "ok\n"),
        (
            "GET /readyz",
            "503 Service Unavailable",
            "has not started\n",
        ),
        ("GET /metrics", "200 OK", "# EOF\n"),
        ("GET /", "404 Not Found", "here are /livez"),
        ("POST /metrics", "405 Method Not Allowed", "only GET\n"),
    ];
    for (request, status, ending) in cases {
        let answer = ask(address, request).await;
        let head = format!("HTTP/1.1 {status}\r\n");
        assert!(answer.starts_with(&head), "{request}: {answer}");
        assert!(answer.contains(ending), "{request}: {answer}");
    }
    own.awaits(&[]);
    own.stands(Standing::StandingBy);
    assert!(ask(address, "GET /readyz").await.ends_with("ok\n"));
    server.abort();
}

#[tokio::test]
async fn more_connections_than_there_are_seats_wait() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, Telemetry::default()));
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    let one_more = ask(address, "GET /livez");
    let waits = tokio::time::timeout(Duration::from_millis(300), one_more).await;
    assert!(waits.is_err(), "it was served beyond the bound");
    idle.clear();
    let answer = ask(address, "GET /livez").await;
    assert!(answer.contains("200 OK"), "{answer}");
    server.abort();
}
