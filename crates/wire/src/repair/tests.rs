use prost::Message;

use super::*;
use crate::messages::{
    Contract, HistoricalData, HistoricalDataBar, HistoricalDataEnd, OpenOrder, Order, Position, TickGeneric,
    TickPrice, TickReqParams, TickSize, TickString,
};

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// What ibapi is given for this message; `None` if it is not touched.
fn given<M: Message + Default>(id: u32, message: &impl Message) -> Option<M> {
    match repaired(id, &message.encode_to_vec()) {
        Repaired::Untouched => None,
        Repaired::Instead(frame) => Some(frame.decode().unwrap()),
    }
}

#[test]
fn every_row_of_the_table_is_about_a_field_that_there_is() {
    fn all(layouts: &mut Vec<&'static Layout>, layout: &'static Layout) {
        layouts.push(layout);
        for field in layout.fields {
            if let Kind::Message(inner) = field.kind {
                all(layouts, inner);
            }
        }
    }
    let mut layouts = Vec::new();
    INCOMING.iter().for_each(|(_, layout)| all(&mut layouts, layout));
    for row in REPAIRS {
        let layout = layouts.iter().find(|layout| layout.name == row.message);
        let field = layout.and_then(|layout| layout.fields.iter().find(|field| field.name == row.field));
        let field = field.unwrap_or_else(|| panic!("{}.{}", row.message, row.field));
        assert!(field.tag < 64 && !field.repeated, "{}.{} can't be looked for", row.message, row.field);
        let same = |other: &&Repair| (other.message, other.field) == (row.message, row.field);
        assert_eq!(REPAIRS.iter().filter(same).count(), 1, "{}.{} is there twice", row.message, row.field);
        let fits = match row.rule {
            Rule::Double => matches!(field.kind, Kind::Double),
            Rule::Count | Rule::Id | Rule::ArticleType => {
                matches!(field.kind, Kind::Int32 | Kind::Int64)
            }
            _ => matches!(field.kind, Kind::Text),
        };
        assert!(fits, "{}.{} is no {:?}", row.message, row.field, row.rule);
    }
}

#[test]
fn messages_by_their_ids_are_in_order() {
    assert!(INCOMING.is_sorted_by_key(|(id, _)| *id));
}

#[test]
fn what_is_complete_is_not_touched() {
    let bar = |volume: &str| HistoricalDataBar {
        date: text("20261124"),
        open: Some(-37.63),
        high: Some(1.5),
        low: Some(0.0),
        close: Some(1.0),
        volume: text(volume),
        wap: text("1.25"),
        bar_count: Some(3),
    };
    let bars = HistoricalData { req_id: Some(7), historical_data_bars: vec![bar("100"), bar("0.5")] };
    assert_eq!(repaired(17, &bars.encode_to_vec()), Repaired::Untouched);
    let tick = TickPrice {
        req_id: Some(7),
        tick_type: Some(1),
        price: Some(9.5),
        size: text("3"),
        attr_mask: Some(0),
    };
    assert_eq!(given::<TickPrice>(1, &tick), None);
    let end = HistoricalDataEnd {
        req_id: Some(7),
        start_date_str: text("20261124-14:30:00"),
        end_date_str: text("20261125-14:30:00"),
    };
    assert_eq!(given::<HistoricalDataEnd>(108, &end), None);
}

#[test]
fn a_bar_says_what_it_lacks_and_the_others_stay_as_they_are() {
    let whole =
        HistoricalDataBar { date: text("1795617000"), volume: text("5"), wap: text("1.5"), ..full_bar() };
    let empty = HistoricalDataBar { date: text("20261125 14:30:00 UTC"), ..Default::default() };
    let odd = HistoricalDataBar { volume: text("NaN"), wap: text("n/a"), ..whole.clone() };
    let unset = HistoricalDataBar { volume: text(""), wap: text("2147483647"), ..whole.clone() };
    let blank = HistoricalDataBar { volume: text(" 5 "), ..whole.clone() };
    let bars = vec![whole.clone(), empty, odd, unset, blank];
    let given: HistoricalData =
        given(17, &HistoricalData { req_id: Some(7), historical_data_bars: bars }).unwrap();
    let [first, empty, odd, unset, blank] = &given.historical_data_bars[..] else { panic!("{given:?}") };
    assert_eq!((first, blank), (&whole, &whole));
    assert_eq!(empty.date.as_deref(), Some("1795617000"));
    assert_eq!(
        (empty.open, empty.high, empty.low, empty.close),
        (Some(f64::MAX), Some(f64::MAX), Some(f64::MAX), Some(f64::MAX))
    );
    for bar in [empty, odd, unset] {
        assert_eq!((bar.volume.as_deref(), bar.wap.as_deref()), (Some(NO_DECIMAL), Some(NO_DECIMAL)));
    }
    assert_eq!(given.req_id, Some(7));
}

fn full_bar() -> HistoricalDataBar {
    HistoricalDataBar {
        open: Some(1.0),
        high: Some(2.0),
        low: Some(0.5),
        close: Some(1.5),
        bar_count: Some(3),
        ..Default::default()
    }
}

#[test]
fn the_time_of_a_bar_is_read_or_none() {
    for (date, read) in [
        (None, "0"),
        (Some("soon"), "0"),
        (Some("20261332"), "0"),
        (Some("20261125 14:30:00 Nowhere"), "0"),
        (Some("2026-11-25"), "20261125"),
        (Some("20261125 15:30:00 Central European Time"), "1795617000"),
    ] {
        let bar = HistoricalDataBar {
            date: date.map(str::to_owned),
            volume: text("5"),
            wap: text("1.5"),
            ..full_bar()
        };
        let bars = HistoricalData { req_id: Some(7), historical_data_bars: vec![bar] };
        let given: HistoricalData = given(17, &bars).unwrap();
        assert_eq!(given.historical_data_bars[0].date.as_deref(), Some(read), "{date:?}");
    }
}

#[test]
fn texts_in_any_encoding_become_readable_wherever_they_stand() {
    let tick = |value: &[u8]| [b"\x08\x07\x10\x2d\x1a\x03", value].concat();
    let Repaired::Instead(frame) = repaired(46, &tick(b"a\xe4b")) else { panic!() };
    let given: TickString = frame.decode().unwrap();
    assert_eq!(given.value.as_deref(), Some("a\u{fffd}b"));
    assert_eq!(repaired(46, &tick(b"abc")), Repaired::Untouched);
}

#[test]
fn a_field_of_another_type_is_as_good_as_absent() {
    let body = b"\x08\x07\x10\x01\x18\x05\x22\x013";
    let Repaired::Instead(frame) = repaired(1, body) else { panic!() };
    let given: TickPrice = frame.decode().unwrap();
    assert_eq!((given.price, given.size.as_deref()), (Some(f64::MAX), Some("3")));
}

#[test]
fn numbers_in_a_row_pass_and_what_is_none_is_left_out() {
    let strikes = |bytes: &[u8]| [&[0x3a, bytes.len() as u8], bytes].concat();
    assert_eq!(repaired(75, &strikes(&[1; 16])), Repaired::Untouched);
    let Repaired::Instead(frame) = repaired(75, &strikes(&[1; 15])) else { panic!() };
    assert!(frame.body().is_empty());
}

#[test]
fn what_is_no_protobuf_is_not_touched() {
    for body in [&b"\xff"[..], b"\x08", b"\x0a\x05ab", b"\x0b"] {
        assert_eq!(repaired(17, body), Repaired::Untouched);
        assert_eq!(repaired(61, body), Repaired::Untouched);
    }
}

#[test]
fn a_position_travels_whole() {
    let contract = Contract { symbol: text("AAPL"), right: text("?"), ..Default::default() };
    let position =
        Position { account: text("DU1"), contract: Some(contract), position: text(""), avg_cost: None };
    let stand_in: Position = given(61, &position).unwrap();
    let packed = stand_in.contract.unwrap().description.unwrap();
    assert_eq!(carried::<Position>(&packed), Some(position));
    assert_eq!(carried::<Position>("AAPL"), None);
}

#[test]
fn an_order_travels_whole_and_ibapi_can_follow_it() {
    let order = Order {
        client_id: Some(9),
        order_id: Some(5),
        action: text("FLY"),
        rule_80a: text("X"),
        ..Default::default()
    };
    let open = OpenOrder { order_id: Some(5), order: Some(order), ..Default::default() };
    let stand_in: OpenOrder = given(5, &open).unwrap();
    let known = stand_in.order.unwrap();
    assert_eq!((stand_in.order_id, known.client_id, known.order_id), (Some(5), Some(9), Some(5)));
    assert_eq!(carried(&stand_in.contract.unwrap().description.unwrap()), Some(open));
}

/// The tick that comes out of what ibapi is given for this one.
fn travelled<M: Message + Default>(id: u32, tick: &impl Message) -> Option<M> {
    let stand_in: TickString = given(id, tick)?;
    assert_eq!(stand_in.req_id, Some(7));
    let (carried_id, body) = carried_tick(stand_in.value.as_deref().unwrap()).unwrap();
    assert_eq!(carried_id, id);
    Some(M::decode(&*body).unwrap())
}

#[test]
fn ticks_of_unknown_types_keep_their_numbers() {
    for tick_type in [111, 4_711, -3] {
        let tick = TickGeneric { req_id: Some(7), tick_type: Some(tick_type), value: Some(1.5) };
        assert_eq!(travelled(45, &tick), Some(tick));
        let tick = TickSize { req_id: Some(7), tick_type: Some(tick_type), size: text("5") };
        assert_eq!(travelled(2, &tick), Some(tick));
        let tick = TickString { req_id: Some(7), tick_type: Some(tick_type), value: text("ä\u{1}b") };
        assert_eq!(travelled(46, &tick), Some(tick));
    }
    let known = TickGeneric { req_id: Some(7), tick_type: Some(110), value: Some(1.5) };
    assert_eq!(given::<TickString>(45, &known), None);
}

#[test]
fn sizes_that_ibapi_drops_travel_with_their_prices() {
    let tick = |tick_type, size: &str| TickPrice {
        req_id: Some(7),
        tick_type: Some(tick_type),
        price: Some(9.5),
        size: text(size),
        attr_mask: Some(1),
    };
    for kind in [6, 9, 105, 75] {
        assert_eq!(travelled(1, &tick(kind, "5")), Some(tick(kind, "5")));
    }
    for kind in [1, 2, 4, 66, 67, 68] {
        assert_eq!(given::<TickString>(1, &tick(kind, "5")), None);
    }
    let unsized_tick = TickPrice { size: None, ..tick(9, "") };
    assert_eq!(given::<TickString>(1, &unsized_tick), None);
}

#[test]
fn how_precise_prices_are_travels() {
    let params = TickReqParams {
        req_id: Some(7),
        min_tick: text("0.01"),
        last_price_precision: text("2"),
        ..Default::default()
    };
    assert_eq!(travelled(81, &params), Some(params));
}

#[test]
fn a_text_that_looks_like_a_message_is_none() {
    let forged = TickString { req_id: Some(7), tick_type: Some(45), value: text("\u{1}\u{2}\u{10}\u{1}") };
    assert_eq!(travelled(46, &forged), Some(forged));
}

#[test]
fn an_answer_that_gets_longer_than_any_frame_is_an_error_of_its_request() {
    let bar = HistoricalDataBar { date: text("20261125"), ..Default::default() };
    let bars = HistoricalData { req_id: Some(7), historical_data_bars: vec![bar; 400_000] };
    let Repaired::Instead(frame) = repaired(17, &bars.encode_to_vec()) else { panic!() };
    let error = ErrorMessage::read(frame.body()).unwrap();
    assert_eq!((frame.id(), error.id(), error.code()), (Some(4), 7, 507));
    assert!(error.text().contains("ask for less"), "{}", error.text());
}
