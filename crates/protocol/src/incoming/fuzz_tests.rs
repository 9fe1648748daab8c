use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use ibkr_connect_core::types::{Contract, MarketDataParams};
use ibkr_connect_core::{EventStream, FlowControl, Reply, Request, StreamRequest, Target as Address};
use ibkr_connect_fuzz::{Target, count};
use serde_json::Value;

use super::*;
use crate::testing::Buffer;

/// Everything that a worker writes, to a link that waits for it to connect (id 1), for accounts (id 2) and for a stream (id 3).
#[test]
fn worker_output() {
    // What a link is made of, and its buffer for lines.
    Target::foreign("worker_output", env!("CARGO_MANIFEST_DIR")).memory(1 << 20, 256).run(|bytes| {
        let (link, buffer) = (Arc::new(Link::new()), Buffer::with_room(usize::MAX));
        link.open(buffer.pipe());
        let deadline = Instant::now() + Duration::from_secs(3_600);
        link.send_connect(&Address::default()).unwrap();
        let mut accounts = pin!(link.request(&Request::ManagedAccounts, None, deadline));
        assert!(poll(accounts.as_mut()).is_none());
        let params = MarketDataParams::default().with_contract(Contract::stock("AAPL"));
        let mut stream =
            pin!(link.subscribe(StreamRequest::MarketData(params), FlowControl::default(), deadline));
        assert!(poll(stream.as_mut()).is_none());
        drop(buffer.take());

        read(&link, bytes);
        bytes.split(|byte| *byte == b'\n').for_each(is_read_in_one_way);
        assert!(link.has_ended());
        let violation = link.take_violation();
        assert!(violation.as_ref().is_none_or(|how| how.len() < 2_048), "{} bytes", violation.unwrap().len());
        let hello = link.take_hello();
        assert!(hello.is_none_or(|hello| hello.err().is_none_or(|said| said.len() < 1_024)));
        let sent: Vec<Value> =
            buffer.take().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(
            sent.iter().all(|frame| matches!(frame["command"].as_str(), Some("cancel" | "credit"))),
            "{sent:?}"
        );
        format!(
            "{} {} {} {}",
            violation.unwrap_or_default(),
            outcome(
                poll(accounts)
                    .map(|reply| reply.map(|reply| assert!(matches!(reply, Reply::ManagedAccounts(_)))))
            ),
            outcome(poll(stream.as_mut()).map(|opened| opened.map(read_to_its_end))),
            outcome(link.take_connected().map(|connected| connected.map(drop)))
        )
    });
}

/// The short ways for events and parts say the same as the long one.
fn is_read_in_one_way(line: &[u8]) {
    if let Some((id, text)) = frames::part_text(line)
        && let Ok(value) = serde_json::from_str::<String>(text)
    {
        let answer: Answer<&RawValue> = serde_json::from_slice(line).unwrap();
        assert_eq!((answer.id, answer.status), (id, Status::Part));
        assert_eq!(serde_json::from_str::<String>(answer.text.unwrap().get()).unwrap(), value);
    }
    let Some((id, data)) = frames::event_data(line) else { return };
    if serde_json::from_str::<&RawValue>(data).is_ok() {
        let answer: Answer<&RawValue> = serde_json::from_slice(line).unwrap();
        assert_eq!((answer.id, answer.status), (id, Status::Event));
        assert_eq!(answer.data.unwrap().get(), data.trim());
    }
}

fn read_to_its_end(mut stream: EventStream) {
    let mut events = 0;
    while let Some(Some(_)) = poll(pin!(stream.next())) {
        events += 1;
        assert!(events < 10_000);
    }
}

fn outcome(of: Option<Result<()>>) -> String {
    match of {
        None => count(0).to_owned(),
        Some(Ok(())) => "fine".to_owned(),
        Some(Err(error)) => error.kind().to_string(),
    }
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
