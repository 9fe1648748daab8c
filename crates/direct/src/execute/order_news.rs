//! Which of the updates about orders are news. ibapi mixes answers to requests in, TWS repeats itself, and a commission report may come
//! before its execution.

use std::hash::{DefaultHasher, Hash, Hasher};

use ibkr_connect_core::types::{CommissionReport, OrderUpdatesEvent};
use indexmap::IndexMap;

/// Executions of which a report may still come, or come again: more than come in a second, and a report seldom takes longer.
const MOST_TOLD: usize = 4_096;

/// Reports whose execution has not come. Most answer requests, and nobody will want them.
const MOST_EARLY: usize = 1_024;

/// What was told of executions and their reports.
#[derive(Debug, Default)]
pub(super) struct OrderNews {
    /// By the execution's id, the oldest first.
    told: IndexMap<String, Told>,
    /// The same of reports that have come before their execution.
    early: IndexMap<String, CommissionReport>,
}

/// What was told last about an execution.
#[derive(Debug)]
struct Told {
    execution: Fingerprint,
    report: Option<Fingerprint>,
}

/// Tells contents apart, in a few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fingerprint(u64);

impl Fingerprint {
    fn of(content: &impl std::fmt::Debug) -> Self {
        let mut hasher = DefaultHasher::new();
        format!("{content:?}").hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl OrderNews {
    /// Tells what is news: the update, if it is, and what was kept for it.
    pub(super) fn hear(&mut self, update: OrderUpdatesEvent, mut tell: impl FnMut(OrderUpdatesEvent)) {
        match update {
            OrderUpdatesEvent::Execution { ref execution, .. } => {
                let exec_id = execution.exec_id.clone();
                let fingerprint = Fingerprint::of(execution);
                if self.told.get(&exec_id).is_some_and(|told| told.execution == fingerprint) {
                    return;
                }
                tell(update);
                self.executed(&exec_id, fingerprint);
                if let Some(report) = self.early.shift_remove(&exec_id) {
                    self.reported(Box::new(report), tell);
                }
            }
            OrderUpdatesEvent::CommissionReport(report) => self.reported(report, tell),
            other => tell(other),
        }
    }

    fn executed(&mut self, exec_id: &str, execution: Fingerprint) {
        if let Some(told) = self.told.get_mut(exec_id) {
            told.execution = execution;
            return;
        }
        make_room(&mut self.told, MOST_TOLD);
        self.told.insert(exec_id.to_owned(), Told { execution, report: None });
    }

    fn reported(&mut self, report: Box<CommissionReport>, mut tell: impl FnMut(OrderUpdatesEvent)) {
        let Some(told) = self.told.get_mut(&report.exec_id) else {
            make_room(&mut self.early, MOST_EARLY);
            self.early.insert(report.exec_id.clone(), *report);
            return;
        };
        let fingerprint = Some(Fingerprint::of(&report));
        if told.report != fingerprint {
            told.report = fingerprint;
            tell(OrderUpdatesEvent::CommissionReport(report));
        }
    }
}

/// The oldest half goes where there is no room for another one.
fn make_room<V>(map: &mut IndexMap<String, V>, most: usize) {
    if map.len() >= most {
        map.drain(..most / 2);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use ibkr_connect_core::literal;
    use ibkr_connect_core::types::{Execution, OrderStatus};
    use proptest::prelude::*;

    use super::*;
    use OrderUpdatesEvent as Event;

    fn filled(exec_id: &str) -> Event {
        let execution = literal!(Execution { exec_id: exec_id.to_owned(), ..Default::default() });
        Event::Execution { contract: Box::default(), execution: Box::new(execution) }
    }

    fn paid(exec_id: &str, commission: f64) -> Event {
        Event::CommissionReport(Box::new(literal!(CommissionReport {
            exec_id: exec_id.to_owned(),
            commission: Some(commission),
            ..Default::default()
        })))
    }

    fn status(filled: f64) -> Event {
        Event::OrderStatus(Box::new(literal!(OrderStatus { filled: Some(filled), ..Default::default() })))
    }

    fn told(updates: impl IntoIterator<Item = Event>) -> Vec<Event> {
        let (mut news, mut all) = (OrderNews::default(), Vec::new());
        updates.into_iter().for_each(|update| news.hear(update, |update| all.push(update)));
        all
    }

    #[test]
    fn a_report_comes_after_its_execution_whichever_is_first() {
        let expected = [filled("a"), paid("a", 1.0)];
        assert_eq!(told([filled("a"), paid("a", 1.0)]), expected);
        assert_eq!(told([paid("a", 1.0), filled("a")]), expected);
        assert_eq!(told([paid("a", 1.0), filled("a"), paid("a", 1.0), filled("a")]), expected, "repeated");
        assert_eq!(told([paid("a", 1.0), paid("b", 1.0)]), [], "they answer a request");
        let corrected = [filled("a.01"), paid("a.01", 1.0), filled("a.02"), paid("a.02", 2.0)];
        assert_eq!(told(corrected.clone()), corrected, "another id is another execution");
    }

    #[test]
    fn what_is_revised_is_news() {
        assert_eq!(
            told([filled("a"), paid("a", 1.0), paid("a", 1.5), paid("a", 1.5)]),
            [filled("a"), paid("a", 1.0), paid("a", 1.5)]
        );
        assert_eq!(told([paid("a", 1.0), paid("a", 1.5), filled("a")]), [filled("a"), paid("a", 1.5)]);
        let busted = || {
            let execution =
                literal!(Execution { exec_id: "a".to_owned(), shares: Some(5.0), ..Default::default() });
            Event::Execution { contract: Box::default(), execution: Box::new(execution) }
        };
        assert_eq!(told([filled("a"), paid("a", 1.0), busted()]), [filled("a"), paid("a", 1.0), busted()]);
    }

    #[test]
    fn neither_executions_nor_reports_are_kept_for_ever() {
        let mut news = OrderNews::default();
        for number in 0..20_000 {
            news.hear(filled(&number.to_string()), |_| {});
            news.hear(paid(&format!("other {number}"), 1.0), |_| {});
        }
        assert!(news.told.len() <= MOST_TOLD && news.early.len() <= MOST_EARLY);
        let mut heard = Vec::new();
        for update in [paid("19999", 1.0), paid("5", 1.0), filled("other 19999"), filled("other 5")] {
            news.hear(update, |update| heard.push(update));
        }
        let expected =
            [paid("19999", 1.0), filled("other 19999"), paid("other 19999", 1.0), filled("other 5")];
        assert_eq!(heard, expected, "the newest are kept");
    }

    #[derive(Debug, Clone, Copy)]
    enum Comes {
        Execution(u8),
        Report(u8, u8),
        Status(u8),
    }

    fn comes() -> impl Strategy<Value = Comes> {
        prop_oneof![
            (0..4_u8).prop_map(Comes::Execution),
            (0..4_u8, 0..2_u8).prop_map(|(of, says)| Comes::Report(of, says)),
            (0..9_u8).prop_map(Comes::Status),
        ]
    }

    proptest! {
        #[test]
        fn nothing_is_lost_nor_told_too_early_in_any_order(sequence in prop::collection::vec(comes(), 0..40)) {
            let event = |comes: &Comes| match comes {
                Comes::Execution(of) => filled(&of.to_string()),
                Comes::Report(of, says) => paid(&of.to_string(), f64::from(*says)),
                Comes::Status(says) => status(f64::from(*says)),
            };
            let told = told(sequence.iter().map(event));

            let (mut executed, mut paid, mut statuses) = (HashMap::new(), BTreeMap::new(), Vec::new());
            for update in &told {
                match update {
                    Event::Execution { execution, .. } => {
                        prop_assert!(executed.insert(execution.exec_id.clone(), ()).is_none(), "told twice");
                    }
                    Event::CommissionReport(report) => {
                        prop_assert!(executed.contains_key(&report.exec_id), "before its execution");
                        let before = paid.insert(report.exec_id.clone(), report.commission);
                        prop_assert_ne!(before, Some(report.commission), "told again");
                    }
                    Event::OrderStatus(status) => statuses.push(status.filled),
                    other => prop_assert!(false, "{other:?}"),
                }
            }
            let mut newest = BTreeMap::new();
            for comes in &sequence {
                if let Comes::Report(of, says) = comes {
                    newest.insert(of.to_string(), Some(f64::from(*says)));
                }
            }
            let all: Vec<_> = sequence.iter().filter_map(|comes| match comes {
                Comes::Execution(of) => Some(of.to_string()),
                _ => None,
            }).collect();
            prop_assert!(all.iter().all(|of| executed.contains_key(of)) && executed.len() <= all.len());
            newest.retain(|of, _| executed.contains_key(of));
            prop_assert_eq!(paid, newest, "the newest report of each");
            let said: Vec<_> = sequence.iter().filter_map(|comes| match comes {
                Comes::Status(says) => Some(Some(f64::from(*says))),
                _ => None,
            }).collect();
            prop_assert_eq!(statuses, said, "everything else as it came");
        }
    }
}
