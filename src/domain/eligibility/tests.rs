#![allow(clippy::unwrap_used)] // tests may unwrap

use super::*;
use crate::domain::machine::{
    Connection, Facts, Generation, Image, Licence, OsProfile, PatchMode, Product, ScaleSet,
};
use crate::domain::track::fixture::{Builder, arc, image, local, vm};

fn reasons(builder: Builder) -> Vec<Reason> {
    let found = blockers(&builder.machine());
    found.into_iter().map(|blocker| blocker.reason).collect()
}

#[test]
fn a_machine_of_each_kind_and_product_that_hotpatches_has_no_blocker() {
    let eligible = [
        vm("ws2025"),
        vm("ws2022").ws2022(),
        arc("datacenter"),
        arc("standard").edition(Edition::Standard),
        local("datacenter"),
        local("standard").edition(Edition::Standard),
        local("azure-edition").edition(Edition::DatacenterAzureEdition),
        local("azure-edition-2022").ws2022(),
    ];
    for builder in eligible {
        let machine = builder.machine();
        assert_eq!(blockers(&machine), [], "{}", machine.name);
    }
}

#[test]
fn each_reason_is_found_alone() {
    use Reason as R;
    let product = |builder: Builder, product| builder.with(|m| m.product = product);
    let profile = |change: fn(&mut OsProfile)| vm("web-1").os_profile(change);
    let mode = |mode, automatic| {
        vm("web-1")
            .settings(|settings| settings.patch_mode = mode)
            .os_profile(|profile| profile.enable_automatic_updates = automatic)
    };
    let rows = [
        (
            "linux vm",
            product(vm("web-1"), Product::NotWindows),
            R::NotWindows,
        ),
        (
            "linux arc",
            product(arc("web-1"), Product::NotWindows),
            R::NotWindows,
        ),
        (
            "old windows",
            product(vm("web-1"), Product::OtherWindows),
            R::UnsupportedVersion,
        ),
        (
            "2022 on arc",
            product(arc("web-1"), Product::Ws2022),
            R::UnsupportedVersion,
        ),
        (
            "version untold",
            product(vm("web-1"), Product::Unknown),
            R::VersionUnknown,
        ),
        (
            "standard vm",
            vm("web-1").edition(Edition::Standard),
            R::UnsupportedEdition,
        ),
        (
            "datacenter vm",
            vm("web-1").edition(Edition::Datacenter),
            R::UnsupportedEdition,
        ),
        (
            "other edition",
            arc("web-1").edition(Edition::Other),
            R::UnsupportedEdition,
        ),
        (
            "azure edition on arc",
            arc("web-1").edition(Edition::DatacenterAzureEdition),
            R::UnsupportedEdition,
        ),
        (
            "2022 datacenter on azure local",
            local("web-1").ws2022().edition(Edition::Datacenter),
            R::UnsupportedEdition,
        ),
        (
            "edition untold",
            vm("web-1").edition(Edition::Unknown),
            R::EditionUnknown,
        ),
        (
            "custom image",
            vm("web-1").vm(|vm| vm.image = Image::Custom("/galleries/g".into())),
            R::CustomImage,
        ),
        (
            "no image",
            vm("web-1").vm(|vm| vm.image = Image::Absent),
            R::NoImage,
        ),
        (
            "gen 1",
            vm("web-1").vm(|vm| vm.generation = Some(Generation::V1)),
            R::GenerationOne,
        ),
        (
            "gen untold",
            vm("web-1").vm(|vm| vm.generation = None),
            R::GenerationUnknown,
        ),
        (
            "uniform",
            vm("web-1").vm(|vm| vm.scale_set = ScaleSet::Uniform),
            R::UniformScaleSet,
        ),
        (
            "no osProfile",
            vm("web-1").vm(|vm| vm.os_profile = None),
            R::NoOsProfile,
        ),
        (
            "no agent",
            profile(|own| own.provision_vm_agent = false),
            R::AgentNotProvisioned,
        ),
        (
            "no extensions",
            profile(|own| own.allow_extension_operations = false),
            R::ExtensionsDisallowed,
        ),
        (
            "manual, true",
            mode(PatchMode::Manual, true),
            R::PatchModeUnreachable,
        ),
        (
            "os, false",
            mode(PatchMode::AutomaticByOs, false),
            R::PatchModeUnreachable,
        ),
        (
            "image default",
            mode(PatchMode::ImageDefault, true),
            R::PatchModeUnreachable,
        ),
        (
            "schedule",
            vm("web-1").settings(|own| own.bypass = true),
            R::BypassSchedule,
        ),
        (
            "no guest management",
            local("web-1").with(|m| m.facts = Facts::AzureLocalVm(None)),
            R::GuestManagementOff,
        ),
        (
            "agent in error",
            arc("web-1").arc(|arc| arc.connection = Connection::Faulty),
            R::ConnectionFaulty,
        ),
        (
            "build one below",
            arc("web-1").build("26100.1741"),
            R::BuildTooOld,
        ),
        (
            "vbs off",
            arc("web-1").arc(|arc| arc.vbs_running = Some(false)),
            R::VbsOff,
        ),
        (
            "licence",
            local("web-1").arc(|arc| arc.licence = Licence::Failed),
            R::LicenceFailed,
        ),
    ];
    for (name, builder, reason) in rows {
        assert_eq!(reasons(builder), [reason], "{name}");
    }
}

#[test]
fn what_passes_although_it_looks_like_a_reason() {
    let mode = |mode, automatic| {
        vm("web-1")
            .settings(|settings| settings.patch_mode = mode)
            .os_profile(|profile| profile.enable_automatic_updates = automatic)
    };
    let rows = [
        (
            "agent silent",
            vm("web-1").vm(|vm| vm.agent = Agent::NotReady),
        ),
        (
            "flexible",
            vm("web-1").vm(|vm| vm.scale_set = ScaleSet::Flexible),
        ),
        ("os, true", mode(PatchMode::AutomaticByOs, true)),
        ("manual, false", mode(PatchMode::Manual, false)),
        ("absent, true", mode(PatchMode::Unknown, true)),
        ("absent, false", mode(PatchMode::Unknown, false)),
        (
            "platform, false",
            mode(PatchMode::AutomaticByPlatform, false),
        ),
        ("vbs untold", arc("web-1").arc(|arc| arc.vbs_running = None)),
        ("first build", arc("web-1").build("26100.1742")),
        ("build untold", arc("web-1")),
        (
            "licence absent",
            arc("web-1").arc(|arc| arc.licence = Licence::Absent),
        ),
        (
            "licence switched off",
            arc("web-1").arc(|arc| arc.licence = Licence::Disabled),
        ),
        (
            "disconnected",
            arc("web-1").arc(|arc| arc.connection = Connection::Disconnected { since: None }),
        ),
        (
            "flag on arc",
            arc("web-1").settings(|own| own.bypass = true),
        ),
        (
            "azure edition guest has its own licence",
            local("web-1")
                .edition(Edition::DatacenterAzureEdition)
                .arc(|arc| (arc.licence, arc.vbs_running) = (Licence::Failed, Some(false)))
                .build("26100.1"),
        ),
    ];
    for (name, builder) in rows {
        assert_eq!(reasons(builder), [], "{name}");
    }
}

#[test]
fn all_reasons_are_collected_in_order() {
    let broken = vm("web-1")
        .edition(Edition::Standard)
        .vm(|vm| {
            vm.image = Image::Absent;
            vm.generation = Some(Generation::V1);
            vm.os_profile = None;
        })
        .settings(|settings| settings.bypass = true);
    let all = [
        Reason::UnsupportedEdition,
        Reason::NoImage,
        Reason::GenerationOne,
        Reason::NoOsProfile,
        Reason::BypassSchedule,
    ];
    assert_eq!(reasons(broken), all);
}

#[test]
fn only_the_listed_skus_hotpatch_in_any_letter_case() {
    let listed = [
        "2022-datacenter-azure-edition-core",
        "2022-datacenter-azure-edition-core-smalldisk",
        "2022-datacenter-azure-edition-hotpatch",
        "2022-datacenter-azure-edition-hotpatch-smalldisk",
        "2025-datacenter-azure-edition",
        "2025-datacenter-azure-edition-smalldisk",
        "2025-datacenter-azure-edition-core",
        "2025-datacenter-azure-edition-core-smalldisk",
    ];
    for sku in listed {
        assert_eq!(image_fit(&image(sku)), ImageFit::Fits, "{sku}");
        assert_eq!(
            image_fit(&image(&sku.to_uppercase())),
            ImageFit::Fits,
            "{sku}"
        );
    }
    for sku in [
        "2022-datacenter-azure-edition",
        "2022-Datacenter-Azure-Edition-smalldisk",
    ] {
        let fit = image_fit(&image(sku));
        assert_eq!(fit, ImageFit::DesktopWithoutHotpatch { sku: sku.into() });
    }
    let unlisted = [
        "2025-datacenter",
        "2025-datacenter-core-g2",
        "2022-datacenter",
        "2022-datacenter-g2",
        "2019-datacenter",
        "2025-datacenter-azure-edition-hotpatch",
        "2025-datacenter-azure-edition-core ",
        "",
    ];
    for sku in unlisted {
        assert!(
            matches!(image_fit(&image(sku)), ImageFit::Unlisted { .. }),
            "{sku}"
        );
        assert_eq!(
            reasons(vm("web-1").vm(|vm| vm.image = image(sku))),
            [Reason::UnsupportedImage]
        );
    }
}

#[test]
fn another_publisher_or_offer_does_not_hotpatch() {
    let other = |publisher: &str, offer: &str| Image::Marketplace {
        publisher: publisher.to_owned(),
        offer: offer.to_owned(),
        sku: "2025-datacenter-azure-edition".to_owned(),
    };
    for (publisher, offer, fits) in [
        ("microsoftwindowsserver", "WINDOWSSERVER", true),
        ("contoso", "WindowsServer", false),
        ("MicrosoftWindowsServer", "WindowsServerPreview", false),
    ] {
        let fit = image_fit(&other(publisher, offer));
        assert_eq!(fit == ImageFit::Fits, fits, "{publisher}/{offer}");
    }
}

#[test]
fn a_message_names_the_value_found_and_a_step_and_is_bounded() {
    let long = "x".repeat(5_000);
    let custom = vm("web-1").vm(|vm| vm.image = Image::Custom(long));
    let found = blockers(&custom.machine());
    assert!(found[0].message.len() < 300, "{}", found[0].message.len());
    let old = blockers(&arc("web-1").build("26100.1000").machine());
    assert!(old[0].message.contains("26100.1000"), "{}", old[0].message);
    assert!(old[0].message.contains("install"), "{}", old[0].message);
}

#[test]
fn only_missing_facts_are_unknown_reasons() {
    let unknown = [
        Reason::VersionUnknown,
        Reason::EditionUnknown,
        Reason::GenerationUnknown,
    ];
    assert!(unknown.iter().all(|reason| reason.is_unknown()));
    assert!(!Reason::VbsOff.is_unknown());
    assert_eq!(Reason::BypassSchedule.to_string(), "BypassSchedule");
}

#[test]
fn cautions_say_what_is_not_proven() {
    let rows = [
        (vm("web-1"), vec![]),
        (
            vm("web-1").vm(|vm| vm.agent = Agent::NotReady),
            vec![Caution::AgentNotReady],
        ),
        (arc("web-1").build("26100.4652"), vec![]),
        (
            arc("web-1").arc(|arc| arc.vbs_running = None),
            vec![Caution::VbsUnknown, Caution::BuildUnknown],
        ),
        (
            local("web-1").edition(Edition::DatacenterAzureEdition),
            vec![Caution::HotpatchByEdition],
        ),
    ];
    for (builder, expected) in rows {
        assert_eq!(cautions(&builder.machine()), expected);
    }
}
