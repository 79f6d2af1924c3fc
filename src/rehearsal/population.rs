//! The machines of the demo: two paired regions with three zones each, an availability set, two
//! app groups, Arc servers at two sites, guests of an Azure Local cluster, a canary ring, and a
//! dozen machines that cannot be hotpatched, each for another reason.

mod crowd;
mod drawn;

use std::collections::BTreeMap;

use azure_sim::{
    ArcSpec, AzureSim, DEFAULT_RESOURCE_GROUP, DEFAULT_SUBSCRIPTION, LocalSpec, PatchLevel, VmSpec,
};

use super::facts::{Facts, UpdateDomain};
use crate::api::machine::MachineKind;
use crate::domain::release::OsTrack;

/// The physical zones behind the logical zones 1, 2 and 3.
const PHYSICAL_ZONES: [u8; 3] = [2, 3, 1];

/// The paired regions, each with the letters that its machines' names carry, in the order in which
/// the app groups go.
const REGIONS: [(&str, &str); 2] = [("northeurope", "ne"), ("westeurope", "we")];

/// The tag by which fleets select their machines.
const TEAM_TAG: &str = "patching";

/// A machine as it is put into Azure.
#[derive(Clone, Debug)]
enum Spec {
    Vm(Box<VmSpec>),
    Arc(ArcSpec),
    Local(LocalSpec),
}

/// A machine of a population: how it is made, and what is true of it.
#[derive(Clone, Debug)]
pub struct Seat {
    spec: Spec,
    facts: Facts,
}

/// The machines of a rehearsal.
#[derive(Clone, Debug, Default)]
pub struct Population {
    seats: Vec<Seat>,
}

impl Population {
    /// Returns the population of the demo.
    pub fn demo() -> Self {
        let mut own = Self::default();
        for (rank, (region, letters)) in REGIONS.iter().enumerate() {
            for zone in 1..=3 {
                own.zone(region, letters, zone, rank);
            }
        }
        own.availability_set();
        own.canaries();
        own.outside_azure();
        own.unfit();
        own
    }

    /// Returns six machines for sweeps: two zones, an app group, a canary, a server and a guest.
    pub fn small() -> Self {
        let mut own = Self::default();
        let shop = |name: &str, zone| {
            Seat::vm(
                VmSpec::ws2025_azure_edition(name),
                name,
                OsTrack::Ws2025,
                "westeurope",
            )
            .zone(zone)
            .tag("app", "shop")
        };
        let canary = Seat::vm(
            VmSpec::ws2025_azure_edition("canary-0"),
            "canary-0",
            OsTrack::Ws2025,
            "westeurope",
        );
        own.seat(canary.zone(1).tag("ring", "canary"));
        own.seat(shop("shop-1", 1));
        own.seat(shop("shop-2", 2));
        own.seat(
            Seat::vm(
                VmSpec::ws2025_azure_edition("file-1").os_patching(),
                "file-1",
                OsTrack::Ws2025,
                "westeurope",
            )
            .zone(2)
            .behind(),
        );
        own.seat(Seat::arc(ArcSpec::ws2025_standard("branch-1"), "branch-1").tag("site", "berlin"));
        own.seat(Seat::local(
            LocalSpec::ws2025_azure_edition("guest-1"),
            "guest-1",
            "stack-1",
        ));
        own
    }

    /// Puts the machines into Azure and returns what is true of them.
    pub fn place(&self, azure: &AzureSim) -> Vec<Facts> {
        for (region, _) in REGIONS {
            azure.set_zone_mapping(DEFAULT_SUBSCRIPTION, region, PHYSICAL_ZONES);
        }
        let place = |seat: &Seat| {
            let id = match seat.spec.clone() {
                Spec::Vm(spec) => azure.add_vm(*spec),
                Spec::Arc(spec) => azure.add_arc(spec),
                Spec::Local(spec) => azure.add_local(spec),
            };
            Facts {
                id: id.to_ascii_lowercase(),
                ..seat.facts.clone()
            }
        };
        self.seats.iter().map(place).collect()
    }

    fn seat(&mut self, seat: Seat) {
        self.seats.push(seat.tag(TEAM_TAG, "hotpatch"));
    }

    /// One zone: a member of each app group, and machines of no group.
    fn zone(&mut self, region: &str, letters: &str, zone: u8, rank: usize) {
        // Secondaries first, in the order in which regions and physical zones are worked through.
        let turn = rank * 3 + usize::from(physical(zone));
        let turn = turn.to_string();
        let name = |role: &str| format!("{role}-{letters}{zone}");
        let (shop, billing) = (name("shop"), name("billing"));
        let ws2025 = OsTrack::Ws2025;
        let ws2022 = OsTrack::Ws2022AzureEdition;
        self.seat(
            Seat::vm(VmSpec::ws2025_azure_edition(&shop), &shop, ws2025, region)
                .zone(zone)
                .tag("app", "shop")
                .tag("patch-order", &turn),
        );
        self.seat(
            Seat::vm(
                VmSpec::ws2022_azure_edition(&billing),
                &billing,
                ws2022,
                region,
            )
            .zone(zone)
            .tag("app", "billing")
            .tag("patch-order", &turn),
        );
        let web = format!("web-{letters}{zone}-1");
        self.seat(Seat::vm(VmSpec::ws2025_azure_edition(&web), &web, ws2025, region).zone(zone));
        // The second machine of each role was left alone by its owners since the baseline: it is
        // not enrolled yet.
        let web = format!("web-{letters}{zone}-2");
        self.seat(
            Seat::vm(
                VmSpec::ws2025_azure_edition(&web).os_patching(),
                &web,
                ws2025,
                region,
            )
            .zone(zone)
            .behind(),
        );
        let files = format!("file-{letters}{zone}");
        self.seat(
            Seat::vm(VmSpec::ws2022_azure_edition(&files), &files, ws2022, region).zone(zone),
        );
        if letters == "we" {
            let mail = name("mail");
            self.seat(
                Seat::vm(VmSpec::ws2022_azure_edition(&mail), &mail, ws2022, region).zone(zone),
            );
        }
    }

    fn availability_set(&mut self) {
        for number in 0..3 {
            let name = format!("sql-{number}");
            let spec = VmSpec::ws2022_azure_edition(&name).availability_set("as-sql", number);
            let mut seat = Seat::vm(spec, &name, OsTrack::Ws2022AzureEdition, "northeurope");
            let set = resource("Microsoft.Compute", "availabilitySets/AS-SQL");
            seat.facts.set = Some(UpdateDomain { set, number });
            self.seat(seat);
        }
    }

    fn canaries(&mut self) {
        let vms = [
            (
                "canary-2025",
                VmSpec::ws2025_azure_edition("canary-2025"),
                OsTrack::Ws2025,
            ),
            (
                "canary-2022",
                VmSpec::ws2022_azure_edition("canary-2022"),
                OsTrack::Ws2022AzureEdition,
            ),
        ];
        for (name, spec, track) in vms {
            let seat = Seat::vm(spec, name, track, "westeurope").zone(1);
            self.seat(seat.tag("ring", "canary"));
        }
        let arc = Seat::arc(ArcSpec::ws2025_datacenter("canary-arc"), "canary-arc");
        self.seat(arc.tag("site", "berlin").tag("ring", "canary"));
    }

    fn outside_azure(&mut self) {
        for site in ["berlin", "hamburg"] {
            for number in 1..=4 {
                let name = format!("{site}-{number}");
                let spec = if number % 2 == 0 {
                    ArcSpec::ws2025_datacenter(&name)
                } else {
                    ArcSpec::ws2025_standard(&name)
                };
                let fresh = site == "hamburg" && number > 2;
                let spec = if fresh { spec.not_enrolled() } else { spec };
                let seat = Seat::arc(spec, &name).tag("site", site);
                self.seat(if fresh { seat.behind() } else { seat });
            }
        }
        for number in 1..=3 {
            let name = format!("guest-{number}");
            let spec = LocalSpec::ws2025_azure_edition(&name);
            self.seat(Seat::local(spec, &name, "stack-1"));
        }
    }

    /// A dozen machines that cannot be hotpatched.
    fn unfit(&mut self) {
        let (ws2025, ws2022) = (VmSpec::ws2025_azure_edition, VmSpec::ws2022_azure_edition);
        let gallery = resource("Microsoft.Compute", "galleries/images/images/golden");
        let vms = [
            (
                "old-generation",
                ws2022("old-generation").generation_1(),
                "GenerationOne",
            ),
            (
                "desktop-image",
                VmSpec::ws2022_desktop_without_hotpatch("desktop-image"),
                "UnsupportedImage",
            ),
            (
                "golden-image",
                ws2025("golden-image").gallery_image(&gallery),
                "CustomImage",
            ),
            (
                "disk-only",
                ws2025("disk-only").without_os_profile(),
                "NoOsProfile",
            ),
            (
                "no-extensions",
                ws2025("no-extensions").without_extension_operations(),
                "ExtensionsDisallowed",
            ),
            (
                "no-agent",
                ws2025("no-agent").without_vm_agent(),
                "AgentNotProvisioned",
            ),
            (
                "uniform-0",
                ws2025("uniform-0").uniform_scale_set("vmss"),
                "UniformScaleSet",
            ),
            (
                "own-schedule",
                ws2025("own-schedule").bypass(true),
                "BypassSchedule",
            ),
            ("linux-0", VmSpec::linux("linux-0"), "NotWindows"),
        ];
        for (name, spec, why) in vms {
            let seat = Seat::vm(spec, name, OsTrack::Ws2025, "westeurope");
            self.seat(seat.unfit(why));
        }
        let arc = Seat::arc(ArcSpec::ws2022("arc-2022"), "arc-2022");
        self.seat(arc.tag("site", "berlin").unfit("UnsupportedVersion"));
        let arc = Seat::arc(
            ArcSpec::ws2025_standard("arc-old").build("26100.1591"),
            "arc-old",
        );
        self.seat(arc.tag("site", "hamburg").unfit("BuildTooOld"));
        let spec = LocalSpec::ws2025_azure_edition("guest-bare").without_guest_management();
        // On a cluster of its own: a guest that nobody can see uses up its cluster's limit.
        let guest = Seat::local(spec, "guest-bare", "stack-2");
        self.seat(guest.unfit("GuestManagementOff"));
    }
}

fn physical(zone: u8) -> u8 {
    PHYSICAL_ZONES[usize::from(zone) - 1]
}

fn resource(provider: &str, path: &str) -> String {
    format!(
        "/subscriptions/{DEFAULT_SUBSCRIPTION}/resourceGroups/{DEFAULT_RESOURCE_GROUP}\
         /providers/{provider}/{path}"
    )
    .to_ascii_lowercase()
}

impl Seat {
    fn new(spec: Spec, name: &str, kind: MachineKind, track: OsTrack, region: &str) -> Self {
        let facts = Facts {
            id: String::new(),
            name: name.to_owned(),
            kind,
            resource_group: DEFAULT_RESOURCE_GROUP.to_owned(),
            region: region.to_owned(),
            zone: None,
            set: None,
            cluster: None,
            tags: BTreeMap::new(),
            track: Some(track),
            unfit: None,
        };
        Self { spec, facts }
    }

    fn vm(spec: VmSpec, name: &str, track: OsTrack, region: &str) -> Self {
        Self::new(
            Spec::Vm(Box::new(spec.region(region))),
            name,
            MachineKind::AzureVm,
            track,
            region,
        )
    }

    fn arc(spec: ArcSpec, name: &str) -> Self {
        let kind = MachineKind::ArcServer;
        Self::new(Spec::Arc(spec), name, kind, OsTrack::Ws2025, "westeurope")
    }

    fn local(spec: LocalSpec, name: &str, cluster: &str) -> Self {
        let kind = MachineKind::AzureLocalVm;
        let spec = Spec::Local(spec.cluster(cluster));
        let mut seat = Self::new(spec, name, kind, OsTrack::Ws2025, "westeurope");
        let path = format!("clusters/{cluster}");
        seat.facts.cluster = Some(resource("Microsoft.AzureStackHCI", &path));
        seat
    }

    fn zone(mut self, zone: u8) -> Self {
        self.facts.zone = Some(format!("{}-az{}", self.facts.region, physical(zone)));
        self.change(|vm| vm.zone(zone), |arc| arc, |local| local)
    }

    fn tag(mut self, name: &str, value: &str) -> Self {
        self.facts.tags.insert(name.to_owned(), value.to_owned());
        self.change(
            |vm| vm.tag(name, value),
            |arc| arc.tag(name, value),
            |local| local.tag(name, value),
        )
    }

    /// Gives the machine the last baseline and nothing after it.
    fn behind(self) -> Self {
        self.at(PatchLevel::Baseline)
    }

    fn at(self, level: PatchLevel) -> Self {
        self.change(
            |vm| vm.patched(level),
            |arc| arc.patched(level),
            |local| local.patched(level),
        )
    }

    fn unfit(mut self, why: &'static str) -> Self {
        self.facts.unfit = Some(why);
        self
    }

    fn change(
        self,
        vm: impl FnOnce(VmSpec) -> VmSpec,
        arc: impl FnOnce(ArcSpec) -> ArcSpec,
        local: impl FnOnce(LocalSpec) -> LocalSpec,
    ) -> Self {
        let spec = match self.spec {
            Spec::Vm(spec) => Spec::Vm(Box::new(vm(*spec))),
            Spec::Arc(spec) => Spec::Arc(arc(spec)),
            Spec::Local(spec) => Spec::Local(local(spec)),
        };
        Self { spec, ..self }
    }
}
