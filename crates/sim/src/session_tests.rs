//! One client: subscriptions, their cancels, and what is refused.

use std::collections::BTreeSet;

use super::*;
use crate::messages::{
    AccountDataRequest, AccountModelRequest, Contract, ErrorMessage, MarketDataRequest,
    MarketDataTypeRequest, TickPrice,
};

fn session() -> Session {
    Session::new(Arc::new(World::new(1, &["DU1".into()])), 7, Timestamp::UNIX_EPOCH)
}

fn handle(session: &mut Session, id: i32, body: &impl Message) -> Vec<Frame> {
    session.handle(&Frame { id, body: body.encode_to_vec() }, Timestamp::UNIX_EPOCH)
}

fn quote(req_id: i32, symbol: &str) -> MarketDataRequest {
    let contract = Contract { symbol: Some(symbol.into()), ..Default::default() };
    MarketDataRequest { req_id: Some(req_id), contract: Some(contract), ..Default::default() }
}

fn error_code(frames: &[Frame]) -> Option<i32> {
    let [Frame { id: 4, body }] = frames else { return None };
    ErrorMessage::decode(body.as_slice()).unwrap().error_code
}

#[test]
fn a_subscription_ticks_until_it_is_cancelled() {
    let mut session = session();
    let opening = handle(&mut session, request::MARKET_DATA, &quote(5, "AAPL"));
    assert_eq!((opening[0].id, opening[1].id), (81, 1));
    assert!(session.is_streaming() && !session.tick(Timestamp::UNIX_EPOCH).is_empty());
    assert_eq!(error_code(&handle(&mut session, request::MARKET_DATA, &quote(5, "MSFT"))), Some(322));

    let cancel = message::RequestId { req_id: Some(5) };
    assert_eq!(handle(&mut session, request::CANCEL_MARKET_DATA, &cancel), []);
    assert!(!session.is_streaming() && session.tick(Timestamp::UNIX_EPOCH).is_empty());
    assert_eq!(error_code(&handle(&mut session, request::CANCEL_MARKET_DATA, &cancel)), Some(300));
}

#[test]
fn a_snapshot_ends_at_once_and_does_not_stream() {
    let mut session = session();
    let wanted = MarketDataRequest { snapshot: Some(true), ..quote(5, "SPY") };
    let frames = handle(&mut session, request::MARKET_DATA, &wanted);
    assert_eq!(frames.last(), Some(&Frame { id: 57, body: vec![8, 5] }));
    assert!(!session.is_streaming());
    assert_eq!(error_code(&handle(&mut session, request::MARKET_DATA, &quote(6, "NOSUCH"))), Some(200));
    let any_month = handle(&mut session, request::MARKET_DATA, &quote(7, "ES"));
    assert_eq!(error_code(&any_month), Some(200), "three futures have this symbol");
}

#[test]
fn delayed_data_have_tick_types_of_their_own() {
    let mut session = session();
    handle(&mut session, request::MARKET_DATA_TYPE, &MarketDataTypeRequest { market_data_type: Some(3) });
    let frames = handle(&mut session, request::MARKET_DATA, &quote(5, "IBM"));
    assert_eq!(frames[1], Frame { id: 58, body: vec![8, 5, 16, 3] });
    for frame in frames.iter().chain(&session.tick(Timestamp::UNIX_EPOCH)).filter(|frame| frame.id == 1) {
        let tick_type = TickPrice::decode(frame.body.as_slice()).unwrap().tick_type;
        assert!((66..=76).contains(&tick_type.unwrap()), "{tick_type:?}");
    }
}

#[test]
fn the_clocks_tell_the_time_given() {
    let now = Timestamp::from_millisecond(1_787_000_000_123).unwrap();
    let time = |id| session().handle(&Frame { id, body: vec![] }, now)[0].body.clone();
    let second = message::CurrentTime { current_time: Some(1_787_000_000) };
    let milli = message::CurrentTimeInMillis { current_time_in_millis: Some(1_787_000_000_123) };
    assert_eq!(time(request::CURRENT_TIME), second.encode_to_vec());
    assert_eq!(time(request::CURRENT_TIME_IN_MILLIS), milli.encode_to_vec());
}

#[test]
fn a_group_is_everybody_or_one_account() {
    let summary = |group: &str| {
        let wanted = message::AccountSummaryRequest {
            req_id: Some(1),
            group: Some(group.into()),
            tags: Some("Cushion,Leverage".into()),
        };
        handle(&mut session(), request::ACCOUNT_SUMMARY, &wanted)
    };
    assert_eq!(summary("All").len(), 3);
    assert_eq!(summary("All"), summary("DU1"));
    assert_eq!(error_code(&summary("DU2")), Some(321));
}

#[test]
fn profits_come_once_a_second_until_they_are_cancelled() {
    let mut session = session();
    let wanted = AccountModelRequest { req_id: Some(5), account: Some("DU1".into()), model_code: None };
    let opening = handle(&mut session, request::PNL, &wanted);
    assert_eq!(opening.iter().map(|frame| frame.id).collect::<Vec<_>>(), [94]);
    assert_eq!(session.tick(Timestamp::UNIX_EPOCH), [], "it is the same second");
    assert_eq!(session.tick(Timestamp::from_second(1).unwrap()).len(), 1);

    let cancel = message::RequestId { req_id: Some(5) };
    assert_eq!(handle(&mut session, request::CANCEL_PNL, &cancel), []);
    assert_eq!(session.tick(Timestamp::from_second(2).unwrap()), []);
    assert_eq!(error_code(&handle(&mut session, request::CANCEL_PNL, &cancel)), Some(10185));
    let nobody = AccountModelRequest { account: Some("DU2".into()), ..wanted };
    assert_eq!(error_code(&handle(&mut session, request::PNL, &nobody)), Some(321));
}

#[test]
fn account_updates_are_of_one_account_at_a_time() {
    let mut session =
        Session::new(Arc::new(World::new(1, &["DU1".into(), "DU2".into()])), 7, Timestamp::UNIX_EPOCH);
    let wanted =
        |account: &str| AccountDataRequest { subscribe: Some(true), acct_code: Some(account.into()) };
    let names = |frames: &[Frame]| {
        let values = frames.iter().filter(|frame| frame.id == 6);
        let name = |frame: &Frame| message::AccountValue::decode(frame.body.as_slice()).unwrap().account_name;
        values.map(|frame| name(frame).unwrap()).collect::<BTreeSet<_>>()
    };
    assert_eq!(names(&handle(&mut session, request::ACCOUNT_DATA, &wanted("DU1"))), ["DU1".into()].into());
    assert_eq!(names(&handle(&mut session, request::ACCOUNT_DATA, &wanted("DU2"))), ["DU2".into()].into());
    assert_eq!(names(&session.tick(Timestamp::from_second(3).unwrap())), ["DU2".into()].into());
    handle(&mut session, request::ACCOUNT_DATA, &AccountDataRequest::default());
    assert!(!session.has_subscriptions());
}
