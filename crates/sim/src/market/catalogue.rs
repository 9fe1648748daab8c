//! What an instrument is: how it is described, what it is worth knowing about, and when and where it trades.

use std::ops::Range;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::listings::{ES, SPX};
use super::rules::rule_of;
use crate::messages::{Contract, ContractDetails};

/// An instrument as IBKR lists it.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) con_id: i32,
    pub(crate) symbol: &'static str,
    pub(crate) kind: Kind,
    pub(crate) long_name: &'static str,
    pub(crate) industry: &'static str,
    /// The primary exchange of a stock, else the only exchange.
    pub(crate) exchange: &'static str,
    pub(crate) local_symbol: &'static str,
    /// Seeded worlds start within ten percent of it.
    pub(crate) typical_price: f64,
    /// The inverse of the smallest price step; whole, so that prices are exact decimals.
    pub(crate) ticks_per_unit: f64,
}

/// The kinds of instruments, with what is special to each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Stock,
    Cash,
    Future { last_trade_date: &'static str, multiplier: f64 },
    Index,
    Crypto,
    Bond { cusip: &'static str, coupon: f64, maturity: &'static str },
}

impl Listing {
    /// Whether every field given fits this listing; a description without id, symbol and kind fits none.
    pub(crate) fn fits(&self, wanted: &Contract) -> bool {
        if let Some(con_id) = wanted.con_id.filter(|con_id| *con_id != 0) {
            return con_id == self.con_id;
        }
        let fits = |field: &Option<String>, ours: &[&str]| match field.as_deref() {
            None | Some("") => true,
            Some(text) => ours.iter().any(|our| our.eq_ignore_ascii_case(text)),
        };
        let date = wanted.last_trade_date_or_contract_month.as_deref().unwrap_or_default();
        let named = [&wanted.symbol, &wanted.local_symbol, &wanted.sec_type];
        named.iter().any(|field| field.as_deref().is_some_and(|text| !text.is_empty()))
            && fits(&wanted.symbol, &[self.symbol, self.cusip()])
            && fits(&wanted.sec_id, &[self.cusip(), &self.isin()])
            && fits(&wanted.local_symbol, &[self.local_symbol])
            && fits(&wanted.sec_type, &[self.sec_type()])
            && fits(&wanted.currency, &["USD"])
            && fits(&wanted.exchange, &self.exchanges())
            && fits(&wanted.primary_exch, &[self.exchange])
            && fits(&wanted.trading_class, &[self.trading_class()])
            && self.last_trade_date().unwrap_or_default().starts_with(date)
    }

    pub(crate) fn sec_type(&self) -> &'static str {
        match self.kind {
            Kind::Stock => "STK",
            Kind::Cash => "CASH",
            Kind::Future { .. } => "FUT",
            Kind::Index => "IND",
            Kind::Crypto => "CRYPTO",
            Kind::Bond { .. } => "BOND",
        }
    }

    /// The contract id of the instrument whose ups and downs it shares: an index and its futures have the same.
    pub(crate) fn follows(&self) -> i32 {
        if matches!(self.symbol, "ES" | "SPX") { ES } else { self.con_id }
    }

    /// The place of a price after the decimal point that one tick needs.
    pub(crate) fn min_tick(&self) -> String {
        format!("{}", 1.0 / self.ticks_per_unit)
    }

    /// The exchange a request usually names.
    pub(crate) fn route(&self) -> &'static str {
        if matches!(self.kind, Kind::Stock | Kind::Bond { .. }) { "SMART" } else { self.exchange }
    }

    /// The contract as the Gateway spells it out.
    pub(crate) fn contract(&self) -> Contract {
        let text = |text: &str| Some(text.to_owned());
        Contract {
            con_id: Some(self.con_id),
            symbol: text(self.symbol),
            sec_type: text(self.sec_type()),
            last_trade_date_or_contract_month: self.last_trade_date().map(str::to_owned),
            strike: Some(0.0),
            multiplier: self.multiplier(),
            exchange: text(self.route()),
            primary_exch: (self.kind == Kind::Stock).then(|| self.exchange.to_owned()),
            currency: text("USD"),
            local_symbol: text(self.local_symbol),
            trading_class: text(self.trading_class()),
            last_trade_date: self.last_trade_date().map(str::to_owned),
            ..Default::default()
        }
    }

    /// The details, with trading hours for `today` and the two days after it.
    pub(crate) fn details(&self, today: Date) -> ContractDetails {
        let text = |text: &str| Some(text.to_owned());
        let size = match self.kind {
            Kind::Stock => "0.0001",
            Kind::Crypto => "0.00000001",
            _ => "1",
        };
        let underlying = matches!(self.kind, Kind::Future { .. }).then_some(SPX);
        ContractDetails {
            market_name: text(self.trading_class()),
            min_tick: Some(self.min_tick()),
            order_types: text(
                "ACTIVETIM,ADJUST,ALERT,ALLOC,COND,DAY,GTC,IOC,LMT,MKT,STP,STPLMT,TRAIL,WHATIF",
            ),
            valid_exchanges: Some(self.exchanges().join(",")),
            price_magnifier: Some(1),
            long_name: text(self.long_name),
            contract_month: self.last_trade_date().map(|date| date[..6].to_owned()),
            industry: text(self.industry),
            time_zone_id: text("UTC"),
            trading_hours: Some(self.hours(today, Hours::All)),
            liquid_hours: Some(self.hours(today, Hours::Regular)),
            market_rule_ids: Some(
                vec![rule_of(self.ticks_per_unit).to_string(); self.exchanges().len()].join(","),
            ),
            real_expiration_date: self.last_trade_date().map(str::to_owned),
            stock_type: match self.symbol {
                "SPY" => text("ETF"),
                _ if self.kind == Kind::Stock => text("COMMON"),
                _ => None,
            },
            min_size: text(size),
            size_increment: text(size),
            suggested_size_increment: text(if self.kind == Kind::Stock { "100" } else { "1" }),
            under_con_id: underlying,
            under_symbol: underlying.and_then(|_| text(self.symbol)),
            under_sec_type: underlying.and_then(|_| text("IND")),
            ..self.bond_details()
        }
    }

    /// What only a bond has.
    fn bond_details(&self) -> ContractDetails {
        let Kind::Bond { cusip, coupon, .. } = self.kind else { return ContractDetails::default() };
        ContractDetails {
            cusip: Some(cusip.to_owned()),
            bond_type: Some("GOVT".to_owned()),
            coupon: Some(coupon),
            coupon_type: Some("FIXED".to_owned()),
            desc_append: Some(self.local_symbol.to_owned()),
            ..Default::default()
        }
    }

    /// The seconds of a UTC day in which it trades; nothing on weekends.
    pub(crate) fn session(&self, day: Date, hours: Hours) -> Range<i64> {
        let hour = 3600;
        match (day.weekday(), self.kind, hours) {
            (_, Kind::Crypto, _) => 0..24 * hour,
            (Weekday::Saturday | Weekday::Sunday, ..) => 0..0,
            (_, Kind::Stock, Hours::Regular) => 13 * hour + hour / 2..20 * hour,
            (_, Kind::Stock, Hours::All) => 8 * hour..24 * hour,
            (_, Kind::Index, _) => 13 * hour + hour / 2..20 * hour,
            _ => 0..24 * hour,
        }
    }

    /// Where trades happen.
    pub(crate) fn venues(&self) -> Vec<&'static str> {
        self.exchanges().into_iter().filter(|exchange| *exchange != "SMART").collect()
    }

    /// The size in which quotes and trades come, in shares, contracts or units of currency.
    pub(crate) fn lot(&self) -> i64 {
        match self.kind {
            Kind::Stock => 100,
            Kind::Cash => 1_000_000,
            // Nobody trades an index itself.
            Kind::Index => 0,
            _ => 1,
        }
    }

    /// The first day there are data of.
    pub(crate) fn first_day(&self) -> Date {
        let days = i64::from(self.con_id % 2_500);
        let day = jiff::civil::date(2000, 1, 3).saturating_add(days.days());
        match day.weekday() {
            Weekday::Saturday => day.saturating_add(2.days()),
            Weekday::Sunday => day.saturating_add(1.days()),
            _ => day,
        }
    }

    fn exchanges(&self) -> Vec<&'static str> {
        match self.kind {
            Kind::Stock => vec!["SMART", self.exchange, "ISLAND", "IEX"],
            Kind::Bond { .. } => vec!["SMART", self.exchange],
            _ => vec![self.exchange],
        }
    }

    fn trading_class(&self) -> &'static str {
        match self.kind {
            Kind::Stock if self.exchange == "NASDAQ" => "NMS",
            Kind::Cash => self.local_symbol,
            Kind::Stock | Kind::Future { .. } | Kind::Index | Kind::Crypto => self.symbol,
            Kind::Bond { .. } => self.local_symbol,
        }
    }

    fn last_trade_date(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Future { last_trade_date, .. } => Some(last_trade_date),
            Kind::Bond { maturity, .. } => Some(maturity),
            Kind::Stock | Kind::Cash | Kind::Index | Kind::Crypto => None,
        }
    }

    fn multiplier(&self) -> Option<f64> {
        match self.kind {
            Kind::Future { multiplier, .. } => Some(multiplier),
            _ => None,
        }
    }

    fn cusip(&self) -> &'static str {
        if let Kind::Bond { cusip, .. } = self.kind { cusip } else { self.symbol }
    }

    /// The American form, without its check digit's rules: the simulator's own.
    fn isin(&self) -> String {
        if let Kind::Bond { cusip, .. } = self.kind { format!("US{cusip}0") } else { String::new() }
    }

    /// `20260824:1330-20260824:2000;20260822:CLOSED;…`
    pub(crate) fn hours(&self, today: Date, hours: Hours) -> String {
        let days = std::iter::successors(Some(today), |day| day.tomorrow().ok()).take(3);
        let spelled = days.map(|day| {
            let date = day.strftime("%Y%m%d");
            let session = self.session(day, hours);
            let clock = |seconds: i64| format!("{:02}{:02}", seconds / 3600, seconds / 60 % 60);
            match (session.is_empty(), session.end) {
                (true, _) => format!("{date}:CLOSED"),
                (_, 86_400) => format!("{date}:{}-{date}:2359", clock(session.start)),
                (_, end) => format!("{date}:{}-{date}:{}", clock(session.start), clock(end)),
            }
        });
        spelled.collect::<Vec<_>>().join(";")
    }
}

/// Which trading hours count, in IBKR's terms `useRTH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hours {
    Regular,
    All,
}
