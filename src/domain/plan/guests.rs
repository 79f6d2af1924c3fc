//! Which guests are asked what no API of Azure shows. Must never name one that a run concerns.

use super::settings::in_window;
use super::{GuestLook, Pass, Plan};
use crate::domain::eligibility::Reason;
use crate::domain::enrolment::lacks_something;
use crate::domain::fleet::Mode;
use crate::domain::machine::{Agent, Machine};
use crate::domain::roster::{Member, in_open_runs};

/// Lists the Arc servers that Azure finds unfit for hotpatching without saying why, and the VMs
/// that are off the track though nothing tells why, of fleets in Enrol and Enforce, while none of
/// the fleet's windows is open: a script in the guest can tell whether it is virtualization-based
/// security that is missing. None where the installation lets no scripts run.
pub(super) fn look_in(pass: &Pass<'_>, plan: &mut Plan) {
    if !pass.run_commands {
        return;
    }
    let busy = in_open_runs(&pass.domain);
    for view in &pass.domain.fleets {
        let Ok(fleet) = &view.fleet else { continue };
        let Some(outlook) = pass.outlooks.get(&fleet.key) else {
            continue;
        };
        let inventory = pass.domain.fresh(&fleet.service_account, pass.now);
        let may_write = fleet.mode >= Mode::Enrol && !fleet.suspended;
        if !may_write || inventory.is_none() || in_window(pass, fleet) {
            continue;
        }
        for member in outlook.roster.values().filter(|own| wants_look(own)) {
            let id = &member.machine.id;
            if !busy.contains(id) {
                plan.guest_looks.push(GuestLook {
                    fleet: fleet.key.clone(),
                    machine: id.clone(),
                });
            }
        }
    }
}

/// Tells whether its guest can be asked, and the answer is worth it: nothing else is known to stand
/// in the way.
fn wants_look(member: &Member) -> bool {
    let machine = &member.machine;
    let is_ours = !member.dormant && member.owner.is_none() && member.excluded.is_none();
    let mut others = member
        .blockers
        .iter()
        .filter(|own| own.reason != Reason::VbsOff);
    is_ours
        && others.next().is_none()
        && !member.is_down()
        && machine.busy.is_none()
        && (lacks_something(machine) || may_answer(machine) && member.is_off_for_no_reason())
}

/// Tells whether it is a VM whose guest may answer. Resource Graph seldom tells how an agent fares.
fn may_answer(machine: &Machine) -> bool {
    machine.vm().is_some_and(|vm| vm.agent != Agent::NotReady)
}
