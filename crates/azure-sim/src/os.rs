//! Holds the operating systems a guest may run. Must never know machines.

use crate::releases::Track;

/// The operating system of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Os {
    /// Windows Server 2022 Datacenter: Azure Edition.
    Ws2022AzureEdition,
    /// Windows Server 2022 Datacenter.
    Ws2022Datacenter,
    /// Windows Server 2025 Datacenter: Azure Edition.
    Ws2025AzureEdition,
    /// Windows Server 2025 Datacenter.
    Ws2025Datacenter,
    /// Windows Server 2025 Standard.
    Ws2025Standard,
    /// Windows Server 2019 Datacenter: no cumulative updates are modelled.
    Ws2019Datacenter,
    /// Ubuntu 24.04: nothing is ever offered.
    Linux,
}

impl Os {
    /// Gives the track whose releases the system is offered, if one is modelled.
    #[must_use]
    pub fn track(self) -> Option<Track> {
        match self {
            Self::Ws2022AzureEdition | Self::Ws2022Datacenter => Some(Track::Ws2022),
            Self::Ws2025AzureEdition | Self::Ws2025Datacenter | Self::Ws2025Standard => {
                Some(Track::Ws2025)
            }
            Self::Ws2019Datacenter | Self::Linux => None,
        }
    }

    /// Tells whether this is a Datacenter: Azure Edition.
    #[must_use]
    pub fn azure_edition(self) -> bool {
        matches!(self, Self::Ws2022AzureEdition | Self::Ws2025AzureEdition)
    }

    pub(crate) fn hotpatch_on_arc(self) -> bool {
        matches!(
            self,
            Self::Ws2025Datacenter | Self::Ws2025Standard | Self::Ws2025AzureEdition
        )
    }

    pub(crate) fn windows(self) -> bool {
        self != Self::Linux
    }

    /// The product name, as in `osSku` of an Arc machine and `osName` of an instance view.
    pub(crate) fn product(self) -> &'static str {
        match self {
            Self::Ws2022AzureEdition => "Windows Server 2022 Datacenter Azure Edition",
            Self::Ws2022Datacenter => "Windows Server 2022 Datacenter",
            Self::Ws2025AzureEdition => "Windows Server 2025 Datacenter Azure Edition",
            Self::Ws2025Datacenter => "Windows Server 2025 Datacenter",
            Self::Ws2025Standard => "Windows Server 2025 Standard",
            Self::Ws2019Datacenter => "Windows Server 2019 Datacenter",
            Self::Linux => "Ubuntu 24.04.1 LTS",
        }
    }

    /// The value of `osEdition`.
    pub(crate) fn edition(self) -> &'static str {
        match self {
            Self::Ws2025Standard => "Standard",
            Self::Ws2022AzureEdition | Self::Ws2025AzureEdition => "Datacenter: Azure Edition",
            Self::Linux => "",
            _ => "Datacenter",
        }
    }

    pub(crate) fn os_type(self) -> &'static str {
        if self.windows() { "Windows" } else { "Linux" }
    }

    /// The build of the first image.
    pub(crate) fn first_build(self) -> &'static str {
        match self.track() {
            Some(Track::Ws2022) => "20348.587",
            Some(Track::Ws2025) => "26100.1742",
            None if self.windows() => "17763.737",
            None => "24.04",
        }
    }
}
