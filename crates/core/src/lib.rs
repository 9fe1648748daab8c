//! What every ibkr-connect backend shares: the seam, the errors, the operations, the types, the configuration.
//!
//! Reading order: [`Connector`] and [`Connection`] are the seam; [`Session`] is what a program holds;
//! [`Request`] and its neighbours come from the one table of operations; [`Config`] is everything a user can set.

#![forbid(unsafe_code)]

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
pub use blocking::{BlockingSession, BlockingSubscription, Elapsed, block_on};
pub use budget::{SESSION_CAPACITY, STREAM_RESERVE, StreamBudget};
pub use config::Config;
pub use conflation::ConflationKey;
pub use connector::{
    CloseReason, Connection, ConnectionInfo, Connector, Target, ZombieReport, random_client_id,
};
pub use error::{Error, ErrorKind, Result};
pub use flow::{FlowControl, STREAM_CAPACITY};
#[cfg(feature = "schema")]
pub use guide::{ObjectGuide, OperationGuide, Parameter, operation_guides};
pub use log_accounts::{mask_account, mask_accounts};
#[cfg(feature = "mock")]
pub use mock::{MockConnection, MockConnector};
pub use mode::{Backends, ConnectionMode};
pub use operation::{Access, Content, Event, OPERATIONS, OperationInfo, Reply, Request, StreamRequest};
pub use phase::{Phase, PhaseTiming, millis};
pub use plain::{plain, plain_lines};
#[cfg(feature = "schema")]
pub use schema::{operation_schema, operations_schema};
pub use session::{Session, check_access};
pub use stream::{EventSender, EventStream, StreamControl, Subscription, event_channel};
