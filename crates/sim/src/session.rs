//! One client's session: requests in, frames out. Pure, and the current time is an argument.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use prost::Message;

use crate::answers::{
    accounts, depth, error_frame, gateway, history, live_bars, orders, past, quotes, ticks,
};
use crate::market::World;
use crate::messages::{self as message, Response, end, end_frame, request};
use crate::wire::Frame;

const READ_ONLY: &str =
    "Error validating request.-'b' : cause - The API interface is currently in Read-Only mode.";

/// What the simulator remembers about a client after the handshake.
#[derive(Debug)]
pub(crate) struct Session {
    world: Arc<World>,
    client_id: i32,
    market_data_type: i32,
    feeds: BTreeMap<FeedId, Box<dyn Feed>>,
}

/// A subscription that streams. One file per kind of stream implements it, beside its answers.
pub(crate) trait Feed: Debug + Send + Sync {
    /// The frames of its next change; none if nothing has changed.
    fn next_change(&mut self, now: Timestamp) -> Vec<Frame>;
}

/// How an answer begins, and what goes on after it.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) frames: Vec<Frame>,
    pub(crate) feed: Option<Box<dyn Feed>>,
}

/// IBKR's limit for the books of one client.
const MOST_BOOKS: usize = 3;

/// What a subscription is cancelled by: its kind, as the id of the request that opens it, and its request id; -1 where the
/// request has none.
pub(crate) type FeedId = (i32, i32);

/// The feed that begins with the session.
const UNASKED: FeedId = (request::OPEN_ORDERS, -1);

/// An error for the client: which request, which code, which words.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) req_id: i32,
    pub(crate) code: i32,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(req_id: i32, code: i32, message: impl Into<String>) -> Self {
        Self { req_id, code, message: message.into() }
    }
}

impl Session {
    /// A client's session begins with a feed that nobody asks for: what becomes of its orders.
    pub(crate) fn new(world: Arc<World>, client_id: i32, now: Timestamp) -> Self {
        let updates = orders::updates(&world, client_id, now);
        let feeds = updates.map(|feed| (UNASKED, feed)).into_iter().collect();
        Self { world, client_id, market_data_type: 1, feeds }
    }

    /// The answer to one request: nothing for a cancel, several frames for a list.
    pub(crate) fn handle(&mut self, frame: &Frame, now: Timestamp) -> Vec<Frame> {
        match self.answer(frame, now) {
            Ok(frames) => frames,
            Err(refusal) => vec![error_frame(&refusal, now)],
        }
    }

    /// The next change of every subscription.
    pub(crate) fn tick(&mut self, now: Timestamp) -> Vec<Frame> {
        self.feeds.values_mut().flat_map(|feed| feed.next_change(now)).collect()
    }

    /// Whether there is anything to [`tick`](Self::tick).
    pub(crate) fn is_streaming(&self) -> bool {
        !self.feeds.is_empty()
    }

    /// Whether the client has asked for any of that.
    pub(crate) fn has_subscriptions(&self) -> bool {
        self.feeds.keys().any(|id| *id != UNASKED)
    }

    fn answer(&mut self, frame: &Frame, now: Timestamp) -> Result<Vec<Frame>, Refusal> {
        match frame.id {
            request::CURRENT_TIME => {
                Ok(vec![message::CurrentTime { current_time: Some(now.as_second()) }.frame()])
            }
            request::CURRENT_TIME_IN_MILLIS => {
                let millis = Some(now.as_millisecond());
                Ok(vec![message::CurrentTimeInMillis { current_time_in_millis: millis }.frame()])
            }
            request::MANAGED_ACCOUNTS => Ok(vec![accounts::managed_accounts(&self.world)]),
            request::IDS => Ok(vec![orders::next_valid_id(&self.world, self.client_id)]),
            request::POSITIONS => Ok(accounts::positions(&self.world)),
            request::ACCOUNT_SUMMARY => accounts::summary(&self.world, &decode(frame)?),
            request::CONTRACT_DATA => self.contract_data(&decode(frame)?, now),
            request::HEAD_TIMESTAMP => one(past::head_timestamp(&self.world, &decode(frame)?)),
            request::HISTOGRAM_DATA => one(past::histogram_data(&self.world, &decode(frame)?, now)),
            request::HISTORICAL_TICKS => ticks::historical(&self.world, &decode(frame)?, now),
            request::MARKET_DEPTH_EXCHANGES => Ok(vec![depth::exchanges(&self.world)]),
            request::SMART_COMPONENTS => one(depth::smart_components(&decode(frame)?)),
            id if self.refuses(id) => Err(read_only(frame)),
            request::OPEN_ORDERS => Ok(orders::open(&self.world, Some(self.client_id), now)),
            request::ALL_OPEN_ORDERS => Ok(orders::open(&self.world, None, now)),
            request::COMPLETED_ORDERS => Ok(orders::completed(&self.world, &decode(frame)?, now)),
            request::EXECUTIONS => orders::executions(&self.world, &decode(frame)?, now),
            request::SOFT_DOLLAR_TIERS => Ok(vec![gateway::soft_dollar_tiers(&decode(frame)?)]),
            request::FA => one(gateway::advisor_data(&self.world, &decode(frame)?)),
            request::CONFIG => Ok(vec![gateway::config(&self.world, &decode(frame)?)]),
            request::DISPLAY_GROUPS => Ok(vec![gateway::display_groups(&decode(frame)?)]),
            request::DISPLAY_GROUP_EVENTS => {
                self.open(frame, |session, wanted| gateway::display_group(&session.world, wanted))
            }
            request::HISTORICAL_DATA => {
                self.open(frame, |session, wanted| history::bars(&session.world, wanted, now))
            }
            request::MARKET_DATA => self.open(frame, |session, wanted| {
                quotes::subscribe(&session.world, session.market_data_type, wanted, now)
            }),
            request::TICK_BY_TICK => {
                self.open(frame, |session, wanted| ticks::subscribe(&session.world, wanted, now))
            }
            request::REAL_TIME_BARS => {
                self.open(frame, |session, wanted| live_bars::real_time(&session.world, wanted, now))
            }
            request::MARKET_DEPTH => {
                self.open(frame, |session, wanted| depth::subscribe(&session.world, wanted, now))
            }
            request::CANCEL_MARKET_DATA => self.cancel(request::MARKET_DATA, frame),
            request::CANCEL_TICK_BY_TICK => self.cancel(request::TICK_BY_TICK, frame),
            request::CANCEL_REAL_TIME_BARS => self.cancel(request::REAL_TIME_BARS, frame),
            request::CANCEL_MARKET_DEPTH => self.cancel(request::MARKET_DEPTH, frame),
            request::CANCEL_HISTORICAL_DATA => self.cancel(request::HISTORICAL_DATA, frame),
            request::MARKET_DATA_TYPE => {
                let wanted: message::MarketDataTypeRequest = decode(frame)?;
                self.market_data_type = wanted.market_data_type.unwrap_or(1);
                Ok(Vec::new())
            }
            request::CANCEL_DISPLAY_GROUP_EVENTS => self.cancel(request::DISPLAY_GROUP_EVENTS, frame),
            request::START_API | request::AUTO_OPEN_ORDERS => Ok(Vec::new()),
            id if message::is_cancel(id) => Ok(Vec::new()),
            id => unknown(id, frame),
        }
    }

    /// Orders are refused in any case: the simulator has no exchange.
    fn refuses(&self, id: i32) -> bool {
        message::is_order(id) || self.world.settings.read_only_api && is_order_query(id)
    }

    fn contract_data(
        &self,
        wanted: &message::ContractDataRequest,
        now: Timestamp,
    ) -> Result<Vec<Frame>, Refusal> {
        let req_id = wanted.req_id.unwrap_or(-1);
        let today = TimeZone::UTC.to_datetime(now).date();
        let contract = wanted.contract.clone().unwrap_or_default();
        let mut frames: Vec<_> = self
            .world
            .find(&contract)
            .map(|instrument| {
                let contract_details = Some(instrument.listing.details(today));
                let contract = Some(instrument.listing.contract());
                message::ContractData { req_id: Some(req_id), contract, contract_details }.frame()
            })
            .collect();
        if frames.is_empty() {
            return Err(no_definition(req_id));
        }
        frames.push(end_frame(end::CONTRACT_DATA, Some(req_id)));
        Ok(frames)
    }

    /// Begins what may go on: a request id has one subscription of a kind.
    fn open<M: Message + Default>(
        &mut self,
        frame: &Frame,
        open: impl FnOnce(&Self, &M) -> Result<Opening, Refusal>,
    ) -> Result<Vec<Frame>, Refusal> {
        let wanted = decode(frame)?;
        let id = (frame.id, first_field(frame).unwrap_or(-1));
        if self.feeds.contains_key(&id) {
            let message = "Error processing request.-'b' : cause - Duplicate ticker id";
            return Err(Refusal::new(id.1, 322, message));
        }
        let books = self.feeds.keys().filter(|(kind, _)| *kind == request::MARKET_DEPTH).count();
        if frame.id == request::MARKET_DEPTH && books >= MOST_BOOKS {
            let message = format!("Max number ({MOST_BOOKS}) of market depth requests has been reached");
            return Err(Refusal::new(id.1, 309, message));
        }
        let Opening { frames, feed } = open(self, &wanted)?;
        if let Some(feed) = feed {
            self.feeds.insert(id, feed);
        }
        Ok(frames)
    }

    /// Ends the subscription that `opened_by` began.
    fn cancel(&mut self, opened_by: i32, frame: &Frame) -> Result<Vec<Frame>, Refusal> {
        let req_id = first_field(frame).unwrap_or(-1);
        if self.feeds.remove(&(opened_by, req_id)).is_some() {
            return Ok(Vec::new());
        }
        Err(match opened_by {
            request::MARKET_DEPTH => {
                let message = format!("Can't find the subscribed market depth with tickerId:{req_id}");
                Refusal::new(req_id, 310, message)
            }
            request::HISTORICAL_DATA => {
                Refusal::new(req_id, 366, format!("No historical data query found for ticker id:{req_id}"))
            }
            _ => Refusal::new(req_id, 300, format!("Can't find EId with tickerId:{req_id}")),
        })
    }
}

fn one(frame: Result<Frame, Refusal>) -> Result<Vec<Frame>, Refusal> {
    frame.map(|frame| vec![frame])
}

/// IBKR's error 200, in IBKR's words.
pub(crate) fn no_definition(req_id: i32) -> Refusal {
    Refusal::new(req_id, 200, "No security definition has been found for the request")
}

fn decode<M: Message + Default>(frame: &Frame) -> Result<M, Refusal> {
    M::decode(frame.body.as_slice()).map_err(|error| {
        Refusal::new(-1, 320, format!("Error reading request: message {}: {error}", frame.id))
    })
}

/// A read-only API refuses questions about orders like orders themselves.
fn is_order_query(id: i32) -> bool {
    use request::*;
    matches!(id, OPEN_ORDERS | AUTO_OPEN_ORDERS | ALL_OPEN_ORDERS | COMPLETED_ORDERS)
}

/// Error 321 for the order, or for nobody in particular where the request names none.
fn read_only(frame: &Frame) -> Refusal {
    let names_one = message::is_order(frame.id) && frame.id != request::GLOBAL_CANCEL;
    let id = if names_one { first_field(frame) } else { None };
    Refusal::new(id.unwrap_or(-1), 321, READ_ONLY)
}

fn unknown(id: i32, frame: &Frame) -> Result<Vec<Frame>, Refusal> {
    match first_field(frame).filter(|_| message::carries_request_id(id)) {
        Some(req_id) => Err(Refusal::new(
            req_id,
            321,
            format!("Error validating request: the simulator doesn't serve message {id}"),
        )),
        None => Ok(Vec::new()),
    }
}

fn first_field(frame: &Frame) -> Option<i32> {
    message::RequestId::decode(frame.body.as_slice()).ok()?.req_id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{Contract, ErrorMessage, MarketDataRequest, MarketDataTypeRequest, TickPrice};

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
        let wanted = MarketDataRequest { snapshot: Some(true), ..quote(5, "ES") };
        let frames = handle(&mut session, request::MARKET_DATA, &wanted);
        assert_eq!(frames.last(), Some(&Frame { id: 57, body: vec![8, 5] }));
        assert!(!session.is_streaming());
        assert_eq!(error_code(&handle(&mut session, request::MARKET_DATA, &quote(6, "NOSUCH"))), Some(200));
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
}
