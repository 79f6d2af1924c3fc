//! What becomes of a request between the operator and a server: the vocabulary of faults on the
//! way, and who decides them. Must never decide by itself; a rehearsal without weather is calm.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::gate::Side;

/// Which server a request goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum To {
    /// The Kubernetes API.
    Kube,
    /// Azure Resource Manager or Resource Graph.
    Azure,
}

/// A request on its way.
#[derive(Clone, Copy, Debug)]
pub struct Passing<'a> {
    /// Its number among all requests of this process and those before it, from 1.
    pub number: u64,
    /// Where to.
    pub to: To,
    /// Whether it may change something.
    pub is_effect: bool,
    /// Whether it opens a watch.
    pub is_watch: bool,
    /// Its method.
    pub method: &'a str,
    /// Its path.
    pub path: &'a str,
}

impl Passing<'_> {
    /// Tells whether it is a command that is never repeated: an install or a restart.
    pub fn is_command(&self) -> bool {
        let ends = |word| self.path.ends_with(word);
        self.to == To::Azure
            && self.method == "POST"
            && (ends("/installPatches") || ends("/restart"))
            || self.method == "PUT" && self.path.contains("/runCommands/")
    }
}

/// How a server says when to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RetryAfter {
    /// Not at all.
    Unsaid,
    /// In seconds.
    Seconds(u32),
    /// As an HTTP date that many seconds from now.
    Date(u32),
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It arrives and is answered.
    #[default]
    None,
    /// It is refused before it reaches what it is about.
    Refused {
        /// The HTTP status.
        status: u16,
        /// When to ask again.
        retry_after: RetryAfter,
    },
    /// No connection comes about, so that it surely did not leave.
    NotSent,
    /// It is lost on the way, which its sender cannot know.
    RequestLost,
    /// It is applied, and the answer is lost.
    AnswerLost,
    /// It is applied, and the answer is an error of something in between.
    AnswerSpoilt(u16),
    /// It arrives that much later, when its sender has given up.
    Late(Duration),
    /// It is applied and answered, and arrives once more that much later.
    Twice(Duration),
    /// It takes so long to arrive, and its answer so long to come back.
    Slow(Duration, Duration),
    /// The process dies just before it leaves, or after it was applied.
    Death(Side),
    /// A watch shows nothing for that long, without an error, and then ends.
    Silent(Duration),
    /// A watch shows everything that much later.
    Lagging(Duration),
}

/// Decides what becomes of each request.
pub trait Weather: Send {
    /// Returns what becomes of a request. Asked once for each, in order.
    fn meet(&mut self, passing: &Passing<'_>) -> Fault;

    /// Notes that a process started again after a death.
    fn reborn(&mut self) {}
}

/// How a command came to Azure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrival {
    /// While its sender waited.
    #[default]
    InTime,
    /// After its sender had given up.
    Late,
    /// A second time, by the network's fault.
    Again,
}

/// The commands that the network delays or doubles, by request id: their senders are not to be
/// blamed for the moment in which these arrive.
#[derive(Clone, Default)]
pub struct Astray(Arc<Mutex<Strays>>);

#[derive(Default)]
struct Strays {
    late: BTreeSet<String>,
    copies: BTreeMap<String, u32>,
    seen: BTreeSet<String>,
    /// Paths of requests that arrive now and whose answers nobody hears.
    unheard: Vec<String>,
}

impl Astray {
    fn strays(&self) -> MutexGuard<'_, Strays> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a command will arrive late.
    pub(super) fn delays(&self, request: &str) {
        self.strays().late.insert(request.to_owned());
    }

    /// Notes that a command will arrive once more than it was sent.
    pub(super) fn doubles(&self, request: &str) {
        *self.strays().copies.entry(request.to_owned()).or_default() += 1;
    }

    /// Notes that nobody hears the answer to the request that arrives now.
    pub(super) fn is_not_heard(&self, path: &str) {
        self.strays().unheard.push(path.to_owned());
    }

    /// Tells whether somebody hears the answer to a request that was just answered.
    pub(super) fn was_heard(&self, path: &str) -> bool {
        let unheard = &mut self.strays().unheard;
        let found = unheard.iter().position(|own| own == path);
        found.map(|at| unheard.swap_remove(at)).is_none()
    }

    /// Tells how a command came that just arrived.
    pub(super) fn arrives(&self, request: &str) -> Arrival {
        let mut strays = self.strays();
        if strays.seen.insert(request.to_owned()) {
            return if strays.late.contains(request) {
                Arrival::Late
            } else {
                Arrival::InTime
            };
        }
        match strays.copies.get_mut(request) {
            Some(left) if *left > 0 => {
                *left -= 1;
                Arrival::Again
            }
            _ => Arrival::InTime,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_network_doubled_may_come_again() {
        let own = Astray::default();
        own.doubles("a");
        own.delays("b");
        let arrivals = ["a", "a", "a", "b", "b", "c", "c"].map(|id| own.arrives(id));
        use Arrival::{Again, InTime, Late};
        assert_eq!(
            arrivals,
            [InTime, Again, InTime, Late, InTime, InTime, InTime]
        );
    }

    #[test]
    fn commands_are_installs_restarts_and_run_commands() {
        fn passing<'a>(to: To, method: &'a str, path: &'a str) -> Passing<'a> {
            Passing {
                number: 1,
                to,
                is_effect: true,
                is_watch: false,
                method,
                path,
            }
        }
        let vm = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/a";
        let cases = [
            (To::Azure, "POST", format!("{vm}/installPatches"), true),
            (To::Azure, "POST", format!("{vm}/restart"), true),
            (To::Azure, "PUT", format!("{vm}/runCommands/x"), true),
            (To::Azure, "POST", format!("{vm}/assessPatches"), false),
            (To::Azure, "PATCH", vm.to_owned(), false),
            (To::Kube, "POST", "/api/v1/restart".to_owned(), false),
        ];
        for (to, method, path, expected) in &cases {
            let found = passing(*to, method, path).is_command();
            assert_eq!(found, *expected, "{path}");
        }
    }
}
