//! Many clients at once: handshakes one by one, the limit on clients, ids that stay taken.

use std::time::Duration;

use ibkr_connect_sim::{Handshakes, OverLimit, SimOptions, Simulator};

use crate::raw_client::{PATIENCE, RawClient};

fn start(options: SimOptions) -> Simulator {
    Simulator::start(options).unwrap()
}

fn one_by_one() -> Simulator {
    start(SimOptions { handshakes: Handshakes::OneByOne, ..SimOptions::default() })
}

#[test]
fn a_second_handshake_begins_when_the_first_is_complete() {
    let simulator = one_by_one();
    let mut first = RawClient::acknowledged(&simulator);
    let mut second = RawClient::connect(&simulator);
    second.greet();
    second.assert_silence();
    assert_eq!((simulator.stats().accepted, simulator.stats().queued), (2, 1));

    first.start_api(1);
    first.frames_until(9);
    assert!(second.acknowledgement().starts_with("226\0"));
    second.start_api(2);
    second.frames_until(9);
    assert_eq!((simulator.stats().handshakes, simulator.stats().client_ids), (2, vec![1, 2]));
}

#[test]
fn a_handshake_given_up_makes_room_however_its_client_leaves() {
    let simulator = one_by_one();
    for leave in [|client: RawClient| drop(client), RawClient::reset] {
        let first = RawClient::acknowledged(&simulator);
        let mut second = RawClient::connect(&simulator);
        second.greet();
        second.assert_silence();
        leave(first);
        assert!(second.acknowledgement().starts_with("226\0"));
        second.reset();
    }
}

#[test]
fn who_leaves_the_queue_is_noticed() {
    let simulator = one_by_one();
    let _first = RawClient::acknowledged(&simulator);
    RawClient::connect(&simulator).reset();
    assert!(simulator.wait_until(PATIENCE, |stats| stats.resets_seen == 1 && stats.active == 1));
    drop(RawClient::connect(&simulator));
    assert!(simulator.wait_until(PATIENCE, |stats| stats.zombies_held == 1 && stats.active == 1));
}

#[test]
fn one_client_too_many_is_turned_away_until_another_leaves() {
    for (_, over_limit) in OverLimit::CHOICES {
        let simulator = start(SimOptions { over_limit, ..SimOptions::default() });
        let mut clients: Vec<_> = (1..=32).map(|id| RawClient::handshaken(&simulator, id)).collect();
        let mut one_too_many = RawClient::connect(&simulator);
        match over_limit {
            OverLimit::Refuse => one_too_many.assert_reset(),
            OverLimit::Close => one_too_many.assert_closed(),
            OverLimit::Silence => {
                one_too_many.greet();
                one_too_many.assert_silence();
            }
        }
        assert_eq!((simulator.stats().turned_away, simulator.stats().active), (1, 32));
        drop(clients.pop());
        assert!(simulator.wait_until(PATIENCE, |stats| stats.active == 31));
        RawClient::handshaken(&simulator, 33);
    }
}

#[test]
fn a_client_id_stays_taken_after_its_client_left() {
    let linger = Duration::from_millis(300);
    let simulator = start(SimOptions { client_id_linger: linger, ..SimOptions::default() });
    drop(RawClient::handshaken(&simulator, 7));
    assert!(simulator.wait_until(PATIENCE, |stats| stats.active == 0));
    assert_eq!(simulator.stats().client_ids, [7]);

    let mut again = RawClient::started(&simulator, 7);
    assert_eq!(again.frame().unwrap().0, 4, "326");
    again.assert_closed();
    assert!(simulator.wait_until(PATIENCE, |stats| stats.client_ids.is_empty()));
    RawClient::handshaken(&simulator, 7);
}

#[test]
fn a_gateway_that_ends_a_connection_frees_its_id_at_once() {
    let options = SimOptions { client_id_linger: Duration::from_secs(3600), ..SimOptions::default() };
    let simulator = start(options);
    let mut client = RawClient::handshaken(&simulator, 7);
    simulator.reset_all();
    client.assert_reset();
    assert!(simulator.wait_until(PATIENCE, |stats| stats.client_ids.is_empty()));
    RawClient::handshaken(&simulator, 7);
}
