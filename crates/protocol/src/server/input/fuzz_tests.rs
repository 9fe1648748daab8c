use ibkr_connect_fuzz::{Target, count};
use serde_json::Value;

use super::*;
use crate::testing::Buffer;

/// Everything that a parent writes, in whatever language it is.
#[test]
fn worker_input() {
    // Its two inboxes are as long as what may be open.
    Target::foreign("worker_input", env!("CARGO_MANIFEST_DIR")).memory(4 << 20, 256).run(|bytes| {
        let buffer = Buffer::with_room(usize::MAX);
        let output = Arc::new(Output::new(buffer.pipe()));
        let (input, mut inbox) = Input::new(Arc::clone(&output), Current::default());
        input.read(bytes);
        output.flush();
        let mut messages = Vec::new();
        while let Ok(message) = inbox.trades.try_recv().or_else(|_| inbox.others.try_recv()) {
            messages.push(message);
        }
        let answers: Vec<Value> = buffer.take().lines().map(answer).collect();
        let pings = messages.iter().filter(|message| matches!(message.command, Command::Ping)).count();
        let lines = bytes.split_inclusive(|byte| *byte == b'\n').count();
        assert_eq!(answers.len() + messages.len() - pings, lines, "each line is taken or refused");
        let mut words = String::new();
        for message in &messages {
            assert_ne!(message.id, NO_ID);
            words.push_str(&taken(&message.command));
        }
        let mut complaints = answers.iter().filter_map(|answer| answer["error"]["message"].as_str());
        format!("{words} {} {}", count(answers.len()), complaints.next_back().unwrap_or_default())
    });
}

/// It is one of the protocol, and says no more than fits on a screen.
fn answer(line: &str) -> Value {
    assert!(line.len() < 8_192, "{} bytes for a complaint", line.len());
    let answer: Value = serde_json::from_str(line).unwrap();
    if answer["status"] == "pong" {
        return answer;
    }
    let error: Error = serde_json::from_value(answer["error"].clone()).unwrap();
    let expected =
        [ErrorKind::Protocol, ErrorKind::InvalidRequest, ErrorKind::Unsupported, ErrorKind::Config];
    assert!(expected.contains(&error.kind()) && error.advice().is_some(), "{line}");
    answer
}

fn taken(command: &Command) -> String {
    match command {
        Command::Connect(target) => {
            target.check().unwrap();
            "connect".to_owned()
        }
        Command::Cancel(_) => "cancel".to_owned(),
        Command::Credit(_) => "credit".to_owned(),
        Command::Ping => "ping".to_owned(),
        Command::Shutdown => "shutdown".to_owned(),
        Command::Request(request, ..) => {
            request.check().unwrap();
            request.command().to_owned()
        }
        Command::Subscribe(opening, _) => {
            opening.request.check().unwrap();
            opening.request.command().to_owned()
        }
        Command::Begun(..) | Command::Panicked(_) => panic!("nothing was connected"),
    }
}
