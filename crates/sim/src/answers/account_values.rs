//! What accounts are worth: summaries, account updates with the portfolio, and updates of several accounts.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::accounts::{account, in_scope};
use crate::framing::Frame;
use crate::market::{Account, Line, Statement, World, format_cents};
use crate::messages::{
    AccountDataEnd, AccountDataRequest, AccountModelRequest, AccountSummary, AccountSummaryRequest,
    AccountUpdateMulti, AccountUpdateTime, AccountValue, PortfolioValue, Response, end, end_frame,
};
use crate::session::{Feed, Opening, Refusal};

/// How often changed values are sent, in seconds of the market. IBKR says three minutes, for which nobody waits here.
const INTERVAL: i64 = 3;

/// The tags that account updates have too.
const TAGS: [&str; 14] = [
    "AccountType",
    "AccruedCash",
    "AvailableFunds",
    "BuyingPower",
    "Cushion",
    "EquityWithLoanValue",
    "ExcessLiquidity",
    "GrossPositionValue",
    "InitMarginReq",
    "Leverage",
    "MaintMarginReq",
    "NetLiquidation",
    "SettledCash",
    "TotalCashValue",
];

/// The tags asked for, of the accounts in the group: `All`, or one account by name.
pub(crate) fn summary(
    world: &World,
    wanted: &AccountSummaryRequest,
    now: Timestamp,
) -> Result<Opening, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let group = wanted.group.as_deref().unwrap_or_default();
    let in_group = |account: &&Account| group == "All" || group == account.name;
    let accounts: Vec<_> = world.accounts.iter().filter(in_group).cloned().collect();
    if accounts.is_empty() && group != "All" {
        let message = format!("Error validating request.-'b' : cause - The group {group:?} is not known");
        return Err(Refusal::new(req_id, 321, message));
    }
    let tags = wanted.tags.as_deref().unwrap_or_default().split(',');
    let table = Table::Summary { req_id, tags: tags.map(|tag| tag.trim().to_owned()).collect() };
    Ok(ValuesFeed::open(accounts, table, now))
}

/// The values and the portfolio of one account.
pub(crate) fn updates(
    world: &World,
    wanted: &AccountDataRequest,
    now: Timestamp,
) -> Result<Opening, Refusal> {
    let account = match (wanted.acct_code.as_deref().unwrap_or_default(), world.accounts.as_slice()) {
        ("", [only]) => only,
        (code, _) => account(world, -1, Some(code))?,
    };
    Ok(ValuesFeed::open(vec![account.clone()], Table::Account, now))
}

/// The money of one account, or of all.
pub(crate) fn updates_multi(
    world: &World,
    wanted: &AccountModelRequest,
    now: Timestamp,
) -> Result<Opening, Refusal> {
    let table = Table::Ledger { req_id: wanted.req_id.unwrap_or(-1) };
    Ok(ValuesFeed::open(in_scope(world, wanted)?.cloned().collect(), table, now))
}

/// Sends its rows, and those that have changed from time to time.
#[derive(Debug)]
struct ValuesFeed {
    accounts: Vec<Account>,
    table: Table,
    sent: Vec<Frame>,
    /// When they were sent.
    at: i64,
}

impl ValuesFeed {
    fn open(accounts: Vec<Account>, table: Table, now: Timestamp) -> Opening {
        let mut feed = Self { accounts, table, sent: Vec::new(), at: now.as_second() };
        feed.sent = feed.rows();
        let frames = feed.sent.iter().cloned().chain(feed.table.ends(&feed.accounts, now)).collect();
        Opening { frames, feed: Some(Box::new(feed)) }
    }

    fn rows(&self) -> Vec<Frame> {
        self.accounts.iter().flat_map(|account| self.table.rows(&account.at(self.at))).collect()
    }
}

impl Feed for ValuesFeed {
    fn next_change(&mut self, now: Timestamp) -> Vec<Frame> {
        if now.as_second() - self.at < INTERVAL {
            return Vec::new();
        }
        self.at = now.as_second();
        let before = std::mem::take(&mut self.sent);
        self.sent = self.rows();
        let changed = self.sent.iter().zip(&before).filter(|(row, before)| row != before);
        let mut frames: Vec<_> = changed.map(|(row, _)| row.clone()).collect();
        if !frames.is_empty() && matches!(self.table, Table::Account) {
            frames.push(time(now));
        }
        frames
    }
}

/// Which rows, and as which messages.
#[derive(Debug)]
enum Table {
    Summary { req_id: i32, tags: Vec<String> },
    Account,
    Ledger { req_id: i32 },
}

impl Table {
    fn rows(&self, statement: &Statement<'_>) -> Vec<Frame> {
        match self {
            Self::Summary { req_id, tags } => {
                tags.iter().filter_map(|tag| summary_row(*req_id, statement, tag)).collect()
            }
            Self::Account => {
                let portfolio = statement.lines.iter().map(|line| portfolio_row(statement, line));
                account_rows(statement).into_iter().chain(portfolio).collect()
            }
            Self::Ledger { req_id } => {
                ledger(statement).into_iter().map(|value| ledger_row(*req_id, statement, value)).collect()
            }
        }
    }

    /// What says that the rows are complete.
    fn ends(&self, accounts: &[Account], now: Timestamp) -> Vec<Frame> {
        match self {
            Self::Summary { req_id, .. } => vec![end_frame(end::ACCOUNT_SUMMARY, Some(*req_id))],
            Self::Account => {
                let account_name = accounts.first().map(|account| account.name.clone());
                vec![time(now), AccountDataEnd { account_name }.frame()]
            }
            Self::Ledger { req_id } => vec![end_frame(end::ACCOUNT_UPDATES_MULTI, Some(*req_id))],
        }
    }
}

/// A value by its key, with its currency.
type Value = (&'static str, String, &'static str);

fn summary_row(req_id: i32, statement: &Statement<'_>, tag: &str) -> Option<Frame> {
    let (value, currency) = statement.summary(tag)?;
    let row = AccountSummary {
        req_id: Some(req_id),
        account: Some(statement.account.name.clone()),
        tag: Some(tag.to_owned()),
        value: Some(value),
        currency: Some(currency.to_owned()),
    };
    Some(row.frame())
}

fn account_rows(statement: &Statement<'_>) -> Vec<Frame> {
    let tagged = TAGS.iter().filter_map(|tag| {
        let (value, currency) = statement.summary(tag)?;
        Some((*tag, value, currency))
    });
    let name = &statement.account.name;
    let code: Value = ("AccountCode", name.clone(), "");
    let row = |(key, value, currency): Value| {
        let value = AccountValue {
            key: Some(key.to_owned()),
            value: Some(value),
            currency: Some(currency.to_owned()),
            account_name: Some(name.clone()),
        };
        value.frame()
    };
    [code].into_iter().chain(tagged).chain(ledger(statement)).map(row).collect()
}

fn portfolio_row(statement: &Statement<'_>, line: &Line<'_>) -> Frame {
    let money = |cents: i64| Some(cents as f64 / 100.0);
    let row = PortfolioValue {
        contract: Some(line.holding.instrument.listing.contract()),
        position: Some(line.holding.quantity.to_string()),
        market_price: money(line.price),
        market_value: money(line.market_value()),
        average_cost: money(line.holding.average_cost),
        unrealized_pnl: money(line.unrealized()),
        realized_pnl: money(0),
        account_name: Some(statement.account.name.clone()),
    };
    row.frame()
}

fn ledger_row(req_id: i32, statement: &Statement<'_>, (key, value, currency): Value) -> Frame {
    let row = AccountUpdateMulti {
        req_id: Some(req_id),
        account: Some(statement.account.name.clone()),
        model_code: None,
        key: Some(key.to_owned()),
        value: Some(value),
        currency: Some(currency.to_owned()),
    };
    row.frame()
}

/// The money by currency: there are but dollars, which are the base currency too.
fn ledger(statement: &Statement<'_>) -> Vec<Value> {
    let of = |currency: &'static str| {
        [
            ("Currency", currency.to_owned(), currency),
            ("CashBalance", format_cents(statement.account.cash), currency),
            ("StockMarketValue", format_cents(statement.positions_value()), currency),
            ("NetLiquidationByCurrency", format_cents(statement.net_liquidation()), currency),
            ("UnrealizedPnL", format_cents(statement.unrealized()), currency),
            ("RealizedPnL", format_cents(0), currency),
            ("ExchangeRate", "1.00".to_owned(), currency),
        ]
    };
    ["BASE", "USD"].into_iter().flat_map(of).collect()
}

/// The time of account updates, to the minute.
fn time(now: Timestamp) -> Frame {
    let time = TimeZone::UTC.to_datetime(now).strftime("%H:%M").to_string();
    AccountUpdateTime { time_stamp: Some(time) }.frame()
}
