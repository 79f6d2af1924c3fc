//! Bodies on the wire: whole answers as they are, and watches that end when the server stops.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::watch;

use crate::SimBody;

/// Comes true when the server stops.
type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A response body that ends early when the server stops.
pub(super) struct Served {
    body: SimBody,
    /// Only what may last has to be ended.
    stop: Option<Stop>,
    is_over: bool,
}

impl Served {
    pub(super) fn new(body: SimBody, stopping: &watch::Receiver<bool>) -> Self {
        let is_long = body.size_hint().exact().is_none();
        let mut stopping = stopping.clone();
        let stop: Stop = Box::pin(async move {
            // An error means that the server is gone, which ends the watch as well.
            let _ = stopping.wait_for(|stop| *stop).await;
        });
        Self {
            body,
            stop: is_long.then_some(stop),
            is_over: false,
        }
    }
}

impl Body for Served {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        if let Some(stop) = &mut self.stop
            && stop.as_mut().poll(context).is_ready()
        {
            self.is_over = true;
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
