//! The healthy Gateway and its zombies, on the wire.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::Duration;

use crate::raw_client::{PATIENCE, RawClient, simulator};
use ibkr_connect_sim::{Hold, SimOptions, Simulator};

#[test]
fn the_handshake_byte_by_byte() {
    let options = SimOptions { notices: false, ..SimOptions::default() };
    let simulator = Simulator::start(options).unwrap();
    let mut client = RawClient::connect(&simulator);
    client.greet();
    let acknowledgement = client.acknowledgement();
    let fields: Vec<_> = acknowledgement.split('\0').collect();
    assert_eq!((fields.len(), fields[0], fields[2]), (3, "226", ""));
    assert_eq!((fields[1].len(), &fields[1][17..]), (21, " UTC"), "{fields:?}");
    client.assert_silence();

    client.write(b"\x00\x00\x00\x06\x00\x00\x01\x0f\x08\x0b");
    let mut bytes = [0; 29];
    client.stream.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes[..19], b"\x00\x00\x00\x0f\x00\x00\x00\xd7\x0a\x09DU1234567");
    assert_eq!(&bytes[19..], b"\x00\x00\x00\x06\x00\x00\x00\xd1\x08\x01");
    assert!(simulator.wait_until(PATIENCE, |stats| stats.handshakes == 1 && stats.client_ids == [11]));
    assert_eq!((simulator.stats().frames_in, simulator.stats().frames_out), (2, 3));
}

#[test]
fn a_greeting_in_segments_is_read_exactly() {
    let simulator = simulator(&[]);
    let mut client = RawClient::connect(&simulator);
    for part in [b"AP".as_slice(), b"I\0\x00", b"\x00\x00\x09v21", b"3..2", b"26"] {
        client.write(part);
    }
    assert!(client.acknowledgement().starts_with("226\0"));
}

#[test]
fn who_speaks_no_common_dialect_is_closed() {
    let simulator = simulator(&[]);
    let texts: [&[u8]; 5] = [
        b"62\0",
        b"GET / HTTP/1.1\r\n",
        b"API\0\0\0\0\x09v100..200",
        b"API\0\0\0\0\x09v227..230",
        b"API\0\0\0\0\x03xyz",
    ];
    for (count, text) in texts.into_iter().enumerate() {
        let mut client = RawClient::connect(&simulator);
        client.write(text);
        client.assert_closed();
        assert!(simulator.wait_until(PATIENCE, |stats| stats.rejected == count + 1));
    }
    assert_eq!(simulator.stats().zombies_held_max, 0);
}

#[test]
fn a_text_start_api_is_closed() {
    let simulator = simulator(&[]);
    let mut client = RawClient::connect(&simulator);
    client.greet();
    client.acknowledgement();
    client.write(b"\x00\x00\x00\x0971\x002\x001\x00\x00\x00");
    client.assert_closed();
}

#[test]
fn an_illegal_length_ends_a_session() {
    let simulator = simulator(&[]);
    let mut client = RawClient::handshaken(&simulator, 1);
    client.write(&[0x01, 0, 0, 0]);
    client.assert_closed();
}

#[test]
fn unknown_requests_are_counted_and_refused_where_they_have_an_id() {
    let simulator = simulator(&[]);
    let mut client = RawClient::handshaken(&simulator, 1);
    client.request(14, &[8, 5]);
    // Fundamental data, which IBKR has given up.
    client.request(52, &[8, 42]);
    let (id, body) = client.frame().unwrap();
    assert_eq!((id, &body[..2]), (4, [8, 42].as_slice()), "an error for request 42");
    client.request(9, &[0x12, 0xff]);
    assert_eq!(client.frame().unwrap().0, 4, "a body that can't be decoded is an error too");
    client.request(49, &[]);
    assert_eq!(client.frame().unwrap().0, 49);
    assert_eq!(simulator.stats().unknown_requests, 2);
}

#[test]
fn every_frame_that_could_trade_is_counted_and_refused() {
    let simulator = simulator(&[]);
    let mut client = RawClient::handshaken(&simulator, 1);
    for id in [3, 4, 58, 21, 19] {
        client.request(id, &[8, 77]);
        let (answer, body) = client.frame().unwrap();
        assert_eq!(answer, 4);
        assert!(String::from_utf8_lossy(&body).contains("Read-Only"));
    }
    assert_eq!(simulator.stats().orders, 5);
}

#[test]
fn a_port_probe_leaves_a_zombie_and_a_reset_does_not() {
    let simulator = simulator(&[]);
    drop(TcpStream::connect(simulator.addr()).unwrap());
    assert!(simulator.wait_until(PATIENCE, |stats| stats.zombies_held == 1 && stats.eofs_seen == 1));

    let mut abandoned = RawClient::connect(&simulator);
    abandoned.greet();
    abandoned.acknowledgement();
    abandoned.reset();
    assert!(simulator.wait_until(PATIENCE, |stats| stats.resets_seen == 1 && stats.active == 0));
    assert_eq!((simulator.stats().zombies_held, simulator.stats().zombies_held_max), (1, 1));
}

#[test]
fn a_silent_gateway_tells_fin_from_reset_without_reading() {
    let simulator = simulator(&["silent"]);
    let mut client = RawClient::connect(&simulator);
    client.greet();
    drop(client);
    assert!(simulator.wait_until(PATIENCE, |stats| stats.zombies_held == 1));
    let mut client = RawClient::connect(&simulator);
    client.greet();
    client.reset();
    assert!(simulator.wait_until(PATIENCE, |stats| stats.resets_seen == 1));
    assert_eq!(simulator.stats().zombies_held, 1);
}

#[test]
fn a_client_that_leaves_during_a_handshake_delay_is_noticed() {
    let simulator = simulator(&["delay-handshake=2m"]);
    let mut client = RawClient::connect(&simulator);
    client.greet();
    assert!(simulator.wait_until(PATIENCE, |stats| stats.frames_in == 1));
    drop(client);
    assert!(simulator.wait_until(PATIENCE, |stats| stats.zombies_held == 1));
}

#[test]
fn a_gateway_that_never_holds_has_no_zombies() {
    let simulator = Simulator::start(SimOptions { hold: Hold::Never, ..SimOptions::default() }).unwrap();
    drop(TcpStream::connect(simulator.addr()).unwrap());
    assert!(simulator.wait_until(PATIENCE, |stats| stats.eofs_seen == 1 && stats.active == 0));
    assert_eq!(simulator.stats().zombies_held_max, 0);
}

#[test]
fn zombies_wedge_the_gateway_until_a_reset_frees_one() {
    let options = SimOptions { wedge_after: Some(2), ..SimOptions::default() };
    let simulator = Simulator::start(options).unwrap();
    let mut working = RawClient::handshaken(&simulator, 1);
    let zombies = [RawClient::connect(&simulator), RawClient::connect(&simulator)];
    zombies.iter().for_each(RawClient::finish);
    assert!(simulator.wait_until(PATIENCE, |stats| stats.zombies_held == 2));

    let mut waiting = RawClient::connect(&simulator);
    waiting.greet();
    waiting.assert_silence();
    assert_eq!(simulator.stats().accepted, 3, "the kernel accepted it, the Gateway did not");
    working.request(49, &[]);
    assert_eq!(working.frame().unwrap().0, 49, "old sessions keep working");

    let [first, _second] = zombies;
    first.reset();
    assert!(waiting.acknowledgement().starts_with("226\0"));
    assert_eq!((simulator.stats().zombies_held, simulator.stats().zombies_held_max), (1, 2));
}

#[test]
fn all_connections_end_on_demand() {
    let simulator = simulator(&[]);
    drop(TcpStream::connect(simulator.addr()).unwrap());
    let mut client = RawClient::handshaken(&simulator, 1);
    assert!(simulator.wait_until(PATIENCE, |stats| stats.zombies_held == 1));
    simulator.disconnect_all();
    client.assert_closed();
    drop(client);
    assert!(simulator.wait_until(PATIENCE, |stats| stats.zombies_held == 0 && stats.active == 0));

    let mut client = RawClient::handshaken(&simulator, 1);
    simulator.reset_all();
    client.assert_reset();
    RawClient::handshaken(&simulator, 1);
}

#[test]
fn a_notice_reaches_every_client() {
    let simulator = simulator(&[]);
    let mut clients = [1, 2].map(|client_id| RawClient::handshaken(&simulator, client_id));
    simulator.broadcast_notice(1100, "Connectivity between IBKR and Trader Workstation has been lost.");
    for client in &mut clients {
        let (id, body) = client.frame().unwrap();
        assert_eq!(id, 4);
        assert!(String::from_utf8_lossy(&body).contains("has been lost"));
    }
}

#[test]
fn dropping_it_closes_everything_and_frees_the_port() {
    let simulator = simulator(&[]);
    let port = simulator.port();
    let mut client = RawClient::handshaken(&simulator, 1);
    drop(simulator);
    client.assert_closed();
    let again = Simulator::start(SimOptions { port, ..SimOptions::default() }).unwrap();
    assert_eq!(again.port(), port);
    RawClient::handshaken(&again, 1);
}

#[test]
fn impossible_options_are_errors() {
    let start = |options| Simulator::start(options).unwrap_err();
    let error = start(SimOptions { server_version: 200, ..SimOptions::default() });
    assert!(error.to_string().contains("200 is outside 213..=226"), "{error}");
    let error = start(SimOptions { tick_interval: Duration::ZERO, ..SimOptions::default() });
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let running = simulator(&[]);
    let error = start(SimOptions { port: running.port(), ..SimOptions::default() });
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[test]
fn a_seed_gives_the_same_bytes_every_time() {
    let positions = |seed| {
        let simulator = Simulator::start(SimOptions { seed, ..SimOptions::default() }).unwrap();
        let mut client = RawClient::handshaken(&simulator, 1);
        client.request(61, &[]);
        client.frames_until(62)
    };
    assert_eq!(positions(42), positions(42));
    assert_ne!(positions(42), positions(43));
}

#[test]
fn stats_are_json() {
    let simulator = simulator(&[]);
    let _client = RawClient::handshaken(&simulator, 9);
    let json = serde_json::to_value(simulator.stats()).unwrap();
    assert_eq!((&json["handshakes"], &json["client_ids"][0]), (&1.into(), &9.into()));
    assert_eq!(json["requests"]["startApi"], 1);
}
