//! When a silent server is given up: a state machine without clock and I/O.
//!
//! It counts missed pongs and not time: when the host is suspended or stopped, no ping is sent, so none is missed.

use std::fmt;
use std::time::{Duration, Instant};

use crate::alarm::after;
use crate::frames::PongFrom;

/// How many pings in a row the server's reader may miss.
const LINK_MISSES: u32 = 3;
/// How many pings in a row its loop may miss: a long computation is not a death.
const LOOP_MISSES: u32 = 6;

/// Counts what was missed since the last pongs.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Duration,
    due: Instant,
    link: u32,
    logic: u32,
}

/// What is to be done about the heartbeat.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Nothing before the next one is due.
    Wait,
    /// A ping is to be sent.
    Ping,
}

impl Heartbeat {
    /// The first ping is due after an `interval`.
    pub(crate) fn new(now: Instant, interval: Duration) -> Self {
        Self { interval, due: after(now, interval), link: 0, logic: 0 }
    }

    /// When the next ping is due.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Says whether a ping is to be sent, or who was lost.
    pub(crate) fn tick(&mut self, now: Instant) -> Result<Beat, HeartbeatLost> {
        if now < self.due {
            return Ok(Beat::Wait);
        }
        if self.link >= LINK_MISSES {
            return Err(HeartbeatLost::Link);
        }
        if self.logic >= LOOP_MISSES {
            return Err(HeartbeatLost::Loop);
        }
        self.link += 1;
        self.logic += 1;
        self.due = after(now, self.interval);
        Ok(Beat::Ping)
    }

    /// A part of an answer has come, which the loop has written and which is as good as a pong: the pongs are behind it.
    pub(crate) fn progress(&mut self) {
        (self.link, self.logic) = (0, 0);
    }

    /// Any pong is a sign of life, whichever ping it answers.
    pub(crate) fn pong(&mut self, from: &PongFrom) {
        match from {
            PongFrom::Link => self.link = 0,
            PongFrom::Loop => self.logic = 0,
            PongFrom::Other(_) => {}
        }
    }
}

/// Which part of the server has fallen silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeartbeatLost {
    /// The thread that reads its input: the process hangs or is stopped.
    Link,
    /// The loop that runs the requests, while the process lives.
    Loop,
}

impl fmt::Display for HeartbeatLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link => write!(f, "heartbeat lost (link): {LINK_MISSES} pings without an answer"),
            Self::Loop => {
                write!(f, "heartbeat lost (loop): {LOOP_MISSES} pings without an answer of its loop")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(5);

    fn ticks_until_lost(pongs: &[PongFrom]) -> (u32, HeartbeatLost) {
        let mut heartbeat = Heartbeat::new(Instant::now(), INTERVAL);
        for sent in 0..100 {
            if let Err(lost) = heartbeat.tick(heartbeat.due()) {
                return (sent, lost);
            }
            pongs.iter().for_each(|from| heartbeat.pong(from));
        }
        panic!("not lost after 100 pings");
    }

    #[test]
    fn a_silent_process_is_lost_after_three_pings_and_a_silent_loop_after_six() {
        assert_eq!(ticks_until_lost(&[]), (3, HeartbeatLost::Link));
        assert_eq!(ticks_until_lost(&[PongFrom::Link]), (6, HeartbeatLost::Loop));
        let newer = PongFrom::Other("watchdog".to_owned());
        assert_eq!(ticks_until_lost(&[newer]), (3, HeartbeatLost::Link));
    }

    #[test]
    fn a_long_answer_that_comes_slowly_is_a_sign_of_life() {
        let mut heartbeat = Heartbeat::new(Instant::now(), INTERVAL);
        for _ in 0..10 {
            assert_eq!(heartbeat.tick(heartbeat.due()), Ok(Beat::Ping));
            heartbeat.progress();
        }
    }

    #[test]
    fn one_pong_forgives_all_misses() {
        let mut heartbeat = Heartbeat::new(Instant::now(), INTERVAL);
        for _ in 0..10 {
            assert_eq!(heartbeat.tick(heartbeat.due()), Ok(Beat::Ping));
            assert_eq!(heartbeat.tick(heartbeat.due()), Ok(Beat::Ping));
            heartbeat.pong(&PongFrom::Link);
            heartbeat.pong(&PongFrom::Loop);
        }
    }

    #[test]
    fn a_suspended_host_misses_no_ping() {
        let now = Instant::now();
        let mut heartbeat = Heartbeat::new(now, INTERVAL);
        assert_eq!(heartbeat.tick(now), Ok(Beat::Wait));
        let next_day = now + Duration::from_secs(24 * 3600);
        assert_eq!(heartbeat.tick(next_day), Ok(Beat::Ping));
        assert_eq!(heartbeat.tick(next_day), Ok(Beat::Wait), "one ping for the whole day");
        assert_eq!(heartbeat.due(), next_day + INTERVAL);
    }
}
