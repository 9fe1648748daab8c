//! What the demo promises, and whether it was kept in this run.

use ibkr_connect::ErrorKind;
use serde_json::{Value, json};

use super::gateway::WEDGED_BY;
use super::row::{Row, median};
use super::scene::Scene;
use super::way::Way;

/// One promise.
#[derive(Debug)]
pub(crate) struct Promise {
    pub(crate) text: &'static str,
    pub(crate) kept: bool,
}

impl Promise {
    pub(crate) fn to_json(&self) -> Value {
        json!({ "promise": self.text, "kept": self.kept })
    }
}

/// All promises, judged by what was measured.
pub(crate) fn promises(rows: &[Row]) -> Vec<Promise> {
    let promise = |text, kept| Promise { text, kept };
    vec![
        promise(
            "bare ibapi connects from an idle program",
            all(rows, Scene::Idle, is_naive, Row::is_flawless),
        ),
        promise(
            "bare ibapi fails in the busy program, every time",
            all(rows, Scene::BusyNaive, is_naive, Row::is_shut_out),
        ),
        promise(
            "what it leaves behind wedges the Gateway",
            all(rows, Scene::BusyNaive, is_naive, |row| row.wedged && row.half_closed >= WEDGED_BY)
                && all(rows, Scene::Wedged, is_naive, Row::is_shut_out),
        ),
        promise(
            "ibkr-connect says that the Gateway is wedged, and leaves nothing more behind",
            all(rows, Scene::Wedged, is_ours, |row| row.failed_with(ErrorKind::GatewayWedged))
                && half_closed(rows, Scene::Wedged, is_ours) == half_closed(rows, Scene::Wedged, is_naive),
        ),
        promise(
            "ibkr-connect connects, pings and fetches every time, also in the busy program",
            [Scene::Idle, Scene::Busy].into_iter().all(|scene| all(rows, scene, is_ours, Row::is_flawless)),
        ),
        promise(
            "a handshake that ibkr-connect gives up fails with handshake_timeout",
            all(rows, Scene::GivenUp, is_ours, |row| row.failed_with(ErrorKind::HandshakeTimeout)),
        ),
        promise("ibkr-connect leaves no half-closed connection", zombies_of_ours(rows) == 0),
        promise(
            "the Gateway still accepts afterwards",
            all(rows, Scene::Afterwards, is_naive, |row| row.is_flawless() && !row.wedged),
        ),
    ]
}

/// How many half-closed connections were there after scenes in which only ours had a part.
pub(crate) fn zombies_of_ours(rows: &[Row]) -> usize {
    [Scene::Idle, Scene::Busy, Scene::GivenUp]
        .into_iter()
        .filter_map(|scene| half_closed(rows, scene, is_ours))
        .max()
        .unwrap_or_default()
}

/// Why ours is better, in three lines of what was measured.
pub(crate) fn summary(rows: &[Row]) -> Option<[String; 3]> {
    let row = |scene, way: fn(Way) -> bool| rows.iter().find(|row| row.scene == scene && way(row.way));
    let naive = row(Scene::BusyNaive, is_naive)?;
    let ours = || rows.iter().filter(|row| row.scene == Scene::Busy && is_ours(row.way));
    let given_up: usize =
        rows.iter().filter(|row| row.scene == Scene::GivenUp).map(|row| row.attempts.len()).sum();
    let attempts: usize = ours().map(|row| row.attempts.len()).sum();
    let successes: usize = ours().map(Row::successes).sum();
    let slowest = ours().max_by_key(|row| row.took().percentile(50).map(|ms| ms.round() as u64))?;
    Some([
        format!(
            "bare ibapi waits for the blocked runtime: {} of {} connected, and {} half-closed connections wedged the Gateway.",
            naive.successes(),
            naive.attempts.len(),
            naive.half_closed,
        ),
        format!(
            "ibkr-connect shakes hands outside of it: {successes} of {attempts} connected, in {} each (the blocked program saw {}).",
            median(&slowest.took()),
            median(&slowest.seen()),
        ),
        format!(
            "What ibkr-connect gives up ends in a TCP reset: {given_up} given up halfway, {} half-closed, the Gateway still accepts.",
            zombies_of_ours(rows),
        ),
    ])
}

fn is_naive(way: Way) -> bool {
    way == Way::Naive
}

fn is_ours(way: Way) -> bool {
    way != Way::Naive
}

/// Whether `check` holds for every row of these clients in this scene, and there is one.
fn all(rows: &[Row], scene: Scene, way: fn(Way) -> bool, check: impl Fn(&Row) -> bool) -> bool {
    let mut found = rows.iter().filter(|row| row.scene == scene && way(row.way)).peekable();
    found.peek().is_some() && found.all(check)
}

/// The most half-closed connections that were there after these clients' part in this scene.
fn half_closed(rows: &[Row], scene: Scene, way: fn(Way) -> bool) -> Option<usize> {
    rows.iter().filter(|row| row.scene == scene && way(row.way)).map(|row| row.half_closed).max()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ibkr_connect::ConnectionMode;

    use super::super::client::{Attempt, Failure};
    use super::*;

    const DIRECT: Way = Way::Ours(ConnectionMode::Direct);

    #[test]
    fn a_run_as_it_should_be_keeps_every_promise() {
        assert_eq!(broken(&good()), Vec::<&str>::new());
        let [naive, ours, given_up] = summary(&good()).unwrap();
        assert!(naive.contains("0 of 1 connected, and 3 half-closed"), "{naive}");
        assert!(ours.contains("1 of 1 connected") && ours.contains("in 500 ms each"), "{ours}");
        assert!(ours.contains("saw 1750 ms"), "{ours}");
        assert!(given_up.contains("1 given up halfway, 0 half-closed"), "{given_up}");
    }

    #[test]
    fn what_does_not_happen_breaks_its_promise() {
        type Spoil = fn(&mut Row);
        let cases: [(usize, Spoil, &str); 14] = [
            (0, |row| row.attempts[0] = failed(None), "bare ibapi connects from an idle program"),
            (1, |row| row.attempts[0] = fine(), "bare ibapi fails in the busy program"),
            (1, |row| row.wedged = false, "what it leaves behind wedges"),
            (1, |row| row.half_closed = 2, "what it leaves behind wedges"),
            (2, |row| row.attempts[0] = fine(), "what it leaves behind wedges"),
            (
                3,
                |row| row.attempts[0] = failed(Some(ErrorKind::HandshakeTimeout)),
                "says that the Gateway is wedged",
            ),
            (3, |row| row.half_closed = 5, "says that the Gateway is wedged"),
            (
                4,
                |row| row.attempts.push(failed(Some(ErrorKind::HandshakeTimeout))),
                "connects, pings and fetches",
            ),
            (5, |row| row.attempts[0].pinged = false, "connects, pings and fetches"),
            (5, |row| row.attempts[0].fetched = false, "connects, pings and fetches"),
            (5, |row| row.half_closed = 1, "leaves no half-closed connection"),
            (6, |row| row.attempts[0] = fine(), "gives up fails with handshake_timeout"),
            (6, |row| row.half_closed = 1, "leaves no half-closed connection"),
            (7, |row| row.wedged = true, "the Gateway still accepts"),
        ];
        for (index, spoil, expected) in cases {
            let mut rows = good();
            spoil(&mut rows[index]);
            let broken = broken(&rows);
            assert!(broken.iter().any(|text| text.contains(expected)), "{expected}: {broken:?}");
        }
    }

    #[test]
    fn what_was_not_measured_is_not_promised() {
        assert_eq!(broken(&[]).len(), promises(&[]).len() - 1, "no zombies is true of nothing");
    }

    fn broken(rows: &[Row]) -> Vec<&'static str> {
        promises(rows).into_iter().filter(|promise| !promise.kept).map(|promise| promise.text).collect()
    }

    fn good() -> Vec<Row> {
        let timed_out = || failed(Some(ErrorKind::HandshakeTimeout));
        vec![
            row(Scene::Idle, Way::Naive, fine(), 0),
            Row { wedged: true, ..row(Scene::BusyNaive, Way::Naive, failed(None), 3) },
            Row { wedged: true, ..row(Scene::Wedged, Way::Naive, failed(None), 4) },
            Row { wedged: true, ..row(Scene::Wedged, DIRECT, failed(Some(ErrorKind::GatewayWedged)), 4) },
            row(Scene::Idle, DIRECT, fine(), 0),
            row(Scene::Busy, DIRECT, fine(), 0),
            row(Scene::GivenUp, DIRECT, timed_out(), 0),
            row(Scene::Afterwards, Way::Naive, fine(), 0),
        ]
    }

    fn row(scene: Scene, way: Way, attempt: Attempt, half_closed: usize) -> Row {
        Row { scene, way, attempts: vec![attempt], half_closed, wedged: false }
    }

    fn fine() -> Attempt {
        let took = Some(Duration::from_millis(500));
        Attempt { took, seen: Duration::from_millis(1750), pinged: true, fetched: true, failure: None }
    }

    fn failed(kind: Option<ErrorKind>) -> Attempt {
        let failure = Some(Failure { kind, message: "no".to_owned() });
        Attempt { seen: Duration::from_millis(1500), failure, ..Attempt::default() }
    }
}
