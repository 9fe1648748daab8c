//! Quotes: streams, snapshots, and which kind of data they have.

use std::sync::Arc;

use ibapi::Client;
use ibapi::market_data::realtime::TickTypes;
use ibapi::subscriptions::{Subscription, SubscriptionItem};
use ibkr_connect_core::Result;
use ibkr_connect_core::backend::{Carrying, Events};
use ibkr_connect_core::types::{
    Contract, MarketDataEvent, MarketDataParams, MarketDataType, Quote, QuoteSnapshotParams, SmartComponent,
    SmartComponentsParams,
};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

use super::asker::Asker;
use super::cut_short;
use super::follow::{Following, Opening};
use super::live::is_refusal;
use crate::convert::{self, Prices};
use crate::error::request_error;

/// The kind of data that a connection asked for last. TWS applies it to the requests that follow, so a request for
/// quotes holds it from the choice to the request.
#[derive(Debug, Clone)]
pub(crate) struct ChosenDataType(Arc<Mutex<Option<MarketDataType>>>);

impl Default for ChosenDataType {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Some(MarketDataType::Live))))
    }
}

impl ChosenDataType {
    async fn choose(
        &self,
        client: &Client,
        wanted: MarketDataType,
    ) -> std::result::Result<MutexGuard<'_, Option<MarketDataType>>, ibapi::Error> {
        let mut chosen = self.0.lock().await;
        if *chosen != Some(wanted) {
            // Unknown if this future is dropped in between.
            *chosen = None;
            client.switch_market_data_type(convert::market_data_type(wanted)).await?;
            *chosen = Some(wanted);
        }
        Ok(chosen)
    }
}

pub(super) async fn market_data<'a>(
    asker: &'a Asker,
    params: &MarketDataParams,
    events: Events<'a, MarketDataEvent>,
) -> Result<Carrying<'a>> {
    let mut ticks = Ticks::open(asker, params).await?;
    Ok(Box::pin(async move {
        while let Some(event) = ticks.next_in_time(asker).await? {
            let end = event == MarketDataEvent::SnapshotEnd {};
            events.send(event);
            if end {
                return Ok(());
            }
        }
        Err(cut_short())
    }))
}

pub(super) async fn quote_snapshot(asker: &Asker, params: &QuoteSnapshotParams) -> Result<Quote> {
    let wanted = MarketDataParams::default()
        .with_contract(params.contract.clone())
        .with_snapshot(!params.regulatory_snapshot)
        .with_regulatory_snapshot(params.regulatory_snapshot)
        .with_generic_ticks(Vec::new())
        .with_market_data_type(params.market_data_type);
    let mut ticks = Ticks::open(asker, &wanted).await?;
    let mut quote = Quote::default();
    while let Some(event) = ticks.next().await? {
        asker.notes.hear();
        if event == (MarketDataEvent::SnapshotEnd {}) {
            return Ok(quote);
        }
        quote.apply(&event);
    }
    Err(cut_short())
}

pub(super) async fn smart_components(
    asker: &Asker,
    params: &SmartComponentsParams,
) -> Result<Vec<SmartComponent>> {
    let components = asker.ask(asker.smart_components(&params.bbo_exchange)).await?;
    Ok(components.into_iter().map(convert::smart_component).collect())
}

async fn subscribe(
    asker: &Asker,
    params: &MarketDataParams,
    contract: &Contract,
) -> Result<Subscription<TickTypes>> {
    let contract = convert::contract_to_ibapi(contract)?;
    let generic_ticks: Vec<_> = params.generic_ticks.iter().map(String::as_str).collect();
    let mut builder = asker.market_data(&contract).generic_ticks(&generic_ticks);
    if params.snapshot {
        builder = builder.snapshot();
    }
    if params.regulatory_snapshot {
        builder = builder.regulatory_snapshot();
    }
    asker.notes.wait();
    let chosen = asker.shared.data_type.choose(asker, params.market_data_type).await;
    let _chosen = chosen.map_err(|error| asker.failed(error))?;
    asker.ask(builder.subscribe()).await
}

/// Ticks as our events.
struct Ticks<'a> {
    ticks: Following<'a, Subscription<TickTypes>>,
    /// Whether a snapshot was asked for, which never ends where nothing is subscribed.
    once: bool,
    prices: Prices,
}

impl<'a> Ticks<'a> {
    async fn open(asker: &'a Asker, params: &MarketDataParams) -> Result<Self> {
        let once = params.snapshot || params.regulatory_snapshot;
        let wanted = Arc::new(params.clone());
        let open = move |contract: Contract| -> Opening<'a, _> {
            let wanted = Arc::clone(&wanted);
            Box::pin(async move { subscribe(asker, &wanted, &contract).await })
        };
        let prices = Prices::of(&params.contract);
        Ok(Self { ticks: Following::open(asker, &params.contract, open).await?, once, prices })
    }

    /// The same; a snapshot ends by itself, so that its silence has a deadline.
    async fn next_in_time(&mut self, asker: &Asker) -> Result<Option<MarketDataEvent>> {
        if !self.once {
            return self.next().await;
        }
        let event = timeout(asker.task.limit, self.next()).await.unwrap_or_else(|_| Err(asker.overdue()));
        asker.notes.hear();
        event
    }

    async fn next(&mut self) -> Result<Option<MarketDataEvent>> {
        while let Some(item) = self.ticks.next().await? {
            match item {
                SubscriptionItem::Data(tick) => {
                    if let Some(event) = convert::tick(tick, self.prices) {
                        return Ok(Some(event));
                    }
                }
                SubscriptionItem::Notice(notice) if self.once && is_refusal(&notice) => {
                    return Err(self.ticks.whose(request_error(ibapi::Error::Notice(notice))));
                }
                SubscriptionItem::Notice(notice) => {
                    return Ok(Some(MarketDataEvent::Notice { code: notice.code, message: notice.message }));
                }
            }
        }
        Ok(None)
    }
}
