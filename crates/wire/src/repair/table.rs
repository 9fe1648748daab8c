//! Field by field: what ibapi is given instead.

use std::borrow::Cow;

use super::scan::{put_bytes, put_double, put_integer};
use crate::times;

/// A decimal that says "none", which ibapi passes on as a number: it reads an absent one as 0.
pub const NO_DECIMAL: &str = "-1e308";

/// The same for ibapi's doubles: TWS's own "unset".
const NO_DOUBLE: f64 = f64::MAX;

/// No number is as large: neither TWS's "unset" nor [`NO_DECIMAL`] is one.
const UNSET_FROM: f64 = 1e308;

/// What TWS writes where a decimal is unset, beside nothing and what is no finite number.
const UNSET_DECIMALS: [&str; 3] = ["2147483647", "9223372036854775807", "-9223372036854775808"];

/// A row of the table.
#[derive(Debug)]
pub struct Repair {
    /// TWS's name of the message, or of a message in it.
    pub message: &'static str,
    /// The field's name.
    pub field: &'static str,
    /// When it is repaired, and how.
    pub rule: Rule,
    /// Why: what ibapi 5.5 makes of it, and who has met it.
    pub why: &'static str,
}

/// When a field is repaired, and what ibapi is given instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A double that is absent becomes the largest one, which is TWS's "unset".
    Double,
    /// A decimal that is absent, unset or no number becomes [`NO_DECIMAL`].
    Decimal,
    /// A decimal that is no number is left out: ibapi knows that it can be absent.
    OptionalDecimal,
    /// A count that is absent becomes -1, which is TWS's "none".
    Count,
    /// The time of a bar becomes Unix seconds or a day, or 0 for none.
    BarTime,
    /// The begin or the end of a window becomes UTC, or 1970 for none.
    Window,
    /// A time becomes Unix seconds, or 0 for none.
    UnixSeconds,
    /// The time of a headline becomes the one rendering that ibapi reads. It takes any other for 1970.
    NewsTime,
    /// An identifier that must be there becomes 0.
    Id,
    /// A kind of article that is not known becomes a text.
    ArticleType,
}

/// What ibapi is given.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    AsItIs,
    Text(Cow<'static, str>),
    Double(f64),
    Integer(i64),
    /// The field is left out.
    Nothing,
}

impl Given {
    pub(super) fn put(&self, tag: u32, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => put_bytes(tag, text.as_bytes(), out),
            Self::Double(value) => put_double(tag, *value, out),
            Self::Integer(value) => put_integer(tag, *value, out),
            Self::AsItIs | Self::Nothing => {}
        }
    }
}

impl Rule {
    pub(super) fn if_absent(self) -> Given {
        match self {
            Self::Double => Given::Double(NO_DOUBLE),
            Self::Decimal => Given::Text(NO_DECIMAL.into()),
            Self::Count => Given::Integer(-1),
            Self::Id => Given::Integer(0),
            Self::BarTime | Self::Window | Self::UnixSeconds => self.of_text(""),
            Self::OptionalDecimal | Self::NewsTime | Self::ArticleType => Given::AsItIs,
        }
    }

    pub(super) fn of_text(self, text: &str) -> Given {
        match self {
            Self::Decimal if text == NO_DECIMAL => Given::AsItIs,
            Self::Decimal => readable(text, Given::Text(NO_DECIMAL.into())),
            Self::OptionalDecimal => readable(text, Given::Nothing),
            Self::BarTime => bar_time(text),
            Self::Window => {
                let time = times::instant(text).unwrap_or_default();
                given(text, time.strftime("%Y%m%d-%H:%M:%S").to_string())
            }
            Self::UnixSeconds => {
                let time = times::unix(text).or_else(|| times::instant(text)).unwrap_or_default();
                given(text, time.as_second().to_string())
            }
            Self::NewsTime => match times::headline(text) {
                Some(time) => given(text, time.strftime("%Y-%m-%d %H:%M:%S.%3f").to_string()),
                None => Given::Nothing,
            },
            _ => Given::AsItIs,
        }
    }

    pub(super) fn of_integer(self, number: i64) -> Given {
        match self {
            Self::ArticleType if !matches!(number, 0 | 1) => Given::Integer(0),
            _ => Given::AsItIs,
        }
    }
}

fn given(was: &str, text: String) -> Given {
    if was == text { Given::AsItIs } else { Given::Text(text.into()) }
}

/// The number that a text of TWS's is; `None` where it stands for none, or is none.
pub fn decimal(text: &str) -> Option<f64> {
    let text = text.trim();
    if is_unset(text) { None } else { text.parse().ok() }
}

/// What is no finite number is unset as well; blanks around one are not.
fn is_unset(text: &str) -> bool {
    /// A number of so few digits can't be a sentinel, which spares most of them the rest.
    const SHORT: usize = 9;
    if (1..=SHORT).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    UNSET_DECIMALS.contains(&text)
        || text.parse().map_or(true, |number: f64| !number.is_finite() || number.abs() >= UNSET_FROM)
}

/// A decimal in the one form that ibapi reads, or what stands for none.
fn readable(was: &str, none: Given) -> Given {
    let text = was.trim();
    if is_unset(text) { none } else { given(was, text.to_owned()) }
}

/// Intraday bars have Unix seconds, and longer ones a day.
fn bar_time(text: &str) -> Given {
    if let Some(day) = times::day(text) {
        return given(text, day.strftime("%Y%m%d").to_string());
    }
    // Eight digits are a day or nothing: as seconds they would be in 1970.
    let seconds = if text.len() == 8 { None } else { times::unix(text) };
    let time = seconds.or_else(|| times::instant(text)).unwrap_or_default();
    given(text, time.as_second().to_string())
}

macro_rules! repairs {
    ($( $Message:ident { $( $field:ident: $Rule:ident, $why:literal; )+ } )+) => {
        /// All of them.
        pub const REPAIRS: &[Repair] = &[$($(
            Repair { message: stringify!($Message), field: stringify!($field), rule: Rule::$Rule, why: $why },
        )+)+];
    };
}

repairs! {
    TickPrice {
        price: Double, "an absent price is read as 0";
        size: OptionalDecimal, "what is no number ends the stream";
    }
    TickSize {
        size: Decimal, "NaN, a sentinel and an absent size are read as 0, and what is no number ends the stream";
    }
    TickGeneric {
        value: Double, "an absent value is read as 0";
    }
    TickReqParams {
        min_tick: Decimal, "an absent step is read as 0, and what is no number ends the stream";
    }
    MarketDepthData {
        price: Double, "an absent price is read as 0";
        size: Decimal, "an absent size is read as 0, and what is no number ends the book";
    }
    RealTimeBarTick {
        open: Double, "an absent price is read as 0";
        high: Double, "an absent price is read as 0";
        low: Double, "an absent price is read as 0";
        close: Double, "an absent price is read as 0";
        volume: Decimal, "bars of midpoints, bids and asks have no volume, which is read as 0";
        wap: Decimal, "bars of midpoints, bids and asks have no average, which is read as 0";
        count: Count, "an absent count is read as 0";
    }
    HistoricalDataBar {
        date: BarTime, "any other rendering than Unix seconds or yyyymmdd loses the whole answer";
        open: Double, "an absent price is read as 0";
        high: Double, "an absent price is read as 0";
        low: Double, "an absent price is read as 0";
        close: Double, "an absent price is read as 0";
        volume: Decimal, "bars of midpoints, bids and asks have no volume, which is read as 0";
        wap: Decimal, "bars of midpoints, bids and asks have no average, which is read as 0";
    }
    HistoricalDataEnd {
        start_date_str: Window, "a zone that is not in ibapi's table loses all bars (rust-ibapi#808, #964)";
        end_date_str: Window, "a zone that is not in ibapi's table loses all bars (rust-ibapi#808, #964)";
    }
    HeadTimestamp {
        head_timestamp: UnixSeconds, "any other rendering than Unix seconds is an error, though TWS sends formatted ones";
    }
    HistogramDataEntry {
        price: Double, "an absent price is read as 0";
        size: OptionalDecimal, "what is no number loses the whole answer";
    }
    HistoricalTick {
        price: Double, "an absent price is read as 0";
        size: OptionalDecimal, "what is no number loses the whole answer";
    }
    HistoricalTickLast {
        price: Double, "an absent price is read as 0";
        size: Decimal, "an absent size is read as 0, and what is no number ends the stream";
    }
    HistoricalTickBidAsk {
        price_bid: Double, "an absent price is read as 0";
        price_ask: Double, "an absent price is read as 0";
        size_bid: Decimal, "an absent size is read as 0, and what is no number ends the stream";
        size_ask: Decimal, "an absent size is read as 0, and what is no number ends the stream";
    }
    PriceIncrement {
        low_edge: Double, "an absent edge is read as 0";
        increment: Double, "an absent step is read as 0";
    }
    NewsArticle {
        article_type: ArticleType, "an unknown kind is an error, and the text is lost";
    }
    HistoricalNews {
        time: NewsTime, "every rendering but one is read as 1970";
    }
    PnL {
        daily_pnl: Double, "an absent profit is read as 0";
    }
    PnLSingle {
        position: Decimal, "an absent size ends the stream";
        daily_pnl: Double, "an absent profit is read as 0";
        unrealized_pnl: Double, "an absent profit is read as 0";
        realized_pnl: Double, "an absent profit is read as 0";
        value: Double, "an absent value is read as 0";
    }
    OrderBound {
        perm_id: Id, "a message without it ends the stream of all orders";
        client_id: Id, "a message without it ends the stream of all orders";
        order_id: Id, "a message without it ends the stream of all orders";
    }
}
