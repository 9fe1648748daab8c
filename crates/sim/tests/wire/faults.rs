//! Every fault, observed on the wire by a raw client.

use std::io::Read;
use std::time::{Duration, Instant};

use crate::raw_client::{PATIENCE, RawClient, parse, simulator};
use ibkr_connect_sim::{Fault, SimOptions, Simulator};

/// The ids of the frames up to and including the first with `last`.
fn ids(client: &mut RawClient, last: u32) -> Vec<u32> {
    client.frames_until(last).into_iter().map(|(id, _)| id).collect()
}

fn contains(body: &[u8], bytes: &[u8]) -> bool {
    body.windows(bytes.len()).any(|window| window == bytes)
}

#[test]
fn silent() {
    let simulator = simulator(&["silent"]);
    let mut client = RawClient::connect(&simulator);
    client.greet();
    client.assert_silence();
    assert_eq!((simulator.stats().accepted, simulator.stats().frames_in), (1, 0));
}

#[test]
fn close_before_version() {
    let simulator = simulator(&["close-before-version"]);
    let mut client = RawClient::connect(&simulator);
    client.greet();
    client.assert_closed();
    assert!(simulator.wait_until(PATIENCE, |stats| stats.rejected == 1));
}

#[test]
fn reset_before_version() {
    RawClient::connect(&simulator(&["reset-before-version"])).assert_reset();
}

#[test]
fn close_after_version() {
    let simulator = simulator(&["close-after-version"]);
    RawClient::started(&simulator, 1).assert_closed();
}

#[test]
fn close_after_start_api() {
    let simulator = simulator(&["close-after-start-api"]);
    RawClient::started(&simulator, 1).assert_closed();
    assert!(simulator.wait_until(PATIENCE, |stats| stats.rejected == 1 && stats.client_ids.is_empty()));
    assert_eq!(simulator.stats().handshakes, 0);
}

#[test]
fn reset_after_start_api() {
    RawClient::started(&simulator(&["reset-after-start-api"]), 1).assert_reset();
}

#[test]
fn mute_after_version() {
    RawClient::started(&simulator(&["mute-after-version"]), 1).assert_silence();
}

#[test]
fn mute_after_handshake_still_counts() {
    let simulator = simulator(&["mute-after-handshake"]);
    let mut client = RawClient::handshaken(&simulator, 1);
    client.request(49, &[]);
    client.assert_silence();
    assert_eq!((simulator.stats().handshakes, simulator.stats().requested("reqCurrentTime")), (1, 1));
}

#[test]
fn delay_handshake_delays_the_handshake_only() {
    let simulator = simulator(&["delay-handshake=60ms"]);
    let start = Instant::now();
    let mut client = RawClient::handshaken(&simulator, 1);
    assert!(start.elapsed() >= Duration::from_millis(360), "acknowledgement, three notices, accounts, id");
    client.request(49, &[]);
    client.frame().unwrap();
}

#[test]
fn delay_per_frame_delays_all() {
    let simulator = simulator(&["delay-per-frame=60ms"]);
    let start = Instant::now();
    let mut client = RawClient::handshaken(&simulator, 1);
    assert!(start.elapsed() >= Duration::from_millis(360), "acknowledgement, three notices, accounts, id");
    let start = Instant::now();
    client.request(49, &[]);
    client.frame().unwrap();
    assert!(start.elapsed() >= Duration::from_millis(60));
}

#[test]
fn drip_sends_single_bytes() {
    let simulator = Simulator::start(SimOptions {
        faults: parse(&["drip=3ms"]),
        notices: false,
        ..SimOptions::default()
    })
    .unwrap();
    let start = Instant::now();
    RawClient::handshaken(&simulator, 1);
    assert!(start.elapsed() >= Duration::from_millis(3) * (30 + 19 + 10));
}

#[test]
fn pause_mid_frame_delivers_half_a_frame_first() {
    let simulator = simulator(&["pause-mid-frame=1s"]);
    let mut client = RawClient::connect(&simulator);
    client.greet();
    let start = Instant::now();
    let mut half = [0; 64];
    let count = client.stream.read(&mut half).unwrap();
    assert_eq!(count, 15, "half of 30 bytes");
    client.assert_silence();
    client.stream.read_exact(&mut half[..15]).unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[test]
fn drop_after_and_reset_after() {
    let simulator = simulator(&["drop-after=50ms"]);
    RawClient::handshaken(&simulator, 1).assert_closed();
    simulator.set_faults(parse(&["reset-after=50ms"]));
    RawClient::handshaken(&simulator, 2).assert_reset();
    assert_eq!((simulator.stats().handshakes, simulator.stats().rejected), (2, 0));
}

#[test]
fn garbage_version_and_server_version() {
    let simulator = simulator(&["garbage-version"]);
    let mut client = RawClient::connect(&simulator);
    client.greet();
    assert!(client.acknowledgement().starts_with("not-a-version\0"));
    simulator.set_faults(parse(&["server-version=212"]));
    let mut client = RawClient::connect(&simulator);
    client.greet();
    assert!(client.acknowledgement().starts_with("212\0"));
}

#[test]
fn bad_frame_length() {
    let simulator = simulator(&["bad-frame-length"]);
    let mut client = RawClient::started(&simulator, 1);
    let mut length = [0; 4];
    client.stream.read_exact(&mut length).unwrap();
    assert_eq!(length, [0xff; 4]);
    client.assert_silence();
}

#[test]
fn garbage_frame_is_framed_but_undecodable() {
    let simulator = simulator(&["garbage-frame"]);
    let frames = RawClient::started(&simulator, 1).frames_until(9);
    let (_, body) = frames.iter().find(|(id, _)| *id == 15).unwrap();
    assert_eq!(body[..3], [0x0a, 0xff, 0x01], "a field of 255 bytes");
    assert!(body.len() < 255);
    assert_eq!(simulator.stats().handshakes, 0);
}

#[test]
fn missing_and_empty_accounts_and_missing_id() {
    let simulator = simulator(&["no-managed-accounts"]);
    assert_eq!(ids(&mut RawClient::started(&simulator, 1), 9), [4, 4, 4, 9]);
    simulator.set_faults(parse(&["no-next-valid-id"]));
    let mut client = RawClient::started(&simulator, 2);
    assert_eq!(ids(&mut client, 15), [4, 4, 4, 15]);
    client.assert_silence();
    simulator.set_faults(parse(&["empty-accounts"]));
    let frames = RawClient::started(&simulator, 3).frames_until(9);
    assert_eq!(frames[3], (15, vec![0x0a, 0]));
    assert_eq!(simulator.stats().handshakes, 0, "a client can do nothing with these");
}

#[test]
fn flood_comes_before_the_accounts() {
    let simulator = simulator(&["flood=150"]);
    let frames = ids(&mut RawClient::started(&simulator, 1), 9);
    assert_eq!(frames[3..153].iter().filter(|id| [3, 5].contains(id)).count(), 150);
    assert_eq!(frames[153..], [53, 15, 9]);
}

#[test]
fn reject_and_client_id_in_use() {
    let simulator = simulator(&["reject=507"]);
    let mut client = RawClient::started(&simulator, 1);
    let (id, body) = client.frame().unwrap();
    assert_eq!(id, 4);
    assert!(body.starts_with(&[8, 0xff]), "the id is -1: {body:?}");
    assert!(contains(&body, &[0x18, 0xfb, 0x03]), "the code is 507: {body:?}");
    client.assert_closed();
    simulator.set_faults(vec![Fault::ClientIdInUse]);
    let mut client = RawClient::started(&simulator, 2);
    let (_, body) = client.frame().unwrap();
    assert!(contains(&body, &[0x18, 0xc6, 0x02]), "the code is 326: {body:?}");
    assert!(contains(&body, b"client id is already in use"));
    client.assert_closed();
}

#[test]
fn reorder_sends_the_id_first() {
    let simulator = simulator(&["reorder"]);
    assert_eq!(ids(&mut RawClient::started(&simulator, 1), 15), [9, 4, 4, 4, 15]);
    assert_eq!(simulator.stats().handshakes, 1);
}

#[test]
fn hold_keeps_the_socket_after_a_normal_close_too() {
    let simulator = simulator(&["hold"]);
    let mut client = RawClient::handshaken(&simulator, 1);
    client.finish();
    assert!(simulator.wait_until(PATIENCE, |stats| stats.zombies_held == 1 && stats.active == 0));
    client.assert_silence();
    assert!(simulator.stats().client_ids.is_empty());
}

#[test]
fn a_script_gives_each_connection_its_own_faults() {
    let script = vec![parse(&["close-before-version"]), vec![]];
    let options = SimOptions { script, faults: parse(&["silent"]), ..SimOptions::default() };
    let simulator = Simulator::start(options).unwrap();
    RawClient::connect(&simulator).assert_closed();
    RawClient::handshaken(&simulator, 1);
    RawClient::connect(&simulator).assert_silence();
}
