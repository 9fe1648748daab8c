//! What carries frames by a descriptor: the parent's end of the worker's stdin, the worker's stdout.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::time::Duration;

use ibkr_connect_protocol::Pipe;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SendFlags, send};

/// A pipe or a socket, which says whether it has room: nothing else has to wait for that. Anything else, such as a terminal or a
/// file, blocks while it takes nothing.
#[derive(Debug)]
pub(crate) struct FdPipe {
    descriptor: OwnedFd,
    is_socket: bool,
}

impl FdPipe {
    /// A pipe becomes non-blocking. Whatever else it is, others may have it too, and read from it: it is left as it is.
    pub(crate) fn new(descriptor: impl Into<OwnedFd>) -> io::Result<Self> {
        let file = File::from(descriptor.into());
        let kind = file.metadata()?.file_type();
        if kind.is_fifo() {
            rustix::io::ioctl_fionbio(&file, true)?;
        }
        Ok(Self { descriptor: file.into(), is_socket: kind.is_socket() })
    }
}

impl Pipe for FdPipe {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let written = if self.is_socket {
            send(&self.descriptor, bytes, SendFlags::DONTWAIT)
        } else {
            rustix::io::write(&self.descriptor, bytes)
        };
        written.map_err(io::Error::from)
    }

    fn wait_writable(&self, at_most: Duration) {
        // A time that is too long to say is waited for without one.
        let at_most = Timespec::try_from(at_most).ok();
        let _ = poll(&mut [PollFd::new(&self.descriptor, PollFlags::OUT)], at_most.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read};
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    use rustix::fs::{OFlags, fcntl_getfl};

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn says_when_it_is_full(pipe: &FdPipe, mut reader: impl Read) {
        let mut written = 0;
        let error = loop {
            match pipe.try_write(&[b'x'; 5_000]) {
                Ok(count) => written += count,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        reader.read_exact(&mut vec![0; written]).unwrap();
        pipe.wait_writable(LONG);
        assert_eq!(pipe.try_write(b"there is room").unwrap(), 13);
        drop(reader);
        assert_eq!(when_nobody_reads(pipe), ErrorKind::BrokenPipe);
    }

    /// A child that another test is just starting may have the reader's end for a moment.
    fn when_nobody_reads(pipe: &FdPipe) -> ErrorKind {
        let begun = Instant::now();
        loop {
            match pipe.try_write(b"nobody").map_err(|error| error.kind()) {
                Ok(_) => std::thread::yield_now(),
                Err(ErrorKind::WouldBlock) => pipe.wait_writable(LONG),
                Err(kind) => return kind,
            }
            assert!(begun.elapsed() < LONG, "somebody keeps the reader's end");
        }
    }

    #[test]
    fn a_full_pipe_says_so_and_has_room_when_it_is_read() {
        let (reader, writer) = io::pipe().unwrap();
        says_when_it_is_full(&FdPipe::new(writer).unwrap(), reader);
    }

    /// Some runtimes give their children sockets for stdio.
    #[test]
    fn a_full_socket_says_so_and_stays_as_others_have_it() {
        let (reader, writer) = UnixStream::pair().unwrap();
        let others = writer.try_clone().unwrap();
        let pipe = FdPipe::new(writer).unwrap();
        assert!(!fcntl_getfl(&others).unwrap().contains(OFlags::NONBLOCK));
        says_when_it_is_full(&pipe, reader);
    }
}
