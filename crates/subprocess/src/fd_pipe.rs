//! The writing end of a pipe of the kernel's: the parent's end of the worker's stdin, the worker's stdout.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::time::Duration;

use ibkr_connect_protocol::Pipe;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A pipe of the kernel's, which says whether it has room: nothing else has to wait for that.
#[derive(Debug)]
pub(crate) struct FdPipe(OwnedFd);

impl FdPipe {
    /// Makes it non-blocking. What is not a pipe is left as it is, and a full one blocks: others may have a terminal or a socket
    /// too, and read from it.
    pub(crate) fn new(pipe: impl Into<OwnedFd>) -> io::Result<Self> {
        let pipe = File::from(pipe.into());
        if pipe.metadata()?.file_type().is_fifo() {
            rustix::io::ioctl_fionbio(&pipe, true)?;
        }
        Ok(Self(pipe.into()))
    }
}

impl Pipe for FdPipe {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        rustix::io::write(&self.0, bytes).map_err(io::Error::from)
    }

    fn wait_writable(&self, at_most: Duration) {
        // A time that is too long to say is waited for without one.
        let at_most = Timespec::try_from(at_most).ok();
        let _ = poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], at_most.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read};

    use super::*;

    #[test]
    fn a_full_pipe_says_so_and_has_room_when_it_is_read() {
        const LONG: Duration = Duration::from_secs(20);
        let (mut reader, writer) = io::pipe().unwrap();
        let pipe = FdPipe::new(writer).unwrap();
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
        pipe.wait_writable(LONG);
        assert_eq!(pipe.try_write(b"nobody").unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}
