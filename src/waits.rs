//! What is waited for, told on stderr once it has taken a second: a spinner on a terminal, a line elsewhere.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ibkr_connect::plain;
use ibkr_connect::resilience::{ConnectWait, PacingWait};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

/// Whoever waits for less need not be told.
const PATIENCE: Duration = Duration::from_secs(1);

/// Something that is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wait {
    what: String,
    until: Option<Timestamp>,
}

impl Wait {
    /// For `what`, which ends by itself within `at_most`.
    pub(crate) fn within(what: impl Into<String>, at_most: Duration) -> Self {
        Self { what: what.into(), until: Timestamp::now().checked_add(at_most).ok() }
    }

    /// For `what`, and nobody knows how long.
    pub(crate) fn without_end(what: impl Into<String>) -> Self {
        Self { what: what.into(), until: None }
    }

    /// A step of a connect to `address`.
    pub(crate) fn of_connect(wait: &ConnectWait, address: &str) -> Self {
        match wait {
            ConnectWait::Turn { holder, at_most } => Self::within(
                format!("our turn to shake hands with {address}; it is that of {holder}"),
                *at_most,
            ),
            ConnectWait::Trial { at_most } => Self::within(
                format!("another program, which tries whether {address} works again (circuit breaker)"),
                *at_most,
            ),
            ConnectWait::Handshake { attempt, most, at_most } => {
                Self::handshake(address, *attempt, *most, *at_most)
            }
            ConnectWait::Retry { attempt, most, pause, after } => Self::within(
                format!(
                    "the next attempt to connect to {address} ({attempt} of {most}), after {}",
                    after.kind()
                ),
                *pause,
            ),
            _ => Self::without_end(format!("a connect to {address}")),
        }
    }

    /// For the answer of the Gateway at `address`.
    pub(crate) fn answer(address: &str, at_most: Duration) -> Self {
        Self::within(format!("the answer of {address}"), at_most)
    }

    /// For a handshake.
    pub(crate) fn handshake(address: &str, attempt: u32, most: u32, at_most: Duration) -> Self {
        let which = if most > 1 { format!(" (attempt {attempt} of {most})") } else { String::new() };
        Self::within(format!("the handshake with {address}{which}"), at_most)
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "waiting: {}", plain(&self.what))?;
        match self.until {
            Some(until) => write!(f, "; it may take until {}Z", until.strftime("%H:%M:%S")),
            None => Ok(()),
        }
    }
}

enum Message {
    For(Wait),
    /// Over; whoever waits for the sender's end may print.
    Over(Sender<()>),
}

/// Tells what is waited for. When it is dropped, nothing is left on the terminal.
#[derive(Debug)]
pub(crate) struct Waits {
    /// What tells of connects and requests has a weak one: it says nothing any more when this is dropped.
    inbox: Option<Arc<Sender<Message>>>,
    thread: Option<JoinHandle<()>>,
}

impl Waits {
    pub(crate) fn start() -> io::Result<Self> {
        let (inbox, messages) = mpsc::channel();
        let thread = thread::Builder::new().name("waits".to_owned()).spawn(move || tell(&messages))?;
        Ok(Self { inbox: Some(Arc::new(inbox)), thread: Some(thread) })
    }

    /// From now on this is waited for, and nothing else.
    pub(crate) fn begin(&self, wait: Wait) {
        // Its thread ends with this.
        let _ = self.inbox.as_ref().map(|inbox| inbox.send(Message::For(wait)));
    }

    /// Nothing is waited for. Afterwards stderr is free.
    pub(crate) fn over(&self) {
        let (done, is_done) = mpsc::channel();
        let _ = self.inbox.as_ref().map(|inbox| inbox.send(Message::Over(done)));
        let _ = is_done.recv();
    }

    /// What a connect to `address` tells.
    pub(crate) fn of_connect(&self, address: String) -> impl Fn(ConnectWait) + Send + Sync + 'static {
        let begin = self.begin_later();
        move |wait| begin(Wait::of_connect(&wait, &address))
    }

    /// What a request to `address` tells that must keep IBKR's limits. Afterwards its answer is waited for, at most so long.
    pub(crate) fn of_request(
        &self,
        address: String,
        answer_within: Duration,
    ) -> impl Fn(PacingWait) + Send + Sync + 'static {
        let begin = self.begin_later();
        move |wait| match wait {
            PacingWait::Begun { command, limit, at_most } => {
                begin(Wait::within(format!("the turn of {command} ({limit})"), at_most));
            }
            _ => begin(Wait::answer(&address, answer_within)),
        }
    }

    fn begin_later(&self) -> impl Fn(Wait) + Send + Sync + 'static {
        let inbox = self.inbox.as_ref().map(Arc::downgrade);
        move |wait| {
            let inbox = inbox.as_ref().and_then(std::sync::Weak::upgrade);
            let _ = inbox.map(|inbox| inbox.send(Message::For(wait)));
        }
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.over();
        // What tells may be about to send: the thread is not waited for.
        drop(self.inbox.take());
        drop(self.thread.take());
    }
}

/// What is shown of a wait.
struct Shown {
    wait: Wait,
    /// When it is told; `None` when it has been.
    due: Option<Instant>,
    spinner: Option<ProgressBar>,
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.spinner.iter().for_each(ProgressBar::finish_and_clear);
    }
}

fn tell(messages: &Receiver<Message>) {
    let mut shown: Option<Shown> = None;
    loop {
        let message = match shown.as_ref().and_then(|shown| shown.due) {
            Some(due) => messages.recv_timeout(due.saturating_duration_since(Instant::now())),
            None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match message {
            Ok(Message::For(wait)) => {
                shown = Some(Shown { wait, due: Some(Instant::now() + PATIENCE), spinner: None });
            }
            Ok(Message::Over(done)) => {
                shown = None;
                drop(done);
            }
            Err(RecvTimeoutError::Timeout) => shown.iter_mut().for_each(show),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn show(shown: &mut Shown) {
    shown.due = None;
    let spinner = ProgressBar::new_spinner();
    if spinner.is_hidden() {
        // Nobody reads it: then nobody misses it.
        let _ = writeln!(io::stderr(), "{}", shown.wait);
        return;
    }
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
        spinner.set_style(style);
    }
    spinner.set_message(shown.wait.to_string());
    spinner.enable_steady_tick(Duration::from_millis(100));
    shown.spinner = Some(spinner);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_says_for_what_and_until_when() {
        let until = "2026-11-28T14:30:07.9Z".parse().ok();
        let wait = Wait { what: "our turn\nx".to_owned(), until };
        assert_eq!(
            wait.to_string(),
            format!("waiting: {}; it may take until 14:30:07Z", plain("our turn\nx"))
        );
        assert_eq!(Wait::without_end("an event").to_string(), "waiting: an event");
        let once = Wait::handshake("gw:1", 1, 1, PATIENCE);
        assert!(
            once.to_string().starts_with("waiting: the handshake with gw:1; it may take until "),
            "{once}"
        );
        assert!(Wait::handshake("gw:1", 2, 3, PATIENCE).to_string().contains("(attempt 2 of 3)"));
    }
}
