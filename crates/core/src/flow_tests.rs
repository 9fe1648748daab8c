//! Tests of `flow.rs`.

use proptest::prelude::*;

use super::*;
use crate::types::{MarketDataEvent, PriceAttributes, TickType};

fn price(tick_type: TickType, price: f64) -> Event {
    let attributes = PriceAttributes::default();
    Event::MarketData(MarketDataEvent::Price { tick_type, price: Some(price), size: None, attributes })
}

fn notice(code: i32) -> Event {
    Event::MarketData(MarketDataEvent::Notice { code, message: String::new() })
}

fn unread(flow: FlowControl, events: impl IntoIterator<Item = Event>) -> Unread {
    let mut unread = Unread::new(flow, StreamBudget::default());
    events.into_iter().for_each(|event| unread.push(event));
    unread
}

fn all(unread: &mut Unread) -> Vec<Event> {
    std::iter::from_fn(|| unread.pop()).collect()
}

#[test]
fn lossless_keeps_what_fits_and_counts_the_rest() {
    let mut unread = unread(FlowControl::Lossless { capacity: 2 }, (0..5).map(notice));
    assert!(unread.has_overflowed());
    assert_eq!(all(&mut unread), [notice(0), notice(1)]);
    unread.push(notice(5));
    assert_eq!(unread.len(), 0, "nothing follows a loss");
    let error = unread.slow_consumer();
    assert_eq!(error.kind(), ErrorKind::SlowConsumer);
    assert_eq!(error.message(), "4 events were lost: the consumer was more than 2 events behind");
}

#[test]
fn a_newer_value_takes_the_place_of_the_unread_one() {
    let (bid, ask) = (TickType::BID, TickType::ASK);
    let mut unread =
        unread(FlowControl::Conflate, [price(bid, 1.0), price(ask, 2.0), price(bid, 1.1), price(bid, 1.2)]);
    assert_eq!(unread.merged(), 2);
    assert_eq!(all(&mut unread), [price(bid, 1.2), price(ask, 2.0)]);
    unread.push(price(bid, 1.3));
    assert_eq!(all(&mut unread), [price(bid, 1.3)], "what was read is not replaced");
    assert_eq!(unread.merged(), 2);
}

#[test]
fn price_and_size_of_one_tick_type_are_two_fields() {
    let size = Event::MarketData(MarketDataEvent::Size { tick_type: TickType::BID, size: Some(1.0) });
    let mut unread = unread(FlowControl::Conflate, [price(TickType::BID, 1.0), size.clone()]);
    assert_eq!(all(&mut unread), [price(TickType::BID, 1.0), size]);
}

#[test]
fn no_value_passes_an_event_that_is_kept() {
    let (bid, end) = (TickType::BID, Event::MarketData(MarketDataEvent::SnapshotEnd {}));
    let events = [price(bid, 1.0), end.clone(), price(bid, 1.1), price(bid, 1.2), end.clone(), end.clone()];
    let mut unread = unread(FlowControl::Conflate, events);
    assert_eq!(unread.merged(), 1);
    assert_eq!(all(&mut unread), [price(bid, 1.0), end.clone(), price(bid, 1.2), end.clone(), end]);
}

#[test]
fn a_million_quotes_take_the_room_of_their_fields_and_what_is_kept_is_bounded() {
    let fields = 50;
    let quotes = (0..1_000_000).map(|number| price(TickType(number % fields), f64::from(number)));
    let mut quotes = unread(FlowControl::Conflate, quotes);
    assert_eq!((quotes.len(), quotes.merged()), (50, 999_950));
    let last = (999_950..1_000_000).map(|number| price(TickType(number % fields), f64::from(number)));
    assert_eq!(all(&mut quotes), last.collect::<Vec<_>>());

    let capacity = STREAM_CAPACITY as i32;
    let mut notices = unread(FlowControl::Conflate, (0..capacity + 3).map(notice));
    assert_eq!(all(&mut notices).len(), STREAM_CAPACITY);
    assert!(notices.slow_consumer().message().starts_with("3 events were lost"));
}

/// A text so long that a few of them count.
fn text(kilobytes: usize) -> Event {
    Event::MarketData(MarketDataEvent::Notice { code: 1, message: "x".repeat(kilobytes << 10) })
}

#[test]
fn a_stream_that_takes_what_others_need_ends_and_says_what_to_do() {
    let budget = StreamBudget::of(1 << 20);
    let mut hoarder = Unread::new(FlowControl::default(), budget.clone());
    (0..1_000).for_each(|_| hoarder.push(text(1)));
    let kept = hoarder.len();
    assert!((400..520).contains(&kept), "half of the megabyte, and its reserve: {kept}");
    let error = hoarder.slow_consumer();
    assert_eq!(error.kind(), ErrorKind::SlowConsumer);
    let words = format!("{} events were lost: all streams of a session may keep 1024 KiB", 1_000 - kept);
    assert!(error.message().starts_with(&words), "{error}");
    assert!(error.message().contains(&format!("this one had {kept} unread events of ")), "{error}");
    assert!(error.advice().is_some_and(|advice| advice.contains("conflated")), "{error}");

    let mut read = Unread::new(FlowControl::default(), budget.clone());
    for _ in 0..10_000 {
        read.push(text(1));
        read.push(price(TickType::BID, 1.0));
        assert_eq!(all(&mut read).len(), 2);
    }
    assert!(!read.has_overflowed());
    assert_eq!(all(&mut hoarder).len(), kept, "what is unread stays readable");
    assert_eq!(budget.taken(), 0);
}

#[test]
fn a_value_that_grows_is_charged_for_it() {
    let budget = StreamBudget::of(1 << 20);
    let mut conflated = Unread::new(FlowControl::Conflate, budget.clone());
    let value = |kilobytes: usize| {
        let value = "x".repeat(kilobytes << 10);
        Event::MarketData(MarketDataEvent::Text { tick_type: TickType(45), value })
    };
    conflated.push(value(1));
    conflated.push(value(100));
    assert_eq!((conflated.len(), conflated.merged()), (1, 1));
    assert!(budget.taken() >= 80 << 10, "{}", budget.taken());
    conflated.push(value(1));
    assert_eq!(budget.taken(), 0);
    conflated.push(value(2_000));
    assert!(conflated.has_overflowed());
    assert_eq!(all(&mut conflated), [value(1)], "and is lost as any other event for which there is no room");
}

#[test]
fn what_was_read_leaves_no_room_behind() {
    let mut unread = unread(FlowControl::default(), (0..10_000).map(notice));
    let full = unread.events.capacity();
    let mut batch = Vec::new();
    while unread.drain(512, &mut batch) > 0 {}
    assert_eq!(batch.len(), 10_000);
    let spare = unread.events.capacity();
    assert!(full >= 10_000 && spare * size_of::<Kept>() <= STREAM_RESERVE, "{full}, then {spare}");
}

#[test]
fn fields_that_were_read_are_forgotten() {
    let mut unread = Unread::new(FlowControl::Conflate, StreamBudget::default());
    for number in 0..100_000 {
        unread.push(price(TickType(number), 1.0));
        assert!(unread.pop().is_some());
    }
    let fields = unread.newest.as_ref().unwrap().numbers.capacity();
    assert!(fields < 1_000, "{fields}");
    // Those that are unread are not.
    (0..1_000).for_each(|number| unread.push(price(TickType(number), 1.0)));
    (0..1_000).for_each(|number| unread.push(price(TickType(number), 2.0)));
    assert_eq!((unread.len(), unread.merged()), (1_000, 1_000));
}

/// What a stream goes through.
#[derive(Debug, Clone)]
enum Step {
    Push(usize, bool),
    Pop,
    Drain(usize),
    Clear,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0_usize..40_000, any::<bool>()).prop_map(|(size, is_value)| Step::Push(size, is_value)),
        2 => Just(Step::Pop),
        1 => (0_usize..20).prop_map(Step::Drain),
        1 => Just(Step::Clear),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    /// Whatever happens to a stream: its share is what its unread events take, and nothing is left when they are gone.
    #[test]
    fn the_share_is_what_is_unread(steps in steps(), conflates: bool, capacity in 1_usize..50, is_dropped: bool) {
        let budget = StreamBudget::of(300_000);
        let flow = if conflates { FlowControl::Conflate } else { FlowControl::Lossless { capacity } };
        let mut unread = Unread::new(flow, budget.clone());
        for step in steps {
            match step {
                Step::Push(size, is_value) => unread.push(Event::MarketData(if is_value {
                    MarketDataEvent::Text { tick_type: TickType((size % 3) as i32), value: "x".repeat(size) }
                } else {
                    MarketDataEvent::Notice { code: 1, message: "x".repeat(size) }
                })),
                Step::Pop => drop(unread.pop()),
                Step::Drain(most) => drop(unread.drain(most, &mut Vec::new())),
                Step::Clear => unread.clear(),
            }
            let weights: usize = unread.events.iter().map(|kept| kept.event.weight()).sum();
            prop_assert_eq!(unread.share.used(), weights);
            prop_assert!(budget.taken() <= 300_000);
        }
        if is_dropped {
            drop(unread);
        } else {
            all(&mut unread);
        }
        prop_assert_eq!(budget.taken(), 0);
    }
}

#[test]
fn the_policy_is_a_word_or_an_object_in_json() {
    for (flow, json) in [
        (FlowControl::Conflate, r#""conflate""#),
        (FlowControl::Lossless { capacity: 7 }, r#"{"lossless":{"capacity":7}}"#),
    ] {
        assert_eq!(serde_json::to_string(&flow).unwrap(), json);
        assert_eq!(serde_json::from_str::<FlowControl>(json).unwrap(), flow);
    }
}
