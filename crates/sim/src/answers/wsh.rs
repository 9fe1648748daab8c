//! Wall Street Horizon: a calendar of earnings dates and dividends, as JSON.

use jiff::Timestamp;
use jiff::ToSpan;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::framing::Frame;
use crate::market::{Kind, World};
use crate::messages::{RequestId, Response, WshEventData, WshEventDataRequest, WshMetaData};
use crate::session::Refusal;

/// Tags and names of the events.
const EVENT_TYPES: [(&str, &str); 2] = [("wshe_ed", "Earnings Date"), ("wshe_div", "Dividend")];

/// IBKR's limit for one request.
const MOST_EVENTS: usize = 100;

/// Which events there are.
pub(crate) fn metadata(wanted: &RequestId) -> Frame {
    let types = EVENT_TYPES.map(|(tag, name)| json!({ "name": name, "tag": tag }));
    let data_json = Some(json!({ "validated": true, "data": { "event_types": types } }).to_string());
    WshMetaData { req_id: wanted.req_id, data_json }.frame()
}

/// IBKR's error 10282 for events before the metadata.
pub(crate) fn metadata_first(wanted: &RequestId) -> Refusal {
    Refusal::new(wanted.req_id.unwrap_or(-1), 10282, "WSH meta-data not requested")
}

/// The events of a contract or a filter, in the order of their days.
pub(crate) fn events(world: &World, wanted: &WshEventDataRequest, now: Timestamp) -> Result<Frame, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let failed =
        |cause: String| Refusal::new(req_id, 10283, format!("Failed request WSH event data:{cause}"));
    let (con_ids, tags) = match wanted.filter.as_deref() {
        None => (vec![wanted.con_id.unwrap_or_default()], EVENT_TYPES.map(|(tag, _)| tag).to_vec()),
        Some(filter) => read_filter(filter).map_err(failed)?,
    };
    let day = |text: &Option<String>, default| match text.as_deref().unwrap_or_default() {
        "" => Ok(default),
        text => Date::strptime("%Y%m%d", text).map_err(|_| failed(format!("{text:?} is not a day yyyymmdd"))),
    };
    let days = day(&wanted.start_date, Date::MIN)?..=day(&wanted.end_date, Date::MAX)?;
    let today = TimeZone::UTC.to_datetime(now).date();
    let mut events: Vec<_> = con_ids
        .into_iter()
        .filter(|con_id| is_stock(world, *con_id))
        .flat_map(|con_id| calendar(con_id, today))
        .filter(|(day, tag, _)| days.contains(day) && tags.contains(tag))
        .collect();
    events.sort_unstable();
    let limit = wanted.total_limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(MOST_EVENTS);
    let events: Vec<_> = events.into_iter().take(limit.min(MOST_EVENTS)).map(event).collect();
    Ok(WshEventData { req_id: Some(req_id), data_json: Some(Value::Array(events).to_string()) }.frame())
}

/// Earnings and a dividend in each quarter of last year, this and the next.
fn calendar(con_id: i32, today: Date) -> impl Iterator<Item = (Date, &'static str, i32)> {
    let quarters =
        (-1..=1).flat_map(move |years| [1, 4, 7, 10].map(|month| date(today.year() + years, month, 1)));
    quarters.flat_map(move |quarter| {
        let later = |days: i32| quarter.saturating_add(days.days());
        [(later(10 + con_id % 20), "wshe_ed", con_id), (later(40 + con_id % 20), "wshe_div", con_id)]
    })
}

fn event((day, tag, con_id): (Date, &str, i32)) -> Value {
    json!({ "conid": con_id, "event_type": tag, "index_date": day.strftime("%Y%m%d").to_string() })
}

fn is_stock(world: &World, con_id: i32) -> bool {
    world.instruments.iter().any(|found| found.listing.con_id == con_id && found.listing.kind == Kind::Stock)
}

/// Contracts and tags of a filter such as `{"watchlist":["265598"],"wshe_ed":"true"}`.
fn read_filter(filter: &str) -> Result<(Vec<i32>, Vec<&'static str>), String> {
    let filter: Value =
        serde_json::from_str(filter).map_err(|error| format!("the filter is no JSON: {error}"))?;
    let watched = filter["watchlist"].as_array().ok_or("the filter has no watchlist")?;
    let con_ids = watched
        .iter()
        .map(|con_id| con_id.as_str().and_then(|con_id| con_id.parse().ok()))
        .collect::<Option<_>>()
        .ok_or("the filter's watchlist has more than contract ids")?;
    let tags = EVENT_TYPES.map(|(tag, _)| tag).into_iter().filter(|tag| filter[*tag] == "true");
    Ok((con_ids, tags.collect()))
}
