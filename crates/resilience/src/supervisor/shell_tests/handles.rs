//! Clones, and their end.

use ibkr_connect_core::FlowControl;

use super::*;

/// The states that follow, until the end.
async fn rest(mut transitions: Transitions) -> Vec<&'static str> {
    let mut states = Vec::new();
    while let Some(transition) = timeout(60 * SECOND, transitions.next()).await.expect("no end") {
        states.push(transition.state.as_str());
    }
    states
}

#[tokio::test(start_paused = true)]
async fn the_last_clone_that_is_dropped_ends_it_and_no_other_one_does() {
    let stage = Stage::up().await;
    let transitions = stage.supervisor.transitions();
    let mut stream = stage.quotes().await;
    let last = stage.supervisor.with_flow(FlowControl::Conflate).clone();
    drop(stage.supervisor);
    sleep(60 * SECOND).await;
    assert_eq!(last.state(), SupervisorState::Ready);
    stage.gateway.newest(&quotes()).send(quote(1));
    assert_data(next(&mut stream).await, quote(1));
    last.positions().await.unwrap();

    drop(last);
    assert_eq!(next(&mut stream).await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(rest(transitions).await, ["connecting", "ready", "closed"], "and nothing keeps it alive");
}

#[tokio::test(start_paused = true)]
async fn any_clone_closes_all() {
    let stage = Stage::up().await;
    let mut stream = stage.quotes().await;
    let other = stage.supervisor.clone();
    other.close().await;
    assert_eq!(stage.supervisor.state(), SupervisorState::Closed);
    for handle in [&stage.supervisor, &other] {
        assert_eq!(handle.session().await.unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(handle.positions().await.unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(handle.position_updates().await.unwrap_err().kind(), ErrorKind::Closed);
        handle.close().await;
    }
    assert_eq!(next(&mut stream).await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_one_handle_asks_for_is_not_what_another_one_gets() {
    let stage = Stage::up().await;
    let lossy = stage.supervisor.with_flow(FlowControl::Lossless { capacity: 2 });
    let params = MarketDataParams::streaming(Contract::stock("AAPL"));
    let mut small = lossy.market_data(params).await.unwrap();
    let source = stage.gateway.newest(&quotes());
    let mut large = stage.quotes().await;
    for number in 0..5 {
        source.send(quote(number));
        stage.gateway.newest(&quotes()).send(quote(number));
    }
    drop(source);
    for number in 0..5 {
        assert_data(next(&mut large).await, quote(number));
    }
    for number in 0..2 {
        let Event::MarketData(expected) = quote(number) else { unreachable!() };
        assert_eq!(small.next().await.unwrap().unwrap(), StreamItem::Data(expected));
    }
    assert!(matches!(small.next().await.unwrap().unwrap(), StreamItem::Gap { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_session_fails_at_once_and_is_not_made_later() {
    let stage = Stage::up().await;
    stage.gateway.refuses(Some(error(ErrorKind::Rejected)));
    stage.gateway.loses_all();
    sleep(SECOND).await;
    let error = timeout(SECOND, stage.supervisor.positions()).await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Disconnected, true), "{error}");
    stage.gateway.refuses(None);
    stage.supervisor.session().await.unwrap();
    stage.supervisor.positions().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_typed_stream_goes_on_in_the_next_session() {
    let stage = Stage::up().await;
    let mut positions = stage.supervisor.position_updates().await.unwrap();
    let request = StreamRequest::PositionUpdates;
    for generation in [1, 2] {
        stage.gateway.newest(&request).send(position_end());
        let item = timeout(60 * SECOND, positions.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(
            (item, positions.generation()),
            (StreamItem::Data(PositionUpdatesEvent::End {}), generation)
        );
        if generation == 1 {
            stage.gateway.loses_all();
            let gap = timeout(60 * SECOND, positions.next()).await.unwrap().unwrap().unwrap();
            assert!(matches!(gap, StreamItem::Gap { .. }), "{gap:?}");
        }
    }
}
