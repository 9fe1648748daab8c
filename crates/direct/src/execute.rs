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
mod reference;
mod scanner;
mod shared_feed;
mod summaries;
mod ticks;
mod wsh;

use std::sync::Arc;

use ibapi::Client;
use ibkr_connect_core::{Error, ErrorKind, Event, EventSender, Reply, Request, Result, StreamRequest};

use crate::convert;
use crate::error::request_error;
use crate::notices::Notices;
use crate::orders::Orders;

pub(crate) use forward::next;

use account_feeds::{AccountUpdates, Positions};
use bulletins::Bulletins;
use market_data::ChosenDataType;
use summaries::Summaries;

/// What the requests of a connection share. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared {
    pub(crate) data_type: ChosenDataType,
    pub(crate) notices: Notices,
    pub(crate) orders: Orders,
    /// The one subscription to positions.
    pub(crate) positions: Positions,
    /// The one subscription to account updates.
    pub(crate) account_updates: AccountUpdates,
    /// The one subscription to news bulletins.
    pub(crate) bulletins: Bulletins,
    /// The two places for account summaries.
    pub(crate) summaries: Summaries,
}

/// Runs a one-shot. The caller keeps the deadline; dropping the future cancels the request at the Gateway.
pub(crate) async fn execute(client: &Arc<Client>, shared: &Shared, request: &Request) -> Result<Reply> {
    let failed = |error| request_error(request.command(), error);
    Ok(match request {
        Request::ServerTime => {
            Reply::ServerTime(convert::timestamp(client.server_time().await.map_err(failed)?)?)
        }
        Request::ManagedAccounts => {
            Reply::ManagedAccounts(convert::accounts(client.managed_accounts().await.map_err(failed)?))
        }
        Request::ServerTimeMillis => {
            Reply::ServerTimeMillis(convert::timestamp(client.server_time_millis().await.map_err(failed)?)?)
        }
        Request::FamilyCodes => {
            Reply::FamilyCodes(convert::family_codes(client.family_codes().await.map_err(failed)?))
        }
        Request::UserInfo => Reply::UserInfo(convert::user_info(client.user_info().await.map_err(failed)?)),
        Request::AccountSummary(params) => {
            Reply::AccountSummary(accounts::account_summary(client, &shared.summaries, params).await?)
        }
        Request::Positions => Reply::Positions(account_feeds::positions(client, &shared.positions).await?),
        Request::AccountUpdatesSnapshot(params) => Reply::AccountUpdatesSnapshot(
            account_feeds::account_updates_snapshot(client, &shared.account_updates, params).await?,
        ),
        Request::ContractDetails(contract) => {
            Reply::ContractDetails(contracts::contract_details(client, contract).await?)
        }
        Request::MatchingSymbols(params) => {
            Reply::MatchingSymbols(reference::matching_symbols(client, params).await?)
        }
        Request::MarketRule(params) => Reply::MarketRule(reference::market_rule(client, params).await?),
        Request::OptionChain(params) => Reply::OptionChain(reference::option_chain(client, params).await?),
        Request::CalculateOptionPrice(params) => {
            Reply::CalculateOptionPrice(reference::calculate_option_price(client, params).await?)
        }
        Request::CalculateImpliedVolatility(params) => {
            Reply::CalculateImpliedVolatility(reference::calculate_implied_volatility(client, params).await?)
        }
        Request::HistoricalBars(params) => {
            Reply::HistoricalBars(history::historical_bars(client, params).await?)
        }
        Request::HistoricalTicks(params) => {
            Reply::HistoricalTicks(ticks::historical_ticks(client, params).await?)
        }
        Request::HistoricalSchedule(params) => {
            Reply::HistoricalSchedule(history::historical_schedule(client, params).await?)
        }
        Request::HeadTimestamp(params) => {
            Reply::HeadTimestamp(history::head_timestamp(client, params).await?)
        }
        Request::Histogram(params) => Reply::Histogram(history::histogram(client, params).await?),
        Request::QuoteSnapshot(params) => {
            Reply::QuoteSnapshot(market_data::quote_snapshot(client, &shared.data_type, params).await?)
        }
        Request::DepthExchanges => Reply::DepthExchanges(depth::depth_exchanges(client).await?),
        Request::SmartComponents(params) => {
            Reply::SmartComponents(market_data::smart_components(client, params).await?)
        }
        Request::OpenOrders => Reply::OpenOrders(orders::open_orders(client, shared).await?),
        Request::AllOpenOrders => Reply::AllOpenOrders(orders::all_open_orders(client, shared).await?),
        Request::CompletedOrders(params) => {
            Reply::CompletedOrders(orders::completed_orders(client, shared, params).await?)
        }
        Request::Executions(params) => Reply::Executions(orders::executions(client, shared, params).await?),
        Request::NextOrderId => Reply::NextOrderId(gateway::next_order_id(client).await?),
        Request::SoftDollarTiers => Reply::SoftDollarTiers(gateway::soft_dollar_tiers(client).await?),
        Request::AdvisorConfig(params) => {
            Reply::AdvisorConfig(gateway::advisor_config(client, params).await?)
        }
        Request::DisplayGroups => Reply::DisplayGroups(gateway::display_groups(client).await?),
        Request::GatewayConfig => Reply::GatewayConfig(gateway::gateway_config(client).await?),
        Request::NewsProviders => Reply::NewsProviders(news::news_providers(client).await?),
        Request::NewsArticle(params) => Reply::NewsArticle(news::news_article(client, params).await?),
        Request::HistoricalNews(params) => {
            Reply::HistoricalNews(news::historical_news(client, params).await?)
        }
        Request::ScannerParameters => Reply::ScannerParameters(scanner::scanner_parameters(client).await?),
        Request::WshMetadata => Reply::WshMetadata(wsh::wsh_metadata(client).await?),
        Request::WshEvents(params) => Reply::WshEvents(wsh::wsh_events(client, params).await?),
        other => return Err(unsupported(other.command())),
    })
}

/// Runs a stream until it ends. Dropping the future cancels it at the Gateway.
pub(crate) async fn stream(
    client: &Arc<Client>,
    shared: &Shared,
    request: &StreamRequest,
    events: &EventSender,
) -> Result<()> {
    match request {
        StreamRequest::MarketData(params) => {
            market_data::market_data(client, &shared.data_type, params, events).await
        }
        StreamRequest::TickByTick(params) => ticks::tick_by_tick(client, params, events).await,
        StreamRequest::RealTimeBars(params) => history::real_time_bars(client, params, events).await,
        StreamRequest::HistoricalBarUpdates(params) => {
            history::historical_bar_updates(client, params, events).await
        }
        StreamRequest::MarketDepth(params) => depth::market_depth(client, params, events).await,
        StreamRequest::AccountSummaryUpdates(params) => {
            account_updates::account_summary_updates(client, &shared.summaries, params, events).await
        }
        StreamRequest::AccountUpdatesMulti(params) => {
            account_updates::account_updates_multi(client, params, events).await
        }
        StreamRequest::AccountUpdates(params) => {
            account_feeds::account_updates(client, &shared.account_updates, params, events).await
        }
        StreamRequest::PositionUpdates => {
            account_feeds::position_updates(client, &shared.positions, events).await
        }
        StreamRequest::PositionsMulti(params) => {
            account_updates::positions_multi(client, params, events).await
        }
        StreamRequest::Pnl(params) => account_updates::pnl(client, params, events).await,
        StreamRequest::PnlSingle(params) => account_updates::pnl_single(client, params, events).await,
        StreamRequest::ContractNews(params) => news::contract_news(client, params, events).await,
        StreamRequest::BroadTapeNews(params) => news::broad_tape_news(client, params, events).await,
        StreamRequest::Scanner(params) => scanner::scanner(client, params, events).await,
        StreamRequest::NewsBulletins => bulletins::news_bulletins(client, &shared.bulletins, events).await,
        StreamRequest::Notices => {
            let mut notices = shared.notices.follow();
            while let Some(notice) = notices.recv().await {
                events.send(Event::Notices(notice));
            }
            Err(cut_short("notices"))
        }
        StreamRequest::OrderUpdates => orders::order_updates(shared, events).await,
        StreamRequest::DisplayGroupEvents(params) => {
            gateway::display_group_events(client, params, events).await
        }
        StreamRequest::Connectivity => gateway::connectivity(&shared.notices, events).await,
        other => Err(unsupported(other.command())),
    }
}

fn cut_short(command: &str) -> Error {
    Error::new(ErrorKind::Disconnected, format!("{command}: the answer was cut short"))
}

fn unsupported(command: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the direct backend has no {command}"))
}
