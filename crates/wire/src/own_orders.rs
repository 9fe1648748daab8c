//! Whose order a status is about. When another client cancels an order of this one, its last status comes with that client's id, and
//! ibapi drops it as a foreign one: whoever placed the order would never hear of its end.

use std::collections::{HashSet, VecDeque};

use prost::Message;
use prost::encoding::int32;

/// How many orders are known: more than a client has at work.
const MOST: usize = 4_096;

/// The field of an OrderStatus that names the client.
const CLIENT_ID: u32 = 9;

/// The orders of one client, by TWS's own ids.
#[derive(Debug, Default)]
pub(crate) struct OwnOrders {
    client_id: i32,
    known: HashSet<i64>,
    /// The same, the oldest first.
    order: VecDeque<i64>,
}

/// OrderStatus, as far as it says whose order it is.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int64, optional, tag = "6")]
    perm_id: Option<i64>,
    #[prost(int32, optional, tag = "9")]
    client_id: Option<i32>,
}

impl OwnOrders {
    /// Of this client.
    pub(crate) fn of_client(client_id: i32) -> Self {
        Self { client_id, ..Self::default() }
    }

    /// What is to be read in place of the body of an OrderStatus: the same with the client that has placed the order, where that is
    /// this one and the message names another. `None` for every other one.
    pub(crate) fn follow(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        let Status { perm_id, client_id } = Status::decode(body).ok()?;
        let perm_id = perm_id.filter(|id| *id != 0)?;
        if client_id.is_none_or(|id| id == self.client_id) {
            self.know(perm_id);
            return None;
        }
        // Of a field that is there twice, the last one counts.
        self.known.contains(&perm_id).then(|| {
            let mut owned = body.to_vec();
            int32::encode(CLIENT_ID, &self.client_id, &mut owned);
            owned
        })
    }

    fn know(&mut self, perm_id: i64) {
        if !self.known.insert(perm_id) {
            return;
        }
        self.order.push_back(perm_id);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(perm_id: i64, client_id: Option<i32>) -> Vec<u8> {
        Status { perm_id: Some(perm_id), client_id }.encode_to_vec()
    }

    #[test]
    fn a_status_is_that_of_the_client_that_placed_the_order() {
        let mut orders = OwnOrders::of_client(7);
        assert_eq!(orders.follow(&status(1, Some(2))), None, "nobody knows it");
        for own in [status(1, Some(7)), status(3, None)] {
            assert_eq!(orders.follow(&own), None, "it says so itself");
        }
        for perm_id in [1, 3] {
            let owned = orders.follow(&status(perm_id, Some(2))).unwrap();
            assert_eq!(
                Status::decode(&*owned).unwrap(),
                Status { perm_id: Some(perm_id), client_id: Some(7) }
            );
        }
        assert_eq!(orders.follow(&status(2, Some(2))), None, "it is that client's own");
        assert_eq!(orders.follow(&status(0, Some(7))), None);
        assert_eq!(orders.follow(&status(0, Some(2))), None, "an order that has no id yet is nobody's");
        assert_eq!(orders.follow(b"\xff"), None);
    }

    #[test]
    fn the_oldest_orders_are_forgotten() {
        let mut orders = OwnOrders::of_client(7);
        for perm_id in 1..=10_000 {
            orders.follow(&status(perm_id, Some(7)));
        }
        assert!(orders.known.len() == MOST && orders.order.len() == MOST);
        assert!(orders.follow(&status(10_000, Some(2))).is_some());
        assert!(orders.follow(&status(5, Some(2))).is_none());
    }
}
