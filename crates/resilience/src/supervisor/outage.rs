//! Outages of IBKR's servers, as the Gateway's notices tell them.

use ibkr_connect_core::types::{Connectivity, FarmStatus};

use super::time::Reading;

/// Whether the Gateway has lost IBKR's servers, and since when.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Servers {
    outage: Option<Outage>,
}

#[derive(Debug, Clone, Copy)]
struct Outage {
    since: Reading,
    end: End,
}

/// What ends an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// 1101 or 1102, after a 1100.
    Restored,
    /// Any farm that is back, too: no notice says that a 2110 is over.
    Farm,
}

impl Servers {
    /// Takes a change. When it ends an outage: since when there was one.
    pub(crate) fn on(&mut self, now: Reading, change: &Connectivity) -> Option<Reading> {
        let ended = match change {
            Connectivity::Lost {} => {
                self.lost(Outage { since: now, end: End::Restored });
                None
            }
            Connectivity::Broken {} => {
                self.lost(Outage { since: now, end: End::Farm });
                None
            }
            Connectivity::Restored { .. } => self.outage.take(),
            Connectivity::DataFarm { status: FarmStatus::Connected, .. } => {
                self.outage.take_if(|outage| outage.end == End::Farm)
            }
            _ => None,
        };
        ended.map(|outage| outage.since)
    }

    pub(crate) fn lost_since(&self) -> Option<Reading> {
        self.outage.map(|outage| outage.since)
    }

    /// TWS may say so again and again. An outage that a 1100 belongs to ends as a 1100 does.
    fn lost(&mut self, new: Outage) {
        let outage = self.outage.get_or_insert(new);
        if new.end == End::Restored {
            outage.end = End::Restored;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ibkr_connect_core::types::FarmKind;

    use super::*;

    fn at(seconds: u64) -> Reading {
        Reading::START + Duration::from_secs(seconds)
    }

    fn farm(status: FarmStatus) -> Connectivity {
        Connectivity::DataFarm { kind: FarmKind::MarketData, name: "usfarm".to_owned(), status }
    }

    /// What ends the outage that began with these changes, at 1 s and later.
    fn ends(changes: &[Connectivity]) -> [bool; 4] {
        let farms = [FarmStatus::Connected, FarmStatus::Inactive, FarmStatus::Connecting].map(farm);
        let [back, inactive, connecting] = farms;
        [Connectivity::Restored { data_kept: true }, back, inactive, connecting].map(|end| {
            let mut servers = Servers::default();
            for (second, change) in (1..).zip(changes) {
                assert_eq!(servers.on(at(second), change), None);
            }
            let ended = servers.on(at(60), &end);
            assert_eq!(ended.is_some(), servers.lost_since().is_none());
            assert!(ended.is_none_or(|since| since == at(1)), "it began with the first word of it");
            ended.is_some()
        })
    }

    #[test]
    fn a_2110_is_over_with_a_farm_and_a_1100_only_when_it_is_said() {
        let (lost, broken) = (Connectivity::Lost {}, Connectivity::Broken {});
        assert_eq!(ends(std::slice::from_ref(&broken)), [true, true, false, false]);
        assert_eq!(ends(std::slice::from_ref(&lost)), [true, false, false, false]);
        assert_eq!(ends(&[broken.clone(), lost.clone()]), [true, false, false, false]);
        assert_eq!(ends(&[lost, broken]), [true, false, false, false]);
    }

    #[test]
    fn without_an_outage_nothing_ends() {
        let mut servers = Servers::default();
        assert_eq!(servers.on(at(1), &Connectivity::Restored { data_kept: true }), None);
        assert_eq!(servers.on(at(1), &farm(FarmStatus::Disconnected)), None);
        assert_eq!(servers.lost_since(), None);
    }
}
