//! Feeds whose Gateway is a test, in virtual time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ibkr_connect_core::config::LogAccounts;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::*;
use crate::notes::{Notes, Stage};
use crate::permits::SILENCE;

#[derive(Debug, Clone, PartialEq)]
enum Number {
    Row(i32),
    End,
}

use Number::{End, Row};

impl Entry for Number {
    type Key = i32;
    const COMMAND: &'static str = "numbers";

    fn change(&self) -> Change<i32> {
        match self {
            Row(number) => Change::Row(*number),
            End => Change::End,
        }
    }

    fn notice(&self) -> Option<(i32, &str)> {
        None
    }
}

/// What the Gateway hears.
#[derive(Debug, PartialEq)]
enum Heard {
    Opened(&'static str),
    Cancelled(&'static str),
}

use Heard::{Cancelled, Opened};

/// Where the Gateway speaks, to whichever subscription is open.
#[derive(Debug, Default)]
struct Wire {
    listener: Mutex<Option<UnboundedSender<Result<Number>>>>,
    frames: AtomicU64,
    /// How many frames come while a subscription is made.
    slips: AtomicU64,
}

impl Wire {
    fn listener(&self) -> MutexGuard<'_, Option<UnboundedSender<Result<Number>>>> {
        self.listener.lock().unwrap()
    }
}

struct Subject {
    name: &'static str,
    wire: Arc<Wire>,
    heard: UnboundedSender<Heard>,
}

impl Opener for Subject {
    type Source = Listening;

    async fn open(&self) -> Result<Listening> {
        let (tell, told) = unbounded_channel();
        *self.wire.listener() = Some(tell);
        let _ = self.heard.send(Opened(self.name));
        self.wire.frames.fetch_add(self.wire.slips.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        Ok(Listening { name: self.name, told, heard: self.heard.clone() })
    }

    fn frames(&self) -> u64 {
        self.wire.frames.load(Ordering::Relaxed)
    }
}

struct Listening {
    name: &'static str,
    told: UnboundedReceiver<Result<Number>>,
    heard: UnboundedSender<Heard>,
}

impl Source for Listening {
    type Event = Number;

    async fn next(&mut self) -> Result<Option<Number>> {
        self.told.recv().await.transpose()
    }

    async fn cancel(&mut self) {
        let _ = self.heard.send(Cancelled(self.name));
    }
}

struct Gateway {
    feed: SharedSubscription<Number>,
    wire: Arc<Wire>,
    heard: UnboundedReceiver<Heard>,
    hears: UnboundedSender<Heard>,
}

impl Gateway {
    fn new() -> Self {
        let (hears, heard) = unbounded_channel();
        Self { feed: SharedSubscription::default(), wire: Arc::default(), heard, hears }
    }

    fn join(&self, name: &'static str, interest: Interest) -> Result<Subscriber<Number>> {
        let subject = Subject { name, wire: Arc::clone(&self.wire), heard: self.hears.clone() };
        self.feed.join(name, interest, subject)
    }

    /// One that waits for the whole, in a task of its own.
    fn asks(&self, name: &'static str) -> tokio::task::JoinHandle<Vec<Number>> {
        let mut subscriber = self.join(name, Interest::Snapshot).unwrap();
        tokio::spawn(async move { subscriber.download(&Notes::new(), LogAccounts::Masked).await.unwrap() })
    }

    async fn hears(&mut self) -> Option<Heard> {
        timeout(Duration::from_secs(1), self.heard.recv()).await.ok().flatten()
    }

    async fn hears_all<const N: usize>(&mut self, expected: [Heard; N]) {
        for expected in expected {
            assert_eq!(self.hears().await, Some(expected));
        }
    }

    fn says<const N: usize>(&self, numbers: [Number; N]) {
        for number in numbers {
            self.wire.frames.fetch_add(1, Ordering::Relaxed);
            // What nobody listens to is lost.
            let _ = self.wire.listener().as_ref().map(|tell| tell.send(Ok(number)));
        }
    }
}

async fn soon<T>(task: tokio::task::JoinHandle<T>) -> T {
    timeout(Duration::from_millis(10), task).await.expect("it is there").unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_overlooked_question_is_asked_again_for_the_next_one_at_once() {
    let mut gateway = Gateway::new();
    let subscriber = gateway.join("a", Interest::Snapshot).unwrap();
    gateway.hears_all([Opened("a")]).await;
    drop(subscriber);
    assert_eq!(gateway.hears().await, None);
    let second = gateway.asks("a");
    gateway.hears_all([Cancelled("a"), Opened("a")]).await;
    gateway.says([Row(1), End]);
    assert_eq!(soon(second).await, [Row(1)]);
}

#[tokio::test(start_paused = true)]
async fn who_comes_to_a_silent_question_has_it_asked_again_for_all() {
    let mut gateway = Gateway::new();
    let first = gateway.asks("a");
    gateway.hears_all([Opened("a")]).await;
    assert_eq!(gateway.hears().await, None);
    let (second, third) = (gateway.asks("a"), gateway.asks("a"));
    let asked = Instant::now();
    assert_eq!(gateway.heard.recv().await, Some(Cancelled("a")));
    assert_eq!(asked.elapsed(), SILENCE - Duration::from_secs(1));
    gateway.hears_all([Opened("a")]).await;
    gateway.says([Row(1), Row(2), End]);
    for task in [first, second, third] {
        assert_eq!(soon(task).await, [Row(1), Row(2)]);
    }
    gateway.hears_all([Cancelled("a")]).await;
    assert_eq!(gateway.hears().await, None);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_late_is_read_to_its_end_for_whoever_is_next() {
    let mut gateway = Gateway::new();
    drop(gateway.join("a", Interest::Snapshot).unwrap());
    let first = gateway.join("a", Interest::Snapshot).unwrap();
    gateway.hears_all([Opened("a")]).await;
    gateway.says([Row(1)]);
    assert_eq!(gateway.hears().await, None);
    drop(first);
    let second = gateway.asks("a");
    assert_eq!(gateway.hears().await, None, "it comes");
    gateway.says([Row(2), End]);
    assert_eq!(soon(second).await, [Row(1), Row(2)]);
    gateway.hears_all([Cancelled("a")]).await;
}

#[tokio::test(start_paused = true)]
async fn a_question_that_nobody_comes_for_is_cancelled_after_a_while() {
    let mut gateway = Gateway::new();
    let subscriber = gateway.join("a", Interest::Snapshot).unwrap();
    gateway.hears_all([Opened("a")]).await;
    let left = Instant::now();
    drop(subscriber);
    assert_eq!(gateway.heard.recv().await, Some(Cancelled("a")));
    assert_eq!(left.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_an_answer_is_not_taken_for_the_beginning_of_the_next() {
    let mut gateway = Gateway::new();
    let mut first = gateway.join("a", Interest::Snapshot).unwrap();
    gateway.hears_all([Opened("a")]).await;
    gateway.says([Row(1)]);
    first.next().await.unwrap();
    // ibapi has lost something: the question is open still, but nobody has the beginning of its answer.
    let lost = Error::new(ErrorKind::SlowConsumer, "too much at once");
    gateway.wire.listener().as_ref().unwrap().send(Err(lost)).unwrap();
    assert_eq!(first.next().await.unwrap_err().kind(), ErrorKind::SlowConsumer);
    gateway.hears_all([Cancelled("a")]).await;

    let second = gateway.asks("a");
    gateway.hears_all([Opened("a")]).await;
    gateway.says([Row(2), End]);
    gateway.hears_all([Cancelled("a"), Opened("a")]).await;
    assert!(!second.is_finished());
    gateway.says([Row(1), Row(2), End]);
    assert_eq!(soon(second).await, [Row(1), Row(2)]);
    gateway.hears_all([Cancelled("a")]).await;
}

#[tokio::test(start_paused = true)]
async fn one_about_something_else_waits_for_the_answer_and_not_for_silence() {
    let mut gateway = Gateway::new();
    let (first, second) = (gateway.asks("a"), gateway.asks("b"));
    gateway.hears_all([Opened("a")]).await;
    gateway.says([Row(1)]);
    assert_eq!(gateway.hears().await, None, "the first one's answer comes");
    let silent = Instant::now();
    assert_eq!(gateway.heard.recv().await, Some(Cancelled("a")));
    assert!(silent.elapsed() < SILENCE);
    gateway.hears_all([Opened("b")]).await;
    gateway.says([Row(7), End]);
    assert_eq!(soon(second).await, [Row(7)]);
    // Then it is the first one's turn again; what it has is not the whole, and may be followed by the end that was missing.
    gateway.hears_all([Cancelled("b"), Opened("a")]).await;
    gateway.says([End]);
    gateway.hears_all([Cancelled("a"), Opened("a")]).await;
    gateway.says([Row(1), Row(2), End]);
    assert_eq!(soon(first).await, [Row(1), Row(2)]);
}

#[tokio::test(start_paused = true)]
async fn one_about_something_else_does_not_wait_for_those_who_have_left() {
    let mut gateway = Gateway::new();
    let first = gateway.join("a", Interest::Snapshot).unwrap();
    gateway.hears_all([Opened("a")]).await;
    gateway.says([Row(1)]);
    drop(first);
    let second = gateway.asks("b");
    gateway.hears_all([Cancelled("a"), Opened("b")]).await;
    gateway.says([End]);
    assert_eq!(soon(second).await, []);
}

#[tokio::test(start_paused = true)]
async fn one_about_something_else_is_refused_by_those_who_stay() {
    let mut gateway = Gateway::new();
    let mut stream = gateway.join("b", Interest::Updates).unwrap();
    gateway.hears_all([Opened("b")]).await;
    gateway.says([Row(1)]);
    assert_eq!(stream.next().await.unwrap(), Row(1));
    let refused = gateway.join("a", Interest::Snapshot).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Busy);
    assert!(refused.message().contains("a stream of b"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_any_more_is_never_asked() {
    let mut gateway = Gateway::new();
    let first = gateway.join("a", Interest::Snapshot).unwrap();
    let second = gateway.join("b", Interest::Snapshot).unwrap();
    gateway.hears_all([Opened("a")]).await;
    drop((second, first));
    gateway.says([End]);
    gateway.hears_all([Cancelled("a")]).await;
    assert_eq!(gateway.hears().await, None);
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_was_cut_short() {
    let mut gateway = Gateway::new();
    let mut subscriber = gateway.join("a", Interest::Updates).unwrap();
    gateway.hears_all([Opened("a")]).await;
    gateway.wire.listener().take();
    assert_eq!(subscriber.next().await.unwrap_err().message(), "the answer was cut short");
}

#[tokio::test(start_paused = true)]
async fn a_seat_is_open_when_the_gateway_has_been_asked() {
    let mut gateway = Gateway::new();
    let (first, second) =
        (gateway.join("a", Interest::Snapshot).unwrap(), gateway.join("b", Interest::Updates));
    let (second, notes) = (second.unwrap(), Notes::new());
    first.opened(&notes).await;
    timeout(SILENCE / 2, second.opened(&notes)).await.expect_err("it is not its turn");
    assert_eq!(notes.stage(), Stage::Waits);
    gateway.says([End]);
    drop(first);
    second.opened(&notes).await;
    assert_eq!(notes.stage(), Stage::Asked);
    gateway.hears_all([Opened("a"), Cancelled("a"), Opened("b")]).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_begins_between_two_questions_is_not_whole() {
    let mut gateway = Gateway::new();
    drop(gateway.join("a", Interest::Snapshot).unwrap());
    let first = gateway.join("a", Interest::Snapshot).unwrap();
    gateway.hears_all([Opened("a")]).await;
    drop(first);
    gateway.wire.slips.store(1, Ordering::Relaxed);
    let second = gateway.asks("a");
    gateway.hears_all([Cancelled("a"), Opened("a")]).await;
    gateway.says([Row(2), End]);
    gateway.hears_all([Cancelled("a"), Opened("a")]).await;
    gateway.says([Row(1), Row(2), End]);
    assert_eq!(soon(second).await, [Row(1), Row(2)]);
}

#[tokio::test(start_paused = true)]
async fn a_doubt_is_about_one_subject_and_ends() {
    let mut gateway = Gateway::new();
    drop(gateway.join("a", Interest::Snapshot).unwrap());
    let first = gateway.join("a", Interest::Snapshot).unwrap();
    gateway.hears_all([Opened("a")]).await;
    gateway.says([Row(1)]);
    drop(first);
    // Another one takes the place in the middle of the answer.
    let other = gateway.asks("b");
    gateway.hears_all([Cancelled("a"), Opened("b")]).await;
    gateway.says([Row(7), End]);
    assert_eq!(soon(other).await, [Row(7)], "nothing of it was asked for before");
    gateway.hears_all([Cancelled("b")]).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let again = gateway.asks("a");
    gateway.hears_all([Opened("a")]).await;
    gateway.says([Row(1), End]);
    assert_eq!(soon(again).await, [Row(1)], "what has not come in so long does not come");
}
