//! Values as the JSON Schema allows them, for property tests. What the schema says about a type is all that is known of it, so
//! a value that the type refuses is a mistake of one of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

/// Runs `test` on values of one part of an operation: its `params`, or its `reply` or `event`.
pub(crate) fn for_all(command: &str, part: &str, test: impl Fn(&Value) -> Result<(), TestCaseError>) {
    let schema = super::operations_schema();
    let mut samples = Samples::new(&schema["$defs"]);
    let values = samples.of(&schema["operations"][command][part]);
    let config = Config { cases: 32, failure_persistence: None, ..Config::default() };
    if let Err(problem) = TestRunner::new(config).run(&values, |value| test(&value)) {
        panic!("{command}, {part}: {problem}");
    }
}

type Sample = BoxedStrategy<Value>;

/// Strategies for the schemas of one document.
struct Samples<'a> {
    definitions: &'a Value,
    /// Those of the definitions that have been met.
    known: BTreeMap<&'a str, Sample>,
    text: Sample,
    number: Sample,
}

impl<'a> Samples<'a> {
    fn new(definitions: &'a Value) -> Self {
        Self { definitions, known: BTreeMap::new(), text: text(), number: number() }
    }

    fn of(&mut self, schema: &'a Value) -> Sample {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.definition(reference);
        }
        if let Some(constant) = schema.get("const") {
            return Just(constant.clone()).boxed();
        }
        for choice in ["enum", "examples"] {
            if let Some(values) = schema[choice].as_array() {
                return select(values.clone()).boxed();
            }
        }
        for choice in ["oneOf", "anyOf"] {
            if let Some(variants) = schema[choice].as_array() {
                return one_of(variants.iter().map(|variant| self.of(variant)).collect());
            }
        }
        match &schema["type"] {
            Value::Array(types) => one_of(types.iter().map(|kind| self.typed(kind, schema)).collect()),
            kind => self.typed(kind, schema),
        }
    }

    fn definition(&mut self, reference: &'a str) -> Sample {
        let name = reference.strip_prefix("#/$defs/").unwrap();
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let strategy = self.of(&self.definitions[name]);
        self.known.insert(name, strategy.clone());
        strategy
    }

    fn typed(&mut self, kind: &Value, schema: &'a Value) -> Sample {
        match (kind.as_str().unwrap_or_default(), schema["format"].as_str()) {
            ("null", _) => Just(Value::Null).boxed(),
            ("boolean", None) => any::<bool>().prop_map(Value::from).boxed(),
            ("integer", Some(format)) => integer(format, schema),
            ("number", Some("double")) => self.number.clone(),
            ("string", None) => self.text.clone(),
            ("string", Some("date-time")) => time(),
            ("string", Some("date")) => day(),
            ("array", None) => {
                let item = self.of(&schema["items"]);
                prop::collection::vec(item, 0..4).prop_map(Value::from).boxed()
            }
            ("object", None) => self.object(schema),
            // A strategy that guessed would test something else than the schema says.
            _ => panic!("no strategy for {schema}"),
        }
    }

    /// Fields that are not required are there or not; an object without a list of fields is a map.
    fn object(&mut self, schema: &'a Value) -> Sample {
        if schema["additionalProperties"].is_object() {
            let value = self.of(&schema["additionalProperties"]);
            let key = self.text.clone().prop_map(|key| key.as_str().unwrap_or_default().to_owned());
            return prop::collection::btree_map(key, value, 0..3).prop_map(object).boxed();
        }
        let (mut names, mut fields) = (Vec::new(), Vec::new());
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let value = self.of(field);
            let is_required = schema["required"].as_array().is_some_and(|names| names.contains(&json!(name)));
            names.push(name.clone());
            fields.push(if is_required {
                value.prop_map(Some).boxed()
            } else {
                prop::option::of(value).boxed()
            });
        }
        let named = move |values: Vec<_>| names.clone().into_iter().zip(values);
        fields
            .prop_map(move |values| object(named(values).filter_map(|(name, value)| Some((name, value?)))))
            .boxed()
    }
}

fn object(fields: impl IntoIterator<Item = (String, Value)>) -> Value {
    Value::Object(fields.into_iter().collect())
}

fn one_of(choices: Vec<Sample>) -> Sample {
    proptest::strategy::Union::new(choices).boxed()
}

/// Any text, and mostly those that programs trip over: none, control characters, quotes, what is no ASCII.
fn text() -> Sample {
    let any_text = prop::collection::vec(any::<char>(), 0..12).prop_map(String::from_iter);
    const AWKWARD: &[&str] =
        &["", "AAPL", "\0\u{1b}\n", "\"\\", "null", "\u{feff}Zürich 🦀", "\u{2028}\u{10ffff}"];
    prop_oneof![any_text, select(AWKWARD).prop_map(str::to_owned)].prop_map(Value::from).boxed()
}

/// Prices and sizes, the edges of doubles, and whole numbers, which others may write without a point.
fn number() -> Sample {
    const EDGES: &[f64] =
        &[f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, -0.0, 2_147_483_647.0, 9_223_372_036_854_775_807.0];
    prop_oneof![
        any::<f64>().prop_map(Value::from),
        (-1_000_000_i32..1_000_000).prop_map(|cents| Value::from(f64::from(cents) / 100.0)),
        any::<i32>().prop_map(Value::from),
        select(EDGES).prop_map(Value::from),
    ]
    .boxed()
}

/// Numbers of a format within the schema's bounds, both ends included more often than chance would.
fn integer(format: &str, schema: &Value) -> Sample {
    let (lowest, highest) = match format {
        "int32" => (i32::MIN.into(), i32::MAX.into()),
        "int64" => (i64::MIN, i64::MAX),
        "uint8" => (0, u8::MAX.into()),
        "uint16" => (0, u16::MAX.into()),
        "uint32" => (0, u32::MAX.into()),
        _ => panic!("no integers of the format {format}"),
    };
    let lowest = schema["minimum"].as_i64().unwrap_or(lowest).max(lowest);
    let highest = schema["maximum"].as_i64().unwrap_or(highest).min(highest);
    prop_oneof![2 => lowest..=highest, 1 => select(vec![lowest, highest])].prop_map(Value::from).boxed()
}

/// Any instant, the first and the last included.
fn time() -> Sample {
    prop_oneof![
        select(vec![Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH]),
        (Timestamp::MIN.as_nanosecond()..=Timestamp::MAX.as_nanosecond())
            .prop_map(|nanos| Timestamp::from_nanosecond(nanos).unwrap()),
    ]
    .prop_map(|time| Value::from(time.to_string()))
    .boxed()
}

/// Any day, the first and the last included.
fn day() -> Sample {
    prop_oneof![
        select(vec![Date::MIN, Date::MAX]),
        (0_i16..=9_999, 1_i8..=12, 1_i8..=28)
            .prop_map(|(year, month, day)| jiff::civil::date(year, month, day)),
    ]
    .prop_map(|day| Value::from(day.to_string()))
    .boxed()
}
