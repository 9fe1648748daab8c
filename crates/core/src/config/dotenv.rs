//! The variables in a `.env` file, which is other programs' too. dotenvy reads each assignment; where one begins and ends is
//! decided here, line by line, so that one that can't be read takes no other with it.

use std::collections::HashMap;

use super::keys::{KEYS, near_miss};
use crate::{Error, ErrorKind, Result};

/// So long are the values of earlier assignments together, in bytes, each as often as it is referred to. A file that has each of a few
/// lines refer twice to the one before would fill the memory.
const MOST_REFERRED_TO: usize = 64 * 1024;

/// The assignments in `text`, in their order. A line that can't be read is an error if it is about us; those of other
/// programs are skipped, and the log says which.
///
/// # Errors
/// `config`, naming the file and the line. It does not repeat the line, which may hold a password.
pub(super) fn variables(file: &str, text: &str) -> Result<Vec<(String, String)>> {
    let mut variables: Vec<(String, String)> = Vec::new();
    let mut values = HashMap::new();
    let mut left = MOST_REFERRED_TO;
    for entry in entries(text) {
        if let Some((number, name)) = entry.swallowed() {
            let message = format!(
                "{file}, line {}: the quotes that open here close after line {number}, which sets {name}",
                entry.number
            );
            return Err(Error::new(ErrorKind::Config, message)
                .with_advice("close the quotes in the line they open in"));
        }
        match parse(&entry.text, &values, &mut left) {
            Some((name, value)) => {
                values.insert(name.clone(), value.clone());
                variables.push((name, value));
            }
            None if entry.is_ours() => return Err(entry.unreadable(file)),
            None => {
                let error = format!("line {}: {}", entry.number, entry.trouble());
                tracing::warn!(file, %error, "dotenv_line_skipped");
            }
        }
    }
    Ok(variables)
}

/// An assignment, or what stands in the place of one.
struct Entry {
    /// Of its first line, counted from 1.
    number: usize,
    /// All its lines, without the end of the last.
    text: String,
}

fn entries(text: &str) -> impl Iterator<Item = Entry> {
    let lines: Vec<&str> = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let mut next = 0;
    std::iter::from_fn(move || {
        while lines.get(next).is_some_and(|line| is_blank(line)) {
            next += 1;
        }
        let first = next;
        let length = length(lines.get(first..).filter(|rest| !rest.is_empty())?);
        next += length;
        Some(Entry { number: first + 1, text: lines[first..next].join("\n") })
    })
}

fn is_blank(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// How many lines belong to the first: more than one if its value begins with quotes that a later line closes.
fn length(lines: &[&str]) -> usize {
    let Some(quoted) = Assignment::of(lines[0]).value.filter(|value| value.starts_with(['"', '\''])) else {
        return 1;
    };
    let quote = char::from(quoted.as_bytes()[0]);
    let mut is_escaped = false;
    for (index, line) in [&quoted[1..]].iter().chain(&lines[1..]).enumerate() {
        for letter in line.chars() {
            if is_escaped {
                is_escaped = false;
            } else if letter == '\\' {
                is_escaped = true;
            } else if letter == quote {
                return index + 1;
            }
        }
        // What is escaped at the end of a line is its end.
        is_escaped = false;
    }
    1
}

/// A line as far as it can be read without reading its value.
struct Assignment<'a> {
    name: &'a str,
    /// What comes after the `=`.
    value: Option<&'a str>,
}

impl<'a> Assignment<'a> {
    fn of(line: &'a str) -> Self {
        let (name, rest) = split_name(line.trim_start());
        match rest.strip_prefix('=') {
            Some(value) => Self { name, value: Some(value.trim()) },
            None if name == "export" => {
                let (name, rest) = split_name(rest);
                Self { name, value: rest.strip_prefix('=').map(str::trim) }
            }
            None => Self { name, value: None },
        }
    }

    fn is_ours(&self) -> bool {
        KEYS.iter().any(|key| key.variable == self.name) || near_miss(self.name).is_some()
    }
}

fn split_name(text: &str) -> (&str, &str) {
    let belongs = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.');
    let end = text.find(|letter| !belongs(letter)).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

impl Entry {
    fn first_line(&self) -> &str {
        self.text.split('\n').next().unwrap_or_default()
    }

    /// A setting of ours that is part of another's value: nobody means that.
    fn swallowed(&self) -> Option<(usize, &str)> {
        let mut lines = self.text.split('\n').enumerate().skip(1);
        lines.find_map(|(index, line)| {
            let inner = Assignment::of(line);
            (inner.value.is_some() && inner.is_ours()).then_some((self.number + index, inner.name))
        })
    }

    /// Whether it sets one of our variables, or tries to. Other `IBKR_*` variables are other programs'.
    fn is_ours(&self) -> bool {
        let line = self.first_line();
        let assignment = Assignment::of(line);
        assignment.is_ours() || assignment.value.is_none() && line.to_ascii_uppercase().contains("IBKR_")
    }

    fn trouble(&self) -> &'static str {
        match Assignment::of(self.first_line()).value {
            None => "it is not an assignment",
            Some(value) if value.starts_with(['"', '\'']) => "its quotes don't fit together",
            Some(value) if value.contains(char::is_whitespace) => "several words need quotes around them",
            Some(value) if value.contains('$') => {
                "what it refers to is too long, or its value makes no sense"
            }
            Some(_) => "its value makes no sense",
        }
    }

    fn unreadable(&self, file: &str) -> Error {
        let (name, trouble) = (Assignment::of(self.first_line()).name, self.trouble());
        let message = match name {
            "" => format!("{file}, line {}: can't read it: {trouble}", self.number),
            name => format!("{file}, line {}: can't read {name}: {trouble}", self.number),
        };
        Error::new(ErrorKind::Config, message)
            .with_advice("write it as NAME=value, in double quotes if it has spaces")
    }
}

/// Reads one assignment, which may refer to `values` of earlier ones, as dotenvy does. `None` also where those are longer than what
/// is `left`, in bytes.
fn parse(entry: &str, values: &HashMap<String, String>, left: &mut usize) -> Option<(String, String)> {
    let earlier = references(entry).filter_map(|name| values.get_key_value(name));
    *left = left.checked_sub(earlier.clone().map(|(_, value)| value.len()).sum())?;
    let mut text: String = earlier.map(|(name, value)| format!("{name}={}\n", quoted(value))).collect();
    text.push_str(entry);
    text.push('\n');
    dotenvy::from_read_iter(text.as_bytes()).last()?.ok()
}

/// The names in `$NAME` and `${NAME}`.
fn references(text: &str) -> impl Iterator<Item = &str> + Clone {
    text.split('$').skip(1).map(|rest| match rest.strip_prefix('{') {
        Some(braced) => braced.split('}').next().unwrap_or_default(),
        None => &rest[..rest.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(rest.len())],
    })
}

/// `value` so that dotenvy reads it as it is.
fn quoted(value: &str) -> String {
    let mut text = String::from('"');
    for letter in value.chars() {
        match letter {
            '\n' => text.push_str("\\n"),
            '"' | '\\' | '$' => text.extend(['\\', letter]),
            letter => text.push(letter),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(text: &str, expected: &[(&str, &str)]) {
        let variables = variables(".env", text).unwrap();
        let seen: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(seen, expected, "{text:?}");
    }

    #[track_caller]
    fn refused(text: &str, message: &str) {
        assert_eq!(variables(".env", text).unwrap_err().message(), message, "{text:?}");
    }

    #[test]
    fn each_line_is_read_by_itself() {
        reads("IBKR_HOST=a\nIBKR_PORT=1\n", &[("IBKR_HOST", "a"), ("IBKR_PORT", "1")]);
        reads(
            "IBKR_HOST=a\r\n\r\nexport IBKR_PORT = \"1\" # one\r\n",
            &[("IBKR_HOST", "a"), ("IBKR_PORT", "1")],
        );
        reads("# IBKR_HOST=a\n  # x\n\n  IBKR_PORT=1 ", &[("IBKR_PORT", "1")]);
        reads("MOTD=don't panic\nIBKR_PORT=1\nX='\nIBKR_HOST=a", &[("IBKR_PORT", "1"), ("IBKR_HOST", "a")]);
        reads("IBKR_PASSWORD=two words\nWHAT EVER=a b\nIBKR_PORT=1", &[("IBKR_PORT", "1")]);
        reads("A='C:\\'\nIBKR_PORT=1\n", &[("IBKR_PORT", "1")]);
        reads("", &[]);
    }

    #[test]
    fn a_line_of_ours_that_cannot_be_read_is_named_and_not_repeated() {
        for (text, message) in [
            (
                "X=1\n\nIBKR_HOST=two words\n",
                ".env, line 3: can't read IBKR_HOST: several words need quotes around them",
            ),
            (
                "export IBKR_HOST=two words",
                ".env, line 1: can't read IBKR_HOST: several words need quotes around them",
            ),
            ("IBKR_PORT 4001", ".env, line 1: can't read IBKR_PORT: it is not an assignment"),
            ("IBKR_PROT=a b", ".env, line 1: can't read IBKR_PROT: several words need quotes around them"),
            ("set IBKR_PORT=4001", ".env, line 1: can't read set: it is not an assignment"),
            ("-IBKR_PORT=4001", ".env, line 1: can't read it: it is not an assignment"),
            ("IBKR_HOST=\"a", ".env, line 1: can't read IBKR_HOST: its quotes don't fit together"),
            ("IBKR_HOST=a\\x", ".env, line 1: can't read IBKR_HOST: its value makes no sense"),
            ("IBKR_HOST='a\nX=1", ".env, line 1: can't read IBKR_HOST: its quotes don't fit together"),
        ] {
            refused(text, message);
        }
    }

    #[test]
    fn a_value_of_several_lines_swallows_none_of_ours() {
        let key = "KEY=\"-----BEGIN\nabc==\n# no comment\n-----END\"\nIBKR_PORT=1";
        reads(key, &[("KEY", "-----BEGIN\nabc==\n# no comment\n-----END"), ("IBKR_PORT", "1")]);
        refused(
            "MOTD=\"hello\nNAME=x\nIBKR_PORT=1\nIBKR_HOST=\"a\"",
            ".env, line 1: the quotes that open here close after line 3, which sets IBKR_PORT",
        );
    }

    #[test]
    fn values_refer_to_earlier_ones() {
        reads("A=x\nIBKR_HOST=${A}.$A", &[("A", "x"), ("IBKR_HOST", "x.x")]);
        reads("A='$B \"\\n'\nB=${A}", &[("A", "$B \"\\n"), ("B", "$B \"\\n")]);
        reads("IBKR_HOST=$A\nA=x", &[("IBKR_HOST", ""), ("A", "x")]);
    }

    #[test]
    fn lines_that_double_each_other_fill_no_memory() {
        let doubling: String =
            (1..40).map(|line| format!("A{line}=${{A{0}}}${{A{0}}}\n", line - 1)).collect();
        let variables = variables(".env", &format!("A0=x\n{doubling}")).unwrap();
        let length: usize = variables.iter().map(|(_, value)| value.len()).sum();
        assert!((MOST_REFERRED_TO / 2..=2 * MOST_REFERRED_TO).contains(&length), "{length}");
        refused(
            &format!("A0=x\n{doubling}IBKR_HOST=${{A15}}"),
            ".env, line 41: can't read IBKR_HOST: what it refers to is too long, or its value makes no sense",
        );
    }
}
