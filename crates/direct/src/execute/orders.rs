//! Orders and executions, read only.

use std::collections::HashMap;
use std::future::pending;
use std::hash::Hash;
use std::time::Duration;

use ibapi::orders::{Executions, Orders as Item};
use ibapi::subscriptions::{Subscription, SubscriptionItem};
use ibkr_connect_core::backend::{Carrying, Events};
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{
    CommissionReport, CompletedOrder, CompletedOrdersParams, ExecutionDetails, ExecutionsParams, Notice,
    OpenOrder, OrderUpdatesEvent,
};
use ibkr_connect_core::{Error, ErrorKind, Result};
use tokio::time::timeout;

use super::asker::Asker;
use super::cut_short;
use super::order_news::OrderNews;
use crate::convert;
use crate::followers::Follower;
use crate::items::next;
use crate::serial_queue::{Answer, Question};
use ibkr_connect_wire::binds_orders;

/// How long a commission report may come after the last execution.
const COMMISSIONS: Duration = Duration::from_millis(500);

/// "The API interface is currently in Read-Only mode", which names no request.
const REFUSED: i32 = 321;

pub(super) async fn open_orders(asker: &Asker) -> Result<Vec<OpenOrder>> {
    if asker.shared.readonly && binds_orders(asker.client_id()) {
        return Err(binding());
    }
    let items = asker.shared.orders.open.ask(&asker.notes, &OwnOpenOrders(asker)).await?;
    let mut orders = joined(items);
    // A master client is sent other clients' orders at any time.
    orders.retain(|order| order.order.client_id == asker.client_id());
    Ok(orders)
}

/// Nothing that changes an order leaves a read-only session.
fn binding() -> Error {
    let message =
        "asked by client 0, TWS binds orders to it that were made in TWS, and this session is read-only";
    Error::new(ErrorKind::ReadOnly, message)
        .with_advice(
            "take all_open_orders, which binds nothing, or another client id; or set IBKR_READONLY=false",
        )
        .unsent()
}

pub(super) async fn all_open_orders(asker: &Asker) -> Result<Vec<OpenOrder>> {
    Ok(joined(asker.shared.orders.open.ask(&asker.notes, &AllOpenOrders(asker)).await?))
}

pub(super) async fn completed_orders(
    asker: &Asker,
    params: &CompletedOrdersParams,
) -> Result<Vec<CompletedOrder>> {
    let queue = &asker.shared.orders.completed;
    let items = if params.api_only {
        queue.ask(&asker.notes, &CompletedAtTheApi(asker)).await?
    } else {
        queue.ask(&asker.notes, &AllCompleted(asker)).await?
    };
    let completed = items.into_iter().filter_map(|item| match item {
        Item::OrderData(data) => Some(convert::completed_order(data)),
        Item::OrderStatus(_) => None,
    });
    Ok(completed.collect())
}

macro_rules! questions {
    ($( $Question:ident = $kind:literal, |$asker:ident| $ask:expr; )+) => {
        $(
            struct $Question<'a>(&'a Asker);

            impl<'a> Question for $Question<'a> {
                type Answer = Items<'a>;
                const KIND: &'static str = $kind;

                async fn ask(&self) -> Result<Items<'a>> {
                    let $asker = self.0;
                    // Before the question, or its refusal could be missed.
                    let notices = $asker.shared.notices.follow_from_now();
                    Ok(Items { asker: $asker, items: $asker.subscribe_unnumbered($ask).await?, notices })
                }
            }
        )+
    };
}

questions! {
    OwnOpenOrders = "own open orders", |asker| asker.open_orders();
    AllOpenOrders = "all open orders", |asker| asker.all_open_orders();
    CompletedAtTheApi = "completed orders of the API", |asker| asker.completed_orders(true);
    AllCompleted = "all completed orders", |asker| asker.completed_orders(false);
}

/// An answer up to its end mark. Where the API refuses, it says so to nobody in particular.
struct Items<'a> {
    asker: &'a Asker,
    items: Subscription<Item>,
    notices: Follower<Notice>,
}

impl Answer for Items<'_> {
    type Row = Item;

    async fn next(&mut self) -> Result<Option<Item>> {
        loop {
            tokio::select! {
                biased;
                item = next(&mut self.items) => match item? {
                    Some(SubscriptionItem::Data(item)) => return Ok(Some(item)),
                    Some(SubscriptionItem::Notice(notice)) => self.asker.notice(&notice),
                    None => return Ok(None),
                },
                Ok(Some(notice)) = self.notices.next() => {
                    if notice.code == REFUSED {
                        return Err(refused(notice));
                    }
                }
            }
        }
    }
}

fn refused(notice: Notice) -> Error {
    Error::new(ErrorKind::GatewayError, notice.message).with_code(notice.code).with_advice(
        "questions about orders need an API that is not read-only; that is a setting of the Gateway's",
    )
}

/// Orders with their statuses, each once: TWS repeats itself when something changes meanwhile.
fn joined(items: Vec<Item>) -> Vec<OpenOrder> {
    let mut orders = Newest::default();
    let mut statuses = HashMap::new();
    for item in items {
        match item {
            Item::OrderData(data) => {
                let order = convert::open_order(data);
                orders.put((order.order.perm_id, order.order.client_id, order.order.order_id), order);
            }
            Item::OrderStatus(status) => {
                let status = convert::order_status(status);
                statuses.insert((status.perm_id, status.client_id, status.order_id), status);
            }
        }
    }
    orders.into_values(|key, order| order.order_status = statuses.remove(key))
}

pub(super) async fn executions(asker: &Asker, params: &ExecutionsParams) -> Result<Vec<ExecutionDetails>> {
    let filter = convert::execution_filter(params)?;
    // ibapi passes a report on to the request only until its end mark, but to this in any case.
    let mut updates = asker.shared.orders.follow();
    let mut items = asker.ask(asker.executions(filter)).await?;
    let mut fills = Fills::default();
    loop {
        let item = tokio::select! {
            biased;
            // As they come: more of them than are kept for later may belong to one answer.
            () = fills.hear(&mut updates) => continue,
            item = next(&mut items) => item?,
        };
        match item {
            Some(SubscriptionItem::Data(Executions::ExecutionData(data))) => {
                asker.notes.hear();
                let (contract, execution) = convert::execution(data);
                fills.execution(literal!(ExecutionDetails { contract, execution, commission_report: None }));
            }
            Some(SubscriptionItem::Data(Executions::CommissionReport(report))) => {
                fills.report(convert::commission_report(report));
            }
            Some(SubscriptionItem::Notice(notice)) => asker.notice(&notice),
            None => break,
        }
    }
    // Whoever is missing after that is `None`.
    let _ = timeout(COMMISSIONS, fills.complete(&mut updates)).await;
    Ok(fills.into_details())
}

/// Executions, each with its report where it has come.
#[derive(Default)]
struct Fills {
    executions: Newest<String, ExecutionDetails>,
    reports: HashMap<String, CommissionReport>,
}

impl Fills {
    fn execution(&mut self, details: ExecutionDetails) {
        self.executions.put(details.execution.exec_id.clone(), details);
    }

    fn report(&mut self, report: CommissionReport) {
        self.reports.insert(report.exec_id.clone(), report);
    }

    fn is_complete(&self) -> bool {
        self.executions.keys().all(|exec_id| self.reports.contains_key(exec_id))
    }

    async fn complete(&mut self, updates: &mut Follower<Result<OrderUpdatesEvent>>) {
        while !self.is_complete() {
            self.hear(updates).await;
        }
    }

    /// Hears of one update, and takes in the report that it may be.
    async fn hear(&mut self, updates: &mut Follower<Result<OrderUpdatesEvent>>) {
        match updates.next().await {
            Ok(Some(Ok(OrderUpdatesEvent::CommissionReport(report)))) => self.report(*report),
            // After an error more comes; and most of what was missed is a part of the answer.
            Ok(Some(_)) | Err(_) => {}
            // The connection ends, which the answer tells.
            Ok(None) => pending().await,
        }
    }

    fn into_details(mut self) -> Vec<ExecutionDetails> {
        self.executions
            .into_values(|exec_id, details| details.commission_report = self.reports.remove(exec_id))
    }
}

/// Values by a key: a newer one takes the place of the older.
struct Newest<K, V> {
    places: HashMap<K, usize>,
    values: Vec<(K, V)>,
}

impl<K, V> Default for Newest<K, V> {
    fn default() -> Self {
        Self { places: HashMap::new(), values: Vec::new() }
    }
}

impl<K: Clone + Eq + Hash, V> Newest<K, V> {
    fn put(&mut self, key: K, value: V) {
        match self.places.get(&key) {
            Some(place) => self.values[*place].1 = value,
            None => {
                self.places.insert(key.clone(), self.values.len());
                self.values.push((key, value));
            }
        }
    }

    fn keys(&self) -> impl Iterator<Item = &K> {
        self.values.iter().map(|(key, _)| key)
    }

    fn into_values(self, mut finish: impl FnMut(&K, &mut V)) -> Vec<V> {
        let finished = self.values.into_iter().map(|(key, mut value)| {
            finish(&key, &mut value);
            value
        });
        finished.collect()
    }
}

pub(super) fn order_updates<'a>(asker: &'a Asker, events: Events<'a, OrderUpdatesEvent>) -> Carrying<'a> {
    let mut updates = asker.shared.orders.follow();
    Box::pin(async move {
        let mut news = OrderNews::default();
        while let Some(update) = updates.next().await? {
            news.hear(update?, |update| events.send(update));
        }
        Err(cut_short())
    })
}

#[cfg(test)]
mod tests {
    use ibapi::orders::{OrderData, OrderStatus};
    use ibkr_connect_core::types::{Contract, Execution};
    use ibkr_connect_wire::{messages, packed};
    use std::collections::VecDeque;

    use super::*;
    use crate::followers::Followers;

    fn details(exec_id: &str) -> ExecutionDetails {
        let execution = literal!(Execution { exec_id: exec_id.to_owned(), ..Default::default() });
        literal!(ExecutionDetails { contract: Contract::default(), execution, commission_report: None })
    }

    fn report(exec_id: &str) -> CommissionReport {
        literal!(CommissionReport { exec_id: exec_id.to_owned(), ..Default::default() })
    }

    #[test]
    fn an_order_that_is_told_twice_is_there_once_as_it_is_last() {
        let order = |order_id, status: &str| {
            let order = messages::Order { order_id: Some(order_id), ..Default::default() };
            let order_state = messages::OrderState { status: Some(status.to_owned()), ..Default::default() };
            let whole = messages::OpenOrder {
                order: Some(order),
                order_state: Some(order_state),
                ..Default::default()
            };
            let mut data = OrderData::default();
            data.contract.description = packed(&whole);
            Item::OrderData(data)
        };
        let status = |order_id, filled: &str| {
            let whole = messages::OrderStatus {
                order_id: Some(order_id),
                filled: Some(filled.to_owned()),
                ..Default::default()
            };
            Item::OrderStatus(OrderStatus { why_held: packed(&whole), ..Default::default() })
        };
        let orders = joined(vec![
            order(1, "PreSubmitted"),
            status(1, "0"),
            order(2, "Submitted"),
            order(1, "Submitted"),
            status(1, "5"),
            status(3, "7"),
        ]);
        let told: Vec<_> = orders
            .iter()
            .map(|of| {
                (
                    of.order.order_id,
                    of.order_state.status.as_str(),
                    of.order_status.as_ref().and_then(|s| s.filled),
                )
            })
            .collect();
        assert_eq!(told, [(1, "Submitted", Some(5.0)), (2, "Submitted", None)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_commission_may_come_after_the_last_execution() {
        let followers = Followers::default();
        let mut updates = followers.add(VecDeque::new());
        let mut fills = Fills::default();
        ["a", "b"].into_iter().for_each(|exec_id| fills.execution(details(exec_id)));
        fills.report(report("a"));
        for other in ["c", "b"] {
            followers.tell(Ok(OrderUpdatesEvent::CommissionReport(Box::new(report(other)))));
        }
        timeout(COMMISSIONS, fills.complete(&mut updates)).await.expect("both are there");
        let joined = fills.into_details();
        assert!(
            joined.iter().all(|of| of.commission_report.as_ref() == Some(&report(&of.execution.exec_id)))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_commission_that_does_not_come_is_none() {
        let followers = Followers::default();
        let mut updates = followers.add(VecDeque::new());
        let mut fills = Fills::default();
        fills.execution(details("a"));
        timeout(COMMISSIONS, fills.complete(&mut updates)).await.unwrap_err();
        assert_eq!(fills.into_details()[0].commission_report, None);
    }
}
