//! The emulator in process.

use azure_sim::AzureSim;
use bytes::Bytes;
use futures::future::BoxFuture;

use super::{Transport, TransportError};

/// A transport that hands requests to an emulated Azure. It answers at once; what takes time in
/// Azure passes by the emulator's own clock.
#[derive(Debug, Clone)]
pub struct SimTransport(AzureSim);

impl SimTransport {
    /// Speaks to an emulator; its hooks may spoil calls.
    pub fn new(sim: AzureSim) -> Self {
        Self(sim)
    }
}

impl Transport for SimTransport {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        // A broken connection does not say on which side of the call it broke.
        let answer = self
            .0
            .call(request)
            .map_err(|error| TransportError::AnswerLost(error.to_string()));
        Box::pin(std::future::ready(answer))
    }
}
