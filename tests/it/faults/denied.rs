//! Rights that are missing, for a while or for good: the fleet names the action and the role file
//! that grants it, nothing is in doubt, and all goes on once the right is there.

use super::*;

/// How long a right is missing, in hours: without that the first command goes out after 13.
const OFF: i64 = 24;

/// The role file that grants the commands.
const INSTALL: &str = "hotpatch-install-and-restart.json";

/// Checks that the fleet says which right is missing and who grants it.
fn is_named(told: &Told, action: &str, role: &str) {
    let mut said = told.said.iter();
    let lower = action.to_lowercase();
    let names = said.any(|own| own.to_lowercase().contains(&lower) && own.contains(role));
    assert!(names, "{action}: {:#?}", told.said);
    let is_told = |own: &String| own.starts_with("CredentialsValid ");
    assert!(told.complaints.iter().any(is_told), "{:?}", told.complaints);
}

/// Plays without a right, and checks that the fleet says which one and who grants it.
fn without(scope: &str, action: &str, role: &str) -> Told {
    let told = play(&[&format!("denied,{scope}")], OFF);
    assert!(told.struck > 0, "{scope}: nothing was denied");
    is_named(&told, action, role);
    assert!(!told.has_been("Unknown") && told.log_reads == 0, "{scope}");
    // Azure's own patching installs on the canary within that day.
    assert_eq!(told.answered(Some(202)), 5, "{scope}: {:#?}", told.posts);
    told
}

#[test]
fn an_install_that_is_denied_is_refused_for_sure_and_tried_again_once_it_is_granted() {
    let told = without(
        "method=POST,path=installPatches",
        "Microsoft.Compute/virtualMachines/installPatches/action",
        "hotpatch-install-and-restart.json",
    );
    assert!(told.answered(Some(403)) > 0);
}

#[test]
fn settings_that_are_denied_are_not_changed_and_the_fleet_says_so() {
    without(
        "method=PATCH,path=virtualMachines",
        "Microsoft.Compute/virtualMachines/write",
        "hotpatch-settings.json",
    );
}

#[test]
fn a_look_that_is_denied_lets_nothing_go() {
    let told = without(
        "method=GET,path=/virtualMachines/",
        "Microsoft.Compute/virtualMachines/read",
        "hotpatch-read.json",
    );
    let off = EVE.parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(OFF);
    let early = told.posts.iter().filter(|own| own.at < off && !own.is_arc);
    assert_eq!(early.count(), 0, "{:?}", told.posts);
}

/// Each machine on which a restart of its own follows an install, the kind of that command, its
/// path, the action that it needs, and the role file that grants it.
const RESTARTS: [(&str, &str, &str, &str, &str); 3] = [
    (
        "canary-0",
        "restart",
        "method=POST,path=virtualMachines/canary-0/restart",
        "Microsoft.Compute/virtualMachines/restart/action",
        INSTALL,
    ),
    (
        "guest-1",
        "restart",
        "method=POST,path=virtualMachineInstances/default/restart",
        "Microsoft.AzureStackHCI/virtualMachineInstances/restart/action",
        INSTALL,
    ),
    (
        "branch-1",
        "script",
        "method=PUT,path=/runCommands/",
        "Microsoft.HybridCompute/machines/runCommands/write",
        "hotpatch-run-command.json",
    ),
];

/// Checks that a machine's own log says which right its command lacks.
fn is_said_of(told: &Told, machine: &str, action: &str) {
    let lower = action.to_lowercase();
    let said = |text: &str| text.to_lowercase().contains(&format!("{lower} was denied"));
    let mut own = told.of_machines.iter();
    let is_said = own.any(|(name, text)| name == machine && said(text));
    assert!(is_said, "{machine}: {:#?}", told.of_machines);
}

/// Checks that every machine ends restarted, each as often as it is told here.
fn is_restarted(told: &Told, twice: Option<&str>) {
    assert!(told.owing.is_empty(), "{:?}", told.owing);
    assert_eq!(told.reboots.len(), 6, "{:?}", told.reboots);
    for (machine, count) in &told.reboots {
        assert_eq!(*count, 1, "{machine}: {:?}", told.reboots);
        let installs = told.answers("install", machine);
        let wanted = if twice == Some(machine) { 2 } else { 1 };
        assert_eq!(installs, vec![Some(202); wanted], "{machine}");
    }
}

#[test]
fn a_restart_that_is_denied_twice_goes_out_in_the_same_window_once_it_is_granted() {
    for (machine, what, scope, action, role) in RESTARTS {
        let told = play_of(Story::Owed, &[&format!("denied,{scope},count=2")], 200);
        assert_eq!(told.struck, 2, "{machine}");
        is_named(&told, action, role);
        is_said_of(&told, machine, action);
        let answers = told.answers(what, machine);
        assert_eq!(answers[..2], [Some(403); 2], "{machine}: {answers:?}");
        assert_eq!(answers.len(), 3, "{machine}: {answers:?}");
        assert!(
            answers[2].is_some_and(|own| own < 300),
            "{machine}: {answers:?}"
        );
        assert!(
            !told.has_been("Unknown") && told.log_reads == 0,
            "{machine}"
        );
        is_restarted(&told, None);
    }
}

#[test]
fn a_restart_that_is_denied_all_night_is_left_to_an_install_of_the_next_night() {
    for (machine, what, scope, action, role) in RESTARTS {
        let told = play_of(Story::Owed, &[&format!("denied,{scope}")], 200);
        is_named(&told, action, role);
        is_said_of(&told, machine, action);
        let answers = told.answers(what, machine);
        assert_eq!(answers, [Some(403); 3], "{machine}: tried thrice, and left");
        assert!(
            !told.has_been("Unknown") && told.log_reads == 0,
            "{machine}"
        );
        is_restarted(&told, Some(machine));
    }
}

/// How long assessments are denied, in hours, where the right is given before the rollout begins.
const EARLY: i64 = 5;

/// The machines of whose kinds an assessment is denied, and the action; the others' is granted.
const ASSESSMENTS: [(&[&str], &str); 2] = [
    (
        &["canary-0", "shop-1", "shop-2", "file-1"],
        "Microsoft.Compute/virtualMachines/assessPatches/action",
    ),
    (
        &["branch-1", "guest-1"],
        "Microsoft.HybridCompute/machines/assessPatches/action",
    ),
];

/// Gives what each assessment of these machines was answered from some hour on.
fn assessed(told: &Told, machines: &[&str], from_hour: i64) -> BTreeSet<Option<u16>> {
    let from = EVE.parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(from_hour);
    let asked = told.others.iter().filter(|own| own.what == "assess");
    let asked = asked.filter(|own| own.at >= from && machines.contains(&own.machine.as_str()));
    asked.map(|own| own.answered).collect()
}

#[test]
fn without_the_right_to_assess_a_rollout_lives_by_the_assessments_that_azure_makes() {
    for (machines, action) in ASSESSMENTS {
        for hours in [EARLY, 200] {
            let deny = |own: &&str| format!("denied,method=POST,path=assessPatches,machine={own}");
            let rules: Vec<String> = machines.iter().map(deny).collect();
            let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
            let told = play(&rules, hours);
            assert!(told.struck > 0, "{action}: nothing was denied");
            is_named(&told, action, INSTALL);
            is_said_of(&told, machines[0], action);
            assert!(
                assessed(&told, machines, 0).contains(&Some(403)),
                "{action}"
            );
            // Azure has assessed all others by the time of their turn.
            let answer = if hours == EARLY { 202 } else { 403 };
            let asks_again = machines.contains(&"shop-2");
            let later = BTreeSet::from_iter(asks_again.then_some(Some(answer)));
            assert_eq!(assessed(&told, machines, EARLY), later, "{action}");
            // Nothing of the rollout is lost, nor in doubt.
            assert_eq!(told.posts.len(), 6, "{action}: {:?}", told.posts);
            assert_eq!(told.answered(Some(202)), 6, "{action}: {:?}", told.posts);
            assert!(!told.has_been("Unknown") && told.log_reads == 0, "{action}");
        }
    }
}
