//! Many objects of a real CRD: created, listed in every form, watched by several, updated.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use kube_sim::{KubeSim, SimBody};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::test_time;

const JSON: &str = "application/json";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
const METADATA: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

/// Watches that see each update; the last two ask for tables and for metadata.
const WATCHERS: usize = 8;

/// Objects of a page.
const PAGE: usize = 500;

/// The wall clock, to measure with.
#[expect(clippy::disallowed_methods, reason = "a measurement needs real time")]
fn wall() -> Instant {
    Instant::now()
}

/// Resident memory of this process in MiB, where the system tells.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}

/// Processor time that this thread has had, where the system tells: what others do on the
/// machine does not count.
fn processor() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text
        .split_whitespace()
        .next()
        .and_then(|own| own.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

/// Starts to measure.
struct Stopwatch(Instant, Duration);

impl Stopwatch {
    fn start() -> Self {
        Self(wall(), processor())
    }

    /// Wall and processor time since the start.
    fn stop(self) -> (Duration, Duration) {
        (self.0.elapsed(), processor().saturating_sub(self.1))
    }
}

/// A measured act: what it is, how many operations, how many bytes came back.
struct Figure {
    what: &'static str,
    count: usize,
    bytes: usize,
    /// Wall and processor time.
    took: (Duration, Duration),
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let micros = self.took.1.as_secs_f64() * 1e6 / self.count as f64;
        let (what, count) = (self.what, self.count);
        let (wall, processor) = (self.took.0.as_millis(), self.took.1.as_millis());
        let mib = self.bytes as f64 / 1024.0 / 1024.0;
        write!(
            f,
            "{what:<32}{count:>8} ops{wall:>8} ms wall{processor:>8} ms processor\
             {micros:>10.1} us/op{mib:>9.1} MiB"
        )
    }
}

/// The CRD of the workspace whose objects are the most: its machines.
fn machines_crd() -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crds");
    let mut files = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let file = files.find(|path| path.to_string_lossy().ends_with("machines.yaml"));
    let file = file.unwrap();
    serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// The served machines.
struct Place {
    sim: KubeSim,
    crd: Value,
    path: String,
}

impl Place {
    async fn new() -> Self {
        let crd = machines_crd();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (group, plural) = (
            text(&crd["spec"]["group"]),
            text(&crd["spec"]["names"]["plural"]),
        );
        let version = text(&crd["spec"]["versions"][0]["name"]);
        let own = Self {
            sim: KubeSim::new(std::sync::Arc::new(test_time)),
            path: format!("/apis/{group}/{version}/namespaces/default/{plural}"),
            crd,
        };
        let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        own.send(Method::POST, crds, JSON, Some(&own.crd)).await;
        own
    }

    async fn open(
        &self,
        method: Method,
        path: &str,
        accept: &str,
        body: Option<&Value>,
    ) -> SimBody {
        let media_type = match method {
            Method::PATCH => "application/merge-patch+json",
            _ => JSON,
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("accept", accept)
            .header("content-type", media_type)
            .body(Full::new(
                body.map_or_else(Bytes::new, |body| body.to_string().into()),
            ))
            .unwrap();
        let response = self.sim.service().oneshot(request).await.unwrap();
        let status = response.status();
        assert!(status.is_success(), "{path}: {status}");
        response.into_body()
    }

    /// Sends a request; returns the body of its answer.
    async fn send(&self, method: Method, path: &str, accept: &str, body: Option<&Value>) -> Bytes {
        let body = self.open(method, path, accept, body).await;
        body.collect().await.unwrap().to_bytes()
    }

    fn machine(&self, number: usize) -> Value {
        let spec = &self.crd["spec"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (group, version) = (text(&spec["group"]), text(&spec["versions"][0]["name"]));
        let ring = if number.is_multiple_of(10) {
            "canary"
        } else {
            "broad"
        };
        json!({
            "apiVersion": format!("{group}/{version}"),
            "kind": spec["names"]["kind"],
            "metadata": {
                "name": name(number),
                "labels": {"fleet": "servers", "ring": ring},
            },
            "spec": {
                "fleet": "servers",
                "kind": "ArcServer",
                "resourceId": format!("/subscriptions/s/resourceGroups/rg/machines/m-{number}"),
            },
        })
    }

    fn status(number: usize) -> Value {
        let condition = |kind: &str| {
            json!({
                "type": kind, "status": "True", "reason": "AsExpected", "observedGeneration": 1,
                "message": "Everything is as it should be.",
                "lastTransitionTime": "2026-02-01T00:00:00Z",
            })
        };
        let kinds = [
            "Eligible",
            "Enrolled",
            "Current",
            "Healthy",
            "SoleAuthority",
        ];
        json!({"status": {
            "eligible": true,
            "track": "OnTrack",
            "due": "ws2025-2026-01-13",
            "reasons": ["AwaitsStage"],
            "message": format!("waits for stage broad, number {number}"),
            "lastRun": {"name": "servers-ws2025-2026-01-13-broad-1", "step": "Succeeded"},
            "availability": {"region": "westeurope", "zone": "2", "groups": ["app=shop"]},
            "conditions": kinds.map(condition),
        }})
    }

    async fn create_all(&self, count: usize) -> Figure {
        let start = Stopwatch::start();
        let mut bytes = 0;
        for number in 0..count {
            let machine = self.machine(number);
            bytes += self
                .send(Method::POST, &self.path, JSON, Some(&machine))
                .await
                .len();
        }
        Figure {
            what: "create",
            count,
            bytes,
            took: start.stop(),
        }
    }

    async fn update_all(&self, count: usize) -> Figure {
        let start = Stopwatch::start();
        let mut bytes = 0;
        for number in 0..count {
            let path = format!("{}/{}/status", self.path, name(number));
            let status = Self::status(number);
            bytes += self
                .send(Method::PATCH, &path, JSON, Some(&status))
                .await
                .len();
        }
        Figure {
            what: "update status (merge patch)",
            count,
            bytes,
            took: start.stop(),
        }
    }

    async fn list(&self, what: &'static str, accept: &str, count: usize) -> Figure {
        let start = Stopwatch::start();
        let answer = self.send(Method::GET, &self.path, accept, None).await;
        let took = start.stop();
        let found: Value = serde_json::from_slice(&answer).unwrap();
        let items = found.get("items").or(found.get("rows")).unwrap();
        assert_eq!(items.as_array().unwrap().len(), count, "{what}");
        Figure {
            what,
            count: 1,
            bytes: answer.len(),
            took,
        }
    }

    async fn list_in_pages(&self, count: usize) -> Figure {
        let mut took = (Duration::ZERO, Duration::ZERO);
        let (mut bytes, mut pages, mut seen) = (0, 0, 0);
        let mut next = String::new();
        loop {
            let path = format!("{}?limit={PAGE}&continue={next}", self.path);
            let start = Stopwatch::start();
            let answer = self.send(Method::GET, &path, JSON, None).await;
            let (wall, processor) = start.stop();
            took = (took.0 + wall, took.1 + processor);
            let found: Value = serde_json::from_slice(&answer).unwrap();
            (pages, bytes) = (pages + 1, bytes + answer.len());
            seen += found["items"].as_array().unwrap().len();
            match found["metadata"]["continue"].as_str() {
                Some(token) if !token.is_empty() => next = token.to_owned(),
                _ => break,
            }
        }
        assert_eq!(seen, count);
        Figure {
            what: "list in pages of 500",
            count: pages,
            bytes,
            took,
        }
    }

    /// Opens watches that wait for what comes after now.
    async fn watch(&self) -> Vec<SimBody> {
        let rv = self.sim.resource_version();
        let path = format!("{}?watch=1&resourceVersion={rv}", self.path);
        let mut watches = Vec::new();
        for number in 0..WATCHERS {
            let accept = match WATCHERS - number {
                1 => METADATA,
                2 => TABLE,
                _ => JSON,
            };
            watches.push(self.open(Method::GET, &path, accept, None).await);
        }
        watches
    }
}

fn name(number: usize) -> String {
    format!("machine-{number:05}")
}

/// Reads watches until each has seen so many events.
async fn read_all(watches: Vec<SimBody>, count: usize) -> Figure {
    let (start, mut bytes) = (Stopwatch::start(), 0);
    for mut watch in watches {
        let mut events = 0;
        while events < count {
            let frame = watch.frame().await.unwrap().unwrap();
            let data = frame.into_data().unwrap();
            bytes += data.len();
            events += data.iter().filter(|byte| **byte == b'\n').count();
        }
        assert_eq!(events, count);
    }
    Figure {
        what: "events read by 8 watches",
        count: count * WATCHERS,
        bytes,
        took: start.stop(),
    }
}

/// Plays it all with so many objects; returns what it took.
async fn play(count: usize) -> Vec<Figure> {
    let place = Place::new().await;
    let created = place.create_all(count).await;
    let watches = place.watch().await;
    let updated = place.update_all(count).await;
    let seen = read_all(watches, count).await;
    vec![
        created,
        updated,
        seen,
        place.list("list", JSON, count).await,
        place.list_in_pages(count).await,
        place.list("list as table", TABLE, count).await,
        place.list("list as metadata", METADATA, count).await,
    ]
}

#[tokio::test]
async fn a_thousand_objects_are_served_in_seconds() {
    let figures = play(1_000).await;
    let took: Duration = figures.iter().map(|figure| figure.took.0).sum();
    assert!(took < Duration::from_secs(60), "it took {took:?}");
}

#[tokio::test]
#[ignore = "prints figures of 10,000 objects: cargo test scale -- --ignored --nocapture"]
async fn figures_at_scale_of_ten_thousand_objects() {
    let before = resident_mib();
    let figures = play(10_000).await;
    println!();
    for figure in figures {
        println!("{figure}");
    }
    println!(
        "resident memory: {before} MiB before, {} MiB after",
        resident_mib()
    );
}
