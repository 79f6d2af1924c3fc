//! One scene for each bug, in which it shows. Without the bug the operator stays clean in it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use azure_sim::{Fault, Health};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use hotpatch_operator::api::{HotpatchRequest, HotpatchRun};
use hotpatch_operator::planted::Bug;
use hotpatch_operator::rehearsal::gate::Side;
use hotpatch_operator::rehearsal::{Ended, Rehearsal};
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::json;

use super::stage::*;

/// Longer than the lease of a rehearsal.
const STOPPED: Duration = Duration::from_secs(40 * 60);

/// The KB of the baseline of July 2025.
const BASELINE: &str = "5062553";

/// What happens; tells whether it came to what the scene is about.
type Play = for<'a> fn(&'a mut Rehearsal, Places) -> LocalBoxFuture<'a, bool>;

/// A scene.
pub(super) struct Scene {
    pub(super) name: &'static str,
    pub(super) setting: fn() -> Setting,
    pub(super) play: Play,
}

/// Returns the scene in which a bug shows.
pub(super) fn scene(bug: Bug) -> Scene {
    let of = |name, setting, play| Scene {
        name,
        setting,
        play,
    };
    match bug {
        Bug::DropIntent
        | Bug::SkipRenewal
        | Bug::AnotherRequestId
        | Bug::ByClassification
        | Bug::RebootAlways
        | Bug::ForgetIntents
        | Bug::OneRunCounts
        | Bug::LocalIsUtc
        | Bug::ForeignSetting
        | Bug::ForgetEarlier
        | Bug::SkipAudit
        | Bug::NeverConclude
        | Bug::NeverWake => of("a baseline", Setting::default, baseline),
        Bug::PastTheEnd | Bug::IgnoreReserve => {
            of("one at a time, all night", || Setting::wide(1), baseline)
        }
        Bug::UnaskedScript => of("an Arc server owes its reboot", Setting::default, owed),
        Bug::FinishAHotpatch => of("a hotpatch", june, hotpatch),
        Bug::RetryOnTimeout | Bug::AmbiguousIsRefusal | Bug::EarlyHorizon | Bug::ForgetHolds => {
            of("the first answer is lost", late_sources, lost_answer)
        }
        Bug::RepostAfterGone => of("Azure forgets operations", slow, forgotten),
        Bug::SkipEvidence => of("dies after the first command", Setting::default, died),
        Bug::WakeAndSend => of("stands still after a renewal", Setting::default, woken),
        Bug::WriteBlind => of(
            "stands still before its intents",
            Setting::default,
            late_log,
        ),
        Bug::SkipQuiet => of("dies before its first log", quick, heir),
        Bug::SameEpoch | Bug::ForgetEpochs => {
            of("dies with a command under way", || Setting::wide(1), second)
        }
        Bug::SkipFreshness => of("a watch is late", Setting::default, late_watch),
        Bug::WrongIncarnation => of("created again before the look", Setting::default, recreated),
        Bug::UnknownIsHealthy => of("health is unknown", || Setting::wide(1), sick),
        Bug::UnknownIsFit => of("one falls ill", || Setting::wide(1), fallen_ill),
        Bug::StrangeIsPlanned | Bug::OneHoldsAll => {
            of("an entry is damaged", || Setting::wide(2), damaged)
        }
        Bug::OwnGroupOnly => of("two fleets, one group", two_fleets, baseline),
        Bug::IgnoreGroups => of("a group", group, baseline),
        Bug::PercentUp => of("a quarter of six", percent, baseline),
        Bug::WholeSet => of("an availability set", whole_set, night),
        Bug::WidenedLimit => of("a limit is widened", || Setting::wide(1), widened),
        Bug::IgnoreZones => of("two zones", || with(spread(6, "Zone")), baseline),
        Bug::IgnorePairs => of("two regions", || crowd("GeoPair"), night),
        Bug::IgnoreSites => of("two sites", || crowd("Site"), night),
        Bug::IgnoreExclusions => of("a freeze", frozen_days, baseline),
        Bug::FoldOpensTwice => of("a night in autumn", autumn, october),
        Bug::TodaysWindow => of("a window is widened", || Setting::wide(1), longer_window),
        Bug::SkipSoak => of("canaries", canaries, baseline),
        Bug::IgnoreHalt => of("every install fails", || failing(0, 1), failures),
        Bug::RetryForEver => of(
            "every install fails, and is borne",
            || failing(90, 0),
            failures,
        ),
        Bug::IgnoreSuspend => of("suspended", || Setting::wide(1), suspended),
        Bug::IgnoreObserve => of("set to Observe", || Setting::wide(1), observed),
        Bug::IgnorePause => of("paused", || Setting::wide(1), paused_by_request),
        Bug::SkipLastWord => of(
            "paused, and no watch shows it",
            || Setting::wide(1),
            unseen_pause,
        ),
        Bug::IgnoreAbort => of("aborted", || Setting::wide(1), aborted),
        Bug::IgnoreDeletion => of("the run is deleted", || Setting::wide(1), deleted),
        Bug::NoRestore => of("VMs leave the fleet", Setting::default, let_go),
        Bug::AnotherIdentity => of("two teams", shared, baseline),
        Bug::TellToken => of("an answer echoes the token", Setting::default, echo),
    }
}

/// One machine at a time, and nothing shows before some passes came.
fn late_sources() -> Setting {
    Setting {
        lag_minutes: Some(10),
        ..Setting::wide(1)
    }
}

fn with(policy: serde_json::Value) -> Setting {
    Setting {
        policy,
        ..Setting::default()
    }
}

/// A second replica sees a lease run out within the time that a request takes.
fn quick() -> Setting {
    Setting {
        renews_every: Some(Duration::from_secs(20)),
        ..Setting::default()
    }
}

fn shared() -> Setting {
    Setting {
        is_shared: true,
        ..Setting::default()
    }
}

fn june() -> Setting {
    Setting {
        epoch: JUNE,
        ..Setting::default()
    }
}

fn slow() -> Setting {
    let mut policy = policy(6);
    policy["spec"]["estimates"] = json!({"baseline": "40m"});
    with(policy)
}

fn two_fleets() -> Setting {
    Setting {
        fleets: vec![
            fleet_of("cloud", &["AzureVM"]),
            fleet_of("ground", &["ArcServer", "AzureLocalVM"]),
        ],
        ..group()
    }
}

fn group() -> Setting {
    let mut policy = policy(6);
    policy["spec"]["availability"]["groups"] = json!([{"tag": "patching", "maxUnavailable": 1}]);
    with(policy)
}

fn percent() -> Setting {
    let mut policy = policy(1);
    policy["spec"]["stages"][0]["maxUnavailable"] = json!("25%");
    with(policy)
}

fn crowd(kind: &str) -> Setting {
    Setting {
        is_large: true,
        ..with(spread(60, kind))
    }
}

fn whole_set() -> Setting {
    Setting {
        is_large: true,
        ..with(policy(60))
    }
}

fn frozen_days() -> Setting {
    let mut fleet = fleet();
    fleet["spec"]["exclusions"] =
        json!([{"name": "fair", "from": "2025-07-08", "through": "2025-07-09"}]);
    Setting {
        fleets: vec![fleet],
        ..Setting::default()
    }
}

fn autumn() -> Setting {
    let window = json!({
        "apiVersion": "hotpatch.dev/v1alpha1", "kind": "MaintenanceWindow",
        "metadata": {"name": "nights"},
        "spec": {
            "timeZone": "Europe/Berlin", "schedule": {"once": {"date": "2025-10-26"}},
            "startTime": "02:30", "duration": "6h",
        },
    });
    Setting {
        epoch: "2025-10-14T16:00:00Z",
        window: window.to_string(),
        ..Setting::wide(1)
    }
}

fn canaries() -> Setting {
    let mut policy = policy(6);
    policy["spec"]["stages"] = json!([
        {
            "name": "canary", "maxUnavailable": 1, "soak": "24h",
            "selector": {"matchLabels": {"ring": "canary"}},
        },
        {"name": "broad", "maxUnavailable": 6},
    ]);
    with(policy)
}

fn failing(max: u32, retries: u32) -> Setting {
    let mut policy = policy(1);
    policy["spec"]["failures"] = json!({"max": max, "retries": retries});
    with(policy)
}

fn baseline(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async {
        let is_over = until(own, 5 * 24, |world| is_over(world, BASELINE)).await;
        pass_hours(own, 24).await;
        is_over
    }
    .boxed_local()
}

/// The first reboot that an install wants on each machine does not come about.
fn owed(own: &mut Rehearsal, places: Places) -> LocalBoxFuture<'_, bool> {
    let ids: Vec<String> = own.look(|world| world.facts.keys().cloned().collect());
    for id in ids {
        own.azure.keep_up(&id);
    }
    baseline(own, places)
}

fn hotpatch(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async { until(own, 3 * 24, |world| is_over(world, "5060841")).await }.boxed_local()
}

/// A night with many machines: until the morning after the first command.
fn night(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async {
        let is_sent = until(own, 3 * 24, |world| !world.sent.is_empty()).await;
        pass_hours(own, 12).await;
        is_sent
    }
    .boxed_local()
}

fn october(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async {
        let morning = at("2025-10-26T12:00:00Z");
        own.run_until(|_, _| false, morning).await;
        own.look(|world| world.sent.len() > 2)
    }
    .boxed_local()
}

fn lost_answer(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async {
        once(own, is_install, Fault::DropAfter);
        until(own, 5 * 24, |world| is_over(world, BASELINE)).await
    }
    .boxed_local()
}

fn forgotten(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async {
        own.azure.on_call(|request| {
            let is_poll = request.method() == http::Method::GET
                && request
                    .uri()
                    .path()
                    .to_ascii_lowercase()
                    .contains("/locations/");
            if is_poll {
                let body = r#"{"error": {"code": "NotFound", "message": "no such operation"}}"#;
                return Fault::Status(404, body.to_owned(), None);
            }
            Fault::None
        });
        until(own, 5 * 24, |world| is_over(world, BASELINE)).await
    }
    .boxed_local()
}

fn died(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async {
        let gate = own.gate.clone();
        own.azure.after_call(move |method, path, status| {
            if method == "POST" && path.contains("/installPatches") && status < 300 {
                gate.close();
            }
        });
        let is_sent = until(own, 3 * 24, |_| false).await;
        own.restart();
        pass_hours(own, 4 * 24).await;
        !is_sent && own.look(|world| is_over(world, BASELINE))
    }
    .boxed_local()
}

fn woken(own: &mut Rehearsal, places: Places) -> LocalBoxFuture<'_, bool> {
    async move {
        own.gate.stop_at(places.renewal, Side::After, STOPPED);
        own.join();
        until(own, 5 * 24, |world| is_over(world, BASELINE)).await
    }
    .boxed_local()
}

fn late_log(own: &mut Rehearsal, places: Places) -> LocalBoxFuture<'_, bool> {
    async move {
        own.gate.stop_at(places.mark, Side::After, STOPPED);
        own.join();
        until(own, 5 * 24, |world| is_over(world, BASELINE)).await
    }
    .boxed_local()
}

fn heir(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async {
        let places = super::places(&quick());
        own.join();
        own.gate.kill_at(places.log, Side::Before);
        let limit = own.now() + chrono::TimeDelta::days(3);
        let ended = own.run_until(|_, _| false, limit).await;
        own.promote();
        let is_over = until(own, 5 * 24, |world| is_over(world, BASELINE)).await;
        ended == Ended::Killed && is_over
    }
    .boxed_local()
}

fn second(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async {
        own.join();
        let is_sent = until(own, 3 * 24, |world| !world.sent.is_empty()).await;
        own.promote();
        let is_over = until(own, 5 * 24, |world| is_over(world, BASELINE)).await;
        is_sent && is_over
    }
    .boxed_local()
}

fn late_watch(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async {
        let kube = own.kube.clone();
        let (is_sent, is_late) = (AtomicBool::new(false), std::sync::Arc::default());
        let late: std::sync::Arc<AtomicBool> = std::sync::Arc::clone(&is_late);
        own.kube.on_request(move |call| {
            let is_watch = call.verb == kube_sim::Verb::Watch && call.resource == RUNS;
            if is_watch && late.swap(false, Ordering::SeqCst) {
                return kube_sim::Fault::Delay(Duration::from_secs(5 * 60));
            }
            kube_sim::Fault::None
        });
        own.azure.after_call(move |method, path, _| {
            let is_first = method == "POST" && path.contains("/installPatches");
            if is_first && !is_sent.swap(true, Ordering::SeqCst) {
                is_late.store(true, Ordering::SeqCst);
                kube.cut_watches();
            }
        });
        until(own, 5 * 24, |world| is_over(world, BASELINE)).await
    }
    .boxed_local()
}

fn recreated(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async {
        let (azure, done) = (own.azure.clone(), AtomicBool::new(false));
        let runs = own.kube.clone();
        let id = id_of(own, "canary-0");
        own.azure.on_call(move |request| {
            let is_look = request.method() == http::Method::GET
                && request.uri().path().to_ascii_lowercase().ends_with(&id);
            let is_announced = !runs.list_objects(RUNS).is_empty();
            if is_look && is_announced && !done.swap(true, Ordering::SeqCst) {
                azure.recreate(&id);
            }
            Fault::None
        });
        let is_over = until(own, 3 * 24, |world| world.sent.len() > 3).await;
        pass_hours(own, 24).await;
        is_over
    }
    .boxed_local()
}

fn sick(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async {
        let id = id_of(own, "shop-1");
        own.azure.set_health(&id, Some(Health::Unknown));
        pass_hours(own, 36).await;
        own.look(|world| world.sent.is_empty())
    }
    .boxed_local()
}

fn fallen_ill(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async {
        let is_announced = until(own, 3 * 24, |world| !world.runs.is_empty()).await;
        let last = own.look(|world| {
            let named = world.runs.values().flat_map(|run| &run.spec.machines);
            let mut ids = named.map(|own| own.id.to_ascii_lowercase());
            ids.rfind(|id| world.sent.iter().all(|sent| sent.machine != *id))
        });
        let id = last.unwrap_or_default();
        own.azure.set_health(&id, Some(Health::Unavailable));
        pass_hours(own, 36).await;
        let is_left = own.look(|world| world.sent.iter().all(|sent| sent.machine != id));
        is_announced && is_left
    }
    .boxed_local()
}

/// The first machine of a run that nothing was commanded to yet; the others go on.
fn damaged(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async {
        let is_sent = until(own, 3 * 24, |world| !world.sent.is_empty()).await;
        let run = own.look(|world| world.sent.first().and_then(|sent| sent.run.clone()));
        let mut is_damaged = false;
        force(own, RUNS, &run.unwrap_or_default().1, |run| {
            let entries = run["status"]["machines"].as_array_mut();
            let mut entries = entries.into_iter().flatten();
            if let Some(entry) = entries.find(|entry| entry["step"] == "Planned") {
                entry["step"] = json!("Flying");
                is_damaged = true;
            }
        });
        pass_hours(own, 48).await;
        is_sent && is_damaged && own.look(|world| world.sent.len() >= 5)
    }
    .boxed_local()
}

fn widened(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async {
        let is_sent = until(own, 3 * 24, |world| !world.sent.is_empty()).await;
        force(own, POLICIES, "quick", |own| {
            own["spec"]["stages"][0]["maxUnavailable"] = json!(6);
        });
        let is_over = until(own, 5 * 24, |world| is_over(world, BASELINE)).await;
        is_sent && is_over
    }
    .boxed_local()
}

fn longer_window(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async {
        let is_sent = until(own, 3 * 24, |world| !world.sent.is_empty()).await;
        force(own, WINDOWS, "nights", |own| {
            own["spec"]["duration"] = json!("12h");
        });
        pass_hours(own, 48).await;
        is_sent
    }
    .boxed_local()
}

fn failures(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async {
        let azure = own.azure.clone();
        let ids: Vec<String> = own.look(|world| world.facts.keys().cloned().collect());
        own.azure.on_call(move |request| {
            if is_install(request) {
                for id in &ids {
                    azure.fail_next_install(id, "0x80070005", "access denied");
                }
            }
            Fault::None
        });
        pass_hours(own, 5 * 24).await;
        own.look(|world| !world.sent.is_empty())
    }
    .boxed_local()
}

/// Lets the first command be sent, changes something, and looks on for a while.
async fn then(own: &mut Rehearsal, change: impl FnOnce(&Rehearsal)) -> bool {
    let is_sent = until(own, 3 * 24, |world| !world.sent.is_empty()).await;
    change(own);
    pass_hours(own, 6).await;
    is_sent
}

fn suspended(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    then(own, |own| {
        force(own, FLEETS, "small", |own| {
            own["spec"]["suspend"] = json!(true);
        });
    })
    .boxed_local()
}

fn observed(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    then(own, |own| {
        force(own, FLEETS, "small", |own| {
            own["spec"]["mode"] = json!("Observe");
        });
    })
    .boxed_local()
}

async fn request(own: &mut Rehearsal, verb: &str) -> bool {
    let is_sent = until(own, 3 * 24, |world| !world.sent.is_empty()).await;
    let requests: Api<HotpatchRequest> = Api::namespaced(own.kube.client(), NAMESPACE);
    let request = json!({
        "apiVersion": "hotpatch.dev/v1alpha1", "kind": "HotpatchRequest",
        "metadata": {"name": "stop"},
        "spec": {"fleetRef": {"name": "small"}, "verb": verb, "reason": "a test"},
    });
    let request = serde_json::from_value(request).unwrap();
    let made = requests.create(&PostParams::default(), &request).await;
    pass_hours(own, 30).await;
    is_sent && made.is_ok()
}

fn paused_by_request(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    request(own, "Pause").boxed_local()
}

/// A pause that stands, and a watch that never comes about again.
fn unseen_pause(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async {
        let is_sent = until(own, 3 * 24, |world| !world.sent.is_empty()).await;
        own.kube.on_request(|call| {
            let is_watch = call.verb == kube_sim::Verb::Watch && call.resource == REQUESTS;
            if is_watch {
                return kube_sim::Fault::DropBefore;
            }
            kube_sim::Fault::None
        });
        own.kube.cut_watches();
        request(own, "Pause").await && is_sent
    }
    .boxed_local()
}

fn aborted(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    request(own, "Abort").boxed_local()
}

fn deleted(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async {
        let is_sent = until(own, 3 * 24, |world| !world.sent.is_empty()).await;
        let run = own.look(|world| world.runs.keys().next().cloned());
        let runs: Api<HotpatchRun> = Api::namespaced(own.kube.client(), NAMESPACE);
        let params = DeleteParams::default();
        let gone = runs.delete(&run.unwrap_or_default().1, &params).await;
        pass_hours(own, 48).await;
        is_sent && gone.is_ok()
    }
    .boxed_local()
}

fn let_go(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async {
        pass_hours(own, 12).await;
        let claimed = own.look(|world| world.machines.values().any(|own| own.is_claimed));
        force(own, FLEETS, "small", |own| {
            own["spec"]["selector"]["kinds"] = json!(["ArcServer", "AzureLocalVM"]);
        });
        pass_hours(own, 48).await;
        claimed
    }
    .boxed_local()
}

fn echo(own: &mut Rehearsal, _: Places) -> LocalBoxFuture<'_, bool> {
    async {
        let done = AtomicBool::new(false);
        own.azure.on_call(move |request| {
            if !is_install(request) || done.swap(true, Ordering::SeqCst) {
                return Fault::None;
            }
            let told = request.headers().get("authorization");
            let told = told.and_then(|own| own.to_str().ok()).unwrap_or_default();
            let body = json!({"error": {"code": "Conflict", "message": format!("sent: {told}")}});
            Fault::Status(409, body.to_string(), None)
        });
        until(own, 5 * 24, |world| is_over(world, BASELINE)).await
    }
    .boxed_local()
}
