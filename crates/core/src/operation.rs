//! The one table of operations. A row gives the [`Request`] (or [`StreamRequest`]), the [`Reply`] (or [`Event`]),
//! the [`Session`](crate::Session) method, the JSON of the worker protocol, and who may run it. A backend executes
//! the rows; nothing else lists them.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};

use crate::params::{Checked, Params};

use crate::types::{
    AccountSummaryParams, AccountSummaryUpdatesEvent, AccountSummaryValue, AccountUpdatesEvent,
    AccountUpdatesMultiEvent, AccountUpdatesMultiParams, AccountUpdatesParams, AccountUpdatesSnapshot,
    AdvisorConfigParams, CompletedOrder, CompletedOrdersParams, ConnectivityEvent, Contract, ContractDetails,
    DepthExchange, DisplayGroupEvent, DisplayGroupEventsParams, ExecutionDetails, ExecutionsParams,
    FamilyCode, GatewayConfig, HeadTimestampParams, HistogramEntry, HistogramParams,
    HistoricalBarUpdatesEvent, HistoricalBarUpdatesParams, HistoricalBars, HistoricalBarsParams,
    HistoricalSchedule, HistoricalScheduleParams, HistoricalTicks, HistoricalTicksParams, MarketDataEvent,
    MarketDataParams, MarketDepthEvent, MarketDepthParams, Notice, OpenOrder, OrderUpdatesEvent, PnlEvent,
    PnlParams, PnlSingleEvent, PnlSingleParams, Position, PositionUpdatesEvent, PositionsMultiEvent,
    PositionsMultiParams, Quote, QuoteSnapshotParams, RealTimeBarsEvent, RealTimeBarsParams, SmartComponent,
    SmartComponentsParams, SoftDollarTier, TickByTickEvent, TickByTickParams, UserInfo,
};
use crate::types::{
    BroadTapeNewsParams, ContractNewsParams, HistoricalNews, HistoricalNewsParams, NewsArticle,
    NewsArticleParams, NewsBulletin, NewsEvent, NewsProvider, ScannerEvent, ScannerParams, WshEventsParams,
};
use crate::types::{
    CalculateImpliedVolatilityParams, CalculateOptionPriceParams, MarketRule, MarketRuleParams,
    MatchingSymbolsParams, OptionChain, OptionChainParams, OptionComputation, SymbolMatch,
};
use crate::{Error, ErrorKind, Result};

/// Whether an operation only reads or can change orders and positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Allowed in a read-only session.
    Read,
    /// Refused in a read-only session.
    Trade,
}

/// One row of the table, for listings and documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OperationInfo {
    /// The name in the worker protocol.
    pub command: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Whether it reads or trades.
    pub access: Access,
    /// Whether it is answered once or streams events.
    pub stream: bool,
    /// The Rust type of its parameters; empty when it takes none.
    pub params: &'static str,
    /// The Rust type of its reply or of each event.
    pub reply: &'static str,
}

macro_rules! operations {
    (
        requests { $( $(#[doc = $doc:literal])+
            $access:ident $Variant:ident $method:ident($($param:ident: $Params:ty)?) -> $Reply:ty $(as $Shown:ty)?; )+ }
        streams { $( $(#[doc = $sdoc:literal])+
            $saccess:ident $scontent:ident $SVariant:ident $smethod:ident($($sparam:ident: $SParams:ty)?)
                -> $Event:ty $(as $SShown:ty)?; )+ }
    ) => {
        /// A one-shot operation with its parameters.
        #[derive(Debug, Clone, PartialEq)]
        #[allow(clippy::large_enum_variant, reason = "one per request, and boxes would be in everybody's way")]
        #[non_exhaustive]
        pub enum Request {
            $( $(#[doc = $doc])+ $Variant $( ($Params) )?, )+
        }

        /// The answer to a [`Request`]; it serializes as its data alone.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        #[non_exhaustive]
        pub enum Reply {
            $( #[doc = concat!("Answers [`Request::", stringify!($Variant), "`].")] $Variant($Reply), )+
        }

        /// A streaming operation with its parameters.
        #[derive(Debug, Clone, PartialEq)]
        #[allow(clippy::large_enum_variant, reason = "one per subscription, and boxes would be in everybody's way")]
        #[non_exhaustive]
        pub enum StreamRequest {
            $( $(#[doc = $sdoc])+ $SVariant $( ($SParams) )?, )+
        }

        /// One event of a stream; it serializes as its data alone.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        #[non_exhaustive]
        pub enum Event {
            $( #[doc = concat!("An event of [`StreamRequest::", stringify!($SVariant), "`].")] $SVariant($Event), )+
        }

        /// Every operation, in the order of the documentation.
        pub const OPERATIONS: &[OperationInfo] = &[
            $( OperationInfo {
                command: stringify!($method),
                doc: concat!($($doc),+),
                access: operations!(@access $access),
                stream: false,
                params: concat!($( stringify!($Params) )?),
                reply: stringify!($Reply),
            }, )+
            $( OperationInfo {
                command: stringify!($smethod),
                doc: concat!($($sdoc),+),
                access: operations!(@access $saccess),
                stream: true,
                params: concat!($( stringify!($SParams) )?),
                reply: stringify!($Event),
            }, )+
        ];

        /// The JSON Schemas of every operation's parameters and answer, in the order of [`OPERATIONS`].
        #[cfg(feature = "schema")]
        pub(crate) fn operation_schemas(
            generator: &mut schemars::SchemaGenerator,
        ) -> Vec<crate::schema::OperationSchema> {
            vec![
                $( crate::schema::OperationSchema {
                    params: operations!(@schema generator, NoParams $(, $Params)?),
                    reply: operations!(@schema generator, $Reply $(, $Shown)?),
                }, )+
                $( crate::schema::OperationSchema {
                    params: operations!(@schema generator, NoParams $(, $SParams)?),
                    reply: operations!(@schema generator, $Event $(, $SShown)?),
                }, )+
            ]
        }

        impl Request {
            /// The name in the worker protocol.
            pub fn command(&self) -> &'static str {
                match self { $( Self::$Variant { .. } => stringify!($method), )+ }
            }

            /// Whether it reads or trades.
            pub fn access(&self) -> Access {
                match self { $( Self::$Variant { .. } => operations!(@access $access), )+ }
            }

            /// Its parameters as they stand in the worker protocol, an object.
            pub fn params(&self) -> impl Serialize + '_ {
                RequestParams(self)
            }

            /// Looks at the parameters before they go anywhere. [`Session`](crate::Session) does so, and so does
            /// [`from_json`](Self::from_json).
            ///
            /// # Errors
            /// `invalid_request` when no Gateway could make sense of them, e.g. of a strike that is not a number; the message
            /// says which and what is expected.
            pub fn check(&self) -> Result<()> {
                match self {
                    $( Self::$Variant $( ($param) )? => operations!(@check $($param)?), )+
                }
                .map_err(|problem| impossible(self.command(), problem))
            }

            /// The request named `command`, or `None` if the table has no such one-shot.
            ///
            /// # Errors
            /// `protocol` when the parameters don't fit, and those of [`check`](Self::check); the message says which and where.
            pub fn from_json(command: &str, params: &str) -> Result<Option<Self>> {
                let request = match command {
                    $( stringify!($method) => operations!(@from_json command, params, $Variant $(, $Params)?), )+
                    _ => return Ok(None),
                };
                request.check().map(|()| Some(request))
            }

            /// Reads the reply to this request.
            ///
            /// # Errors
            /// `protocol` when the data is not this request's reply.
            pub fn reply_from_json(&self, data: &str) -> Result<Reply> {
                match self { $( Self::$Variant { .. } => parse_data(stringify!($method), data).map(Reply::$Variant), )+ }
            }
        }

        struct RequestParams<'a>(&'a Request);

        impl Serialize for RequestParams<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self.0 {
                    $( Request::$Variant $( ($param) )? => operations!(@params serializer $(, $param)?), )+
                }
            }
        }

        impl StreamRequest {
            /// The name in the worker protocol.
            pub fn command(&self) -> &'static str {
                match self { $( Self::$SVariant { .. } => stringify!($smethod), )+ }
            }

            /// Whether it reads or trades.
            pub fn access(&self) -> Access {
                match self { $( Self::$SVariant { .. } => operations!(@access $saccess), )+ }
            }

            /// Whether it is market data: void when the Gateway says so (1101), and to be opened anew.
            pub fn is_market_data(&self) -> bool {
                match self { $( Self::$SVariant { .. } => operations!(@market_data $scontent), )+ }
            }

            /// Its parameters as they stand in the worker protocol, an object.
            pub fn params(&self) -> impl Serialize + '_ {
                StreamParams(self)
            }

            /// Looks at the parameters before they go anywhere. [`Session`](crate::Session) does so, and so does
            /// [`from_json`](Self::from_json).
            ///
            /// # Errors
            /// `invalid_request` when no Gateway could make sense of them, e.g. of a strike that is not a number; the message
            /// says which and what is expected.
            pub fn check(&self) -> Result<()> {
                match self {
                    $( Self::$SVariant $( ($sparam) )? => operations!(@check $($sparam)?), )+
                }
                .map_err(|problem| impossible(self.command(), problem))
            }

            /// The stream named `command`, or `None` if the table has no such stream.
            ///
            /// # Errors
            /// `protocol` when the parameters don't fit, and those of [`check`](Self::check); the message says which and where.
            pub fn from_json(command: &str, params: &str) -> Result<Option<Self>> {
                let request = match command {
                    $( stringify!($smethod) => operations!(@from_json command, params, $SVariant $(, $SParams)?), )+
                    _ => return Ok(None),
                };
                request.check().map(|()| Some(request))
            }

            /// Reads an event of this stream.
            ///
            /// # Errors
            /// `protocol` when the data is not this stream's event.
            pub fn event_from_json(&self, data: &str) -> Result<Event> {
                match self { $( Self::$SVariant { .. } => parse_data(stringify!($smethod), data).map(Event::$SVariant), )+ }
            }
        }

        struct StreamParams<'a>(&'a StreamRequest);

        impl Serialize for StreamParams<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self.0 {
                    $( StreamRequest::$SVariant $( ($sparam) )? => operations!(@params serializer $(, $sparam)?), )+
                }
            }
        }

        /// A method per operation.
        impl crate::Session {
            $( $(#[doc = $doc])+
            ///
            /// # Errors
            /// `timeout`, `gateway_error` with its code, or `disconnected`.
            pub async fn $method(&self $(, $param: $Params)?) -> Result<$Reply> {
                match self.request(Request::$Variant $( ($param) )?).await? {
                    Reply::$Variant(reply) => Ok(reply),
                    #[allow(unreachable_patterns)]
                    other => Err(mismatch(stringify!($method), &other)),
                }
            } )+

            $( $(#[doc = $sdoc])+
            ///
            /// # Errors
            /// `timeout` or `disconnected`; what the Gateway says later comes through the stream.
            pub async fn $smethod(&self $(, $sparam: $SParams)?) -> Result<crate::Subscription<$Event>> {
                let events = self.subscribe(StreamRequest::$SVariant $( ($sparam) )?).await?;
                Ok(crate::Subscription::new(events, |event| match event {
                    Event::$SVariant(event) => Ok(event),
                    #[allow(unreachable_patterns)]
                    other => Err(mismatch(stringify!($smethod), &other)),
                }))
            } )+
        }

        /// A method per operation, for callers without a runtime.
        impl crate::BlockingSession<'_> {
            $( $(#[doc = $doc])+
            ///
            /// # Errors
            /// As the method of the same name on [`Session`](crate::Session).
            pub fn $method(&self $(, $param: $Params)?) -> Result<$Reply> {
                crate::blocking::block_on(self.session().$method($($param)?))
            } )+

            $( $(#[doc = $sdoc])+
            ///
            /// # Errors
            /// As the method of the same name on [`Session`](crate::Session).
            pub fn $smethod(&self $(, $sparam: $SParams)?) -> Result<crate::BlockingSubscription<$Event>> {
                crate::blocking::block_on(self.session().$smethod($($sparam)?)).map(crate::BlockingSubscription::new)
            } )+
        }
    };
    (@access read) => { Access::Read };
    (@access trade) => { Access::Trade };
    (@from_json $command:ident, $json:ident, $Variant:ident) => {{
        parse_params::<NoParams>($command, $json)?;
        Self::$Variant
    }};
    (@from_json $command:ident, $json:ident, $Variant:ident, $Params:ty) => {
        Self::$Variant(parse_params::<$Params>($command, $json)?)
    };
    (@check) => { Checked::Ok(()) };
    (@check $param:ident) => { $param.check() };
    (@schema $generator:ident, $Type:ty) => { $generator.subschema_for::<$Type>() };
    (@schema $generator:ident, $Type:ty, $Shown:ty) => { $generator.subschema_for::<$Shown>() };
    (@market_data market) => { true };
    (@market_data other) => { false };
    (@params $serializer:ident) => { NoParams {}.serialize($serializer) };
    (@params $serializer:ident, $param:ident) => { $param.serialize($serializer) };
}

operations! {
    requests {
        /// The Gateway's clock, to the second: the cheapest proof that it answers.
        read ServerTime server_time() -> jiff::Timestamp as crate::schema::Time;
        /// The Gateway's clock, to the millisecond.
        read ServerTimeMillis server_time_millis() -> jiff::Timestamp as crate::schema::Time;
        /// The accounts this login manages.
        read ManagedAccounts managed_accounts() -> Vec<String>;
        /// The family that each account belongs to.
        read FamilyCodes family_codes() -> Vec<FamilyCode>;
        /// Under which broker's name the user has IBKR's services.
        read UserInfo user_info() -> UserInfo;
        /// Values such as net liquidation and buying power, one per account and tag.
        read AccountSummary account_summary(params: AccountSummaryParams) -> Vec<AccountSummaryValue>;
        /// Every position of every account.
        read Positions positions() -> Vec<Position>;
        /// The values of one account and its portfolio. TWS has the updates of one account at a time: one of another account
        /// waits for this, and is refused with `busy` while a stream of `account_updates` is open.
        read AccountUpdatesSnapshot account_updates_snapshot(params: AccountUpdatesParams) -> AccountUpdatesSnapshot;
        /// All contracts that match a description.
        read ContractDetails contract_details(contract: Contract) -> Vec<ContractDetails>;
        /// Contracts whose symbol or name begins with a pattern, at most 16.
        read MatchingSymbols matching_symbols(params: MatchingSymbolsParams) -> Vec<SymbolMatch>;
        /// The steps in which prices move, by the number of a rule.
        read MarketRule market_rule(params: MarketRuleParams) -> MarketRule;
        /// Expirations and strikes of all options on one underlying, by exchange and trading class.
        read OptionChain option_chain(params: OptionChainParams) -> Vec<OptionChain>;
        /// What an option costs at a volatility and a price of the underlying.
        read CalculateOptionPrice calculate_option_price(params: CalculateOptionPriceParams) -> OptionComputation;
        /// The volatility that is in a price of an option and one of the underlying.
        read CalculateImpliedVolatility calculate_implied_volatility(params: CalculateImpliedVolatilityParams)
            -> OptionComputation;
        /// Historical bars of one contract.
        read HistoricalBars historical_bars(params: HistoricalBarsParams) -> HistoricalBars;
        /// Historical ticks of one contract, at most 1000 and the rest of their last second.
        read HistoricalTicks historical_ticks(params: HistoricalTicksParams) -> HistoricalTicks;
        /// When one contract traded, in regular hours.
        read HistoricalSchedule historical_schedule(params: HistoricalScheduleParams) -> HistoricalSchedule;
        /// From when on there are historical data of one contract.
        read HeadTimestamp head_timestamp(params: HeadTimestampParams) -> jiff::Timestamp as crate::schema::Time;
        /// How much of one contract traded at which price.
        read Histogram histogram(params: HistogramParams) -> Vec<HistogramEntry>;
        /// The quote of one contract, whole.
        read QuoteSnapshot quote_snapshot(params: QuoteSnapshotParams) -> Quote;
        /// The exchanges that have market depth.
        read DepthExchanges depth_exchanges() -> Vec<DepthExchange>;
        /// The exchanges behind smart-routed quotes, by the key that market data name.
        read SmartComponents smart_components(params: SmartComponentsParams) -> Vec<SmartComponent>;
        /// The open orders that this client has placed. Client 0 has those made in TWS too, which are bound to it by asking.
        read OpenOrders open_orders() -> Vec<OpenOrder>;
        /// The open orders of all clients, and those made in TWS.
        read AllOpenOrders all_open_orders() -> Vec<OpenOrder>;
        /// The orders that were filled or cancelled today.
        read CompletedOrders completed_orders(params: CompletedOrdersParams) -> Vec<CompletedOrder>;
        /// Executions of all clients, oldest first as TWS has them, each with its commission. Where a commission is missing when
        /// TWS has sent the last execution, waits for it for half a second.
        read Executions executions(params: ExecutionsParams) -> Vec<ExecutionDetails>;
        /// The lowest id that this client's next order may have. Asking takes none.
        read NextOrderId next_order_id() -> i32;
        /// The soft dollar tiers of this login; empty for most.
        read SoftDollarTiers soft_dollar_tiers() -> Vec<SoftDollarTier>;
        /// An advisor's account groups or aliases, as the XML that TWS keeps them in. Error 321 for other logins.
        read AdvisorConfig advisor_config(params: AdvisorConfigParams) -> String;
        /// The display groups of TWS, most used first. The Gateway has no windows, and so none.
        read DisplayGroups display_groups() -> Vec<i32>;
        /// How TWS or the Gateway is set up. Server version 219 or newer.
        read GatewayConfig gateway_config() -> GatewayConfig;
        /// The news providers that this login subscribes to.
        read NewsProviders news_providers() -> Vec<NewsProvider>;
        /// The article behind a headline.
        read NewsArticle news_article(params: NewsArticleParams) -> NewsArticle;
        /// Headlines of one contract from the past, the newest first.
        read HistoricalNews historical_news(params: HistoricalNewsParams) -> HistoricalNews;
        /// What scanners can scan for, as TWS's XML: one or two megabytes of text, unread.
        read ScannerParameters scanner_parameters() -> String;
        /// Which corporate events Wall Street Horizon knows, as its JSON: a text, unread.
        read WshMetadata wsh_metadata() -> String;
        /// Corporate events such as earnings dates, as Wall Street Horizon's JSON: a text, unread.
        read WshEvents wsh_events(params: WshEventsParams) -> String;
    }
    // Each says whether it is market data: `market`, or `other`.
    streams {
        /// Level-1 market data of one contract: streaming, or a snapshot that ends by itself.
        read market MarketData market_data(params: MarketDataParams) -> MarketDataEvent;
        /// Trades, quotes or midpoints of one contract, each single one.
        read market TickByTick tick_by_tick(params: TickByTickParams) -> TickByTickEvent;
        /// Bars of five seconds of one contract, each when it is over.
        read market RealTimeBars real_time_bars(params: RealTimeBarsParams) -> RealTimeBarsEvent;
        /// Historical bars of one contract up to now, kept up to date.
        read market HistoricalBarUpdates historical_bar_updates(params: HistoricalBarUpdatesParams)
            -> HistoricalBarUpdatesEvent;
        /// The order book of one contract.
        read market MarketDepth market_depth(params: MarketDepthParams) -> MarketDepthEvent;
        /// Values such as net liquidation and buying power, one per account and tag, and those that change. TWS has two
        /// summaries at a time for a connection: a third stream is refused with `busy`, and so is `account_summary`
        /// while two streams are open.
        read other AccountSummaryUpdates account_summary_updates(params: AccountSummaryParams)
            -> AccountSummaryUpdatesEvent;
        /// The values of one account and its portfolio, and what changes of them. TWS has the updates of one account at a time:
        /// while this is open, those of another account are refused with `busy`; `account_updates_multi` has several.
        read other AccountUpdates account_updates(params: AccountUpdatesParams) -> AccountUpdatesEvent;
        /// The cash of one account or of all of them by currency, with net liquidation, and what changes of it. Several may
        /// be open at once.
        read other AccountUpdatesMulti account_updates_multi(params: AccountUpdatesMultiParams)
            -> AccountUpdatesMultiEvent;
        /// Every position of every account, and those that change.
        read other PositionUpdates position_updates() -> PositionUpdatesEvent;
        /// The positions of one account or of a model, and those that change. Several may be open at once.
        read other PositionsMulti positions_multi(params: PositionsMultiParams) -> PositionsMultiEvent;
        /// The daily, unrealized and realized profit and loss of one account.
        read other Pnl pnl(params: PnlParams) -> PnlEvent;
        /// The daily, unrealized and realized profit and loss of one position, with its value.
        read other PnlSingle pnl_single(params: PnlSingleParams) -> PnlSingleEvent;
        /// Headlines of one contract, each when it comes.
        read market ContractNews contract_news(params: ContractNewsParams) -> NewsEvent;
        /// All headlines of one provider, each when it comes.
        read market BroadTapeNews broad_tape_news(params: BroadTapeNewsParams) -> NewsEvent;
        /// The contracts that rank first in a scan, the whole list at each refresh.
        read market Scanner scanner(params: ScannerParams) -> ScannerEvent;
        /// IBKR's bulletins, such as exchanges that fail: those of the day so far, then each when it comes.
        read other NewsBulletins news_bulletins() -> NewsBulletin;
        /// What the Gateway says about itself and its servers: connectivity, data farms, warnings. Begins with what it
        /// has said since the connect, the newest 256 of it.
        read other Notices notices() -> Notice;
        /// What becomes of the orders that this client has placed, from now on. What becomes of other clients' is not told, to a
        /// master client neither; `all_open_orders` and `executions` have them.
        read other OrderUpdates order_updates() -> OrderUpdatesEvent;
        /// What a display group of TWS shows: at once, and after each change.
        read other DisplayGroupEvents display_group_events(params: DisplayGroupEventsParams) -> DisplayGroupEvent;
        /// How the Gateway stands with IBKR's servers and data farms: each change. Begins with those that the kept notices
        /// tell, as `notices` does.
        read other Connectivity connectivity() -> ConnectivityEvent;
    }
}

/// No parameters.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct NoParams {}

/// As [`parse`]; what is no object is refused, though serde would take the fields in their order from an array.
fn parse_params<T: DeserializeOwned>(command: &str, json: &str) -> Result<T> {
    if json.trim_ascii_start().starts_with('{') {
        return parse(command, json, ErrorKind::InvalidRequest);
    }
    let got = json.chars().take(40).collect::<String>();
    Err(unreadable(
        ErrorKind::InvalidRequest,
        format!("{command}: its parameters are an object such as {{}}, and not {got}"),
    ))
}

/// Reads what the other side of a link has answered.
fn parse_data<T: DeserializeOwned>(command: &str, json: &str) -> Result<T> {
    parse(command, json, ErrorKind::Protocol)
}

fn parse<T: DeserializeOwned>(command: &str, json: &str, otherwise: ErrorKind) -> Result<T> {
    serde_json::from_str(json).map_err(|error| {
        let place = if error.is_data() { place_of_error::<T>(json) } else { None };
        let place = place.map(|place| format!(" {place}:")).unwrap_or_default();
        unreadable(otherwise, format!("{command}:{place} {error}")).with_source(error)
    })
}

/// The field that can't be read, e.g. `contract.strike`. Finding it costs time, so it is looked for only after a failure.
fn place_of_error<T: DeserializeOwned>(json: &str) -> Option<String> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let error = serde_path_to_error::deserialize::<_, T>(&mut reader).err()?;
    let path = error.path().to_string();
    // What is not known is named by the error; the place is what it is in.
    let is_unknown = error.inner().to_string().starts_with("unknown field");
    let place = if is_unknown { path.rsplit_once('.')?.0 } else { path.as_str() };
    (place != ".").then(|| place.to_owned())
}

fn unreadable(kind: ErrorKind, message: String) -> Error {
    Error::new(kind, message)
        .with_advice("docs/protocol.md lists every command with its parameters and replies")
}

fn impossible(command: &str, problem: String) -> Error {
    Error::new(ErrorKind::InvalidRequest, format!("{command}: {problem}"))
        .with_advice("docs/protocol.md lists every command with its parameters")
}

fn mismatch(command: &str, got: &impl std::fmt::Debug) -> Error {
    Error::new(ErrorKind::Internal, format!("{command} was answered with another operation's data: {got:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_no_command_twice() {
        let mut commands: Vec<_> = OPERATIONS.iter().map(|operation| operation.command).collect();
        commands.sort_unstable();
        commands.dedup();
        assert_eq!(commands.len(), OPERATIONS.len());
    }

    #[test]
    fn a_stream_is_market_data_or_not() {
        assert!(StreamRequest::MarketData(MarketDataParams::default()).is_market_data());
        assert!(!StreamRequest::Notices.is_market_data());
    }

    #[test]
    fn a_request_round_trips_through_json() {
        let request = Request::ContractDetails(Contract::stock("AAPL"));
        let params = serde_json::to_string(&request.params()).unwrap();
        assert_eq!(Request::from_json(request.command(), &params).unwrap(), Some(request));
    }

    #[test]
    fn a_request_without_parameters_has_an_empty_object() {
        assert_eq!(serde_json::to_string(&Request::ServerTime.params()).unwrap(), "{}");
        assert_eq!(Request::from_json("server_time", "{}").unwrap(), Some(Request::ServerTime));
    }

    #[test]
    fn wrong_parameters_name_the_command_and_the_field() {
        for (command, params, expected) in [
            ("contract_details", r#"{"symbol":7}"#, "contract_details: symbol: invalid type: integer `7`"),
            (
                "historical_bars",
                r#"{"contract":{"strike":"x"}}"#,
                "historical_bars: contract.strike: invalid type",
            ),
            ("historical_bars", r#"{"end":"yesterday"}"#, "historical_bars: end: "),
            (
                "historical_bars",
                r#"{"bar_size":"1 min."}"#,
                "historical_bars: bar_size: unknown variant `1 min.`",
            ),
            ("positions", r#"{"account":"DU1"}"#, "positions: unknown field `account`"),
            (
                "historical_bars",
                r#"{"contract":{"symbl":""}}"#,
                "historical_bars: contract: unknown field `symbl`",
            ),
            ("positions", "null", "positions: its parameters are an object such as {}, and not null"),
            ("contract_details", "[265598]", "contract_details: its parameters are an object"),
            ("contract_details", "{", "contract_details: EOF while parsing"),
        ] {
            let error = Request::from_json(command, params).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(error.message().starts_with(expected), "{error}");
        }
        assert_eq!(Request::from_json("make_me_rich", "{}").unwrap(), None);
    }

    #[test]
    fn what_no_gateway_makes_sense_of_is_refused_with_its_command() {
        let error = StreamRequest::from_json("market_data", "{}").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().starts_with("market_data: the contract is empty"), "{error}");
        assert_eq!(
            StreamRequest::MarketData(MarketDataParams::default()).check().unwrap_err().kind(),
            error.kind()
        );
        Request::ServerTime.check().unwrap();
    }
}
