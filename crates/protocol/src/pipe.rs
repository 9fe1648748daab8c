//! What carries a link's frames to the other side.

use std::fmt::Debug;
use std::io;
use std::time::Duration;

/// Takes bytes without waiting: the writing end of a pipe, a socket, a buffer.
///
/// # Behavior
/// - It is shared by the threads that send. Only one at a time writes, so frames are never mixed.
/// - Dropping it tells the other side that nothing more comes.
/// - Reading is apart from it: bytes of the other side are given to [`Incoming`](crate::Incoming).
pub trait Pipe: Debug + Send + Sync {
    /// Writes the beginning of `bytes`, as much as fits now, and says how many bytes that were.
    ///
    /// # Errors
    /// `WouldBlock` when nothing fits now; `Interrupted` when it is worth another try at once. Any other error, and a count of 0,
    /// mean that nobody reads any more.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Blocks until something fits or nobody reads any more, and not much longer than `at_most`.
    fn wait_writable(&self, at_most: Duration);
}
