//! scratch
use std::sync::Arc;
use chrono::{TimeZone, Utc, TimeDelta};
use hotpatch_operator::{api, azure, controller};
use hotpatch_operator::controller::{Settings, Shell, clock::Clock, clouds::OneCloud, lease::Tenure, audit::Lines};
use kube::api::{Api, DynamicObject, PostParams, ApiResource};
use azure_sim::{AzureSim, VmSpec, ArcSpec, Options, PatchLevel};
use kube_sim::KubeSim;

fn main() {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).without_time().init();
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    rt.block_on(go());
}
async fn apply(client: &kube::Client, text: &str) {
    for doc in text.split("\n---") {
        let v: serde_json::Value = serde_saphyr::from_str(doc).unwrap();
        let obj: DynamicObject = serde_json::from_value(v).unwrap();
        let t = obj.types.clone().unwrap();
        let plural = match t.kind.as_str() { "HotpatchFleet" => "hotpatchfleets", "MaintenanceWindow" => "maintenancewindows", "BaselinePolicy" => "baselinepolicies", _ => panic!() };
        let ar = ApiResource { group: "hotpatch.dev".into(), version: "v1alpha1".into(), api_version: t.api_version.clone(), kind: t.kind.clone(), plural: plural.into() };
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), "default", &ar);
        api.create(&PostParams::default(), &obj).await.unwrap();
    }
}
async fn go() {
    let epoch = Utc.with_ymd_and_hms(2025, 6, 9, 12, 0, 0).unwrap();
    let clock = Clock::starting_at(epoch);
    let kubesim = KubeSim::new(clock.as_fn());
    let mut options = Options::default(); options.seed = 7;
    let azure = AzureSim::new(clock.as_fn(), options);
    let sub = "00000000-0000-0000-0000-000000000001";
    for zone in 1..=3u8 { for i in 0..2 {
        let mut s = VmSpec::ws2025_azure_edition(&format!("web-{zone}-{i}")).subscription(sub).region("westeurope").zone(zone).tag("app","web").patched(PatchLevel::Current);
        if zone == 1 && i == 0 { s = s.tag("ring","canary"); }
        azure.add_vm(s);
    } }
    azure.add_arc(ArcSpec::ws2025_standard("arc-1").subscription(sub).region("westeurope").tag("app","web").tag("site","a"));
    let client = kubesim.client();
    let crds: Api<k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition> = Api::all(client.clone());
    for crd in api::all_crds() { crds.create(&PostParams::default(), &crd).await.unwrap(); }
    for f in ["examples/windows.yaml","examples/policy.yaml","examples/fleet.yaml"] { apply(&client, &std::fs::read_to_string(f).unwrap()).await; }
    let cloud = azure::Cloud::new(Arc::new(azure::transport::SimTransport::new(azure.clone())), azure::Endpoint::parse(azure::Endpoint::PUBLIC).unwrap(), azure::Token::new("t").unwrap());
    let shell = Shell { kube: client.clone(), clouds: Arc::new(OneCloud(cloud)), clock: clock.clone(), audit: Arc::new(Lines::new(std::io::stdout())), settings: Settings { holder: "a".into(), namespace: "default".into(), tenure: Tenure { duration: std::time::Duration::from_secs(1800), renew_every: std::time::Duration::from_secs(600) } } };
    let calls = Arc::new(std::sync::atomic::AtomicU64::new(0)); let kc = Arc::new(std::sync::Mutex::new(std::collections::BTreeMap::<String,u64>::new()));
    { let c = calls.clone(); azure.after_call(move |m,p,s| { c.fetch_add(1, std::sync::atomic::Ordering::Relaxed); if std::env::var("CALLS").is_ok() { println!("az {m} {p} {s}"); } }); }
    { let kc = kc.clone(); kubesim.on_response(move |c,_| { *kc.lock().unwrap().entry(format!("{} {}", c.verb.as_str(), c.resource)).or_default() += 1; }); }
    tokio::spawn(controller::run(shell, std::future::pending()));
    let days: i64 = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(3);
    let t0 = std::time::Instant::now();
    for d in 0..days*2 {
        tokio::time::sleep(std::time::Duration::from_secs(43200)).await;
        let fleet = kubesim.get_object("hotpatchfleets.hotpatch.dev", Some("default"), "web").unwrap();
        println!("== {} wall {:?} calls {} fleet {} | counts {}", clock.now(), t0.elapsed(), calls.load(std::sync::atomic::Ordering::Relaxed), fleet["status"]["nextAction"], fleet["status"]["counts"]);
        if d == 1 { println!("{}", serde_json::to_string_pretty(&fleet["status"]["conditions"]).unwrap()); }
    }
    println!("{:#?}", kc.lock().unwrap());
    for m in kubesim.list_objects("hotpatchmachines.hotpatch.dev") { println!("{} {}", m["metadata"]["name"], m["status"]["message"]); }
    for r in kubesim.list_objects("hotpatchruns.hotpatch.dev") { println!("{} {} {}", r["metadata"]["name"], r["spec"]["window"], r["status"]["machines"]); }
    for e in azure.effects_since(0) { if std::env::var("EFFECTS").is_ok() { println!("{} {} {:?}", e.at, e.machine_id.rsplit('/').next().unwrap(), e.what); } }
    let _ = TimeDelta::zero();
}
