//! The operations and their types as one JSON Schema document, for programs in other languages.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::operation::{OPERATIONS, operation_schemas};

/// An operation's two schemas.
pub(crate) struct OperationSchema {
    pub(crate) params: Schema,
    pub(crate) reply: Schema,
}

/// Every operation of the table with the schemas of its parameters and of its reply or events (JSON Schema 2020-12). The
/// types they share are under `$defs`.
pub fn operations_schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let schemas = operation_schemas(&mut generator);
    let operations: Map<_, _> = OPERATIONS
        .iter()
        .zip(schemas)
        .map(|(operation, schema)| {
            let answer = if operation.stream { "event" } else { "reply" };
            let entry = json!({
                "description": operation.doc.trim(),
                "access": operation.access,
                "stream": operation.stream,
                "params": schema.params,
                answer: schema.reply,
            });
            (operation.command.to_owned(), entry)
        })
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The operations of the ibkr-connect worker protocol",
        "operations": operations,
        "$defs": generator.take_definitions(true),
    })
}

/// A time, RFC 3339 in UTC.
pub(crate) enum Time {}

impl JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A time, RFC 3339 in UTC.", "type": "string", "format": "date-time" })
    }
}

/// A day of a calendar, `yyyy-mm-dd`.
pub(crate) enum Day {}

impl JsonSchema for Day {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A day, yyyy-mm-dd.", "type": "string", "format": "date" })
    }
}
