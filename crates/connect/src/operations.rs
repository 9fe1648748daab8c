//! The table of operations as data: for programs that offer operations by name, and for other languages.

pub use ibkr_connect_core::{Access, OPERATIONS, OperationInfo};
#[cfg(feature = "schema")]
pub use ibkr_connect_core::{
    ObjectGuide, OperationGuide, Parameter, operation_guides, operation_schema, operations_schema,
};
