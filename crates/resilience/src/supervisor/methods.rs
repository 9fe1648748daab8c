//! A method per row of the table of operations: `operation_table!` in `ibkr_connect_core` has them all.

use ibkr_connect_core::types::*;
use ibkr_connect_core::{Error, ErrorKind, Event, Result, StreamRequest, operation_table};

use super::{SupervisedStream, Supervisor};

macro_rules! supervisor_methods {
    (
        requests { $( $(#[doc = $doc:literal])+
            $access:ident fn $method:ident($($param:ident: $Params:ty)?) -> $Reply:ty = $Variant:ident
            $(as $Shown:ident)?; )+ }
        streams { $( $(#[doc = $sdoc:literal])+
            $saccess:ident $content:ident fn $smethod:ident($($sparam:ident: $SParams:ty)?) -> $Event:ty = $SVariant:ident
            $(as $SShown:ident)?; )+ }
    ) => {
        impl Supervisor {
            $( $(#[doc = $doc])+
            ///
            /// It is asked once, in the current session; [`session`](Self::session) waits for one.
            ///
            /// # Errors
            /// `disconnected`, at once, while there is no session; `closed`; and those of the method of the same name on
            /// [`Session`](ibkr_connect_core::Session).
            pub async fn $method(&self $(, $param: $Params)?) -> Result<$Reply> {
                self.in_current()?.$method($($param)?).await
            } )+

            $( $(#[doc = $sdoc])+
            ///
            /// It goes on in later sessions. Until it is open the first time, this waits.
            ///
            /// # Errors
            /// Those of [`subscribe`](Self::subscribe).
            pub async fn $smethod(&self $(, $sparam: $SParams)?) -> Result<SupervisedStream<$Event>> {
                let convert = |event| match event {
                    Event::$SVariant(event) => Ok(event),
                    other => Err(mismatch(stringify!($smethod), &other)),
                };
                self.open(StreamRequest::$SVariant $( ($sparam) )?, convert).await
            } )+
        }
    };
}

operation_table! { supervisor_methods }

/// A fault of the backend's.
fn mismatch(command: &str, got: &Event) -> Error {
    Error::new(ErrorKind::Internal, format!("{command} was given another operation's event: {got:?}"))
}
