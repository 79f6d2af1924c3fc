//! [`KubeSim`], the handle by which a program owns, inspects and breaks the simulated server.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::Clock;
use crate::auth::TokenClaims;
use crate::hooks::{Call, Commit, Fault, Hooks, Verb};
use crate::object::Object;
use crate::service::SimService;
use crate::store::{ObjectKey, State};

/// Namespaces that exist from the start.
const FIRST_NAMESPACES: [&str; 2] = ["default", "kube-system"];

/// An in-memory Kubernetes API server; clones share one state.
#[derive(Clone)]
pub struct KubeSim {
    pub(crate) inner: Arc<Inner>,
}

/// What all clones and all services share.
pub(crate) struct Inner {
    state: Mutex<State>,
    hooks: Mutex<Hooks>,
    hooked: AtomicBool,
}

impl Inner {
    /// Runs `work` on the state and wakes the watches that it concerned once the lock is free.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = lock(&self.state);
        let out = work(&mut state);
        let wakes = std::mem::take(&mut state.wakes);
        drop(state);
        for waker in wakes {
            waker.wake();
        }
        out
    }

    /// The hooks, or nothing when none are installed.
    pub(crate) fn hooks(&self) -> Option<Hooks> {
        self.hooked
            .load(Ordering::Acquire)
            .then(|| lock(&self.hooks).clone())
    }
}

/// Locks; a panic of another holder leaves data that is still worth reading in a test.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl KubeSim {
    /// Starts a server with the built-in types and the namespaces `default` and `kube-system`.
    pub fn new(clock: Clock) -> Self {
        let mut state = State::new(clock);
        for name in FIRST_NAMESPACES {
            let mut namespace = json!({
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {
                    "name": name,
                    "uid": state.next_uid(),
                    "creationTimestamp": state.timestamp(),
                },
            });
            crate::builtin::default_namespace(&mut namespace);
            state.commit(
                &"namespaces".into(),
                &ObjectKey::new(None, name),
                Some(namespace.into()),
            );
        }
        let inner = Inner {
            state: Mutex::new(state),
            hooks: Mutex::new(Hooks::default()),
            hooked: AtomicBool::new(false),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The server as a tower service, to wrap in layers or in an HTTP listener.
    pub fn service(&self) -> SimService {
        SimService::new(Arc::clone(&self.inner))
    }

    /// A client of this server with `default` as its namespace. Needs a tokio runtime.
    pub fn client(&self) -> kube::Client {
        kube::Client::new(self.service(), "default")
    }

    /// Turns on authentication and RBAC, which are off at first: then every caller is an
    /// administrator.
    ///
    /// Callers name themselves by a bearer token: one given to [`KubeSim::add_token`], or one of a
    /// service account from its `token` subresource. Everybody else is `system:anonymous`. What
    /// they may do is what stored roles and bindings allow, besides discovery; the group
    /// `system:masters` may do everything.
    pub fn require_auth(&self) {
        self.inner.with(|state| state.auth.required = true);
    }

    /// Makes a fixed bearer token of a user known.
    pub fn add_token(&self, token: &str, user: &str, groups: &[&str]) {
        self.inner
            .with(|state| crate::auth::add_token(&mut state.auth, token, user, groups));
    }

    /// Reads a token that was issued for a service account, as somebody does who trusts the
    /// issuer's keys and asks no server; none where it was not issued here.
    pub fn token_claims(&self, token: &str) -> Option<TokenClaims> {
        self.inner
            .with(|state| crate::auth::tokens::claims_of(state, token))
    }

    /// Installs a hook that sees each call before it is applied and may break it.
    ///
    /// Hooks run outside the server's lock and may use this handle. All hooks see every call; the
    /// first fault asked for counts.
    pub fn on_request(&self, hook: impl Fn(&Call) -> Fault + Send + Sync + 'static) {
        lock(&self.inner.hooks).before.push(Arc::new(hook));
        self.inner.hooked.store(true, Ordering::Release);
    }

    /// Installs a hook that sees each call with the HTTP status code of its answer.
    ///
    /// A call whose reply is lost to [`Fault::DropAfter`] is reported with the code that the
    /// client never saw; one lost to [`Fault::DropBefore`] is not reported.
    pub fn on_response(&self, hook: impl Fn(&Call, u16) + Send + Sync + 'static) {
        lock(&self.inner.hooks).after.push(Arc::new(hook));
        self.inner.hooked.store(true, Ordering::Release);
    }

    /// Removes all hooks.
    pub fn clear_hooks(&self) {
        *lock(&self.inner.hooks) = Hooks::default();
        self.inner.hooked.store(false, Ordering::Release);
    }

    /// The committed writes that are still remembered, oldest first.
    pub fn history(&self) -> Vec<Arc<Commit>> {
        self.inner
            .with(|state| state.history.iter().cloned().collect())
    }

    /// The committed writes after resource version `rv`, oldest first.
    ///
    /// A first element with a version above `rv + 1` means that older writes were forgotten.
    pub fn history_since(&self, rv: u64) -> Vec<Arc<Commit>> {
        self.inner.with(|state| {
            let from = state.history.partition_point(|commit| commit.rv <= rv);
            state.history.range(from..).cloned().collect()
        })
    }

    /// Bounds the number of remembered writes, per resource for watches and in all for
    /// [`KubeSim::history`]; the default is 50,000.
    pub fn set_history_limit(&self, events: usize) {
        self.inner.with(|state| state.history_limit = events.max(1));
    }

    /// The resource version of the newest write.
    pub fn resource_version(&self) -> u64 {
        self.inner.with(|state| state.rv)
    }

    /// Forgets the history that watches and list pages replay, so that any older resource version
    /// answers 410; [`KubeSim::history`] keeps its log.
    pub fn compact(&self) {
        self.inner.with(|state| {
            let rv = state.rv;
            for table in state.tables.values_mut() {
                table.log.clear();
                table.compacted_rv = rv;
            }
            state.compacted_rv = rv;
        });
    }

    /// Ends all open watches, as a restart of the real server would.
    pub fn cut_watches(&self) {
        self.inner.with(|state| {
            state.watch_epoch += 1;
            let mut woken = Vec::new();
            for table in state.tables.values_mut() {
                woken.extend(std::mem::take(&mut table.wakers).into_values());
            }
            state.wakes.extend(woken);
        });
    }

    /// Reads a stored object without a request; `resource` is `plural` or `plural.group`.
    ///
    /// Objects come in their stored version; events are core/v1 under `events`.
    pub fn get_object(
        &self,
        resource: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Option<Arc<Value>> {
        let key = ObjectKey::new(namespace, name);
        self.inner.with(|state| {
            state
                .get(resource, &key)
                .map(|object| Arc::clone(&object.value))
        })
    }

    /// Reads all stored objects of a resource, by namespace and name.
    pub fn list_objects(&self, resource: &str) -> Vec<Arc<Value>> {
        self.inner.with(|state| {
            let table = state.tables.get(resource);
            table
                .map(|table| {
                    table
                        .objects
                        .values()
                        .map(|o| Arc::clone(&o.value))
                        .collect()
                })
                .unwrap_or_default()
        })
    }

    /// Stores an object as it is, past validation, pruning and admission, as an older schema or a
    /// broken writer could have left it; `None` removes. Watchers see it.
    ///
    /// A missing kind, version, uid or creation time is filled in, the resource version is always
    /// new, and the name and namespace of the address win over those in the object.
    pub fn force_object(
        &self,
        resource: &str,
        namespace: Option<&str>,
        name: &str,
        object: Option<Value>,
    ) {
        let key = ObjectKey::new(namespace, name);
        self.inner.with(|state| {
            state.acting = (Verb::Force, None);
            let object = object.map(|mut object| {
                if !object.is_object() {
                    object = json!({});
                }
                if !object["metadata"].is_object() {
                    object["metadata"] = json!({});
                }
                if let Some(info) = state.registry.by_table(resource) {
                    let version = &info.versions[info.storage].api_version;
                    for (field, own) in [("kind", &info.kind), ("apiVersion", version)] {
                        if object[field].is_null() {
                            object[field] = own.as_str().into();
                        }
                    }
                }
                let old = state.get(resource, &key).cloned();
                let meta = &mut object["metadata"];
                meta["name"] = name.into();
                if let Some(namespace) = namespace {
                    meta["namespace"] = namespace.into();
                }
                for (field, fresh) in [
                    ("uid", state.next_uid()),
                    ("creationTimestamp", state.timestamp()),
                ] {
                    if meta[field].is_null() {
                        let kept = old.as_ref().map(|old| old["metadata"][field].clone());
                        meta[field] = kept.unwrap_or_else(|| fresh.into());
                    }
                }
                let given = meta
                    .as_object_mut()
                    .and_then(|meta| meta.remove("managedFields"));
                let owners = old.map(|old| old.managed).unwrap_or_default();
                Object::new(object, owners.given(given.as_ref()))
            });
            state.commit(&resource.into(), &key, object);
            state.settle();
        });
    }
}
