//! The orders: those that became the holdings, and those that still work. Nothing here is filled while it is looked at, so
//! that orders, executions and positions agree.

use super::portfolio::{Account, Holding};
use super::{Instrument, World};
use crate::CLIENT_WITH_ORDERS as API_CLIENT;

/// What IBKR takes for an execution, in cents.
const COMMISSION: i64 = 100;

/// The last execution of an order has that many shares, which every quantity is a multiple of.
const REST: i64 = 5;

/// An order that was filled, and became a holding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filled<'a> {
    pub(crate) account: &'a Account,
    pub(crate) holding: &'a Holding,
    /// Counts all of them.
    pub(crate) number: i32,
}

/// One part of it. Money is counted in cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fill {
    pub(crate) shares: i64,
    pub(crate) price: i64,
    pub(crate) commission: i64,
    /// The shares up to and with this one.
    pub(crate) cumulated: i64,
    /// Their value.
    pub(crate) value: i64,
}

impl Filled<'_> {
    /// Every other order was placed over the API; the rest were made in TWS, whose client id is 0.
    pub(crate) fn client_id(self) -> i32 {
        if self.number % 2 == 1 { API_CLIENT } else { 0 }
    }

    /// Orders made in TWS have none.
    pub(crate) fn order_id(self) -> i32 {
        if self.client_id() == API_CLIENT { self.number } else { 0 }
    }

    pub(crate) fn perm_id(self) -> i64 {
        1_700_000_000 + i64::from(self.number)
    }

    /// One fill, or two: together, with their commissions, they cost what the holding cost.
    pub(crate) fn fills(self) -> Vec<Fill> {
        let Holding { quantity, average_cost: cost, .. } = *self.holding;
        let mut parts = vec![quantity - REST, REST];
        parts.retain(|shares| *shares > 0);
        let commissions = COMMISSION * parts.len() as i64;
        let (mut cumulated, mut value) = (0, 0);
        let fill = |shares| {
            cumulated += shares;
            // The last one pays for the commissions of all.
            let price = if cumulated == quantity { cost - commissions / REST } else { cost };
            value += shares * price;
            Fill { shares, price, commission: COMMISSION, cumulated, value }
        };
        parts.into_iter().map(fill).collect()
    }
}

/// An order that works, and never fills.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Working<'a> {
    pub(crate) account: &'a Account,
    pub(crate) instrument: &'a Instrument,
    pub(crate) kind: WorkingKind,
    pub(crate) client_id: i32,
    pub(crate) order_id: i32,
    pub(crate) quantity: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkingKind {
    /// Sells what is held at a tenth above the reference price.
    TakeProfit,
    /// Buys at the bid, wherever that is.
    Relative,
}

impl Working<'_> {
    pub(crate) fn perm_id(self) -> i64 {
        1_750_000_000 + i64::from(self.client_id) * 1000 + i64::from(self.order_id)
    }

    /// Its limit at a unix time, in cents.
    pub(crate) fn limit(self, second: i64) -> i64 {
        match self.kind {
            WorkingKind::TakeProfit => self.instrument.path.reference_ticks() * 11 / 10,
            WorkingKind::Relative => self.instrument.tape.second(second).bid,
        }
    }
}

impl World {
    /// The orders behind the holdings.
    pub(crate) fn filled_orders(&self) -> impl Iterator<Item = Filled<'_>> {
        let holdings =
            self.accounts.iter().flat_map(|account| account.holdings.iter().map(move |held| (account, held)));
        (1..).zip(holdings).map(|(number, (account, holding))| Filled { account, holding, number })
    }

    /// The orders that work: one made in TWS, and two of the API client.
    pub(crate) fn working_orders<'a>(&'a self) -> impl Iterator<Item = Working<'a>> {
        let filled = self.accounts.iter().map(|account| account.holdings.len() as i32).sum::<i32>();
        let held = self.accounts.iter().find_map(|account| match &account.holdings[..] {
            [first, .., last] => Some((account, [first, last])),
            _ => None,
        });
        held.into_iter().flat_map(move |(account, [first, last])| {
            let take_profit = move |held: &'a Holding, client_id, order_id, quantity| Working {
                account,
                instrument: &held.instrument,
                kind: WorkingKind::TakeProfit,
                client_id,
                order_id,
                quantity,
            };
            let relative = take_profit(first, API_CLIENT, filled + 2, 100);
            [
                take_profit(last, 0, 0, REST),
                take_profit(first, API_CLIENT, filled + 1, first.quantity),
                Working { kind: WorkingKind::Relative, ..relative },
            ]
        })
    }

    /// The lowest order id that this client has not used.
    pub(crate) fn next_order_id(&self, client_id: i32) -> i32 {
        let own = self.working_orders().filter(|order| order.client_id == client_id && client_id != 0);
        own.map(|order| order.order_id + 1).max().unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worlds() -> impl Iterator<Item = World> {
        (0..20).map(|seed| World::new(seed, &["DU1".into(), "DU2".into()]))
    }

    #[test]
    fn executions_cost_what_the_holding_cost() {
        for world in worlds() {
            for order in world.filled_orders() {
                let (held, fills) = (order.holding, order.fills());
                let cost: i64 = fills.iter().map(|fill| fill.shares * fill.price + fill.commission).sum();
                assert_eq!(cost, held.quantity * held.average_cost, "{order:?}");
                assert_eq!(fills.last().unwrap().cumulated, held.quantity);
                assert!(fills.iter().all(|fill| fill.price > 0 && fill.shares > 0), "{fills:?}");
            }
        }
    }

    #[test]
    fn an_order_id_is_used_once() {
        for world in worlds() {
            let filled = world.filled_orders().map(|order| (order.client_id(), order.order_id()));
            let working = world.working_orders().map(|order| (order.client_id, order.order_id));
            let mut ids: Vec<_> = filled.chain(working).filter(|(client_id, _)| *client_id != 0).collect();
            let count = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), count);
            assert_eq!(ids.last().unwrap().1 + 1, world.next_order_id(API_CLIENT));
            assert_eq!((world.next_order_id(0), world.next_order_id(7)), (1, 1));
        }
    }

    #[test]
    fn a_relative_order_stands_at_the_bid() {
        let world = World::new(1, &["DU1".into()]);
        let order = world.working_orders().find(|order| order.kind == WorkingKind::Relative).unwrap();
        let limits: Vec<_> = (0..600).map(|second| order.limit(second)).collect();
        assert!(limits.iter().zip(0..).all(|(limit, s)| *limit == order.instrument.tape.second(s).bid));
        assert!(limits.windows(2).any(|pair| pair[0] != pair[1]), "it moves");
    }
}
