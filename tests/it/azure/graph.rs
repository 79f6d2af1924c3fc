//! Inventory and progress over scripted pages of Resource Graph.

use std::collections::BTreeSet;

use hotpatch_operator::azure::{Error, Scope, TransportError};
use hotpatch_operator::domain::machine::{
    Connection, Edition, Facts, Health, Image, InstallStatus, Licence, MachineKind, PatchMode,
    Power, Product, RebootBehavior, RebootStatus, ScaleSet, ZonePlace,
};
use hotpatch_operator::domain::region::{PairGroup, Regions};
use serde_json::{Value, json};

use super::script::*;

fn vm(name: &str) -> Value {
    json!({
        "id": VM.replace("vm1", name), "name": name, "type": "microsoft.compute/virtualmachines",
        "kind": "", "location": "westeurope", "zones": null, "tags": {"App": "web"},
        "vmId": format!("GUID-{name}"), "provisioning": "Succeeded",
        "disk": format!("/disks/{name}"), "diskOs": "Windows",
        "image": {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer",
            "sku": "2025-datacenter-azure-edition", "version": "latest"},
        "windows": {"provisionVMAgent": true, "enableAutomaticUpdates": true, "patchSettings": {
            "patchMode": "automaticByPlatform", "enableHotpatching": true,
            "assessmentMode": "ImageDefault", "automaticByPlatformSettings": {
                "rebootSetting": "IFREQUIRED", "bypassPlatformSafetyChecksOnUserSchedule": false}}},
        "extensions": null, "availabilitySet": null, "scaleSet": null, "faultDomain": null,
        "view": {"powerState": {"code": "PowerState/running"}, "hyperVGeneration": "V2",
            "osName": "Windows Server 2025 Datacenter Azure Edition",
            "osVersion": "Microsoft Windows NT 10.0.26100.0"},
        "someColumnOfTomorrow": {"x": 1},
    })
}

fn arc(name: &str) -> Value {
    json!({
        "id": ARC.replace("arc1", name), "name": name, "type": "microsoft.hybridcompute/machines",
        "kind": null, "location": "West Europe", "tags": {"Site": "Hamburg"},
        "vmId": format!("guid-{name}"), "vmUuid": format!("uuid-{name}"),
        "provisioning": "Succeeded", "status": "Connected", "agent": "1.58",
        "changed": "2026-11-20T00:00:00.0000000Z", "osType": "windows",
        "osSku": "Windows Server 2025 Standard", "osEdition": "Standard",
        "osVersion": "10.0.26100.6905",
        "windows": {"patchSettings": {"patchMode": "Manual", "enableHotpatching": true,
            "status": {"hotpatchEnablementStatus": "Enabled", "error": null}}},
        "licence": {"productType": "WindowsServer", "productFeatures": [
            {"name": "hotpatch", "subscriptionStatus": "enabled"}]},
    })
}

fn health(machine: &str, state: &str) -> Value {
    let target = machine.to_lowercase();
    json!({"id": format!("{target}/x"), "target": target, "state": state})
}

fn assessed(machine: &str) -> Value {
    json!({"id": format!("{}/patchAssessmentResults/latest", machine.to_lowercase()),
        "status": "Succeeded", "rebootPending": false,
        "started": "2026-11-21T01:00:00.0000000Z", "modified": "2026-11-21T01:05:00.0000000Z"})
}

fn offer(machine: &str, kb: &str, reboot: &str) -> Value {
    let base = machine.to_lowercase();
    json!({"id": format!("{base}/patchassessmentresults/latest/softwarepatches/{kb}"),
        "kb": kb, "reboot": reboot, "classifications": ["Security"],
        "published": "2026-11-10T00:00:00Z"})
}

fn install(machine: &str, activity: &str, status: &str, day: u32) -> Value {
    let base = machine.to_lowercase();
    json!({"id": format!("{base}/patchInstallationResults/{activity}"), "activity": activity,
        "status": status, "reboot": "NotNeeded", "exceeded": false,
        "started": format!("2026-11-{day:02}T01:00:00Z"),
        "modified": format!("2026-11-{day:02}T02:00:00Z")})
}

fn patch(machine: &str, activity: &str, kb: &str, state: &str) -> Value {
    let base = machine.to_lowercase();
    json!({"id": format!("{base}/patchinstallationresults/{activity}/softwarepatches/{kb}"),
        "kb": kb, "state": state})
}

/// The tables of a fleet: resources, offers, assessments, patches, installs, health.
type Tables = [Vec<Value>; 6];

/// The machine of a row, by its id or by what it is about.
fn machine_of(row: &Value) -> String {
    let id = row["target"].as_str().or(row["id"].as_str()).unwrap();
    let id = id.to_lowercase();
    let end = ["/patchassessmentresults/", "/patchinstallationresults/"]
        .iter()
        .find_map(|part| id.find(part));
    id[..end.unwrap_or(id.len())].to_owned()
}

/// The rows of one machine as the parts of a list.
fn parts(machine: &str, tables: &[&Vec<Value>]) -> Vec<Value> {
    let own = tables.iter().flat_map(|rows| rows.iter());
    let own = own.filter(|row| machine_of(row) == machine);
    own.map(|row| {
        let mut part = row.clone();
        let id = row["id"].as_str().unwrap().to_lowercase();
        part["part"] = json!(id.splitn(11, '/').nth(10));
        part.as_object_mut().unwrap().remove("id");
        part
    })
    .collect()
}

/// One page with everything joined, as one query for all tables gives it.
fn joined(tables: &Tables) -> Vec<Value> {
    let [resources, offers, assessments, patches, installs, health] = tables;
    let mut rows = resources.clone();
    for row in &mut rows {
        let machine = machine_of(row);
        row["assessed"] = json!(parts(&machine, &[offers, assessments]));
        row["installed"] = json!(parts(&machine, &[patches, installs]));
        let own = health.iter().filter(|row| machine_of(row) == machine);
        row["states"] = own.map(|row| row["state"].clone()).collect();
    }
    rows
}

fn tables(pages: Tables) -> Vec<Answer> {
    vec![page(&joined(&pages), None)]
}

/// What Resource Graph says to a query that joins more than a tenant may.
fn too_many_joins() -> Answer {
    let details = json!([{"code": "DisallowedMaxNumberOfRemoteTables", "message": "too many"}]);
    let error = json!({"error": {"code": "BadRequest", "message": "ask", "details": details}});
    ok(400, &[], &error)
}

/// The same tables as the answers to the queries of each reach: all at once, two at once, and one
/// by one, with the refusals that lead there.
fn by_reach(pages: &Tables) -> [Vec<Answer>; 3] {
    let [resources, offers, assessments, patches, installs, health] = pages;
    let all = joined(pages);
    let installed: Vec<Value> = all
        .iter()
        .filter(|row| !row["installed"].as_array().unwrap().is_empty())
        .map(|row| json!({"id": row["id"], "installed": row["installed"]}))
        .collect();
    let mut assessed = all.clone();
    for row in &mut assessed {
        let row = row.as_object_mut().unwrap();
        row.remove("installed");
        row.remove("states");
    }
    let two = [&assessed, &installed, health].map(|rows| page(rows, None));
    let one = [resources, offers, assessments, patches, installs, health];
    let one = one.map(|rows| page(rows, None));
    [
        vec![page(&all, None)],
        [too_many_joins()].into_iter().chain(two).collect(),
        [too_many_joins(), too_many_joins()]
            .into_iter()
            .chain(one)
            .collect(),
    ]
}

#[tokio::test]
async fn rows_of_all_tables_join_without_regard_to_case() {
    let fleet = [
        vec![vm("vm1")],
        vec![
            offer(VM, "5070893", "NeverReboots"),
            offer(VM, "5068000", "CanRequestReboot"),
        ],
        vec![assessed(VM)],
        vec![
            patch(VM, "act1", "5066131", "Installed"),
            patch(VM, "act1", "5066132", "failed"),
        ],
        vec![
            install(VM, "act1", "Succeeded", 10),
            install(VM, "act2", "CompletedWithWarnings", 12),
        ],
        vec![health(VM, "Available")],
    ];
    let mut inventories = Vec::new();
    for answers in by_reach(&fleet) {
        let (script, count) = (Script::new(answers.clone()), answers.len());
        inventories.push(script.cloud().inventory(&scope(), now()).await.unwrap());
        assert_eq!(script.seen().len(), count);
    }
    assert_eq!(inventories[0], inventories[1]);
    assert_eq!(inventories[0], inventories[2]);
    let inventory = inventories.remove(0);
    assert_eq!(inventory.at, now());
    assert!(
        inventory.unreadable.is_empty(),
        "{:?}",
        inventory.unreadable
    );
    let [machine] = inventory.machines.as_slice() else {
        panic!("one machine")
    };
    assert_eq!(machine.id, id(VM));
    assert_eq!(machine.kind, MachineKind::AzureVm);
    assert_eq!(
        (machine.product, machine.edition),
        (Product::Ws2025, Edition::DatacenterAzureEdition)
    );
    assert_eq!(machine.build, None, "a VM's version has no revision");
    assert_eq!(machine.incarnation.vm_id, "guid-vm1");
    assert_eq!(machine.incarnation.body.as_deref(), Some("/disks/vm1"));
    assert_eq!(machine.settings.patch_mode, PatchMode::AutomaticByPlatform);
    assert!(machine.settings.hotpatch && !machine.settings.bypass);
    assert_eq!(
        (machine.power, &machine.health),
        (Power::Running, &Health::Healthy)
    );
    assert_eq!(
        (machine.busy.as_ref(), machine.tags.get("app")),
        (None, Some("web"))
    );
    let Facts::AzureVm(facts) = &machine.facts else {
        panic!("a VM")
    };
    assert!(matches!(&facts.image, Image::Marketplace { sku, .. } if sku.starts_with("2025-")));
    assert_eq!(facts.scale_set, ScaleSet::None);
    let assessment = machine.assessment.as_ref().unwrap();
    assert_eq!(assessment.at.to_rfc3339(), "2026-11-21T01:05:00+00:00");
    let offered: Vec<_> = assessment
        .offered
        .iter()
        .map(|o| (o.kb.number(), o.reboot))
        .collect();
    assert_eq!(
        offered,
        [
            (5068000, RebootBehavior::CanRequest),
            (5070893, RebootBehavior::Never)
        ]
    );
    assert!(assessment.offered[0].security);
    let installs: Vec<_> = machine
        .installs
        .iter()
        .map(|r| (&*r.activity, r.status))
        .collect();
    assert_eq!(
        installs,
        [
            ("act2", InstallStatus::Warnings),
            ("act1", InstallStatus::Succeeded)
        ]
    );
    assert_eq!(machine.installs[1].installed[0].number(), 5066131);
    assert_eq!(machine.installs[1].failed[0].number(), 5066132);
    assert_eq!(machine.installs[1].reboot, RebootStatus::NotNeeded);
}

#[tokio::test]
async fn an_arc_machine_has_a_site_and_a_licence_and_no_region_of_its_own() {
    let gone = {
        let mut gone = arc("arc2");
        gone["status"] = json!("Disconnected");
        gone
    };
    let script = Script::new(tables([
        vec![arc("arc1"), gone],
        vec![],
        vec![],
        vec![],
        vec![],
        vec![],
    ]));
    let inventory = script.cloud().inventory(&scope(), now()).await.unwrap();
    let machine = &inventory.machines[0];
    assert_eq!(machine.kind, MachineKind::ArcServer);
    assert_eq!(machine.placement.region, "westeurope");
    assert_eq!(machine.placement.site.as_deref(), Some("Hamburg"));
    assert_eq!(machine.build.unwrap().to_string(), "26100.6905");
    assert_eq!(
        (machine.product, machine.edition),
        (Product::Ws2025, Edition::Standard)
    );
    let Facts::ArcServer(facts) = &machine.facts else {
        panic!("Arc")
    };
    assert_eq!(
        (facts.licence, facts.connection),
        (Licence::Enabled, Connection::Connected)
    );
    assert_eq!(facts.enablement.as_deref(), Some("Enabled"));
    assert_eq!(
        machine.health,
        Health::Healthy,
        "Resource Health is not needed for Arc"
    );
    let silent = &inventory.machines[1];
    assert_eq!(silent.health, Health::Unknown("Arc agent".into()));
    let Facts::ArcServer(facts) = &silent.facts else {
        panic!("Arc")
    };
    assert!(matches!(
        facts.connection,
        Connection::Disconnected { since: Some(_) }
    ));
}

#[tokio::test]
async fn the_profiles_own_row_outweighs_the_machines_copy_of_it() {
    let profile = json!({"id": format!("{ARC}/licenseProfiles/default"),
        "type": "microsoft.hybridcompute/machines/licenseprofiles",
        "product": {"productFeatures": [{"name": "Hotpatch", "subscriptionStatus": "Failed"}]}});
    let rows = vec![arc("arc1"), profile];
    let script = Script::new(tables([rows, vec![], vec![], vec![], vec![], vec![]]));
    let inventory = script.cloud().inventory(&scope(), now()).await.unwrap();
    let Facts::ArcServer(facts) = &inventory.machines[0].facts else {
        panic!("Arc")
    };
    assert_eq!(facts.licence, Licence::Failed);
    assert_eq!(inventory.machines.len(), 1);
}

#[tokio::test]
async fn health_names_the_source_that_is_silent_or_says_no() {
    let off = {
        let mut off = vm("vm1");
        off["view"]["powerState"]["code"] = json!("PowerState/deallocated");
        off
    };
    let blind = {
        let mut blind = vm("vm1");
        blind["view"] = Value::Null;
        blind
    };
    let unknown = |source: &str| Health::Unknown(source.to_owned());
    let bad = |why: &str| Health::Unhealthy(why.to_owned());
    let cases = [
        (
            vm("vm1"),
            vec![health(VM, "Available")],
            Power::Running,
            Health::Healthy,
        ),
        (
            vm("vm1"),
            vec![],
            Power::Running,
            unknown("Resource Health"),
        ),
        (
            vm("vm1"),
            vec![health(VM, "Unknown")],
            Power::Running,
            unknown("Resource Health"),
        ),
        (
            vm("vm1"),
            vec![health(VM, "Available"), health(VM, "Degraded")],
            Power::Running,
            bad("Resource Health says Degraded"),
        ),
        (
            off,
            vec![health(VM, "Available")],
            Power::Off,
            bad("the VM is off"),
        ),
        (
            blind,
            vec![health(VM, "Available")],
            Power::Unknown,
            unknown("power state"),
        ),
    ];
    for (row, states, power, wanted) in cases {
        let pages = tables([vec![row], vec![], vec![], vec![], vec![], states]);
        let inventory = Script::new(pages)
            .cloud()
            .inventory(&scope(), now())
            .await
            .unwrap();
        assert_eq!(
            (inventory.machines[0].power, &inventory.machines[0].health),
            (power, &wanted)
        );
    }
}

#[tokio::test]
async fn pages_are_read_to_the_last_with_query_and_scope_resent() {
    let pages = vec![
        page(&[vm("vm1")], Some("t1")),
        page(&[vm("vm2")], Some("t2")),
        page(&[vm("vm3")], None),
    ];
    let script = Script::new(pages);
    let inventory = script.cloud().inventory(&scope(), now()).await.unwrap();
    let names: Vec<_> = inventory.machines.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["vm1", "vm2", "vm3"]);
    let bodies = script.bodies();
    for body in &bodies[..3] {
        assert_eq!(body["query"], bodies[0]["query"]);
        assert_eq!(body["subscriptions"], json!(["s1"]));
        assert_eq!(body["options"]["resultFormat"], "objectArray");
    }
    let tokens: Vec<_> = bodies[..3]
        .iter()
        .map(|b| b["options"]["$skipToken"].clone())
        .collect();
    assert_eq!(tokens, [Value::Null, json!("t1"), json!("t2")]);
    let texts: BTreeSet<_> = bodies.iter().map(|b| b["query"].to_string()).collect();
    assert_eq!(texts.len(), 1, "one query for everything");
    assert!(
        texts.iter().all(|text| !text.contains("s1")),
        "a scope is never in the text"
    );
}

#[tokio::test]
async fn an_answer_that_lost_rows_is_an_error() {
    let truncated = json!({"totalRecords": 5, "count": 1, "resultTruncated": "true",
        "data": [vm("vm1")]});
    let miscounted = json!({"totalRecords": 5, "count": 2, "resultTruncated": "false",
        "data": [vm("vm1")]});
    let cut = || ok(200, &[], &truncated);
    let found = Script::new([cut(), cut(), cut()])
        .cloud()
        .inventory(&scope(), now())
        .await
        .unwrap_err();
    assert!(matches!(found, Error::Malformed { .. }), "{found:?}");
    let answers = [
        ok(200, &[], &miscounted),
        ok(200, &[], &json!({"data": {"columns": []}})),
        ok(
            200,
            &[("x-ms-tenant-subscription-limit-hit", "true")],
            &json!({"data": []}),
        ),
    ];
    for answer in answers {
        let found = Script::new([answer])
            .cloud()
            .inventory(&scope(), now())
            .await
            .unwrap_err();
        assert!(matches!(found, Error::Malformed { .. }), "{found:?}");
    }
    let script = Script::new([page(&[vm("vm1")], Some("t")), page(&[vm("vm2")], Some("t"))]);
    let found = script.cloud().inventory(&scope(), now()).await.unwrap_err();
    assert!(
        matches!(found, Error::Malformed { .. }),
        "a token that leads back: {found:?}"
    );
}

#[tokio::test]
async fn overlapping_scopes_give_each_machine_once() {
    let both = Scope {
        subscriptions: vec!["s1".into()],
        management_groups: vec!["mg".into()],
    };
    let own = |machines: Vec<Value>, reboot: &str| {
        let rows = joined(&[
            machines,
            vec![offer(VM, "5070893", reboot)],
            vec![assessed(VM)],
            vec![patch(VM, "a", "5066131", "Installed")],
            vec![install(VM, "a", "Succeeded", 10)],
            vec![],
        ]);
        page(&rows, None)
    };
    let pages = [
        own(vec![vm("vm1")], "NeverReboots"),
        own(vec![vm("vm1"), vm("vm2")], "CanRequestReboot"),
    ];
    let script = Script::new(pages);
    let inventory = script.cloud().inventory(&both, now()).await.unwrap();
    assert_eq!(inventory.machines.len(), 2);
    let machine = &inventory.machines[0];
    assert_eq!(machine.installs.len(), 1);
    assert_eq!(machine.installs[0].installed.len(), 1);
    let offered = &machine.assessment.as_ref().unwrap().offered;
    assert_eq!(offered.len(), 1);
    assert_eq!(
        offered[0].reboot,
        RebootBehavior::CanRequest,
        "the worse word stays"
    );
    let bodies = script.bodies();
    assert_eq!(bodies[0]["subscriptions"], json!(["s1"]));
    assert_eq!(bodies[1]["managementGroups"], json!(["mg"]));
    assert!(bodies[1].get("subscriptions").is_none());
}

#[tokio::test]
async fn a_row_that_does_not_parse_is_named_and_makes_its_machine_unknown() {
    let mut no_vm_id = vm("vm2");
    no_vm_id["vmId"] = Value::Null;
    let mut odd = vm("vm3");
    odd["zones"] = json!("one");
    let mut stray = vm("vm4");
    stray["id"] = json!("/subscriptions/s1/providers/Microsoft.Compute/virtualMachines/vm4");
    let mut bad_install = install(VM, "act1", "Succeeded", 10);
    bad_install["started"] = json!("yesterday");
    let mut bad_offer = offer(VM, "x", "NeverReboots");
    bad_offer["kb"] = json!("not a number");
    let script = Script::new(tables([
        vec![vm("vm1"), no_vm_id, odd, stray],
        vec![bad_offer],
        vec![assessed(VM)],
        vec![],
        vec![bad_install],
        vec![health(VM, "Available")],
    ]));
    let inventory = script.cloud().inventory(&scope(), now()).await.unwrap();
    let ids: Vec<_> = inventory
        .unreadable
        .iter()
        .map(|row| row.id.as_str())
        .collect();
    assert_eq!(ids.len(), 5, "{ids:?}");
    for name in ["vm2", "vm3", "vm4", "/softwarepatches/x", "/act1"] {
        assert!(ids.iter().any(|id| id.ends_with(name)), "{name}: {ids:?}");
    }
    let [machine] = inventory.machines.as_slice() else {
        panic!("one is left")
    };
    assert!(machine.assessment.is_none(), "its offers are not all known");
    assert!(machine.busy.is_some(), "an install of it may be running");
}

#[tokio::test]
async fn an_assessment_that_did_not_succeed_proves_nothing() {
    for status in ["Failed", "InProgress", "Unknown", ""] {
        let mut row = assessed(VM);
        row["status"] = json!(status);
        let pages = tables([
            vec![vm("vm1")],
            vec![offer(VM, "1", "NeverReboots")],
            vec![row],
            vec![],
            vec![],
            vec![],
        ]);
        let inventory = Script::new(pages)
            .cloud()
            .inventory(&scope(), now())
            .await
            .unwrap();
        assert!(inventory.machines[0].assessment.is_none(), "{status}");
    }
}

#[tokio::test]
async fn what_runs_on_a_machine_shows_as_busy() {
    let mut updating = vm("vm1");
    updating["provisioning"] = json!("Updating");
    let cases = [
        (updating, vec![], Some("provisioningState Updating")),
        (
            vm("vm1"),
            vec![install(VM, "a", "InProgress", 22)],
            Some("installPatches a"),
        ),
        (
            vm("vm1"),
            vec![install(VM, "a", "NotStarted", 22)],
            Some("installPatches a"),
        ),
        (vm("vm1"), vec![install(VM, "a", "Failed", 22)], None),
    ];
    for (row, installs, wanted) in cases {
        let pages = tables([vec![row], vec![], vec![], vec![], installs, vec![]]);
        let inventory = Script::new(pages)
            .cloud()
            .inventory(&scope(), now())
            .await
            .unwrap();
        assert_eq!(inventory.machines[0].busy.as_deref(), wanted);
    }
}

#[tokio::test]
async fn a_scale_set_of_unknown_mode_counts_as_uniform() {
    let set = "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.Compute/\
               virtualMachineScaleSets/web";
    let mut member = vm("vm1");
    member["scaleSet"] = json!(set);
    member["faultDomain"] = json!(2);
    let row = |mode: &str| {
        json!({"id": set.to_uppercase(), "mode": mode,
        "type": "microsoft.compute/virtualmachinescalesets"})
    };
    let cases = [
        (vec![member.clone()], ScaleSet::Uniform, None),
        (
            vec![member.clone(), row("Uniform")],
            ScaleSet::Uniform,
            None,
        ),
        (
            vec![member, row("flexible")],
            ScaleSet::Flexible,
            Some((set.to_lowercase(), Some(2))),
        ),
    ];
    for (rows, wanted, place) in cases {
        let pages = tables([rows, vec![], vec![], vec![], vec![], vec![]]);
        let inventory = Script::new(pages)
            .cloud()
            .inventory(&scope(), now())
            .await
            .unwrap();
        let Facts::AzureVm(facts) = &inventory.machines[0].facts else {
            panic!("a VM")
        };
        assert_eq!(facts.scale_set, wanted);
        assert_eq!(inventory.machines[0].placement.flexible_scale_set, place);
    }
}

#[tokio::test]
async fn zones_are_physical_and_read_once() {
    let mut zonal = vm("vm1");
    zonal["zones"] = json!(["2"]);
    let mut odd = vm("vm2");
    odd["zones"] = json!(["3"]);
    let rows = vec![zonal, odd, vm("vm3")];
    let locations = json!({"value": [{"name": "westeurope",
        "metadata": {"pairedRegion": [{"name": "austriaeast", "id": "/subscriptions/s1/x"}]},
        "availabilityZoneMappings": [{"logicalZone": "2", "physicalZone": "westeurope-az1"}]}]});
    let mut pages = tables([rows.clone(), vec![], vec![], vec![], vec![], vec![]]);
    pages.push(ok(200, &[], &locations));
    pages.extend(tables([
        rows.clone(),
        vec![],
        vec![],
        vec![],
        vec![],
        vec![],
    ]));
    let script = Script::new(pages);
    let cloud = script.cloud();
    for _ in 0..2 {
        let inventory = cloud.inventory(&scope(), now()).await.unwrap();
        let zones: Vec<_> = inventory
            .machines
            .iter()
            .map(|m| m.placement.zone.clone())
            .collect();
        let physical = ZonePlace::Physical("westeurope-az1".into());
        assert_eq!(zones, [physical, ZonePlace::Unknown, ZonePlace::Regional]);
        // What Azure says of pairs comes before the file, in both directions.
        let group = |region| inventory.regions.pair_group(region);
        assert_eq!(group("westeurope"), PairGroup::Group("austriaeast".into()));
        assert_eq!(group("austriaeast"), group("westeurope"));
        assert_eq!(group("eastus"), Regions::embedded().pair_group("eastus"));
    }
    let seen = script.seen();
    let path = seen[1].uri().path_and_query().unwrap().as_str();
    assert_eq!(path, "/subscriptions/s1/locations?api-version=2022-12-01");

    let mut pages = tables([rows, vec![], vec![], vec![], vec![], vec![]]);
    pages.push(error(403, "AuthorizationFailed"));
    let inventory = Script::new(pages)
        .cloud()
        .inventory(&scope(), now())
        .await
        .unwrap();
    assert_eq!(inventory.machines[0].placement.zone, ZonePlace::Unknown);
    assert_eq!(*inventory.regions, *Regions::embedded());
}

#[tokio::test]
async fn pairs_are_asked_for_where_vms_stand_in_two_regions() {
    let mut far = vm("vm2");
    far["location"] = json!("northeurope");
    let mut pages = tables([vec![vm("vm1"), far], vec![], vec![], vec![], vec![], vec![]]);
    let locations = json!({"value": [{"name": "northeurope",
        "metadata": {"pairedRegion": [{"name": "eastus"}]}}]});
    pages.push(ok(200, &[], &locations));
    let inventory = Script::new(pages)
        .cloud()
        .inventory(&scope(), now())
        .await
        .unwrap();
    let group = |region| inventory.regions.pair_group(region);
    assert_eq!(group("northeurope"), group("eastus"));
}

#[tokio::test]
async fn an_inventory_goes_on_where_the_quota_ended_it() {
    let spent = |rows: &[Value], token: &str| {
        let body = json!({"count": rows.len(), "resultTruncated": "false", "$skipToken": token,
            "data": rows});
        let quota = [
            ("x-ms-user-quota-remaining", "0"),
            ("x-ms-user-quota-resets-after", "00:00:05"),
        ];
        ok(200, &quota, &body)
    };
    let pages = vec![
        spent(&[vm("vm1")], "t1"),
        ok(429, &[("retry-after", "3")], &Value::Null),
        Err(TransportError::AnswerLost("reset".into())),
        page(&[vm("vm2")], None),
    ];
    let script = Script::new(pages);
    let cloud = script.cloud();
    let later = now() + chrono::TimeDelta::seconds(10);
    let found = cloud.inventory(&scope(), now()).await.unwrap_err();
    assert!(
        matches!(
            found,
            Error::Throttled {
                until_seconds: 5,
                ..
            }
        ),
        "{found:?}"
    );
    let found = cloud.inventory(&scope(), later).await.unwrap_err();
    assert!(
        matches!(
            found,
            Error::Throttled {
                until_seconds: 3,
                ..
            }
        ),
        "{found:?}"
    );
    let found = cloud.inventory(&scope(), later).await.unwrap_err();
    assert!(matches!(found, Error::Transient { .. }), "{found:?}");
    let inventory = cloud.inventory(&scope(), later).await.unwrap();
    assert_eq!(inventory.machines.len(), 2);
    assert_eq!(inventory.at, now(), "as old as its oldest page");
}

#[tokio::test]
async fn a_half_read_inventory_grows_stale() {
    let mut pages = vec![page(&[vm("vm1")], Some("t1")), error(503, "Down")];
    pages.extend(empty_pages(1));
    let script = Script::new(pages);
    let cloud = script.cloud();
    let _ = cloud.inventory(&scope(), now()).await.unwrap_err();
    let later = now() + chrono::TimeDelta::seconds(301);
    let inventory = cloud.inventory(&scope(), later).await.unwrap();
    assert_eq!((inventory.at, inventory.machines.len()), (later, 0));
}

#[tokio::test]
async fn an_empty_scope_is_refused_because_it_would_mean_everything() {
    let found = Script::new([])
        .cloud()
        .inventory(&Scope::default(), now())
        .await
        .unwrap_err();
    assert!(matches!(found, Error::Invalid { .. }), "{found:?}");
}

#[tokio::test]
async fn progress_asks_for_the_named_machines_only() {
    let script = Script::new(tables([
        vec![vm("vm1")],
        vec![],
        vec![assessed(VM)],
        vec![patch(VM, "a", "5070893", "Installed")],
        vec![install(VM, "a", "Succeeded", 22)],
        vec![health(VM, "Available")],
    ]));
    let wanted = BTreeSet::from([id(VM), id(ARC)]);
    let found = script.cloud().progress(&scope(), &wanted).await.unwrap();
    assert_eq!(found.len(), 1, "a machine that is not shown is absent");
    let progress = &found[&id(VM)];
    assert_eq!(progress.installs[0].installed[0].number(), 5070893);
    assert_eq!(
        (progress.power, progress.connection),
        (Power::Running, None)
    );
    assert_eq!(progress.health, Health::Healthy);
    assert_eq!(progress.reboot_pending, Some(false));
    assert_eq!(
        progress.assessed_at.unwrap().to_rfc3339(),
        "2026-11-21T01:05:00+00:00"
    );
    for body in script.bodies() {
        let text = body["query"].as_str().unwrap().to_owned();
        let list = format!("| where machine in ('{}', '{}')", id(VM), id(ARC));
        assert!(text.contains(&list), "{text}");
    }
}

#[tokio::test]
async fn progress_with_a_row_that_does_not_parse_is_an_error() {
    let mut bad = install(VM, "a", "Succeeded", 22);
    bad["started"] = Value::Null;
    let pages = tables([vec![vm("vm1")], vec![], vec![], vec![], vec![bad], vec![]]);
    let wanted = BTreeSet::from([id(VM)]);
    let found = Script::new(pages)
        .cloud()
        .progress(&scope(), &wanted)
        .await
        .unwrap_err();
    assert!(matches!(found, Error::Malformed { .. }), "{found:?}");
}

#[tokio::test]
async fn update_domains_come_from_the_instance_views_of_the_subscription() {
    let mut member = vm("vm1");
    member["availabilitySet"] = json!("/Sets/AS-1");
    let mut other = vm("vm2");
    other["availabilitySet"] = json!("/Sets/AS-1");
    let mut pages = tables([vec![member, other], vec![], vec![], vec![], vec![], vec![]]);
    let view = |domain: u32| json!({"instanceView": {"platformUpdateDomain": domain}});
    let next = "https://management.azure.com/subscriptions/s1/next";
    let first = json!({"value": [{"id": VM, "properties": view(3)}], "nextLink": next});
    pages.push(ok(200, &[], &first));
    pages.push(ok(
        200,
        &[],
        &json!({"value": [{"id": "/odd"}, {"id": VM.replace("vm1", "vm2")}]}),
    ));
    let script = Script::new(pages);
    let inventory = script.cloud().inventory(&scope(), now()).await.unwrap();
    let place = |n: usize| {
        inventory.machines[n]
            .placement
            .availability_set
            .clone()
            .unwrap()
    };
    assert_eq!(
        (place(0).id.as_str(), place(0).update_domain),
        ("/sets/as-1", Some(3))
    );
    assert_eq!(place(1).update_domain, None);
    let seen = script.seen();
    assert!(seen[1].uri().to_string().ends_with("statusOnly=true"));
    assert_eq!(seen[2].uri().to_string(), next);
}

#[tokio::test]
async fn what_was_refused_once_is_not_asked_for_again() {
    let fleet: Tables = [vec![vm("vm1")], vec![], vec![], vec![], vec![], vec![]];
    let [_, two, _] = by_reach(&fleet);
    let mut answers = two.clone();
    answers.extend_from_slice(&two[1..]);
    answers.extend_from_slice(&two[1..]);
    let script = Script::new(answers);
    let cloud = script.cloud();
    cloud.inventory(&scope(), now()).await.unwrap();
    cloud.inventory(&scope(), now()).await.unwrap();
    let wanted = BTreeSet::from([id(VM)]);
    cloud.progress(&scope(), &wanted).await.unwrap();
    assert_eq!(script.seen().len(), 4 + 3 + 3);
}

#[tokio::test]
async fn a_query_that_is_refused_whatever_it_joins_is_an_error() {
    let bad = || error(400, "InvalidSubscription");
    let script = Script::new([bad(), bad(), bad()]);
    let found = script.cloud().inventory(&scope(), now()).await.unwrap_err();
    assert!(
        matches!(&found, Error::Invalid { code, .. } if code == "InvalidSubscription"),
        "{found:?}"
    );
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_asked_for_in_smaller_pages() {
    let details = json!([{"code": "ResponsePayloadTooLarge", "message": "17 MB"}]);
    let large = json!({"error": {"code": "BadRequest", "details": details}});
    let script = Script::new([
        page(&[vm("vm1")], Some("t1")),
        ok(400, &[], &large),
        page(&[vm("vm1")], Some("t2")),
        page(&[vm("vm2")], None),
    ]);
    let inventory = script.cloud().inventory(&scope(), now()).await.unwrap();
    assert_eq!(inventory.machines.len(), 2);
    let asked: Vec<_> = script
        .bodies()
        .iter()
        .map(|body| {
            let options = &body["options"];
            (options["$top"].clone(), options["$skipToken"].clone())
        })
        .collect();
    let wanted = [
        (json!(1000), Value::Null),
        (json!(1000), json!("t1")),
        (json!(500), Value::Null),
        (json!(500), json!("t2")),
    ];
    assert_eq!(asked, wanted);
}
