//! Every type of the table, as JSON: any value that the schema allows survives the way through a worker, and the golden files in
//! `golden/` stay readable and stay what is written.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::samples::for_all;
use crate::operation_table;
use crate::types::*;

/// Nothing is refused for want of what the schema does not demand, and everything is for want of what it does.
#[test]
fn what_must_be_given_is_required_and_nothing_else() {
    use crate::{OPERATIONS, Request, StreamRequest};
    let read = |command: &str, params: &str| {
        Request::from_json(command, params).and_then(|request| match request {
            Some(_) => Ok(()),
            None => StreamRequest::from_json(command, params).map(|_| ()),
        })
    };
    let mut demanding = 0;
    for command in OPERATIONS.iter().map(|operation| operation.command) {
        let schema = super::operation_schema(command).unwrap();
        let name = schema["params"]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        let params = &schema["$defs"][name];
        let required = params["required"].as_array().map_or(&[][..], Vec::as_slice);
        // Either of two things, which is more than `required` can say.
        let is_a_choice = ["contract_details", "wsh_events"].contains(&command);
        assert_eq!(read(command, "{}").is_err(), !required.is_empty() || is_a_choice, "{command}");
        let fields: serde_json::Map<_, _> = required
            .iter()
            .map(|field| {
                let field = field.as_str().unwrap();
                assert_eq!(params["properties"][field].get("default"), None, "{command}: {field}");
                (field.to_owned(), some_value(field))
            })
            .collect();
        if !is_a_choice {
            read(command, &Value::from(fields.clone()).to_string()).unwrap_or_else(|error| panic!("{error}"));
        }
        for field in fields.keys() {
            let mut without = fields.clone();
            without.remove(field);
            assert!(read(command, &Value::from(without).to_string()).is_err(), "{command} without {field}");
            demanding += 1;
        }
    }
    assert!(demanding > 25, "{demanding}");
}

fn some_value(field: &str) -> Value {
    match field {
        "contract" => serde_json::json!({ "symbol": "AAPL", "sec_type": "STK" }),
        "provider_codes" => serde_json::json!(["BRFG"]),
        "con_id" => 265_598.into(),
        "volatility" | "under_price" | "option_price" => 0.5.into(),
        _ => "x".into(),
    }
}

/// A module per row with a test per part, and the parts for the tests of golden files.
macro_rules! tests_of_parts {
    (
        requests { $( $(#[doc = $doc:literal])+
            $access:ident fn $method:ident($($param:ident: $Params:ty)?) -> $Reply:ty = $Variant:ident
            $(as $Shown:ident)?; )+ }
        streams { $( $(#[doc = $sdoc:literal])+
            $saccess:ident $content:ident fn $smethod:ident($($sparam:ident: $SParams:ty)?) -> $Event:ty = $SVariant:ident
            $(as $SShown:ident)?; )+ }
    ) => {
        $( mod $method {
            use super::*;

            $(
                #[test]
                fn params() {
                    assert_survives::<$Params>(stringify!($method), "params");
                }
            )?

            #[test]
            fn reply() {
                assert_survives::<$Reply>(stringify!($method), "reply");
            }
        } )+

        $( mod $smethod {
            use super::*;

            $(
                #[test]
                fn params() {
                    assert_survives::<$SParams>(stringify!($smethod), "params");
                }
            )?

            #[test]
            fn event() {
                assert_survives::<$Event>(stringify!($smethod), "event");
            }
        } )+

        const PARTS: &[Part] = &[
            $(
                $( Part::of::<$Params>(stringify!($method), "params"), )?
                Part::of::<$Reply>(stringify!($method), "reply"),
            )+
            $(
                $( Part::of::<$SParams>(stringify!($smethod), "params"), )?
                Part::of::<$Event>(stringify!($smethod), "event"),
            )+
        ];
    };
}

operation_table! { tests_of_parts }

/// What is read says what was written, and is the same when it is read and written again.
fn assert_survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(command: &str, part: &str) {
    for_all(command, part, |value| {
        let read: T = serde_json::from_str(&value.to_string())?;
        let written = serde_json::to_string(&read)?;
        prop_assert!(says(&serde_json::from_str(&written)?, value), "{value} became {written}");
        let again: T = serde_json::from_str(&written)?;
        prop_assert_eq!(serde_json::to_string(&again)?, written);
        prop_assert_eq!(again, read);
        Ok(())
    });
}

/// Whether `written` has all that `value` says. What `value` leaves out is there with its default; what is empty may be left out.
fn says(written: &Value, value: &Value) -> bool {
    match (written, value) {
        (Value::Object(written), Value::Object(value)) => value.iter().all(|(name, value)| {
            written.get(name).map_or_else(|| is_empty(value), |written| says(written, value))
        }),
        (Value::Array(written), Value::Array(values)) => {
            written.len() == values.len()
                && written.iter().zip(values).all(|(written, value)| says(written, value))
        }
        (Value::Number(written), Value::Number(value)) => {
            written == value || written.as_f64() == value.as_f64()
        }
        _ => written == value,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        // Flags of which none is set.
        Value::Object(fields) => fields.values().all(|value| is_empty(value) || *value == Value::Bool(false)),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// One part of an operation, and how its JSON, or a list of it, is read and written again.
struct Part {
    command: &'static str,
    name: &'static str,
    again: fn(&str) -> serde_json::Result<String>,
    list_again: fn(&str) -> serde_json::Result<String>,
}

impl Part {
    const fn of<T: Serialize + DeserializeOwned>(command: &'static str, name: &'static str) -> Self {
        Self { command, name, again: again::<T>, list_again: again::<Vec<T>> }
    }

    fn is_list(&self, schema: &Value) -> bool {
        schema["operations"][self.command][self.name]["type"] == "array"
    }

    /// The type that it is, or is a list of, if that has fields.
    fn compound<'a>(&self, schema: &'a Value) -> Option<&'a str> {
        let part = &schema["operations"][self.command][self.name];
        let name = reference(if self.is_list(schema) { &part["items"] } else { part })?;
        is_compound(&schema["$defs"][name]).then_some(name)
    }
}

fn again<T: Serialize + DeserializeOwned>(json: &str) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&serde_json::from_str::<T>(json)?)
}

/// A golden file is one value of the type in pretty JSON, or an array of values where the type has variants; write it by hand,
/// the failing test shows what it should be.
#[test]
fn golden_files_are_what_is_written() {
    let schema = super::operations_schema();
    for part in PARTS {
        let Some(name) = part.compound(&schema) else { continue };
        let golden = golden(name);
        let again = if part.is_list(&schema) { part.again } else { part.list_again };
        let written = again(&golden).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(written, golden, "{name}, written today:\n{written}");
    }
}

/// Those with fields of their own; what names there are for kinds is in the schema, whose file is compared.
#[test]
fn every_compound_part_has_a_golden_file_and_every_file_a_part() {
    let schema = super::operations_schema();
    let compounds: BTreeSet<_> =
        PARTS.iter().filter_map(|part| part.compound(&schema)).map(|name| format!("{name}.json")).collect();
    let files: BTreeSet<_> = std::fs::read_dir(directory())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files, compounds);
}

#[test]
fn every_compound_type_and_variant_of_the_schema_is_in_a_golden_file() {
    let schema = super::operations_schema();
    let mut walk = Walk { definitions: &schema["$defs"], met: BTreeSet::new() };
    for name in PARTS.iter().filter_map(|part| part.compound(&schema)) {
        let values: Vec<Value> = serde_json::from_str(&golden(name)).unwrap();
        values.iter().for_each(|value| walk.definition(value, name));
    }
    let wanted: BTreeSet<String> = schema["$defs"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, definition)| is_compound(definition))
        .flat_map(|(name, definition)| {
            let variants = variants(definition).filter_map(move |variant| place(name, variant));
            std::iter::once(name.clone()).chain(variants)
        })
        .collect();
    let missing: Vec<_> = wanted.difference(&walk.met).collect();
    assert!(missing.is_empty(), "in no golden file: {missing:?}");
}

/// Which types and variants values are made of.
struct Walk<'a> {
    definitions: &'a Value,
    met: BTreeSet<String>,
}

impl<'a> Walk<'a> {
    fn definition(&mut self, value: &Value, name: &'a str) {
        self.met.insert(name.to_owned());
        let definition = &self.definitions[name];
        for variant in variants(definition).filter(|variant| takes(variant, value)) {
            self.met.extend(place(name, variant));
        }
        self.schema(value, definition);
    }

    fn schema(&mut self, value: &Value, schema: &'a Value) {
        if let Some(name) = reference(schema) {
            return self.definition(value, name);
        }
        for variant in variants(schema).filter(|variant| takes(variant, value)) {
            self.schema(value, variant);
        }
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.schema(value, &schema["items"])),
            Value::Object(fields) => {
                fields.iter().for_each(|(name, value)| self.schema(value, &schema["properties"][name]));
            }
            _ => {}
        }
    }
}

fn variants(schema: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf"].into_iter().filter_map(|choice| schema[choice].as_array()).flatten()
}

/// Whether a value is of a variant: it has the variant's tag, or is not nothing where the variant is a type.
fn takes(variant: &Value, value: &Value) -> bool {
    tag(variant).map_or(reference(variant).is_some() && !value.is_null(), |tag| value.get(tag).is_some())
}

/// The name of a variant that has fields.
fn place(definition: &str, variant: &Value) -> Option<String> {
    tag(variant).map(|tag| format!("{definition}.{tag}"))
}

fn tag(variant: &Value) -> Option<&str> {
    variant["required"][0].as_str()
}

fn is_compound(definition: &Value) -> bool {
    let has_fields = |schema: &Value| schema["properties"].is_object();
    has_fields(definition) || variants(definition).any(has_fields)
}

fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/$defs/")
}

/// The golden file of a type, as a list.
fn golden(name: &str) -> String {
    let path = directory().join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let text = text.trim_end();
    if text.starts_with('[') {
        return text.to_owned();
    }
    format!("[\n  {}\n]", text.replace('\n', "\n  "))
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}
