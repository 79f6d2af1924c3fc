//! Microsoft's own Python clients, unchanged, against `azure-sim serve`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::Sim;

/// Names a Python with the clients.
const VARIABLE: &str = "HOTPATCH_AZURE_PYTHON";

/// The day of the hotpatch of November 2025 has passed, and the machines lack it.
const WORLD: [&str; 12] = [
    "--machines",
    "40",
    "--from",
    "2025-11-20T06:00:00Z",
    "--patched",
    "2025-10-20",
    "--speed",
    "600",
    "--poll-after",
    "0",
    "--assume",
    "activity-log-delay-minutes=1",
];

/// A Python that an environment variable names; a test that needs it fails without it.
fn python() -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "how `make e2e` names its binaries"
    )]
    let path = std::env::var_os(VARIABLE).map(PathBuf::from);
    path.unwrap_or_else(|| {
        panic!("{VARIABLE} names no Python: run this test by `make e2e`, or set it")
    })
}

#[test]
#[ignore = "needs Python with Microsoft's clients: make e2e"]
fn python_clients_list_read_patch_assess_install_and_poll() {
    let sim = Sim::start(&WORLD);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/served/clients.py");
    let done = Command::new(python())
        .arg(script)
        .arg(&sim.endpoint)
        .arg(&sim.certificate)
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    let err = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{out}{err}");
    let want = [
        "listed 32 virtual machines",
        "read Succeeded True",
        "assessed a hotpatch is offered",
        "installed a hotpatch, no reboot",
        "seen PatchModeConfigurationState/Ready",
        "patched settings and tags",
        "restarted",
        "missed a machine that is not there",
        "listed 8 Arc machines",
        "read Windows Server 2025 Datacenter",
        "licensed WindowsServer",
        "assessed 1 security",
        "installed 1",
        "patched settings and tags",
        "scheduled W. Europe Standard Time",
        "assigned nightly",
        "queried 3 pages",
        "queried an assignment",
        "refused a query without sense",
        "outlived throttled-seconds=1,method=GET,count=1",
        "outlived server-error=503,method=GET,count=1",
        "outlived reset-before,method=GET,count=1",
        "refused an expired token",
        "missed an expired result",
    ];
    assert_eq!(out.lines().collect::<Vec<&str>>(), want);
    // Nothing that the clients asked for is unknown to the emulator.
    let unknown = sim.answered(405);
    assert!(unknown.is_empty(), "{unknown:?}");
    assert_eq!(sim.calls("POST", "/virtualmachines/*/installpatches"), 2);
    assert_eq!(sim.calls("POST", "/machines/*/installpatches"), 1);
}
