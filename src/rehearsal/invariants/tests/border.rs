//! The border between namespaces.

use super::*;

/// Another team's fleet, which selects no machine of the tale.
fn tills() -> Value {
    let mut own = fleet();
    own["metadata"] = json!({"name": "tills", "namespace": "tills", "uid": "fleet-2"});
    own["spec"]["selector"]["tags"] = json!({"matchLabels": {"patching": "tills"}});
    own
}

fn with_tills() -> Tale {
    let mut tale = Tale::new();
    tale.in_namespace("tills", "hotpatchfleets.hotpatch.dev", "tills", tills());
    tale
}

#[test]
fn a_command_with_the_identity_of_another_namespace_is_found() {
    let mut tale = with_tills();
    tale.step("a", "Starting", "r1");
    tale.lease("process-1", 1);
    let call = Call {
        caller: IDENTITIES[1].name.to_owned(),
        ..finish("r1")
    };
    tale.effect("a", What::CallAccepted(call));
    tale.violates("border");
}

#[test]
fn a_run_that_names_a_machine_of_another_namespace_is_found() {
    let mut tale = with_tills();
    let mut run = tale.run.clone();
    run["metadata"]["namespace"] = json!("tills");
    tale.in_namespace("tills", "hotpatchruns.hotpatch.dev", "run-1", run);
    tale.violates("border");
}

#[test]
fn a_status_that_names_what_stands_in_another_namespace_is_found() {
    for (text, is_told) in [
        ("waits for run tills-ws2025-2025-07-08-all-1", true),
        ("another fleet (tills) acts on it", true),
        ("it stills", false),
        ("waits for run servers-ws2025-2025-07-08-all-1", false),
    ] {
        let mut tale = with_tills();
        let record = json!({"status": {"message": text}});
        tale.write("hotpatchmachines.hotpatch.dev", "a", record);
        match is_told {
            true => tale.violates("border"),
            false => tale.holds(),
        }
    }
}
