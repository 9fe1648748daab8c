//! Every row of the table. An input is a command in the first line and JSON after it; the golden files are inputs too.

use std::path::Path;

use ibkr_connect_fuzz::Target;
use serde_json::{Value, json};

use super::*;

/// Whatever comes, the complaint about it fits on a screen, and into a line of the worker's protocol.
const LONGEST_MESSAGE: usize = 4_096;

#[test]
fn request_params() {
    let seeds = OPERATIONS.iter().flat_map(|row| {
        let params = if row.params.is_empty() { vec![json!({})] } else { golden(row.params) };
        params.into_iter().enumerate().map(|(index, params)| input(row.command, index, &params))
    });
    Target::foreign("request_params", env!("CARGO_MANIFEST_DIR")).memory(512 * 1024, 256).seeds(seeds).run(
        |bytes| {
            let Some((command, json)) = parts(bytes) else { return "no input".to_owned() };
            let request = Request::from_json(command, json);
            let stream = StreamRequest::from_json(command, json);
            let row = OPERATIONS.iter().find(|row| row.command == command);
            if let Some(error) = request.as_ref().err().or(stream.as_ref().err()) {
                assert!(row.is_some(), "{command}");
                assert_eq!(error.kind(), ErrorKind::InvalidRequest);
                names_its_place(error, command);
                return error.message().to_owned();
            }
            match (request.unwrap(), stream.unwrap()) {
                (Some(request), None) => {
                    let params = serde_json::to_string(&request.params()).unwrap();
                    assert_eq!(Request::from_json(command, &params).unwrap().as_ref(), Some(&request));
                    assert_eq!((request.command(), request.access()), (command, row.unwrap().access));
                }
                (None, Some(stream)) => {
                    let params = serde_json::to_string(&stream.params()).unwrap();
                    assert_eq!(StreamRequest::from_json(command, &params).unwrap().as_ref(), Some(&stream));
                    assert_eq!((stream.command(), stream.access()), (command, row.unwrap().access));
                }
                (None, None) => assert!(row.is_none(), "{command}"),
                both => panic!("{both:?}"),
            }
            format!("{}", row.is_some())
        },
    );
}

/// Replies and events, as the other side of a link writes them.
#[test]
fn reply_data() {
    let seeds = OPERATIONS.iter().flat_map(|row| {
        answers(row.reply).into_iter().enumerate().map(|(index, data)| input(row.command, index, &data))
    });
    let questions: Vec<Question> = OPERATIONS.iter().map(Question::of).collect();
    Target::foreign("reply_data", env!("CARGO_MANIFEST_DIR")).memory(512 * 1024, 256).seeds(seeds).run(
        |bytes| {
            let Some((command, json)) = parts(bytes) else { return "no input".to_owned() };
            let Some(question) = questions.iter().find(|question| question.command() == command) else {
                return "no row".to_owned();
            };
            match question.answer(json) {
                Ok(again) => {
                    assert_eq!(question.answer(&again).unwrap(), again, "{command}");
                    format!("fine {}", again.len() / 64)
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Protocol);
                    names_its_place(&error, command);
                    error.message().to_owned()
                }
            }
        },
    );
}

fn names_its_place(error: &Error, command: &str) {
    let message = error.message();
    assert!(message.starts_with(&format!("{command}:")), "{message}");
    assert!(message.len() < LONGEST_MESSAGE, "{} bytes", message.len());
}

enum Question {
    Once(Request),
    Stream(StreamRequest),
}

impl Question {
    fn of(row: &OperationInfo) -> Self {
        let params = if row.params.is_empty() { json!({}) } else { golden(row.params).remove(0) };
        let json = params.to_string();
        match Request::from_json(row.command, &json).unwrap() {
            Some(request) => Self::Once(request),
            None => Self::Stream(StreamRequest::from_json(row.command, &json).unwrap().unwrap()),
        }
    }

    fn command(&self) -> &'static str {
        match self {
            Self::Once(request) => request.command(),
            Self::Stream(request) => request.command(),
        }
    }

    /// What is read, as it is written again.
    fn answer(&self, json: &str) -> Result<String> {
        match self {
            Self::Once(request) => {
                request.reply_from_json(json).map(|reply| serde_json::to_string(&reply).unwrap())
            }
            Self::Stream(request) => {
                request.event_from_json(json).map(|event| serde_json::to_string(&event).unwrap())
            }
        }
    }
}

fn parts(bytes: &[u8]) -> Option<(&str, &str)> {
    str::from_utf8(bytes).ok()?.split_once('\n')
}

fn input(command: &str, index: usize, json: &Value) -> (String, Vec<u8>) {
    (format!("golden {command} {index}"), format!("{command}\n{json}").into_bytes())
}

/// The values in the golden file of a type.
fn golden(of: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{of}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    match serde_json::from_str(&text).unwrap() {
        Value::Array(values) => values,
        value => vec![value],
    }
}

/// Replies or events of a type.
fn answers(of: &str) -> Vec<Value> {
    match of.replace(' ', "").as_str() {
        "String" => vec![json!("<ListOfGroups/>")],
        "i32" => vec![json!(7)],
        "ProofOfLife" => vec![json!("managed_accounts"), json!("server_time")],
        "jiff::Timestamp" => vec![json!("2026-11-23T12:00:00.5Z")],
        "Option<jiff::Timestamp>" => vec![json!("1980-12-12T14:30:00Z"), json!(null)],
        of => match of.strip_prefix("Vec<").and_then(|rest| rest.strip_suffix('>')) {
            Some(of) => vec![Value::Array(answers(of))],
            None => golden(of),
        },
    }
}
