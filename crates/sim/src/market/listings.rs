//! The instruments that exist: public facts such as contract ids, with typical prices to start from.

use super::{Kind, Listing};

/// The contract id of the S&P future of the first month.
pub(super) const ES: i32 = 649_180_671;

/// The contract id of its index.
pub(super) const SPX: i32 = 416_904;

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

/// A later month of the S&P future; its contract id is the simulator's own.
const fn month(
    con_id: i32,
    last_trade_date: &'static str,
    local_symbol: &'static str,
    typical_price: f64,
) -> Listing {
    Listing {
        con_id,
        symbol: "ES",
        kind: Kind::Future { last_trade_date, multiplier: 50.0 },
        long_name: "E-mini S&P 500",
        industry: "Indices",
        exchange: "CME",
        local_symbol,
        typical_price,
        ticks_per_unit: 4.0,
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
        con_id: ES,
        symbol: "ES",
        kind: Kind::Future { last_trade_date: "20271217", multiplier: 50.0 },
        long_name: "E-mini S&P 500",
        industry: "Indices",
        exchange: "CME",
        local_symbol: "ESZ7",
        typical_price: 6_000.0,
        ticks_per_unit: 4.0,
    },
    month(ES + 1, "20280317", "ESH8", 6_060.0),
    month(ES + 2, "20280616", "ESM8", 6_120.0),
    Listing {
        con_id: SPX,
        symbol: "SPX",
        kind: Kind::Index,
        long_name: "S&P 500 Stock Index",
        industry: "Indices",
        exchange: "CBOE",
        local_symbol: "SPX",
        typical_price: 5_940.0,
        ticks_per_unit: 100.0,
    },
    Listing {
        con_id: 479_624_278,
        symbol: "BTC",
        kind: Kind::Crypto,
        long_name: "Bitcoin cryptocurrency",
        industry: "",
        exchange: "PAXOS",
        local_symbol: "BTC.USD",
        typical_price: 95_000.0,
        ticks_per_unit: 4.0,
    },
    Listing {
        con_id: 15_960_420,
        symbol: "US-T",
        kind: Kind::Bond { cusip: "912810RN0", coupon: 2.875, maturity: "20450815" },
        long_name: "United States Treasury",
        industry: "Government",
        exchange: "TRADEWEB",
        local_symbol: "US-T 2 7/8 08/15/45",
        typical_price: 82.0,
        ticks_per_unit: 1_000.0,
    },
];
