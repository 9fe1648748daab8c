//! Proof that a stream neither repeats nor loses an event unnoticed: the simulator's volumes add up. Each one is the one
//! before plus the size of the trade in between, and a subscription begins with the same volume every time.

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
    /// The volume that every subscription begins with.
    opening: Option<f64>,
    /// The last volume since the subscription was opened.
    volume: Option<f64>,
    traded: f64,
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
                self.volume = None;
            }
            StreamItem::Data(_) if self.generation != 0 && self.generation != generation => {
                return Err(format!("session {} became {generation} without a gap", self.generation));
            }
            StreamItem::Data(event) => {
                self.events += 1;
                self.add(event)?;
            }
        }
        self.generation = generation;
        Ok(())
    }

    fn add(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::MarketData(MarketDataEvent::Price {
                tick_type: TickType::LAST, size: Some(size), ..
            }) => {
                self.traded = *size;
            }
            Event::MarketData(MarketDataEvent::Size { tick_type: TickType::VOLUME, size: Some(volume) }) => {
                let expected = match self.volume {
                    Some(before) => before + self.traded,
                    None => *self.opening.get_or_insert(*volume),
                };
                if *volume != expected {
                    return Err(format!("a volume of {volume} instead of {expected}: {self:?}"));
                }
                self.volume = Some(*volume);
            }
            _ => {}
        }
        Ok(())
    }
}

/// A test of the proof itself.
pub(crate) fn notices_what_must_not_be() {
    let healthy = [trade(300.0), volume(1_300.0), trade(100.0), volume(1_400.0)];
    let play = |items: &[(StreamItem, u64)]| {
        let mut tape = Tape::default();
        items.iter().try_for_each(|(item, generation)| tape.take(item, *generation))
    };
    let in_session = |items: &[StreamItem], generation| -> Vec<_> {
        items.iter().map(|item| (item.clone(), generation)).collect()
    };
    let once = in_session(&healthy, 1);
    let gap = (StreamItem::Gap { from: Timestamp::UNIX_EPOCH, to: Timestamp::UNIX_EPOCH }, 2);
    assert_eq!(play(&[once.clone(), vec![gap.clone()], in_session(&healthy, 2)].concat()), Ok(()));

    let repeated = [once.clone(), once[3..].to_vec()].concat();
    let lost = [once.clone(), in_session(&[trade(100.0), trade(200.0), volume(1_700.0)], 1)].concat();
    let without_a_gap = [once.clone(), in_session(&healthy, 2)].concat();
    let resumed_late = [once, vec![gap], in_session(&healthy[2..], 2)].concat();
    for wrong in [repeated, lost, without_a_gap, resumed_late] {
        play(&wrong).unwrap_err();
    }
}

fn trade(size: f64) -> StreamItem {
    data(MarketDataEvent::Price { tick_type: TickType::LAST, price: Some(1.0), size: Some(size) })
}

fn volume(size: f64) -> StreamItem {
    data(MarketDataEvent::Size { tick_type: TickType::VOLUME, size: Some(size) })
}

fn data(event: MarketDataEvent) -> StreamItem {
    StreamItem::Data(Event::MarketData(event))
}
