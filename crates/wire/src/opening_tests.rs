//! Openings as Gateways send them.

use super::*;

const TRADES: Caller = Caller { client_id: 7, readonly: false };
const READS: Caller = Caller { readonly: true, ..TRADES };

fn accounts(list: &str) -> Frame {
    Frame::protobuf(15, &ManagedAccounts { accounts: Some(list.to_owned()) })
}

fn order_id(next: i32) -> Frame {
    Frame::protobuf(9, &NextValidId { order_id: Some(next) })
}

/// An error frame by hand: id -1, code, text.
fn error(code: u16, text: &[u8]) -> Frame {
    let id = [8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let code = [0x18, code as u8 | 0x80, (code >> 7) as u8];
    let length = u8::try_from(text.len()).unwrap();
    Frame::raw(204, &[&id[..], &code, &[0x22, length], text].concat())
}

/// All that the client gets, or why there is no session.
fn opened(caller: Caller, frames: &[Frame]) -> Result<Vec<u8>, Reason> {
    let (mut opening, mut heard) = (Opening::new(caller), Heard::default());
    for frame in frames {
        opening.take(frame.clone(), &mut heard)?;
    }
    assert!(opening.is_complete());
    Ok(opening.clients_order().collect::<Vec<_>>().concat())
}

fn bytes(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(|frame| frame.as_bytes().to_vec()).collect()
}

#[test]
fn the_client_hears_of_accounts_and_order_id_first_and_of_the_rest_in_its_order() {
    let farm = error(2_104, b"farm is OK");
    let order = Frame::raw(205, b"an order");
    let again = accounts("DU3");
    let said = [farm.clone(), order.clone(), order_id(5), farm.clone(), accounts("DU1,DU2")];
    let expected = [accounts("DU1,DU2"), order_id(5), farm.clone(), order, farm];
    assert_eq!(opened(READS, &said).unwrap(), bytes(&expected));
    // What is said twice is for the session.
    let twice = [accounts("DU1"), again.clone(), order_id(5)];
    assert_eq!(opened(READS, &twice).unwrap(), bytes(&[accounts("DU1"), order_id(5), again]));
}

#[test]
fn a_list_of_nobody_begins_no_session() {
    for list in ["", ",", " , ,", "\t"] {
        assert_eq!(opened(READS, &[order_id(5), accounts(list)]), Err(Reason::NoAccounts), "{list:?}");
    }
    assert_eq!(ManagedAccounts::names(" DU1, ,DU2,"), ["DU1", "DU2"]);
}

#[test]
fn a_next_order_id_out_of_reach_keeps_out_only_those_who_trade() {
    for next in [1, 1_499_999_999] {
        for caller in [READS, TRADES] {
            let said = [accounts("DU1"), order_id(next)];
            assert_eq!(opened(caller, &said).unwrap(), bytes(&said), "{next}");
        }
    }
    let unexpected = |next: i32| Reason::Unexpected(format!("{next} as the next order id"));
    for (next, reason) in [
        (1_500_000_000, Reason::NoOrderIdsLeft(1_500_000_000)),
        (i32::MAX, Reason::NoOrderIdsLeft(i32::MAX)),
        (0, unexpected(0)),
        (-1, unexpected(-1)),
    ] {
        let said = [accounts("DU1"), order_id(next)];
        assert_eq!(opened(READS, &said).unwrap(), bytes(&[accounts("DU1"), order_id(1)]), "{next}");
        assert_eq!(opened(TRADES, &said), Err(reason), "{next}");
    }
}

#[test]
fn a_refused_client_id_ends_it() {
    assert_eq!(opened(READS, &[error(326, b"in use")]), Err(Reason::ClientIdInUse));
}

#[test]
fn errors_in_any_encoding_and_undecodable_ones_end_nothing() {
    let latin = error(2_107, b"n\xe3o h\xe1");
    let torn = Frame::raw(204, b"\x22\xff");
    let text = Frame::raw(4, b"-1\x002104\0farm is OK\0\x000\0");
    let said = [latin, torn.clone(), text.clone(), accounts("DU1"), order_id(5)];
    let repaired = error(2_107, "n\u{fffd}o h\u{fffd}".as_bytes());
    assert_eq!(opened(READS, &said).unwrap(), bytes(&[accounts("DU1"), order_id(5), repaired, torn, text]));
}
