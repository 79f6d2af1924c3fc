# Microsoft's own clients against the emulator, unchanged: only the address, the certificate and
# the credential are ours. What is checked is what their objects hold after parsing. Prints one
# line for each thing that went well; a failed check ends it.

import datetime
import enum
import sys
import time
import urllib.request
import ssl

from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.compute import ComputeManagementClient, models as compute
from azure.mgmt.hybridcompute import HybridComputeManagementClient, models as hybrid
from azure.mgmt.maintenance import MaintenanceManagementClient, models as maintenance
from azure.mgmt.resourcegraph import ResourceGraphClient, models as graph

BASE, CERTIFICATE = sys.argv[1:3]
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
GROUP = "rg-apps"
SCOPE = "https://management.azure.com/.default"


class Credential:
    def get_token(self, *scopes, **_):
        assert scopes == (SCOPE,), scopes
        return AccessToken("python", int(time.time()) + 3600)


SETTINGS = dict(
    base_url=BASE,
    credential_scopes=[SCOPE],
    connection_verify=CERTIFICATE,
    polling_interval=0.1,
)
vms = ComputeManagementClient(Credential(), SUBSCRIPTION, **SETTINGS).virtual_machines
arc_client = HybridComputeManagementClient(Credential(), SUBSCRIPTION, **SETTINGS)
arcs = arc_client.machines
licences = arc_client.license_profiles
maintenance_client = MaintenanceManagementClient(Credential(), SUBSCRIPTION, **SETTINGS)
graph_client = ResourceGraphClient(Credential(), **SETTINGS)


def is_word(value, *among):
    """Checks that the client knows the word: one it does not know stays a mere string."""
    assert isinstance(value, enum.Enum), repr(value)
    assert not among or value in among, repr(value)


def is_date(value, since=datetime.datetime(2025, 8, 1, tzinfo=datetime.timezone.utc)):
    assert isinstance(value, datetime.datetime) and value.tzinfo is not None, repr(value)
    assert since <= value, repr(value)


def switch(fault):
    context = ssl.create_default_context(cafile=CERTIFICATE)
    request = urllib.request.Request(f"{BASE}/_sim/faults", fault.encode(), method="POST")
    assert urllib.request.urlopen(request, context=context).status == 201


def virtual_machines():
    found = list(vms.list_all())
    assert len(found) == 32 and len(list(vms.list(GROUP))) == 32
    print("listed", len(found), "virtual machines")
    name = next(vm.name for vm in found
                if vm.storage_profile.image_reference.sku.startswith("2025"))

    vm = vms.get(GROUP, name, expand="instanceView")
    settings = vm.os_profile.windows_configuration.patch_settings
    is_word(settings.patch_mode, compute.WindowsVMGuestPatchMode.AUTOMATIC_BY_PLATFORM)
    assert settings.enable_hotpatching is True and vm.zones == ["1"]
    is_word(vm.storage_profile.os_disk.os_type, compute.OperatingSystemTypes.WINDOWS)
    is_word(vm.security_profile.security_type, compute.SecurityTypes.TRUSTED_LAUNCH)
    is_word(vm.instance_view.hyper_v_generation, compute.HyperVGenerationType.V2)
    states = vm.instance_view.statuses
    assert [own.code for own in states] == ["ProvisioningState/succeeded", "PowerState/running"]
    is_word(states[0].level, compute.StatusLevelTypes.INFO)
    is_date(states[0].time)
    print("read", vm.provisioning_state, vm.vm_id is not None)

    assessed = vms.begin_assess_patches(GROUP, name).result()
    is_word(assessed.status, compute.PatchOperationStatus.SUCCEEDED)
    is_date(assessed.start_date_time)
    assert assessed.error is None and assessed.reboot_pending is False
    offered = assessed.available_patches
    assert len(offered) == assessed.critical_and_security_patch_count + assessed.other_patch_count
    for patch in offered:
        is_word(patch.reboot_behavior)
        is_word(patch.assessment_state, compute.PatchAssessmentState.AVAILABLE)
        is_date(patch.published_date)
        is_date(patch.last_modified_date_time)
        assert patch.kb_id.isdigit() and patch.classifications
    never = compute.VMGuestPatchRebootBehavior.NEVER_REBOOTS
    hotpatch = [patch.kb_id for patch in offered if patch.reboot_behavior == never
                and patch.classifications == ["Security Updates"]]
    assert len(hotpatch) == 1, [patch.as_dict() for patch in offered]
    print("assessed", "a hotpatch is offered")

    body = compute.VirtualMachineInstallPatchesParameters(
        maximum_duration="PT2H",
        reboot_setting=compute.VMGuestPatchRebootSetting.NEVER,
        windows_parameters=compute.WindowsParameters(
            kb_numbers_to_include=hotpatch, exclude_kbs_requiring_reboot=True),
    )
    poller = vms.begin_install_patches(GROUP, name, body)
    # A second one is refused while the first runs: the clients say so by kind.
    try:
        vms.begin_install_patches(GROUP, name, body)
        raise AssertionError("a second install was taken")
    except ResourceExistsError as refused:
        assert refused.status_code == 409 and refused.error.code == "Conflict", refused
    token = poller.continuation_token()
    resumed = vms.begin_install_patches(GROUP, name, body, continuation_token=token)
    done = resumed.result()
    is_word(done.status, compute.PatchOperationStatus.SUCCEEDED)
    is_word(done.reboot_status, compute.VMGuestPatchRebootStatus.NOT_NEEDED)
    is_date(done.start_date_time)
    counts = (done.installed_patch_count, done.failed_patch_count, done.pending_patch_count)
    assert counts == (1, 0, 0) and done.maintenance_window_exceeded is False, done.as_dict()
    state = compute.PatchInstallationState.INSTALLED
    assert [(own.kb_id, own.installation_state) for own in done.patches
            if own.installation_state == state] == [(hotpatch[0], state)]
    print("installed", "a hotpatch, no reboot")

    status = vms.instance_view(GROUP, name).patch_status
    summary = status.last_patch_installation_summary
    is_word(summary.status, compute.PatchOperationStatus.SUCCEEDED)
    is_date(summary.start_time)
    is_date(summary.last_modified_time)
    assert summary.installation_activity_id == done.installation_activity_id
    is_word(status.available_patch_summary.status)
    print("seen", status.configuration_statuses[0].code)

    wanted = compute.VirtualMachineUpdate(
        tags={"app": "web"},
        os_profile=compute.OSProfile(windows_configuration=compute.WindowsConfiguration(
            patch_settings=compute.PatchSettings(
                assessment_mode=compute.WindowsPatchAssessmentMode.AUTOMATIC_BY_PLATFORM))))
    after = vms.begin_update(GROUP, name, wanted).result()
    settings = after.os_profile.windows_configuration.patch_settings
    is_word(settings.assessment_mode, compute.WindowsPatchAssessmentMode.AUTOMATIC_BY_PLATFORM)
    is_word(settings.patch_mode, compute.WindowsVMGuestPatchMode.AUTOMATIC_BY_PLATFORM)
    assert after.tags["app"] == "web" and after.provisioning_state == "Succeeded"
    bypass = compute.WindowsVMGuestPatchAutomaticByPlatformSettings(
        bypass_platform_safety_checks_on_user_schedule=True)
    wanted = compute.VirtualMachineUpdate(os_profile=compute.OSProfile(
        windows_configuration=compute.WindowsConfiguration(
            patch_settings=compute.PatchSettings(automatic_by_platform_settings=bypass))))
    try:
        vms.begin_update(GROUP, name, wanted)
        raise AssertionError("a bypass was taken beside hotpatching")
    except HttpResponseError as refused:
        assert refused.status_code == 400 and refused.error.code == "InvalidParameter", refused
    print("patched", "settings and tags")

    assert vms.begin_restart(GROUP, name).result() is None
    print("restarted")
    try:
        vms.get(GROUP, "nobody")
        raise AssertionError("a machine that is not there was read")
    except ResourceNotFoundError as refused:
        assert refused.error.code == "ResourceNotFound"
    print("missed", "a machine that is not there")
    return name


def arc_machines():
    found = list(arcs.list_by_subscription())
    kinds = {own.kind for own in found}
    assert len(found) == 8 and kinds == {None, hybrid.ArcKindEnum.HCI}, kinds
    assert len(list(arcs.list_by_resource_group(GROUP))) == 8
    print("listed", len(found), "Arc machines")
    name = next(own.name for own in found if own.kind is None)
    machine = arcs.get(GROUP, name)
    is_word(machine.status, hybrid.StatusTypes.CONNECTED)
    is_date(machine.last_status_change)
    settings = machine.os_profile.windows_configuration.patch_settings
    is_word(settings.status.hotpatch_enablement_status,
            hybrid.HotpatchEnablementStatus.ENABLED)
    # By the whole path: the client's short cut reads another part of the profile.
    product = machine.license_profile.product_profile.product_features
    assert product[0].name == "Hotpatch"
    is_word(product[0].subscription_status, hybrid.LicenseProfileSubscriptionStatus.ENABLED)
    is_date(product[0].enrollment_date)
    print("read", machine.os_sku)

    profile = licences.get(GROUP, name)
    product = profile.properties.product_profile
    is_word(product.product_type, hybrid.LicenseProfileProductType.WINDOWS_SERVER)
    assert [own.name for own in licences.list(GROUP, name)] == ["default"]
    off = hybrid.ProductFeatureUpdate(
        name="Hotpatch",
        subscription_status=hybrid.LicenseProfileSubscriptionStatusUpdate.DISABLE)
    wanted = hybrid.LicenseProfileUpdateProperties(
        product_profile=hybrid.ProductProfileUpdateProperties(
            product_type=hybrid.LicenseProfileProductType.WINDOWS_SERVER,
            product_features=[off]))
    changed = licences.begin_update(
        GROUP, name, hybrid.LicenseProfileUpdate(properties=wanted)).result()
    product = changed.properties.product_profile
    is_word(product.product_features[0].subscription_status,
            hybrid.LicenseProfileSubscriptionStatus.DISABLING,
            hybrid.LicenseProfileSubscriptionStatus.DISABLED)
    print("licensed", product.product_type.value)

    assessed = arcs.begin_assess_patches(GROUP, name).result()
    is_word(assessed.status, hybrid.PatchOperationStatus.SUCCEEDED)
    is_word(assessed.started_by, hybrid.PatchOperationStartedBy.USER)
    is_word(assessed.patch_service_used, hybrid.PatchServiceUsed.WU)
    is_word(assessed.os_type, hybrid.OsType.WINDOWS)
    is_date(assessed.last_modified_date_time)
    assert assessed.available_patch_count_by_classification.security == 1
    print("assessed", assessed.available_patch_count_by_classification.security, "security")

    done = arcs.begin_install_patches(GROUP, name, hybrid.MachineInstallPatchesParameters(
        maximum_duration=datetime.timedelta(hours=3),
        reboot_setting=hybrid.VMGuestPatchRebootSetting.IF_REQUIRED,
        windows_parameters=hybrid.WindowsParameters(
            classifications_to_include=[
                hybrid.VMGuestPatchClassificationWindows.CRITICAL,
                hybrid.VMGuestPatchClassificationWindows.SECURITY]))).result()
    is_word(done.status, hybrid.PatchOperationStatus.SUCCEEDED)
    is_word(done.reboot_status)
    is_date(done.start_date_time)
    assert done.installed_patch_count == 1 and done.error_details is None
    print("installed", done.installed_patch_count)

    wanted = hybrid.MachineUpdate(
        tags={"app": "db"},
        os_profile=hybrid.OSProfile(windows_configuration=hybrid.OSProfileWindowsConfiguration(
            patch_settings=hybrid.PatchSettings(
                assessment_mode=hybrid.AssessmentModeTypes.AUTOMATIC_BY_PLATFORM))))
    after = arcs.update(GROUP, name, wanted)
    settings = after.os_profile.windows_configuration.patch_settings
    is_word(settings.assessment_mode, hybrid.AssessmentModeTypes.AUTOMATIC_BY_PLATFORM)
    assert after.tags["app"] == "db"
    print("patched", "settings and tags")


def resource_graph(name):
    rows, token, pages = [], None, 0
    while True:
        page = graph_client.resources(graph.QueryRequest(
            subscriptions=[SUBSCRIPTION],
            query="resources | where type in~ ('microsoft.compute/virtualmachines',"
                  "'microsoft.hybridcompute/machines') | project id, name | order by id asc",
            options=graph.QueryRequestOptions(top=15, skip_token=token)))
        assert page.result_truncated == graph.ResultTruncated.FALSE
        assert page.total_records == 40 and page.count == len(page.data)
        rows += page.data
        pages += 1
        token = page.skip_token
        if token is None:
            break
    assert len({row["id"] for row in rows}) == 40 and pages == 3
    print("queried", pages, "pages")
    page = graph_client.resources(graph.QueryRequest(
        subscriptions=[SUBSCRIPTION],
        query=f"maintenanceresources | where id contains '{name}' | project id, properties"))
    own = page.data[0]["properties"]["maintenanceConfigurationId"]
    assert own.endswith("/maintenanceConfigurations/nights"), own
    print("queried", "an assignment")
    try:
        graph_client.resources(graph.QueryRequest(subscriptions=[SUBSCRIPTION], query="moon"))
        raise AssertionError("a query without sense was answered")
    except HttpResponseError as refused:
        assert refused.status_code == 400 and refused.error.code == "BadRequest"
        assert refused.error.details[0].code == "InvalidQuery"
    print("refused", "a query without sense")


def maintenance_schedules(name):
    configurations = maintenance_client.maintenance_configurations
    made = configurations.create_or_update(GROUP, "nights", maintenance.MaintenanceConfiguration(
        location="westeurope",
        maintenance_scope=maintenance.MaintenanceScope.IN_GUEST_PATCH,
        visibility=maintenance.Visibility.CUSTOM,
        extension_properties={"InGuestPatchMode": "User"},
        start_date_time="2025-12-01 20:00",
        duration="03:00",
        time_zone="W. Europe Standard Time",
        recur_every="Month Second Tuesday Offset4",
        install_patches=maintenance.InputPatchConfiguration(
            reboot_setting=maintenance.RebootOptions.IF_REQUIRED,
            windows_parameters=maintenance.InputWindowsParameters(
                classifications_to_include=["Security"]))))
    # This client's models are of the older kind: words stay strings that equal their enum.
    assert made.maintenance_scope == maintenance.MaintenanceScope.IN_GUEST_PATCH
    read = configurations.get(GROUP, "nights")
    assert read.install_patches.reboot_setting == maintenance.RebootOptions.IF_REQUIRED
    assert read.install_patches.windows_parameters.classifications_to_include == ["Security"]
    assert (read.duration, read.recur_every) == ("03:00", "Month Second Tuesday Offset4")
    assert [own.name for own in configurations.list()] == ["nights"]
    print("scheduled", read.time_zone)
    assignments = maintenance_client.configuration_assignments
    where = (GROUP, "Microsoft.Compute", "virtualMachines", name)
    assigned = assignments.create_or_update(
        *where, "nightly", maintenance.ConfigurationAssignment(
            location="westeurope", maintenance_configuration_id=made.id))
    assert assigned.maintenance_configuration_id == made.id
    found = list(assignments.list(*where))
    assert [(own.name, own.resource_id.rsplit("/", 1)[1]) for own in found] == [("nightly", name)]
    print("assigned", found[0].name)


def faults(name):
    # The clients' own policies meet the faults as they meet Azure's: they wait and send again.
    for fault in ["throttled-seconds=1,method=GET,count=1", "server-error=503,method=GET,count=1",
                  "reset-before,method=GET,count=1"]:
        switch(fault)
        assert vms.get(GROUP, name).name == name
        print("outlived", fault)
    switch("token-expired,method=GET,count=1")
    try:
        vms.get(GROUP, name)
        raise AssertionError("an expired token was taken")
    except HttpResponseError as refused:
        assert refused.status_code == 401 and refused.error.code == "ExpiredAuthenticationToken"
    print("refused", "an expired token")
    switch("expired-operation,count=1")
    poller = vms.begin_assess_patches(GROUP, name)
    try:
        poller.result()
        raise AssertionError("an expired result was read")
    except HttpResponseError as refused:
        assert refused.status_code == 404
    print("missed", "an expired result")


own = virtual_machines()
arc_machines()
maintenance_schedules(own)
time.sleep(1)
resource_graph(own)
faults(own)
