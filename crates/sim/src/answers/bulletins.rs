//! Bulletins: one at each full hour, and every sixth hour an exchange is away until the next.

use jiff::Timestamp;

use crate::framing::Frame;
use crate::messages::{NewsBulletin, NewsBulletinsRequest, Response};
use crate::session::{Feed, Opening};

const HOUR: i64 = 3600;
const EXCHANGE: &str = "ISLAND";

#[derive(Debug)]
struct BulletinFeed {
    /// The newest hour that has been told of.
    told: i64,
}

/// Those of the day so far if they are asked for, then each that comes.
pub(crate) fn subscribe(wanted: &NewsBulletinsRequest, now: Timestamp) -> Opening {
    let hour = now.as_second().div_euclid(HOUR);
    let midnight = hour - hour.rem_euclid(24);
    let first = if wanted.all_messages == Some(true) { midnight } else { hour + 1 };
    let frames = (first..=hour).map(bulletin).collect();
    Opening { frames, feed: Some(Box::new(BulletinFeed { told: hour })) }
}

impl Feed for BulletinFeed {
    fn next_change(&mut self, now: Timestamp) -> Vec<Frame> {
        let hour = now.as_second().div_euclid(HOUR);
        let new = (self.told + 1..=hour).map(bulletin).collect();
        self.told = self.told.max(hour);
        new
    }
}

fn bulletin(hour: i64) -> Frame {
    let (kind, message, exchange) = match hour.rem_euclid(6) {
        4 => (2, format!("{EXCHANGE} is not available"), EXCHANGE),
        5 => (3, format!("{EXCHANGE} is available again"), EXCHANGE),
        _ => (1, format!("It is {:02}:00 UTC and all is well", hour.rem_euclid(24)), ""),
    };
    let message = NewsBulletin {
        news_msg_id: i32::try_from(hour).ok(),
        news_msg_type: Some(kind),
        news_message: Some(message),
        originating_exch: Some(exchange.into()),
    };
    message.frame()
}
