#![allow(clippy::unwrap_used)] // tests may unwrap

use super::*;
use crate::domain::eligibility::Reason;
use crate::domain::machine::Edition;
use crate::domain::track::fixture::{Builder, arc, local, vm};

const CLUSTER: &str = "5f0c7f0e-61d4-4f5a-9d0f-0d8a3b1e4c11";
const FLEET: &str = "0b9d1f5e-2a67-4c1b-8f43-6e0c5a7d9e22";

fn us() -> ClaimIdentity {
    ClaimIdentity::new(CLUSTER, FLEET).unwrap()
}

fn claim(text: &str) -> Claim {
    format!("v1 c={CLUSTER} f={FLEET} {text}").parse().unwrap()
}

fn claimed(builder: Builder, text: &str) -> Builder {
    builder.tag(CLAIM_TAG, &claim(text).to_string())
}

fn change(builder: Builder, owns_reboots: bool) -> Option<Change> {
    let machine = builder.machine();
    difference(&machine, &Desired::of(&machine, owns_reboots), &us()).unwrap()
}

/// A VM as it comes from a marketplace image: patched by the platform, hotpatch off.
fn fresh_vm() -> Builder {
    vm("web-1").settings(|settings| {
        *settings = Settings {
            patch_mode: PatchMode::AutomaticByPlatform,
            periodic_assessment: false,
            hotpatch: false,
            reboot: RebootSetting::IfRequired,
            bypass: false,
        };
    })
}

/// Writes a change onto a machine, as Azure would.
fn written(builder: Builder, change: &Change) -> Builder {
    let Change {
        settings,
        licence,
        tag,
        ..
    } = change.clone();
    let builder = builder.settings(|own| {
        own.patch_mode = settings.patch_mode.unwrap_or(own.patch_mode);
        own.periodic_assessment = settings
            .periodic_assessment
            .unwrap_or(own.periodic_assessment);
        own.hotpatch = settings.hotpatch.unwrap_or(own.hotpatch);
        own.reboot = settings.reboot.unwrap_or(own.reboot);
    });
    let builder = match licence {
        Some(true) => builder.arc(|arc| arc.licence = Licence::Enabled),
        Some(false) => builder.arc(|arc| arc.licence = Licence::Disabled),
        None => builder,
    };
    match tag {
        TagChange::Keep => builder,
        TagChange::Set(text) => builder.tag(CLAIM_TAG, &text),
        TagChange::Remove => builder.with(|machine| machine.tags = Default::default()),
    }
}

#[test]
fn only_what_differs_is_written_and_the_claim_goes_with_it() {
    let found = change(fresh_vm(), true).unwrap();
    let settings = SettingsPatch {
        patch_mode: None,
        periodic_assessment: Some(true),
        hotpatch: Some(true),
        reboot: Some(RebootSetting::Never),
        bypass: None,
    };
    assert_eq!(found.settings, settings);
    assert_eq!(found.licence, None);
    let text = format!("v1 c={CLUSTER} f={FLEET} a=false h=false r=IfRequired");
    assert_eq!(found.tag, TagChange::Set(text));
}

#[test]
fn a_machine_that_has_it_all_is_neither_changed_nor_claimed() {
    for builder in [vm("web-1"), arc("web-1"), local("web-1")] {
        assert_eq!(change(builder, true), None);
    }
}

#[test]
fn the_reboot_setting_is_not_touched_while_reboots_are_not_ours() {
    let found = change(fresh_vm(), false).unwrap();
    assert_eq!(found.settings.reboot, None);
    let foreign = vm("web-1").settings(|own| own.reboot = RebootSetting::Always);
    assert_eq!(change(foreign, false), None);
}

#[test]
fn a_later_change_adds_to_the_claim_and_overwrites_nothing() {
    let first = change(fresh_vm(), false).unwrap();
    let enrolled = written(fresh_vm(), &first);
    let second = change(enrolled.clone(), true).unwrap();
    assert_eq!(
        second.tag,
        TagChange::Set(claim("a=false h=false r=IfRequired").to_string())
    );
    // Somebody turns hotpatch off: it is turned on again, and what stood before stays.
    let drifted = written(enrolled, &second).settings(|own| own.hotpatch = false);
    let third = change(drifted, true).unwrap();
    assert_eq!(third.settings.hotpatch, Some(true));
    assert_eq!(third.tag, TagChange::Keep);
}

#[test]
fn giving_up_the_reboots_puts_the_reboot_setting_back() {
    let owned = claimed(vm("web-1"), "r=Always h=false");
    let found = change(owned, false).unwrap();
    assert_eq!(found.settings.reboot, Some(RebootSetting::Always));
    assert_eq!(found.tag, TagChange::Keep);
    // Never from before us, or set by somebody since, is left alone.
    assert_eq!(change(claimed(vm("web-1"), "r=Never h=false"), false), None);
    assert_eq!(change(claimed(vm("web-1"), "h=false"), false), None);
}

#[test]
fn an_arc_machine_gets_licence_and_intent_and_nothing_else() {
    let bare = arc("web-1")
        .settings(|own| {
            *own = Settings {
                patch_mode: PatchMode::Manual,
                periodic_assessment: false,
                hotpatch: false,
                reboot: RebootSetting::Unknown,
                bypass: false,
            };
        })
        .arc(|arc| arc.licence = Licence::Absent);
    let found = change(bare, true).unwrap();
    let settings = SettingsPatch {
        periodic_assessment: Some(true),
        hotpatch: Some(true),
        ..SettingsPatch::default()
    };
    assert_eq!((found.settings, found.licence), (settings, Some(true)));
    assert_eq!(
        found.tag,
        TagChange::Set(claim("a=false h=false l=false").to_string())
    );
}

#[test]
fn the_licence_is_written_only_where_it_is_known_to_be_off() {
    let rows = [
        (Licence::Absent, Some(true)),
        (Licence::Disabled, Some(true)),
        (Licence::Enabling, None),
        (Licence::Enabled, None),
        (Licence::Unknown, None),
    ];
    for (licence, expected) in rows {
        let found = change(arc("web-1").arc(|arc| arc.licence = licence), true);
        assert_eq!(
            found.and_then(|change| change.licence),
            expected,
            "{licence:?}"
        );
    }
}

#[test]
fn an_azure_edition_guest_gets_periodic_assessment_only() {
    let guest = local("web-1")
        .edition(Edition::DatacenterAzureEdition)
        .arc(|arc| arc.licence = Licence::Absent)
        .settings(|own| (own.hotpatch, own.periodic_assessment) = (false, false));
    let found = change(guest, true).unwrap();
    let settings = SettingsPatch {
        periodic_assessment: Some(true),
        ..SettingsPatch::default()
    };
    assert_eq!((found.settings, found.licence), (settings, None));
}

#[test]
fn nothing_is_written_where_another_holds_the_claim_or_it_is_unreadable() {
    let other = |cluster: &str, fleet: &str| format!("v1 c={cluster} f={fleet} h=false");
    for text in [other("another", FLEET), other(CLUSTER, "another")] {
        // Claimed elsewhere is found even where nothing differs.
        for builder in [vm("web-1"), fresh_vm()] {
            let machine = builder.tag("HotPatch-Claim", &text).machine();
            let refused = difference(&machine, &Desired::of(&machine, true), &us());
            assert!(
                matches!(refused, Err(Refusal::ClaimedElsewhere(_))),
                "{refused:?}"
            );
        }
    }
    let machine = fresh_vm().tag(CLAIM_TAG, "by hand").machine();
    let refused = difference(&machine, &Desired::of(&machine, true), &us());
    assert!(
        matches!(refused, Err(Refusal::ClaimUnreadable(_))),
        "{refused:?}"
    );
}

#[test]
fn nothing_is_written_on_an_ineligible_machine_and_the_bypass_flag_never() {
    let machine = fresh_vm().settings(|own| own.bypass = true).machine();
    let refused = difference(&machine, &Desired::of(&machine, true), &us()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the machine cannot be hotpatched: BypassSchedule"
    );
    let Refusal::Ineligible(blockers) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(blockers[0].reason, Reason::BypassSchedule);
}

#[test]
fn enrolling_and_restoring_brings_back_exactly_what_stood_before() {
    let starts = [
        fresh_vm(),
        fresh_vm().settings(|own| own.patch_mode = PatchMode::AutomaticByOs),
        fresh_vm()
            .settings(|own| own.patch_mode = PatchMode::Manual)
            .os_profile(|own| own.enable_automatic_updates = false),
        fresh_vm().settings(|own| own.reboot = RebootSetting::Always),
        vm("web-1").settings(|own| own.periodic_assessment = false),
        arc("web-1")
            .settings(|own| own.hotpatch = false)
            .arc(|a| a.licence = Licence::Disabled),
    ];
    for start in starts {
        let enrolled = written(start.clone(), &change(start.clone(), true).unwrap());
        let machine = enrolled.clone().machine();
        assert_eq!(super::enrolled(&machine), Enrolled::Yes);
        let claim = claim_of(&machine).unwrap().unwrap();
        let restored = written(enrolled, &restore(&machine, &claim)).machine();
        assert_eq!(restored, start.machine());
    }
}

#[test]
fn restoring_leaves_alone_what_is_no_longer_ours() {
    let claim = claim("m=AutomaticByOS a=false h=false r=IfRequired");
    let all = SettingsPatch {
        patch_mode: Some(PatchMode::AutomaticByOs),
        periodic_assessment: Some(false),
        hotpatch: Some(false),
        reboot: Some(RebootSetting::IfRequired),
        bypass: None,
    };
    let without = |change: fn(&mut SettingsPatch)| {
        let mut patch = all;
        change(&mut patch);
        patch
    };
    let rows = [
        ("all ours", vm("web-1"), all),
        (
            "mode changed",
            vm("web-1").settings(|own| own.patch_mode = PatchMode::Manual),
            without(|patch| patch.patch_mode = None),
        ),
        (
            "no way back to that mode",
            vm("web-1").os_profile(|own| own.enable_automatic_updates = false),
            without(|patch| patch.patch_mode = None),
        ),
        (
            "a schedule rests on the mode",
            vm("web-1").settings(|own| own.bypass = true),
            without(|patch| patch.patch_mode = None),
        ),
        (
            "reboots changed",
            vm("web-1").settings(|own| own.reboot = RebootSetting::Always),
            without(|patch| patch.reboot = None),
        ),
        (
            "hotpatch off already",
            vm("web-1").settings(|own| own.hotpatch = false),
            without(|patch| patch.hotpatch = None),
        ),
    ];
    for (name, builder, expected) in rows {
        let change = restore(&builder.machine(), &claim);
        assert_eq!(change.settings, expected, "{name}");
        assert_eq!(change.tag, TagChange::Remove, "{name}");
    }
}

#[test]
fn a_mode_that_was_absent_goes_back_to_the_default_of_its_kind() {
    for (automatic, expected) in [(true, PatchMode::AutomaticByOs), (false, PatchMode::Manual)] {
        let machine = vm("web-1").os_profile(|own| own.enable_automatic_updates = automatic);
        let change = restore(&machine.machine(), &claim("m=Absent r=Absent"));
        assert_eq!(change.settings.patch_mode, Some(expected));
        assert_eq!(change.settings.reboot, Some(RebootSetting::IfRequired));
    }
}

#[test]
fn a_licence_that_was_on_before_stays_on() {
    let machine = arc("web-1").machine();
    assert_eq!(restore(&machine, &claim("h=false")).licence, None);
    assert_eq!(restore(&machine, &claim("l=false")).licence, Some(false));
    let off = arc("web-1")
        .arc(|arc| arc.licence = Licence::Disabled)
        .machine();
    assert_eq!(restore(&off, &claim("l=false")).licence, None);
}

#[test]
fn enrolment_is_read_back_from_both_switches_and_azures_own_word() {
    let arc_with = |licence, word: Option<&str>| {
        arc("web-1").arc(|arc| {
            arc.licence = licence;
            arc.enablement = word.map(str::to_owned);
        })
    };
    let evaluation = |word: &str| Enrolled::Pending(Pending::Evaluation(Some(word.to_owned())));
    let rows = [
        ("vm", vm("w"), Enrolled::Yes),
        (
            "vm, off",
            vm("w").settings(|own| own.hotpatch = false),
            Enrolled::No,
        ),
        (
            "vm, other mode",
            vm("w").settings(|own| own.patch_mode = PatchMode::Unknown),
            Enrolled::Pending(Pending::PatchMode),
        ),
        (
            "vm, bypass",
            vm("w").settings(|own| own.bypass = true),
            Enrolled::Pending(Pending::Bypass),
        ),
        (
            "arc",
            arc_with(Licence::Enabled, Some("enabled")),
            Enrolled::Yes,
        ),
        (
            "arc, off",
            arc("w").settings(|own| own.hotpatch = false),
            Enrolled::No,
        ),
        (
            "arc, hanging",
            arc_with(Licence::Enabling, Some("Enabled")),
            Enrolled::Pending(Pending::LicenceEnabling),
        ),
        (
            "arc, licence untold",
            arc_with(Licence::Unknown, Some("Enabled")),
            Enrolled::Pending(Pending::Licence),
        ),
        (
            "arc, action required",
            arc_with(Licence::Enabled, Some("ActionRequired")),
            evaluation("ActionRequired"),
        ),
        (
            "arc, no word",
            arc_with(Licence::Enabled, None),
            Enrolled::Pending(Pending::Evaluation(None)),
        ),
        (
            "azure edition guest",
            local("w")
                .edition(Edition::DatacenterAzureEdition)
                .settings(|own| own.hotpatch = false)
                .arc(|arc| arc.licence = Licence::Absent),
            Enrolled::Yes,
        ),
        (
            "no guest management",
            local("w").with(|machine| machine.facts = Facts::AzureLocalVm(None)),
            Enrolled::No,
        ),
    ];
    for (name, builder, expected) in rows {
        assert_eq!(enrolled(&builder.machine()), expected, "{name}");
    }
}

#[test]
fn a_claim_survives_the_tag_and_fits_into_it() {
    let uid = "u".repeat(UID_BYTES_MAX);
    let longest = Claim {
        identity: ClaimIdentity::new(uid.clone(), uid).unwrap(),
        earlier: Earlier {
            patch_mode: Some(PatchMode::AutomaticByPlatform),
            periodic_assessment: Some(false),
            hotpatch: Some(false),
            reboot: Some(RebootSetting::IfRequired),
            licence: Some(false),
        },
        unread: Vec::new(),
    };
    for claim in [
        longest,
        claim(""),
        claim("m=Manual l=true"),
        claim("z=later h=true"),
    ] {
        let text = claim.to_string();
        assert!(text.len() <= CLAIM_BYTES_MAX, "{}", text.len());
        assert!(
            !text.contains(['<', '>', '%', '&', '\\', '?', '/']),
            "{text}"
        );
        assert_eq!(text.parse::<Claim>().unwrap(), claim);
    }
}

#[test]
fn a_claim_is_read_in_any_order_and_keeps_parts_of_a_later_version() {
    let text = format!("v1  h=FALSE new=1 f={FLEET}\tm=automaticbyos c={CLUSTER}");
    let read: Claim = text.parse().unwrap();
    assert_eq!(read.identity, us());
    assert_eq!(read.earlier.hotpatch, Some(false));
    assert_eq!(read.earlier.patch_mode, Some(PatchMode::AutomaticByOs));
    assert!(read.to_string().ends_with(" new=1"), "{read}");
}

#[test]
fn a_wrong_claim_names_what_is_wrong() {
    let rows = [
        (
            String::new(),
            "claim is of version \"\"; this program reads v1",
        ),
        (
            format!("v2 c={CLUSTER} f={FLEET}"),
            "claim is of version \"v2\"; this program reads v1",
        ),
        (format!("v1 f={FLEET}"), "claim lacks c="),
        (format!("v1 c={CLUSTER}"), "claim lacks f="),
        (
            format!("v1 c={CLUSTER} f={FLEET} m=Sometimes"),
            "claim has a wrong part \"m=Sometimes\"",
        ),
        (
            format!("v1 c={CLUSTER} f={FLEET} loose"),
            "claim has a wrong part \"loose\"",
        ),
        (
            format!("v1 c={CLUSTER} f={FLEET} f={FLEET}"),
            "claim says f= twice",
        ),
        (format!("v1 c={CLUSTER} f="), "\"\" is no uid"),
        (format!("v1 c={CLUSTER} f=a_b"), "\"a_b\" is no uid"),
        ("v1 ".repeat(100), "claim is longer than 256 bytes"),
    ];
    for (text, message) in rows {
        assert_eq!(text.parse::<Claim>().unwrap_err().to_string(), message);
    }
}
