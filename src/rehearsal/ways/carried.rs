//! The body of an answer of the Kubernetes API, as the way lets it through: at once, late, or not
//! at all. Must never change what it carries.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use kube_sim::SimBody;
use tokio::time::{Sleep, sleep};

/// The body of an answer of the Kubernetes API, as the way lets it through.
pub(in crate::rehearsal) struct Carried {
    body: Option<SimBody>,
    whole: Option<Bytes>,
    lag: Duration,
    /// What is held back, and until when.
    held: Option<(Pin<Box<Sleep>>, Bytes)>,
    /// Until when nothing shows; then the answer ends.
    silence: Option<Pin<Box<Sleep>>>,
}

impl Carried {
    fn empty() -> Self {
        Self {
            body: None,
            whole: None,
            lag: Duration::ZERO,
            held: None,
            silence: None,
        }
    }

    pub(super) fn plain(body: SimBody) -> Self {
        Self {
            body: Some(body),
            ..Self::empty()
        }
    }

    pub(super) fn whole(bytes: Bytes) -> Self {
        Self {
            whole: Some(bytes),
            ..Self::empty()
        }
    }

    pub(super) fn silent(long: Duration) -> Self {
        Self {
            silence: Some(Box::pin(sleep(long))),
            ..Self::empty()
        }
    }

    pub(super) fn lagging(self, lag: Duration) -> Self {
        Self { lag, ..self }
    }
}

type Frame = http_body::Frame<Bytes>;

impl http_body::Body for Carried {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame, Infallible>>> {
        if let Some(silence) = &mut self.silence {
            ready!(silence.as_mut().poll(context));
            return Poll::Ready(None);
        }
        if let Some((until, _)) = &mut self.held {
            ready!(until.as_mut().poll(context));
            let bytes = self.held.take().map(|(_, bytes)| bytes);
            return Poll::Ready(bytes.map(|own| Ok(Frame::data(own))));
        }
        let lag = self.lag;
        let Some(body) = &mut self.body else {
            let bytes = self.whole.take();
            return Poll::Ready(bytes.map(|own| Ok(Frame::data(own))));
        };
        let frame = ready!(Pin::new(body).poll_frame(context));
        let Some(Ok(frame)) = frame else {
            return Poll::Ready(None);
        };
        match frame.into_data() {
            Ok(bytes) if !lag.is_zero() => {
                let mut until = Box::pin(sleep(lag));
                let polled = until.as_mut().poll(context);
                self.held = Some((until, bytes));
                if polled.is_ready() {
                    context.waker().wake_by_ref();
                }
                Poll::Pending
            }
            Ok(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Err(frame) => Poll::Ready(Some(Ok(frame))),
        }
    }

    fn is_end_stream(&self) -> bool {
        let ended = self
            .body
            .as_ref()
            .is_none_or(http_body::Body::is_end_stream);
        ended && self.whole.is_none() && self.held.is_none() && self.silence.is_none()
    }
}
