// tests may unwrap
#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn every_call_has_its_right_and_every_right_its_call() {
    for call in CALLS {
        assert!(named(call.action).is_some(), "no role grants {call:?}");
    }
    for right in RIGHTS {
        let is_used = CALLS.iter().any(|call| call.action == right.action);
        assert!(is_used, "no call needs {}", right.action);
    }
}

#[test]
fn an_action_stands_once_and_a_role_is_small_and_without_wildcards() {
    let all: BTreeSet<&str> = RIGHTS.iter().map(|right| right.action).collect();
    assert_eq!(all.len(), RIGHTS.len());
    for role in Role::ALL {
        let actions = role.actions();
        assert!(!actions.is_empty(), "{role:?}");
        assert!(actions.len() <= ACTIONS_MAX, "{role:?}: {}", actions.len());
        for action in actions {
            assert!(!action.contains('*'), "{action}");
            let ends = ["/read", "/write", "/delete", "/action"];
            assert!(ends.iter().any(|end| action.ends_with(end)), "{action}");
        }
    }
}

#[test]
fn the_read_role_only_reads_and_only_the_last_reaches_into_guests() {
    for action in Role::Read.actions() {
        assert!(action.ends_with("/read"), "{action}");
    }
    for right in RIGHTS.iter().filter(|own| own.role != Role::RunCommand) {
        let lower = right.action.to_ascii_lowercase();
        assert!(!lower.contains("runcommand"), "{lower}");
        assert!(!lower.ends_with("/delete"), "{lower}");
    }
}

#[test]
fn a_request_finds_its_right() {
    let vm = "/subscriptions/s/resourcegroups/g/providers/microsoft.compute/virtualmachines/vm";
    let cases = [
        (
            "GET",
            format!("{vm}?api-version=1"),
            "Microsoft.Compute/virtualMachines/read",
        ),
        (
            "PATCH",
            vm.to_owned(),
            "Microsoft.Compute/virtualMachines/write",
        ),
        (
            "POST",
            format!("{vm}/installPatches?api-version=1"),
            "Microsoft.Compute/virtualMachines/installPatches/action",
        ),
    ];
    for (method, path, action) in cases {
        assert_eq!(of_request(method, &path).unwrap().action, action);
    }
    assert_eq!(of_request("DELETE", vm), None);
    assert_eq!(of_request("POST", &format!("{vm}/deallocate")), None);
    assert_eq!(of_request("GET", &format!("{vm}/a/b")), None);
}

#[test]
fn a_refusal_names_the_role_file_that_helps() {
    let text = cure("microsoft.compute/virtualmachines/INSTALLPATCHES/action");
    assert!(
        text.starts_with("roles/hotpatch-install-and-restart.json"),
        "{text}"
    );
    assert!(
        text.contains("; without it runs on Azure VMs are planned"),
        "{text}"
    );
    assert_eq!(cure("Microsoft.Compute/virtualMachines/delete"), "");
}
