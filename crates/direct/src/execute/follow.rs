//! Subscriptions that go on with another contract where the Gateway refers to it: a CFD has its quotes from its underlying.

use std::future::Future;
use std::pin::Pin;

use futures_core::Stream;
use ibapi::prelude::StreamExt;
use ibapi::subscriptions::SubscriptionItem;
use ibkr_connect_core::backend::{Carrying, Events};
use ibkr_connect_core::types::Contract;
use ibkr_connect_core::{Error, Result, literal};
use ibkr_connect_wire::Reroute;
use tokio::time::timeout;

use super::asker::Asker;
use super::cut_short;
use crate::error::{reroute, rerouted};
use crate::items::checked;

/// How often one subscription is referred on: once is usual, and more than a few times is a circle.
const MOST_TIMES: usize = 3;

/// A subscription that is being opened.
pub(super) type Opening<'a, S> = Pin<Box<dyn Future<Output = Result<S>> + Send + 'a>>;

/// A subscription of ibapi's that follows the Gateway from contract to contract.
pub(super) struct Following<'a, S> {
    asker: &'a Asker,
    items: S,
    /// How it is opened for a contract.
    open: Box<dyn Fn(Contract) -> Opening<'a, S> + Send + 'a>,
    /// The exchange that was asked last.
    exchange: String,
    /// The contracts to which the Gateway has referred.
    named: Vec<Reroute>,
}

impl<'a, S, T> Following<'a, S>
where
    S: Stream<Item = std::result::Result<SubscriptionItem<T>, ibapi::Error>> + Unpin,
{
    /// Opens it for `contract`.
    pub(super) async fn open(
        asker: &'a Asker,
        contract: &Contract,
        open: impl Fn(Contract) -> Opening<'a, S> + Send + 'a,
    ) -> Result<Self> {
        let items = open(contract.clone()).await?;
        let exchange = contract.exchange.clone();
        Ok(Self { asker, items, open: Box::new(open), exchange, named: Vec::new() })
    }

    /// The next item; `None` at the end. That it goes on with another contract is one, a notice.
    pub(super) async fn next(&mut self) -> Result<Option<SubscriptionItem<T>>> {
        let item = self.items.next().await.transpose();
        match item.as_ref().err().and_then(reroute) {
            Some(reroute) => self.follow(reroute).await.map(Some),
            None => checked(item).map_err(|error| self.whose(error)),
        }
    }

    /// An error of the Gateway's, which says of which contract it is if that is not the one that was asked for.
    pub(super) fn whose(&self, error: Error) -> Error {
        match self.named.last() {
            Some(reroute) if error.code().is_some() => {
                error.map_message(|words| format!("{reroute}: {words}"))
            }
            _ => error,
        }
    }

    async fn follow(&mut self, mut reroute: Reroute) -> Result<SubscriptionItem<T>> {
        if reroute.exchange.is_empty() {
            reroute.exchange.clone_from(&self.exchange);
        }
        if self.named.len() == MOST_TIMES || self.named.contains(&reroute) {
            return Err(in_circles(&self.named, &reroute));
        }
        let opening = timeout(self.asker.task.limit, (self.open)(contract_of(&reroute)));
        let opened = opening.await.unwrap_or_else(|_| Err(self.asker.overdue()));
        // The subscription that it replaces is dropped: the Gateway has ended it, and ibapi knows.
        self.items = opened.map_err(|error| error.map_message(|words| format!("{reroute}: {words}")))?;
        let notice = ibapi::Notice {
            request_id: None,
            code: reroute.message,
            message: format!("{reroute}, whose data follow"),
            error_time: None,
            advanced_order_reject_json: String::new(),
        };
        self.asker.notice(&notice);
        self.exchange.clone_from(&reroute.exchange);
        self.named.push(reroute);
        Ok(SubscriptionItem::Notice(notice))
    }
}

/// Passes such a subscription on until it fails; one that just ends was cut short.
pub(super) fn forward_following<'a, S, T, E>(
    mut items: Following<'a, S>,
    events: Events<'a, E>,
    event: impl Fn(SubscriptionItem<T>) -> Result<E> + Send + 'a,
) -> Carrying<'a>
where
    S: Stream<Item = std::result::Result<SubscriptionItem<T>, ibapi::Error>> + Unpin + Send + 'a,
    T: Send + 'a,
    E: 'a,
{
    Box::pin(async move {
        while let Some(item) = items.next().await? {
            events.send(event(item)?);
        }
        Err(cut_short())
    })
}

/// By its id and place alone, as TWS wants it: symbol and type are those of the contract that has no data.
fn contract_of(reroute: &Reroute) -> Contract {
    literal!(Contract {
        con_id: reroute.contract_id,
        exchange: reroute.exchange.clone(),
        ..Contract::default()
    })
}

/// It is not followed any further.
fn in_circles(named: &[Reroute], reroute: &Reroute) -> Error {
    let contracts: Vec<_> =
        named.iter().map(|named| format!("{} at {}", named.contract_id, named.exchange)).collect();
    rerouted(reroute).map_message(|words| {
        format!("{words}; it has been followed to {}, and none of them has data", contracts.join(", "))
    })
}
