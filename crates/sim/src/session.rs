//! One client's session: requests in, frames out. Pure, and the current time is an argument.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use jiff::Timestamp;
use prost::Message;

use crate::answers::{
    account_values, accounts, bulletins, contracts, depth, error_frame, gateway, history, live_bars, news,
    news_feed, options, orders, past, pnl, positions, quotes, scanner, ticks, wsh,
};
use crate::framing::Frame;
use crate::market::World;
use crate::messages::{self as message, Response, request};

const READ_ONLY: &str =
    "Error validating request.-'b' : cause - The API interface is currently in Read-Only mode.";

/// What the simulator remembers about a client after the handshake.
#[derive(Debug)]
pub(crate) struct Session {
    world: Arc<World>,
    client_id: i32,
    market_data_type: i32,
    /// Whether it has asked for Wall Street Horizon's metadata, which TWS wants before events.
    wsh_metadata: bool,
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

/// IBKR's limit for the account summaries of one client.
const MOST_SUMMARIES: usize = 2;

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
        Self { world, client_id, market_data_type: 1, wsh_metadata: false, feeds }
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
            request::FAMILY_CODES => Ok(vec![accounts::family_codes(&self.world)]),
            request::USER_INFO => Ok(vec![accounts::user_info(&decode(frame)?)]),
            request::IDS => Ok(vec![orders::next_valid_id(&self.world, self.client_id)]),
            request::CONTRACT_DATA => contracts::details(&self.world, &decode(frame)?, now),
            request::MATCHING_SYMBOLS => Ok(vec![contracts::matching_symbols(&self.world, &decode(frame)?)]),
            request::MARKET_RULE => one(contracts::market_rule(&decode(frame)?)),
            request::SEC_DEF_OPT_PARAMS => Ok(options::chain(&self.world, &decode(frame)?)),
            request::CALC_OPTION_PRICE => one(options::price(&self.world, &decode(frame)?, now)),
            request::CALC_IMPLIED_VOLATILITY => {
                one(options::implied_volatility(&self.world, &decode(frame)?, now))
            }
            request::POSITIONS => Ok(self.open_only(request::POSITIONS, positions::of_all(&self.world))),
            request::ACCOUNT_DATA => self.account_data(frame, now),
            request::ACCOUNT_SUMMARY => {
                self.open(frame, |session, wanted| account_values::summary(&session.world, wanted, now))
            }
            request::ACCOUNT_UPDATES_MULTI => {
                self.open(frame, |session, wanted| account_values::updates_multi(&session.world, wanted, now))
            }
            request::POSITIONS_MULTI => {
                self.open(frame, |session, wanted| positions::of_account(&session.world, wanted))
            }
            request::PNL => self.open(frame, |session, wanted| pnl::of_account(&session.world, wanted, now)),
            request::PNL_SINGLE => {
                self.open(frame, |session, wanted| pnl::of_position(&session.world, wanted, now))
            }
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
            request::NEWS_PROVIDERS => Ok(vec![news::providers()]),
            request::NEWS_ARTICLE => one(news::article(&self.world, &decode(frame)?, now)),
            request::HISTORICAL_NEWS => news::historical(&self.world, &decode(frame)?, now),
            request::NEWS_BULLETINS => {
                let opening = bulletins::subscribe(&decode(frame)?, now);
                Ok(self.open_only(request::NEWS_BULLETINS, opening))
            }
            request::SCANNER_SUBSCRIPTION => {
                self.open(frame, |session, wanted| scanner::subscribe(&session.world, wanted, now))
            }
            request::SCANNER_PARAMETERS => Ok(vec![scanner::parameters()]),
            request::WSH_META_DATA => {
                self.wsh_metadata = true;
                Ok(vec![wsh::metadata(&decode(frame)?)])
            }
            request::WSH_EVENT_DATA if !self.wsh_metadata => Err(wsh::metadata_first(&decode(frame)?)),
            request::WSH_EVENT_DATA => one(wsh::events(&self.world, &decode(frame)?, now)),
            request::HISTORICAL_DATA => {
                self.open(frame, |session, wanted| history::bars(&session.world, wanted, now))
            }
            request::MARKET_DATA => self.open(frame, |session, wanted| {
                if news_feed::is_asked_for(wanted) {
                    return news_feed::subscribe(&session.world, wanted, now);
                }
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
            request::CANCEL_SCANNER_SUBSCRIPTION => self.cancel(request::SCANNER_SUBSCRIPTION, frame),
            request::CANCEL_NEWS_BULLETINS => {
                self.feeds.remove(&(request::NEWS_BULLETINS, -1));
                Ok(Vec::new())
            }
            request::CANCEL_TICK_BY_TICK => self.cancel(request::TICK_BY_TICK, frame),
            request::CANCEL_REAL_TIME_BARS => self.cancel(request::REAL_TIME_BARS, frame),
            request::CANCEL_MARKET_DEPTH => self.cancel(request::MARKET_DEPTH, frame),
            request::CANCEL_HISTORICAL_DATA => self.cancel(request::HISTORICAL_DATA, frame),
            request::CANCEL_POSITIONS => {
                self.feeds.remove(&(request::POSITIONS, -1));
                Ok(Vec::new())
            }
            request::CANCEL_ACCOUNT_SUMMARY => self.cancel(request::ACCOUNT_SUMMARY, frame),
            request::CANCEL_ACCOUNT_UPDATES_MULTI => self.cancel(request::ACCOUNT_UPDATES_MULTI, frame),
            request::CANCEL_POSITIONS_MULTI => self.cancel(request::POSITIONS_MULTI, frame),
            request::CANCEL_PNL => self.cancel(request::PNL, frame),
            request::CANCEL_PNL_SINGLE => self.cancel(request::PNL_SINGLE, frame),
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
        let others = self.feeds.keys().filter(|(kind, _)| *kind == frame.id).count();
        if frame.id == request::ACCOUNT_SUMMARY && others >= MOST_SUMMARIES {
            let message =
                "Error processing request.-'b' : cause - Maximum number of account summary requests exceeded";
            return Err(Refusal::new(id.1, 322, message));
        }
        if frame.id == request::MARKET_DEPTH && others >= MOST_BOOKS {
            let message = format!("Max number ({MOST_BOOKS}) of market depth requests has been reached");
            return Err(Refusal::new(id.1, 309, message));
        }
        let Opening { frames, feed } = open(self, &wanted)?;
        if let Some(feed) = feed {
            self.feeds.insert(id, feed);
        }
        Ok(frames)
    }

    /// Begins what a client has but one of: a new one takes the place of the old one.
    fn open_only(&mut self, kind: i32, opening: Opening) -> Vec<Frame> {
        self.feeds.extend(opening.feed.map(|feed| ((kind, -1), feed)));
        opening.frames
    }

    /// Begins or ends the account updates, as the request says.
    fn account_data(&mut self, frame: &Frame, now: Timestamp) -> Result<Vec<Frame>, Refusal> {
        let wanted: message::AccountDataRequest = decode(frame)?;
        if wanted.subscribe != Some(true) {
            self.feeds.remove(&(request::ACCOUNT_DATA, -1));
            return Ok(Vec::new());
        }
        let opening = account_values::updates(&self.world, &wanted, now)?;
        Ok(self.open_only(request::ACCOUNT_DATA, opening))
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
            request::SCANNER_SUBSCRIPTION => {
                Refusal::new(req_id, 365, format!("No scanner subscription found for ticker id:{req_id}"))
            }
            request::PNL => Refusal::new(req_id, 10185, "Failed to cancel PNL (not subscribed)"),
            request::PNL_SINGLE => {
                Refusal::new(req_id, 10186, "Failed to cancel PNL single (not subscribed)")
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

/// IBKR's error 200 for a description that fits more than one contract.
pub(crate) fn ambiguous(req_id: i32, symbol: &str) -> Refusal {
    Refusal::new(req_id, 200, format!("The contract description specified for {symbol} is ambiguous"))
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
#[path = "session_tests.rs"]
mod tests;
