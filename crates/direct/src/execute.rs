//! The table of operations, executed with ibapi. A new row gets its arm here, its conversion in `convert`.

mod account_feeds;
mod account_updates;
mod accounts;
mod bulletins;
mod contracts;
mod depth;
mod forward;
mod gateway;
mod history;
mod market_data;
mod news;
mod orders;
mod proof_of_life;
mod reference;
mod scanner;
mod shared_feed;
mod summaries;
mod ticks;
mod wsh;

use std::time::Duration;

use ibkr_connect_core::{Error, ErrorKind, Event, EventSender, Reply, Request, Result, StreamRequest};

use crate::asker::Asker;
use crate::clock::{Clock, Unit};
use crate::convert;
use crate::notices::Notices;
use crate::orders::Orders;
use crate::wiretap::Wiretap;

pub(crate) use forward::next;
pub(crate) use proof_of_life::proof_of_life;

use account_feeds::{AccountUpdates, Positions};
use bulletins::Bulletins;
use forward::Carrying;
use market_data::ChosenDataType;
use summaries::Summaries;

/// What the requests of a connection share. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    /// Whether the session may do nothing but read.
    pub(crate) readonly: bool,
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

/// Runs a one-shot. The caller ends it after `limit`; dropping the future cancels the request at the Gateway.
pub(crate) async fn execute(asker: &Asker, request: &Request, limit: Duration) -> Result<Reply> {
    Ok(match request {
        Request::ProofOfLife => {
            asker.notes.ask();
            Reply::ProofOfLife(proof_of_life(asker.client(), &asker.shared.clock).await?)
        }
        Request::ServerTime => {
            Reply::ServerTime(convert::timestamp(asker.time(Unit::Seconds, limit).await?)?)
        }
        Request::ManagedAccounts => {
            let accounts = asker.ask_unnumbered(|| asker.managed_accounts()).await?;
            Reply::ManagedAccounts(convert::accounts(asker.answered(accounts)?))
        }
        Request::ServerTimeMillis => {
            Reply::ServerTimeMillis(convert::timestamp(asker.time(Unit::Millis, limit).await?)?)
        }
        Request::FamilyCodes => {
            let codes = asker.ask_unnumbered(|| asker.family_codes()).await?;
            Reply::FamilyCodes(convert::family_codes(asker.answered(codes)?))
        }
        Request::UserInfo => Reply::UserInfo(convert::user_info(asker.ask(asker.user_info()).await?)),
        Request::AccountSummary(params) => {
            Reply::AccountSummary(accounts::account_summary(asker, params).await?)
        }
        Request::Positions => Reply::Positions(account_feeds::positions(asker).await?),
        Request::AccountUpdatesSnapshot(params) => {
            Reply::AccountUpdatesSnapshot(account_feeds::account_updates_snapshot(asker, params).await?)
        }
        Request::ContractDetails(contract) => {
            Reply::ContractDetails(contracts::contract_details(asker, contract).await?)
        }
        Request::MatchingSymbols(params) => {
            Reply::MatchingSymbols(reference::matching_symbols(asker, params).await?)
        }
        Request::MarketRule(params) => Reply::MarketRule(reference::market_rule(asker, params).await?),
        Request::OptionChain(params) => Reply::OptionChain(reference::option_chain(asker, params).await?),
        Request::CalculateOptionPrice(params) => {
            Reply::CalculateOptionPrice(reference::calculate_option_price(asker, params).await?)
        }
        Request::CalculateImpliedVolatility(params) => {
            Reply::CalculateImpliedVolatility(reference::calculate_implied_volatility(asker, params).await?)
        }
        Request::HistoricalBars(params) => {
            Reply::HistoricalBars(history::historical_bars(asker, params).await?)
        }
        Request::HistoricalTicks(params) => {
            Reply::HistoricalTicks(ticks::historical_ticks(asker, params).await?)
        }
        Request::HistoricalSchedule(params) => {
            Reply::HistoricalSchedule(history::historical_schedule(asker, params).await?)
        }
        Request::HeadTimestamp(params) => Reply::HeadTimestamp(history::head_timestamp(asker, params).await?),
        Request::Histogram(params) => Reply::Histogram(history::histogram(asker, params).await?),
        Request::QuoteSnapshot(params) => {
            Reply::QuoteSnapshot(market_data::quote_snapshot(asker, params).await?)
        }
        Request::DepthExchanges => Reply::DepthExchanges(depth::depth_exchanges(asker).await?),
        Request::SmartComponents(params) => {
            Reply::SmartComponents(market_data::smart_components(asker, params).await?)
        }
        Request::OpenOrders => Reply::OpenOrders(orders::open_orders(asker).await?),
        Request::AllOpenOrders => Reply::AllOpenOrders(orders::all_open_orders(asker).await?),
        Request::CompletedOrders(params) => {
            Reply::CompletedOrders(orders::completed_orders(asker, params).await?)
        }
        Request::Executions(params) => Reply::Executions(orders::executions(asker, params).await?),
        Request::NextOrderId => Reply::NextOrderId(gateway::next_order_id(asker).await?),
        Request::SoftDollarTiers => Reply::SoftDollarTiers(gateway::soft_dollar_tiers(asker).await?),
        Request::AdvisorConfig(params) => Reply::AdvisorConfig(gateway::advisor_config(asker, params).await?),
        Request::DisplayGroups => Reply::DisplayGroups(gateway::display_groups(asker).await?),
        Request::GatewayConfig => Reply::GatewayConfig(gateway::gateway_config(asker).await?),
        Request::NewsProviders => Reply::NewsProviders(news::news_providers(asker).await?),
        Request::NewsArticle(params) => Reply::NewsArticle(news::news_article(asker, params).await?),
        Request::HistoricalNews(params) => Reply::HistoricalNews(news::historical_news(asker, params).await?),
        Request::ScannerParameters => Reply::ScannerParameters(scanner::scanner_parameters(asker).await?),
        Request::WshMetadata => Reply::WshMetadata(wsh::wsh_metadata(asker).await?),
        Request::WshEvents(params) => Reply::WshEvents(wsh::wsh_events(asker, params).await?),
        other => return Err(unsupported(other.command())),
    })
}

/// Opens a stream; what it returns carries the events. The caller keeps the deadline of the opening.
pub(crate) async fn open<'a>(
    asker: &'a Asker,
    request: &StreamRequest,
    events: &'a EventSender,
) -> Result<Carrying<'a>> {
    match request {
        StreamRequest::MarketData(params) => market_data::market_data(asker, params, events).await,
        StreamRequest::TickByTick(params) => ticks::tick_by_tick(asker, params, events).await,
        StreamRequest::RealTimeBars(params) => history::real_time_bars(asker, params, events).await,
        StreamRequest::HistoricalBarUpdates(params) => {
            history::historical_bar_updates(asker, params, events).await
        }
        StreamRequest::MarketDepth(params) => depth::market_depth(asker, params, events).await,
        StreamRequest::AccountSummaryUpdates(params) => {
            account_updates::account_summary_updates(asker, params, events).await
        }
        StreamRequest::AccountUpdatesMulti(params) => {
            account_updates::account_updates_multi(asker, params, events).await
        }
        StreamRequest::AccountUpdates(params) => account_feeds::account_updates(asker, params, events).await,
        StreamRequest::PositionUpdates => account_feeds::position_updates(asker, events).await,
        StreamRequest::PositionsMulti(params) => {
            account_updates::positions_multi(asker, params, events).await
        }
        StreamRequest::Pnl(params) => account_updates::pnl(asker, params, events).await,
        StreamRequest::PnlSingle(params) => account_updates::pnl_single(asker, params, events).await,
        StreamRequest::ContractNews(params) => news::contract_news(asker, params, events).await,
        StreamRequest::BroadTapeNews(params) => news::broad_tape_news(asker, params, events).await,
        StreamRequest::Scanner(params) => scanner::scanner(asker, params, events).await,
        StreamRequest::NewsBulletins => bulletins::news_bulletins(asker, events).await,
        StreamRequest::Notices => {
            let mut notices = asker.shared.notices.follow();
            Ok(Box::pin(async move {
                while let Some(notice) = notices.recv().await {
                    events.send(Event::Notices(notice));
                }
                Err(cut_short("notices"))
            }))
        }
        StreamRequest::OrderUpdates => Ok(orders::order_updates(asker, events)),
        StreamRequest::DisplayGroupEvents(params) => {
            gateway::display_group_events(asker, params, events).await
        }
        StreamRequest::Connectivity => Ok(gateway::connectivity(asker, events)),
        other => Err(unsupported(other.command())),
    }
}

fn cut_short(command: &str) -> Error {
    Error::new(ErrorKind::Disconnected, format!("{command}: the answer was cut short"))
}

fn unsupported(command: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the direct backend has no {command}"))
}
