//! Profit and loss, of an account and of one position in it, once a second.

use jiff::Timestamp;

use super::accounts::account;
use crate::framing::Frame;
use crate::market::{Account, Line, World};
use crate::messages::{AccountModelRequest, Pnl, PnlSingle, PnlSingleRequest, Response};
use crate::session::{Feed, Opening, Refusal};

/// IBKR's way to say that there is no such number.
const UNSET: f64 = f64::MAX;

/// The profit of an account. Without models, none has any.
pub(crate) fn of_account(
    world: &World,
    wanted: &AccountModelRequest,
    now: Timestamp,
) -> Result<Opening, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let account = account(world, req_id, wanted.account.as_deref())?;
    let subject = if names_a_model(&wanted.model_code) { Subject::Nothing } else { Subject::Account };
    Ok(open(req_id, account, subject, now))
}

/// The profit of one position.
pub(crate) fn of_position(
    world: &World,
    wanted: &PnlSingleRequest,
    now: Timestamp,
) -> Result<Opening, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let account = account(world, req_id, wanted.account.as_deref())?;
    let con_id = wanted.con_id.filter(|_| !names_a_model(&wanted.model_code));
    Ok(open(req_id, account, Subject::Position(con_id.unwrap_or_default()), now))
}

fn names_a_model(model_code: &Option<String>) -> bool {
    model_code.as_deref().is_some_and(|model| !model.is_empty())
}

fn open(req_id: i32, account: &Account, subject: Subject, now: Timestamp) -> Opening {
    let feed = PnlFeed { req_id, account: account.clone(), subject, at: now.as_second() };
    Opening { frames: vec![feed.frame()], feed: Some(Box::new(feed)) }
}

#[derive(Debug)]
struct PnlFeed {
    req_id: i32,
    account: Account,
    subject: Subject,
    /// The second that was sent.
    at: i64,
}

/// Whose profit.
#[derive(Debug)]
enum Subject {
    Account,
    Nothing,
    /// By its contract's id.
    Position(i32),
}

impl Feed for PnlFeed {
    fn next_change(&mut self, now: Timestamp) -> Vec<Frame> {
        if now.as_second() == self.at {
            return Vec::new();
        }
        self.at = now.as_second();
        vec![self.frame()]
    }
}

impl PnlFeed {
    fn frame(&self) -> Frame {
        let statement = self.account.at(self.at);
        match self.subject {
            Subject::Account => self.whole(Some([statement.daily(), statement.unrealized()])),
            Subject::Nothing => self.whole(None),
            Subject::Position(con_id) => {
                let of = |line: &&Line<'_>| line.holding.instrument.listing.con_id == con_id;
                self.single(statement.lines.iter().find(of))
            }
        }
    }

    fn whole(&self, profits: Option<[i64; 2]>) -> Frame {
        let [daily, unrealized] = profits.map_or([UNSET; 2], |profits| profits.map(money));
        let pnl = Pnl {
            req_id: Some(self.req_id),
            daily_pnl: Some(daily),
            unrealized_pnl: Some(unrealized),
            realized_pnl: Some(profits.map_or(UNSET, |_| 0.0)),
        };
        pnl.frame()
    }

    fn single(&self, line: Option<&Line<'_>>) -> Frame {
        let number = |cents: Option<i64>| Some(cents.map_or(UNSET, money));
        let pnl = PnlSingle {
            req_id: Some(self.req_id),
            position: Some(line.map_or(0, |line| line.holding.quantity).to_string()),
            daily_pnl: number(line.map(Line::daily)),
            unrealized_pnl: number(line.map(Line::unrealized)),
            realized_pnl: number(line.map(|_| 0)),
            value: number(line.map(Line::market_value)),
        };
        pnl.frame()
    }
}

fn money(cents: i64) -> f64 {
    cents as f64 / 100.0
}
