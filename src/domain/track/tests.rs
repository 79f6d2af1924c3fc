#![allow(clippy::unwrap_used)] // tests may unwrap

use super::fixture::{Builder, arc, at, kb, local, vm};
use super::*;
use crate::domain::eligibility::blockers;
use crate::domain::machine::{Facts, RebootBehavior as Behaves, RebootStatus as Reboots};

fn judged(builder: Builder, now: &str) -> Track {
    let machine = builder.machine();
    track(
        &machine,
        &blockers(&machine),
        Catalogue::embedded(),
        at(now),
    )
}

#[test]
fn a_machine_follows_the_track_of_its_kind_product_and_edition() {
    use Edition as E;
    use OsTrack as T;
    use Product as P;
    let rows = [
        (
            vm("m"),
            P::Ws2022,
            E::DatacenterAzureEdition,
            Some(T::Ws2022AzureEdition),
        ),
        (
            vm("m"),
            P::Ws2025,
            E::DatacenterAzureEdition,
            Some(T::Ws2025),
        ),
        (vm("m"), P::Ws2025, E::Datacenter, None),
        (vm("m"), P::Ws2025, E::Unknown, None),
        (vm("m"), P::OtherWindows, E::DatacenterAzureEdition, None),
        (vm("m"), P::Unknown, E::DatacenterAzureEdition, None),
        (arc("m"), P::Ws2025, E::Standard, Some(T::Ws2025)),
        (arc("m"), P::Ws2025, E::Datacenter, Some(T::Ws2025)),
        (arc("m"), P::Ws2025, E::DatacenterAzureEdition, None),
        (arc("m"), P::Ws2022, E::Datacenter, None),
        (
            local("m"),
            P::Ws2022,
            E::DatacenterAzureEdition,
            Some(T::Ws2022AzureEdition),
        ),
        (local("m"), P::Ws2022, E::Standard, None),
        (local("m"), P::Ws2025, E::Standard, Some(T::Ws2025)),
        (
            local("m"),
            P::Ws2025,
            E::DatacenterAzureEdition,
            Some(T::Ws2025),
        ),
        (local("m"), P::NotWindows, E::Other, None),
    ];
    for (builder, product, edition, expected) in rows {
        let machine = builder
            .with(|machine| (machine.product, machine.edition) = (product, edition))
            .machine();
        let found = os_track(&machine);
        assert_eq!(found, expected, "{} {product:?} {edition:?}", machine.kind);
    }
}

#[test]
fn an_eligible_machine_always_has_a_track_of_releases() {
    let eligible = [
        vm("m"),
        vm("m").ws2022(),
        arc("m"),
        local("m"),
        local("m").ws2022(),
    ];
    for builder in eligible {
        let machine = builder.machine();
        assert_eq!(blockers(&machine), []);
        assert!(os_track(&machine).is_some(), "{}", machine.kind);
    }
}

#[test]
fn a_reboot_owed_names_the_update_the_install_and_the_time() {
    let owed = |kbs: &[&str]| {
        vm("m").install(
            "2026-01-18",
            crate::domain::machine::InstallStatus::Succeeded,
            Reboots::Required,
            kbs,
        )
    };
    let rows: [(&[&str], Option<&str>); 5] = [
        (&["KB5300001", "KB5073379"], Some("KB5073379")),
        (&["KB5300001", "KB5077793"], Some("KB5077793")),
        (&["KB5300001"], Some("KB5300001")),
        (&["KB5300001", "KB5300002"], None),
        (&[], None),
    ];
    for (kbs, expected) in rows {
        let expected = Track::RebootOwed {
            kb: expected.map(kb),
            since: Some(at("2026-01-18")),
            by: Some("activity-1".to_owned()),
        };
        assert_eq!(judged(owed(kbs), "2026-01-20"), expected, "{kbs:?}");
    }
}

#[test]
fn a_reboot_that_only_the_guest_knows_of_is_owed_since_it_was_seen() {
    let machine = vm("m").assessed("2026-01-20T06:00:00Z").pending();
    let expected = Track::RebootOwed {
        kb: None,
        since: Some(at("2026-01-20T06:00:00Z")),
        by: None,
    };
    assert_eq!(judged(machine, "2026-01-20"), expected);
}

#[test]
fn a_machine_off_the_track_says_since_when_until_when_and_at_what_price() {
    let machine = vm("m")
        .installed("KB5066835", "2025-10-18", Reboots::Completed)
        .installed("KB5070881", "2025-10-25", Reboots::Completed)
        .assessed("2025-11-13T06:00:00Z")
        .offered("KB5068861", Behaves::CanRequest);
    let expected = Track::OffTrack {
        cause: OffTrackCause::StandardUpdate(kb("KB5070881")),
        since: Some(at("2025-10-25")),
        until: NaiveDate::from_ymd_opt(2026, 1, 13),
        kb: Some(kb("KB5068861")),
    };
    assert_eq!(judged(machine, "2025-11-13"), expected);
}

#[test]
fn all_blockers_of_an_ineligible_machine_are_kept() {
    let machine = vm("m")
        .edition(Edition::Standard)
        .settings(|own| own.bypass = true)
        .machine();
    let all = blockers(&machine);
    assert_eq!(all.len(), 2);
    let found = track(&machine, &all, Catalogue::embedded(), at("2026-01-20"));
    assert_eq!(found, Track::Ineligible(all));
}

#[test]
fn a_claim_that_cannot_be_read_hides_nothing_else() {
    let machine = vm("m")
        .tag("hotpatch-claim", "by hand")
        .settings(|own| own.hotpatch = false);
    assert_eq!(
        judged(machine, "2026-01-20"),
        Track::NotEnrolled { pending: None }
    );
}

#[test]
fn an_azure_edition_guest_is_enrolled_by_its_edition() {
    let guest = local("m")
        .edition(Edition::DatacenterAzureEdition)
        .settings(|own| own.hotpatch = false)
        .arc(|arc| arc.licence = Licence::Absent)
        .assessed("2026-02-12T06:00:00Z")
        .offered("KB5075942", Behaves::Never);
    let baseline = "ws2025-2026-01-13".parse().unwrap();
    assert_eq!(judged(guest, "2026-02-12"), Track::OnTrack { baseline });
}

#[test]
fn a_guest_without_management_is_ineligible_not_unknown() {
    let guest = local("m").with(|machine| machine.facts = Facts::AzureLocalVm(None));
    assert!(matches!(judged(guest, "2026-02-12"), Track::Ineligible(_)));
}
