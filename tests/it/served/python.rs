//! The Python client and kopf against the served demo.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::demo::{Demo, binary};

/// Runs a script with the demo's kubeconfig; returns what it printed.
fn run(demo: &Demo, name: &str, script: &str) -> String {
    let python = binary("HOTPATCH_PYTHON");
    let file = format!("hotpatch-{}-{name}.py", std::process::id());
    let path: PathBuf = std::env::temp_dir().join(file);
    fs::write(&path, script).unwrap();
    let done = Command::new(python)
        .arg(&path)
        .env("KUBECONFIG", &demo.kubeconfig)
        .output()
        .unwrap();
    fs::remove_file(&path).unwrap();
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    let err = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{out}{err}");
    out
}

const CLIENT: &str = r#"
from kubernetes import client, config, dynamic, watch

config.load_kube_config()
objects = client.CustomObjectsApi()
args = ("hotpatch.dev", "v1alpha1", "web", "hotpatchmachines")
print("listed", len(objects.list_namespaced_custom_object(*args)["items"]))
page = objects.list_namespaced_custom_object(*args, limit=10)
print("paged", len(page["items"]), page["metadata"]["remainingItemCount"])
core = client.CoreV1Api()
print("version", client.VersionApi().get_code().minor)
made = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="py"), data={"a": "b"})
core.create_namespaced_config_map("web", made)
seen = []
for event in watch.Watch().stream(core.list_namespaced_config_map, "web", timeout_seconds=20,
                                  field_selector="metadata.name=py"):
    seen.append(event["type"])
    if event["type"] == "ADDED":
        change = [{"op": "replace", "path": "/data/a", "value": "c"}]
        core.patch_namespaced_config_map("py", "web", change)
    elif event["type"] == "MODIFIED":
        core.delete_namespaced_config_map("py", "web")
    else:
        break
print("watched", *seen)
fleets = dynamic.DynamicClient(client.ApiClient()).resources.get(
    api_version="hotpatch.dev/v1alpha1", kind="HotpatchFleet")
print("dynamic", *[own.metadata.name for own in fleets.get(namespace="web").items])
for event in fleets.watch(namespace="web", timeout=20):
    print("dynamic watch", event["type"], event["object"].metadata.name)
    break
"#;

const KOPF: &str = r#"
import asyncio, kopf
from kubernetes import client, config

stop = asyncio.Event()

@kopf.on.event("hotpatch.dev", "v1alpha1", "hotpatchfleets")
async def seen(name, **_):
    print("saw", name, flush=True)

@kopf.on.create("", "v1", "configmaps", field="metadata.name", value="for-kopf")
async def made(name, **_):
    print("handled", name, flush=True)
    stop.set()

async def main():
    config.load_kube_config()
    core = client.CoreV1Api()
    work = asyncio.create_task(kopf.operator(namespace="web", standalone=True, stop_flag=stop))
    await asyncio.sleep(2)
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="for-kopf"), data={"a": "b"})
    await asyncio.to_thread(core.create_namespaced_config_map, "web", body)
    await asyncio.wait_for(work, 60)

asyncio.run(main())
"#;

#[test]
#[ignore = "needs Python with kubernetes and kopf: make e2e"]
fn python_clients_list_page_watch_and_write() {
    let demo = Demo::start_with_machines("0.01");
    let out = run(&demo, "client", CLIENT);
    let want = [
        "listed 62",
        "paged 10 52",
        "version 36",
        "watched ADDED MODIFIED DELETED",
        "dynamic servers",
        "dynamic watch ADDED servers",
    ];
    assert_eq!(out.lines().collect::<Vec<&str>>(), want);
}

#[test]
#[ignore = "needs Python with kubernetes and kopf: make e2e"]
fn python_kopf_sees_fleets_and_handles_a_new_object() {
    let demo = Demo::start_with_machines("0.01");
    let out = run(&demo, "kopf", KOPF);
    assert!(out.contains("saw servers"), "{out}");
    assert!(out.contains("handled for-kopf"), "{out}");
}
