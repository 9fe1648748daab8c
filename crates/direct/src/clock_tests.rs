//! The clock under virtual time, at a Gateway that leaves questions unanswered that come too soon.

use std::future::pending;

use tokio::join;
use tokio::time::{sleep, timeout};

use super::*;

/// A Gateway whose every answer takes so long, and how it takes the first question.
#[derive(Debug, Clone)]
struct Played {
    begun: Instant,
    asked: Arc<Mutex<Vec<(Duration, Unit)>>>,
    takes: Duration,
    first: First,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Answered,
    Overlooked,
    /// The Gateway complains about something else while it is open.
    Disturbed,
    /// ibapi's end is closed.
    Lost,
}

impl Played {
    fn new(takes: Duration, first: First) -> Self {
        Self { begun: Instant::now(), asked: Arc::default(), takes, first }
    }

    /// When it was asked what.
    fn asked(&self) -> Vec<(u128, Unit)> {
        self.asked.lock().unwrap().iter().map(|(at, unit)| (at.as_millis(), *unit)).collect()
    }
}

impl AsksTime for Played {
    async fn time(&self, unit: Unit) -> Result<OffsetDateTime, ibapi::Error> {
        let at = self.begun.elapsed();
        let last = {
            let mut asked = self.asked.lock().unwrap();
            asked.push((at, unit));
            asked.iter().rev().nth(1).copied()
        };
        if last.is_some_and(|(last, _)| at - last < Duration::from_secs(4)) {
            return pending().await;
        }
        match self.first {
            First::Overlooked if last.is_none() => pending().await,
            First::Disturbed if last.is_none() => Err(complaint()),
            First::Lost => Err(ibapi::Error::Shutdown),
            _ => {
                sleep(self.takes).await;
                Ok(time_at(self.begun.elapsed(), unit))
            }
        }
    }
}

/// What the Gateway says after so long.
fn time_at(elapsed: Duration, unit: Unit) -> OffsetDateTime {
    let begin = OffsetDateTime::from_unix_timestamp(1_787_000_000).unwrap();
    unit.of(begin + elapsed)
}

fn complaint() -> ibapi::Error {
    ibapi::Error::Notice(ibapi::Notice {
        request_id: None,
        code: 321,
        message: "it was another client's".to_owned(),
        error_time: None,
        advanced_order_reject_json: String::new(),
    })
}

const LIMIT: Duration = Duration::from_secs(30);
const QUICK: Duration = Duration::from_millis(5);

#[tokio::test(start_paused = true)]
async fn questions_of_both_kinds_are_apart_and_each_gets_an_answer_of_its_own_time() {
    let (clock, gateway) = (Clock::default(), Played::new(QUICK, First::Answered));
    for (unit, at) in [(Unit::Seconds, 5), (Unit::Millis, 4_255), (Unit::Seconds, 8_505)] {
        let time = clock.time(&gateway, unit, LIMIT).await.unwrap();
        assert_eq!(time, time_at(Duration::from_millis(at), unit));
    }
    let seconds = Unit::Seconds;
    assert_eq!(gateway.asked(), [(0, seconds), (4_250, Unit::Millis), (8_500, seconds)]);
    // Who comes late enough waits for nothing.
    sleep(SPACING).await;
    let begun = Instant::now();
    clock.time(&gateway, seconds, LIMIT).await.unwrap();
    assert_eq!(begun.elapsed(), QUICK);
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_share_the_next_answer() {
    let (clock, gateway) = (Clock::default(), Played::new(QUICK, First::Answered));
    clock.time(&gateway, Unit::Seconds, LIMIT).await.unwrap();
    let ask = |unit| clock.time(&gateway, unit, LIMIT);
    let (one, exact, other) = join!(ask(Unit::Seconds), ask(Unit::Millis), ask(Unit::Seconds));
    let at = Duration::from_millis(4_255);
    assert_eq!(exact.unwrap(), time_at(at, Unit::Millis));
    assert_eq!((one.unwrap(), other.unwrap()), (time_at(at, Unit::Seconds), time_at(at, Unit::Seconds)));
    assert_eq!(gateway.asked(), [(0, Unit::Seconds), (4_250, Unit::Millis)]);
}

#[tokio::test(start_paused = true)]
async fn an_open_question_serves_those_who_come_meanwhile_unless_they_want_it_more_exactly() {
    let (clock, gateway) = (Clock::default(), Played::new(Duration::from_secs(1), First::Answered));
    let late = async {
        sleep(QUICK).await;
        join!(
            clock.time(&gateway, Unit::Seconds, Duration::from_secs(2)),
            clock.time(&gateway, Unit::Millis, LIMIT)
        )
    };
    let (first, (same, exact)) = join!(clock.time(&gateway, Unit::Seconds, LIMIT), late);
    let second = Duration::from_secs(1);
    assert_eq!(
        (first.unwrap(), same.unwrap()),
        (time_at(second, Unit::Seconds), time_at(second, Unit::Seconds))
    );
    assert_eq!(exact.unwrap(), time_at(SPACING + second, Unit::Millis));
    assert_eq!(gateway.asked(), [(0, Unit::Seconds), (4_250, Unit::Millis)]);
}

#[tokio::test(start_paused = true)]
async fn who_would_wait_for_too_long_is_told_at_once() {
    let (clock, gateway) = (Clock::default(), Played::new(QUICK, First::Answered));
    clock.time(&gateway, Unit::Seconds, LIMIT).await.unwrap();
    let begun = Instant::now();
    let patience = Duration::from_millis(4_245);
    let error = clock.time(&gateway, Unit::Millis, patience).await.unwrap_err();
    assert_eq!(
        (begun.elapsed(), error.kind(), error.is_retryable()),
        (Duration::ZERO, ErrorKind::Timeout, true)
    );
    assert!(error.message().starts_with("not asked, its turn would come in 4.2s"), "{error}");
    assert!(error.message().contains("it may take 4.245s"), "{error}");
    clock.time(&gateway, Unit::Millis, patience + Duration::from_millis(1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_overlooked_is_asked_again_when_its_turn_comes() {
    for first in [First::Overlooked, First::Disturbed] {
        let (clock, gateway) = (Clock::default(), Played::new(QUICK, first));
        let time = clock.time(&gateway, Unit::Seconds, LIMIT).await.unwrap();
        assert_eq!(time, time_at(SPACING + QUICK, Unit::Seconds));
        assert_eq!(gateway.asked(), [(0, Unit::Seconds), (4_250, Unit::Seconds)], "{first:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_for_those_who_have_left() {
    let (clock, gateway) = (Clock::default(), Played::new(QUICK, First::Answered));
    clock.time(&gateway, Unit::Seconds, LIMIT).await.unwrap();
    timeout(QUICK, clock.time(&gateway, Unit::Seconds, LIMIT)).await.unwrap_err();
    sleep(2 * SPACING).await;
    assert_eq!(gateway.asked(), [(0, Unit::Seconds)]);
    clock.time(&gateway, Unit::Seconds, LIMIT).await.expect("the next one is served");
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_learn_of_the_end() {
    let (clock, gateway) = (Clock::default(), Played::new(QUICK, First::Lost));
    let ask = |unit| clock.time(&gateway, unit, LIMIT);
    for outcome in <[_; 2]>::from(join!(ask(Unit::Seconds), ask(Unit::Millis))) {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Disconnected);
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_left_is_not_kept_until_the_question_is_answered() {
    let (clock, gateway) = (Clock::default(), Played::new(SPACING / 2, First::Answered));
    let stays = clock.time(&gateway, Unit::Seconds, SPACING);
    let leave = async {
        for _ in 0..1_000 {
            timeout(Duration::ZERO, clock.time(&gateway, Unit::Seconds, SPACING)).await.unwrap_err();
        }
        assert!(clock.state().waiting.len() < 10, "{}", clock.state().waiting.len());
    };
    let (time, ()) = join!(stays, leave);
    time.unwrap();
}
