use ibkr_connect_fuzz::{Target, count};

use super::*;
use crate::record_attack::attack;

#[test]
fn history_record() {
    Target::local("history_record", env!("CARGO_MANIFEST_DIR")).memory(512 * 1024, 256).run(|bytes| {
        attack(bytes, |mut requests: HistoricalRequests, now| {
            let keys: Vec<HistoricalKey> = requests.sent.iter().map(|sent| sent.key.clone()).collect();
            let other = HistoricalKey { series: "AAPL".to_owned(), details: "1 min".to_owned(), weight: 1 };
            let mut waits = 0;
            for key in keys.iter().chain([&other]) {
                let wait = requests.wait(now, key, []);
                assert!(wait <= ALL, "{wait:?} for {key:?}");
                waits += usize::from(!wait.is_zero());
            }
            requests.add(requests.clone());
            assert_eq!(requests.sent.len(), keys.len(), "what is known already was added");
            format!("{} {}", count(keys.len()), count(waits))
        })
    });
}
