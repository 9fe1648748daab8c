//! The events and spans in the sources, against the tables: what no test drives is checked too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ibkr_connect::telemetry::{EVENTS, SPANS};

/// The crates that tell something; the root is the command.
const CRATES: [&str; 8] = [
    "crates/cleanup",
    "crates/connect",
    "crates/core",
    "crates/direct",
    "crates/protocol",
    "crates/resilience",
    "crates/subprocess",
    "",
];

const LEVELS: [&str; 5] = ["trace", "debug", "info", "warn", "error"];

pub(crate) fn assert_as_in_the_tables() {
    let mut seen = BTreeSet::new();
    for home in CRATES {
        for file in rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(home).join("src")) {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            for level in LEVELS {
                for call in calls(code, &format!("tracing::{level}!(")) {
                    let (name, fields) = parts(&call);
                    let event = EVENTS.iter().find(|event| event.name == name);
                    let event = event.unwrap_or_else(|| panic!("{file:?}: not in the table: {call}"));
                    assert_eq!(fields, sorted(event.fields), "{file:?}: {call}");
                    assert!(event.levels.contains(&level), "{file:?}: {call}");
                    seen.insert(event.name);
                }
                for call in calls(code, &format!("tracing::{level}_span!(")) {
                    let (name, fields) = parts(&call);
                    let span = SPANS.iter().find(|span| span.name == name);
                    let span = span.unwrap_or_else(|| panic!("{file:?}: not in the table: {call}"));
                    assert_eq!((fields, span.level), (sorted(span.fields), level), "{file:?}: {call}");
                    seen.insert(span.name);
                }
            }
        }
    }
    let known = EVENTS.iter().map(|event| event.name).chain(SPANS.iter().map(|span| span.name));
    let never: Vec<_> = known.filter(|name| !seen.contains(name)).collect();
    assert!(never.is_empty(), "in the tables, and never told: {never:?}");
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The arguments of each call of a macro.
fn calls(code: &str, macro_name: &str) -> Vec<String> {
    code.match_indices(macro_name).map(|(at, _)| arguments(&code[at + macro_name.len()..])).collect()
}

fn arguments(code: &str) -> String {
    let mut depth = 1;
    let end = code.find(|letter| {
        depth += i32::from(matches!(letter, '(' | '[' | '{')) - i32::from(matches!(letter, ')' | ']' | '}'));
        depth == 0
    });
    code[..end.expect("the end of the call")].to_owned()
}

/// The name, which is the one bare text, and the fields in alphabetical order.
fn parts(call: &str) -> (String, Vec<String>) {
    let (mut name, mut fields) = (String::new(), Vec::new());
    for argument in split(call) {
        match argument.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(text) => text.clone_into(&mut name),
            None => fields.push(field(argument)),
        }
    }
    fields.sort_unstable();
    (name, fields)
}

/// `%error`, `?state`, `port`, `ms = ...`.
fn field(argument: &str) -> String {
    argument.split('=').next().unwrap_or_default().trim().trim_start_matches(['%', '?']).to_owned()
}

/// At the commas that are in no brackets.
fn split(call: &str) -> Vec<&str> {
    let mut depth = 0;
    let parts = call.split(|letter| {
        depth += i32::from(matches!(letter, '(' | '[' | '{')) - i32::from(matches!(letter, ')' | ']' | '}'));
        depth == 0 && letter == ','
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn sorted(fields: &[&str]) -> Vec<String> {
    let mut fields: Vec<_> = fields.iter().map(|field| (*field).to_owned()).collect();
    fields.sort_unstable();
    fields
}
