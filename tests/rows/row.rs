//! An entry of the test: a row of the table of operations with parameters, what it is on the wire, and what it gives.

use ibkr_connect::operations::{OPERATIONS, OperationInfo};
use serde_json::Value;

use crate::support::fake_gateway::wire::Frame;

/// One entry, made by naming things in the order in which they happen.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) operation: &'static OperationInfo,
    case: &'static str,
    pub(crate) params: Value,
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) gives: Vec<Value>,
    pub(crate) ends: bool,
    pub(crate) afterwards: Vec<Frame>,
    pub(crate) cancel: Option<Frame>,
    pub(crate) read_to_its_end: bool,
    pub(crate) refusable: bool,
    pub(crate) asked_seldom: bool,
    pub(crate) simulated: Simulated,
}

/// What the client asks, if anything, and what it is answered.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) asks: Option<Frame>,
    pub(crate) answers: Vec<Frame>,
}

/// How the row is asked at the simulator.
#[derive(Debug)]
pub(crate) struct Simulated {
    pub(crate) params: Option<Value>,
    pub(crate) events: usize,
    pub(crate) sameness: Sameness,
}

/// What is the same about the answers to the same question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sameness {
    Everything,
    /// Everything but when it was answered.
    ButTimes,
    /// It is about the present, which nothing replays: only that it is what the schema says.
    Form,
}

impl Row {
    /// The row `command`, asked with `params`.
    pub(crate) fn new(command: &str, params: Value) -> Self {
        let operation = OPERATIONS.iter().find(|operation| operation.command == command);
        Self {
            operation: operation.unwrap_or_else(|| panic!("{command} is not a row of the table")),
            case: "",
            params,
            exchanges: Vec::new(),
            gives: Vec::new(),
            ends: !operation.is_some_and(|operation| operation.stream),
            afterwards: Vec::new(),
            cancel: None,
            read_to_its_end: false,
            refusable: true,
            asked_seldom: false,
            simulated: Simulated { params: None, events: 5, sameness: Sameness::Everything },
        }
    }

    /// What tells this entry from others of the same row.
    pub(crate) fn case(self, case: &'static str) -> Self {
        Self { case, ..self }
    }

    /// The next message that the client sends.
    pub(crate) fn asks(mut self, asks: Frame) -> Self {
        self.exchanges.push(Exchange { asks: Some(asks), answers: Vec::new() });
        self
    }

    /// What the Gateway sends: after what it was asked last, if it was asked.
    pub(crate) fn answered<const N: usize>(mut self, answers: [Frame; N]) -> Self {
        match self.exchanges.last_mut() {
            Some(last) if last.answers.is_empty() => last.answers = answers.into(),
            _ => self.exchanges.push(Exchange { asks: None, answers: answers.into() }),
        }
        self
    }

    /// The reply of a request.
    pub(crate) fn gives(mut self, reply: Value) -> Self {
        self.gives = vec![reply];
        self
    }

    /// The events of a stream.
    pub(crate) fn gives_events<const N: usize>(mut self, events: [Value; N]) -> Self {
        self.gives = events.into();
        self
    }

    /// The stream ends by itself after its events.
    pub(crate) fn ends(self) -> Self {
        Self { ends: true, ..self }
    }

    /// What the client sends when it has all that it asked for.
    pub(crate) fn afterwards(mut self, frame: Frame) -> Self {
        self.afterwards.push(frame);
        self
    }

    /// What the client sends when it no longer waits for the reply or reads the stream.
    pub(crate) fn cancelled_by(self, cancel: Frame) -> Self {
        Self { cancel: Some(cancel), ..self }
    }

    /// The answer names no request: when nobody waits for it any more, the client reads it to its end all the same.
    pub(crate) fn read_to_its_end(self) -> Self {
        Self { read_to_its_end: true, ..self }
    }

    /// The protocol has no way to refuse it.
    pub(crate) fn never_refused(self) -> Self {
        Self { refusable: false, ..self }
    }

    /// The client leaves seconds between such questions: one that has less time than that is not sent.
    pub(crate) fn asked_seldom(self) -> Self {
        Self { asked_seldom: true, ..self }
    }

    /// The simulator has other contracts, articles and so on.
    pub(crate) fn at_simulator(mut self, params: Value) -> Self {
        self.simulated.params = Some(params);
        self
    }

    /// How many events to take from the simulator; the default is 5.
    pub(crate) fn events_at_simulator(mut self, events: usize) -> Self {
        self.simulated.events = events;
        self
    }

    /// The simulator's answer depends on when it is asked.
    pub(crate) fn tells_the_time(mut self) -> Self {
        self.simulated.sameness = Sameness::ButTimes;
        self
    }

    /// The simulator's answer is about the present.
    pub(crate) fn tells_the_present(mut self) -> Self {
        self.simulated.sameness = Sameness::Form;
        self
    }

    /// The Gateway sends it unasked.
    pub(crate) fn asks_nothing(&self) -> bool {
        self.exchanges.iter().all(|exchange| exchange.asks.is_none())
    }

    pub(crate) fn command(&self) -> &'static str {
        self.operation.command
    }

    /// The command and the case.
    pub(crate) fn name(&self) -> String {
        if self.case.is_empty() {
            return self.command().to_owned();
        }
        format!("{}::{}", self.command(), self.case.replace(' ', "_"))
    }
}
