//! What runs the operations of the table: a method per row, with the types of the row. A row that is forgotten, or answered with
//! another type, does not compile.

use std::future::Future;
use std::pin::Pin;

use crate::types::*;
use crate::{Error, Event, EventSender, Reply, Request, Result, StreamRequest, operation_table};

/// Where the events of one row's stream go.
#[derive(Debug)]
pub struct Events<'a, T> {
    sender: &'a EventSender,
    event: fn(T) -> Event,
}

impl<'a, T> Events<'a, T> {
    fn new(sender: &'a EventSender, event: fn(T) -> Event) -> Self {
        Self { sender, event }
    }

    /// Hands an event over. It never waits, see [`EventSender::send`].
    pub fn send(&self, event: T) {
        self.sender.send((self.event)(event));
    }
}

/// A stream that is open: carries its events until it fails, or ends by itself. Dropping it cancels the stream at the Gateway.
pub type Carrying<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

macro_rules! operations {
    (
        requests { $( $(#[doc = $doc:literal])+
            $access:ident fn $method:ident($($param:ident: $Params:ty)?) -> $Reply:ty = $Variant:ident
            $(as $Shown:ident)?; )+ }
        streams { $( $(#[doc = $sdoc:literal])+
            $saccess:ident $content:ident fn $smethod:ident($($sparam:ident: $SParams:ty)?) -> $Event:ty = $SVariant:ident
            $(as $SShown:ident)?; )+ }
    ) => {
        /// Every operation of the table, as a backend runs it.
        ///
        /// # Behavior
        /// - The caller keeps the deadlines; dropping a future cancels its operation at the Gateway.
        /// - The method of a stream opens it. What it returns carries the events to their [`Events`].
        /// - Errors leave the operation's name out: [`dispatch`] and [`dispatch_stream`] put it in front.
        pub trait Operations: Sync {
            $( $(#[doc = $doc])+
            fn $method<'a>(&'a self $(, $param: &'a $Params)?) -> impl Future<Output = Result<$Reply>> + Send + 'a; )+

            $( $(#[doc = $sdoc])+
            fn $smethod<'a>(&'a self, $($sparam: &'a $SParams,)? events: Events<'a, $Event>)
                -> impl Future<Output = Result<Carrying<'a>>> + Send + 'a; )+
        }

        async fn reply(operations: &impl Operations, request: &Request) -> Result<Reply> {
            match request {
                $( Request::$Variant $( ($param) )? => operations.$method($($param)?).await.map(Reply::$Variant), )+
            }
        }

        async fn open<'a>(
            operations: &'a impl Operations,
            request: &'a StreamRequest,
            sender: &'a EventSender,
        ) -> Result<Carrying<'a>> {
            match request {
                $( StreamRequest::$SVariant $( ($sparam) )? => {
                    operations.$smethod($($sparam,)? Events::new(sender, Event::$SVariant)).await
                } )+
            }
        }
    };
}

operation_table! { operations }

/// Runs a one-shot.
///
/// # Errors
/// Those of the operation, which is named in front of the message.
pub async fn dispatch(operations: &impl Operations, request: &Request) -> Result<Reply> {
    reply(operations, request).await.map_err(|error| named(request.command(), error))
}

/// Opens a stream, whose events go to `sender`. The caller tells that one the end, as the future that is returned tells it.
///
/// # Errors
/// Those of the operation, which is named in front of the message.
pub async fn dispatch_stream<'a>(
    operations: &'a impl Operations,
    request: &'a StreamRequest,
    sender: &'a EventSender,
) -> Result<Carrying<'a>> {
    let command = request.command();
    let carrying = open(operations, request, sender).await.map_err(|error| named(command, error))?;
    Ok(Box::pin(async move { carrying.await.map_err(|error| named(command, error)) }))
}

fn named(command: &str, error: Error) -> Error {
    error.map_message(|message| format!("{command}: {message}"))
}
