//! Why nothing has come in time, and what to do about it.

use std::time::Duration;

use ibkr_connect_core::{Error, ErrorKind};

use crate::error;
use crate::late;
use crate::notes::Stage;
use crate::standing::{Reasons, Topic};
use crate::wiretap::{GatewayMessage, LATE_HISTORY};

/// What is known about an operation whose time is over.
pub(crate) struct Overdue {
    pub(crate) command: &'static str,
    pub(crate) limit: Duration,
    pub(crate) stage: Stage,
    pub(crate) topic: Topic,
    /// The last thing that the Gateway has said about it.
    pub(crate) about_it: Option<GatewayMessage>,
    /// What it has said about the session.
    pub(crate) session: Reasons,
    /// Another account whose answer has ended meanwhile.
    pub(crate) other_end: Option<String>,
}

impl Overdue {
    /// The error. It has the code and the text of the Gateway's last word about the request; where there is none, of the last one
    /// about the session that fits.
    pub(crate) fn error(self) -> Error {
        let Self { command, limit, stage, topic, about_it, session, other_end } = self;
        let stage_text = match stage {
            Stage::Waits => ": it was not its turn yet",
            Stage::Asked => "",
            Stage::Begun => ": the answer has begun, but its end has not come",
        };
        let reason = about_it.clone().or(session.fitting);
        let mut message = format!("{command}: no answer within {limit:?}{stage_text}");
        if let Some(account) = other_end {
            message.push_str(&format!("; what has ended is that of account {account}"));
        }
        if let Some(word) = &reason {
            let about = if about_it.is_some() { " about it" } else { "" };
            message.push_str(&format!("; the Gateway has said{about}: {word}"));
        }
        if let Some(word) = &session.unlinked {
            message.push_str(&format!("; the Gateway has no connection to IBKR: {word}"));
        }
        let code = reason.as_ref().or(session.unlinked.as_ref()).map(|word| word.code);
        let advice = session
            .unlinked
            .is_some()
            .then_some(UNLINKED)
            .or_else(|| {
                reason.as_ref().and_then(|word| advice(word.code).or(error::advice(word.code, &word.text)))
            })
            .unwrap_or_else(|| if reason.is_some() { SAID } else { silent(stage, topic) });
        let error = Error::new(ErrorKind::Timeout, message).with_advice(advice);
        match code {
            Some(code) => error.with_code(code),
            None => error,
        }
    }
}

const UNLINKED: &str = "wait until the Gateway has found IBKR again, which it says with 1101 or 1102, then ask again; the network of \
                        the Gateway's machine, or IBKR's maintenance, may be the cause";

const SAID: &str = "see to what the Gateway has said, then ask again";

/// What to do about what the Gateway has said.
fn advice(code: i32) -> Option<&'static str> {
    Some(match code {
        2101 => {
            "another client of this Gateway has the account updates of another account: end that one, or take \
             account_updates_multi, which every client has for itself"
        }
        2103 | 2105 | 2157 => {
            "wait until the data farm is connected again, which the Gateway says, then ask again"
        }
        LATE_HISTORY => late::ADVICE,
        10141 => "accept the paper trading disclaimer in the Gateway's window, then ask again",
        _ => return None,
    })
}

/// What to do where the Gateway has said nothing.
fn silent(stage: Stage, topic: Topic) -> &'static str {
    match (stage, topic) {
        (Stage::Waits, _) => {
            "ask for less of this at the same time, or raise IBKR_REQUEST_TIMEOUT: the Gateway answers one such question after \
             the other"
        }
        (_, Topic::History | Topic::MarketData | Topic::Contracts) => {
            "raise IBKR_REQUEST_TIMEOUT if the request is large; otherwise check the Gateway's data farms"
        }
        (_, Topic::AccountUpdates | Topic::Other) => {
            "ask again, for a Gateway overlooks questions while it connects to IBKR; if it stays silent, look at its window, and \
             at the forwarder (socat, docker-proxy, ssh -L) if one is in front of it"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overdue() -> Overdue {
        Overdue {
            command: "positions",
            limit: Duration::from_millis(400),
            stage: Stage::Asked,
            topic: Topic::Other,
            about_it: None,
            session: Reasons::default(),
            other_end: None,
        }
    }

    fn word(code: i32) -> Option<GatewayMessage> {
        Some(GatewayMessage::new(code, "as it says"))
    }

    #[test]
    fn nothing_known_says_no_more_than_that() {
        let error = overdue().error();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Timeout, None));
        assert_eq!(error.message(), "positions: no answer within 400ms");
        assert!(error.advice().unwrap().contains("forwarder") && !error.advice().unwrap().contains("port"));
        let bars = Overdue { topic: Topic::History, ..overdue() }.error();
        assert!(bars.advice().unwrap().contains("data farms"));
    }

    #[test]
    fn the_word_about_the_request_comes_before_that_about_the_session() {
        let session = Reasons { fitting: word(10141), ..Reasons::default() };
        let error = Overdue { about_it: word(2188), session, ..overdue() }.error();
        assert_eq!(error.code(), Some(2188));
        assert!(error.message().ends_with("; the Gateway has said about it: 2188: as it says"), "{error}");
        assert!(error.advice().unwrap().contains("15 minutes"));
    }

    #[test]
    fn each_reason_has_its_advice() {
        for (code, advice) in [
            (2101, "another client"),
            (2105, "data farm"),
            (2188, "real-time data"),
            (10141, "disclaimer"),
            (354, "no live data"),
            (10_318, "what the Gateway has said"),
        ] {
            let session = Reasons { fitting: word(code), ..Reasons::default() };
            let error = Overdue { session, ..overdue() }.error();
            assert_eq!(error.code(), Some(code));
            assert!(
                error.message().ends_with(&format!("; the Gateway has said: {code}: as it says")),
                "{error}"
            );
            assert!(error.advice().unwrap().contains(advice), "{error:?}");
        }
    }

    #[test]
    fn a_gateway_without_ibkr_says_so_in_any_case() {
        let session = Reasons { unlinked: word(1100), ..Reasons::default() };
        let error = Overdue { session: session.clone(), ..overdue() }.error();
        assert_eq!(error.code(), Some(1100));
        assert!(error.message().contains("no connection to IBKR: 1100: as it says"), "{error}");
        assert_eq!(error.advice(), Some(UNLINKED));
        let error = Overdue { about_it: word(10167), session, ..overdue() }.error();
        assert_eq!(error.code(), Some(10167));
        assert!(error.message().contains("1100: as it says"), "{error}");
        assert_eq!(error.advice(), Some(UNLINKED));
    }

    #[test]
    fn it_says_how_far_it_has_got() {
        let waits = Overdue { stage: Stage::Waits, ..overdue() }.error();
        assert!(waits.message().ends_with("it was not its turn yet"), "{waits}");
        assert!(waits.advice().unwrap().contains("at the same time"));
        let begun = Overdue { stage: Stage::Begun, ..overdue() }.error();
        assert!(begun.message().ends_with("its end has not come"), "{begun}");
        let other = Overdue { stage: Stage::Begun, other_end: Some("DU2".to_owned()), ..overdue() }.error();
        assert!(other.message().ends_with("; what has ended is that of account DU2"), "{other}");
    }
}
