//! The server's side: serves any [`Connector`] over anything that reads and writes.
//!
//! One thread reads commands, so that pings and the end of the input are noticed whatever the loop does. The loop is a
//! runtime on the calling thread; it runs the requests and writes their answers itself. Only the first poll of a lone
//! request happens on the reading thread: what can be answered or passed on at once does not wait until the loop is
//! awake, which is a third of a round trip. A third thread writes what the client does not read at once, so that a session
//! which runs on the loop waits for nobody. While a long answer is sent in parts, a fourth one makes JSON of it.

mod input;
mod long;
mod output;
#[cfg(test)]
mod pair_tests;
mod session;
mod streaming;
#[cfg(test)]
mod trade_tests;

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ibkr_connect_core::Connector;
use ibkr_connect_core::backend::OwnRuntime;

use input::{Current, Input};
use output::Output;
use session::Server;

use crate::frames::{Hello, HelloFrame};
use crate::pipe::Pipe;

/// What a server needs to know besides its connector and its pipes.
pub struct ServerOptions {
    /// What the client has given it on another way, to be shown in the hello; empty where there was none.
    pub cookie: String,
    /// How long an end in order may take.
    pub patience: Duration,
    /// Called when the input has ended and the loop did not within `patience`: the last way out.
    pub on_overdue: Box<dyn FnOnce() + Send>,
}

impl ServerOptions {
    /// Two seconds for an end in order, and no last way out.
    pub fn new(cookie: impl Into<String>) -> Self {
        Self { cookie: cookie.into(), patience: Duration::from_secs(2), on_overdue: Box::new(|| {}) }
    }

    /// How long after the end of the input the last way out is taken: a little later than the loop's own patience.
    pub fn last_moment(&self) -> Duration {
        self.patience + self.patience / 4
    }
}

impl std::fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerOptions").field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// Serves `connector` until a `shutdown`, or until the input ends or nobody reads the other end of `pipe`.
///
/// # Behavior
/// - The hello comes first, then nothing but answers and the `closed` notification, in the order of their writing.
/// - The calling thread runs the requests, in a runtime that a connector may use for its sessions. It waits for the client at the end
///   alone; a stream is read only as fast as the pipe takes it, so that a slow reader makes its stream drop events (and say how many)
///   instead of filling the memory.
/// - At the end the session is closed in order, within [`ServerOptions::patience`].
/// - At its end it drops the pipe. After a `shutdown` the thread that reads the input stays until that ends.
///
/// # Errors
/// Only when the hello can't be written, or a thread or the runtime can't be made.
///
/// # Panics
/// A panic in the connector's futures goes on here: a server in an unknown state is worse than none.
pub fn run(
    connector: &dyn Connector,
    reader: impl Read + Send + 'static,
    pipe: Arc<dyn Pipe>,
    options: ServerOptions,
) -> io::Result<()> {
    let last_moment = options.last_moment();
    let output = Arc::new(Output::new(pipe));
    let _closing = CloseOnDrop(Arc::clone(&output));
    let writer = Arc::clone(&output);
    thread::Builder::new().name("ibkr-link-writer".to_owned()).spawn(move || writer.write_when_full())?;
    output.hello(&HelloFrame { hello: Hello::ours(options.cookie) })?;
    let (finished, is_finished) = mpsc::channel::<()>();
    let current = Current::default();
    let (input, inbox) = Input::new(Arc::clone(&output), Arc::clone(&current));
    let (patience, on_overdue) = (options.patience, options.on_overdue);
    thread::Builder::new().name("ibkr-worker-input".to_owned()).spawn(move || {
        input.read(reader);
        if is_finished.recv_timeout(last_moment) == Err(mpsc::RecvTimeoutError::Timeout) {
            on_overdue();
        }
    })?;
    let runtime = OwnRuntime::new("ibkr-worker").map_err(io::Error::other)?;
    runtime.run(Server::new(connector, output, current, patience).serve(inbox));
    drop(finished);
    Ok(())
}

/// Closes the output at the end, also at that of a panic.
struct CloseOnDrop(Arc<Output>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}
