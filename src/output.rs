//! What the command prints: tables for people, JSON for programs. Every line of JSON is one [`Envelope`], as docs/json.md says.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use ibkr_connect::{Config, ConnectionMode, Error, Target, plain, plain_lines};
use serde::Serialize;

/// How results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Tables and sentences.
    Table,
    /// JSON, one value a line.
    Json,
}

impl Format {
    /// What these arguments ask for, whether or not they make sense otherwise.
    pub(crate) fn asked_for(arguments: impl IntoIterator<Item = OsString>) -> Self {
        let mut before_dashes = arguments.into_iter().take_while(|argument| argument != "--");
        if before_dashes.any(|argument| argument == "--json") { Self::Json } else { Self::Table }
    }
}

/// The Gateway that a command is about.
#[derive(Debug, Clone, Serialize)]
struct GatewayLabel {
    host: String,
    port: u16,
    mode: ConnectionMode,
}

/// What a line of JSON says.
#[derive(Serialize)]
struct Envelope<'a, T> {
    ok: bool,
    command: Option<&'static str>,
    gateway: Option<&'a GatewayLabel>,
    data: Option<&'a T>,
    error: Option<&'a Error>,
}

/// How a report ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Verdict<'a> {
    /// The exit code will be 0.
    Fine,
    /// It won't: the data say why.
    Bad,
    /// It won't: this says why.
    Failed(&'a Error),
}

/// Where the results of one command go.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) format: Format,
    command: Option<&'static str>,
    gateway: Option<GatewayLabel>,
}

impl Output {
    /// Of arguments that are no command.
    pub(crate) fn of_nothing(format: Format) -> Self {
        Self { format, command: None, gateway: None }
    }

    /// Of this command.
    pub(crate) fn of_command(format: Format, command: &'static str) -> Self {
        Self { format, command: Some(command), gateway: None }
    }

    /// The same, about the Gateway of this configuration.
    pub(crate) fn about(self, config: &Config) -> Self {
        let Config { host, port, mode, .. } = config;
        Self { gateway: Some(GatewayLabel { host: host.clone(), port: *port, mode: *mode }), ..self }
    }

    /// Whether programs read it.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints a line of JSON: the answer, or an event of a stream.
    pub(crate) fn json(&self, data: &impl Serialize) -> io::Result<()> {
        self.json_with(Verdict::Fine, data)
    }

    /// Prints a line of JSON: the answer, with what the exit code will be about.
    pub(crate) fn json_with(&self, verdict: Verdict<'_>, data: &impl Serialize) -> io::Result<()> {
        self.envelope(verdict, Some(data))
    }

    /// Prints a line of JSON: there is no answer.
    pub(crate) fn json_error(&self, error: &Error) -> io::Result<()> {
        self.envelope(Verdict::Failed(error), None::<&()>)
    }

    /// The same text, with the Gateway in each `ibkr-connect` command that it advises: where it is not the default one, a command
    /// without it would be about another.
    pub(crate) fn pasteable(&self, advice: &str) -> String {
        let Some(GatewayLabel { host, port, .. }) = &self.gateway else { return advice.to_owned() };
        let default = Target::default();
        let mut flags = String::new();
        if *host != default.host {
            flags.push_str(&format!(" --host {host}"));
        }
        if *port != default.port {
            flags.push_str(&format!(" --port {port}"));
        }
        let mut text = String::new();
        for (index, part) in advice.split('`').enumerate() {
            let is_command =
                index % 2 == 1 && part.strip_prefix("ibkr-connect ").is_some_and(is_about_a_gateway);
            let mark = if index == 0 { "" } else { "`" };
            text.extend([mark, part, if is_command { &flags } else { "" }]);
        }
        text
    }

    fn envelope<T: Serialize>(&self, verdict: Verdict<'_>, data: Option<&T>) -> io::Result<()> {
        let (ok, error) = match verdict {
            Verdict::Fine => (true, None),
            Verdict::Bad => (false, None),
            Verdict::Failed(error) => (false, Some(error)),
        };
        let pasteable = error.map(|error| match error.advice() {
            Some(advice) => error.clone().with_advice(self.pasteable(advice)),
            None => error.clone(),
        });
        let error = pasteable.as_ref();
        let (command, gateway) = (self.command, self.gateway.as_ref());
        print_json(&Envelope { ok, command, gateway, data, error })
    }

    /// Prints `rows`: as one line of JSON, or as a table with this header and these cells.
    pub(crate) fn rows<T: Serialize>(
        &self,
        rows: &[T],
        header: &[&str],
        cells: impl Fn(&T) -> Vec<String>,
    ) -> io::Result<()> {
        match self.format {
            Format::Json => self.json(&rows),
            Format::Table => print_lines(&table(header, rows.iter().map(cells)).to_string()),
        }
    }
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

/// `json`, which has no white space between its values, with a line for each of them.
pub(crate) fn indented(json: &str) -> String {
    let mut text = String::with_capacity(2 * json.len());
    let (mut depth, mut before, mut in_string, mut is_marked) = (0, None, false, false);
    for c in json.chars() {
        let (opens, closes) = (matches!(before, Some('[' | '{')), matches!(c, ']' | '}'));
        if !in_string {
            depth -= usize::from(closes);
            // What is empty stays together.
            if opens != closes || before == Some(',') {
                text.push('\n');
                (0..depth).for_each(|_| text.push_str("  "));
            }
            depth += usize::from(matches!(c, '[' | '{'));
        }
        text.push(c);
        if c == '"' && !is_marked {
            in_string = !in_string;
        } else if c == ':' && !in_string {
            text.push(' ');
        }
        is_marked = in_string && c == '\\' && !is_marked;
        // The last character outside of a string.
        before = Some(if in_string { '"' } else { c });
    }
    text
}

/// Prints `value` as one line of JSON.
pub(crate) fn print_json(value: &impl Serialize) -> io::Result<()> {
    print_line(&serde_json::to_string(value)?)
}

/// A plain table; cells that are numbers stand to the right.
pub(crate) fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = columns() {
        table.set_width(width);
    }
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

/// Whether an advised command asks the Gateway, or looks at what is known about it. The others refuse its address, or need none.
fn is_about_a_gateway(command: &str) -> bool {
    let name = command.split_whitespace().next().unwrap_or_default();
    !name.starts_with('-')
        && !["commands", "completions", "demo", "init", "man", "settings", "sim", "status"].contains(&name)
}

/// How wide the user wants it, where there is no terminal to ask.
#[expect(
    clippy::disallowed_methods,
    reason = "COLUMNS is about this program's output, and not configuration of the product"
)]
fn columns() -> Option<u16> {
    if io::stdout().is_terminal() {
        return None;
    }
    std::env::var("COLUMNS").ok()?.trim().parse().ok().filter(|columns| *columns >= 20)
}

/// `value`, or a dash.
pub(crate) fn optional(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advised_command_is_about_the_same_gateway() {
        let about = |host: &str, port| {
            let config = Config::default().with_host(host.to_owned()).with_port(port);
            Output::of_command(Format::Table, "check").about(&config)
        };
        let advice = "look at `x`; `ibkr-connect breaker reset` closes it, `ibkr-connect status` lists, `ibkr-connect commands x` says";
        assert_eq!(about("127.0.0.1", 4002).pasteable(advice), advice);
        assert_eq!(Output::of_nothing(Format::Table).pasteable(advice), advice);
        assert_eq!(
            about("gw", 4001).pasteable(advice),
            "look at `x`; `ibkr-connect breaker reset --host gw --port 4001` closes it, `ibkr-connect status` lists, `ibkr-connect commands x` says"
        );
    }

    #[test]
    fn indented_json_is_that_of_the_usual_printer() {
        for json in [
            r#"{"a":[],"b":{},"c":[1,-2.5e-7,null,true],"d":{"e":{"f":[[],[{}],[[1]]]}}}"#,
            r#"["","[,]:{}","\"","\\","\\\"[","a\\",{"\"[:,":"ä\n😀"}]"#,
            "[]",
            "{}",
            "7",
            r#""text""#,
            "[[],[],{}]",
            r#"[{"a":1},{"b":[{"c":2}]}]"#,
        ] {
            let value: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&value).unwrap(), json, "it has no white space");
            assert_eq!(indented(json), serde_json::to_string_pretty(&value).unwrap());
        }
    }

    #[test]
    fn json_is_asked_for_before_the_dashes() {
        let asked = |arguments: &[&str]| Format::asked_for(arguments.iter().map(OsString::from));
        assert_eq!(asked(&["x", "--port", "--json"]), Format::Json);
        assert_eq!(asked(&["x", "quote", "--", "--json"]), Format::Table);
    }
}
