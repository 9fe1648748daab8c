//! Proof that a stream neither repeats nor loses an event unnoticed: the simulator replays the same market to every
//! subscription, so the volumes of a session are those of every other one, from the first on.

use ibkr_connect::Event;
use ibkr_connect::resilience::StreamItem;
use ibkr_connect::types::{MarketDataEvent, TickType};
use jiff::Timestamp;

/// What a stream has given so far.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    /// The session of the last item.
    pub(crate) generation: u64,
    pub(crate) events: u64,
    pub(crate) gaps: u64,
    /// The volumes as the longest session had them.
    market: Vec<f64>,
    /// How many of them this session has had.
    position: usize,
}

impl Tape {
    /// Takes the next item, which came from the session `generation`.
    ///
    /// # Errors
    /// What must not be.
    pub(crate) fn take(&mut self, item: &StreamItem, generation: u64) -> Result<(), String> {
        match item {
            StreamItem::Gap { .. } => {
                self.gaps += 1;
                self.position = 0;
            }
            StreamItem::Data(_) if self.generation != 0 && self.generation != generation => {
                return Err(format!("session {} became {generation} without a gap", self.generation));
            }
            StreamItem::Data(event) => {
                self.events += 1;
                self.add(event)?;
            }
            other => return Err(format!("neither an event nor a gap: {other:?}")),
        }
        self.generation = generation;
        Ok(())
    }

    fn add(&mut self, event: &Event) -> Result<(), String> {
        let Event::MarketData(MarketDataEvent::Size { tick_type: TickType::VOLUME, size: Some(volume) }) =
            event
        else {
            return Ok(());
        };
        match self.market.get(self.position) {
            Some(expected) if expected != volume => {
                return Err(format!("volume {} is {volume} instead of {expected}", self.position));
            }
            Some(_) => {}
            None if self.market.last().is_some_and(|before| before > volume) => {
                return Err(format!("volume {} is {volume}, less than before", self.position));
            }
            None => self.market.push(*volume),
        }
        self.position += 1;
        Ok(())
    }
}

/// A test of the proof itself.
pub(crate) fn notices_what_must_not_be() {
    let healthy = [100.0, 300.0, 300.0, 700.0].map(volume);
    let play = |items: &[(StreamItem, u64)]| {
        let mut tape = Tape::default();
        items.iter().try_for_each(|(item, generation)| tape.take(item, *generation))
    };
    let in_session = |items: &[StreamItem], generation| -> Vec<_> {
        items.iter().map(|item| (item.clone(), generation)).collect()
    };
    let once = in_session(&healthy, 1);
    let gap = (StreamItem::Gap { from: Timestamp::UNIX_EPOCH, to: Timestamp::UNIX_EPOCH }, 2);
    let resumed = |items: &[StreamItem]| [once.clone(), vec![gap.clone()], in_session(items, 2)].concat();
    assert_eq!(play(&resumed(&healthy)), Ok(()));

    let repeated = resumed(&[healthy[0].clone(), healthy[0].clone()]);
    let lost = resumed(&[healthy[0].clone(), healthy[3].clone()]);
    let resumed_late = resumed(&healthy[2..]);
    let without_a_gap = [once.clone(), in_session(&healthy, 2)].concat();
    let backwards = in_session(&[healthy[1].clone(), healthy[0].clone()], 1);
    for wrong in [repeated, lost, resumed_late, without_a_gap, backwards] {
        play(&wrong).unwrap_err();
    }
}

fn volume(size: f64) -> StreamItem {
    let event = MarketDataEvent::Size { tick_type: TickType::VOLUME, size: Some(size) };
    StreamItem::Data(Event::MarketData(event))
}
