//! How times and days stand in the JSON Schema.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

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

/// A time, or none.
pub(crate) type OptionalTime = Option<Time>;

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
