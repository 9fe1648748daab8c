//! The standard descriptors of this process.

use std::io;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, FdFlags, fcntl_getfd, fcntl_setfd};

/// The last of them: stderr.
const LAST: i32 = 2;

/// Opens /dev/null in the place of every standard descriptor that is closed, as a daemon's may be. A file or socket opened next
/// would get its number, and then whatever this program prints goes to the Gateway, or into a file that processes share.
///
/// # Behavior
/// Three system calls where nothing is closed. What it opens stays open.
///
/// # Errors
/// When /dev/null can't be opened, as in a chroot without it.
pub fn fill_standard_descriptors() -> io::Result<()> {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    if [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()]
        .into_iter()
        .all(|fd| fcntl_getfd(fd) != Err(Errno::BADF))
    {
        return Ok(());
    }
    loop {
        // The lowest number that is free. Until we know that it is a standard one, no child gets it.
        let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        if null.as_raw_fd() > LAST {
            return Ok(());
        }
        fcntl_setfd(&null, FdFlags::empty())?;
        let _ = null.into_raw_fd();
    }
}
