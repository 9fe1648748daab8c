//! Feeds whose Gateway is a test, in virtual time.

use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::*;

#[derive(Debug, Clone, PartialEq)]
enum Told {
    Row(i32),
    End,
}

impl Entry for Told {
    type Key = i32;

    fn change(&self) -> Change<i32> {
        match self {
            Self::Row(number) => Change::Row(*number),
            Self::End => Change::End,
        }
    }
}

/// What the Gateway hears.
#[derive(Debug, PartialEq)]
enum Heard {
    Opened(&'static str),
    Cancelled(&'static str),
}

use Heard::{Cancelled, Opened};

struct Wire {
    subject: &'static str,
    told: UnboundedReceiver<Result<Told>>,
    heard: UnboundedSender<Heard>,
}

impl Source for Wire {
    type Event = Told;
    const COMMAND: &'static str = "numbers";

    async fn next(&mut self) -> Result<Option<Told>> {
        self.told.recv().await.transpose()
    }

    async fn cancel(&mut self) {
        let _ = self.heard.send(Cancelled(self.subject));
    }
}

struct Gateway {
    feed: SharedFeed<Told>,
    heard: UnboundedReceiver<Heard>,
    hears: UnboundedSender<Heard>,
}

impl Gateway {
    fn new() -> Self {
        let (hears, heard) = unbounded_channel();
        Self { feed: SharedFeed::default(), heard, hears }
    }

    /// A place at the feed, with what speaks in it if it is opened for this.
    fn join(&self, subject: &'static str, stay: Stay) -> (Result<Seat<Told>>, UnboundedSender<Result<Told>>) {
        let (tell, told) = unbounded_channel();
        let wire = Wire { subject, told, heard: self.hears.clone() };
        let seat = self.feed.join(subject, stay, async move {
            let _ = wire.heard.send(Opened(subject));
            Ok(wire)
        });
        (seat, tell)
    }

    async fn hears(&mut self) -> Option<Heard> {
        timeout(Duration::from_secs(1), self.heard.recv()).await.ok().flatten()
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_is_given_up_and_asked_for_anew() {
    let mut gateway = Gateway::new();
    let (seat, _silent) = gateway.join("a", Stay::UntilTheEnd);
    assert_eq!(gateway.hears().await, Some(Opened("a")));
    let left = Instant::now();
    drop(seat);
    assert_eq!(gateway.hears().await, None);
    let (in_vain, _) = gateway.join("a", Stay::UntilTheEnd);
    assert_eq!(gateway.hears().await, None, "it may still be answered");
    drop(in_vain);
    assert_eq!(gateway.heard.recv().await, Some(Cancelled("a")));
    assert_eq!(left.elapsed().as_secs(), 30);
    let (_seat, _tell) = gateway.join("a", Stay::UntilTheEnd);
    assert_eq!(gateway.hears().await, Some(Opened("a")));
}

#[tokio::test(start_paused = true)]
async fn one_about_something_else_waits_for_those_who_leave_and_not_for_those_who_stay() {
    let mut gateway = Gateway::new();
    let (first, tell) = gateway.join("a", Stay::UntilTheEnd);
    let (mut second, tell_second) = gateway.join("b", Stay::ForChanges);
    assert_eq!(gateway.hears().await, Some(Opened("a")));
    drop(first);
    assert_eq!(gateway.hears().await, None, "the answer is read to its end");
    tell.send(Ok(Told::End)).unwrap();
    assert_eq!(gateway.hears().await, Some(Cancelled("a")));
    assert_eq!(gateway.hears().await, Some(Opened("b")));
    tell_second.send(Ok(Told::Row(1))).unwrap();
    assert_eq!(second.as_mut().unwrap().next().await.unwrap().unwrap(), Told::Row(1));

    let refused = gateway.join("a", Stay::UntilTheEnd).0.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Busy);
    assert!(
        refused.message().starts_with("numbers: ") && refused.message().contains("a stream of b"),
        "{refused}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_any_more_is_never_asked() {
    let mut gateway = Gateway::new();
    let (_first, tell) = gateway.join("a", Stay::UntilTheEnd);
    let (second, _) = gateway.join("b", Stay::UntilTheEnd);
    assert_eq!(gateway.hears().await, Some(Opened("a")));
    drop((second, _first));
    tell.send(Ok(Told::End)).unwrap();
    assert_eq!(gateway.hears().await, Some(Cancelled("a")));
    assert_eq!(gateway.hears().await, None);
}

#[tokio::test(start_paused = true)]
async fn an_error_is_everybodys_and_the_next_one_opens_anew() {
    let mut gateway = Gateway::new();
    let (mut first, tell) = gateway.join("a", Stay::ForChanges);
    let (mut second, _) = gateway.join("a", Stay::UntilTheEnd);
    assert_eq!(gateway.hears().await, Some(Opened("a")));
    tell.send(Err(Error::new(ErrorKind::SlowConsumer, "too much at once"))).unwrap();
    for seat in [&mut first, &mut second] {
        let error = seat.as_mut().unwrap().next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SlowConsumer);
    }
    let (_third, _tell) = gateway.join("a", Stay::UntilTheEnd);
    yield_now().await;
    tell.send(Ok(Told::End)).unwrap();
    assert_eq!(gateway.hears().await, Some(Cancelled("a")), "after the end of the broken answer");
    assert_eq!(gateway.hears().await, Some(Opened("a")));
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_was_cut_short() {
    let mut gateway = Gateway::new();
    let (mut seat, tell) = gateway.join("a", Stay::ForChanges);
    assert_eq!(gateway.hears().await, Some(Opened("a")));
    drop(tell);
    let error = seat.as_mut().unwrap().next().await.unwrap().unwrap_err();
    assert_eq!(error.message(), "numbers: the answer was cut short");
}
