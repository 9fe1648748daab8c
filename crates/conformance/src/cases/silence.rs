//! A Gateway that overlooks questions, answers them late, answers others, or not at all: nobody waits for what nobody wants any more,
//! no answer is another's, and what times out says why.

use std::time::{Duration, Instant};

use ibkr_connect_core::types::{
    AccountUpdatesEvent, AccountUpdatesParams, AccountUpdatesSnapshot, Contract, HistoricalBarsParams,
    OpenOrder, TickByTickParams, TickByTickType,
};
use ibkr_connect_core::{ErrorKind, Request};

use crate::Backend;
use crate::cases::played::{ACCOUNTS, connected, connected_with, notice};
use crate::support::fake_gateway::message::{ID, message};
use crate::support::fake_gateway::played::{PlayedGateway, Received};
use crate::support::fake_gateway::wire::{Frame, frame, open_order};

/// Too short for an answer that does not come at once.
const SHORT: Duration = Duration::from_millis(300);

/// Long before any deadline here, which is 10 s, on a busy machine.
const IN_TIME: Duration = Duration::from_secs(6);

pub(crate) async fn an_overlooked_question_is_asked_again_at_once(backend: &dyn Backend) {
    let account = || frame!(6 { 1: "CashBalance", 2: "1.00", 3: "USD", 4: ACCOUNTS[0] });
    let [order, status] = open_order(7);
    let summary = frame!(63 { 1: ID, 2: ACCOUNTS[0], 3: "NetLiquidation", 4: "1.00", 5: "USD" });
    for (request, cancel, asked, answer) in [
        (Request::Positions, Some(64), 61, vec![position(1, "5"), frame!(62 {})]),
        (
            Request::AccountUpdatesSnapshot(of(ACCOUNTS[0])),
            Some(6),
            6,
            vec![account(), frame!(54 { 1: ACCOUNTS[0] })],
        ),
        (Request::AllOpenOrders, None, 16, vec![order, status, frame!(53 {})]),
        (Request::CompletedOrders(Default::default()), None, 99, vec![completed_order(), frame!(102 {})]),
        (Request::AccountSummary(Default::default()), Some(63), 62, vec![summary, frame!(64 { 1: ID })]),
    ] {
        let command = request.command();
        let (mut gateway, session) = connected(backend).await;
        let hasty = session.with_timeout(SHORT);
        let (overlooked, _) = tokio::join!(hasty.request(request.clone()), gateway.is_asked(asked));
        let overlooked = overlooked.unwrap_err();
        assert_eq!((overlooked.kind(), overlooked.code()), (ErrorKind::Timeout, None), "{overlooked}");

        let begun = Instant::now();
        let (reply, ()) = tokio::join!(session.request(request), async {
            if let Some(cancel) = cancel {
                gateway.is_asked(cancel).await;
            }
            let question = gateway.is_asked(asked).await;
            gateway.send(&answer, id_of(&question));
        });
        let reply = serde_json::to_value(reply.unwrap()).unwrap().to_string();
        assert!(reply.len() > 60, "{command}: {reply}");
        assert!(begun.elapsed() < IN_TIME, "{command}: {:?}", begun.elapsed());
        session.close().await.unwrap();
    }
}

pub(crate) async fn a_late_answer_to_another_question_is_nobodys(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    let hasty = session.with_timeout(SHORT);
    let (own, _) = tokio::join!(hasty.open_orders(), gateway.is_asked(5));
    assert_eq!(own.unwrap_err().kind(), ErrorKind::Timeout);

    let (all, ()) = tokio::join!(session.all_open_orders(), async {
        gateway.is_asked(16).await;
        // First the answer that nobody wants any more, and with it the beginning of the other one.
        gateway.says_all([open_order(1).to_vec(), vec![frame!(53 {})], open_order(1).to_vec()]);
        gateway.is_asked(16).await;
        gateway.says_all([open_order(2).to_vec(), vec![frame!(53 {})]]);
    });
    assert_eq!(order_ids(&all.unwrap()), [1, 2]);
    session.close().await.unwrap();
}

pub(crate) async fn the_rest_of_an_answer_about_orders_is_nobodys(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    let hasty = session.with_timeout(SHORT);
    let (begun, ()) = tokio::join!(hasty.all_open_orders(), async {
        gateway.is_asked(16).await;
        gateway.says(open_order(1));
    });
    let begun = begun.unwrap_err();
    assert!(begun.message().contains("its end has not come"), "{begun}");

    let (all, ()) = tokio::join!(session.all_open_orders(), async {
        gateway.is_asked(16).await;
        gateway.says_all([open_order(2).to_vec(), vec![frame!(53 {})]]);
        gateway.is_asked(16).await;
        gateway.says_all([open_order(1).to_vec(), open_order(2).to_vec(), vec![frame!(53 {})]]);
    });
    assert_eq!(order_ids(&all.unwrap()), [1, 2]);
    session.close().await.unwrap();
}

pub(crate) async fn who_waits_behind_a_silent_question_is_served_in_time(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    let begun = Instant::now();
    let (overlooked, all, ()) = tokio::join!(session.open_orders(), session.all_open_orders(), async {
        gateway.is_asked(5).await;
        gateway.is_asked(16).await;
        // It could be the answer to the first question, so it is asked for once more.
        for _ in 0..2 {
            gateway.says_all([open_order(7).to_vec(), vec![frame!(53 {})]]);
            gateway.receive(IN_TIME).await.expect("it is asked for again");
        }
        gateway.says_all([open_order(7).to_vec(), vec![frame!(53 {})]]);
        gateway.receive(IN_TIME).await.expect("both are");
        gateway.says_all([open_order(7).to_vec(), vec![frame!(53 {})]]);
        while gateway.receive(SHORT).await.is_some() {
            gateway.says_all([open_order(7).to_vec(), vec![frame!(53 {})]]);
        }
    });
    assert_eq!((order_ids(&all.unwrap()), order_ids(&overlooked.unwrap())), (vec![7], vec![]));
    assert!(begun.elapsed() < IN_TIME, "{:?}", begun.elapsed());
    session.close().await.unwrap();
}

pub(crate) async fn silent_summaries_make_room_for_the_third(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    let ask = || session.account_summary(Default::default());
    let begun = Instant::now();
    let (first, second, third, ()) = tokio::join!(ask(), ask(), ask(), async {
        gateway.is_asked(62).await;
        gateway.is_asked(62).await;
        let mut answered = 0;
        while answered < 3 {
            let heard = gateway.receive(IN_TIME).await.expect("somebody asks");
            if heard.message == 62 {
                let row = frame!(63 { 1: ID, 2: ACCOUNTS[0], 3: "NetLiquidation", 4: "1.00" });
                gateway.send(&[row, frame!(64 { 1: ID })], id_of(&heard));
                answered += 1;
            }
        }
    });
    for values in [first, second, third] {
        assert_eq!(values.unwrap().len(), 1);
    }
    assert!(begun.elapsed() < IN_TIME, "{:?}", begun.elapsed());
    session.close().await.unwrap();
}

pub(crate) async fn the_end_mark_of_another_account_ends_nothing(backend: &dyn Backend) {
    let [ours, other] = ACCOUNTS;
    let (mut gateway, session) = connected(backend).await;
    let (snapshot, ()) = tokio::join!(session.account_updates_snapshot(of(ours)), async {
        gateway.is_asked(6).await;
        gateway.says([frame!(54 { 1: other }), cash(ours, "1.00"), frame!(54 { 1: other })]);
        gateway.says([held(ours), frame!(54 { 1: ours })]);
        gateway.is_asked(6).await;
    });
    let snapshot = snapshot.unwrap();
    assert_eq!((snapshot.values.len(), snapshot.portfolio.len()), (1, 1), "{snapshot:?}");

    let hasty = session.with_timeout(SHORT);
    let (never, ()) = tokio::join!(hasty.account_updates_snapshot(of(ours)), async {
        gateway.is_asked(6).await;
        gateway.says([cash(ours, "1.00"), frame!(54 { 1: other })]);
    });
    let never = never.unwrap_err();
    assert_eq!(never.kind(), ErrorKind::Timeout);
    assert!(never.message().contains("what has ended is that of account DU7654322"), "{never}");
    session.close().await.unwrap();
}

pub(crate) async fn an_account_without_an_end_does_not_block_the_next(backend: &dyn Backend) {
    let [endless, next] = ACCOUNTS;
    let (mut gateway, session) = connected(backend).await;
    let begun = Instant::now();
    let served = async {
        let snapshot = session.account_updates_snapshot(of(next)).await;
        (snapshot, begun.elapsed())
    };
    let patient = session.with_timeout(IN_TIME);
    let (never, (snapshot, took), ()) =
        tokio::join!(patient.account_updates_snapshot(of(endless)), served, async {
            gateway.is_asked(6).await;
            gateway.says([cash(endless, "1.00")]);
            for asked in ["", next, "", endless] {
                let heard = gateway.is_asked(6).await;
                assert!(String::from_utf8_lossy(&heard.body).contains(asked), "{heard:?}");
                if asked == next {
                    // The rest of the other one's is not this one's.
                    gateway.says([
                        cash(endless, "9.00"),
                        frame!(8 { 1: "09:09" }),
                        frame!(54 { 1: endless }),
                    ]);
                    gateway.says([cash(next, "2.00"), frame!(8 { 1: "15:04" }), frame!(54 { 1: next })]);
                }
            }
        });
    let AccountUpdatesSnapshot { values, time, .. } = snapshot.unwrap();
    assert_eq!(values.iter().map(|value| value.value.as_str()).collect::<Vec<_>>(), ["2.00"]);
    assert_eq!(time.as_deref(), Some("15:04"));
    assert!(took < IN_TIME, "{took:?}");
    assert_eq!(never.unwrap_err().kind(), ErrorKind::Timeout);
    session.close().await.unwrap();
}

pub(crate) async fn what_times_out_says_why(backend: &dyn Backend) {
    const TAKEN: &str =
        "Unable to subscribe to account as the following clients are subscribed to a different account: 7";
    const LATE: &str = "Up-to-the-second historical data requires additional subscription for the API.";
    let bars = || Request::HistoricalBars(HistoricalBarsParams::last_day(Contract::stock("AAPL")));
    for (request, about, code, text, advice) in [
        (Request::AccountUpdatesSnapshot(of(ACCOUNTS[0])), About::Nothing, 2101, TAKEN, "another client"),
        (bars(), About::TheRequest, 2188, LATE, "15 minutes"),
        (bars(), About::Nothing, 2188, LATE, "15 minutes"),
        (
            Request::Positions,
            About::Nothing,
            1100,
            "Connectivity between IBKR and Trader Workstation has been lost.",
            "1102",
        ),
        (
            Request::ScannerParameters,
            About::Nothing,
            2110,
            "Connectivity between TWS and server is broken.",
            "1102",
        ),
        (
            Request::OpenOrders,
            About::Nothing,
            10141,
            "Paper trading disclaimer must first be accepted for API connection.",
            "disclaimer",
        ),
        (
            Request::AllOpenOrders,
            About::Nothing,
            322,
            "Error processing request.-'bW' : cause - 拒否",
            "has said",
        ),
    ] {
        let (mut gateway, session) = connected(backend).await;
        let hasty = session.with_timeout(2 * SHORT);
        let (outcome, ()) = tokio::join!(hasty.request(request), async {
            let question = gateway.receive(IN_TIME).await.expect("it asks");
            let id = if about == About::TheRequest { id_of(&question) } else { -1 };
            gateway.says([notice(id, code, text)]);
        });
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Timeout, Some(code)), "{error}");
        assert!(error.message().contains(&format!("{code}: {text}")), "{error}");
        assert!(error.advice().unwrap().contains(advice), "{error:?}");
        session.close().await.unwrap();
    }
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    TheRequest,
    Nothing,
}

pub(crate) async fn who_follows_an_account_is_told_that_nothing_comes(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    let mut updates = session.account_updates(of(ACCOUNTS[0])).await.unwrap();
    gateway.is_asked(6).await;
    for code in [2101, 2100] {
        gateway.says([notice(-1, 2104, "OK:usfarm"), notice(-1, code, "as it says")]);
        let told = updates.next().await.unwrap().unwrap();
        assert_eq!(told, AccountUpdatesEvent::Notice { code, message: "as it says".to_owned() });
    }
    session.close().await.unwrap();
}

pub(crate) async fn what_was_mended_is_no_reason(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    gateway.says([notice(-1, 1100, "lost"), notice(-1, 1102, "restored"), notice(-1, 2101, "taken")]);
    let hasty = session.with_timeout(SHORT);
    let (outcome, _) = tokio::join!(hasty.positions(), gateway.is_asked(61));
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Timeout, None), "{error}");
    assert!(!error.advice().unwrap().contains("port"), "it has answered before: {error:?}");
    session.close().await.unwrap();
}

pub(crate) async fn the_opening_of_a_stream_has_a_deadline(backend: &dyn Backend) {
    let (mut gateway, session) = connected_with(backend, |target| target.request_timeout = SHORT).await;
    // The ticks of the past, which belong to the opening, do not come.
    let ticks = TickByTickParams::default()
        .with_contract(Contract::stock("AAPL"))
        .with_tick_type(TickByTickType::Last)
        .with_number_of_ticks(5)
        .with_ignore_size(false);
    let mut ticks = session.tick_by_tick(ticks).await.unwrap();
    gateway.is_asked(97).await;
    let past = gateway.is_asked(96).await;
    gateway.send(&[notice(id_of(&past), 2188, "late")], id_of(&past));
    let error = ticks.next().await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Timeout, Some(2188)), "{error}");
    assert!(ticks.next().await.is_none());

    // It is never its turn: there are two summaries at a time.
    let (mut gateway, session) = connected_with(backend, |target| target.request_timeout = SHORT).await;
    let patient = session.with_timeout(IN_TIME);
    let ask = || patient.account_summary(Default::default());
    tokio::select! {
        biased;
        outcome = async { tokio::join!(ask(), ask()) } => panic!("nobody answers: {outcome:?}"),
        () = async {
            gateway.is_asked(62).await;
            gateway.is_asked(62).await;
            let mut updates = session.account_summary_updates(Default::default()).await.unwrap();
            let error = updates.next().await.unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            assert!(error.message().contains("not its turn"), "{error}");
        } => {}
    }
    session.close().await.unwrap();
}

impl PlayedGateway {
    fn says_all<const N: usize>(&self, frames: [Vec<Frame>; N]) {
        self.send(&frames.concat(), -1);
    }
}

/// The id of a request; -1 if it has none.
fn id_of(question: &Received) -> i64 {
    message! { 1: ID }.id_in(&question.body).unwrap_or(-1)
}

fn order_ids(orders: &[OpenOrder]) -> Vec<i32> {
    orders.iter().map(|of| of.order.order_id).collect()
}

fn of(account: &str) -> AccountUpdatesParams {
    AccountUpdatesParams::default().with_account(account.to_owned())
}

fn position(con_id: i64, size: &str) -> Frame {
    frame!(61 { 1: ACCOUNTS[0], 2: { 1: con_id, 2: "AAPL", 3: "STK" }, 3: size })
}

fn cash(account: &str, value: &str) -> Frame {
    frame!(6 { 1: "CashBalance", 2: value, 3: "USD", 4: account })
}

fn held(account: &str) -> Frame {
    frame!(7 { 1: { 1: 265_598, 2: "AAPL", 3: "STK" }, 2: "5", 3: 230.0, 8: account })
}

fn completed_order() -> Frame {
    frame!(101 {
        1: { 1: 265_598, 2: "AAPL", 3: "STK" },
        2: { 3: 12_i64, 5: "BUY", 6: "5", 8: "MKT" },
        3: { 1: "Filled", 30: "Filled Size: 5" },
    })
}
