//! The table of operations, executed with ibapi. A new row gets its method here, its conversion in `convert`.

mod account_feeds;
mod account_updates;
mod accounts;
mod asker;
mod bulletins;
mod contracts;
mod depth;
mod follow;
mod forward;
mod gateway;
mod history;
mod live;
mod market_data;
mod news;
mod order_news;
mod orders;
mod proof_of_life;
mod reference;
mod scanner;
mod shared_subscription;
mod summaries;
mod ticks;
mod wsh;

use ibkr_connect_core::backend::{Carrying, Events, Operations};
use ibkr_connect_core::config::LogAccounts;
use ibkr_connect_core::types::*;
use ibkr_connect_core::{Error, ErrorKind, Result};
use jiff::Timestamp;

use crate::clock::{Clock, Unit};
use crate::convert;
use crate::notices::Notices;
use crate::orders::Orders;
use crate::wiretap::Wiretap;

pub(crate) use asker::{Asker, Task};
pub(crate) use proof_of_life::proof_of_life;

use account_feeds::{AccountUpdates, Positions};
use bulletins::Bulletins;
use market_data::ChosenDataType;
use summaries::Summaries;

/// What the requests of a connection share. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    /// Whether the session may do nothing but read.
    pub(crate) readonly: bool,
    /// How account ids appear in the log.
    pub(crate) log_accounts: LogAccounts,
    pub(crate) tap: Wiretap,
    pub(crate) notices: Notices,
    pub(crate) clock: Clock,
    data_type: ChosenDataType,
    pub(crate) orders: Orders,
    /// The one subscription to positions.
    positions: Positions,
    /// The one subscription to account updates.
    account_updates: AccountUpdates,
    /// The one subscription to news bulletins.
    bulletins: Bulletins,
    /// The two places for account summaries.
    summaries: Summaries,
}

impl Default for Shared {
    fn default() -> Self {
        let tap = Wiretap::default();
        Self {
            readonly: false,
            log_accounts: LogAccounts::default(),
            notices: Notices::default(),
            clock: Clock::default(),
            data_type: ChosenDataType::default(),
            orders: Orders::new(&tap),
            positions: Positions::default(),
            account_updates: AccountUpdates::default(),
            bulletins: Bulletins::default(),
            summaries: Summaries::default(),
            tap,
        }
    }
}

/// An operation that is under way, in the hands of ibapi.
pub(crate) struct Execution<'e> {
    pub(crate) asker: &'e Asker,
}

impl Operations for Execution<'_> {
    async fn proof_of_life(&self) -> Result<ProofOfLife> {
        self.asker.notes.ask();
        proof_of_life(self.asker.client(), &self.asker.shared.clock).await
    }

    async fn server_time(&self) -> Result<Timestamp> {
        convert::timestamp(self.asker.time(Unit::Seconds).await?)
    }

    async fn server_time_millis(&self) -> Result<Timestamp> {
        convert::timestamp(self.asker.time(Unit::Millis).await?)
    }

    async fn managed_accounts(&self) -> Result<Vec<String>> {
        accounts::managed_accounts(self.asker).await
    }

    async fn family_codes(&self) -> Result<Vec<FamilyCode>> {
        accounts::family_codes(self.asker).await
    }

    async fn user_info(&self) -> Result<UserInfo> {
        accounts::user_info(self.asker).await
    }

    async fn account_summary(&self, params: &AccountSummaryParams) -> Result<Vec<AccountSummaryValue>> {
        accounts::account_summary(self.asker, params).await
    }

    async fn positions(&self) -> Result<Vec<Position>> {
        account_feeds::positions(self.asker).await
    }

    async fn account_updates_snapshot(
        &self,
        params: &AccountUpdatesParams,
    ) -> Result<AccountUpdatesSnapshot> {
        account_feeds::account_updates_snapshot(self.asker, params).await
    }

    async fn contract_details(&self, contract: &Contract) -> Result<Vec<ContractDetails>> {
        contracts::contract_details(self.asker, contract).await
    }

    async fn matching_symbols(&self, params: &MatchingSymbolsParams) -> Result<Vec<SymbolMatch>> {
        reference::matching_symbols(self.asker, params).await
    }

    async fn market_rule(&self, params: &MarketRuleParams) -> Result<MarketRule> {
        reference::market_rule(self.asker, params).await
    }

    async fn option_chain(&self, params: &OptionChainParams) -> Result<Vec<OptionChain>> {
        reference::option_chain(self.asker, params).await
    }

    async fn calculate_option_price(&self, params: &CalculateOptionPriceParams) -> Result<OptionComputation> {
        reference::calculate_option_price(self.asker, params).await
    }

    async fn calculate_implied_volatility(
        &self,
        params: &CalculateImpliedVolatilityParams,
    ) -> Result<OptionComputation> {
        reference::calculate_implied_volatility(self.asker, params).await
    }

    async fn historical_bars(&self, params: &HistoricalBarsParams) -> Result<HistoricalBars> {
        history::historical_bars(self.asker, params).await
    }

    async fn historical_ticks(&self, params: &HistoricalTicksParams) -> Result<HistoricalTicks> {
        ticks::historical_ticks(self.asker, params).await
    }

    async fn historical_schedule(&self, params: &HistoricalScheduleParams) -> Result<HistoricalSchedule> {
        history::historical_schedule(self.asker, params).await
    }

    async fn head_timestamp(&self, params: &HeadTimestampParams) -> Result<Option<Timestamp>> {
        history::head_timestamp(self.asker, params).await
    }

    async fn histogram(&self, params: &HistogramParams) -> Result<Vec<HistogramEntry>> {
        history::histogram(self.asker, params).await
    }

    async fn quote_snapshot(&self, params: &QuoteSnapshotParams) -> Result<Quote> {
        market_data::quote_snapshot(self.asker, params).await
    }

    async fn depth_exchanges(&self) -> Result<Vec<DepthExchange>> {
        depth::depth_exchanges(self.asker).await
    }

    async fn smart_components(&self, params: &SmartComponentsParams) -> Result<Vec<SmartComponent>> {
        market_data::smart_components(self.asker, params).await
    }

    async fn open_orders(&self) -> Result<Vec<OpenOrder>> {
        orders::open_orders(self.asker).await
    }

    async fn all_open_orders(&self) -> Result<Vec<OpenOrder>> {
        orders::all_open_orders(self.asker).await
    }

    async fn completed_orders(&self, params: &CompletedOrdersParams) -> Result<Vec<CompletedOrder>> {
        orders::completed_orders(self.asker, params).await
    }

    async fn executions(&self, params: &ExecutionsParams) -> Result<Vec<ExecutionDetails>> {
        orders::executions(self.asker, params).await
    }

    async fn next_order_id(&self) -> Result<i32> {
        gateway::next_order_id(self.asker).await
    }

    async fn soft_dollar_tiers(&self) -> Result<Vec<SoftDollarTier>> {
        gateway::soft_dollar_tiers(self.asker).await
    }

    async fn advisor_config(&self, params: &AdvisorConfigParams) -> Result<String> {
        gateway::advisor_config(self.asker, params).await
    }

    async fn display_groups(&self) -> Result<Vec<i32>> {
        gateway::display_groups(self.asker).await
    }

    async fn gateway_config(&self) -> Result<GatewayConfig> {
        gateway::gateway_config(self.asker).await
    }

    async fn news_providers(&self) -> Result<Vec<NewsProvider>> {
        news::news_providers(self.asker).await
    }

    async fn news_article(&self, params: &NewsArticleParams) -> Result<NewsArticle> {
        news::news_article(self.asker, params).await
    }

    async fn historical_news(&self, params: &HistoricalNewsParams) -> Result<HistoricalNews> {
        news::historical_news(self.asker, params).await
    }

    async fn scanner_parameters(&self) -> Result<String> {
        scanner::scanner_parameters(self.asker).await
    }

    async fn wsh_metadata(&self) -> Result<String> {
        wsh::wsh_metadata(self.asker).await
    }

    async fn wsh_events(&self, params: &WshEventsParams) -> Result<String> {
        wsh::wsh_events(self.asker, params).await
    }

    async fn market_data<'a>(
        &'a self,
        params: &MarketDataParams,
        events: Events<'a, MarketDataEvent>,
    ) -> Result<Carrying<'a>> {
        market_data::market_data(self.asker, params, events).await
    }

    async fn tick_by_tick<'a>(
        &'a self,
        params: &TickByTickParams,
        events: Events<'a, TickByTickEvent>,
    ) -> Result<Carrying<'a>> {
        ticks::tick_by_tick(self.asker, params, events).await
    }

    async fn real_time_bars<'a>(
        &'a self,
        params: &RealTimeBarsParams,
        events: Events<'a, RealTimeBarsEvent>,
    ) -> Result<Carrying<'a>> {
        history::real_time_bars(self.asker, params, events).await
    }

    async fn historical_bar_updates<'a>(
        &'a self,
        params: &HistoricalBarUpdatesParams,
        events: Events<'a, HistoricalBarUpdatesEvent>,
    ) -> Result<Carrying<'a>> {
        history::historical_bar_updates(self.asker, params, events).await
    }

    async fn market_depth<'a>(
        &'a self,
        params: &MarketDepthParams,
        events: Events<'a, MarketDepthEvent>,
    ) -> Result<Carrying<'a>> {
        depth::market_depth(self.asker, params, events).await
    }

    async fn account_summary_updates<'a>(
        &'a self,
        params: &AccountSummaryParams,
        events: Events<'a, AccountSummaryUpdatesEvent>,
    ) -> Result<Carrying<'a>> {
        account_updates::account_summary_updates(self.asker, params, events).await
    }

    async fn account_updates<'a>(
        &'a self,
        params: &AccountUpdatesParams,
        events: Events<'a, AccountUpdatesEvent>,
    ) -> Result<Carrying<'a>> {
        account_feeds::account_updates(self.asker, params, events).await
    }

    async fn account_updates_multi<'a>(
        &'a self,
        params: &AccountUpdatesMultiParams,
        events: Events<'a, AccountUpdatesMultiEvent>,
    ) -> Result<Carrying<'a>> {
        account_updates::account_updates_multi(self.asker, params, events).await
    }

    async fn position_updates<'a>(
        &'a self,
        events: Events<'a, PositionUpdatesEvent>,
    ) -> Result<Carrying<'a>> {
        account_feeds::position_updates(self.asker, events).await
    }

    async fn positions_multi<'a>(
        &'a self,
        params: &PositionsMultiParams,
        events: Events<'a, PositionsMultiEvent>,
    ) -> Result<Carrying<'a>> {
        account_updates::positions_multi(self.asker, params, events).await
    }

    async fn pnl<'a>(&'a self, params: &PnlParams, events: Events<'a, PnlEvent>) -> Result<Carrying<'a>> {
        account_updates::pnl(self.asker, params, events).await
    }

    async fn pnl_single<'a>(
        &'a self,
        params: &PnlSingleParams,
        events: Events<'a, PnlSingleEvent>,
    ) -> Result<Carrying<'a>> {
        account_updates::pnl_single(self.asker, params, events).await
    }

    async fn contract_news<'a>(
        &'a self,
        params: &ContractNewsParams,
        events: Events<'a, NewsEvent>,
    ) -> Result<Carrying<'a>> {
        news::contract_news(self.asker, params, events).await
    }

    async fn broad_tape_news<'a>(
        &'a self,
        params: &BroadTapeNewsParams,
        events: Events<'a, NewsEvent>,
    ) -> Result<Carrying<'a>> {
        news::broad_tape_news(self.asker, params, events).await
    }

    async fn scanner<'a>(
        &'a self,
        params: &ScannerParams,
        events: Events<'a, ScannerEvent>,
    ) -> Result<Carrying<'a>> {
        scanner::scanner(self.asker, params, events).await
    }

    async fn news_bulletins<'a>(&'a self, events: Events<'a, NewsBulletin>) -> Result<Carrying<'a>> {
        bulletins::news_bulletins(self.asker, events).await
    }

    async fn notices<'a>(&'a self, events: Events<'a, Notice>) -> Result<Carrying<'a>> {
        Ok(gateway::notices(self.asker, events))
    }

    async fn order_updates<'a>(&'a self, events: Events<'a, OrderUpdatesEvent>) -> Result<Carrying<'a>> {
        Ok(orders::order_updates(self.asker, events))
    }

    async fn display_group_events<'a>(
        &'a self,
        params: &DisplayGroupEventsParams,
        events: Events<'a, DisplayGroupEvent>,
    ) -> Result<Carrying<'a>> {
        gateway::display_group_events(self.asker, params, events).await
    }

    async fn connectivity<'a>(&'a self, events: Events<'a, ConnectivityEvent>) -> Result<Carrying<'a>> {
        Ok(gateway::connectivity(self.asker, events))
    }
}

fn cut_short() -> Error {
    Error::new(ErrorKind::Disconnected, "the answer was cut short")
}
