//! The one table of operations. A row is an operation's documentation, its access, its method with parameters and answer, and
//! its variant of [`Request`](crate::Request) or [`StreamRequest`](crate::StreamRequest); a stream says besides whether it is
//! [`Content::Market`](crate::Content) data.
//!
//! The table knows no consumer: it is a macro that hands its rows to the macro it is given. Consumers live where their types
//! do: `operation` (requests, replies and their JSON), `dispatch` (what a backend implements), `session` and `blocking` (the
//! methods), `schema`. A consumer imports [`types`](crate::types) and jiff, because rows name types as a reader would.

/// Hands every row of the table to the macro `$consumer`, behind what it is given besides.
#[doc(hidden)]
#[macro_export]
macro_rules! operation_table {
    ($consumer:ident $($with:tt)*) => {
        $consumer! {
            $($with)*
            requests {
                /// A round trip that proves that the Gateway answers: it is asked for the managed accounts, and, if it says nothing
                /// for a second, for its time as well; either answer will do.
                Read fn proof_of_life() -> ProofOfLife = ProofOfLife;
                /// The Gateway's clock, to the second. A Gateway leaves a question for its time unanswered that follows the last
                /// one within about four seconds, so both clocks of a connection are asked at most every 4.25 s: who asks meanwhile
                /// waits, and all who wait share the next answer. `timeout`, at once, where that comes too late.
                Read fn server_time() -> jiff::Timestamp = ServerTime as Time;
                /// The Gateway's clock, to the millisecond. It waits as `server_time` does.
                Read fn server_time_millis() -> jiff::Timestamp = ServerTimeMillis as Time;
                /// The accounts this login manages.
                Read fn managed_accounts() -> Vec<String> = ManagedAccounts;
                /// The family that each account belongs to.
                Read fn family_codes() -> Vec<FamilyCode> = FamilyCodes;
                /// Under which broker's name the user has IBKR's services.
                Read fn user_info() -> UserInfo = UserInfo;
                /// Values such as net liquidation and buying power, one per account and tag.
                Read fn account_summary(params: AccountSummaryParams) -> Vec<AccountSummaryValue> = AccountSummary;
                /// Every position of every account.
                Read fn positions() -> Vec<Position> = Positions;
                /// The values of one account and its portfolio. TWS has the updates of one account at a time: one of another account
                /// waits for this, and is refused with `busy` while a stream of `account_updates` is open.
                Read fn account_updates_snapshot(params: AccountUpdatesParams) -> AccountUpdatesSnapshot
                    = AccountUpdatesSnapshot;
                /// All contracts that match a description.
                Read fn contract_details(contract: Contract) -> Vec<ContractDetails> = ContractDetails;
                /// Contracts whose symbol or name begins with a pattern, at most 16.
                Read fn matching_symbols(params: MatchingSymbolsParams) -> Vec<SymbolMatch> = MatchingSymbols;
                /// The steps in which prices move, by the number of a rule.
                Read fn market_rule(params: MarketRuleParams) -> MarketRule = MarketRule;
                /// Expirations and strikes of all options on one underlying, by exchange and trading class.
                Read fn option_chain(params: OptionChainParams) -> Vec<OptionChain> = OptionChain;
                /// What an option costs at a volatility and a price of the underlying.
                Read fn calculate_option_price(params: CalculateOptionPriceParams) -> OptionComputation
                    = CalculateOptionPrice;
                /// The volatility that is in a price of an option and one of the underlying.
                Read fn calculate_implied_volatility(params: CalculateImpliedVolatilityParams) -> OptionComputation
                    = CalculateImpliedVolatility;
                /// Historical bars of one contract.
                Read fn historical_bars(params: HistoricalBarsParams) -> HistoricalBars = HistoricalBars;
                /// Historical ticks of one contract, at most 1000 and the rest of their last second.
                Read fn historical_ticks(params: HistoricalTicksParams) -> HistoricalTicks = HistoricalTicks;
                /// When one contract traded, in regular hours.
                Read fn historical_schedule(params: HistoricalScheduleParams) -> HistoricalSchedule
                    = HistoricalSchedule;
                /// From when on there are historical data of one contract; `None` where TWS names no time.
                Read fn head_timestamp(params: HeadTimestampParams) -> Option<jiff::Timestamp> = HeadTimestamp as OptionalTime;
                /// How much of one contract traded at which price.
                Read fn histogram(params: HistogramParams) -> Vec<HistogramEntry> = Histogram;
                /// The quote of one contract, whole.
                Read fn quote_snapshot(params: QuoteSnapshotParams) -> Quote = QuoteSnapshot;
                /// The exchanges that have market depth.
                Read fn depth_exchanges() -> Vec<DepthExchange> = DepthExchanges;
                /// The exchanges behind smart-routed quotes, by the key that market data name.
                Read fn smart_components(params: SmartComponentsParams) -> Vec<SmartComponent> = SmartComponents;
                /// The open orders that this client has placed. Client 0 has those made in TWS too, which are bound to it by asking: a
                /// read-only session refuses that with `read_only`.
                Read fn open_orders() -> Vec<OpenOrder> = OpenOrders;
                /// The open orders of all clients, and those made in TWS.
                Read fn all_open_orders() -> Vec<OpenOrder> = AllOpenOrders;
                /// The orders that were filled or cancelled today.
                Read fn completed_orders(params: CompletedOrdersParams) -> Vec<CompletedOrder> = CompletedOrders;
                /// Executions of all clients, oldest first as TWS has them, each with its commission. Where a commission is missing when
                /// TWS has sent the last execution, waits for it for half a second.
                Read fn executions(params: ExecutionsParams) -> Vec<ExecutionDetails> = Executions;
                /// The lowest id that this client's next order may have. Asking takes none.
                Read fn next_order_id() -> i32 = NextOrderId;
                /// The soft dollar tiers of this login; empty for most.
                Read fn soft_dollar_tiers() -> Vec<SoftDollarTier> = SoftDollarTiers;
                /// An advisor's account groups or aliases, as the XML that TWS keeps them in. Error 321 for other logins.
                Read fn advisor_config(params: AdvisorConfigParams) -> String = AdvisorConfig;
                /// The display groups of TWS, most used first. The Gateway has no windows, and so none.
                Read fn display_groups() -> Vec<i32> = DisplayGroups;
                /// How TWS or the Gateway is set up. Server version 219 or newer.
                Read fn gateway_config() -> GatewayConfig = GatewayConfig;
                /// The news providers that this login subscribes to.
                Read fn news_providers() -> Vec<NewsProvider> = NewsProviders;
                /// The article behind a headline.
                Read fn news_article(params: NewsArticleParams) -> NewsArticle = NewsArticle;
                /// Headlines of one contract from the past, the newest first.
                Read fn historical_news(params: HistoricalNewsParams) -> HistoricalNews = HistoricalNews;
                /// What scanners can scan for, as TWS's XML: one or two megabytes of text, unread.
                Read fn scanner_parameters() -> String = ScannerParameters;
                /// Which corporate events Wall Street Horizon knows, as its JSON: a text, unread.
                Read fn wsh_metadata() -> String = WshMetadata;
                /// Corporate events such as earnings dates, as Wall Street Horizon's JSON: a text, unread.
                Read fn wsh_events(params: WshEventsParams) -> String = WshEvents;
            }
            streams {
                /// Level-1 market data of one contract: streaming, or a snapshot that ends by itself.
                Read Market fn market_data(params: MarketDataParams) -> MarketDataEvent = MarketData;
                /// Trades, quotes or midpoints of one contract, each single one.
                Read Market fn tick_by_tick(params: TickByTickParams) -> TickByTickEvent = TickByTick;
                /// Bars of five seconds of one contract, each when it is over.
                Read Market fn real_time_bars(params: RealTimeBarsParams) -> RealTimeBarsEvent = RealTimeBars;
                /// Historical bars of one contract up to now, kept up to date.
                Read Market fn historical_bar_updates(params: HistoricalBarUpdatesParams) -> HistoricalBarUpdatesEvent
                    = HistoricalBarUpdates;
                /// The order book of one contract.
                Read Market fn market_depth(params: MarketDepthParams) -> MarketDepthEvent = MarketDepth;
                /// Values such as net liquidation and buying power, one per account and tag, and those that change. TWS has two
                /// summaries at a time for a connection: a third stream is refused with `busy`, and so is `account_summary`
                /// while two streams are open.
                Read Other fn account_summary_updates(params: AccountSummaryParams) -> AccountSummaryUpdatesEvent
                    = AccountSummaryUpdates;
                /// The values of one account and its portfolio, and what changes of them. TWS has the updates of one account at a time:
                /// while this is open, those of another account are refused with `busy`; `account_updates_multi` has several.
                Read Other fn account_updates(params: AccountUpdatesParams) -> AccountUpdatesEvent = AccountUpdates;
                /// The cash of one account or of all of them by currency, with net liquidation, and what changes of it. Several may
                /// be open at once.
                Read Other fn account_updates_multi(params: AccountUpdatesMultiParams) -> AccountUpdatesMultiEvent
                    = AccountUpdatesMulti;
                /// Every position of every account, and those that change.
                Read Other fn position_updates() -> PositionUpdatesEvent = PositionUpdates;
                /// The positions of one account or of a model, and those that change. Several may be open at once.
                Read Other fn positions_multi(params: PositionsMultiParams) -> PositionsMultiEvent = PositionsMulti;
                /// The daily, unrealized and realized profit and loss of one account.
                Read Other fn pnl(params: PnlParams) -> PnlEvent = Pnl;
                /// The daily, unrealized and realized profit and loss of one position, with its value.
                Read Other fn pnl_single(params: PnlSingleParams) -> PnlSingleEvent = PnlSingle;
                /// Headlines of one contract, each when it comes.
                Read Market fn contract_news(params: ContractNewsParams) -> NewsEvent = ContractNews;
                /// All headlines of one provider, each when it comes.
                Read Market fn broad_tape_news(params: BroadTapeNewsParams) -> NewsEvent = BroadTapeNews;
                /// The contracts that rank first in a scan, the whole list at each refresh.
                Read Market fn scanner(params: ScannerParams) -> ScannerEvent = Scanner;
                /// IBKR's bulletins, such as exchanges that fail: those of the day so far, the newest 512 of them, then each when it comes.
                Read Other fn news_bulletins() -> NewsBulletin = NewsBulletins;
                /// What the Gateway says about itself and its servers: connectivity, data farms, warnings. Begins with what it
                /// has said since the connect, the newest 256 of it.
                Read Other fn notices() -> Notice = Notices;
                /// What becomes of the orders that this client has placed, from now on. What becomes of other clients' is not told, to a
                /// master client neither; `all_open_orders` and `executions` have them.
                Read Other fn order_updates() -> OrderUpdatesEvent = OrderUpdates;
                /// What a display group of TWS shows: at once, and after each change.
                Read Other fn display_group_events(params: DisplayGroupEventsParams) -> DisplayGroupEvent
                    = DisplayGroupEvents;
                /// How the Gateway stands with IBKR's servers and data farms: each change. Begins with those that the kept notices
                /// tell, as `notices` does.
                Read Other fn connectivity() -> ConnectivityEvent = Connectivity;
            }
        }
    };
}
