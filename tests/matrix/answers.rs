//! What asks for each message, and what comes with it.

use ibkr_connect_wire::messages::{INCOMING, Layout};
use prost::encoding::int64;

use crate::fields::Path;

/// A message, the operation that it answers, and how.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its number.
    pub(crate) message: u32,
    pub(crate) operation: &'static str,
    pub(crate) params: &'static str,
    /// The number of the request.
    pub(crate) asked: u32,
    /// The number of the mark behind the last one, if there is one.
    end: Option<u32>,
    /// How many events a stream has of it; 0 for a reply.
    pub(crate) events: usize,
    rows: Rows,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// Several messages are one answer.
    Several,
    /// One message is the answer.
    One,
}

impl Answer {
    pub(crate) fn layout(&self) -> &'static Layout {
        INCOMING
            .iter()
            .find(|(id, _)| *id == self.message)
            .map(|(_, layout)| *layout)
            .expect("it is in the table")
    }

    /// The frames that answer the request with this id.
    pub(crate) fn bytes(&self, id: Option<i64>, rows: &[Vec<u8>]) -> Vec<u8> {
        let has_id = self.layout().fields.first().is_some_and(|field| field.name == "req_id");
        let head = |has_id: bool| {
            let mut head = Vec::new();
            if let Some(id) = id.filter(|_| has_id) {
                int64::encode(1, &id, &mut head);
            }
            head
        };
        let count = if self.rows == Rows::One { 1 } else { rows.len() };
        let mut out = Vec::new();
        for row in &rows[..count] {
            out.extend(frame(self.message, &[head(has_id), row.clone()].concat()));
        }
        if self.message == EXECUTION {
            // Without them it is waited for them.
            out.extend(["exec_id10000452", "exec_id50000452"].map(commission).concat());
        }
        if let Some(end) = self.end {
            out.extend(frame(end, &head(!matches!(end, 53 | 62 | 102))));
        }
        out
    }
}

/// ExecutionDetails.
const EXECUTION: u32 = 11;

/// A CommissionAndFeesReport about this execution.
fn commission(exec_id: &str) -> Vec<u8> {
    let mut body = Vec::new();
    prost::encoding::string::encode(1, &exec_id.to_owned(), &mut body);
    frame(59, &body)
}

fn frame(id: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("it is short");
    [&length.to_be_bytes(), &(id + 200).to_be_bytes(), body].concat()
}

const fn reply(
    message: u32,
    operation: &'static str,
    params: &'static str,
    asked: u32,
    end: Option<u32>,
    rows: Rows,
) -> Answer {
    Answer { message, operation, params, asked, end, events: 0, rows }
}

const fn stream(message: u32, operation: &'static str, params: &'static str, asked: u32) -> Answer {
    Answer { message, operation, params, asked, end: None, events: 2, rows: Rows::Several }
}

const AAPL: &str = r#"{"contract":{"symbol":"AAPL","sec_type":"STK","exchange":"SMART","currency":"USD"}}"#;

pub(crate) const ANSWERS: &[Answer] = &[
    stream(1, "market_data", AAPL, 1),
    stream(2, "market_data", AAPL, 1),
    stream(21, "market_data", AAPL, 1),
    stream(45, "market_data", AAPL, 1),
    stream(46, "market_data", AAPL, 1),
    stream(81, "market_data", AAPL, 1),
    stream(12, "market_depth", AAPL, 10),
    stream(13, "market_depth", AAPL, 10),
    stream(50, "real_time_bars", AAPL, 50),
    stream(99, "tick_by_tick", AAPL, 97),
    stream(94, "pnl", r#"{"account":"DU1"}"#, 92),
    stream(95, "pnl_single", r#"{"account":"DU1","con_id":5}"#, 94),
    stream(71, "positions_multi", r#"{"account":"DU1"}"#, 74),
    stream(
        20,
        "scanner",
        r#"{"instrument":"STK","location_code":"STK.US.MAJOR","scan_code":"TOP_PERC_GAIN"}"#,
        22,
    ),
    reply(5, "all_open_orders", "{}", 16, Some(53), Rows::Several),
    reply(10, "contract_details", r#"{"symbol":"AAPL","sec_type":"STK"}"#, 9, Some(52), Rows::Several),
    reply(18, "contract_details", r#"{"symbol":"AAPL","sec_type":"BOND"}"#, 9, Some(52), Rows::Several),
    reply(11, "executions", "{}", 7, Some(55), Rows::Several),
    reply(17, "historical_bars", AAPL, 20, Some(108), Rows::One),
    reply(61, "positions", "{}", 61, Some(62), Rows::Several),
    reply(
        75,
        "option_chain",
        r#"{"underlying_symbol":"AAPL","underlying_sec_type":"STK","underlying_con_id":5}"#,
        78,
        Some(76),
        Rows::Several,
    ),
    reply(77, "soft_dollar_tiers", "{}", 79, None, Rows::One),
    reply(78, "family_codes", "{}", 80, None, Rows::One),
    reply(79, "matching_symbols", r#"{"pattern":"AAPL"}"#, 81, None, Rows::One),
    reply(80, "depth_exchanges", "{}", 82, None, Rows::One),
    reply(82, "smart_components", r#"{"bbo_exchange":"9c0001"}"#, 83, None, Rows::One),
    reply(83, "news_article", r#"{"provider_code":"BRFG","article_id":"x"}"#, 84, None, Rows::One),
    reply(85, "news_providers", "{}", 85, None, Rows::One),
    reply(86, "historical_news", r#"{"con_id":5,"provider_codes":["BRFG"]}"#, 86, Some(87), Rows::Several),
    reply(88, "head_timestamp", AAPL, 87, None, Rows::One),
    reply(89, "histogram", AAPL, 88, None, Rows::One),
    reply(93, "market_rule", r#"{"market_rule_id":26}"#, 91, None, Rows::One),
    reply(96, "historical_ticks", MIDPOINTS, 96, None, Rows::One),
    reply(97, "historical_ticks", QUOTES, 96, None, Rows::One),
    reply(98, "historical_ticks", TRADES, 96, None, Rows::One),
    reply(101, "completed_orders", "{}", 99, Some(102), Rows::Several),
    reply(106, "historical_schedule", AAPL, 20, None, Rows::One),
    reply(107, "user_info", "{}", 104, None, Rows::One),
];

const MIDPOINTS: &str = r#"{"contract":{"symbol":"AAPL","sec_type":"STK","exchange":"SMART","currency":"USD"},"what_to_show":"MIDPOINT"}"#;
const QUOTES: &str = r#"{"contract":{"symbol":"AAPL","sec_type":"STK","exchange":"SMART","currency":"USD"},"what_to_show":"BID_ASK"}"#;
const TRADES: &str = r#"{"contract":{"symbol":"AAPL","sec_type":"STK","exchange":"SMART","currency":"USD"},"what_to_show":"TRADES"}"#;

/// The messages that no row here asks for, and why.
pub(crate) const ELSEWHERE: &[(u32, &str)] = &[
    (3, "an order's status comes with the order"),
    (6, "texts alone, and no row of them can be lost"),
    (7, "it comes between the values of an account"),
    (8, "a text"),
    (14, "texts alone"),
    (15, "what begins a session"),
    (16, "a text"),
    (19, "a text"),
    (49, "a time, without which there is no answer"),
    (58, "a kind"),
    (59, "it comes after its execution"),
    (63, "texts alone"),
    (67, "a text"),
    (68, "a text"),
    (73, "texts alone"),
    (84, "a headline's bytes are those of 86"),
    (90, "a bar's bytes are those of 17"),
    (100, "it binds orders, which a read-only session has none of"),
    (104, "a text"),
    (105, "a text"),
    (108, "it comes with the bars"),
    (109, "a time, without which there is no answer"),
    (110, "settings, of which each is a value or null"),
];

/// Contracts and orders are read in one place, whatever they come in: their fields are odd in details (10), positions (61), symbols (79)
/// and open orders (5), and not in every other message that has one too.
pub(crate) fn is_odd_elsewhere(message: u32, path: &Path) -> bool {
    let name = path.to_string();
    matches!(message, 11 | 18 | 20 | 71 | 101) && name.contains("contract.")
        || message == 101 && name.starts_with("order.")
}

/// What no reply has as it is on the wire, and why; docs/protocol.md says so too.
const NOT_OFFERED: &[(u32, &str, &str)] = &[
    (1, "attr_mask", "its bits are `attributes`"),
    (5, "order_id", "it is that of the order"),
    (12, "market_depth_data.market_maker", "only books of the second level name one"),
    (96, "historical_ticks.size", "a midpoint has no size"),
];

/// A condition on a price has no others of these; each kind of condition has its own.
const OF_OTHER_CONDITIONS: &[&str] = &["symbol", "sec_type", "percent", "change_percent", "time", "volume"];

pub(crate) fn is_not_offered(message: u32, path: &Path) -> bool {
    let name = path.to_string();
    let of_condition = name.strip_prefix("order.conditions.");
    of_condition.is_some_and(|field| OF_OTHER_CONDITIONS.contains(&field))
        || NOT_OFFERED.iter().any(|(of, known, _)| *of == message && *known == name)
}
