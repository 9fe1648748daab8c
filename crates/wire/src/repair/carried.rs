//! Messages that travel whole: ibapi has no place for some of what they say, or gives up at it, whatever it is given.
//!
//! Each is put, byte for byte, into one text of a stand-in that has only what ibapi follows answers by: ids and what it insists on.
//! ibapi passes the text on, and whoever gets it has the message of the Gateway again. So ibapi keeps track of requests, and nothing
//! that it does not know can get lost on the way.

use prost::Message;

use super::scan::{self, Value};
use crate::frame::{Frame, MAX_LENGTH};
use crate::ids::tick;
use crate::messages::{
    CommissionAndFeesReport, CompletedOrder, Contract, ContractData, ContractDescription, ContractDetails,
    Execution, ExecutionDetails, OpenOrder, Order, OrderState, OrderStatus, PortfolioValue, Position,
    PositionMulti, ScannerData, ScannerDataElement, SymbolSamples, TickString,
};

/// Begins a text that has a message in it. TWS's texts have no such character.
const MARK: char = '\u{1}';

/// The text that ibapi gives for a tick of any kind: TWS's tick type of "last timestamp".
const SOME_TEXT_TICK: i32 = 45;

/// The tick types that ibapi 5.5 tells apart; it takes any other for one and the same.
const LAST_KNOWN_TICK_TYPE: i32 = 110;

/// The tick types of prices that ibapi keeps the size of: bid, ask, last and their delayed twins.
const PRICES_WITH_SIZE: [i32; 6] = [1, 2, 4, 66, 67, 68];

/// The message that a text carries, if it does.
pub fn carried<M: Message + Default>(text: &str) -> Option<M> {
    let (_, body) = unpacked(text)?;
    M::decode(&*body).ok()
}

/// The tick that the text of a TickString carries, if it does: its id without the protobuf mark, and its body.
pub fn carried_tick(text: &str) -> Option<(u32, Vec<u8>)> {
    unpacked(text)
}

/// A message as the text that carries it.
pub fn packed(message: &impl Message) -> String {
    pack(0, &message.encode_to_vec())
}

fn pack(id: u32, body: &[u8]) -> String {
    let id = char::from_u32(id).unwrap_or(MARK);
    [MARK, id].into_iter().chain(body.iter().copied().map(char::from)).collect()
}

fn unpacked(text: &str) -> Option<(u32, Vec<u8>)> {
    let mut letters = text.strip_prefix(MARK)?.chars();
    let id = letters.next()?;
    let body = letters.map(|letter| u8::try_from(u32::from(letter)).ok()).collect::<Option<_>>()?;
    Some((id.into(), body))
}

/// What ibapi is given for a message that travels whole; `None` for one that does not.
pub(super) fn stand_in(id: u32, body: &[u8]) -> Option<Frame> {
    let frame = match id {
        tick::PRICE
        | tick::SIZE
        | tick::OPTION_COMPUTATION
        | tick::GENERIC
        | tick::STRING
        | tick::MARKET_DATA_TYPE
        | tick::REQ_PARAMS => {
            let request = odd_tick(id, body)?;
            let tick =
                TickString { req_id: request, tick_type: Some(SOME_TEXT_TICK), value: Some(pack(id, body)) };
            Some(Frame::protobuf(tick::STRING, &tick))
        }
        3 => of(id, body, |of: OrderStatus, text| OrderStatus {
            order_id: of.order_id,
            client_id: of.client_id,
            status: Some("Submitted".to_owned()),
            filled: Some("0".to_owned()),
            remaining: Some("0".to_owned()),
            why_held: Some(text),
            ..Default::default()
        }),
        5 => of(id, body, |of: OpenOrder, text| {
            let order = of.order.unwrap_or_default();
            OpenOrder {
                order_id: of.order_id,
                contract: described(text),
                order: insisted_on(order.client_id, order.order_id),
                order_state: unnamed_state(),
            }
        }),
        7 => of(id, body, |of: PortfolioValue, text| PortfolioValue {
            contract: described(text),
            position: Some("0".to_owned()),
            account_name: of.account_name,
            ..Default::default()
        }),
        10 | 18 => of(id, body, |of: ContractData, text| ContractData {
            req_id: of.req_id,
            contract: Some(Contract::default()),
            contract_details: Some(ContractDetails { market_name: Some(text), ..Default::default() }),
        }),
        11 => of(id, body, |of: ExecutionDetails, text| {
            let execution = of.execution.unwrap_or_default();
            ExecutionDetails {
                req_id: of.req_id,
                contract: described(text),
                execution: Some(Execution {
                    order_id: execution.order_id,
                    client_id: execution.client_id,
                    exec_id: execution.exec_id,
                    side: Some("BOT".to_owned()),
                    ..Default::default()
                }),
            }
        }),
        20 => of(id, body, |of: ScannerData, text| ScannerData {
            req_id: of.req_id,
            scanner_data_element: vec![ScannerDataElement { market_name: Some(text), ..Default::default() }],
        }),
        59 => of(id, body, |of: CommissionAndFeesReport, text| CommissionAndFeesReport {
            exec_id: of.exec_id,
            currency: Some(text),
            ..Default::default()
        }),
        61 => of(id, body, |_: Position, text| Position {
            contract: described(text),
            position: Some("0".to_owned()),
            ..Default::default()
        }),
        71 => of(id, body, |of: PositionMulti, text| PositionMulti {
            req_id: of.req_id,
            contract: described(text),
            position: Some("0".to_owned()),
            ..Default::default()
        }),
        79 => of(id, body, |of: SymbolSamples, text| SymbolSamples {
            req_id: of.req_id,
            contract_descriptions: vec![ContractDescription {
                contract: described(text),
                ..Default::default()
            }],
        }),
        101 => of(id, body, |_: CompletedOrder, text| CompletedOrder {
            contract: described(text),
            order: insisted_on(None, None),
            order_state: unnamed_state(),
        }),
        _ => return None,
    }?;
    // A stand-in longer than any frame would end the session; what ibapi makes of the message itself does not.
    (frame.as_bytes().len() <= MAX_LENGTH as usize).then_some(frame)
}

/// `None` if it can't be read: then ibapi says what is wrong with it.
fn of<M: Message + Default>(id: u32, body: &[u8], stand_in: impl FnOnce(M, String) -> M) -> Option<Frame> {
    let message = M::decode(body).ok()?;
    Some(Frame::protobuf(id, &stand_in(message, pack(id, body))))
}

fn described(text: String) -> Option<Contract> {
    Some(Contract { description: Some(text), ..Contract::default() })
}

fn insisted_on(client_id: Option<i32>, order_id: Option<i32>) -> Option<Order> {
    Some(Order { client_id, order_id, action: Some("BUY".to_owned()), ..Order::default() })
}

fn unnamed_state() -> Option<OrderState> {
    Some(OrderState { status: Some("Submitted".to_owned()), ..OrderState::default() })
}

/// The request of a tick that ibapi would lose something of; `None` for one that it reads. Ticks come in crowds: it is looked at where
/// it lies.
fn odd_tick(id: u32, body: &[u8]) -> Option<Option<i32>> {
    let seen = Seen::of(body)?;
    let is_unknown = !(0..=LAST_KNOWN_TICK_TYPE).contains(&seen.kind.unwrap_or_default());
    let is_odd = match id {
        tick::PRICE => {
            let has_size = seen.text.is_some_and(|size| !size.is_empty());
            is_unknown || has_size && !PRICES_WITH_SIZE.contains(&seen.kind.unwrap_or_default())
        }
        tick::SIZE | tick::GENERIC | tick::OPTION_COMPUTATION => is_unknown,
        tick::STRING => is_unknown || seen.text.is_some_and(|text| text.starts_with(&[MARK as u8])),
        tick::MARKET_DATA_TYPE => !(1..=4).contains(&seen.kind.unwrap_or_default()),
        // ibapi drops how precise prices and sizes are.
        _ => true,
    };
    is_odd.then_some(seen.request)
}

/// What is in every tick: its request, its kind, and a text if it has one.
#[derive(Default)]
struct Seen<'a> {
    request: Option<i32>,
    kind: Option<i32>,
    text: Option<&'a [u8]>,
}

impl<'a> Seen<'a> {
    fn of(mut body: &'a [u8]) -> Option<Self> {
        let mut seen = Self::default();
        while !body.is_empty() {
            let piece = scan::take(&mut body)?;
            match (piece.tag, piece.value) {
                (1, Value::Varint(number)) => seen.request = Some(number as i32),
                (2, Value::Varint(number)) => seen.kind = Some(number as i32),
                (3 | 4, Value::Bytes(text)) => seen.text = Some(text),
                _ => {}
            }
        }
        Some(seen)
    }
}
