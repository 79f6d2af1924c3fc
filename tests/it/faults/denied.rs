//! Rights that are missing for a while: the fleet names the action and the role file that grants
//! it, nothing is in doubt, and all goes on once the right is there.

use super::*;

/// How long a right is missing, in hours: without that the first command goes out after 13.
const OFF: i64 = 24;

/// Plays without a right, and checks that the fleet says which one and who grants it.
fn without(scope: &str, action: &str, role: &str) -> Told {
    let told = play(&[&format!("denied,{scope}")], OFF);
    assert!(told.struck > 0, "{scope}: nothing was denied");
    let mut said = told.said.iter();
    let action = action.to_lowercase();
    let names = said.any(|own| own.to_lowercase().contains(&action) && own.contains(role));
    assert!(names, "{scope}: {:#?}", told.said);
    let is_told = |own: &String| own.starts_with("CredentialsValid ");
    assert!(told.complaints.iter().any(is_told), "{:?}", told.complaints);
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
