//! What every ibkr-connect backend shares: the seam, the errors, the operations, the types, the configuration.
//!
//! Reading order: [`Connector`] and [`Connection`] are the seam; [`Session`] is what a program holds;
//! [`Request`] and its neighbours come from the one table of operations; [`Config`] is everything a user can set.

#![forbid(unsafe_code)]
// What programs hold gets more fields.
#![warn(clippy::exhaustive_structs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod attempt;
#[doc(hidden)]
pub mod backend;
mod blocking;
mod budget;
mod choice;
pub mod config;
mod conflation;
mod connector;
mod dispatch;
mod error;
mod flow;
#[cfg(feature = "schema")]
mod guide;
mod lag;
mod literal;
mod log_accounts;
#[cfg(feature = "mock")]
mod mock;
mod mode;
mod operation;
mod params;
mod phase;
mod plain;
#[cfg(feature = "schema")]
mod schema;
mod session;
mod stream;
mod table;
pub mod telemetry;
pub mod types;
mod weight;

pub use attempt::Attempt;
pub use blocking::{BlockingSession, BlockingSubscription, Elapsed};
pub use config::Config;
pub use connector::{CloseReason, Connection, ConnectionInfo, Connector, Target, ZombieReport};
pub use error::{Error, ErrorKind, Result};
pub use flow::{FlowControl, STREAM_CAPACITY};
#[cfg(feature = "schema")]
pub use guide::{ObjectGuide, OperationGuide, Parameter, operation_guides};
pub use log_accounts::{mask_account, mask_accounts};
#[cfg(feature = "mock")]
pub use mock::{MockConnection, MockConnector};
pub use mode::ConnectionMode;
pub use operation::{Access, Event, OPERATIONS, OperationInfo, Reply, Request, StreamRequest};
pub use phase::{Phase, PhaseTiming};
#[cfg(feature = "schema")]
pub use schema::{operation_schema, operations_schema};
pub use session::Session;
pub use stream::{EventStream, Subscription};

// What the crates around this one are made with, and programs have no use for.
#[doc(hidden)]
pub use blocking::block_on;
#[doc(hidden)]
pub use budget::{SESSION_CAPACITY, STREAM_RESERVE, StreamBudget};
#[doc(hidden)]
pub use conflation::ConflationKey;
#[doc(hidden)]
pub use connector::random_client_id;
#[doc(hidden)]
pub use mode::Backends;
#[doc(hidden)]
pub use operation::Content;
#[doc(hidden)]
pub use phase::millis;
#[doc(hidden)]
pub use plain::{plain, plain_lines};
#[doc(hidden)]
pub use session::check_access;
#[doc(hidden)]
pub use stream::{EventSender, StreamControl, event_channel};
