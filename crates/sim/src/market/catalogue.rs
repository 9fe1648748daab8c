//! The instruments that exist: public facts such as contract ids, with typical prices to start from.

use std::ops::Range;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

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
}

const fn stock(con_id: i32, symbol: &'static str, names: [&'static str; 3], typical_price: f64) -> Listing {
    let [long_name, industry, exchange] = names;
    let (kind, local_symbol, ticks_per_unit) = (Kind::Stock, symbol, 100.0);
    Listing {
        con_id,
        symbol,
        kind,
        long_name,
        industry,
        exchange,
        local_symbol,
        typical_price,
        ticks_per_unit,
    }
}

pub(crate) const LISTINGS: &[Listing] = &[
    stock(265_598, "AAPL", ["APPLE INC", "Technology", "NASDAQ"], 230.0),
    stock(272_093, "MSFT", ["MICROSOFT CORP", "Technology", "NASDAQ"], 430.0),
    stock(208_813_719, "GOOGL", ["ALPHABET INC-CL A", "Communications", "NASDAQ"], 175.0),
    stock(3_691_937, "AMZN", ["AMAZON.COM INC", "Communications", "NASDAQ"], 195.0),
    stock(4_815_747, "NVDA", ["NVIDIA CORP", "Technology", "NASDAQ"], 135.0),
    stock(107_113_386, "META", ["META PLATFORMS INC", "Communications", "NASDAQ"], 560.0),
    stock(76_792_991, "TSLA", ["TESLA INC", "Consumer, Cyclical", "NASDAQ"], 260.0),
    stock(8_314, "IBM", ["INTL BUSINESS MACHINES CORP", "Technology", "NYSE"], 215.0),
    stock(1_520_593, "JPM", ["JPMORGAN CHASE & CO", "Financial", "NYSE"], 240.0),
    stock(756_733, "SPY", ["SPDR S&P 500 ETF TRUST", "Funds", "ARCA"], 600.0),
    Listing {
        con_id: 12_087_792,
        symbol: "EUR",
        kind: Kind::Cash,
        long_name: "European Monetary Union Euro",
        industry: "",
        exchange: "IDEALPRO",
        local_symbol: "EUR.USD",
        typical_price: 1.1,
        ticks_per_unit: 20_000.0,
    },
    Listing {
        con_id: 649_180_671,
        symbol: "ES",
        kind: Kind::Future { last_trade_date: "20271217", multiplier: 50.0 },
        long_name: "E-mini S&P 500",
        industry: "Indices",
        exchange: "CME",
        local_symbol: "ESZ7",
        typical_price: 6_000.0,
        ticks_per_unit: 4.0,
    },
];

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
            && fits(&wanted.symbol, &[self.symbol])
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
        }
    }

    /// The place of a price after the decimal point that one tick needs.
    pub(crate) fn min_tick(&self) -> String {
        format!("{}", 1.0 / self.ticks_per_unit)
    }

    /// The exchange a request usually names.
    pub(crate) fn route(&self) -> &'static str {
        if self.kind == Kind::Stock { "SMART" } else { self.exchange }
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
        }
    }

    /// The details, with trading hours for `today` and the two days after it.
    pub(crate) fn details(&self, today: Date) -> ContractDetails {
        let text = |text: &str| Some(text.to_owned());
        let size = if self.kind == Kind::Stock { "0.0001" } else { "1" };
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
            market_rule_ids: text("26"),
            real_expiration_date: self.last_trade_date().map(str::to_owned),
            stock_type: match self.symbol {
                "SPY" => text("ETF"),
                _ if self.kind == Kind::Stock => text("COMMON"),
                _ => None,
            },
            min_size: text(size),
            size_increment: text(size),
            suggested_size_increment: text(if self.kind == Kind::Stock { "100" } else { "1" }),
        }
    }

    /// The seconds of a UTC day in which it trades; nothing on weekends.
    pub(crate) fn session(&self, day: Date, hours: Hours) -> Range<i64> {
        let hour = 3600;
        match (day.weekday(), self.kind, hours) {
            (Weekday::Saturday | Weekday::Sunday, ..) => 0..0,
            (_, Kind::Stock, Hours::Regular) => 13 * hour + hour / 2..20 * hour,
            (_, Kind::Stock, Hours::All) => 8 * hour..24 * hour,
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
        if self.kind == Kind::Stock {
            vec!["SMART", self.exchange, "ISLAND", "IEX"]
        } else {
            vec![self.exchange]
        }
    }

    fn trading_class(&self) -> &'static str {
        match self.kind {
            Kind::Stock if self.exchange == "NASDAQ" => "NMS",
            Kind::Cash => self.local_symbol,
            Kind::Stock | Kind::Future { .. } => self.symbol,
        }
    }

    fn last_trade_date(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Future { last_trade_date, .. } => Some(last_trade_date),
            Kind::Stock | Kind::Cash => None,
        }
    }

    fn multiplier(&self) -> Option<f64> {
        match self.kind {
            Kind::Future { multiplier, .. } => Some(multiplier),
            Kind::Stock | Kind::Cash => None,
        }
    }

    /// `20260824:1330-20260824:2000;20260822:CLOSED;…`
    fn hours(&self, today: Date, hours: Hours) -> String {
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
