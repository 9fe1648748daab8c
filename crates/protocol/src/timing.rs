//! How long the client's side waits for what.

use std::time::Duration;

/// The intervals and patiences of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// From the start until the server's hello, if the connect's own deadline is not earlier.
    pub hello: Duration,
    /// How much later than its deadline the server may answer `connect` before it is given up.
    pub answer_grace: Duration,
    /// How much later than its deadline the server may answer a request before we give up on it.
    pub request_grace: Duration,
    /// Between two pings.
    pub ping: Duration,
    /// From the shutdown frame until the server has ended.
    pub close: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(5),
            answer_grace: Duration::from_millis(500),
            request_grace: Duration::from_secs(1),
            ping: Duration::from_secs(5),
            close: Duration::from_secs(2),
        }
    }
}
