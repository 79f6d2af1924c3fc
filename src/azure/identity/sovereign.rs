//! Azure's clouds: where each issues tokens and where each is managed.

use crate::azure::endpoint::Endpoint;

/// One of Azure's clouds. Its hosts follow from it, so that they cannot be mixed.
///
/// Hosts: azure.md §10, from "Azure Government: compare", "Azure China: developer guide" and
/// "National clouds" (learn.microsoft.com/entra/identity-platform/authentication-national-cloud).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AzureCloud {
    /// The public cloud.
    #[default]
    Public,
    /// Azure for the US Government.
    UsGovernment,
    /// Azure in China, operated by 21Vianet.
    China,
}

impl AzureCloud {
    /// All clouds.
    pub const ALL: [Self; 3] = [Self::Public, Self::UsGovernment, Self::China];

    /// Returns where Entra ID issues tokens.
    pub const fn authority(self) -> &'static str {
        match self {
            Self::Public => "https://login.microsoftonline.com",
            Self::UsGovernment => "https://login.microsoftonline.us",
            Self::China => "https://login.chinacloudapi.cn",
        }
    }

    /// Returns where Azure Resource Manager answers.
    pub const fn resource_manager(self) -> &'static str {
        match self {
            Self::Public => Endpoint::PUBLIC,
            Self::UsGovernment => "https://management.usgovcloudapi.net",
            Self::China => "https://management.chinacloudapi.cn",
        }
    }

    /// Returns whom a token for Azure Resource Manager is for. With `.default` behind it, it is the
    /// scope to ask for.
    pub const fn audience(self) -> &'static str {
        match self {
            Self::Public => "https://management.azure.com/",
            Self::UsGovernment => "https://management.usgovcloudapi.net/",
            Self::China => "https://management.chinacloudapi.cn/",
        }
    }
}
