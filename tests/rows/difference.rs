//! What is different about two JSON values, place by place.

use serde_json::Value;

/// A line per difference; empty if there is none.
pub(crate) fn difference(expected: &Value, found: &Value) -> String {
    let mut lines = Vec::new();
    compare("", expected, found, &mut lines);
    lines.join("\n")
}

fn compare(place: &str, expected: &Value, found: &Value, lines: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (key, value) in expected {
                let place = format!("{place}/{key}");
                match found.get(key) {
                    Some(other) => compare(&place, value, other, lines),
                    None => lines.push(format!("{place}: expected {value}, found nothing")),
                }
            }
            for (key, value) in found.iter().filter(|(key, _)| !expected.contains_key(*key)) {
                lines.push(format!("{place}/{key}: expected nothing, found {value}"));
            }
        }
        (Value::Array(expected), Value::Array(found)) => {
            for (index, (value, other)) in expected.iter().zip(found).enumerate() {
                compare(&format!("{place}/{index}"), value, other, lines);
            }
            if expected.len() != found.len() {
                lines.push(format!("{place}: expected {} values, found {}", expected.len(), found.len()));
            }
        }
        _ if expected == found => {}
        _ => lines.push(format!(
            "{}: expected {expected}, found {found}",
            if place.is_empty() { "/" } else { place }
        )),
    }
}
