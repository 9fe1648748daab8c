//! Historical bars: a request's fields checked one by one, then bars as IBKR spells them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::live_bars::UpdateFeed;
use super::past;
use crate::framing::Frame;
use crate::market::{Bar, BarQuery, BarSize, HistoryError, Hours, Instrument, Kind, Show, Span, World};
use crate::messages::{
    HistoricalData, HistoricalDataBar, HistoricalDataEnd, HistoricalDataRequest, Response,
};
use crate::session::{Opening, Refusal};

/// One frame with all bars, then one with the period they cover; updates follow if they are asked for. A schedule is
/// asked for in the same way.
pub(crate) fn bars(
    world: &World,
    wanted: &HistoricalDataRequest,
    now: Timestamp,
) -> Result<Opening, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let contract = wanted.contract.clone().unwrap_or_default();
    let instrument = world.instrument(req_id, &contract)?;
    if wanted.what_to_show.as_deref() == Some("SCHEDULE") {
        let days = HistoricalDataRequest { what_to_show: Some("MIDPOINT".into()), ..wanted.clone() };
        let frames = vec![past::schedule(req_id, &query(world, instrument, &days, now)?)?];
        return Ok(Opening { frames, feed: None });
    }
    let query = query(world, instrument, wanted, now)?;
    let bars =
        query.bars().map_err(|HistoryError::TooMany| no_data(req_id, "too many bars for one request"))?;
    let Some(first) = bars.first() else { return Err(no_data(req_id, "HMDS query returned no data")) };
    let epoch = wanted.format_date == Some(2);
    let frames = answer(req_id, &bars, [first.start, end_of(wanted, now)?], epoch);
    let keep = wanted.keep_up_to_date == Some(true);
    let feed = keep.then(|| UpdateFeed::new(req_id, &query, epoch, bars.last().cloned()));
    Ok(Opening { frames, feed: feed.map(|feed| Box::new(feed) as _) })
}

fn answer(req_id: i32, bars: &[Bar], period: [i64; 2], epoch: bool) -> Vec<Frame> {
    let [start, end] = period.map(date_time);
    let period =
        HistoricalDataEnd { req_id: Some(req_id), start_date_str: Some(start), end_date_str: Some(end) };
    let historical_data_bars = bars.iter().map(|bar| bar_message(bar, epoch)).collect();
    vec![HistoricalData { req_id: Some(req_id), historical_data_bars }.frame(), period.frame()]
}

fn query<'a>(
    world: &World,
    instrument: &'a Instrument,
    wanted: &HistoricalDataRequest,
    now: Timestamp,
) -> Result<BarQuery<'a>, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let [bar_size, duration, show] =
        [text(&wanted.bar_size_setting), text(&wanted.duration), text(&wanted.what_to_show)];
    let legal = |what: &str, value: &str, legal: &str| {
        invalid(req_id, &format!("Historical data {what}"), value, legal)
    };
    let open_end = text(&wanted.end_date_time).is_empty();
    if wanted.keep_up_to_date == Some(true) && !open_end {
        return Err(legal("end", &text(&wanted.end_date_time), "none, for bars that are kept up to date"));
    }
    let query = BarQuery {
        instrument,
        // What happens in this second belongs to it.
        end: end_of(wanted, now)? + i64::from(open_end),
        bar_size: BarSize::parse(&bar_size)
            .ok_or_else(|| legal("bar size setting", &bar_size, &legal_bar_sizes()))?,
        span: Span::parse(&duration)
            .ok_or_else(|| legal("duration", &duration, "<whole number> S, D, W, M or Y"))?,
        show: Show::parse(&show).ok_or_else(|| legal("type", &show, &Show::LEGAL.join(", ")))?,
        hours: hours(wanted.use_rth),
    };
    if query.show == Show::Trades && instrument.listing.kind == Kind::Cash {
        let pair = instrument.listing.local_symbol;
        return Err(no_data(req_id, &format!("No historical data query found for {pair}@IDEALPRO Trades")));
    }
    if !world.is_entitled(instrument) {
        let listing = instrument.listing;
        let cause = format!("No market data permissions for {} {}", listing.exchange, listing.sec_type());
        return Err(no_data(req_id, &cause));
    }
    Ok(query)
}

/// The end asked for, or now.
fn end_of(wanted: &HistoricalDataRequest, now: Timestamp) -> Result<i64, Refusal> {
    match wanted.end_date_time.as_deref().unwrap_or_default() {
        "" => Ok(now.as_second()),
        text => moment(wanted.req_id.unwrap_or(-1), text),
    }
}

/// Reads `yyyymmdd hh:mm:ss[ UTC]`, or `yyyymmdd-hh:mm:ss`, which is UTC.
pub(crate) fn moment(req_id: i32, text: &str) -> Result<i64, Refusal> {
    let plain = text.strip_suffix(" UTC").unwrap_or(text).replacen('-', " ", 1);
    let time = DateTime::strptime("%Y%m%d %H:%M:%S", plain).and_then(|time| TimeZone::UTC.to_timestamp(time));
    time.map(Timestamp::as_second).map_err(|_| {
        let message = format!(
            "End Date/Time: The date, time, or time-zone entered is invalid: {text:?}. \
             The simulator reads yyyymmdd hh:mm:ss UTC and yyyymmdd-hh:mm:ss."
        );
        Refusal::new(req_id, 10314, message)
    })
}

pub(crate) fn hours(use_rth: Option<bool>) -> Hours {
    if use_rth == Some(true) { Hours::Regular } else { Hours::All }
}

pub(crate) fn bar_message(bar: &Bar, epoch: bool) -> HistoricalDataBar {
    let trades = bar.trades.as_ref();
    HistoricalDataBar {
        date: Some(match bar.date {
            Some(date) => date.strftime("%Y%m%d").to_string(),
            None if epoch => bar.start.to_string(),
            None => date_time(bar.start),
        }),
        open: Some(bar.open),
        high: Some(bar.high),
        low: Some(bar.low),
        close: Some(bar.close),
        volume: Some(trades.map_or("-1".into(), |trades| trades.volume.to_string())),
        wap: Some(trades.map_or("-1".into(), |trades| trades.average.to_string())),
        bar_count: Some(trades.map_or(-1, |trades| trades.count)),
    }
}

fn date_time(second: i64) -> String {
    let moment = Timestamp::from_second(second).unwrap_or(Timestamp::MIN);
    moment.strftime("%Y%m%d %H:%M:%S UTC").to_string()
}

fn legal_bar_sizes() -> String {
    BarSize::LEGAL.iter().map(|(label, _)| *label).collect::<Vec<_>>().join(", ")
}

/// As in schedules, and in head timestamps that are no epoch seconds.
pub(crate) fn dashed(second: i64) -> String {
    let moment = Timestamp::from_second(second).unwrap_or(Timestamp::MIN);
    moment.strftime("%Y%m%d-%H:%M:%S").to_string()
}

pub(crate) fn no_data(req_id: i32, cause: &str) -> Refusal {
    Refusal::new(req_id, 162, format!("Historical Market Data Service error message:{cause}"))
}

/// IBKR's error 321, in about IBKR's words.
pub(crate) fn invalid(req_id: i32, what: &str, value: &str, legal: &str) -> Refusal {
    let cause = format!("{what} {value:?} is invalid. Legal ones are: {legal}");
    Refusal::new(req_id, 321, format!("Error validating request.-'b' : cause - {cause}"))
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::messages::Contract;

    const NOW: &str = "20260821 21:00:00 UTC";

    fn request(symbol: &str, bar_size: &str, duration: &str) -> HistoricalDataRequest {
        let text = |text: &str| Some(text.to_owned());
        HistoricalDataRequest {
            req_id: Some(9),
            contract: Some(Contract { symbol: text(symbol), ..Default::default() }),
            end_date_time: text(NOW),
            bar_size_setting: text(bar_size),
            duration: text(duration),
            use_rth: Some(true),
            what_to_show: text("MIDPOINT"),
            format_date: Some(2),
            keep_up_to_date: None,
        }
    }

    fn fetch(wanted: &HistoricalDataRequest) -> Result<Vec<HistoricalDataBar>, (i32, String)> {
        let world = World::new(1, &[]);
        let opening = bars(&world, wanted, Timestamp::UNIX_EPOCH);
        let frames = opening.map_err(|refusal| (refusal.code, refusal.message))?.frames;
        assert_eq!(frames.iter().map(|frame| frame.id).collect::<Vec<_>>(), [17, 108]);
        let end = HistoricalDataEnd::decode(frames[1].body.as_slice()).unwrap();
        assert!(end.start_date_str.unwrap().ends_with(" UTC"));
        assert_eq!(end.end_date_str.as_deref(), Some(NOW));
        Ok(HistoricalData::decode(frames[0].body.as_slice()).unwrap().historical_data_bars)
    }

    fn dates(bar_size: &str, duration: &str) -> Vec<String> {
        fetch(&request("SPY", bar_size, duration)).unwrap().into_iter().map(|bar| bar.date.unwrap()).collect()
    }

    #[test]
    fn daily_bars_count_trading_days() {
        assert_eq!(dates("1 day", "3 D"), ["20260819", "20260820", "20260821"]);
        assert_eq!(dates("1 day", "1 W").len(), 5);
        assert_eq!(dates("1 day", "6 D")[0], "20260814", "over a weekend");
        assert!((250..265).contains(&dates("1 day", "1 Y").len()));
    }

    #[test]
    fn longer_bars_end_on_their_last_trading_day() {
        assert_eq!(dates("1 week", "2 W"), ["20260814", "20260821"]);
        assert_eq!(dates("1M", "3 M"), ["20260529", "20260630", "20260731", "20260821"]);
    }

    #[test]
    fn intraday_bars_carry_epoch_seconds_and_stay_in_session() {
        let hours = dates("30 mins", "2 D");
        assert_eq!((hours.len(), hours[0].as_str()), (26, "1787232600"));
        assert_eq!(dates("5 mins", "3600 S").len(), 12);
        let text = HistoricalDataRequest { format_date: Some(1), ..request("SPY", "1 hour", "3600 S") };
        assert_eq!(fetch(&text).unwrap()[0].date.as_deref(), Some("20260821 19:30:00 UTC"));
        assert_eq!(fetch(&request("EUR", "1 hour", "1 D")).unwrap().len(), 21, "a currency trades all day");
    }

    #[test]
    fn bars_agree_with_each_other() {
        let (short, long) =
            (fetch(&request("SPY", "5 mins", "1 D")), fetch(&request("SPY", "5 mins", "3 D")));
        let (short, long) = (short.unwrap(), long.unwrap());
        assert!(long.ends_with(&short));
        let day = &fetch(&request("SPY", "1 day", "1 D")).unwrap()[0];
        let prices =
            |price: fn(&HistoricalDataBar) -> Option<f64>| short.iter().map(move |bar| price(bar).unwrap());
        assert_eq!((day.open, day.close), (short[0].open, short.last().unwrap().close));
        assert_eq!(day.high, prices(|bar| bar.high).reduce(f64::max));
        assert_eq!(day.low, prices(|bar| bar.low).reduce(f64::min));
        let show = |what: &str| {
            fetch(&HistoricalDataRequest {
                what_to_show: Some(what.into()),
                ..request("SPY", "1 day", "1 D")
            })
            .unwrap()
        };
        let close = |what| show(what)[0].close;
        assert!(close("BID") < close("MIDPOINT") && close("MIDPOINT") < close("ASK"));
        assert!(close("BID") <= close("TRADES") && close("TRADES") <= close("ASK"));
        let [quotes, bids, asks] = ["BID_ASK", "BID", "ASK"].map(|what| show(what).remove(0));
        assert_eq!((quotes.high, quotes.low), (asks.high, bids.low));
        assert!(quotes.open < quotes.close, "the average bid and the average ask");
        let rate = &show("HISTORICAL_VOLATILITY")[0];
        assert!(Some(0.0) < rate.low && rate.low < rate.high && rate.high < Some(1.0), "{rate:?}");
        assert_eq!(show("BID")[0].volume.as_deref(), Some("-1"));
        assert!(show("TRADES")[0].volume.as_deref().unwrap().parse::<u64>().unwrap() > 0);
    }

    #[test]
    fn what_cannot_be_served_is_an_error_that_names_it() {
        let code_and_text = |wanted: &HistoricalDataRequest| fetch(wanted).unwrap_err();
        for (wanted, code, text) in [
            (request("NOSUCH", "1 day", "1 D"), 200, "No security definition"),
            (request("SPY", "7 mins", "1 D"), 321, "\"7 mins\" is invalid. Legal ones are: 1 secs"),
            (request("SPY", "1 day", "1 X"), 321, "\"1 X\" is invalid"),
            (request("SPY", "1 day", "0 D"), 321, "\"0 D\" is invalid"),
            (request("SPY", "1 day", ""), 321, "duration \"\""),
            (request("SPY", "1 secs", "1 Y"), 162, "too many bars"),
            (request("SPY", "1 secs", "1000000 S"), 162, "too many bars"),
        ] {
            let (actual, message) = code_and_text(&wanted);
            assert_eq!(actual, code, "{message}");
            assert!(message.contains(text), "{message}");
        }
        let end = HistoricalDataRequest {
            end_date_time: Some("tomorrow".into()),
            ..request("SPY", "1 day", "1 D")
        };
        assert_eq!(code_and_text(&end).0, 10314);
        let trades =
            HistoricalDataRequest { what_to_show: Some("TRADES".into()), ..request("EUR", "1 day", "1 D") };
        assert_eq!(code_and_text(&trades).0, 162);
    }

    #[test]
    fn the_past_begins_with_the_first_day() {
        let days = dates("1 day", "1000000 D");
        let world = World::new(1, &[]);
        let contract = Contract { symbol: Some("SPY".into()), ..Default::default() };
        let first_day = world.find(&contract).next().unwrap().listing.first_day();
        assert_eq!(days[0], first_day.strftime("%Y%m%d").to_string());
    }

    #[test]
    fn an_end_is_read_in_every_form_and_defaults_to_now() {
        let end = |text: &str| {
            let wanted = HistoricalDataRequest { end_date_time: Some(text.into()), ..Default::default() };
            end_of(&wanted, Timestamp::UNIX_EPOCH).map_err(|refusal| refusal.code)
        };
        assert_eq!(end(""), Ok(0));
        assert_eq!(end("20260821 21:00:00 UTC"), end("20260821-21:00:00"));
        assert_eq!(end("20260821 21:00:00"), Ok(1_787_346_000));
        assert_eq!(end("20260821 21:00:00 Mars/Olympus"), Err(10314));
    }
}
