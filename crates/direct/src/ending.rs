//! How a connection has ended.

use std::io;

use ibkr_connect_core::{CloseReason, Error};
use ibkr_connect_relay::End;
use ibkr_connect_wire::Side;
use tokio::sync::watch;

use crate::wiretap::GatewayMessage;

/// How a connection has ended, and what the Gateway has said just before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) reason: CloseReason,
    code: Option<i32>,
}

impl Ending {
    /// This program has closed it.
    pub(crate) fn requested() -> Self {
        Self { reason: CloseReason::Requested, code: None }
    }

    /// The relay has ended.
    pub(crate) fn of(end: End, last_word: Option<GatewayMessage>) -> Self {
        match end {
            End::Client => Self::lost("ibapi has given the connection up".to_owned(), last_word),
            End::Closed => Self::lost("the Gateway closed the connection".to_owned(), last_word),
            End::Broken(error) => Self::lost(broken(&error), last_word),
            End::BadFrame(Side::Gateway, bad) => Self::lost(format!("the Gateway sent {bad}"), last_word),
            // The session was broken off: what the Gateway has said has nothing to do with it.
            End::BadFrame(Side::Client, bad) => {
                Self::lost(format!("{bad}, was about to leave the session"), None)
            }
        }
    }

    /// Somebody else has.
    pub(crate) fn lost(how: String, last_word: Option<GatewayMessage>) -> Self {
        match last_word {
            None => Self { reason: CloseReason::Disconnected(how), code: None },
            Some(word) => {
                let how = format!("{how}; its last word was {word}");
                Self { reason: CloseReason::Disconnected(how), code: Some(word.code) }
            }
        }
    }

    /// The error of whatever was waiting.
    pub(crate) fn error(&self) -> Error {
        match self.code {
            Some(code) => self.reason.error().with_code(code),
            None => self.reason.error(),
        }
    }
}

fn broken(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionReset => "the Gateway reset the connection".to_owned(),
        io::ErrorKind::TimedOut => "the Gateway's host did not answer any more".to_owned(),
        _ => format!("the connection to the Gateway broke: {error}"),
    }
}

/// Where the end of a connection is announced.
pub(crate) type Watcher = watch::Receiver<Option<Ending>>;

/// Resolves when the connection has ended.
pub(crate) async fn ended(mut watcher: Watcher) -> Ending {
    let ended = watcher.wait_for(Option::is_some).await.ok().and_then(|ending| ending.clone());
    // Without a word only a panic ends a connection.
    ended.unwrap_or_else(|| Ending::lost("the connection's thread has ended without a word".to_owned(), None))
}

#[cfg(test)]
mod tests {
    use ibkr_connect_core::ErrorKind;
    use ibkr_connect_wire::BadFrame;

    use super::*;

    #[test]
    fn a_loss_has_the_last_word_with_its_code() {
        let word = GatewayMessage::new(320, "Error reading request");
        let ending = Ending::lost("the Gateway closed the connection".to_owned(), Some(word));
        let text = "the Gateway closed the connection; its last word was 320: Error reading request";
        assert_eq!(ending.reason, CloseReason::Disconnected(text.to_owned()));
        let error = ending.error();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Disconnected, Some(320)));
        assert!(error.message().contains(text), "{error}");
    }

    #[test]
    fn each_end_is_told() {
        let broken = |kind: io::ErrorKind| End::Broken(kind.into());
        for (end, told) in [
            (End::Client, "ibapi has given the connection up"),
            (End::Closed, "the Gateway closed the connection"),
            (broken(io::ErrorKind::ConnectionReset), "the Gateway reset the connection"),
            (broken(io::ErrorKind::TimedOut), "the Gateway's host did not answer any more"),
            (broken(io::ErrorKind::BrokenPipe), "the connection to the Gateway broke: broken pipe"),
            (End::BadFrame(Side::Gateway, BadFrame { length: 3 }), "the Gateway sent a frame of 3 bytes"),
        ] {
            let ending = Ending::of(end, Some(GatewayMessage::new(320, "bad")));
            assert!(ending.error().message().contains(told), "{ending:?}");
            assert_eq!(ending.code, Some(320));
        }
        let ours = Ending::of(
            End::BadFrame(Side::Client, BadFrame { length: 3 }),
            Some(GatewayMessage::new(320, "bad")),
        );
        assert_eq!(ours.code, None);
    }

    #[test]
    fn only_who_was_asked_has_closed() {
        assert_eq!(Ending::requested().error().kind(), ErrorKind::Closed);
        let (announce, watcher) = watch::channel(None);
        drop(announce);
        let ending = ibkr_connect_core::block_on(ended(watcher));
        assert_eq!(ending.error().kind(), ErrorKind::Disconnected);
    }
}
