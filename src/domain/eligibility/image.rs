//! Which images Azure hotpatches.
//!
//! Holds the one list, compared exactly but for letter case. The built-in policy 6d02d2f7 has a
//! list of its own that is wrong both ways (azure.md §9); whoever compares with it uses this one.

use crate::domain::machine::Image;

/// The publisher of all hotpatch images.
pub const IMAGE_PUBLISHER: &str = "MicrosoftWindowsServer";

/// The offer of all hotpatch images.
pub const IMAGE_OFFER: &str = "WindowsServer";

/// The SKUs of hotpatch images (azure-compute-docs, automatic-vm-guest-patching, and
/// windowsserverdocs, hotpatch; azure.md §1.1).
pub const HOTPATCH_SKUS: [&str; 8] = [
    "2022-datacenter-azure-edition-core",
    "2022-datacenter-azure-edition-core-smalldisk",
    "2022-datacenter-azure-edition-hotpatch",
    "2022-datacenter-azure-edition-hotpatch-smalldisk",
    "2025-datacenter-azure-edition",
    "2025-datacenter-azure-edition-smalldisk",
    "2025-datacenter-azure-edition-core",
    "2025-datacenter-azure-edition-core-smalldisk",
];

/// SKUs that look like hotpatch images and are none: 2022 Desktop without hotpatch.
const DESKTOP_WITHOUT_HOTPATCH: [&str; 2] = [
    "2022-datacenter-azure-edition",
    "2022-datacenter-azure-edition-smalldisk",
];

/// The most characters of an image's name that a message quotes.
const QUOTED_CHARS_MAX: usize = 120;

/// How an image stands to hotpatching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageFit {
    /// It is on the list.
    Fits,
    /// It is 2022 Azure Edition with Desktop, of the SKU without hotpatch.
    DesktopWithoutHotpatch {
        /// The SKU.
        sku: String,
    },
    /// It is another marketplace image.
    Unlisted {
        /// Publisher, offer and SKU.
        name: String,
    },
    /// It is a custom or gallery image.
    Custom {
        /// Its id.
        id: String,
    },
    /// There is none.
    Absent,
}

/// Tells how an image stands to hotpatching.
pub fn image_fit(image: &Image) -> ImageFit {
    let (publisher, offer, sku) = match image {
        Image::Marketplace {
            publisher,
            offer,
            sku,
        } => (publisher, offer, sku),
        Image::Custom(id) => return ImageFit::Custom { id: quoted(id) },
        Image::Absent => return ImageFit::Absent,
    };
    let listed = |skus: &[&str]| skus.iter().any(|own| own.eq_ignore_ascii_case(sku));
    let windows_server =
        publisher.eq_ignore_ascii_case(IMAGE_PUBLISHER) && offer.eq_ignore_ascii_case(IMAGE_OFFER);
    if windows_server && listed(&HOTPATCH_SKUS) {
        ImageFit::Fits
    } else if windows_server && listed(&DESKTOP_WITHOUT_HOTPATCH) {
        ImageFit::DesktopWithoutHotpatch { sku: quoted(sku) }
    } else {
        ImageFit::Unlisted {
            name: quoted(&format!("{publisher}/{offer}/{sku}")),
        }
    }
}

fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).collect()
}
