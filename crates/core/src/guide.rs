//! The operations as people look them up: what each takes, with types and defaults. Read off the JSON Schema, so that there
//! is nothing to keep true by hand.

use serde::Serialize;
use serde_json::Value;

use crate::operation::{OPERATIONS, OperationInfo};
use crate::schema::operations_schema;

/// An operation with what it takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OperationGuide {
    /// Its row of the table.
    #[serde(flatten)]
    pub info: OperationInfo,
    /// Its parameters, in the order of the documentation.
    pub parameters: Vec<Parameter>,
    /// The objects among their types, by name, each with its fields.
    pub objects: Vec<ObjectGuide>,
    /// The JSON type of its reply or of each event.
    pub answer: String,
}

/// An object that a parameter is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ObjectGuide {
    /// The name of the type, as in the JSON Schema.
    pub name: String,
    /// Its fields.
    pub fields: Vec<Parameter>,
}

/// A parameter, or a field of an object that is one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Parameter {
    /// The JSON key.
    pub name: String,
    /// The JSON type in words: `string`, `[integer]`, `Contract`, `one of TRADES, BID_ASK`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Whether it must be given.
    pub required: bool,
    /// What it is when left out; `None` where nothing stands for it.
    pub default: Option<Value>,
    /// What it is for.
    pub doc: String,
}

/// Every operation of the table, in its order.
pub fn operation_guides() -> Vec<OperationGuide> {
    let schema = operations_schema();
    let guide = |info: &OperationInfo| {
        let described = &schema["operations"][info.command];
        let parameters = fields(&schema, resolve(&schema, &described["params"]));
        let mut objects = Vec::new();
        collect_objects(&schema, &described["params"], &mut objects);
        let answer = shape(&described[if info.stream { "event" } else { "reply" }]);
        OperationGuide { info: *info, parameters, objects, answer }
    };
    OPERATIONS.iter().map(guide).collect()
}

/// The fields of an object's schema.
fn fields(document: &Value, object: &Value) -> Vec<Parameter> {
    let required = object["required"].as_array().map_or(&[][..], Vec::as_slice);
    let parameter = |(name, field): (&String, &Value)| Parameter {
        name: name.clone(),
        type_name: in_words(document, field),
        required: required.iter().any(|required| required == name),
        default: field.get("default").cloned(),
        doc: plain(field["description"].as_str().unwrap_or_default()),
    };
    object["properties"].as_object().into_iter().flatten().map(parameter).collect()
}

/// The named objects that the fields of `schema` are or hold, each once.
fn collect_objects(document: &Value, schema: &Value, found: &mut Vec<ObjectGuide>) {
    for field in
        resolve(document, schema)["properties"].as_object().into_iter().flatten().map(|(_, field)| field)
    {
        for inner in
            [field, &field["items"]].into_iter().chain(field["anyOf"].as_array().into_iter().flatten())
        {
            let Some(name) = reference(inner) else { continue };
            let object = resolve(document, inner);
            if object["properties"].is_object() && found.iter().all(|known| known.name != name) {
                found.push(ObjectGuide { name: name.to_owned(), fields: fields(document, object) });
                collect_objects(document, inner, found);
            }
        }
    }
}

/// What a value is: a type's name, `[Name]` for a list.
fn shape(schema: &Value) -> String {
    if let Some(name) = reference(schema) {
        return name.to_owned();
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices.iter().map(shape).collect::<Vec<_>>().join(" or ");
    }
    match &schema["type"] {
        Value::String(kind) if kind == "array" => format!("[{}]", shape(&schema["items"])),
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    }
}

/// What may be written for a value: as [`shape`], with the names of a closed set spelled out.
fn in_words(document: &Value, schema: &Value) -> String {
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices.iter().map(|choice| in_words(document, choice)).collect::<Vec<_>>().join(" or ");
    }
    if schema["type"] == "array" {
        return format!("[{}]", in_words(document, &schema["items"]));
    }
    let resolved = resolve(document, schema);
    if let (Some(kind), Some(format)) = (resolved["type"].as_str(), resolved["format"].as_str())
        && kind == "string"
    {
        return format!("{kind} ({format})");
    }
    let names: Option<Vec<_>> = resolved["oneOf"]
        .as_array()
        .and_then(|names| names.iter().map(|name| name["const"].as_str()).collect());
    let described = if resolved["properties"].is_object() { schema } else { resolved };
    names.map_or_else(|| shape(described), |names| format!("one of {}", names.join(", ")))
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    reference(schema).map_or(schema, |name| &document["$defs"][name])
}

fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/$defs/")
}

/// A description in one line.
fn plain(doc: &str) -> String {
    doc.replace('\n', " ")
}

/// Documentation as those read it who know JSON and not Rust: without links ([`this`](there) is `this`) and examples, `None` is `null`,
/// and a paragraph is a line.
pub(crate) fn for_readers_of_json(doc: &str) -> String {
    // Of parts between fences, every second one is code.
    let prose: String = doc.split("```").step_by(2).collect();
    let paragraphs = prose.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
    let lines: Vec<String> = paragraphs.map(|paragraph| paragraph.replace('\n', " ")).collect();
    without_links(&lines.join("\n\n")).replace("`None`", "`null`")
}

fn without_links(doc: &str) -> String {
    let mut text = String::new();
    let mut rest = doc;
    while let Some((before, link)) = rest.split_once('[') {
        text.push_str(before);
        let Some((name, after)) = link.split_once(']') else {
            text.push('[');
            rest = link;
            continue;
        };
        text.push_str(name);
        let target = after.strip_prefix('(').and_then(|after| after.split_once(')'));
        rest = target.map_or(after, |(_, after)| after);
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn guide(command: &str) -> OperationGuide {
        operation_guides().into_iter().find(|guide| guide.info.command == command).unwrap()
    }

    #[test]
    fn a_parameter_has_its_type_and_default() {
        let guide = guide("historical_ticks");
        let parameter =
            |name: &str| guide.parameters.iter().find(|parameter| parameter.name == name).unwrap();
        assert_eq!(parameter("what_to_show").type_name, "one of TRADES, BID_ASK, MIDPOINT");
        assert_eq!(parameter("what_to_show").default, Some("TRADES".into()));
        assert_eq!(
            (parameter("start").type_name.as_str(), &parameter("start").default),
            ("string (date-time) or null", &Some(Value::Null))
        );
        assert_eq!(guide.answer, "HistoricalTicks");
    }

    #[test]
    fn the_objects_among_the_parameters_are_spelled_out() {
        let objects = guide("historical_bars").objects;
        assert!(
            objects.iter().any(|object| object.name == "Contract"
                && object.fields.iter().any(|field| field.name == "con_id"))
        );
        assert!(guide("positions").parameters.is_empty() && guide("positions").objects.is_empty());
    }

    #[test]
    fn every_parameter_says_what_it_is() {
        for guide in operation_guides() {
            let all = guide.parameters.iter().chain(guide.objects.iter().flat_map(|object| &object.fields));
            for parameter in all {
                let Parameter { name, type_name, doc, .. } = parameter;
                assert!(
                    !doc.is_empty() && !doc.contains("]("),
                    "{} of {}: {doc:?}",
                    name,
                    guide.info.command
                );
                assert!(
                    type_name != "any" && type_name != "[any]",
                    "{} of {}: {type_name}",
                    name,
                    guide.info.command
                );
            }
        }
    }

    #[test]
    fn what_may_be_left_out_need_not_be_given() {
        let objects = guide("contract_details").objects;
        let contract = guide("contract_details").parameters;
        assert!(contract.iter().all(|parameter| !parameter.required), "a contract is as full as one likes");
        let leg = objects.iter().find(|object| object.name == "ComboLeg").unwrap();
        let required = leg.fields.iter().filter(|field| field.required).map(|field| field.name.as_str());
        assert_eq!(
            required.collect::<BTreeSet<_>>(),
            BTreeSet::from(["action", "con_id", "exchange", "ratio"])
        );
        assert_eq!(leg.fields.iter().find(|field| field.name == "open_close").unwrap().type_name, "integer");
        assert!(leg.fields.iter().all(|field| field.required == field.default.is_none()));
    }

    #[test]
    fn documentation_is_for_those_who_know_json() {
        for (doc, read) in [
            ("see [`this`](there), [that] and a [ bracket", "see `this`, that and a [ bracket"),
            ("Until when;\n`None` for\nnow.", "Until when; `null` for now."),
            ("One.\n\n```\nlet x = [1];\n```\n\nTwo.", "One.\n\nTwo."),
            ("One.\n\n```\nlet x = 1;\n```", "One."),
        ] {
            assert_eq!(for_readers_of_json(doc), read);
        }
    }

    #[test]
    fn no_description_speaks_rust() {
        fn check(schema: &Value) {
            match schema {
                Value::Object(fields) => {
                    let description = fields.get("description").and_then(Value::as_str).unwrap_or_default();
                    for rust in ["`None`", "::", "Option<", "](", "[`", "```", "let "] {
                        assert!(!description.contains(rust), "{rust:?} in {description:?}");
                    }
                    fields.values().for_each(check);
                }
                Value::Array(values) => values.iter().for_each(check),
                _ => {}
            }
        }
        check(&operations_schema());
    }
}
