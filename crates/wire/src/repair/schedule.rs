//! Trading schedules: their times are a wall clock's, in a zone that stands beside them and that ibapi has to know.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use prost::Message;

use crate::frame::Frame;
use crate::messages::HistoricalSchedule;
use crate::{times, zones};

/// HistoricalSchedule.
pub(super) const ID: u32 = 106;

/// What ibapi is given for a time that can't be told: 1970, which is none.
const NO_TIME: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// A schedule that ibapi reads; `None` for one that it reads as it is.
pub(super) fn repaired(body: &[u8]) -> Option<Frame> {
    let was = HistoricalSchedule::decode(body).ok()?;
    let zone = zones::by_name(was.time_zone.as_deref().unwrap_or_default().trim());
    let mut schedule = was.clone();
    schedule.time_zone = Some(zone.as_ref().and_then(TimeZone::iana_name).unwrap_or("UTC").to_owned());
    let clock = |text: &mut Option<String>| {
        let time = text.as_deref().and_then(|text| wall_clock(text, zone.as_ref())).unwrap_or(NO_TIME);
        *text = Some(time.strftime("%Y%m%d-%H:%M:%S").to_string());
    };
    clock(&mut schedule.start_date_time);
    clock(&mut schedule.end_date_time);
    for session in &mut schedule.historical_sessions {
        clock(&mut session.start_date_time);
        clock(&mut session.end_date_time);
        let day = session.ref_date.as_deref().map(str::trim).and_then(times::day);
        session.ref_date = Some(day.unwrap_or(NO_TIME.date()).strftime("%Y%m%d").to_string());
    }
    (schedule != was).then(|| Frame::protobuf(ID, &schedule))
}

/// What the clock of the schedule's zone shows. A time that names its own zone is read in that one.
fn wall_clock(text: &str, zone: Option<&TimeZone>) -> Option<DateTime> {
    let clock = times::Clock::read(text)?;
    match (clock.zone, zone) {
        ("", Some(zone)) if zone.iana_name().is_some() => Some(clock.time),
        // Without a name, ibapi is given UTC.
        ("", Some(zone)) => Some(TimeZone::UTC.to_datetime(zone.to_timestamp(clock.time).ok()?)),
        ("", None) => None,
        (own, zone) => {
            let time = zones::by_name(own)?.to_timestamp(clock.time).ok()?;
            let shown_in = zone.filter(|zone| zone.iana_name().is_some()).cloned().unwrap_or(TimeZone::UTC);
            Some(shown_in.to_datetime(time))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::HistoricalSession;

    fn schedule(zone: &str, start: &str, day: &str) -> HistoricalSchedule {
        let text = |text: &str| Some(text.to_owned());
        HistoricalSchedule {
            req_id: Some(7),
            start_date_time: text(start),
            end_date_time: text(start),
            time_zone: text(zone),
            historical_sessions: vec![HistoricalSession {
                start_date_time: text(start),
                end_date_time: text(start),
                ref_date: text(day),
            }],
        }
    }

    fn given(zone: &str, start: &str, day: &str) -> Option<HistoricalSchedule> {
        repaired(&schedule(zone, start, day).encode_to_vec()).map(|frame| frame.decode().unwrap())
    }

    #[test]
    fn what_ibapi_reads_is_not_touched() {
        assert_eq!(given("US/Eastern", "20260713-09:30:00", "20260713"), None);
    }

    #[test]
    fn zones_and_renderings_become_those_that_ibapi_reads() {
        for (zone, start, iana, clock) in [
            ("EST", "20260713-09:30:00", "America/New_York", "20260713-09:30:00"),
            ("Central European Time", "20260713-09:30:00", "Europe/Berlin", "20260713-09:30:00"),
            ("JST", "20260713 09:30:00", "Asia/Tokyo", "20260713-09:30:00"),
            ("US/Eastern", "20260713 09:30:00 US/Central", "US/Eastern", "20260713-10:30:00"),
            ("GMT+2", "20260713-09:30:00", "UTC", "20260713-07:30:00"),
            ("Nowhere", "20260713-09:30:00", "UTC", "19700101-00:00:00"),
            ("", "20260713-09:30:00", "UTC", "19700101-00:00:00"),
            ("", "20260713 09:30:00 CET", "UTC", "20260713-07:30:00"),
            ("US/Eastern", "at noon", "US/Eastern", "19700101-00:00:00"),
        ] {
            let schedule = given(zone, start, "20260713").unwrap();
            let session = &schedule.historical_sessions[0];
            assert_eq!(schedule.time_zone.as_deref(), Some(iana), "{zone}");
            for time in [&schedule.start_date_time, &schedule.end_date_time, &session.start_date_time] {
                assert_eq!(time.as_deref(), Some(clock), "{zone} {start}");
            }
            assert_eq!(session.ref_date.as_deref(), Some("20260713"));
        }
    }

    #[test]
    fn the_day_of_a_session_is_read_or_1970() {
        for (day, read) in [("2026-07-13", "20260713"), ("Monday", "19700101"), ("", "19700101")] {
            let schedule = given("US/Eastern", "20260713-09:30:00", day).unwrap();
            assert_eq!(schedule.historical_sessions[0].ref_date.as_deref(), Some(read), "{day:?}");
        }
    }
}
