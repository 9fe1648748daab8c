//! The client ids that the Gateway holds itself: it has said 326 to them.

use std::collections::HashSet;
use std::time::Duration;

use ibkr_connect_state::{Mergeable, Moment, Shareable};
use serde::{Deserialize, Serialize};

/// More are not remembered: the oldest are forgotten.
const MOST: usize = 1_000;
/// No Gateway holds an id for longer.
const LONGEST_HOLD: Duration = Duration::from_secs(86_400);

/// The client ids that are left alone for a while.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RefusedIds {
    ids: Vec<RefusedId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct RefusedId {
    at: Moment,
    id: i32,
    hold_ms: u64,
}

impl RefusedIds {
    /// Leaves `id` alone for so long, and forgets those whose time is over.
    pub(super) fn add(&mut self, id: i32, now: Moment, hold_ms: u64) {
        self.ids.retain(|refused| refused.holds(now) && refused.id != id);
        self.ids.push(RefusedId { at: now, id, hold_ms });
        self.cut();
    }

    /// The ids that are left alone at `now`.
    pub(super) fn at(&self, now: Moment) -> HashSet<i32> {
        self.ids.iter().filter(|refused| refused.holds(now)).map(|refused| refused.id).collect()
    }

    fn cut(&mut self) {
        let surplus = self.ids.len().saturating_sub(MOST);
        self.ids.drain(..surplus);
    }
}

impl RefusedId {
    fn holds(&self, now: Moment) -> bool {
        now.since(self.at) < Duration::from_millis(self.hold_ms).min(LONGEST_HOLD)
    }
}

impl Shareable for RefusedIds {
    const VERSION: u32 = 1;

    fn moments(&mut self, change: &mut dyn FnMut(&mut Moment)) {
        self.ids.iter_mut().for_each(|refused| change(&mut refused.at));
    }

    fn clamp(&mut self, _: Moment) {
        self.cut();
    }
}

impl Mergeable for RefusedIds {
    fn merge(&mut self, unwritten: Self) {
        self.ids.extend(unwritten.ids);
        self.ids.sort_unstable();
        self.ids.dedup();
        self.cut();
    }
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Moment {
        Moment::from_millis(seconds * 1_000)
    }

    #[test]
    fn an_id_is_left_alone_for_its_time_and_then_forgotten() {
        let mut refused = RefusedIds::default();
        refused.add(7, at(0), 5_000);
        refused.add(8, at(4), 5_000);
        assert_eq!(refused.at(at(4)), HashSet::from([7, 8]));
        assert_eq!(refused.at(at(5)), HashSet::from([8]));
        refused.add(8, at(6), 5_000);
        assert_eq!(refused.ids.len(), 1);
        assert_eq!(refused.at(at(10)), HashSet::from([8]));
    }

    #[test]
    fn nonsense_holds_no_id_for_ever() {
        let mut refused = RefusedIds::default();
        for id in 0..2_000 {
            refused.add(id, at(0), u64::MAX);
        }
        assert_eq!(refused.at(at(86_399)).len(), MOST);
        assert_eq!(refused.at(at(86_400)), HashSet::new());
    }

    #[test]
    fn what_two_processes_know_is_known() {
        let [mut one, mut two] = [7, 8].map(|id| {
            let mut refused = RefusedIds::default();
            refused.add(id, at(0), 5_000);
            refused
        });
        one.merge(two.clone());
        two.merge(one.clone());
        assert_eq!((one.at(at(1)), one), (HashSet::from([7, 8]), two));
    }
}
