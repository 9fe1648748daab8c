//! Every way in which a Gateway can fail a connect, against both backends: the same kind and phase, within the
//! deadline, and nothing left behind on either side.
//!
//! `Phase` says which phase is which, and docs/gateway-behaviour.md what a Gateway does.

mod support;

use std::time::{Duration, Instant};

use ibkr_connect::ConnectionMode;
use ibkr_connect::ErrorKind::{self, *};
use ibkr_connect::Phase::{self, *};
use ibkr_connect_sim::{Fault, SimOptions, Simulator};

use crate::support::backend::{Backend, NobodyListens, target};
use crate::support::fake_gateway::{Behaviour, FakeGateway};
use crate::support::real_backends::on_real_backends;
use crate::support::{run, traces, until};

/// The deadline of an attempt that only its deadline ends.
const SHORT: Duration = Duration::from_millis(800);

/// What an attempt may take beyond its deadline, on a busy machine.
const MARGIN: Duration = Duration::from_millis(1_200);

/// How soon an attempt ends that needs no deadline.
const AT_ONCE: Duration = Duration::from_secs(5);

/// What a Gateway can say instead of its accounts.
const LOST: &str = "Connectivity between IBKR and Trader Workstation has been lost.";
const DISCLAIMER: &str = "Paper trading disclaimer must first be accepted for API connection.";

/// A pause that hurts nobody.
const PAUSE: Duration = Duration::from_millis(50);

/// A test per row and backend, called like `direct::silent`.
macro_rules! faults {
    ($( $name:ident: $gateway:expr => $expected:expr; )+) => {
        #[allow(dead_code, reason = "only the simulator can tell whether a row is missing")]
        const ROWS: &[&str] = &[$( stringify!($name) ),+];

        on_real_backends! { $( fn $name(mode) { check(mode, &$gateway, $expected); } )+ }
    };
}

mod simulator {
    use super::*;

    faults! {
        healthy: sim([]) => Connects;
        silent: sim([Fault::Silent]) => TimesOut(HandshakeTimeout, Version);
        close_before_version: sim([Fault::CloseBeforeVersion]) => Fails(Rejected, Version);
        reset_before_version: sim([Fault::ResetBeforeVersion]) => Fails(Rejected, Version);
        close_after_version: sim([Fault::CloseAfterVersion]) => Fails(Rejected, StartApi);
        close_after_start_api: sim([Fault::CloseAfterStartApi]) => Fails(Rejected, StartApi);
        reset_after_start_api: sim([Fault::ResetAfterStartApi]) => Fails(Rejected, StartApi);
        delay_per_frame: sim([Fault::DelayPerFrame(PAUSE)]) => Connects;
        delay_per_frame_beyond_the_deadline: sim([Fault::DelayPerFrame(2 * SHORT)]) => TimesOut(HandshakeTimeout, Version);
        delay_handshake: sim([Fault::DelayHandshake(PAUSE)]) => Connects;
        drip: sim([Fault::Drip(Duration::from_millis(1))]) => Connects;
        drip_beyond_the_deadline: sim([Fault::Drip(PAUSE)]) => TimesOut(HandshakeTimeout, Version);
        pause_mid_frame: sim([Fault::PauseMidFrame(PAUSE)]) => Connects;
        hold: sim([Fault::Hold]) => Connects;
        mute_after_version: sim([Fault::MuteAfterVersion]) => TimesOut(HandshakeTimeout, StartApi);
        mute_after_handshake: sim([Fault::MuteAfterHandshake]) => TimesOut(HandshakeTimeout, Verify);
        // The delay keeps the answer of the verifying request back until the connection is gone.
        drop_after: sim([Fault::DropAfter(Duration::ZERO), Fault::DelayPerFrame(PAUSE)]) => Fails(Disconnected, Verify);
        reset_after: sim([Fault::ResetAfter(Duration::ZERO), Fault::DelayPerFrame(PAUSE)]) => Fails(Disconnected, Verify);
        garbage_version: sim([Fault::GarbageVersion]) => Fails(Protocol, Version);
        bad_frame_length: sim([Fault::BadFrameLength]) => Fails(Protocol, StartApi);
        garbage_frame: sim([Fault::GarbageFrame]) => Fails(Protocol, StartApi);
        server_version: sim([Fault::ServerVersion(212)]) => Fails(ServerTooOld, Version);
        no_managed_accounts: sim([Fault::NoManagedAccounts]) => TimesOut(HandshakeTimeout, Accounts);
        no_next_valid_id: sim([Fault::NoNextValidId]) => TimesOut(HandshakeTimeout, Accounts);
        empty_accounts: sim([Fault::EmptyAccounts]) => Fails(Protocol, Accounts);
        flood: sim([Fault::Flood(150)]) => Connects;
        reject: sim([Fault::Reject(507)]) => FailsWithCode(Rejected, StartApi, 507);
        client_id_in_use: sim([Fault::ClientIdInUse]) => FailsWithCode(ClientIdInUse, StartApi, 326);
        reorder: sim([Fault::Reorder]) => Connects;
        wedged: wedged_sim() => TimesOut(GatewayWedged, Version);
    }

    #[test]
    fn every_fault_of_the_simulator_has_a_row() {
        for fault in Fault::examples() {
            let text = fault.to_string();
            let name = text.split('=').next().unwrap().replace('-', "_");
            assert!(ROWS.contains(&name.as_str()), "{name}");
        }
    }
}

mod fake {
    use super::*;

    faults! {
        healthy: fake(Behaviour::Healthy) => Connects;
        never_accepts: fake(Behaviour::NeverAccepts) => TimesOut(GatewayWedged, Version);
        never_accepts_and_is_full: fake(Behaviour::NeverAcceptsAndIsFull) => TimesOut(GatewayWedged, Tcp);
        accepts_and_stays_silent: fake(Behaviour::AcceptsAndStaysSilent) => TimesOut(HandshakeTimeout, Version);
        closes_before_version: fake(Behaviour::ClosesBeforeVersion) => Fails(Rejected, Version);
        resets_before_version: fake(Behaviour::ResetsBeforeVersion) => Fails(Rejected, Version);
        closes_in_mid_version: fake(Behaviour::ClosesInMidVersion) => Fails(Rejected, Version);
        answers_in_http: fake(Behaviour::AnswersInHttp) => Fails(Protocol, Version);
        sends_no_number_as_version: fake(Behaviour::SendsNoNumberAsVersion) => Fails(Protocol, Version);
        sends_news_before_its_version: fake(Behaviour::SendsNewsBeforeItsVersion) => Connects;
        sends_news_instead_of_its_version: fake(Behaviour::SendsNewsInsteadOfItsVersion) => Fails(Protocol, Version);
        writes_in_other_encodings: fake(Behaviour::WritesInOtherEncodings) => Connects;
        sends_version_212: fake(Behaviour::SendsVersion212) => Fails(ServerTooOld, Version);
        drips_its_version: fake(Behaviour::DripsItsVersion(PAUSE)) => TimesOut(HandshakeTimeout, Version);
        sends_its_version_in_pieces: fake(Behaviour::SendsItsVersionInPieces(PAUSE)) => Connects;
        closes_after_version: fake(Behaviour::ClosesAfterVersion) => Fails(Rejected, StartApi);
        stays_silent_after_version: fake(Behaviour::StaysSilentAfterVersion) => TimesOut(HandshakeTimeout, StartApi);
        closes_after_start_api: fake(Behaviour::ClosesAfterStartApi) => Fails(Rejected, StartApi);
        resets_after_start_api: fake(Behaviour::ResetsAfterStartApi) => Fails(Rejected, StartApi);
        sends_frame_length_0: fake(Behaviour::SendsFrameLength(0)) => Fails(Protocol, StartApi);
        sends_frame_length_3: fake(Behaviour::SendsFrameLength(3)) => Fails(Protocol, StartApi);
        sends_frame_length_2_gib: fake(Behaviour::SendsFrameLength(0x7fff_ffff)) => Fails(Protocol, StartApi);
        sends_undecodable_accounts: fake(Behaviour::SendsUndecodableAccounts) => Fails(Protocol, StartApi);
        refuses_the_client_id: fake(Behaviour::RefusesTheClientId) => FailsWithCode(ClientIdInUse, StartApi, 326);
        refuses: fake(Behaviour::Refuses(507)) => FailsWithCode(Rejected, StartApi, 507);
        only_chatters: fake(Behaviour::OnlyChatters) => TimesOut(HandshakeTimeout, StartApi);
        sends_only_accounts: fake(Behaviour::SendsOnlyAccounts) => TimesOut(HandshakeTimeout, Accounts);
        sends_only_next_valid_id: fake(Behaviour::SendsOnlyNextValidId) => TimesOut(HandshakeTimeout, Accounts);
        sends_nobodys_accounts: fake(Behaviour::SendsAccounts("")) => Fails(Protocol, Accounts);
        sends_only_commas_as_accounts: fake(Behaviour::SendsAccounts(" ,,")) => Fails(Protocol, Accounts);
        floods_with_orders: fake(Behaviour::FloodsWithOrders) => Connects;
        floods_with_notices: fake(Behaviour::FloodsWithNotices(150)) => Connects;
        sends_small_errors_without_end: fake(Behaviour::SendsErrorsWithoutEnd(50)) => Fails(Protocol, StartApi);
        sends_big_errors_without_end: fake(Behaviour::SendsErrorsWithoutEnd(1 << 20)) => Fails(Protocol, StartApi);
        sends_errors_beyond_the_limit: fake(Behaviour::SendsErrorsWithoutEnd(8 << 20)) => Fails(Protocol, StartApi);
        sends_an_order_id_beyond_the_limit: fake(Behaviour::SendsNextValidId(1_787_000_000)) => Connects;
        sends_order_id_0: fake(Behaviour::SendsNextValidId(0)) => Connects;
        says_only_that_ibkr_is_lost: fake(Behaviour::SaysOnly(1100, LOST)) => TimesOutWithCode(HandshakeTimeout, StartApi, 1100);
        says_only_that_a_disclaimer_waits: fake(Behaviour::SaysOnly(10141, DISCLAIMER)) => TimesOutWithCode(HandshakeTimeout, StartApi, 10141);
        sends_next_valid_id_first: fake(Behaviour::SendsNextValidIdFirst) => Connects;
        stays_silent_after_handshake: fake(Behaviour::StaysSilentAfterHandshake) => TimesOut(HandshakeTimeout, Verify);
        closes_during_verify: fake(Behaviour::ClosesDuringVerify) => Fails(Disconnected, Verify);
        complains_during_verify: fake(Behaviour::ComplainsDuringVerify) => Connects;
        complains_first: fake(Behaviour::ComplainsFirst(5)) => Connects;
        only_complains: fake(Behaviour::OnlyComplains) => TimesOut(HandshakeTimeout, Verify);
        complains_without_end: fake(Behaviour::ComplainsWithoutEnd(50)) => TimesOut(HandshakeTimeout, Verify);
        knows_only_the_time: fake(Behaviour::KnowsOnlyTheTime) => Connects;
        never_closes: fake(Behaviour::NeverCloses) => Connects;
    }
}

mod nobody {
    use super::*;

    faults! {
        listens: NobodyListens::new() => Fails(NotListening, Tcp);
    }
}

/// That a fault leaves nothing is worth no more than the eye that looks.
mod evidence {
    use std::net::{Shutdown, TcpStream};

    use ibkr_connect_cleanup::half_closed;

    use super::*;

    #[test]
    fn a_client_that_leaves_a_fake_with_fin_is_convicted() {
        let gateway = fake(Behaviour::StaysSilentAfterVersion);
        leave_with_fin(gateway.port());
    }

    #[test]
    fn a_client_that_leaves_the_simulator_with_fin_is_convicted() {
        let gateway = sim([Fault::MuteAfterVersion]);
        leave_with_fin(gateway.port());
        assert!(gateway.wait_until(AT_ONCE, |stats| stats.zombies_held == 1));
    }

    fn leave_with_fin(port: u16) {
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        client.shutdown(Shutdown::Both).unwrap();
        drop(client);
        run(until("a CLOSE_WAIT is seen", || half_closed(&[port]).unwrap().len() == 1));
    }

    #[test]
    fn a_worker_that_runs_is_seen() {
        let gateway = sim([]);
        let backend = Backend::new(ConnectionMode::Subprocess);
        let connection = run(backend.connect(&target(gateway.port()))).unwrap();
        assert_eq!(traces::processes(backend.worker().path()), [connection.info().worker_pid.unwrap()]);
        run(connection.close()).unwrap();
    }
}

/// What a row expects of an attempt.
#[derive(Debug, Clone, Copy)]
enum Expected {
    /// It succeeds, and so does the close.
    Connects,
    /// It fails long before its deadline.
    Fails(ErrorKind, Phase),
    /// The same, and TWS gave a code.
    FailsWithCode(ErrorKind, Phase, i32),
    /// It fails at its deadline.
    TimesOut(ErrorKind, Phase),
    /// The same, and TWS gave a code.
    TimesOutWithCode(ErrorKind, Phase, i32),
}

use Expected::*;

fn check(mode: ConnectionMode, gateway: &impl Gateway, expected: Expected) {
    let backend = Backend::new(mode);
    let mut target = target(gateway.port());
    if matches!(expected, TimesOut(..) | TimesOutWithCode(..)) {
        target.timeout = SHORT;
    }
    let begun = Instant::now();
    let outcome = run(backend.connect(&target));
    let took = begun.elapsed();
    if let Err(error) = &outcome {
        // A reset can come before the socket is said to be connected.
        let last = error.phases().last().expect("the times of its phases").phase;
        assert!(Some(last) <= error.phase(), "{last} is not in {error:?}");
    }
    let got = outcome.as_ref().map(|_| ()).map_err(|error| (error.kind(), error.phase(), error.code()));
    let (wanted, within) = match expected {
        Connects => (Ok(()), AT_ONCE),
        Fails(kind, phase) => (Err((kind, Some(phase), None)), AT_ONCE),
        FailsWithCode(kind, phase, code) => (Err((kind, Some(phase), Some(code))), AT_ONCE),
        TimesOut(kind, phase) => (Err((kind, Some(phase), None)), SHORT + MARGIN),
        TimesOutWithCode(kind, phase, code) => (Err((kind, Some(phase), Some(code))), SHORT + MARGIN),
    };
    assert_eq!(got, wanted, "{outcome:?} after {took:?}");
    assert!(took < within, "{outcome:?} after {took:?}");
    match outcome {
        Ok(connection) => run(connection.close()).unwrap(),
        Err(error) => assert!(error.advice().is_some_and(|advice| !advice.is_empty()), "{error}"),
    }
    backend.assert_left_nothing(gateway.port());
}

trait Gateway {
    fn port(&self) -> u16;
}

impl Gateway for Simulator {
    fn port(&self) -> u16 {
        self.port()
    }
}

impl Gateway for FakeGateway {
    fn port(&self) -> u16 {
        self.port()
    }
}

impl Gateway for NobodyListens {
    fn port(&self) -> u16 {
        self.port()
    }
}

fn sim<const N: usize>(faults: [Fault; N]) -> Simulator {
    Simulator::start(SimOptions { faults: faults.to_vec(), ..SimOptions::default() }).unwrap()
}

fn wedged_sim() -> Simulator {
    Simulator::start(SimOptions { wedge_after: Some(0), ..SimOptions::default() }).unwrap()
}

fn fake(behaviour: Behaviour) -> FakeGateway {
    FakeGateway::start(behaviour)
}
