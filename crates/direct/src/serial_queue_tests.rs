//! SerialQueue at a Gateway that is a test, in virtual time.

use std::collections::VecDeque;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::permits::SILENCE;
use ibkr_connect_wire::{EndMark, Observer};

const FAMILY: Family = Family::OpenOrders;

/// The Gateway's side. What it says goes to all who have asked and not heard an end mark, as ibapi has it.
#[derive(Debug, Clone, Default)]
struct Gateway {
    tap: Wiretap,
    open: Arc<Mutex<Vec<UnboundedSender<Option<i32>>>>>,
    asked: Arc<Mutex<VecDeque<&'static str>>>,
    /// What comes behind an end mark at which the relay stands.
    held: Arc<Mutex<VecDeque<Option<i32>>>>,
}

impl Gateway {
    fn queue(&self) -> SerialQueue {
        SerialQueue::new(FAMILY, &self.tap)
    }

    /// Rows, and `None` for an end mark.
    fn says<const N: usize>(&self, said: [Option<i32>; N]) {
        self.held.lock().unwrap().extend(said);
        self.passes_on();
    }

    fn passes_on(&self) {
        loop {
            let Some(said) = self.held.lock().unwrap().pop_front() else { return };
            self.tap.count(FAMILY);
            let mut open = self.open.lock().unwrap();
            let mark =
                said.map_or_else(|| self.tap.end_mark(Instant::now(), FAMILY, None), |_| EndMark::Passes);
            open.retain(|listener| listener.send(said).is_ok() && said.is_some());
            if mark == EndMark::Halts {
                let gateway = self.clone();
                drop(tokio::spawn(async move {
                    gateway.tap.goes_on().await;
                    gateway.passes_on();
                }));
                return;
            }
        }
    }

    /// An end mark arrives that had passed the relay before.
    fn end_arrives(&self) {
        for listener in self.open.lock().unwrap().drain(..) {
            // Who has left needs none.
            let _ = listener.send(None);
        }
    }

    /// What was asked since the last look.
    async fn hears(&self) -> Vec<&'static str> {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        self.asked.lock().unwrap().drain(..).collect()
    }
}

struct Own(Gateway);
struct All(Gateway);

struct Rows(UnboundedReceiver<Option<i32>>);

impl Answer for Rows {
    type Row = i32;

    async fn next(&mut self) -> Result<Option<i32>> {
        Ok(self.0.recv().await.expect("the Gateway goes on"))
    }
}

fn ask(gateway: &Gateway, kind: &'static str) -> Rows {
    let (tell, told) = unbounded_channel();
    gateway.open.lock().unwrap().push(tell);
    gateway.asked.lock().unwrap().push_back(kind);
    Rows(told)
}

impl Question for Own {
    type Answer = Rows;
    const KIND: &'static str = "own";

    async fn ask(&self) -> Result<Rows> {
        Ok(ask(&self.0, Self::KIND))
    }
}

impl Question for All {
    type Answer = Rows;
    const KIND: &'static str = "all";

    async fn ask(&self) -> Result<Rows> {
        Ok(ask(&self.0, Self::KIND))
    }
}

fn asks(
    queue: &SerialQueue,
    question: impl Question<Answer = Rows> + Send + 'static,
) -> JoinHandle<Vec<i32>> {
    let queue = queue.clone();
    tokio::spawn(async move {
        let notes = Notes::new();
        queue.ask(&notes, &question).await.unwrap()
    })
}

async fn soon<T>(task: JoinHandle<T>) -> T {
    timeout(Duration::from_millis(10), task).await.expect("it is there").unwrap()
}

/// An abandoned question.
async fn abandoned(gateway: &Gateway, queue: &SerialQueue) {
    let first = asks(queue, Own(gateway.clone()));
    assert_eq!(gateway.hears().await, ["own"]);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn an_overlooked_question_is_asked_again_at_once() {
    let (gateway, begun) = (Gateway::default(), Instant::now());
    let queue = gateway.queue();
    abandoned(&gateway, &queue).await;
    let second = asks(&queue, Own(gateway.clone()));
    assert_eq!(gateway.hears().await, ["own"]);
    gateway.says([Some(1), None]);
    assert_eq!(soon(second).await, [1]);
    assert_eq!((begun.elapsed(), gateway.hears().await), (Duration::ZERO, vec![]));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_late_is_as_good_for_the_same_question() {
    let gateway = Gateway::default();
    let queue = gateway.queue();
    abandoned(&gateway, &queue).await;
    let second = asks(&queue, Own(gateway.clone()));
    assert_eq!(gateway.hears().await, ["own"]);
    gateway.says([Some(1), None]);
    assert_eq!(soon(second).await, [1], "it was asked twice and answered once");
    // The other answer comes while the next one asks; nobody knows where it has begun.
    gateway.says([Some(2)]);
    let third = asks(&queue, Own(gateway.clone()));
    assert_eq!(gateway.hears().await, ["own"]);
    gateway.says([Some(3), None, Some(2), Some(3), None]);
    assert_eq!(gateway.hears().await, ["own"]);
    assert_eq!(soon(third).await, [2, 3]);
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_an_answer_is_nobodys() {
    let gateway = Gateway::default();
    let queue = gateway.queue();
    let first = asks(&queue, Own(gateway.clone()));
    assert_eq!(gateway.hears().await, ["own"]);
    gateway.says([Some(1)]);
    first.abort();
    first.await.unwrap_err();
    let second = asks(&queue, Own(gateway.clone()));
    assert_eq!(gateway.hears().await, ["own"]);
    gateway.says([Some(2), None, Some(11), Some(12), None]);
    assert_eq!(soon(second).await, [11, 12]);
    assert_eq!(gateway.hears().await, ["own"], "it might have been the answer, and the rest is lost");
}

#[tokio::test(start_paused = true)]
async fn the_late_answer_to_another_question_is_nobodys() {
    for answers_the_first in
        [[Some(1), None, Some(1), Some(2), None], [Some(1), Some(2), None, Some(1), Some(2)]]
    {
        let gateway = Gateway::default();
        let queue = gateway.queue();
        abandoned(&gateway, &queue).await;
        let second = asks(&queue, All(gateway.clone()));
        assert_eq!(gateway.hears().await, ["all"]);
        gateway.says(answers_the_first);
        assert_eq!(gateway.hears().await, ["all"]);
        gateway.says([None]);
        assert_eq!(soon(second).await, [1, 2], "{answers_the_first:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_that_stays_unanswered_is_forgotten() {
    let gateway = Gateway::default();
    let queue = gateway.queue();
    abandoned(&gateway, &queue).await;
    for spoiled in [true, false] {
        let next = asks(&queue, All(gateway.clone()));
        assert_eq!(gateway.hears().await, ["all"]);
        gateway.says([Some(1), None]);
        if spoiled {
            assert_eq!(gateway.hears().await, ["all"]);
            gateway.says([Some(1), None]);
        }
        assert_eq!(soon(next).await, [1]);
        assert_eq!(gateway.hears().await, Vec::<&str>::new());
        tokio::time::sleep(OVERLOOKED).await;
    }
    assert_eq!(queue.spoilers(All::KIND), 0);
}

#[tokio::test(start_paused = true)]
async fn who_waits_behind_a_silent_question_goes_first() {
    let gateway = Gateway::default();
    let queue = gateway.queue();
    let first = asks(&queue, Own(gateway.clone()));
    assert_eq!(gateway.hears().await, ["own"]);
    let second = asks(&queue, Own(gateway.clone()));
    assert_eq!(gateway.hears().await, Vec::<&str>::new(), "it may be answered");
    tokio::time::sleep(SILENCE).await;
    assert_eq!(gateway.hears().await, ["own"]);
    gateway.says([Some(1), None]);
    assert_eq!(soon(second).await, [1]);
    // It may have been the answer to the first question: that one's is asked for again, and once more.
    assert_eq!(gateway.hears().await, ["own"]);
    gateway.says([Some(1), None]);
    assert_eq!(gateway.hears().await, ["own"]);
    gateway.says([Some(1), None]);
    assert_eq!(soon(first).await, [1]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_keeps_its_turn() {
    let gateway = Gateway::default();
    let queue = gateway.queue();
    let first = asks(&queue, Own(gateway.clone()));
    let _second = asks(&queue, All(gateway.clone()));
    assert_eq!(gateway.hears().await, ["own"]);
    for row in 1..=3 {
        tokio::time::sleep(SILENCE - Duration::from_millis(1)).await;
        gateway.says([Some(row)]);
    }
    gateway.says([None]);
    assert_eq!(soon(first).await, [1, 2, 3]);
    assert_eq!(gateway.hears().await, ["all"]);
}

#[tokio::test(start_paused = true)]
async fn an_end_mark_that_was_on_its_way_is_one_more() {
    let gateway = Gateway::default();
    let queue = gateway.queue();
    let first = asks(&queue, Own(gateway.clone()));
    assert_eq!(gateway.hears().await, ["own"]);
    gateway.tap.count(FAMILY);
    first.abort();
    first.await.unwrap_err();
    let second = asks(&queue, Own(gateway.clone()));
    assert_eq!(gateway.hears().await, ["own"]);
    // The relay did not stand at it: what followed may have been lost before the question was asked again.
    gateway.end_arrives();
    assert_eq!(gateway.hears().await, ["own"]);
    gateway.says([Some(2), None]);
    assert_eq!(gateway.hears().await, ["own"]);
    gateway.says([Some(1), Some(2), None]);
    assert_eq!(soon(second).await, [1, 2]);
}
