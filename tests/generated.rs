//! What is generated from tables is current: docs/operations.schema.json and the operations in docs/protocol.md, metrics, spans
//! and events in docs/observability.md. A test that finds an old one writes the new one, and fails: look at the difference and commit it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use ibkr_connect::operations::{
    OPERATIONS, OperationGuide, OperationInfo, Parameter, operation_guides, operations_schema,
};
use ibkr_connect::telemetry::{EVENTS, EventInfo, METRICS, MetricInfo, SPANS, SpanInfo, WORKER_LINES};
use serde_json::{Value, json};

#[test]
fn the_schema_file_is_current() {
    let schema = serde_json::to_string_pretty(&operations_schema()).unwrap();
    assert_current("docs/operations.schema.json", &(schema + "\n"));
}

#[test]
fn the_operations_in_the_protocol_page_are_current() {
    assert_part_current("docs/protocol.md", "the table of operations", &operations());
}

#[test]
fn the_tables_in_the_observability_page_are_current() {
    let tables = format!("\n{}\n## Spans\n\n{}\n## Events\n{}\n", metrics(), spans(), events());
    assert_part_current("docs/observability.md", "the tables of telemetry", &tables);
}

#[test]
fn every_reference_in_the_schema_leads_somewhere() {
    let schema = operations_schema();
    let definitions = schema["$defs"].as_object().unwrap();
    let mut references = Vec::new();
    collect_references(&schema, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let name = reference.strip_prefix("#/$defs/").expect("a reference into this document");
        assert!(definitions.contains_key(name), "{reference}");
    }
}

/// What the types write is what the schema promises: every golden file of a type fits its definition.
#[test]
fn golden_files_fit_the_schema() {
    let schema = operations_schema();
    let mut checked = 0;
    for file in fs::read_dir(path("crates/core/golden")).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap();
        let golden: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let one_type = json!({ "$ref": format!("#/$defs/{name}"), "$defs": schema["$defs"] });
        let validator = jsonschema::validator_for(&one_type).unwrap();
        for value in golden.as_array().unwrap_or(&vec![golden.clone()]) {
            let problems: Vec<_> = validator.iter_errors(value).map(|problem| problem.to_string()).collect();
            assert!(problems.is_empty(), "{name}: {problems:?} in {value}");
            checked += 1;
        }
    }
    assert!(checked >= OPERATIONS.len(), "{checked} values");
}

/// The part of `file` between the marks that name `table`.
fn assert_part_current(file: &str, table: &str, wanted: &str) {
    let mark = |which: &str| format!("<!-- generated from {table}: {which} -->");
    let (begin, end) = (mark("begin") + "\n", mark("end"));
    let page = fs::read_to_string(path(file)).unwrap();
    let (before, rest) = page.split_once(&begin).expect("the begin mark");
    let (_, after) = rest.split_once(&end).expect("the end mark");
    assert_current(file, &format!("{before}{begin}{wanted}{end}{after}"));
}

fn assert_current(file: &str, wanted: &str) {
    if fs::read_to_string(path(file)).is_ok_and(|found| found == wanted) {
        return;
    }
    fs::write(path(file), wanted).unwrap();
    panic!("{file} was old and has been rewritten: look at it, commit it, and run the test again");
}

fn path(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn collect_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(reference) if key == "$ref" => found.push(reference.clone()),
                    value => collect_references(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_references(value, found)),
        _ => {}
    }
}

/// The tables of requests and streams.
fn operations() -> String {
    let guides = operation_guides();
    let mut text = String::new();
    for (stream, answer) in [(false, "reply"), (true, "event")] {
        let kind = if stream { "stream" } else { "request" };
        writeln!(text, "\n| {kind} | params | {answer} | |\n|---|---|---|---|").unwrap();
        for OperationGuide { info, parameters, answer, .. } in
            guides.iter().filter(|guide| guide.info.stream == stream)
        {
            let (command, params) = (info.command, params(parameters));
            writeln!(text, "| `{command}` | {params} | `{answer}` | {} |", summary(info)).unwrap();
        }
    }
    text + "\n"
}

/// The first sentence of its documentation.
fn summary(operation: &OperationInfo) -> String {
    let doc = operation.doc.trim();
    let end = doc.find(". ").map_or(doc.len(), |end| end + 1);
    doc[..end].trim_end_matches('.').replace('|', "\\|")
}

/// The parameters by name, with the defaults that are worth a word.
fn params(parameters: &[Parameter]) -> String {
    let described = parameters.iter().map(|Parameter { name, default, .. }| match default {
        None | Some(Value::Null | Value::Object(_)) => format!("`{name}`"),
        Some(Value::String(text)) if text.is_empty() => format!("`{name}`"),
        Some(default) => format!("`{name}` (`{default}`)"),
    });
    let described: Vec<_> = described.collect();
    match described.len() {
        0 => "none".to_owned(),
        9.. => format!("{}, …", described[..8].join(", ")),
        _ => described.join(", "),
    }
}

fn metrics() -> String {
    let rows = METRICS.iter().map(|MetricInfo { name, kind, labels, doc, .. }| {
        format!("| `{name}` | {} | {} | {} |\n", kind.as_str(), names(labels), doc)
    });
    table("metric | kind | labels |", rows)
}

fn spans() -> String {
    let rows = SPANS.iter().map(|SpanInfo { name, level, target, fields, doc, .. }| {
        format!("| `{name}` | {level} | `{target}` | {} | {doc} |\n", names(fields))
    });
    table("span | level | target | fields |", rows)
}

/// A table per target.
fn events() -> String {
    let mut text = String::new();
    for target in EVENTS.chunk_by(|one, next| one.target == next.target) {
        let rows = target.iter().map(|EventInfo { name, levels, fields, doc, .. }| {
            format!("| `{name}` | {} | {} | {doc} |\n", levels.join(", "), names(fields))
        });
        let rows = table("event | level | fields |", rows);
        write!(text, "\n### `{}`\n\n{rows}", target[0].target).unwrap();
    }
    write!(
        text,
        "\n### `{WORKER_LINES}`\n\nThe lines on a worker's stderr, at the level that each begins with: events whose message is the \
         line, with the field `worker_pid`. The worker's own events are among them, as text.\n"
    )
    .unwrap();
    text
}

fn table(columns: &str, rows: impl Iterator<Item = String>) -> String {
    let rule = "|---".repeat(columns.matches('|').count() + 1);
    format!("| {columns} |\n{rule}|\n{}", rows.collect::<String>())
}

fn names(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
