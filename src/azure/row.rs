//! What one row of the query for machines says by itself.

use super::read_as::{OsWords, is, provisioning, some};
use super::wire::graph::{LocalRow, Resource};
use super::wire::vm::ImageReference;
use crate::domain::machine::{Image, Incarnation, MachineId, MachineKind};

/// The publisher whose SKUs name a Windows Server.
const WINDOWS_PUBLISHER: &str = "MicrosoftWindowsServer";

/// Tells the kind of a machine.
pub(super) fn kind(id: &MachineId, row: &Resource) -> MachineKind {
    if id.as_str().contains("/providers/microsoft.compute/") {
        MachineKind::AzureVm
    } else if is(row.kind.as_deref(), "HCI") {
        MachineKind::AzureLocalVm
    } else {
        MachineKind::ArcServer
    }
}

/// Without guest management there is no agent, and nothing that an agent would have reported.
pub(super) fn is_managed(row: &Resource) -> bool {
    some(row.agent.as_ref()).is_some() || some(row.status.as_ref()).is_some()
}

pub(super) fn incarnation(row: &Resource, kind: MachineKind) -> Result<Incarnation, String> {
    let vm_id = some(row.vm_id.as_ref())
        .ok_or("it has no vmId")?
        .to_ascii_lowercase();
    let body = match kind {
        MachineKind::AzureVm => some(row.disk.as_ref()),
        MachineKind::ArcServer | MachineKind::AzureLocalVm => some(row.vm_uuid.as_ref()),
    };
    Ok(Incarnation {
        vm_id,
        body: body.map(str::to_ascii_lowercase),
    })
}

pub(super) fn os_words(row: &Resource, kind: MachineKind) -> OsWords<'_> {
    if kind != MachineKind::AzureVm {
        return OsWords {
            os_type: row.os_type.as_deref(),
            name: some(row.os_sku.as_ref()),
            edition: some(row.os_edition.as_ref()),
            version: some(row.os_version.as_ref()),
            image_sku: None,
        };
    }
    let view = row.view.as_ref();
    let image = row.image.as_ref();
    let windows = is(
        image.and_then(|i| i.publisher.as_deref()),
        WINDOWS_PUBLISHER,
    );
    OsWords {
        os_type: row.disk_os.as_deref(),
        name: view.and_then(|v| some(v.os_name.as_ref())),
        edition: None,
        version: view.and_then(|v| some(v.os_version.as_ref())),
        image_sku: image.filter(|_| windows).and_then(|i| some(i.sku.as_ref())),
    }
}

pub(super) fn image(image: Option<&ImageReference>) -> Image {
    let Some(image) = image else {
        return Image::Absent;
    };
    let ids = [
        &image.id,
        &image.community_gallery_image_id,
        &image.shared_gallery_image_id,
    ];
    let id = ids.into_iter().find_map(|id| some(id.as_ref()));
    let parts = (
        some(image.publisher.as_ref()),
        some(image.offer.as_ref()),
        some(image.sku.as_ref()),
    );
    match (id, parts) {
        (Some(id), _) => Image::Custom(id.to_owned()),
        (None, (Some(publisher), Some(offer), Some(sku))) => Image::Marketplace {
            publisher: publisher.to_owned(),
            offer: offer.to_owned(),
            sku: sku.to_owned(),
        },
        (None, _) => Image::Absent,
    }
}

pub(super) fn instance_busy(instance: &LocalRow) -> Option<String> {
    provisioning(instance.provisioning.as_deref()).map(|state| format!("instance {state}"))
}
