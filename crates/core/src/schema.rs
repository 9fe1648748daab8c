//! The operations and their types as one JSON Schema document, for programs in other languages.

use std::collections::BTreeSet;

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::guide::for_readers_of_json;
use crate::operation::{NoParams, OPERATIONS};
use crate::operation_table;
use crate::params::Params;
use crate::types::schema::{OptionalTime, Time};
use crate::types::*;

/// An operation's two schemas.
struct OperationSchema {
    params: Schema,
    /// The parameters that must be given.
    required: &'static [&'static str],
    reply: Schema,
}

macro_rules! schemas {
    (
        requests { $( $(#[doc = $doc:literal])+
            $access:ident fn $method:ident($($param:ident: $Params:ty)?) -> $Reply:ty = $Variant:ident
            $(as $Shown:ident)?; )+ }
        streams { $( $(#[doc = $sdoc:literal])+
            $saccess:ident $content:ident fn $smethod:ident($($sparam:ident: $SParams:ty)?) -> $Event:ty = $SVariant:ident
            $(as $SShown:ident)?; )+ }
    ) => {
        /// The JSON Schemas of every operation's parameters and answer, in the order of [`OPERATIONS`].
        fn operation_schemas(generator: &mut SchemaGenerator) -> Vec<OperationSchema> {
            vec![
                $( OperationSchema {
                    params: schema!(generator NoParams $(, $Params)?),
                    required: required!($($Params)?),
                    reply: schema!(generator $Reply $(, $Shown)?),
                }, )+
                $( OperationSchema {
                    params: schema!(generator NoParams $(, $SParams)?),
                    required: required!($($SParams)?),
                    reply: schema!(generator $Event $(, $SShown)?),
                }, )+
            ]
        }
    };
}

/// The parameters that must be given.
macro_rules! required {
    () => {
        &[]
    };
    ($Params:ty) => {
        <$Params as Params>::REQUIRED
    };
}

/// The schema of the last type named.
macro_rules! schema {
    ($generator:ident $Type:ty) => {
        $generator.subschema_for::<$Type>()
    };
    ($generator:ident $Type:ty, $Shown:ty) => {
        $generator.subschema_for::<$Shown>()
    };
}

operation_table! { schemas }

/// Every operation of the table with the schemas of its parameters and of its reply or events (JSON Schema 2020-12). The
/// types they share are under `$defs`.
pub fn operations_schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let schemas = operation_schemas(&mut generator);
    let mut definitions = generator.take_definitions(true);
    for schema in &schemas {
        require(&mut definitions, schema);
    }
    definitions.values_mut().for_each(describe);
    let operations: Map<_, _> = OPERATIONS
        .iter()
        .zip(schemas)
        .map(|(operation, schema)| {
            let answer = if operation.stream { "event" } else { "reply" };
            let entry = json!({
                "description": for_readers_of_json(operation.doc),
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
        "$defs": definitions,
    })
}

/// Puts the descriptions into words for those who know JSON and not Rust.
fn describe(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = for_readers_of_json(text);
            }
            fields.values_mut().for_each(describe);
        }
        Value::Array(values) => values.iter_mut().for_each(describe),
        _ => {}
    }
}

/// Marks the parameters that must be given. Reading takes a default in their place, and then the check refuses it.
fn require(definitions: &mut Map<String, Value>, OperationSchema { params, required, .. }: &OperationSchema) {
    let name = params.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix("#/$defs/"));
    let Some(definition) = name.filter(|_| !required.is_empty()).and_then(|name| definitions.get_mut(name))
    else {
        return;
    };
    for field in *required {
        if let Some(field) = definition["properties"].get_mut(field).and_then(Value::as_object_mut) {
            field.remove("default");
        }
    }
    definition["required"] = json!(required);
}

/// The schemas of one operation, with the types that it needs under `$defs`; `None` if the table has no such operation.
pub fn operation_schema(command: &str) -> Option<Value> {
    let document = operations_schema();
    let Value::Object(operation) = document["operations"].get(command)? else { return None };
    let mut needed = BTreeSet::new();
    for part in operation.values() {
        collect_definitions(&document, part, &mut needed);
    }
    // In the order of the whole document.
    let definitions: Map<_, _> =
        document["$defs"].as_object()?.iter().filter(|(name, _)| needed.contains(*name)).map(owned).collect();
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), document["$schema"].clone());
    schema.insert("title".to_owned(), command.into());
    schema.extend(operation.iter().map(owned));
    schema.insert("$defs".to_owned(), definitions.into());
    Some(schema.into())
}

fn owned((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// The definitions that `schema` refers to, and those that they refer to.
fn collect_definitions(document: &Value, schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                let name =
                    value.as_str().filter(|_| key == "$ref").and_then(|to| to.strip_prefix("#/$defs/"));
                match name {
                    Some(name) if found.contains(name) => {}
                    Some(name) => {
                        found.insert(name.to_owned());
                        collect_definitions(document, &document["$defs"][name], found);
                    }
                    None => collect_definitions(document, value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_definitions(document, value, found)),
        _ => {}
    }
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
