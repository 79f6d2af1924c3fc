//! scratch
use hotpatch_operator::rehearsal::{population::Population, *};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
fn main() {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .without_time()
        .init();
    let hours: i64 = std::env::args()
        .nth(1)
        .and_then(|a| a.parse().ok())
        .unwrap_or(6);
    let seed: u64 = std::env::args()
        .nth(2)
        .and_then(|a| a.parse().ok())
        .unwrap_or(1);
    let small = std::env::args().nth(3).is_some();
    let rt = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    rt.block_on(async {
        let t0 = std::time::Instant::now();
        let mut r = Rehearsal::new(Options {
            seed,
            epoch: "2025-06-09T08:00:00Z".parse().unwrap(),
            population: if small {
                Population::small()
            } else {
                Population::demo()
            },
            manifests: EXAMPLES.map(str::to_owned).to_vec(),
            assumptions: Default::default(),
            tenure: hotpatch_operator::cli::demo::TENURE,
            replay: String::new(),
        })
        .await
        .unwrap();
        let counts: Arc<Mutex<BTreeMap<String, u64>>> = Default::default();
        let c = counts.clone();
        r.kube.on_response(move |call, status| {
            *c.lock()
                .unwrap()
                .entry(format!(
                    "kube {} {} {} {status}",
                    call.verb.as_str(),
                    call.resource,
                    call.subresource.as_deref().unwrap_or("")
                ))
                .or_default() += 1;
        });
        let c = counts.clone();
        r.azure.after_call(move |m, p, s| {
            let p = p.to_lowercase();
            let kind = p.rsplit('/').take(1).collect::<String>();
            *c.lock()
                .unwrap()
                .entry(format!(
                    "azure {m} {} {s}",
                    if p.contains("resourcegraph") {
                        "graph".to_owned()
                    } else if p.contains("operations") {
                        "poll".to_owned()
                    } else {
                        kind.trim_end_matches(char::is_numeric).to_owned()
                    }
                ))
                .or_default() += 1;
        });
        for h in 1..=hours {
            let until = r.now() + chrono::TimeDelta::hours(1);
            let e = r.run_until(|_, _| false, until).await;
            let s: u64 = counts.lock().unwrap().values().sum();
            if s > 400 || h % 24 == 0 || h < 12 {
                println!(
                    "{} {e:?} wall {:?} {s} requests, violations {}",
                    r.now(),
                    t0.elapsed(),
                    r.violations().len()
                );
                if std::env::var("COUNTS").is_ok() {
                    for (k, v) in counts.lock().unwrap().iter() {
                        println!("    {v:>6} {k}");
                    }
                }
            }
            counts.lock().unwrap().clear();
        }
        if let Some(n) = std::env::var("RECORDS").ok() {
            r.look(|w| {
                for (k, v) in &w.records {
                    if k.1.contains(&n) {
                        println!("{} {}", k.1, serde_json::to_string(&v["status"]).unwrap());
                    }
                }
            });
            for (k, f) in r.look(|w| {
                w.fleets
                    .all()
                    .map(|(k, f)| (k.clone(), f.clone()))
                    .collect::<Vec<_>>()
            }) {
                println!("{k:?} {}", serde_json::to_string_pretty(&f.status).unwrap());
            }
        }
        if std::env::var("RUNS").is_ok() {
            r.look(|w| {
                for (k, v) in &w.runs {
                    println!(
                        "{} {} {:?}",
                        k.1,
                        serde_json::to_string(&v.spec.window).unwrap(),
                        v.status.as_ref().map(|s| (s.started_at, s.completed_at))
                    );
                    for m in v.status.iter().flat_map(|s| &s.machines) {
                        println!(
                            "      {} {} attempt {:?} {:?} {:?} since {:?}",
                            m.id.rsplit('/').next().unwrap(),
                            m.step,
                            m.attempts,
                            m.reason,
                            m.message,
                            m.finished_at
                        );
                    }
                }
            });
        }
        let report = r.finish();
        println!("{}", hotpatch_operator::cli::demo::text(&report, seed));
        println!("wall {:?}", t0.elapsed());
    });
}
