//! What the command prints with `--json`, held against docs/json.schema.json.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    let mut schema = parse(include_str!("../../docs/json.schema.json"));
    // One document, so that nothing has to be looked up.
    let operations =
        parse(&include_str!("../../docs/operations.schema.json").replace("#/$defs/", "#/$defs/op."));
    point_inwards(&mut schema);
    let definitions = schema["$defs"].as_object_mut().unwrap();
    for (name, definition) in operations["$defs"].as_object().unwrap() {
        definitions.insert(format!("op.{name}"), definition.clone());
    }
    jsonschema::validator_for(&schema).unwrap()
});

fn point_inwards(schema: &mut Value) {
    match schema {
        Value::Object(fields) => fields.values_mut().for_each(point_inwards),
        Value::Array(values) => values.iter_mut().for_each(point_inwards),
        Value::String(text) => {
            if let Some(name) = text.strip_prefix("operations.schema.json#/$defs/") {
                *text = format!("#/$defs/op.{name}");
            }
        }
        _ => {}
    }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A line as the schema has it.
pub(crate) fn line(text: &str) -> Value {
    let value = parse(text);
    if let Some(problem) = problem(&value) {
        panic!("{problem} in {value}");
    }
    value
}

/// What the schema has against a value.
pub(crate) fn problem(value: &Value) -> Option<String> {
    VALIDATOR
        .iter_errors(value)
        .next()
        .map(|error| format!("{error} at {:?}", error.instance_path().to_string()))
}
