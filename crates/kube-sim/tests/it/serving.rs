//! The API over loopback HTTP: served in real time from a paused simulation, bounded, and ended
//! with its watches.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use futures::TryStreamExt as _;
use kube::api::{Api, ListParams, PostParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, ResourceExt as _};
use kube_sim::http::{Error, Server, Serving};
use kube_sim::{Fault, KubeSim};

use crate::support::{Widget, sim, widget, widgets};

const LOOPBACK: &str = "127.0.0.1:0";

fn serve(sim: &KubeSim) -> Serving {
    Server::bind(sim.clone(), LOOPBACK.parse().unwrap()).unwrap()
}

/// A client that knows the server by its kubeconfig only.
async fn client(serving: &Serving) -> Client {
    let config = Kubeconfig::from_yaml(&serving.kubeconfig()).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(config, &options).await;
    Client::try_from(config.unwrap()).unwrap()
}

/// Sends bytes; returns all that comes back until the server closes, or nothing more comes.
fn raw(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    // The server may close before it has read everything.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(count) = stream.read(&mut piece) {
        if count == 0 {
            break;
        }
        answer.extend_from_slice(&piece[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(address: SocketAddr, path: &str, more: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n");
    raw(address, request.as_bytes())
}

#[tokio::test]
async fn a_client_over_http_creates_lists_and_watches() {
    let sim = sim().await;
    let serving = serve(&sim);
    let remote: Api<Widget> = Api::default_namespaced(client(&serving).await);
    let rv = sim.resource_version().to_string();
    remote
        .create(&PostParams::default(), &widget("a", 3))
        .await
        .unwrap();
    let listed = remote.list(&ListParams::default()).await.unwrap();
    assert_eq!(listed.items[0].name_any(), "a");

    let params = WatchParams::default();
    let mut events = Box::pin(remote.watch(&params, &rv).await.unwrap());
    let first = events.try_next().await.unwrap();
    assert!(matches!(first, Some(WatchEvent::Added(own)) if own.name_any() == "a"));
    // A write in process reaches the watch on the other thread.
    widgets(&sim)
        .create(&PostParams::default(), &widget("b", 3))
        .await
        .unwrap();
    let next = events.try_next().await.unwrap();
    assert!(matches!(next, Some(WatchEvent::Added(own)) if own.name_any() == "b"));
}

#[test]
fn a_paused_simulation_is_served_in_real_time() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let sim = runtime.block_on(sim());
    let serving = serve(&sim);
    // The simulation's runtime does not run now; requests are answered all the same.
    let answer = get(serving.addr(), "/apis/test.dev/v1/widgets", "");
    assert!(answer.contains("\"kind\":\"WidgetList\""), "{answer}");
    // A write over HTTP wakes a watch of the simulation.
    let address = serving.addr();
    let event = runtime.block_on(async {
        let params = WatchParams::default().timeout(3600);
        let rv = sim.resource_version().to_string();
        let mut events = Box::pin(widgets(&sim).watch(&params, &rv).await.unwrap());
        let body = serde_json::to_vec(&widget("a", 1)).unwrap();
        let head = format!(
            "POST /apis/test.dev/v1/namespaces/default/widgets HTTP/1.1\r\nHost: x\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let request = [head.into_bytes(), body].concat();
        // A blocking task also keeps the paused time from leaping to the watch's end.
        let sent = tokio::task::spawn_blocking(move || raw(address, &request));
        let event = events.try_next().await.unwrap();
        assert!(sent.await.unwrap().starts_with("HTTP/1.1 201"));
        event
    });
    assert!(matches!(event, Some(WatchEvent::Added(own)) if own.name_any() == "a"));
}

#[tokio::test]
async fn stopping_ends_watches_and_frees_the_port() {
    let sim = sim().await;
    let serving = serve(&sim);
    let address = serving.addr();
    let remote: Api<Widget> = Api::default_namespaced(client(&serving).await);
    let rv = sim.resource_version().to_string();
    let mut events = Box::pin(remote.watch(&WatchParams::default(), &rv).await.unwrap());
    widgets(&sim)
        .create(&PostParams::default(), &widget("a", 3))
        .await
        .unwrap();
    assert!(events.try_next().await.unwrap().is_some());
    let stopped = tokio::time::timeout(Duration::from_secs(10), serving.stop());
    let (stopped, rest) = tokio::join!(stopped, events.try_next());
    stopped.expect("a watch does not hold the server up");
    assert!(matches!(rest, Ok(None)), "the watch ends clean: {rest:?}");
    assert!(TcpStream::connect(address).is_err(), "nobody listens");
    let again = Server::bind(sim, address).unwrap();
    assert_eq!(again.addr(), address);
}

#[tokio::test]
async fn dropping_the_server_stops_it() {
    let serving = serve(&sim().await);
    let address = serving.addr();
    assert!(TcpStream::connect(address).is_ok());
    drop(serving);
    assert!(TcpStream::connect(address).is_err());
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_the_server_lives_on() {
    let serving = serve(&sim().await);
    let address = serving.addr();
    let body = vec![b' '; 3 * 1024 * 1024 + 1];
    let head = format!(
        "POST /apis/test.dev/v1/namespaces/default/widgets HTTP/1.1\r\nHost: x\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = raw(address, &[head.into_bytes(), body].concat());
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
        "the connection may break first: {answer}"
    );
    let long = format!("X-Long: {}\r\n", "x".repeat(128 * 1024));
    let answer = get(address, "/version", &long);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
    let many: String = (0..200).map(|n| format!("X-{n}: y\r\n")).collect();
    let answer = get(address, "/version", &many);
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert!(raw(address, b"nonsense\r\n\r\n").starts_with("HTTP/1.1 400"));
    assert!(get(address, "/version", "").starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_a_place() {
    let serving = serve(&sim().await);
    let address = serving.addr();
    let mut idle: Vec<TcpStream> = (0..kube_sim::http::CONNECTIONS_MAX)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let mut late = TcpStream::connect(address).unwrap();
    late.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    late.set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let mut piece = [0; 16];
    assert!(late.read(&mut piece).is_err(), "there is no place for it");
    idle.pop();
    late.set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let count = late.read(&mut piece).unwrap();
    assert!(piece[..count].starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_lost_connection_is_lost_on_the_wire() {
    let sim = sim().await;
    let serving = serve(&sim);
    sim.on_request(|_| Fault::DropBefore);
    assert_eq!(get(serving.addr(), "/apis/test.dev/v1/widgets", ""), "");
    sim.clear_hooks();
    let answer = get(serving.addr(), "/apis/test.dev/v1/widgets", "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn only_loopback_is_served_and_a_taken_port_is_named() {
    let sim = sim().await;
    let everywhere = Server::bind(sim.clone(), "0.0.0.0:0".parse().unwrap());
    assert!(matches!(everywhere, Err(Error::NotLoopback(_))));
    let serving = serve(&sim);
    let taken = Server::bind(sim, serving.addr()).unwrap_err();
    let said = taken.to_string();
    assert!(said.contains(&serving.addr().to_string()), "{said}");
}
