//! Response bodies and lost connections: the two ends that a call to the server can have.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use thiserror::Error;

use crate::watch::Watch;

/// A request or its reply was lost on the way, by order of a hook.
#[derive(Debug, Error)]
pub enum ConnectionLost {
    /// The request never arrived.
    #[error("connection lost before the request was applied")]
    Before,
    /// The request was applied, the reply is lost.
    #[error("connection lost before the reply arrived")]
    After,
    /// The request's own body failed.
    #[error("request body could not be read: {0}")]
    Body(String),
}

/// A response body: one JSON document, or the lines of a watch.
pub struct SimBody(pub(crate) Kind);

/// What a body is made of.
pub(crate) enum Kind {
    Whole(Option<Bytes>),
    Watch(Box<Watch>),
}

impl Body for SimBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = |bytes: Bytes| Ok(Frame::data(bytes));
        match &mut self.0 {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(frame)),
            Kind::Watch(watch) => watch.poll(context).map(|bytes| bytes.map(frame)),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Kind::Whole(None))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                http_body::SizeHint::with_exact(length as u64)
            }
            Kind::Watch(_) => http_body::SizeHint::default(),
        }
    }
}
