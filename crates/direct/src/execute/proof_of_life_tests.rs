//! The proof of life under virtual time.

use std::future::pending;
use std::sync::Mutex;

use ibkr_connect_core::ErrorKind;
use time::OffsetDateTime;
use tokio::time::Instant;

use super::*;

/// A Gateway that takes the questions for its accounts in this way, in turn, and the last one for ever.
#[derive(Debug, Clone)]
struct Played {
    accounts: Arc<Mutex<Vec<Take>>>,
    time: Take,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Take {
    Answers(Duration),
    Complains,
    Overlooks,
    IsGone,
}

use Take::*;

impl Take {
    async fn outcome<T>(self, answer: T) -> Result<T, ibapi::Error> {
        match self {
            Answers(after) => {
                sleep(after).await;
                Ok(answer)
            }
            Complains => Err(ibapi::Error::Notice(ibapi::Notice {
                request_id: None,
                code: 321,
                message: "it was another client's".to_owned(),
                error_time: None,
                advanced_order_reject_json: String::new(),
            })),
            Overlooks => pending().await,
            IsGone => Err(ibapi::Error::ConnectionReset),
        }
    }
}

impl AsksAccounts for Played {
    async fn accounts(&self) -> Result<(), ibapi::Error> {
        let take = {
            let mut takes = self.accounts.lock().unwrap();
            if takes.len() > 1 { takes.remove(0) } else { takes[0] }
        };
        take.outcome(()).await
    }
}

impl AsksTime for Played {
    async fn time(&self, _: Unit) -> Result<OffsetDateTime, ibapi::Error> {
        self.time.outcome(OffsetDateTime::UNIX_EPOCH).await
    }
}

/// The proof, or the kind of the error, and after how many milliseconds.
async fn proof(accounts: &[Take], time: Take, clock: &Clock) -> (Result<ProofOfLife, ErrorKind>, u128) {
    let played = Played { accounts: Arc::new(Mutex::new(accounts.to_vec())), time };
    let begun = Instant::now();
    let proof = proof_of_life(&played, clock).await.map_err(|error| error.kind());
    (proof, begun.elapsed().as_millis())
}

const MS: fn(u64) -> Duration = Duration::from_millis;

#[tokio::test(start_paused = true)]
async fn either_answer_is_proof() {
    let (accounts, time) = (Ok(ProofOfLife::ManagedAccounts), Ok(ProofOfLife::ServerTime));
    for (to_accounts, to_time, expected) in [
        (Answers(MS(5)), Overlooks, (accounts, 5)),
        (Answers(MS(999)), Answers(MS(0)), (accounts, 999)),
        (Answers(MS(1_005)), Answers(MS(10)), (accounts, 1_005)),
        (Overlooks, Answers(MS(10)), (time, 1_010)),
        (Answers(MS(60_000)), Overlooks, (accounts, 60_000)),
    ] {
        let found = proof(&[to_accounts], to_time, &Clock::default()).await;
        assert_eq!(found, expected, "{to_accounts:?}, {to_time:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_clock_waits_for_its_turn() {
    let clock = Clock::default();
    let played = Played { accounts: Arc::default(), time: Answers(MS(0)) };
    clock.time(&played, Unit::Millis, Duration::MAX).await.unwrap();
    sleep(MS(250)).await;
    let found = proof(&[Overlooks], Answers(MS(10)), &clock).await;
    assert_eq!(found, (Ok(ProofOfLife::ServerTime), 4_010));
}

#[tokio::test(start_paused = true)]
async fn a_complaint_is_neither_an_answer_nor_silence() {
    let accounts = Ok(ProofOfLife::ManagedAccounts);
    let clock = Clock::default();
    assert_eq!(proof(&[Complains, Answers(MS(5))], Overlooks, &clock).await, (accounts, 5));
    let found = proof(&[Complains, Complains, Complains, Complains, Answers(MS(5))], Overlooks, &clock).await;
    assert_eq!(found, (accounts, 50 + 100 + 200 + 5));
    // One that complains for ever, and answers nothing, has proved nothing.
    let mute = Played { accounts: Arc::new(Mutex::new(vec![Complains])), time: Overlooks };
    timeout(MS(60_000), proof_of_life(&mute, &clock)).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_no_silence() {
    let lost = Err(ErrorKind::Disconnected);
    assert_eq!(proof(&[IsGone], Overlooks, &Clock::default()).await, (lost, 0));
    assert_eq!(proof(&[Overlooks], IsGone, &Clock::default()).await, (lost, 1_000));
    assert_eq!(proof(&[Complains, IsGone], Overlooks, &Clock::default()).await, (lost, 0));
}
