//! History that the Gateway answers with 2188 alone: it has no bars that are up to the second. Where older ones follow, those are the
//! answer; where none do, nobody waits for a deadline to learn it.

use std::future::pending;
use std::time::Duration;

use ibkr_connect_core::{Error, ErrorKind};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::notes::{Notes, Stage};
use crate::wiretap::GatewayMessage;

/// How long data may take that follow 2188. It is said when the request is checked, and the service of historical data answers what
/// it has within a second or two; five leave room for a farm that connects first, and are well below any usual deadline.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

pub(crate) const ADVICE: &str = "subscribe to real-time data for the API in IBKR's account management, or ask for data that ends at \
                                 least 15 minutes ago";

/// Whoever waits for history, and hears of 2188.
#[derive(Debug)]
pub(crate) struct Late(oneshot::Receiver<GatewayMessage>);

impl Late {
    pub(crate) fn new(told: oneshot::Receiver<GatewayMessage>) -> Self {
        Self(told)
    }

    /// Resolves when 2188 was all that the Gateway had to say: nothing of the answer, by these `notes`, has begun after it in time.
    pub(crate) async fn alone(self, notes: &Notes) -> Error {
        // Nobody says it any more when the connection has ended, which is told elsewhere.
        let Ok(word) = self.0.await else { return pending().await };
        sleep(GRACE).await;
        if notes.stage() == Stage::Begun {
            return pending().await;
        }
        let message = format!(
            "{}: that is all that the Gateway has sent, no data within {GRACE:?} after it",
            word.text
        );
        Error::new(ErrorKind::GatewayError, message).with_code(word.code).with_advice(ADVICE)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, timeout};

    use super::*;
    use crate::wiretap::{LATE_HISTORY, Wiretap};

    fn said(tap: &Wiretap, id: i32) {
        tap.hear(Instant::now(), id, GatewayMessage::new(LATE_HISTORY, "not up to the second"));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_after_it_is_an_error_soon() {
        let (tap, notes, begun) = (Wiretap::default(), Notes::new(), Instant::now());
        let late = Late::new(tap.late(7));
        said(&tap, 8);
        notes.ask_as(7);
        said(&tap, 7);
        let error = late.alone(&notes).await;
        assert_eq!(begun.elapsed(), GRACE);
        assert_eq!((error.kind(), error.code()), (ErrorKind::GatewayError, Some(2188)));
        assert!(error.message().starts_with("not up to the second: "), "{error}");
        assert!(error.advice().unwrap().contains("15 minutes") && !error.is_retryable());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_begins_after_it_is_one() {
        let (tap, notes) = (Wiretap::default(), Notes::new());
        let late = Late::new(tap.late(7));
        notes.ask_as(7);
        said(&tap, 7);
        let mut alone = std::pin::pin!(late.alone(&notes));
        timeout(GRACE / 2, &mut alone).await.unwrap_err();
        notes.hear();
        timeout(10 * GRACE, &mut alone).await.unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_id_it_is_about_the_only_one_that_waits() {
        let (tap, notes) = (Wiretap::default(), Notes::new());
        let (first, second) = (Late::new(tap.late(7)), Late::new(tap.late(8)));
        said(&tap, -1);
        timeout(10 * GRACE, first.alone(&notes)).await.unwrap_err();
        said(&tap, -1);
        assert_eq!(second.alone(&notes).await.code(), Some(2188));
    }
}
