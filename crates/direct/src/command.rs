//! What the handle of a connection and its thread have in common.

use std::time::Duration;

use ibkr_connect_core::{EventSender, Reply, Request, Result, StreamRequest};
use tokio::sync::oneshot;

/// How long a closing may take before it is worth a line: ibapi's end, the Gateway's FIN, and some air.
pub(crate) const CLOSING_GRACE: Duration = Duration::from_secs(2);

/// What the handle asks of the thread.
pub(crate) enum Command {
    Request { request: Request, timeout: Option<Duration>, reply: oneshot::Sender<Result<Reply>> },
    Subscribe { request: StreamRequest, events: EventSender, cancelled: oneshot::Receiver<()> },
}
