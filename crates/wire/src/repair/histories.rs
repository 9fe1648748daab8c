//! Answers with bars, of which ibapi wants two messages: the bars and the end.

use std::collections::VecDeque;

use prost::Message;

use crate::frame::Frame;
use crate::messages::{HistoricalData, HistoricalDataEnd};

/// HistoricalData.
const BARS: u32 = 17;

/// HistoricalDataEnd.
const END: u32 = 108;

/// How many answers are known to have begun: TWS has 50 at a time.
const MOST: usize = 1_024;

/// The requests whose bars have come, and whose end has not.
#[derive(Debug, Default)]
pub(crate) struct Histories(VecDeque<i32>);

impl Histories {
    /// Follows a message from the Gateway, and says what has to come before it: where TWS has no bars at all it sends the end alone.
    pub(crate) fn follow(&mut self, id: u32, body: &[u8]) -> Option<Frame> {
        if !matches!(id, BARS | END) {
            return None;
        }
        // Both messages begin with the request's id, and the bars need not be read for it.
        let req_id = HistoricalDataEnd::decode(id_alone(body)).ok()?.req_id?;
        let known = self.0.iter().position(|known| *known == req_id);
        match (id, known) {
            (END, Some(at)) => {
                self.0.remove(at);
            }
            (END, None) => {
                let none = HistoricalData { req_id: Some(req_id), ..Default::default() };
                return Some(Frame::protobuf(BARS, &none));
            }
            (_, Some(_)) => {}
            (_, None) => {
                if self.0.len() == MOST {
                    self.0.pop_front();
                }
                self.0.push_back(req_id);
            }
        }
        None
    }
}

/// The first field.
fn id_alone(body: &[u8]) -> &[u8] {
    super::scan::take(&mut &*body).map_or(body, |piece| piece.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(req_id: i32) -> Vec<u8> {
        HistoricalDataEnd { req_id: Some(req_id), ..Default::default() }.encode_to_vec()
    }

    #[test]
    fn an_end_without_bars_gets_none_before_it() {
        let mut histories = Histories::default();
        let none = histories.follow(END, &body(7)).expect("no bars have come");
        assert_eq!(none.id(), Some(BARS));
        let none: HistoricalData = none.decode().unwrap();
        assert_eq!((none.req_id, none.historical_data_bars.len()), (Some(7), 0));
    }

    #[test]
    fn an_end_after_bars_stays_alone() {
        let mut histories = Histories::default();
        assert_eq!(histories.follow(BARS, &body(7)), None);
        assert_eq!(histories.follow(BARS, &body(7)), None);
        assert_eq!(histories.follow(BARS, &body(8)), None);
        assert_eq!(histories.follow(1, &body(7)), None);
        assert_eq!(histories.follow(END, &body(7)), None);
        assert!(histories.follow(END, &body(7)).is_some(), "a new question with the same id");
        assert_eq!(histories.follow(END, &body(8)), None);
        assert!(histories.0.is_empty());
    }

    #[test]
    fn bars_that_never_end_are_forgotten() {
        let mut histories = Histories::default();
        (0..5_000).for_each(|req_id| assert_eq!(histories.follow(BARS, &body(req_id)), None));
        assert_eq!(histories.0.len(), MOST);
    }
}
