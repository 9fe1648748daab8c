//! What a question for bars is made of, in IBKR's words.

/// The length of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BarSize {
    Seconds(i64),
    Day,
    Week,
    Month,
}

impl BarSize {
    /// IBKR's spellings, in IBKR's order.
    pub(crate) const LEGAL: &[(&'static str, BarSize)] = &[
        ("1 secs", Self::Seconds(1)),
        ("5 secs", Self::Seconds(5)),
        ("10 secs", Self::Seconds(10)),
        ("15 secs", Self::Seconds(15)),
        ("30 secs", Self::Seconds(30)),
        ("1 min", Self::Seconds(60)),
        ("2 mins", Self::Seconds(120)),
        ("3 mins", Self::Seconds(180)),
        ("4 mins", Self::Seconds(240)),
        ("5 mins", Self::Seconds(300)),
        ("10 mins", Self::Seconds(600)),
        ("15 mins", Self::Seconds(900)),
        ("20 mins", Self::Seconds(1200)),
        ("30 mins", Self::Seconds(1800)),
        ("1 hour", Self::Seconds(3600)),
        ("2 hours", Self::Seconds(7200)),
        ("3 hours", Self::Seconds(10_800)),
        ("4 hours", Self::Seconds(14_400)),
        ("8 hours", Self::Seconds(28_800)),
        ("1 day", Self::Day),
        ("1 week", Self::Week),
        ("1W", Self::Week),
        ("1 month", Self::Month),
        ("1M", Self::Month),
    ];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::LEGAL.iter().find(|(label, _)| *label == text).map(|(_, size)| *size)
    }
}

/// How far back bars go, in IBKR's terms `duration`: seconds and days count trading time only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    Seconds(i64),
    Days(i64),
    Weeks(i64),
    Months(i64),
    Years(i64),
}

impl Span {
    /// Reads `1 D`, `3600 S` and their like.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (number, unit) = text.split_once(' ')?;
        let number = number.parse().ok().filter(|number| (1..=1_000_000).contains(number))?;
        Some(match unit {
            "S" => Self::Seconds(number),
            "D" => Self::Days(number),
            "W" => Self::Weeks(number),
            "M" => Self::Months(number),
            "Y" => Self::Years(number),
            _ => return None,
        })
    }
}

/// What the bars show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    Trades,
    Midpoint,
    Bid,
    Ask,
    BidAsk,
    /// A yearly rate in percent that moves against the price: volatilities and fees.
    Rate(u8),
}

impl Show {
    /// IBKR's names.
    pub(crate) const LEGAL: [&str; 10] = [
        "TRADES",
        "MIDPOINT",
        "BID",
        "ASK",
        "BID_ASK",
        "ADJUSTED_LAST",
        "AGGTRADES",
        "HISTORICAL_VOLATILITY",
        "OPTION_IMPLIED_VOLATILITY",
        "FEE_RATE",
    ];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "TRADES" | "ADJUSTED_LAST" | "AGGTRADES" => Self::Trades,
            "MIDPOINT" => Self::Midpoint,
            "BID" => Self::Bid,
            "ASK" => Self::Ask,
            "BID_ASK" => Self::BidAsk,
            "HISTORICAL_VOLATILITY" => Self::Rate(25),
            "OPTION_IMPLIED_VOLATILITY" => Self::Rate(30),
            "FEE_RATE" => Self::Rate(1),
            _ => return None,
        })
    }
}
