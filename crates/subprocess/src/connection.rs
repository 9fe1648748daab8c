//! How a connection ends its worker. Requests and streams go through the link, and not through here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ibkr_connect_protocol::Holder;

use crate::process::{Process, Wanted};

/// Holds the worker of a connection.
#[derive(Debug)]
pub(crate) struct WorkerHolder {
    pub(crate) process: Arc<Process>,
    /// How long a graceful end may take when the connection is dropped.
    pub(crate) drop_patience: Duration,
}

impl Holder for WorkerHolder {
    fn close(&self) {
        self.process.want_end(Wanted::Close);
    }

    fn let_go(&self) -> Duration {
        /// For the kill after `drop_patience`, and a reader that has to be given up.
        const MARGIN: Duration = Duration::from_secs(6);
        self.process.want_end(Wanted::CloseUntil(Instant::now() + self.drop_patience));
        self.drop_patience + MARGIN
    }
}
