//! Sessions that are lost, and the streams in them.

use std::sync::atomic::Ordering;
use std::thread;

use ibkr_connect_core::Request;
use ibkr_connect_resilience::{NextAttempt, RestartLimit};

use super::*;
use crate::connectors::{Counting, Muffler};

fn a_loss_is_repaired(cause: impl Fn(&Simulator)) {
    let gateway = gateway(Vec::new());
    let supervisor = supervise(&gateway, quick());
    let first = session(&supervisor);
    assert_eq!((first.generation(), supervisor.generation()), (1, 1));
    let before = Timestamp::now();
    let mut stream = block_on(supervisor.subscribe(quotes())).unwrap();
    data(&mut stream);

    cause(&gateway);
    block_on(first.closed());
    let (from, to) = gap(&mut stream);
    assert!(
        before - Duration::from_secs(1) <= from && from <= to && to <= Timestamp::now(),
        "{from} to {to}"
    );
    assert_eq!((stream.generation(), supervisor.generation()), (2, 2));
    let second = session(&supervisor);
    assert_eq!(second.generation(), 2);
    block_on(second.ping()).unwrap();
    assert_eq!(block_on(first.ping()).unwrap_err().kind(), ErrorKind::Disconnected);

    block_on(supervisor.close());
    assert_eq!(gateway.stats().accepted, 2, "one attempt was enough");
    assert!(gateway.wait_until(PATIENCE, |stats| stats.active == 0));
}

#[test]
fn a_closed_session_is_replaced_and_its_stream_goes_on_after_one_gap() {
    a_loss_is_repaired(Simulator::disconnect_all);
}

#[test]
fn a_reset_session_is_replaced_and_its_stream_goes_on_after_one_gap() {
    a_loss_is_repaired(Simulator::reset_all);
}

#[test]
fn every_loss_is_one_gap() {
    const LOSSES: u64 = 20;
    let gateway = gateway(Vec::new());
    let restarts = RestartLimit::default().with_count(u32::MAX);
    let supervisor = supervise(&gateway, quick().with_restarts(restarts));
    session(&supervisor);
    let mut streams = [(); 3].map(|()| block_on(supervisor.subscribe(quotes())).unwrap());
    for loss in 1..=LOSSES {
        streams.iter_mut().for_each(data);
        gateway.reset_all();
        for stream in &mut streams {
            gap(stream);
            assert_eq!(stream.generation(), loss + 1);
        }
    }
    assert_eq!(supervisor.generation(), LOSSES + 1);
    assert_eq!(gateway.stats().accepted as u64, LOSSES + 1);
}

#[test]
fn a_gateway_that_is_restarted_is_waited_for_without_a_connect() {
    let gateway = gateway(Vec::new());
    let port = gateway.port();
    let connector = Arc::new(Counting::default());
    let options = quick().with_schedule(vec![Duration::from_secs(1)]);
    let supervisor =
        Supervisor::start(Arc::clone(&connector) as Arc<dyn Connector>, target(port), options).unwrap();
    session(&supervisor);
    let mut stream = block_on(supervisor.subscribe(quotes())).unwrap();
    data(&mut stream);

    drop(gateway);
    let waiting = until(&supervisor, "nothing listens", |state| {
        matches!(state, SupervisorState::Recovering { next: NextAttempt::WhenListening, .. })
    });
    assert!(waiting.to_string().contains("when something listens"), "{waiting}");
    let error = block_on(supervisor.request(Request::ProofOfLife)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    assert!(error.message().starts_with("the session is recovering"), "{error}");
    let late = block_on(supervisor.session_within(Duration::from_millis(50))).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Timeout);
    // The session's end can be seen before the listener's: then one attempt has been refused.
    assert!(connector.count() <= 2, "{}", connector.count());

    let attempts = connector.count();
    let (gateway, mut wanted) = thread::scope(|scope| {
        let waiting = scope.spawn(|| block_on(supervisor.subscribe(quotes())).unwrap());
        (restarted(port), waiting.join().unwrap())
    });
    gap(&mut stream);
    data(&mut wanted);
    assert_eq!(wanted.generation(), 2, "it has waited for a session");
    assert_eq!((supervisor.generation(), connector.count()), (2, attempts + 1));
    assert_eq!(gateway.stats().accepted, 1);
}

#[test]
fn a_snapshot_ends_and_is_not_repeated_in_the_next_session() {
    let gateway = gateway(Vec::new());
    let supervisor = supervise(&gateway, quick());
    session(&supervisor);
    let snapshot = StreamRequest::MarketData(MarketDataParams::snapshot(Contract::stock("AAPL")));
    let mut stream = block_on(supervisor.subscribe(snapshot)).unwrap();
    while let Some(item) = next(&mut stream) {
        assert!(matches!(item.unwrap(), StreamItem::Data(_)));
    }
    gateway.disconnect_all();
    assert!(gateway.wait_until(PATIENCE, |stats| stats.accepted == 2));
    // What the new session is asked after the old streams were opened anew.
    until_generation(&supervisor, 2);
    block_on(session(&supervisor).positions()).unwrap();
    assert_eq!(gateway.stats().requested("reqMktData"), 1);
}

#[test]
fn a_stream_that_is_opened_while_its_session_is_lost_goes_on_too() {
    let gateway = gateway(Vec::new());
    let muffler = Arc::new(Muffler::default());
    let connector = Arc::clone(&muffler) as Arc<dyn Connector>;
    let supervisor = Supervisor::start(connector, target(gateway.port()), quick()).unwrap();
    session(&supervisor);
    let mut stream = thread::scope(|scope| {
        let hold = muffler.switches.subscribing.blocking_lock();
        let opening = scope.spawn(|| block_on(supervisor.subscribe(quotes())).unwrap());
        assert!(gateway.wait_until(PATIENCE, |stats| stats.requested("reqMktData") == 1));
        gateway.reset_all();
        until_generation(&supervisor, 2);
        drop(hold);
        opening.join().unwrap()
    });
    data(&mut stream);
    assert_eq!(stream.generation(), 2, "what was opened in the lost session is nobody's");
}

#[test]
fn a_session_that_is_lost_while_streams_are_opened_makes_no_gap_of_its_own() {
    let gateway = gateway(Vec::new());
    let muffler = Arc::new(Muffler::default());
    muffler.switches.losing_generation.store(2, Ordering::SeqCst);
    let connector = Arc::clone(&muffler) as Arc<dyn Connector>;
    let supervisor = Supervisor::start(connector, target(gateway.port()), quick()).unwrap();
    session(&supervisor);
    let mut stream = block_on(supervisor.subscribe(quotes())).unwrap();
    data(&mut stream);
    for generation in [2, 3] {
        gateway.reset_all();
        until_generation(&supervisor, generation);
    }
    let (from, to) = gap(&mut stream);
    assert!(from < to);
    assert_eq!(stream.generation(), 3);
}
