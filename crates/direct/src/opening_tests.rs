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

/// All that ibapi gets, or the error and the phase that was reached.
fn opened(caller: Caller, frames: &[Frame]) -> Result<Vec<u8>> {
    let mut opening = Opening::new(caller);
    let mut progress = Progress::new();
    progress.enter(Phase::StartApi);
    for frame in frames {
        opening.take(frame.clone(), &mut progress)?;
    }
    assert!(opening.is_complete());
    Ok(opening.in_ibapis_order().collect::<Vec<_>>().concat())
}

fn bytes(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(|frame| frame.as_bytes().to_vec()).collect()
}

#[test]
fn ibapi_hears_of_accounts_and_order_id_first_and_of_the_rest_in_its_order() {
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
fn a_list_of_nobody_is_an_error() {
    for list in ["", ",", " , ,", "\t"] {
        let error = opened(READS, &[order_id(5), accounts(list)]).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Protocol, Some(Phase::Accounts)), "{list:?}");
        assert!(error.is_retryable() && error.advice().unwrap().starts_with("log in"), "{error}");
    }
    assert_eq!(accounts_of(" DU1, ,DU2,").unwrap(), ["DU1", "DU2"]);
}

#[test]
fn a_next_order_id_out_of_reach_keeps_out_only_those_who_trade() {
    for next in [1, 1_499_999_999] {
        for caller in [READS, TRADES] {
            let said = [accounts("DU1"), order_id(next)];
            assert_eq!(opened(caller, &said).unwrap(), bytes(&said), "{next}");
        }
    }
    for (next, kind) in [
        (1_500_000_000, ErrorKind::Unsupported),
        (i32::MAX, ErrorKind::Unsupported),
        (0, ErrorKind::Protocol),
        (-1, ErrorKind::Protocol),
    ] {
        let said = [accounts("DU1"), order_id(next)];
        assert_eq!(opened(READS, &said).unwrap(), bytes(&[accounts("DU1"), order_id(1)]), "{next}");
        let error = opened(TRADES, &said).unwrap_err();
        let found = (error.kind(), error.phase(), error.is_retryable());
        assert_eq!(found, (kind, Some(Phase::Accounts), false), "{next}");
    }
    let error = opened(TRADES, &[accounts("DU1"), order_id(1_787_000_000)]).unwrap_err();
    assert!(error.message().contains("1787000000"), "{error}");
    assert!(error.advice().unwrap().contains("Reset API order ID sequence"), "{error:?}");
}

#[test]
fn a_refused_client_id_ends_it() {
    let refused = opened(READS, &[error(326, b"in use")]).unwrap_err();
    let found = (refused.kind(), refused.phase(), refused.code());
    assert_eq!(found, (ErrorKind::ClientIdInUse, Some(Phase::StartApi), Some(326)));
    assert!(refused.message().contains("client id 7"), "{refused}");
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
