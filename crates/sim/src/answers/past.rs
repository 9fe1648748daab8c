//! What is known of the past apart from bars and ticks: how far back it goes, when it traded, and at which prices.

use jiff::Timestamp;

use super::history::{dashed, hours, invalid, no_data};
use crate::framing::Frame;
use crate::market::{BarQuery, BarSize, HistoryError, Show, Span, World, histogram};
use crate::messages::{
    HeadTimestamp, HeadTimestampRequest, HistogramData, HistogramDataEntry, HistogramDataRequest,
    HistoricalSchedule, HistoricalSession, Response,
};
use crate::session::Refusal;

/// The beginning of the first session there are data of.
pub(crate) fn head_timestamp(world: &World, wanted: &HeadTimestampRequest) -> Result<Frame, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let contract = wanted.contract.clone().unwrap_or_default();
    let listing = world.instrument(req_id, &contract)?.listing;
    let show = wanted.what_to_show.as_deref().unwrap_or_default();
    if Show::parse(show).is_none() {
        return Err(no_data(req_id, &format!("No head time stamp for {show}")));
    }
    let day = listing.first_day();
    let midnight = jiff::tz::TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).map_or(0, Timestamp::as_second);
    let second = midnight + listing.session(day, hours(wanted.use_rth)).start;
    let head_timestamp =
        Some(if wanted.format_date == Some(2) { second.to_string() } else { dashed(second) });
    Ok(HeadTimestamp { req_id: Some(req_id), head_timestamp }.frame())
}

/// Prices and sizes of the days that a daily bar query of that length would have.
pub(crate) fn histogram_data(
    world: &World,
    wanted: &HistogramDataRequest,
    now: Timestamp,
) -> Result<Frame, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let contract = wanted.contract.clone().unwrap_or_default();
    let instrument = world.instrument(req_id, &contract)?;
    let text = wanted.time_period.as_deref().unwrap_or_default();
    let span = period(text)
        .ok_or_else(|| invalid(req_id, "Histogram period", text, "<whole number> days, weeks or months"))?;
    let query = BarQuery {
        instrument,
        end: now.as_second() + 1,
        bar_size: BarSize::Day,
        span,
        show: Show::Trades,
        hours: hours(wanted.use_rth),
    };
    let days = query.stretches().map_err(|HistoryError::TooMany| no_data(req_id, "too many days"))?;
    let times: Vec<_> = days.into_iter().flat_map(|day| day.times).collect();
    let entry =
        |(price, size): (f64, i64)| HistogramDataEntry { price: Some(price), size: Some(size.to_string()) };
    let histogram_data_entries = histogram(instrument, &times).into_iter().map(entry).collect();
    Ok(HistogramData { req_id: Some(req_id), histogram_data_entries }.frame())
}

/// The regular sessions of the days that a bar query covers.
pub(crate) fn schedule(req_id: i32, query: &BarQuery<'_>) -> Result<Frame, Refusal> {
    let days = query.stretches().map_err(|HistoryError::TooMany| no_data(req_id, "too many days"))?;
    let session = |start: i64| {
        let day = Timestamp::from_second(start).unwrap_or(Timestamp::UNIX_EPOCH);
        let day = jiff::tz::TimeZone::UTC.to_datetime(day).date();
        let midnight = start - start.rem_euclid(86_400);
        let session = query.instrument.listing.session(day, query.hours);
        HistoricalSession {
            start_date_time: Some(dashed(midnight + session.start)),
            end_date_time: Some(dashed(midnight + session.end)),
            ref_date: Some(day.strftime("%Y%m%d").to_string()),
        }
    };
    let sessions: Vec<_> = days.iter().map(|day| session(day.start())).collect();
    let (Some(first), Some(last)) = (sessions.first(), sessions.last()) else {
        return Err(no_data(req_id, "HMDS query returned no data"));
    };
    let schedule = HistoricalSchedule {
        req_id: Some(req_id),
        start_date_time: first.start_date_time.clone(),
        end_date_time: last.end_date_time.clone(),
        time_zone: Some("UTC".into()),
        historical_sessions: sessions,
    };
    Ok(schedule.frame())
}

/// Reads `3 days`, `1 week` and their like.
fn period(text: &str) -> Option<Span> {
    let (number, unit) = text.split_once(' ')?;
    let number = number.parse().ok().filter(|number| (1..=12).contains(number))?;
    match unit.trim_end_matches('s') {
        "day" => Some(Span::Days(number)),
        "week" => Some(Span::Weeks(number)),
        "month" => Some(Span::Months(number)),
        _ => None,
    }
}
