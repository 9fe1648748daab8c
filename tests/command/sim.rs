//! `sim`: the simulator as a program.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::support::host::{Finished, Running, User};
use crate::support::json;
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn says_where_it_listens_and_at_the_end_what_it_saw() {
    let user = User::new();
    let (mut sim, line) = Running::until_first_line(user.command(["sim", "--json"]));
    let listening = json::line(&line)["data"]["listening"].take();
    let port = listening.as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    let check = Finished::of(user.command(["check", "--json", "--mode", "direct", "--port", &port]));
    assert_eq!((check.code, &check.json()["ok"]), (0, &true.into()));

    kill_process(Pid::from_child(&sim.0), Signal::TERM).unwrap();
    assert!(sim.wait(Duration::from_secs(5)).success());
    let mut rest = String::new();
    sim.0.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
    let stats = json::line(&rest)["data"]["stats"].take();
    assert_eq!((&stats["handshakes"], &stats["orders"]), (&1.into(), &0.into()), "{stats}");
}

#[test]
fn misbehaves_as_told() {
    let user = User::new();
    let arguments =
        ["sim", "--fault", "reject=507", "--fault", "delay-per-frame=10ms", "--server-version", "222"];
    let (_sim, line) = Running::until_first_line(user.command(arguments));
    let check = Finished::of(user.command(["check", "--json", "--mode", "direct", "--port", &port(&line)]));
    assert_eq!((check.code, &check.json()["error"]["code"]), (5, &507.into()), "{check:?}");
}

#[test]
fn leaves_questions_for_the_time_unanswered_unless_told_not_to() {
    let user = User::new();
    // The answers to two questions for the time and one for the accounts.
    for (arguments, expected) in [
        (&["sim"][..], &[49, 15][..]),
        (&["sim", "--clock-suppression", "1ms"], &[49, 49, 15]),
        (&["sim", "--no-clock-suppression"], &[49, 49, 15]),
    ] {
        let (_sim, line) = Running::until_first_line(user.command(arguments.iter().copied()));
        let mut client = TcpStream::connect(("127.0.0.1", port(&line).parse().unwrap())).unwrap();
        client.write_all(b"API\0\0\0\0\x09v213..226").unwrap();
        let _acknowledgement = payload(&mut client);
        client.write_all(&request(71)).unwrap();
        while answer(&mut client) != 9 {}
        client.write_all(&request(49)).unwrap();
        assert_eq!(answer(&mut client), 49);
        thread::sleep(Duration::from_millis(5));
        client.write_all(&[request(105), request(17)].concat()).unwrap();
        let mut answers = vec![49];
        while answers.last() != Some(&15) {
            // The clock with milliseconds is answered by a message of another number.
            answers.push(Some(answer(&mut client)).filter(|id| *id != 109).unwrap_or(49));
        }
        assert_eq!(answers, expected, "{arguments:?}");
    }
}

fn request(id: u32) -> Vec<u8> {
    [4_u32.to_be_bytes(), (id + 200).to_be_bytes()].concat()
}

/// The number of the next message.
fn answer(client: &mut TcpStream) -> u32 {
    u32::from_be_bytes(payload(client)[..4].try_into().unwrap()) - 200
}

fn payload(client: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    client.read_exact(&mut length).unwrap();
    let mut payload = vec![0; u32::from_be_bytes(length) as usize];
    client.read_exact(&mut payload).unwrap();
    payload
}

#[test]
fn refuses_questions_about_orders_if_its_api_is_read_only() {
    let user = User::new();
    for (arguments, code) in [(&["sim"][..], 0), (&["sim", "--read-only-api"], 1)] {
        let (_sim, line) = Running::until_first_line(user.command(arguments.iter().copied()));
        let asked = Finished::of(user.command(["call", "all_open_orders", "--port", &port(&line)]));
        assert_eq!(asked.code, code, "{asked:?}");
        assert_eq!(asked.stderr.contains("TWS code 321"), code == 1, "{asked:?}");
    }
}

#[test]
fn turns_away_one_client_too_many() {
    let user = User::new();
    let limits = ["--serial-handshakes", "--client-id-linger", "1h", "--max-clients", "0"];
    let arguments = ["sim", "--over-limit", "close"].into_iter().chain(limits);
    let (_sim, line) = Running::until_first_line(user.command(arguments));
    let check = Finished::of(user.command(["check", "--json", "--mode", "direct", "--port", &port(&line)]));
    assert_eq!((check.code, &check.json()["error"]["phase"]), (5, &"version".into()), "{check:?}");

    let unknown = Finished::of(user.command(["sim", "--over-limit", "ignore"]));
    assert!(unknown.stderr.contains("expected one of: refuse, close, silence"), "{unknown:?}");
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let user = User::new();
    let (_first, line) = Running::until_first_line(user.command(["sim"]));
    let second = Finished::of(user.command(["sim", "--port", &port(&line)]));
    assert_eq!(second.code, 2, "{second:?}");
    assert!(second.stderr.contains(&format!("can't listen on port {}", port(&line))), "{second:?}");
}

fn port(first_line: &str) -> String {
    let port = first_line.strip_prefix("listening on 127.0.0.1:").unwrap_or_else(|| panic!("{first_line:?}"));
    port.trim_end().to_owned()
}
