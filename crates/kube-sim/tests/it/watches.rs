//! Watches: replay, stream, selectors, bookmarks, timeouts, expiry, and a real watcher on top.

use std::pin::pin;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use kube::ResourceExt;
use kube::api::{
    DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::runtime::watcher::{self, Event, watcher};
use kube_sim::KubeSim;
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::support::{Widget, sim, status, widget, widgets};

fn short(event: &WatchEvent<Widget>) -> String {
    match event {
        WatchEvent::Added(w) => format!("+{}", w.name_any()),
        WatchEvent::Modified(w) => format!("~{}", w.name_any()),
        WatchEvent::Deleted(w) => format!("-{}", w.name_any()),
        WatchEvent::Bookmark(b) if b.metadata.annotations.contains_key(INITIAL) => "=end".into(),
        WatchEvent::Bookmark(_) => "=".to_owned(),
        WatchEvent::Error(status) => format!("!{}", status.code),
    }
}

const INITIAL: &str = "k8s.io/initial-events-end";

/// All events of a watch until the server ends it.
async fn watch(sim: &KubeSim, params: &WatchParams, rv: &str) -> Vec<String> {
    let events = widgets(sim).watch(params, rv).await.unwrap();
    let events: Vec<WatchEvent<Widget>> = events.try_collect().await.unwrap();
    events.iter().map(short).collect()
}

async fn create(sim: &KubeSim, name: &str) {
    widgets(sim)
        .create(&PostParams::default(), &widget(name, 1))
        .await
        .unwrap();
}

async fn label(sim: &KubeSim, name: &str, value: &str) {
    let patch = Patch::Merge(json!({"metadata": {"labels": {"l": value}}}));
    widgets(sim)
        .patch(name, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_watch_replays_from_its_version_and_ends_at_its_timeout() {
    let sim = sim().await;
    create(&sim, "a").await;
    let rv = sim.resource_version().to_string();
    create(&sim, "b").await;
    label(&sim, "a", "x").await;
    widgets(&sim)
        .delete("b", &DeleteParams::default())
        .await
        .unwrap();
    let start = Instant::now();
    let params = WatchParams::default().timeout(30);
    assert_eq!(watch(&sim, &params, &rv).await, ["+b", "~a", "-b", "="]);
    assert_eq!(start.elapsed(), Duration::from_secs(30));
    let quiet = WatchParams {
        bookmarks: false,
        ..params
    };
    assert_eq!(
        watch(&sim, &quiet, "0").await,
        ["+a"],
        "version 0 starts with what is there"
    );
}

#[tokio::test(start_paused = true)]
async fn objects_enter_and_leave_a_selection() {
    let sim = sim().await;
    let rv = sim.resource_version().to_string();
    create(&sim, "a").await;
    for value in ["x", "x", "y", "x"] {
        label(&sim, "a", value).await;
    }
    widgets(&sim)
        .delete("a", &DeleteParams::default())
        .await
        .unwrap();
    let params = WatchParams {
        bookmarks: false,
        ..WatchParams::default()
    };
    let params = params.timeout(1).labels("l=x");
    assert_eq!(watch(&sim, &params, &rv).await, ["+a", "-a", "+a", "-a"]);
    let named = WatchParams {
        bookmarks: false,
        ..WatchParams::default()
    };
    let named = named.timeout(1).fields("metadata.name=other");
    assert_eq!(watch(&sim, &named, &rv).await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_ends_with_a_marked_bookmark() {
    let sim = sim().await;
    create(&sim, "a").await;
    create(&sim, "b").await;
    let params = WatchParams::default().initial_events().timeout(1);
    assert_eq!(watch(&sim, &params, "0").await, ["+a", "+b", "=end"]);
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_version_is_expired() {
    let sim = sim().await;
    let rv = sim.resource_version().to_string();
    create(&sim, "a").await;
    sim.compact();
    // As the real server does: the answer is 200, the failure is the first event.
    let params = WatchParams::default().timeout(5);
    assert_eq!(watch(&sim, &params, &rv).await, ["!410"]);

    let now = sim.resource_version().to_string();
    let mut open = pin!(
        widgets(&sim)
            .watch(&WatchParams::default().timeout(60), &now)
            .await
            .unwrap()
    );
    sim.set_history_limit(2);
    for name in ["b", "c", "d"] {
        create(&sim, name).await;
    }
    let event = open.try_next().await.unwrap().unwrap();
    assert_eq!(
        short(&event),
        "!410",
        "a reader that falls behind is told so"
    );
    let far = (sim.resource_version() + 100).to_string();
    let future = ListParams::default().at(&far);
    assert_eq!(status(widgets(&sim).list(&future).await).code, 504);
}

/// The next event of a watcher, which must come soon.
async fn next<S>(stream: &mut S) -> Result<Event<Widget>, watcher::Error>
where
    S: futures::Stream<Item = Result<Event<Widget>, watcher::Error>> + Unpin,
{
    timeout(Duration::from_secs(60), stream.next())
        .await
        .unwrap()
        .unwrap()
}

fn applied(event: Event<Widget>) -> (String, i64) {
    match event {
        Event::Apply(found) | Event::InitApply(found) => (found.name_any(), found.spec.size),
        other => panic!("not an object: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_real_watcher_survives_an_update_a_dropped_watch_and_a_410() {
    for config in [
        watcher::Config::default(),
        watcher::Config::default().streaming_lists(),
    ] {
        let sim = sim().await;
        create(&sim, "a").await;
        let mut events = pin!(watcher(widgets(&sim), config));
        assert!(matches!(next(&mut events).await, Ok(Event::Init)));
        assert_eq!(
            applied(next(&mut events).await.unwrap()),
            ("a".to_owned(), 1)
        );
        assert!(matches!(next(&mut events).await, Ok(Event::InitDone)));

        resize(&sim, 2).await;
        assert_eq!(
            applied(next(&mut events).await.unwrap()),
            ("a".to_owned(), 2)
        );

        sim.cut_watches();
        resize(&sim, 3).await;
        assert_eq!(
            applied(next(&mut events).await.unwrap()),
            ("a".to_owned(), 3)
        );

        sim.cut_watches();
        resize(&sim, 4).await;
        sim.compact();
        let mut seen = Vec::new();
        for _ in 0..10 {
            match next(&mut events).await {
                Ok(Event::InitDone) => break,
                Ok(Event::Init) => seen.push("init".to_owned()),
                Ok(event) => seen.push(format!("{:?}", applied(event))),
                Err(error) => seen.push(format!("error {}", error.to_string().contains("410"))),
            }
        }
        assert!(
            seen.contains(&"init".to_owned()),
            "the list is read again: {seen:?}"
        );
        assert_eq!(seen.last().unwrap(), "(\"a\", 4)");
        widgets(&sim)
            .delete("a", &DeleteParams::default())
            .await
            .unwrap();
        assert!(matches!(next(&mut events).await, Ok(Event::Delete(_))));
    }
}

async fn resize(sim: &KubeSim, size: i64) {
    let patch = Patch::Merge(json!({"spec": {"size": size}}));
    widgets(sim)
        .patch("a", &PatchParams::default(), &patch)
        .await
        .unwrap();
    let listed = widgets(sim).list(&ListParams::default()).await.unwrap();
    assert_eq!(listed.items[0].spec.size, size);
}
