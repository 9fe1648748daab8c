//! What the command prints: tables for people, JSON for programs.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use ibkr_connect::{Error, plain, plain_lines};
use serde::Serialize;
use serde_json::{Value, json};

/// How results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Tables and sentences.
    Table,
    /// One JSON value per line.
    Json,
}

/// Prints one line on stdout. Whatever words of others are in it move no cursor, and begin no line of their own.
pub(crate) fn print_line(text: &str) -> io::Result<()> {
    print(&plain(text))
}

/// Prints lines on stdout, of which each is ours: a table, or JSON.
pub(crate) fn print_lines(text: &str) -> io::Result<()> {
    print(&plain_lines(text))
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Prints `value` as one line of JSON.
pub(crate) fn print_json(value: &impl Serialize) -> io::Result<()> {
    print_line(&serde_json::to_string(value)?)
}

/// Prints each of `rows`: as JSON lines, or as a table with this header and these cells.
pub(crate) fn print_rows<T: Serialize>(
    format: Format,
    rows: &[T],
    header: &[&str],
    cells: impl Fn(&T) -> Vec<String>,
) -> io::Result<()> {
    match format {
        Format::Json => rows.iter().try_for_each(print_json),
        Format::Table => print_lines(&table(header, rows.iter().map(cells)).to_string()),
    }
}

/// A plain table; cells that are numbers stand to the right.
pub(crate) fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header.iter().copied());
    for row in rows {
        table.add_row(row.into_iter().map(|text| {
            let alignment =
                if text.parse::<f64>().is_ok() { CellAlignment::Right } else { CellAlignment::Left };
            comfy_table::Cell::new(plain(&text)).set_alignment(alignment)
        }));
    }
    table
}

/// `value`, or a dash.
pub(crate) fn optional(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// An error as the command's JSON shows it.
pub(crate) fn error_json(error: &Error) -> Value {
    let mut shown = json!({
        "kind": error.kind(),
        "phase": error.phase(),
        "message": error.message(),
        "advice": error.advice(),
        "code": error.code(),
    });
    // Only of a request that failed while it waited for its turn.
    if let Some(waited) = error.waited() {
        shown["waited_ms"] = json!(ibkr_connect::millis(waited));
    }
    shown
}
