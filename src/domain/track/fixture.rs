//! Machines for tests of the domain: a small builder, and every way to lose a single fact.

use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::machine::{
    Agent, ArcFacts, Assessment, ClusterUpdate, Connection, Edition, Facts, Generation, Health,
    Image, Incarnation, InstallRecord, InstallStatus, Licence, Machine, MachineId, MachineKind,
    OfferClass, Offered, OsProfile, PatchMode, Placement, Power, Product, RebootBehavior,
    RebootSetting, RebootStatus, ScaleSet, Settings, Tags, UpdateService, VmFacts, ZonePlace,
};
use crate::domain::release::Kb;

/// Reads an instant; a date alone is its noon in UTC.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    let whole = match text.len() {
        10 => format!("{text}T12:00:00Z"),
        _ => text.to_owned(),
    };
    whole.parse().expect("tests write instants well")
}

/// Reads a KB.
pub(crate) fn kb(text: &str) -> Kb {
    text.parse().expect("tests write KBs well")
}

/// A machine in the making; enrolled and healthy unless told otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Builder(Machine);

/// An Azure VM with Windows Server 2025 Datacenter: Azure Edition.
pub(crate) fn vm(name: &str) -> Builder {
    let facts = Facts::AzureVm(VmFacts {
        image: image("2025-datacenter-azure-edition"),
        generation: Some(Generation::V2),
        scale_set: ScaleSet::None,
        os_profile: Some(OsProfile {
            allow_extension_operations: true,
            provision_vm_agent: true,
            enable_automatic_updates: true,
        }),
        agent: Agent::Ready,
        vbs_running: None,
    });
    built(
        name,
        MachineKind::AzureVm,
        Edition::DatacenterAzureEdition,
        facts,
    )
}

/// An Arc server with Windows Server 2025 Datacenter.
pub(crate) fn arc(name: &str) -> Builder {
    built(
        name,
        MachineKind::ArcServer,
        Edition::Datacenter,
        Facts::ArcServer(arc_facts()),
    )
}

/// An Azure Local VM with Windows Server 2025 Datacenter and guest management.
pub(crate) fn local(name: &str) -> Builder {
    let facts = Facts::AzureLocalVm(Some(arc_facts()));
    built(name, MachineKind::AzureLocalVm, Edition::Datacenter, facts)
}

/// A marketplace image of Windows Server.
pub(crate) fn image(sku: &str) -> Image {
    Image::Marketplace {
        publisher: "MicrosoftWindowsServer".to_owned(),
        offer: "WindowsServer".to_owned(),
        sku: sku.to_owned(),
    }
}

fn arc_facts() -> ArcFacts {
    ArcFacts {
        connection: Connection::Connected,
        vbs_running: Some(true),
        licence: Licence::Enabled,
        enablement: Some("Enabled".to_owned()),
    }
}

fn built(name: &str, kind: MachineKind, edition: Edition, facts: Facts) -> Builder {
    let provider = match kind {
        MachineKind::AzureVm => "Microsoft.Compute/virtualMachines",
        MachineKind::ArcServer | MachineKind::AzureLocalVm => "Microsoft.HybridCompute/machines",
    };
    let id = format!("/subscriptions/s1/resourceGroups/g1/providers/{provider}/{name}");
    Builder(Machine {
        id: MachineId::parse(&id).expect("well formed"),
        name: name.to_owned(),
        kind,
        incarnation: Incarnation {
            vm_id: format!("vm-{name}"),
            body: None,
        },
        placement: Placement {
            region: "westeurope".to_owned(),
            zone: ZonePlace::Regional,
            availability_set: None,
            flexible_scale_set: None,
            site: None,
            cluster: None,
        },
        tags: Tags::default(),
        product: Product::Ws2025,
        edition,
        build: None,
        facts,
        settings: Settings {
            patch_mode: PatchMode::AutomaticByPlatform,
            periodic_assessment: true,
            hotpatch: true,
            reboot: RebootSetting::Never,
            bypass: false,
        },
        power: Power::Running,
        health: Health::Healthy,
        cluster_update: ClusterUpdate::Quiet,
        busy: None,
        assessment: None,
        installs: Vec::new(),
    })
}

impl Builder {
    /// Returns the machine.
    pub(crate) fn machine(self) -> Machine {
        self.0
    }

    /// Changes anything.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Machine)) -> Self {
        change(&mut self.0);
        self
    }

    /// Changes what only a VM has.
    pub(crate) fn vm(self, change: impl FnOnce(&mut VmFacts)) -> Self {
        self.with(|machine| match &mut machine.facts {
            Facts::AzureVm(facts) => change(facts),
            other => panic!("no VM: {other:?}"),
        })
    }

    /// Changes what only an Arc machine has.
    pub(crate) fn arc(self, change: impl FnOnce(&mut ArcFacts)) -> Self {
        self.with(|machine| match &mut machine.facts {
            Facts::ArcServer(facts) | Facts::AzureLocalVm(Some(facts)) => change(facts),
            other => panic!("no Arc machine: {other:?}"),
        })
    }

    /// Changes `osProfile` of a VM.
    pub(crate) fn os_profile(self, change: impl FnOnce(&mut OsProfile)) -> Self {
        self.vm(|facts| change(facts.os_profile.as_mut().expect("has one by default")))
    }

    /// Changes the patch settings.
    pub(crate) fn settings(self, change: impl FnOnce(&mut Settings)) -> Self {
        self.with(|machine| change(&mut machine.settings))
    }

    /// Runs Windows Server 2022 Datacenter: Azure Edition.
    pub(crate) fn ws2022(self) -> Self {
        let changed = self.with(|machine| {
            machine.product = Product::Ws2022;
            machine.edition = Edition::DatacenterAzureEdition;
        });
        match changed.0.facts {
            Facts::AzureVm(_) => {
                changed.vm(|facts| facts.image = image("2022-datacenter-azure-edition-core"))
            }
            _ => changed,
        }
    }

    /// Has the edition.
    pub(crate) fn edition(self, edition: Edition) -> Self {
        self.with(|machine| machine.edition = edition)
    }

    /// Shows the build.
    pub(crate) fn build(self, text: &str) -> Self {
        self.with(|machine| machine.build = Some(text.parse().expect("well written")))
    }

    /// Bears the tag.
    pub(crate) fn tag(self, name: &str, value: &str) -> Self {
        self.with(|machine| machine.tags = Tags::new([(name.to_owned(), value.to_owned())]))
    }

    /// Was assessed, with nothing offered so far.
    pub(crate) fn assessed(self, when: &str) -> Self {
        self.with(|machine| {
            machine.assessment = Some(Assessment {
                at: at(when),
                reboot_pending: false,
                service: UpdateService::WindowsUpdate,
                offered: Vec::new(),
            });
        })
    }

    /// The assessment says that a reboot is pending.
    pub(crate) fn pending(self) -> Self {
        self.with(|machine| {
            machine
                .assessment
                .as_mut()
                .expect("assessed first")
                .reboot_pending = true;
        })
    }

    /// The assessment offers a security update of Windows.
    pub(crate) fn offered(self, number: &str, reboot: RebootBehavior) -> Self {
        self.with(|machine| {
            let assessment = machine.assessment.as_mut().expect("assessed first");
            assessment.offered.push(Offered {
                kb: kb(number),
                class: OfferClass::OperatingSystem,
                reboot,
                security: true,
                published: None,
            });
        })
    }

    /// The offer made last was published on that day.
    pub(crate) fn published(self, day: &str) -> Self {
        let day: NaiveDate = day.parse().expect("well written");
        self.last_offer(|offered| offered.published = Some(day))
    }

    /// The offer made last is of that class.
    pub(crate) fn class(self, class: OfferClass) -> Self {
        self.last_offer(|offered| offered.class = class)
    }

    fn last_offer(self, change: impl FnOnce(&mut Offered)) -> Self {
        self.with(|machine| {
            let assessment = machine.assessment.as_mut().expect("assessed first");
            change(assessment.offered.last_mut().expect("offered first"));
        })
    }

    /// An install, newer than those before it, put a KB on the machine.
    pub(crate) fn installed(self, number: &str, when: &str, reboot: RebootStatus) -> Self {
        self.install(when, InstallStatus::Succeeded, reboot, &[number])
    }

    /// An install newer than those before it.
    pub(crate) fn install(
        self,
        when: &str,
        status: InstallStatus,
        reboot: RebootStatus,
        kbs: &[&str],
    ) -> Self {
        self.with(|machine| {
            let record = InstallRecord {
                activity: format!("activity-{}", machine.installs.len() + 1),
                started: at(when) - chrono::TimeDelta::minutes(30),
                modified: at(when),
                status,
                reboot,
                installed: kbs.iter().map(|number| kb(number)).collect(),
                failed: Vec::new(),
                window_exceeded: false,
            };
            machine.installs.insert(0, record);
        })
    }
}

/// Every machine that lacks exactly one fact of this one, with the name of the fact.
pub(crate) fn degradations(machine: &Machine) -> Vec<(String, Machine)> {
    let mut found: Vec<(String, Machine)> = Vec::new();
    let mut lose = |name: &str, change: &dyn Fn(&mut Machine)| {
        let mut less = machine.clone();
        change(&mut less);
        if less != *machine {
            found.push((name.to_owned(), less));
        }
    };
    lose("product", &|m| m.product = Product::Unknown);
    lose("edition", &|m| m.edition = Edition::Unknown);
    lose("build", &|m| m.build = None);
    lose("patch mode", &|m| {
        m.settings.patch_mode = PatchMode::Unknown
    });
    lose("reboot setting", &|m| {
        m.settings.reboot = RebootSetting::Unknown
    });
    lose("power", &|m| m.power = Power::Unknown);
    lose("health", &|m| m.health = Health::Unknown("lost".to_owned()));
    lose("assessment", &|m| m.assessment = None);
    lose("guest management", &|m| {
        if let Facts::AzureLocalVm(facts) = &mut m.facts {
            *facts = None;
        }
    });
    type OfVm = (&'static str, fn(&mut VmFacts));
    let of_vm: [OfVm; 4] = [
        ("image", |facts| facts.image = Image::Absent),
        ("generation", |facts| facts.generation = None),
        ("osProfile", |facts| facts.os_profile = None),
        ("agent", |facts| facts.agent = Agent::Unknown),
    ];
    for (name, change) in of_vm {
        lose(name, &|m| {
            if let Facts::AzureVm(facts) = &mut m.facts {
                change(facts);
            }
        });
    }
    type OfArc = (&'static str, fn(&mut ArcFacts));
    let of_arc: [OfArc; 4] = [
        ("connection", |facts| facts.connection = Connection::Faulty),
        ("vbs", |facts| facts.vbs_running = None),
        ("licence", |facts| facts.licence = Licence::Unknown),
        ("enablement", |facts| facts.enablement = None),
    ];
    for (name, change) in of_arc {
        lose(name, &|m| match &mut m.facts {
            Facts::ArcServer(facts) | Facts::AzureLocalVm(Some(facts)) => change(facts),
            Facts::AzureVm(_) | Facts::AzureLocalVm(None) => {}
        });
    }
    let offers = machine
        .assessment
        .as_ref()
        .map_or(0, |assessment| assessment.offered.len());
    type OfOffer = (&'static str, fn(&mut Offered));
    let of_offer: [OfOffer; 3] = [
        ("reboot behaviour", |offered| {
            offered.reboot = RebootBehavior::Unknown
        }),
        ("class", |offered| offered.class = OfferClass::Unknown),
        ("publication", |offered| offered.published = None),
    ];
    for index in 0..offers {
        for (name, change) in of_offer {
            lose(&format!("{name} of offer {index}"), &|m| {
                change(&mut m.assessment.as_mut().expect("has offers").offered[index]);
            });
        }
    }
    for index in 0..machine.installs.len() {
        lose(&format!("status of install {index}"), &|m| {
            m.installs[index].status = InstallStatus::Unknown;
        });
        lose(&format!("reboot of install {index}"), &|m| {
            m.installs[index].reboot = RebootStatus::Unknown;
        });
    }
    found
}
