//! The promises of docs/operations.schema.json, for one row.

use std::sync::LazyLock;

use ibkr_connect::operations::{OperationInfo, operations_schema};
use serde_json::{Value, json};

static SCHEMA: LazyLock<Value> = LazyLock::new(operations_schema);

/// `value` is what the schema says of the row's `part`: `params`, `reply` or `event`.
pub(crate) fn check(operation: &OperationInfo, part: &str, value: &Value) -> Result<(), String> {
    let mut schema = SCHEMA["operations"][operation.command][part].clone();
    schema["$defs"] = json!(SCHEMA["$defs"]);
    let validator =
        jsonschema::validator_for(&schema).map_err(|error| format!("the schema of {part}: {error}"))?;
    let problems: Vec<_> = validator.iter_errors(value).map(|problem| problem.to_string()).collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(format!("not the {part} of the schema: {problems:?} in {value}"))
    }
}

/// The part that answers are of.
pub(crate) fn answer_of(operation: &OperationInfo) -> &'static str {
    if operation.stream { "event" } else { "reply" }
}
