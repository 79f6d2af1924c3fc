//! Changes of settings, claim and licence, as sent.

use hotpatch_operator::azure::Error;
use hotpatch_operator::domain::enrolment::{
    CLAIM_TAG, Change, Claim, ClaimIdentity, SettingsPatch, TagChange,
};
use hotpatch_operator::domain::machine::{MachineKind, PatchMode, RebootSetting};
use serde_json::{Value, json};

use super::documents::document;
use super::script::*;

fn change(machine: &str, settings: SettingsPatch, tag: TagChange) -> Change {
    Change {
        machine: id(machine),
        settings,
        licence: None,
        tag,
        replaces: None,
    }
}

fn hotpatch_on() -> SettingsPatch {
    SettingsPatch {
        patch_mode: Some(PatchMode::AutomaticByPlatform),
        hotpatch: Some(true),
        ..SettingsPatch::default()
    }
}

fn done() -> Answer {
    ok(200, &[], &json!({}))
}

#[tokio::test]
async fn settings_are_worded_as_in_the_official_examples() {
    let pointer = "/parameters/parameters/properties/osProfile/windowsConfiguration/patchSettings";
    let platform = SettingsPatch {
        patch_mode: Some(PatchMode::AutomaticByPlatform),
        periodic_assessment: Some(true),
        hotpatch: None,
        reboot: Some(RebootSetting::Never),
        bypass: Some(false),
    };
    let cases = [
        (
            hotpatch_on(),
            "VirtualMachines_CreateOrUpdate_EnableHotpatching",
            VM,
        ),
        (
            platform,
            "VirtualMachines_CreateOrUpdate_AutomaticByPlatformSettings",
            VM,
        ),
        (
            SettingsPatch {
                periodic_assessment: Some(false),
                ..hotpatch_on()
            },
            "Machines_Update",
            ARC,
        ),
    ];
    for (settings, name, machine) in cases {
        let kind = if machine == VM {
            MachineKind::AzureVm
        } else {
            MachineKind::ArcServer
        };
        // Only a VM is known to take If-Match, so only a VM is read first.
        let read = (machine == VM).then(|| ok(200, &[], &json!({"etag": "\"7\""})));
        let script = Script::new(read.into_iter().chain([done()]));
        let change = change(machine, settings, TagChange::Keep);
        script.cloud().change(&change, kind).await.unwrap();
        let seen = script.seen().pop().unwrap();
        assert_eq!(seen.method(), "PATCH");
        let etag = seen
            .headers()
            .get("if-match")
            .map(|own| own.to_str().unwrap());
        assert_eq!(etag, (machine == VM).then_some("\"7\""));
        let official = document(name);
        let wanted = json!({"properties": {"osProfile": {"windowsConfiguration": {
            "patchSettings": official.pointer(pointer).unwrap()}}}});
        assert_eq!(script.bodies().pop().unwrap(), wanted, "{name}");
    }
}

#[tokio::test]
async fn a_change_of_nothing_sends_nothing() {
    let script = Script::new([]);
    let change = change(VM, SettingsPatch::default(), TagChange::Keep);
    script
        .cloud()
        .change(&change, MachineKind::AzureVm)
        .await
        .unwrap();
}

#[tokio::test]
async fn claim_and_settings_go_in_one_request_with_all_tags_and_the_etag() {
    let vm = json!({"tags": {"app": "web", "HOTPATCH-claim": "old"}, "etag": "\"7\""});
    let script = Script::new([ok(200, &[], &vm), done()]);
    let change = change(VM, hotpatch_on(), TagChange::Set("mine".into()));
    script
        .cloud()
        .change(&change, MachineKind::AzureVm)
        .await
        .unwrap();
    let seen = &script.seen()[1];
    assert_eq!(seen.method(), "PATCH");
    assert_eq!(seen.headers()["if-match"], "\"7\"");
    let sent = &script.bodies()[1];
    assert_eq!(sent["tags"], json!({"app": "web", CLAIM_TAG: "mine"}));
    assert!(sent["properties"]["osProfile"].is_object());
}

#[tokio::test]
async fn a_change_in_between_is_a_conflict() {
    let vm = json!({"tags": {}, "etag": "\"7\""});
    let script = Script::new([ok(200, &[], &vm), error(412, "PreconditionFailed")]);
    let change = change(VM, hotpatch_on(), TagChange::Set("mine".into()));
    let found = script
        .cloud()
        .change(&change, MachineKind::AzureVm)
        .await
        .unwrap_err();
    assert!(matches!(found, Error::Conflict { .. }), "{found:?}");
}

#[tokio::test]
async fn a_claim_is_removed_whether_tags_replace_or_merge() {
    let before = json!({"tags": {"app": "web", CLAIM_TAG: "mine"}, "etag": "\"7\""});
    let replaced = json!({"tags": {"app": "web"}, "etag": "\"8\""});
    let merged = json!({"tags": {"app": "web", CLAIM_TAG: "mine"}, "etag": "\"8\""});
    let change = change(VM, SettingsPatch::default(), TagChange::Remove);

    let script = Script::new([ok(200, &[], &before), ok(200, &[], &replaced)]);
    script
        .cloud()
        .change(&change, MachineKind::AzureVm)
        .await
        .unwrap();
    assert_eq!(script.bodies()[1], json!({"tags": {"app": "web"}}));

    let script = Script::new([ok(200, &[], &before), ok(200, &[], &merged), done()]);
    script
        .cloud()
        .change(&change, MachineKind::AzureVm)
        .await
        .unwrap();
    assert_eq!(
        script.bodies()[2],
        json!({"tags": {"app": "web", CLAIM_TAG: Value::Null}})
    );
    assert_eq!(script.seen()[2].headers()["if-match"], "\"8\"");

    // An accepted PATCH without a body is read back.
    let script = Script::new([
        ok(200, &[], &before),
        ok(202, &[], &Value::Null),
        ok(200, &[], &replaced),
    ]);
    script
        .cloud()
        .change(&change, MachineKind::AzureVm)
        .await
        .unwrap();
    assert_eq!(script.seen()[2].method(), "GET");
}

#[tokio::test]
async fn a_licence_names_its_one_feature_and_no_field_that_costs_money() {
    let mut change = change(ARC, SettingsPatch::default(), TagChange::Keep);
    change.licence = Some(true);
    let script = Script::new([done()]);
    script
        .cloud()
        .change(&change, MachineKind::ArcServer)
        .await
        .unwrap();
    let sent = &script.bodies()[0];
    let official = document("LicenseProfiles_Update");
    let official = &official["parameters"]["parameters"]["properties"]["productProfile"];
    let product = &sent["properties"]["productProfile"];
    assert_eq!(product["productFeatures"], official["productFeatures"]);
    assert_eq!(product["productType"], official["productType"]);
    assert_eq!(
        product.as_object().unwrap().len(),
        2,
        "no subscriptionStatus: {product}"
    );
    assert_eq!(
        sent["properties"].as_object().unwrap().len(),
        1,
        "no other profile: {sent}"
    );
    assert!(
        script.seen()[0]
            .uri()
            .path()
            .ends_with("/licenseProfiles/default")
    );
}

#[tokio::test]
async fn a_missing_licence_profile_is_made_where_the_machine_is_or_left_missing() {
    let mut change = change(ARC, SettingsPatch::default(), TagChange::Keep);
    change.licence = Some(true);
    let machine = ok(200, &[], &json!({"location": "eastus2euap"}));
    let script = Script::new([error(404, "ResourceNotFound"), machine, done()]);
    script
        .cloud()
        .change(&change, MachineKind::ArcServer)
        .await
        .unwrap();
    assert_eq!(script.seen()[2].method(), "PUT");
    let official = document("LicenseProfiles_CreateOrUpdate");
    let official = &official["parameters"]["parameters"];
    assert_eq!(script.bodies()[2]["location"], official["location"]);

    change.licence = Some(false);
    let script = Script::new([error(404, "ResourceNotFound")]);
    script
        .cloud()
        .change(&change, MachineKind::ArcServer)
        .await
        .unwrap();
    let feature = &script.bodies()[0]["properties"]["productProfile"]["productFeatures"][0];
    assert_eq!(feature["subscriptionStatus"], "Disable");
}

#[tokio::test]
async fn the_claim_comes_before_the_licence_and_goes_after_it() {
    let machine = || ok(200, &[], &json!({"tags": {}}));
    let path = |script: &Script| -> Vec<String> {
        let licence = |r: &http::Request<bytes::Bytes>| r.uri().path().contains("licenseProfiles");
        let name = |r| format!("{} {}", http::Request::method(r), licence(r));
        script.seen().iter().map(name).collect()
    };
    let mut enrol = change(ARC, hotpatch_on(), TagChange::Set("mine".into()));
    enrol.licence = Some(true);
    let script = Script::new([machine(), done(), done()]);
    script
        .cloud()
        .change(&enrol, MachineKind::ArcServer)
        .await
        .unwrap();
    assert_eq!(path(&script), ["GET false", "PATCH false", "PATCH true"]);

    let mut release = change(ARC, hotpatch_on(), TagChange::Remove);
    release.licence = Some(false);
    let ours = || ok(200, &[], &json!({"tags": {CLAIM_TAG: "mine"}}));
    let script = Script::new([ours(), done(), ours(), done(), machine()]);
    script
        .cloud()
        .change(&release, MachineKind::ArcServer)
        .await
        .unwrap();
    let expected = ["GET false", "PATCH true", "GET false", "PATCH false"];
    assert_eq!(path(&script)[..4], expected);
}

#[tokio::test]
async fn what_bears_no_claim_or_anothers_is_not_put_back() {
    let claim = |fleet: &str| ClaimIdentity::new("cluster-1", fleet).unwrap();
    let mut release = change(ARC, hotpatch_on(), TagChange::Remove);
    release.licence = Some(false);
    release.replaces = Some(claim("gone"));
    for (tags, is_conflict) in [
        (json!({"app": "web"}), false),
        (
            json!({CLAIM_TAG: Claim::new(claim("new")).to_string()}),
            true,
        ),
    ] {
        let script = Script::new([ok(200, &[], &json!({"tags": tags}))]);
        let found = script
            .cloud()
            .change(&release, MachineKind::ArcServer)
            .await;
        assert_eq!(matches!(found, Err(Error::Conflict { .. })), is_conflict);
        assert_eq!(script.seen().len(), 1, "nothing is written: {tags}");
    }
}

#[tokio::test]
async fn a_claim_is_taken_over_from_the_one_it_was_seen_to_be_and_no_other() {
    let claim = |fleet: &str| Claim::new(ClaimIdentity::new("cluster-1", fleet).unwrap());
    for (found, is_taken) in [("gone", true), ("new", true), ("other", false)] {
        let text = claim("new").to_string();
        let mut take = change(VM, hotpatch_on(), TagChange::Set(text));
        take.replaces = Some(claim("gone").identity);
        let vm = json!({"tags": {CLAIM_TAG: claim(found).to_string()}});
        let script = Script::new([ok(200, &[], &vm), done()]);
        let answer = script.cloud().change(&take, MachineKind::AzureVm).await;
        assert_eq!(answer.is_ok(), is_taken, "{found}: {answer:?}");
    }
}

#[tokio::test]
async fn what_a_kind_does_not_have_is_never_sent() {
    let bypass = SettingsPatch {
        bypass: Some(false),
        ..SettingsPatch::default()
    };
    let reboot = SettingsPatch {
        reboot: Some(RebootSetting::Never),
        ..SettingsPatch::default()
    };
    let unknown = SettingsPatch {
        patch_mode: Some(PatchMode::Unknown),
        ..SettingsPatch::default()
    };
    let mut licensed = change(VM, SettingsPatch::default(), TagChange::Keep);
    licensed.licence = Some(true);
    let cases = [
        (change(ARC, bypass, TagChange::Keep), MachineKind::ArcServer),
        (
            change(ARC, reboot, TagChange::Keep),
            MachineKind::AzureLocalVm,
        ),
        (change(VM, unknown, TagChange::Keep), MachineKind::AzureVm),
        (licensed, MachineKind::AzureVm),
    ];
    for (change, kind) in cases {
        let found = Script::new([])
            .cloud()
            .change(&change, kind)
            .await
            .unwrap_err();
        assert!(matches!(found, Error::Unsupported { .. }), "{found:?}");
        assert!(found.is_sure_refusal());
    }
}

#[tokio::test]
async fn a_claim_that_somebody_made_meanwhile_is_not_written_over() {
    let claim = |cluster: &str| Claim::new(ClaimIdentity::new(cluster, "fleet").unwrap());
    let (own, other) = (claim("a").to_string(), claim("b").to_string());
    for (found, refused) in [(own.as_str(), false), (other.as_str(), true), ("?", true)] {
        let vm = json!({"tags": {"HOTPATCH-claim": found}, "etag": "\"7\""});
        let script = Script::new([ok(200, &[], &vm), done()]);
        let change = change(VM, hotpatch_on(), TagChange::Set(own.clone()));
        let sent = script.cloud().change(&change, MachineKind::AzureVm).await;
        match sent {
            Err(Error::Conflict { code, .. }) => assert!(refused && code == "ClaimedElsewhere"),
            other => assert!(other.is_ok() && !refused, "{found}: {other:?}"),
        }
        assert_eq!(script.seen().len(), if refused { 1 } else { 2 }, "{found}");
    }
}
