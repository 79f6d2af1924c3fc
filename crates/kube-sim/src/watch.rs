//! Watches: replay from a resource version, then a stream of what is committed. A watch pulls from
//! the table's bounded log when it is polled, so a slow reader costs no memory and is told 410
//! once it falls behind; a commit only wakes it.

use std::collections::VecDeque;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::time::Sleep;

use crate::hooks::Commit;
use crate::object::Object;
use crate::path::Query;
use crate::read::{self, Selection};
use crate::sim::Inner;
use crate::status_error::ApiError;
use crate::store::State;
use crate::table::Printer;
use crate::view::{self, View};
use crate::write::Target;

/// How long a watch lasts when the client names no timeout.
const DEFAULT_TIMEOUT_SECONDS: u64 = 1800;
/// Events that one body frame carries at most.
const FRAME_EVENTS: usize = 256;

/// The body of a watch response.
pub(crate) struct Watch {
    id: u64,
    epoch: u64,
    inner: Arc<Inner>,
    target: Target,
    selection: Selection,
    view: View,
    /// Columns, when tables are asked for.
    printer: Option<Printer>,
    /// Whether the columns have been sent, which the first event alone carries.
    has_columns: bool,
    bookmarks: bool,
    /// Every commit up to this version has been shown or passed over.
    cursor: u64,
    /// Version of the last bookmark.
    bookmarked: u64,
    /// Lines that are due before the log is read.
    first: VecDeque<Bytes>,
    timer: Pin<Box<Sleep>>,
    done: bool,
}

impl Watch {
    /// Opens a watch as the query asks.
    pub(crate) fn open(
        inner: &Arc<Inner>,
        state: &mut State,
        target: Target,
        query: &Query,
        view: View,
    ) -> Result<Self, ApiError> {
        let mut selection = Selection::read(&target, query)?;
        if let Some(name) = &target.name {
            // `GET .../NAME?watch=true` watches that one object.
            selection.fields = crate::selector::Fields::parse(&format!("metadata.name={name}"))?;
        }
        let seconds = match query.get("timeoutSeconds") {
            None => DEFAULT_TIMEOUT_SECONDS,
            Some(text) => text
                .parse()
                .map_err(|_| ApiError::bad_request("invalid timeoutSeconds"))?,
        };
        let seconds = if seconds == 0 {
            DEFAULT_TIMEOUT_SECONDS
        } else {
            seconds
        };
        let asked = read::asked_version(query)?;
        let send_initial = query.flag("sendInitialEvents");
        if send_initial && query.get("resourceVersionMatch") != Some("NotOlderThan") {
            let message = "sendInitialEvents: Forbidden: resourceVersionMatch must be \
                           NotOlderThan when sendInitialEvents is set";
            return Err(ApiError::new(422, "Invalid", message));
        }
        let replays = asked.filter(|_| !send_initial);
        let printer = match view {
            View::Table(include) => {
                Some(Printer::new(state, &target.info, target.version, include))
            }
            _ => None,
        };
        state.next_watch_id += 1;
        let mut watch = Self {
            id: state.next_watch_id,
            epoch: state.watch_epoch,
            inner: Arc::clone(inner),
            selection,
            view,
            printer,
            has_columns: false,
            bookmarks: query.flag("allowWatchBookmarks"),
            cursor: replays.unwrap_or(state.rv),
            bookmarked: 0,
            first: VecDeque::new(),
            timer: Box::pin(tokio::time::sleep(Duration::from_secs(seconds))),
            done: false,
            target,
        };
        if replays.is_none() {
            watch.synthesize(state, send_initial);
        }
        Ok(watch)
    }

    fn synthesize(&mut self, state: &State, send_initial: bool) {
        let none = std::collections::BTreeMap::new();
        for (_, object) in read::objects(state, &self.target, &self.selection, &none) {
            let added = self.line("ADDED", object, state.now());
            self.first.push_back(added);
        }
        if send_initial && self.bookmarks {
            let bookmark = self.bookmark(true, state.now());
            self.first.push_back(bookmark);
        }
    }

    /// A line with an object in the version of the watch.
    fn line(&mut self, kind: &str, object: Object, now: DateTime<Utc>) -> Bytes {
        let Some(printer) = &self.printer else {
            return line(kind, self.view.show(object).to_string().as_bytes());
        };
        let table = if std::mem::replace(&mut self.has_columns, true) {
            printer.next_of_watch(&object, now)
        } else {
            printer.of_one(&object, now)
        };
        line(kind, table.as_bytes())
    }

    fn bookmark(&mut self, initial_events_end: bool, now: DateTime<Utc>) -> Bytes {
        self.bookmarked = self.cursor;
        let (info, version) = (&self.target.info, self.target.version());
        let mut object = json!({
            "kind": info.kind,
            "apiVersion": version.api_version,
            "metadata": {"resourceVersion": self.cursor.to_string(), "creationTimestamp": null},
        });
        if self.view == View::MetadataOnly {
            object["kind"] = "PartialObjectMetadata".into();
            object["apiVersion"] = "meta.k8s.io/v1".into();
        }
        if initial_events_end {
            object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        if self.printer.is_some() {
            return self.line("BOOKMARK", object.into(), now);
        }
        line("BOOKMARK", object.to_string().as_bytes())
    }

    /// The next lines, or `None` when nothing is due.
    fn collect(&mut self, state: &mut State) -> Option<Bytes> {
        if !self.first.is_empty() {
            let count = self.first.len().min(FRAME_EVENTS);
            let lines: Vec<Bytes> = self.first.drain(..count).collect();
            return Some(lines.concat().into());
        }
        if let Err(error) = check_history(state, &self.target, self.cursor) {
            self.done = true;
            return Some(line("ERROR", error.to_json().to_string().as_bytes()));
        }
        let table = state.tables.get(&self.target.info.table)?;
        let from = table.log.partition_point(|commit| commit.rv <= self.cursor);
        let mut lines = Vec::new();
        let mut count = 0;
        for commit in table.log.range(from..) {
            if count == FRAME_EVENTS {
                break;
            }
            self.cursor = commit.rv;
            if self.selection.covers(commit.namespace.as_ref())
                && let Some(event) = self.event(commit, state.now())
            {
                lines.extend_from_slice(&event);
                count += 1;
            }
        }
        if count < FRAME_EVENTS {
            // The whole log was read: everything up to now has been seen.
            self.cursor = self.cursor.max(state.rv);
        }
        (!lines.is_empty()).then(|| lines.into())
    }

    /// A commit as this watch sees it: entering or leaving the selection is ADDED or DELETED.
    fn event(&mut self, commit: &Commit, now: DateTime<Utc>) -> Option<Bytes> {
        let (info, version) = (Arc::clone(&self.target.info), self.target.version);
        let face = |object: &Object| view::from_storage(&info, version, object);
        let all = self.selection.is_all();
        let selected = |object: Option<Object>| {
            object.is_some_and(|object| all || self.selection.matches(&face(&object)))
        };
        let kind = match (
            selected(commit.object_before()),
            selected(commit.object_after()),
        ) {
            (false, false) => return None,
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
        };
        if kind == "DELETED" && commit.after.is_some() {
            // It left the selection: shown as it last was inside, under the new version.
            let before = face(&commit.object_before()?);
            let mut left = Value::clone(&before);
            left["metadata"]["resourceVersion"] = commit.rv.to_string().into();
            return Some(self.line(kind, Object::new(left, before.managed), now));
        }
        if self.view == View::Whole && view::is_stored_form(&info, version, &commit.shown) {
            let json = commit.json.get_or_init(|| commit.shown.to_string().into());
            return Some(line(kind, json));
        }
        Some(self.line(kind, face(&commit.shown), now))
    }

    /// Polls for the next piece of the body.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.done {
            return Poll::Ready(None);
        }
        let inner = Arc::clone(&self.inner);
        let (due, _replaced) = inner.with(|state| {
            if state.watch_epoch != self.epoch {
                self.done = true;
                return (None, None);
            }
            let due = self.collect(state);
            // A waker may own this very watch, so none is dropped under the lock.
            let replaced = due.is_none().then(|| {
                let waker = context.waker().clone();
                state
                    .table_mut(&self.target.info.table.clone())
                    .wakers
                    .insert(self.id, waker)
            });
            (due, replaced)
        });
        if due.is_some() {
            return Poll::Ready(due);
        }
        if self.done {
            return Poll::Ready(None);
        }
        if self.timer.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.done = true;
        if self.bookmarks && self.bookmarked != self.cursor {
            let now = inner.with(|state| state.now());
            return Poll::Ready(Some(self.bookmark(false, now)));
        }
        Poll::Ready(None)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let table = Arc::clone(&self.target.info.table);
        let _waker = self
            .inner
            .with(|state| state.tables.get_mut(&table)?.wakers.remove(&self.id));
    }
}

/// 410 when commits after `rv` may have been forgotten.
fn check_history(state: &State, target: &Target, rv: u64) -> Result<(), ApiError> {
    let table = state.tables.get(&target.info.table);
    let oldest = table.map_or(state.compacted_rv, |table| table.compacted_rv);
    if rv < oldest {
        let message = format!("too old resource version: {rv} ({})", oldest + 1);
        return Err(ApiError::expired(message));
    }
    Ok(())
}

fn line(kind: &str, object: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(object.len() + 40);
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",\"object\":");
    out.extend_from_slice(object);
    out.extend_from_slice(b"}\n");
    out.into()
}
