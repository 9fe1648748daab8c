//! Draining a child's stderr: it must never block on a full pipe, and its last words must be there when it ends.

use std::collections::VecDeque;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ChildStderr;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

/// How much of stderr is kept for the exit report.
const TAIL_BYTES: usize = 64 * 1024;
/// Longer lines reach the sink cut to this length.
const LINE_BYTES: usize = 8 * 1024;

/// Receives each line of a child's stderr, without its line end, on the child's stderr thread.
pub type LineSink = Box<dyn FnMut(&str) + Send>;

/// The thread that reads a child's stderr until its end.
pub(super) struct Drain {
    thread: JoinHandle<()>,
    /// Closed to end the thread early.
    stop: PipeWriter,
    /// Disconnected when the thread has seen the end.
    finished: Receiver<()>,
}

impl Drain {
    pub(super) fn start(
        name: &str,
        stderr: ChildStderr,
        tail: Arc<Tail>,
        sink: LineSink,
    ) -> io::Result<Self> {
        let (stop_reader, stop) = io::pipe()?;
        let (sender, finished) = mpsc::channel();
        let thread = thread::Builder::new().name(format!("{name}-stderr")).spawn(move || {
            drain(stderr, &stop_reader, &tail, Lines::new(sink));
            drop::<mpsc::Sender<()>>(sender);
        })?;
        Ok(Self { thread, stop, finished })
    }

    /// Waits for the end of stderr, but not for a stranger that inherited it and lives on.
    pub(super) fn finish(self, patience: Duration) {
        if self.finished.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("child_stderr_held");
        }
        drop(self.stop);
        let _ = self.thread.join();
    }
}

fn drain(mut stderr: ChildStderr, stop: &PipeReader, tail: &Tail, mut lines: Lines) {
    let mut buffer = [0; 8 * 1024];
    loop {
        if !readable(&stderr, stop) {
            break;
        }
        match stderr.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                tail.push(&buffer[..count]);
                lines.push(&buffer[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    lines.finish();
}

/// Blocks until stderr has something (data or its end); `false` when asked to stop.
fn readable(stderr: &ChildStderr, stop: &PipeReader) -> bool {
    loop {
        let mut fds = [PollFd::new(stderr, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) => return fds[1].revents().is_empty(),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// The last [`TAIL_BYTES`] of a stream.
#[derive(Debug, Default)]
pub(super) struct Tail(Mutex<VecDeque<u8>>);

impl Tail {
    fn push(&self, bytes: &[u8]) {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.extend(bytes);
        let excess = ring.len().saturating_sub(TAIL_BYTES);
        ring.drain(..excess);
    }

    pub(super) fn text(&self) -> String {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (front, back) = ring.as_slices();
        String::from_utf8_lossy(&[front, back].concat()).into_owned()
    }
}

/// Cuts a byte stream into lines for the sink.
struct Lines {
    /// `None` once the sink has panicked: draining goes on without it.
    sink: Option<LineSink>,
    line: Vec<u8>,
}

impl Lines {
    fn new(sink: LineSink) -> Self {
        Self { sink: Some(sink), line: Vec::new() }
    }

    fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, ended) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            let room = LINE_BYTES - self.line.len();
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if ended {
                self.emit();
            }
        }
    }

    fn finish(&mut self) {
        if !self.line.is_empty() {
            self.emit();
        }
    }

    fn emit(&mut self) {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line));
        let Some(sink) = &mut self.sink else { return };
        if catch_unwind(AssertUnwindSafe(|| sink(&text))).is_err() {
            self.sink = None;
        }
    }
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn lines_of(chunks: &[&[u8]]) -> Vec<String> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let copy = Arc::clone(&seen);
        let mut lines = Lines::new(Box::new(move |line| copy.lock().unwrap().push(line.to_owned())));
        for chunk in chunks {
            lines.push(chunk);
        }
        lines.finish();
        drop(lines);
        Arc::into_inner(seen).unwrap().into_inner().unwrap()
    }

    #[test]
    fn lines_are_put_together_whatever_the_chunks() {
        assert_eq!(lines_of(&[b"a\nb", b"c\r\n", b"\nd"]), ["a", "bc", "", "d"]);
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_is_whole() {
        let long = vec![b'x'; 3 * LINE_BYTES];
        let lines = lines_of(&[&long, b"y\nnext\n"]);
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [LINE_BYTES, 4]);
    }

    #[test]
    fn a_sink_that_panics_is_dropped_and_draining_goes_on() {
        let mut lines = Lines::new(Box::new(|_| panic!("a sink of the test panics on purpose")));
        lines.push(b"one\ntwo\n");
        assert!(lines.sink.is_none());
    }

    #[test]
    fn the_tail_keeps_the_end() {
        let tail = Tail::default();
        tail.push(&vec![b'a'; TAIL_BYTES]);
        tail.push(b"end");
        assert_eq!(tail.text().len(), TAIL_BYTES);
        assert!(tail.text().ends_with("aend"));
    }
}
