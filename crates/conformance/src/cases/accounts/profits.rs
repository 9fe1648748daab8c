//! Profit and loss are those of the positions at the prices that trades are made at.

use ibkr_connect_core::types::{
    Contract, HistoricalBarsParams, Pnl, PnlEvent, PnlParams, PnlSingle, PnlSingleEvent, PnlSingleParams,
    Position, QuoteSnapshotParams,
};
use ibkr_connect_core::{ErrorKind, Session, Subscription};

use super::{ACCOUNTS, begin, moving, near, take, with};
use crate::Backend;
use crate::support::until;

/// How many events in a row have to fit.
const IN_A_ROW: usize = 12;

pub(crate) async fn profits_of_positions_add_up(backend: &dyn Backend) {
    with(backend, moving(), async |gateway, session| {
        let held = positions(session, ACCOUNTS[1]).await;
        let (whole, singles) = profits(session, &held).await;
        let opened = held.len();
        until("the cancels arrive", || {
            let stats = gateway.stats();
            stats.requested("cancelPnL") == 1 && stats.requested("cancelPnLSingle") == opened
        })
        .await;

        let lines = lines(session, &held).await;
        for (line, profits) in lines.iter().zip(&singles) {
            for (second, profit) in line.place(profits).zip(profits) {
                assert_eq!(profit.position, line.held.position);
                assert!(near(profit.daily_pnl, line.daily(second)), "{profit:?}");
                assert!(near(profit.unrealized_pnl, line.unrealized(second)), "{profit:?}");
                assert_eq!(profit.realized_pnl, Some(0.0));
            }
        }
        let fits = |(second, profit): (usize, &Pnl)| {
            near(profit.daily_pnl, lines.iter().map(|line| line.daily(second)).sum())
                && near(profit.unrealized_pnl, lines.iter().map(|line| line.unrealized(second)).sum())
        };
        let mut starts = 0..lines[0].prices.len() - IN_A_ROW;
        let placed = starts.any(|start| (start..).zip(&whole).all(fits));
        assert!(placed, "in no second is {whole:?} the sum of the positions'");
    })
    .await;
}

pub(crate) async fn what_is_not_held_has_no_profit(backend: &dyn Backend) {
    with(backend, moving(), async |_, session| {
        let held = positions(session, ACCOUNTS[0]).await;
        let other = Contract::forex("EUR", "USD");
        let con_id = session.contract_details(other).await.unwrap()[0].contract.con_id;
        assert!(held.iter().all(|held| held.contract.con_id != con_id));
        let nothing = ibkr_connect_core::literal!(PnlSingle {
            position: Some(0.0),
            daily_pnl: None,
            unrealized_pnl: None,
            realized_pnl: None,
            value: None,
        });
        let mut profits = single(session, ACCOUNTS[0], con_id).await;
        assert_eq!(take_single(&mut profits, 1).await, [nothing]);

        let mut profits = session.pnl(of("DU1")).await.unwrap();
        let error = profits.next().await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::GatewayError, Some(321)), "{error}");
        assert!(profits.next().await.is_none());
    })
    .await;
}

async fn positions(session: &Session, account: &str) -> Vec<Position> {
    let held = session.positions().await.unwrap();
    held.into_iter().filter(|held| held.account == account).collect()
}

/// Those of the account, and of each of its positions; all streams are open at once.
async fn profits(session: &Session, held: &[Position]) -> (Vec<Pnl>, Vec<Vec<PnlSingle>>) {
    let account = &held[0].account;
    let mut streams = Vec::new();
    for held in held {
        streams.push(single(session, account, held.contract.con_id).await);
    }
    let mut whole = session.pnl(of(account)).await.unwrap();
    let profit = |event| match event {
        PnlEvent::Pnl(profit) => profit,
        other => panic!("{other:?}"),
    };
    let whole = take(&mut whole, IN_A_ROW).await.into_iter().map(profit).collect();
    let mut singles = Vec::new();
    for stream in &mut streams {
        singles.push(take_single(stream, IN_A_ROW).await);
    }
    (whole, singles)
}

fn of(account: &str) -> PnlParams {
    PnlParams::default().with_account(account.to_owned())
}

async fn single(session: &Session, account: &str, con_id: i32) -> Subscription<PnlSingleEvent> {
    let params = PnlSingleParams::default().with_account(account.to_owned()).with_con_id(con_id);
    session.pnl_single(params).await.unwrap()
}

async fn take_single(events: &mut Subscription<PnlSingleEvent>, count: usize) -> Vec<PnlSingle> {
    let profit = |event| match event {
        PnlSingleEvent::Pnl(profit) => profit,
        other => panic!("{other:?}"),
    };
    take(events, count).await.into_iter().map(profit).collect()
}

/// A position with the prices of its contract, second by second.
struct Line<'a> {
    held: &'a Position,
    prior_close: f64,
    prices: Vec<f64>,
}

impl Line<'_> {
    fn size(&self) -> f64 {
        self.held.position.unwrap()
    }

    fn daily(&self, second: usize) -> f64 {
        self.size() * (self.prices[second] - self.prior_close)
    }

    fn unrealized(&self, second: usize) -> f64 {
        self.size() * (self.prices[second] - self.held.average_cost.unwrap())
    }

    /// The seconds at whose prices the position has these values.
    fn place(&self, profits: &[PnlSingle]) -> impl Iterator<Item = usize> + use<> {
        let value = |price: &f64| self.size() * price;
        let fits = |prices: &[f64]| {
            prices.iter().zip(profits).all(|(price, profit)| near(profit.value, value(price)))
        };
        let start = self.prices.windows(profits.len()).position(fits);
        start.unwrap_or_else(|| panic!("{profits:?} are at no time the values of {:?}", self.held))..
    }
}

async fn lines<'a>(session: &Session, held: &'a [Position]) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    for held in held {
        let contract = held.contract.clone();
        let quote = QuoteSnapshotParams::default().with_contract(contract.clone());
        let prior_close = session.quote_snapshot(quote).await.unwrap().close.unwrap();
        let bars = HistoricalBarsParams::last_day(contract)
            .with_end(Some(begin() + jiff::SignedDuration::from_secs(1800)))
            .with_bar_size("1 secs".parse().unwrap())
            .with_duration("1801 S".parse().unwrap());
        let bars = session.historical_bars(bars).await.unwrap().bars;
        let prices = bars.iter().map(|bar| bar.close.unwrap()).collect();
        lines.push(Line { held, prior_close, prices });
    }
    lines
}
