//! When a silent worker is given up: a state machine without clock and I/O.
//!
//! It counts missed pongs and not time: when the host is suspended or stopped, no ping is sent, so none is missed.

use std::fmt;

use crate::wire::PongFrom;

/// How many pings in a row the worker's reader may miss.
const LINK_MISSES: u32 = 3;
/// How many pings in a row its loop may miss: a long computation is no death.
const LOOP_MISSES: u32 = 6;

/// Counts what was missed since the last pongs.
#[derive(Debug, Default)]
pub(crate) struct Heartbeat {
    link: u32,
    logic: u32,
}

impl Heartbeat {
    /// To be called when the next ping is due: says whether it is to be sent, or who was lost.
    pub(crate) fn tick(&mut self) -> Result<(), HeartbeatLost> {
        if self.link >= LINK_MISSES {
            return Err(HeartbeatLost::Link);
        }
        if self.logic >= LOOP_MISSES {
            return Err(HeartbeatLost::Loop);
        }
        self.link += 1;
        self.logic += 1;
        Ok(())
    }

    /// Any pong is a sign of life, whichever ping it answers.
    pub(crate) fn pong(&mut self, from: PongFrom) {
        match from {
            PongFrom::Link => self.link = 0,
            PongFrom::Loop => self.logic = 0,
        }
    }
}

/// Which part of the worker has fallen silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeartbeatLost {
    /// The thread that reads its stdin: the process hangs or is stopped.
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

    fn ticks_until_lost(pongs: &[PongFrom]) -> (u32, HeartbeatLost) {
        let mut heartbeat = Heartbeat::default();
        for sent in 0..100 {
            if let Err(lost) = heartbeat.tick() {
                return (sent, lost);
            }
            pongs.iter().for_each(|from| heartbeat.pong(*from));
        }
        panic!("not lost after 100 pings");
    }

    #[test]
    fn a_silent_process_is_lost_after_three_pings_and_a_silent_loop_after_six() {
        assert_eq!(ticks_until_lost(&[]), (3, HeartbeatLost::Link));
        assert_eq!(ticks_until_lost(&[PongFrom::Link]), (6, HeartbeatLost::Loop));
    }

    #[test]
    fn one_pong_forgives_all_misses() {
        let mut heartbeat = Heartbeat::default();
        for _ in 0..10 {
            assert_eq!((heartbeat.tick(), heartbeat.tick()), (Ok(()), Ok(())));
            heartbeat.pong(PongFrom::Link);
            heartbeat.pong(PongFrom::Loop);
        }
    }
}
