# What a careful administrator would write: installs updates on all virtual machines of a
# subscription with a pool of threads, by Microsoft's own client, and waits for each. It keeps no
# state. Refusals for too many requests, and errors of the server, are sent again by the client's
# own policies; a machine that is busy is tried again here.

import argparse
import datetime
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.mgmt.compute import ComputeManagementClient, models

SCOPE = "https://management.azure.com/.default"
TRIES = 100

arguments = argparse.ArgumentParser()
arguments.add_argument("endpoint")
arguments.add_argument("certificate")
arguments.add_argument("subscription")
arguments.add_argument("--threads", type=int, default=64)
arguments.add_argument("--poll-seconds", type=float, default=30)
arguments.add_argument("--assess", action="store_true", help="install only what is offered")
own = arguments.parse_args()


class Credential:
    def get_token(self, *scopes, **_):
        return AccessToken("pool", int(time.time()) + 3600)


vms = ComputeManagementClient(
    Credential(), own.subscription, base_url=own.endpoint, credential_scopes=[SCOPE],
    connection_verify=own.certificate, polling_interval=own.poll_seconds).virtual_machines

WANTED = models.VirtualMachineInstallPatchesParameters(
    maximum_duration=datetime.timedelta(hours=3),
    reboot_setting=models.VMGuestPatchRebootSetting.IF_REQUIRED,
    windows_parameters=models.WindowsParameters(classifications_to_include=[
        models.VMGuestPatchClassificationWindows.CRITICAL,
        models.VMGuestPatchClassificationWindows.SECURITY]))


def once_idle(begin):
    """Begins something, as soon as nothing else is under way on the machine, and waits for it."""
    for _ in range(TRIES):
        try:
            return begin().result()
        except HttpResponseError as refused:
            if refused.status_code != 409:
                raise
            time.sleep(own.poll_seconds)
    raise TimeoutError("it stays busy")


def patch(machine):
    group = machine.id.split("/")[4]
    try:
        if own.assess:
            found = once_idle(lambda: vms.begin_assess_patches(group, machine.name))
            if not found.critical_and_security_patch_count:
                return True
        done = once_idle(lambda: vms.begin_install_patches(group, machine.name, WANTED))
        return done.status == "Succeeded"
    except (HttpResponseError, TimeoutError) as error:
        print(f"{machine.name}: {error}", file=sys.stderr)
        return False


with ThreadPoolExecutor(own.threads) as pool:
    done = list(pool.map(patch, vms.list_all()))
print(f"{sum(done)} of {len(done)} machines")
sys.exit(0 if all(done) else 1)
