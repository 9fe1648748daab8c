//! The market scanner.

use jiff::Timestamp;

use super::error_frame;
use super::history::no_data;
use crate::framing::Frame;
use crate::market::{Instrument, Kind, Quotes, Tick, World};
use crate::messages::{
    Response, ScannerData, ScannerDataElement, ScannerParameters, ScannerSubscription,
    ScannerSubscriptionRequest,
};
use crate::session::{Feed, Opening, Refusal};

/// The scans there are, by code, with the names that people see.
const SCANS: [(&str, &str); 3] =
    [("TOP_PERC_GAIN", "Top % Gainers"), ("TOP_PERC_LOSE", "Top % Losers"), ("MOST_ACTIVE", "Most Active")];

/// The places there are; all instruments are stocks of the first, which is in the second.
const LOCATIONS: [&str; 2] = ["STK.US.MAJOR", "STK.US"];

/// How many rows there are at most, and without a wish.
const MOST_ROWS: usize = 50;

/// Seconds between two lists.
const REFRESH: i64 = 30;

const LAST: i32 = 4;
const VOLUME: i32 = 8;
const CLOSE: i32 = 9;

/// What can be scanned for, in TWS's XML but much shorter.
pub(crate) fn parameters() -> Frame {
    let scans: String = SCANS
        .iter()
        .map(|(code, name)| {
            format!("<ScanType><displayName>{name}</displayName><scanCode>{code}</scanCode><instruments>STK</instruments></ScanType>")
        })
        .collect();
    let locations: String = LOCATIONS
        .iter()
        .map(|code| {
            format!("<Location><locationCode>{code}</locationCode><instruments>STK</instruments></Location>")
        })
        .collect();
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ScanParameterResponse><InstrumentList><Instrument><name>US Stocks</name>\
         <type>STK</type></Instrument></InstrumentList><LocationTree>{locations}</LocationTree>\
         <ScanTypeList>{scans}</ScanTypeList></ScanParameterResponse>"
    );
    ScannerParameters { xml: Some(xml) }.frame()
}

/// A list now, and one every half minute.
pub(crate) fn subscribe(
    world: &World,
    wanted: &ScannerSubscriptionRequest,
    now: Timestamp,
) -> Result<Opening, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let wanted = wanted.scanner_subscription.clone().unwrap_or_default();
    let code = wanted.scan_code.as_deref().unwrap_or_default();
    if !SCANS.iter().any(|(known, _)| *known == code) {
        return Err(no_data(req_id, &format!("scanner type {code} is disabled")));
    }
    let (instrument, location) = (wanted.instrument.as_deref(), wanted.location_code.as_deref());
    if instrument != Some("STK") || !location.is_some_and(|location| LOCATIONS.contains(&location)) {
        let place = format!("{} at {}", instrument.unwrap_or_default(), location.unwrap_or_default());
        return Err(no_data(req_id, &format!("no instruments to scan: {place}")));
    }
    let stocks = world.instruments.iter().filter(|instrument| instrument.listing.kind == Kind::Stock);
    let mut feed = Scan { req_id, wanted, stocks: stocks.cloned().collect(), due: now.as_second() };
    let frames = feed.next_change(now);
    Ok(Opening { frames, feed: Some(Box::new(feed)) })
}

/// A subscription to a scan.
#[derive(Debug)]
struct Scan {
    req_id: i32,
    wanted: ScannerSubscription,
    stocks: Vec<Instrument>,
    /// The second of the next list.
    due: i64,
}

/// What stocks are ranked by.
struct Figures {
    last: f64,
    close: f64,
    volume: i64,
}

impl Feed for Scan {
    fn next_change(&mut self, now: Timestamp) -> Vec<Frame> {
        if now.as_second() < self.due {
            return Vec::new();
        }
        self.due = now.as_second() + REFRESH;
        vec![self.list(now)]
    }
}

impl Scan {
    fn list(&self, now: Timestamp) -> Frame {
        let mut found: Vec<_> = self
            .stocks
            .iter()
            .map(|stock| (Figures::of(stock, now), stock))
            .filter(|(figures, _)| self.fits(figures))
            .collect();
        found.sort_by(|(one, _), (other, _)| self.rank(other).total_cmp(&self.rank(one)));
        found.truncate(self.rows());
        if found.is_empty() {
            let message = "Historical Market Data Service query message:no items retrieved";
            return error_frame(&Refusal::new(self.req_id, 165, message), now);
        }
        let element = |(rank, (_, stock)): (i32, (Figures, &Instrument))| ScannerDataElement {
            rank: Some(rank),
            contract: Some(stock.listing.contract()),
            market_name: stock.listing.contract().trading_class,
        };
        let scanner_data_element = (0..).zip(found).map(element).collect();
        ScannerData { req_id: Some(self.req_id), scanner_data_element }.frame()
    }

    /// What counts: the more, the nearer to the top.
    fn rank(&self, figures: &Figures) -> f64 {
        match self.wanted.scan_code.as_deref() {
            Some("TOP_PERC_GAIN") => figures.change(),
            Some("TOP_PERC_LOSE") => -figures.change(),
            _ => figures.volume as f64,
        }
    }

    fn fits(&self, figures: &Figures) -> bool {
        self.wanted.above_price.is_none_or(|price| figures.last >= price)
            && self.wanted.below_price.is_none_or(|price| figures.last <= price)
            && self.wanted.above_volume.is_none_or(|volume| figures.volume >= volume)
    }

    fn rows(&self) -> usize {
        let wanted = self.wanted.number_of_rows.and_then(|rows| usize::try_from(rows).ok());
        wanted.unwrap_or(MOST_ROWS).min(MOST_ROWS)
    }
}

impl Figures {
    /// Those of the quote at this moment.
    fn of(stock: &Instrument, now: Timestamp) -> Self {
        let ticks = Quotes::new(stock, 0).opening(now);
        let price = |wanted| {
            ticks.iter().find_map(|tick| match tick {
                Tick::Price { tick_type, price, .. } if *tick_type == wanted => Some(*price),
                _ => None,
            })
        };
        let volume = ticks.iter().find_map(|tick| match tick {
            Tick::Size { tick_type: VOLUME, size } => Some(*size),
            _ => None,
        });
        Self {
            last: price(LAST).unwrap_or_default(),
            close: price(CLOSE).unwrap_or_default(),
            volume: volume.unwrap_or_default(),
        }
    }

    /// The change since the close, in percent.
    fn change(&self) -> f64 {
        (self.last / self.close - 1.0) * 100.0
    }
}
