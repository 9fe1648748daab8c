//! What a program holds: typed operations over any connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::telemetry::REQUEST_SECONDS;
use crate::{
    Access, BlockingSession, CloseReason, Connection, ConnectionInfo, Error, ErrorKind, EventStream,
    FlowControl, Reply, Request, Result, StreamRequest, telemetry,
};

/// A session with a Gateway, whichever backend made it. Clones share the connection; the last one dropped closes
/// it.
///
/// # Behavior
/// - It has one method per row of the table of operations.
/// - Its streams are lossless: a consumer that falls too far behind loses the stream and is told so. See
///   [`with_flow`](Self::with_flow).
/// - A trading operation in a read-only session fails with `read_only` before anything leaves this process, and so does what
///   no Gateway could make sense of, such as a strike that is not a number, with `invalid_request`.
/// - Dropping the last clone closes it. Outside a tokio runtime the drop waits until nothing is left, at most 7 s; inside of one it
///   returns at once, because a wait would stop the runtime, and threads of ours close the session. Only
///   [`close`](Self::close) waits in both: call it before the program ends.
#[derive(Debug, Clone)]
pub struct Session {
    connection: Arc<dyn Connection>,
    flow: FlowControl,
    timeout: Option<Duration>,
}

impl Session {
    /// Wraps a backend's connection.
    pub fn new(connection: Box<dyn Connection>) -> Self {
        Self { connection: Arc::from(connection), flow: FlowControl::default(), timeout: None }
    }

    /// The same session; what happens to streams opened through it when their consumers are slow is up to `flow`.
    #[must_use]
    pub fn with_flow(&self, flow: FlowControl) -> Self {
        Self { flow, ..self.clone() }
    }

    /// The same session; requests made through it end after `timeout`, whatever
    /// [`Target::request_timeout`](crate::Target::request_timeout) says.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self.clone() }
    }

    /// What was found out while connecting.
    pub fn info(&self) -> &ConnectionInfo {
        self.connection.info()
    }

    /// Asks the Gateway for a [`proof_of_life`](Self::proof_of_life) and says how long the answer took.
    ///
    /// # Errors
    /// Those of [`proof_of_life`](Self::proof_of_life).
    pub async fn ping(&self) -> Result<Duration> {
        let asked = Instant::now();
        self.proof_of_life().await?;
        Ok(asked.elapsed())
    }

    /// Runs any one-shot operation of the table.
    ///
    /// # Errors
    /// `read_only`, `invalid_request` for parameters that no Gateway could make sense of, or those of the operation.
    pub async fn request(&self, request: Request) -> Result<Reply> {
        let (mode, command) = (self.info().mode, request.command());
        check_access(self.info(), command, request.access())
            .and_then(|()| request.check())
            .map_err(Error::unsent)?;
        let asked = telemetry::ON.then(Instant::now);
        let answer = self.connection.request(request, self.timeout).await;
        if let Some(asked) = asked {
            REQUEST_SECONDS.record([&mode, &command, &telemetry::outcome(&answer)], asked.elapsed());
        }
        answer
    }

    /// Opens any stream of the table.
    ///
    /// # Errors
    /// `read_only`, `invalid_request` for parameters that no Gateway could make sense of, or those of the operation.
    pub async fn subscribe(&self, request: StreamRequest) -> Result<EventStream> {
        let (mode, command) = (self.info().mode, request.command());
        check_access(self.info(), command, request.access())
            .and_then(|()| request.check())
            .map_err(Error::unsent)?;
        Ok(self.connection.subscribe(request, self.flow).await?.timed(mode, command))
    }

    /// Resolves when the connection is gone, at once if it already is.
    pub async fn closed(&self) -> CloseReason {
        self.connection.closed().await
    }

    /// Closes the session and waits until nothing of it is left. Idempotent.
    ///
    /// # Errors
    /// `closed` never; only what kept the connection from closing gracefully.
    pub async fn close(&self) -> Result<()> {
        self.connection.close().await
    }

    /// The same session for callers without a runtime: a clone. A blocking call needs none, and is answered even while
    /// every thread of a runtime is blocked.
    pub fn blocking(&self) -> BlockingSession {
        self.clone().into()
    }
}

/// A method per row of the table.
mod methods {
    use super::Session;
    use crate::types::*;
    use crate::{
        Error, ErrorKind, Event, Reply, Request, Result, StreamRequest, Subscription, operation_table,
    };

    macro_rules! session_methods {
        (
            requests { $( $(#[doc = $doc:literal])+
                $access:ident fn $method:ident($($param:ident: $Params:ty)?) -> $Reply:ty = $Variant:ident
                $(as $Shown:ident)?; )+ }
            streams { $( $(#[doc = $sdoc:literal])+
                $saccess:ident $content:ident fn $smethod:ident($($sparam:ident: $SParams:ty)?) -> $Event:ty = $SVariant:ident
                $(as $SShown:ident)?; )+ }
        ) => {
            impl Session {
                $( $(#[doc = $doc])+
                ///
                /// # Errors
                /// `timeout`, `gateway_error` with its code, or `disconnected`.
                pub async fn $method(&self $(, $param: $Params)?) -> Result<$Reply> {
                    match self.request(Request::$Variant $( ($param) )?).await? {
                        Reply::$Variant(reply) => Ok(reply),
                        #[allow(unreachable_patterns)]
                        other => Err(mismatch(stringify!($method), &other)),
                    }
                } )+

                $( $(#[doc = $sdoc])+
                ///
                /// # Errors
                /// `timeout` or `disconnected`; what the Gateway says later comes through the stream.
                pub async fn $smethod(&self $(, $sparam: $SParams)?) -> Result<Subscription<$Event>> {
                    let events = self.subscribe(StreamRequest::$SVariant $( ($sparam) )?).await?;
                    Ok(Subscription::new(events, |event| match event {
                        Event::$SVariant(event) => Ok(event),
                        #[allow(unreachable_patterns)]
                        other => Err(mismatch(stringify!($smethod), &other)),
                    }))
                } )+
            }
        };
    }

    operation_table! { session_methods }

    /// A fault of the backend's. This is looked at when the program runs, because a [`Connection`](crate::Connection) is an object, whose one
    /// `request` answers every row with one type; a backend that dispatches by [`Operations`](crate::backend::Operations) can't have it.
    fn mismatch(command: &str, got: &impl std::fmt::Debug) -> Error {
        Error::new(
            ErrorKind::Internal,
            format!("{command} was answered with another operation's data: {got:?}"),
        )
    }
}

/// Refuses what trades in a read-only session. A worker checks again on its side of the pipe.
///
/// # Errors
/// `read_only`, naming the command.
pub fn check_access(info: &ConnectionInfo, command: &str, access: Access) -> Result<()> {
    if access == Access::Trade && info.readonly {
        return Err(Error::new(
            ErrorKind::ReadOnly,
            format!("{command} trades, and this session is read-only"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trading_in_a_read_only_session_is_refused() {
        let mut info = ConnectionInfo::mock();
        let refused = check_access(&info, "place_order", Access::Trade).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ReadOnly);
        assert!(check_access(&info, "positions", Access::Read).is_ok());
        info.readonly = false;
        assert!(check_access(&info, "place_order", Access::Trade).is_ok());
    }
}
