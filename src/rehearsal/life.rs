//! One life of the controller: the real one, with simulated ways to its two servers.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::doubt::Doubter;
use super::gate::Gate;
use super::identities::{IDENTITIES, Identity, OfNamespace};
use super::scene::{AuditLines, locked};
use super::ways::{AzureWay, KubeWay};
use super::{NAMESPACE, OPERATOR_NAMESPACE, Rehearsal};
use crate::azure::{Cloud, Endpoint, Token};
use crate::controller::clock::Clock;
use crate::controller::{Settings, Shell, run};
use crate::telemetry::{MeteredKube, MeteredTransport, Telemetry};

/// What the holders of the lease are called.
const HOLDER: &str = "hotpatch-operator";

/// One life of the controller.
pub(super) struct Life {
    pub(super) task: JoinHandle<Result<(), crate::controller::Error>>,
    /// Dropped only with the life: a dropped one would ask for the end.
    pub(super) shutdown: oneshot::Sender<()>,
}

impl Rehearsal {
    /// Starts a process with a way of its own.
    pub(super) fn start(&mut self, gate: Gate) -> Life {
        self.lives += 1;
        locked(&self.scene).world.lives = self.lives;
        self.telemetry = Telemetry::default();
        let way = KubeWay {
            service: self.kube.service(),
            gate: gate.clone(),
            now: self.clock.as_fn(),
        };
        let transport = AzureWay {
            sim: self.azure.clone(),
            gate,
            now: self.clock.as_fn(),
        };
        let endpoint = Endpoint::parse(Endpoint::PUBLIC).expect("the public endpoint is one");
        let way = MeteredKube::new(way, self.telemetry.clone());
        let transport = MeteredTransport::new(Arc::new(transport), self.telemetry.clone());
        let (transport, buckets) = (Arc::new(transport), Arc::default());
        let cloud = |own: &Identity| {
            let token = Token::new(own.secret).expect("the token has only plain characters");
            let cloud = Cloud::new(transport.clone(), endpoint.clone(), token);
            let cloud = cloud.paced(Arc::clone(&buckets), own.name, self.clock.as_fn());
            (own.namespace, cloud)
        };
        let shell = Shell {
            kube: kube::Client::new(way, NAMESPACE),
            clouds: Arc::new(OfNamespace::of(IDENTITIES.iter().map(cloud))),
            telemetry: self.telemetry.clone(),
            clock: Clock::Wrong {
                right: Box::new(self.clock.clone()),
                by_millis: Arc::clone(&self.skew_millis),
            },
            audit: Arc::new(AuditLines(Arc::clone(&self.scene))),
            witness: Arc::new(Doubter::new(
                self.seed ^ u64::from(self.lives),
                Arc::clone(&self.scene),
            )),
            settings: Settings {
                holder: format!("{HOLDER}-{}", self.lives),
                namespace: OPERATOR_NAMESPACE.to_owned(),
                tenure: self.tenure,
                watched: None,
                requested_by_is_enforced: false,
                run_commands: locked(&self.scene).world.run_commands,
            },
        };
        let (shutdown, asked) = oneshot::channel::<()>();
        let task = tokio::spawn(run(shell, async move {
            let _ = asked.await;
        }));
        Life { task, shutdown }
    }
}
