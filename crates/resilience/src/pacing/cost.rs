//! What a request costs: how many messages, and which of IBKR's rules for historical data look at it.

use ibkr_connect_core::types::{
    BarSize, Contract, HistoricalTickKind, MarketDataType, TickByTickType, WhatToShow,
};
use ibkr_connect_core::{Request, StreamRequest};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::history::HistoricalKey;

/// What a request costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cost {
    /// How many messages it sends to the Gateway, that which ends it when it is answered included.
    pub(crate) messages: u32,
    /// What the rules for small bars and ticks look at.
    pub(crate) small: Option<HistoricalKey>,
    /// Whether it is one of those of which IBKR allows 50 without an answer.
    pub(crate) answer: Answer,
}

/// Who answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The servers of historical data, which answer 50 at once.
    Historical,
    /// Anybody else, or nobody.
    Other,
}

impl Cost {
    /// What a request costs that is sent at `now`.
    pub(crate) fn of_request(request: &Request, now: Timestamp) -> Self {
        let historical = |small| Self { messages: 1, small, answer: Answer::Historical };
        match request {
            Request::HistoricalBars(params) => {
                let key = || key(request.command(), params, &params.contract, params.what_to_show.as_str());
                historical(is_small(params.bar_size).then(key))
            }
            Request::HistoricalTicks(params) => {
                let mut key = key(request.command(), params, &params.contract, params.what_to_show.as_str());
                if (params.start, params.end) == (None, None) {
                    until(&mut key, now);
                }
                historical(Some(key))
            }
            Request::HistoricalSchedule(_) | Request::HeadTimestamp(_) => historical(None),
            Request::QuoteSnapshot(params) => Self::messages(of_market_data(params.market_data_type)),
            // Subscriptions, which are cancelled when they have answered.
            Request::Positions | Request::AccountSummary(_) | Request::AccountUpdatesSnapshot(_) => {
                Self::messages(2)
            }
            _ => Self::messages(1),
        }
    }

    /// What a stream costs that is opened at `now`.
    pub(crate) fn of_stream(request: &StreamRequest, now: Timestamp) -> Self {
        let counted = |messages, small| Self { messages, small, answer: Answer::Other };
        match request {
            // The Gateway speaks by itself.
            StreamRequest::Notices | StreamRequest::Connectivity | StreamRequest::OrderUpdates => {
                Self::messages(0)
            }
            StreamRequest::MarketData(params) => Self::messages(of_market_data(params.market_data_type)),
            StreamRequest::HistoricalBarUpdates(params) => {
                let key = || key(request.command(), params, &params.contract, params.what_to_show.as_str());
                counted(1, is_small(params.bar_size).then(key))
            }
            StreamRequest::RealTimeBars(params) => {
                let key = key(request.command(), params, &params.contract, params.what_to_show.as_str());
                counted(1, Some(key))
            }
            StreamRequest::TickByTick(params) if params.number_of_ticks > 0 => {
                let past = past_of(params.tick_type).as_str();
                let mut key = key("historical_ticks", params, &params.contract, past);
                until(&mut key, now);
                counted(2, Some(key))
            }
            _ => Self::messages(1),
        }
    }

    fn messages(messages: u32) -> Self {
        Self { messages, small: None, answer: Answer::Other }
    }
}

/// Another kind of data than the last one's has to be chosen first; live is what a connection begins with.
fn of_market_data(kind: MarketDataType) -> u32 {
    if kind == MarketDataType::Live { 1 } else { 2 }
}

/// Which ticks of the past come before those of a stream.
fn past_of(kind: TickByTickType) -> HistoricalTickKind {
    match kind {
        TickByTickType::Last | TickByTickType::AllLast => HistoricalTickKind::Trades,
        TickByTickType::BidAsk => HistoricalTickKind::BidAsk,
        TickByTickType::Midpoint => HistoricalTickKind::Midpoint,
    }
}

/// IBKR has lifted the rules for bars of one minute and more.
fn is_small(size: BarSize) -> bool {
    matches!(size, BarSize::Secs1 | BarSize::Secs5 | BarSize::Secs10 | BarSize::Secs15 | BarSize::Secs30)
}

/// A key in plain text: it is shared with other processes, which may be of another version.
fn key(command: &str, params: &impl Serialize, contract: &Contract, what_to_show: &str) -> HistoricalKey {
    let mut details = serde_json::to_value(params).unwrap_or_default();
    if let Value::Object(fields) = &mut details {
        fields.remove("contract");
        fields.remove("what_to_show");
    }
    let contract = serde_json::to_value(contract).unwrap_or_default();
    HistoricalKey {
        series: format!("{what_to_show} {}", plain(&contract)),
        details: format!("{command} {}", plain(&details)),
        weight: if what_to_show == WhatToShow::BidAsk.as_str() { 2 } else { 1 },
    }
}

/// What asks for data up to now asks for others every second.
fn until(key: &mut HistoricalKey, now: Timestamp) {
    key.details.push_str(&format!(" until {}", now.as_second()));
}

/// The fields that say something, in alphabetical order: the same text whatever fields a version adds.
fn plain(value: &Value) -> String {
    let says_nothing = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) => false,
    };
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().filter(|(_, value)| !says_nothing(value)).collect();
            fields.sort_by_key(|(name, _)| *name);
            let fields: Vec<_> =
                fields.into_iter().map(|(name, value)| format!("{name}:{}", plain(value))).collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(values) => format!("[{}]", values.iter().map(plain).collect::<Vec<_>>().join(",")),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use ibkr_connect_core::OPERATIONS;
    use ibkr_connect_core::types::{
        AccountSummaryParams, HeadTimestampParams, HistoricalBarUpdatesParams, HistoricalBarsParams,
        HistoricalScheduleParams, HistoricalTicksParams, MarketDataParams, RealTimeBarsParams,
        TickByTickParams,
    };

    use super::*;

    fn now() -> Timestamp {
        "2026-03-04T15:00:00Z".parse().unwrap()
    }

    fn bars(bar_size: BarSize) -> HistoricalBarsParams {
        HistoricalBarsParams::last_day(Contract::stock("IBM")).with_bar_size(bar_size)
    }

    fn of_bars(params: HistoricalBarsParams) -> Cost {
        Cost::of_request(&Request::HistoricalBars(params), now())
    }

    fn of_ticks(params: HistoricalTicksParams, now: Timestamp) -> HistoricalKey {
        Cost::of_request(&Request::HistoricalTicks(params), now).small.unwrap()
    }

    #[test]
    fn the_rules_are_for_bars_below_a_minute_and_for_ticks() {
        for size in BarSize::ALL {
            let cost = of_bars(bars(*size));
            assert_eq!(cost.small.is_some(), size.as_str().ends_with("secs"), "{size}");
            assert_eq!((cost.messages, cost.answer), (1, Answer::Historical), "{size}");
            let stream = HistoricalBarUpdatesParams::default().with_bar_size(*size);
            let stream = Cost::of_stream(&StreamRequest::HistoricalBarUpdates(stream), now());
            assert_eq!(stream.small.is_some(), size.as_str().ends_with("secs"), "{size}");
        }
        let ticks = Cost::of_request(&Request::HistoricalTicks(HistoricalTicksParams::default()), now());
        assert!(ticks.small.is_some() && ticks.answer == Answer::Historical);
        let real_time = StreamRequest::RealTimeBars(RealTimeBarsParams::default());
        assert!(Cost::of_stream(&real_time, now()).small.is_some());
        let with_past = TickByTickParams::default().with_number_of_ticks(10);
        let [past, no_past] = [with_past, TickByTickParams::default()]
            .map(|params| Cost::of_stream(&StreamRequest::TickByTick(params), now()));
        assert!(past.small.is_some() && no_past.small.is_none());
        assert_eq!((past.messages, no_past.messages), (2, 1));
    }

    #[test]
    fn the_fifty_without_an_answer_are_all_of_the_historical_servers() {
        for request in [
            Request::HistoricalSchedule(HistoricalScheduleParams::default()),
            Request::HeadTimestamp(HeadTimestampParams::default()),
        ] {
            let cost = Cost::of_request(&request, now());
            assert_eq!((cost.small, cost.answer), (None, Answer::Historical));
        }
        assert_eq!(Cost::of_request(&Request::ServerTime, now()).answer, Answer::Other);
    }

    #[test]
    fn every_message_counts() {
        let summary = Request::AccountSummary(AccountSummaryParams::default());
        for (request, messages) in [(Request::ServerTime, 1), (Request::Positions, 2), (summary, 2)] {
            assert_eq!(Cost::of_request(&request, now()).messages, messages, "{}", request.command());
        }
        let delayed = MarketDataParams::default().with_market_data_type(MarketDataType::Delayed);
        for (request, messages) in [
            (StreamRequest::Notices, 0),
            (StreamRequest::Connectivity, 0),
            (StreamRequest::OrderUpdates, 0),
            (StreamRequest::MarketData(MarketDataParams::default()), 1),
            (StreamRequest::MarketData(delayed), 2),
            (StreamRequest::PositionUpdates, 1),
        ] {
            assert_eq!(Cost::of_stream(&request, now()).messages, messages, "{}", request.command());
        }
    }

    #[test]
    fn a_key_is_plain_text_that_no_version_changes() {
        let key = of_bars(bars(BarSize::Secs30).with_use_rth(true)).small.unwrap();
        assert_eq!(key.series, "TRADES {currency:USD,exchange:SMART,sec_type:STK,symbol:IBM}");
        assert_eq!(key.details, "historical_bars {bar_size:30 secs,duration:1 D,use_rth:true}");
        assert_eq!(key.weight, 1);
    }

    #[test]
    fn a_key_knows_what_is_identical_and_what_is_one_series() {
        let trades = bars(BarSize::Secs5);
        let quotes = trades.clone().with_what_to_show(WhatToShow::BidAsk);
        let regular = trades.clone().with_use_rth(true);
        let [trades, quotes, regular] =
            [trades, quotes, regular].map(|params| of_bars(params).small.unwrap());
        assert_eq!((trades.weight, quotes.weight), (1, 2));
        assert_ne!(trades.series, quotes.series);
        assert_eq!(trades.series, regular.series);
        assert_ne!(trades.details, regular.details);

        let kind = HistoricalTickKind::BidAsk;
        let ticks =
            HistoricalTicksParams::default().with_contract(Contract::stock("IBM")).with_what_to_show(kind);
        assert_eq!(of_ticks(ticks.clone(), now()).series, quotes.series, "bars and ticks are one");
        let later = now() + jiff::SignedDuration::from_secs(1);
        assert_ne!(of_ticks(ticks.clone(), now()), of_ticks(ticks.clone(), later), "up to now");
        let ended = ticks.with_end(Some(now()));
        assert_eq!(of_ticks(ended.clone(), now()), of_ticks(ended, later));
    }

    /// A row that is in neither list is new: the second has those that send one message.
    #[test]
    fn somebody_has_decided_what_each_row_costs() {
        let named = "historical_bars historical_ticks historical_schedule head_timestamp quote_snapshot \
            positions account_summary account_updates_snapshot notices connectivity order_updates \
            market_data historical_bar_updates real_time_bars tick_by_tick";
        let others = "proof_of_life server_time server_time_millis managed_accounts family_codes user_info \
            contract_details matching_symbols market_rule option_chain calculate_option_price \
            calculate_implied_volatility histogram depth_exchanges smart_components open_orders \
            all_open_orders completed_orders executions next_order_id soft_dollar_tiers advisor_config \
            display_groups gateway_config news_providers news_article historical_news \
            scanner_parameters wsh_metadata wsh_events market_depth account_summary_updates \
            account_updates account_updates_multi position_updates positions_multi pnl pnl_single \
            contract_news broad_tape_news scanner news_bulletins display_group_events";
        let is_new = |command: &&str| !named.split(' ').chain(others.split(' ')).any(|name| name == *command);
        let new: Vec<_> = OPERATIONS.iter().map(|row| row.command).filter(is_new).collect();
        assert!(
            new.is_empty(),
            "give it a cost, if it is historical or sends other than one message, and its name here: {new:?}"
        );
    }
}
