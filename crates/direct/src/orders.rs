//! What a connection shares about orders: the one stream of them that ibapi has, and whose turn it is to ask.

use std::collections::VecDeque;
use std::sync::Arc;

use ibapi::Client;
use ibapi::orders::OrderUpdate;
use ibapi::subscriptions::SubscriptionItem;
use ibkr_connect_core::Result;
use ibkr_connect_core::types::OrderUpdatesEvent;

use crate::convert;
use crate::followers::{Follower, Followers};
use crate::items::next;
use crate::serial_queue::SerialQueue;
use crate::wiretap::Wiretap;
use ibkr_connect_wire::Family;
use ibkr_connect_wire::ids::REQUEST_IDS;

/// ibapi numbers its requests from here on; orders are below.
const FIRST_REQUEST_ID: i32 = REQUEST_IDS.start;

/// The orders of a connection. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Orders {
    /// Whose turn it is to ask for open orders, and for completed ones.
    pub(crate) open: SerialQueue,
    pub(crate) completed: SerialQueue,
    followers: Arc<Followers<Update>>,
}

/// What follows an error, nobody hears who has heard that.
type Update = Result<OrderUpdatesEvent>;

impl Orders {
    pub(crate) fn new(tap: &Wiretap) -> Self {
        Self {
            open: SerialQueue::new(Family::OpenOrders, tap),
            completed: SerialQueue::new(Family::CompletedOrders, tap),
            followers: Arc::default(),
        }
    }

    /// Passes ibapi's stream on until its client ends. After an error the stream starts over, for those who follow then.
    pub(crate) async fn collect(self, client: Arc<Client>) {
        while let Ok(mut updates) = client.order_update_stream().await {
            let outcome = loop {
                match next(&mut updates).await {
                    Ok(Some(item)) => {
                        if let Some(update) = event(item) {
                            self.followers.tell(Ok(update));
                        }
                    }
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            if let Some(error) = outcome {
                self.followers.tell(Err(error));
            }
        }
    }

    /// What comes from now on; an error is the last.
    pub(crate) fn follow(&self) -> Follower<Update> {
        self.followers.add(VecDeque::new())
    }
}

/// ibapi's update as ours; `None` for an execution that answers a request: it is not news.
fn event(item: SubscriptionItem<OrderUpdate>) -> Option<OrderUpdatesEvent> {
    use OrderUpdatesEvent as Ours;
    Some(match item {
        SubscriptionItem::Data(OrderUpdate::OpenOrder(data)) => {
            Ours::OpenOrder(Box::new(convert::open_order(data)))
        }
        SubscriptionItem::Data(OrderUpdate::OrderStatus(status)) => {
            Ours::OrderStatus(Box::new(convert::order_status(status)))
        }
        SubscriptionItem::Data(OrderUpdate::OrderBound(bound)) => {
            Ours::OrderBound { perm_id: bound.perm_id, client_id: bound.client_id, order_id: bound.order_id }
        }
        SubscriptionItem::Data(OrderUpdate::ExecutionData(data)) => {
            if data.request_id >= FIRST_REQUEST_ID {
                return None;
            }
            let (contract, execution) = convert::execution(data);
            Ours::Execution { contract: Box::new(contract), execution: Box::new(execution) }
        }
        SubscriptionItem::Data(OrderUpdate::CommissionReport(report)) => {
            Ours::CommissionReport(Box::new(convert::commission_report(report)))
        }
        SubscriptionItem::Notice(notice) => {
            Ours::Notice { order_id: notice.request_id, code: notice.code, message: notice.message }
        }
    })
}

#[cfg(test)]
mod tests {
    use ibapi::orders::{CommissionReport, ExecutionData, OrderStatus};

    use super::*;
    use crate::followers::tests::heard;

    fn execution(request_id: i32) -> SubscriptionItem<OrderUpdate> {
        SubscriptionItem::Data(OrderUpdate::ExecutionData(ExecutionData { request_id, ..Default::default() }))
    }

    #[test]
    fn an_execution_that_answers_a_request_is_no_news() {
        assert!(event(execution(FIRST_REQUEST_ID)).is_none());
        for news in [-1, 0] {
            assert!(matches!(event(execution(news)), Some(OrderUpdatesEvent::Execution { .. })), "{news}");
        }
    }

    #[test]
    fn everybody_who_follows_hears_everything() {
        let orders = Orders::new(&Wiretap::default());
        let mut followers = [orders.follow(), orders.follow()];
        drop(orders.follow());
        let status = SubscriptionItem::Data(OrderUpdate::OrderStatus(OrderStatus::default()));
        let report = SubscriptionItem::Data(OrderUpdate::CommissionReport(CommissionReport::default()));
        for item in [status, report] {
            orders.followers.tell(Ok(event(item).unwrap()));
        }
        for follower in &mut followers {
            let heard =
                heard(follower).into_iter().map(|update| update.unwrap().unwrap()).collect::<Vec<_>>();
            assert_eq!(heard[0], OrderUpdatesEvent::OrderStatus(Box::default()));
            assert!(matches!(heard[1], OrderUpdatesEvent::CommissionReport(_)), "{heard:?}");
        }
    }
}
