//! Holds the handle on an emulated Azure: calls, time, and what tests may do and see.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Request, Response};

use crate::effects::Effect;
use crate::fault::{Disconnected, Fault, Hooks, status_response};

use crate::options::Options;
use crate::spec::{ArcSpec, LocalSpec, VmSpec};
use crate::strike::{Loss, Strike};
use crate::switchboard::Switchboard;
use crate::views::{MachineView, view};
use crate::world::World;

/// The clock an emulator reads; it may jump forward, and going back is ignored.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// An emulated Azure. Clones share one world.
#[derive(Clone)]
pub struct AzureSim {
    world: Arc<Mutex<World>>,
    clock: Clock,
    hooks: Hooks,
    switchboard: Switchboard,
}

impl std::fmt::Debug for AzureSim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AzureSim").finish_non_exhaustive()
    }
}

impl AzureSim {
    /// Makes an empty Azure at the time the clock shows.
    #[must_use]
    pub fn new(clock: Clock, options: Options) -> Self {
        let switchboard = Switchboard::new(options.seed);
        let world = World::new(clock(), options);
        Self {
            switchboard,
            world: Arc::new(Mutex::new(world)),
            clock,
            hooks: Hooks::default(),
        }
    }

    /// Processes everything due, then gives the world to a closure and publishes its changes.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let now = (self.clock)();
        let mut world = self.lock();
        world.advance_to(now);
        let out = act(&mut world);
        world.publish();
        out
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a request as Azure Resource Manager does, without faults.
    #[must_use]
    pub fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.with(|world| crate::http::route(world, &request, &Strike::default()))
    }

    /// Gives the switchboard of the faults that [`AzureSim::call`] passes through.
    #[must_use]
    pub fn switchboard(&self) -> &Switchboard {
        &self.switchboard
    }

    /// Answers a request through the hooks, then through the switchboard.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when a hook or a fault drops the call; after [`Fault::DropAfter`], a
    /// lost reply or a reset after it, it was handled all the same.
    pub fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Disconnected> {
        let method = request.method().to_string();
        let path = request.uri().path().to_owned();
        let (response, lost) = match self.hooks.fault(&request) {
            Fault::None => return self.pass(&request, &method, &path),
            Fault::Status(status, body, retry) => (status_response(status, &body, retry), false),
            Fault::DropBefore => return Err(Disconnected::closed()),
            Fault::DropAfter => (self.handle(request), true),
        };
        self.hooks.done(&method, &path, response.status().as_u16());
        if lost {
            Err(Disconnected::closed())
        } else {
            Ok(response)
        }
    }

    /// Passes a call that no hook spoils through the switchboard.
    fn pass(
        &self,
        request: &Request<Bytes>,
        method: &str,
        path: &str,
    ) -> Result<Response<Bytes>, Disconnected> {
        let strike = if self.switchboard.is_empty() {
            Strike::default()
        } else {
            self.switchboard
                .strike(&self.with(|world| crate::http::seen(world, request)))
        };
        if strike.loss == Some(Loss::Before) {
            return Err(Disconnected::reset());
        }
        let response = self.with(|world| crate::http::route(world, request, &strike));
        self.hooks.done(method, path, response.status().as_u16());
        let lost = strike
            .loses_success
            .filter(|_| response.status().is_success());
        match strike.loss {
            Some(Loss::Before | Loss::After) => Err(Disconnected::reset()),
            None if lost.is_some_and(|id| self.switchboard.spend(id)) => {
                Err(Disconnected::closed())
            }
            None => Ok(response),
        }
    }

    /// Adds a hook that is asked before each [`AzureSim::call`] which fault befalls it.
    pub fn on_call(&self, hook: impl Fn(&Request<Bytes>) -> Fault + Send + Sync + 'static) {
        self.hooks.add_before(Arc::new(hook));
    }

    /// Adds a hook that is told method, path and status after each [`AzureSim::call`].
    pub fn after_call(&self, hook: impl Fn(&str, &str, u16) + Send + Sync + 'static) {
        self.hooks.add_after(Arc::new(hook));
    }

    /// Takes all hooks away.
    pub fn clear_hooks(&self) {
        self.hooks.clear();
    }

    /// Gives the time that the clock shows.
    pub fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    /// Processes all events up to the time the clock shows.
    pub fn advance(&self) {
        self.with(|_| ());
    }

    /// Gives the instant of the next event, after processing what is due.
    #[must_use]
    pub fn next_event_at(&self) -> Option<DateTime<Utc>> {
        self.with(|world| world.next_event_at())
    }

    /// Adds an Azure VM and gives its resource id.
    pub fn add_vm(&self, spec: VmSpec) -> String {
        self.with(|world| world.add_vm(spec))
    }

    /// Adds an Arc-enabled server and gives its resource id.
    pub fn add_arc(&self, spec: ArcSpec) -> String {
        self.with(|world| world.add_arc(spec))
    }

    /// Adds an Azure Local VM and gives the resource id of its HybridCompute machine.
    pub fn add_local(&self, spec: LocalSpec) -> String {
        self.with(|world| world.add_local(spec))
    }

    /// Sets the physical zones behind the logical zones 1, 2 and 3 of a region as one
    /// subscription sees them.
    pub fn set_zone_mapping(&self, subscription: &str, region: &str, physical: [u8; 3]) {
        let key = (subscription.to_lowercase(), region.to_lowercase());
        self.with(|world| world.zones.insert(key, physical));
    }

    /// Shows the truth about all machines, in order of their lower-cased ids.
    #[must_use]
    pub fn machines(&self) -> Vec<MachineView> {
        self.with(|world| {
            world
                .machines
                .values()
                .map(|found| view(world, found))
                .collect()
        })
    }

    /// Shows the truth about one machine.
    #[must_use]
    pub fn machine(&self, id: &str) -> Option<MachineView> {
        self.with(|world| world.machine(id).map(|found| view(world, found)))
    }

    /// Gives the effects from a sequence number on.
    #[must_use]
    pub fn effects_since(&self, seq: u64) -> Vec<Effect> {
        self.with(|world| {
            let from = usize::try_from(seq).unwrap_or(usize::MAX);
            world.effects.get(from..).unwrap_or_default().to_vec()
        })
    }
}
