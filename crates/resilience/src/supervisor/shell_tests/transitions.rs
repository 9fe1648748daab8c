//! Transitions: each one, in order, with its cause.

use ibkr_connect_core::{CloseReason, Phase};

use super::*;

/// A transition in a line: session, state, attempt and when it is made, cause.
fn line(transition: &Transition) -> String {
    let Transition { generation, state, cause, attempt, next, at, .. } = transition;
    let next = match next {
        None => String::new(),
        Some(NextAttempt::Now) => " now".to_owned(),
        Some(NextAttempt::At(due)) => format!(" in {} s", due.duration_since(*at).as_secs()),
        Some(NextAttempt::WhenListening) => " when listening".to_owned(),
    };
    let attempt = attempt.map(|attempt| format!(", attempt {attempt}")).unwrap_or_default();
    format!("{generation} {}{attempt}{next}: {cause}", state.as_str())
}

/// Those that have happened by now.
async fn lines(transitions: &mut Transitions) -> Vec<String> {
    let mut lines = Vec::new();
    while let Ok(Some(transition)) = timeout(Duration::from_millis(1), transitions.next()).await {
        lines.push(line(&transition));
    }
    lines
}

#[tokio::test(start_paused = true)]
async fn each_change_is_told_with_its_cause_and_the_next_attempt() {
    let gateway = InMemoryGateway::default();
    let too_late = || error(ErrorKind::Timeout).in_phase(Phase::StartApi);
    gateway.refuses(Some(too_late()));
    let stage = Stage::with(gateway);
    let mut transitions = stage.supervisor.transitions();
    sleep(20 * SECOND).await;
    stage.gateway.refuses(None);
    stage.supervisor.session().await.unwrap();
    assert_eq!(
        lines(&mut transitions).await,
        [
            "0 connecting, attempt 1 now: the supervisor has started",
            "0 recovering, attempt 2 in 15 s: as planned (timeout in start_api)",
            "0 recovering, attempt 2 now: the next attempt is due",
            "0 recovering, attempt 3 in 30 s: as planned (timeout in start_api)",
            "0 recovering, attempt 3 now: the next attempt is due",
            "1 ready: the attempt has succeeded",
        ]
    );

    stage.gateway.says(notice(1100, "lost"));
    stage.gateway.says(notice(1102, "restored"));
    assert_eq!(lines(&mut transitions).await, ["1 degraded: 1100: lost", "1 ready: 1102: restored"]);

    stage.gateway.refuses(Some(too_late()));
    stage.gateway.loses_all();
    sleep(SECOND).await;
    stage.gateway.refuses(None);
    stage.supervisor.session().await.unwrap();
    let lost = CloseReason::Disconnected("as planned".to_owned());
    assert_eq!(
        lines(&mut transitions).await,
        [
            format!("1 recovering, attempt 1 now: {lost}"),
            "1 recovering, attempt 2 in 15 s: as planned (timeout in start_api)".to_owned(),
            "1 recovering, attempt 2 now: the next attempt is due".to_owned(),
            "2 ready: the attempt has succeeded".to_owned(),
        ]
    );

    stage.gateway.falls_mute();
    sleep(40 * SECOND).await;
    stage.gateway.answers_again();
    sleep(30 * SECOND).await;
    let unanswered = "2 degraded: the Gateway has not answered a ping in time";
    let answered = "2 ready: the Gateway has answered a ping";
    assert_eq!(lines(&mut transitions).await, [unanswered, unanswered, answered]);
    stage.gateway.falls_mute();
    sleep(95 * SECOND).await;
    stage.gateway.answers_again();
    stage.supervisor.session().await.unwrap();
    assert_eq!(
        lines(&mut transitions).await,
        [
            unanswered,
            unanswered,
            "2 recovering, attempt 1 now: the Gateway no longer answers",
            "3 ready: the attempt has succeeded",
        ]
    );

    stage.supervisor.close().await;
    assert_eq!(lines(&mut transitions).await, ["3 closed: the program has closed the supervisor"]);
    assert!(transitions.next().await.is_none(), "that was the last one");
}

#[tokio::test(start_paused = true)]
async fn requests_without_an_answer_are_a_cause_too() {
    let stage = Stage::up().await;
    let mut transitions = stage.supervisor.transitions().from_now();
    assert_eq!(lines(&mut transitions).await, ["1 ready: the attempt has succeeded"]);
    stage.gateway.answers_pings_only();
    let impatient = stage.supervisor.with_timeout(Duration::from_millis(5));
    let asked = stage.seconds();
    for _ in 0..3 {
        assert_eq!(impatient.positions().await.unwrap_err().kind(), ErrorKind::Timeout);
    }
    assert!(stage.seconds() - asked < 1.0, "by this handle's deadline");
    stage.gateway.answers_again();
    impatient.positions().await.unwrap();
    assert_eq!(
        lines(&mut transitions).await,
        ["1 degraded: the last 3 requests got no answer", "1 ready: the Gateway has answered a request"]
    );
}

#[tokio::test(start_paused = true)]
async fn each_attempt_at_a_wedged_gateway_is_told_though_the_state_stays() {
    let gateway = InMemoryGateway::default();
    gateway.refuses(Some(error(ErrorKind::GatewayWedged)));
    let stage = Stage::with(gateway);
    let mut transitions = stage.supervisor.transitions();
    sleep(20 * SECOND).await;
    assert_eq!(
        lines(&mut transitions).await,
        [
            "0 connecting, attempt 1 now: the supervisor has started",
            "0 gateway_wedged, attempt 2 in 15 s: as planned (gateway_wedged)",
            "0 gateway_wedged, attempt 2 now: the next attempt is due",
            "0 gateway_wedged, attempt 3 in 30 s: as planned (gateway_wedged)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn in_a_storm_of_changes_no_reader_loses_one() {
    const FLAPS: u64 = 5_000;
    let stage = Stage::up().await;
    let readers = [1, 7, 50].map(|pause| {
        let mut transitions = stage.supervisor.transitions();
        tokio::spawn(async move {
            let mut seen = Vec::new();
            while let Some(transition) = transitions.next().await {
                if transition.number.is_multiple_of(pause) {
                    sleep(Duration::from_millis(pause)).await;
                }
                seen.push(transition);
            }
            assert_eq!(transitions.missed(), 0);
            seen
        })
    });
    for flap in 0..FLAPS {
        stage.gateway.says(notice(2103, &format!("Market data farm connection is broken:farm{flap}")));
        stage.gateway.says(notice(2104, &format!("Market data farm connection is OK:farm{flap}")));
        if flap % 10 == 0 {
            sleep(Duration::from_millis(20)).await;
        }
    }
    sleep(SECOND).await;
    stage.supervisor.close().await;
    for reader in readers {
        let seen = reader.await.unwrap();
        assert_eq!(seen.len() as u64, 2 + 2 * FLAPS + 1);
        assert!((1..).zip(&seen).all(|(number, transition)| transition.number == number));
        assert!(seen.windows(2).all(|pair| pair[0].at <= pair[1].at));
        for (flap, pair) in (0..).zip(seen[2..seen.len() - 1].chunks(2)) {
            let expected = [
                format!("1 degraded: 2103: Market data farm connection is broken:farm{flap}"),
                format!("1 ready: 2104: Market data farm connection is OK:farm{flap}"),
            ];
            assert_eq!([line(&pair[0]), line(&pair[1])], expected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_set_is_no_transition() {
    let gateway = InMemoryGateway::default();
    gateway.refuses(Some(error(ErrorKind::Timeout).in_phase(Phase::StartApi)));
    let stage = Stage::with(gateway);
    sleep(SECOND).await;
    let mut transitions = stage.supervisor.transitions().from_now();
    assert_eq!(lines(&mut transitions).await.len(), 1);
    for seconds in [86_400, -7, 3_600] {
        stage.clock.is_set(SignedDuration::from_secs(seconds));
        sleep(2 * SECOND).await;
        assert_eq!(lines(&mut transitions).await, [""; 0]);
    }
}
