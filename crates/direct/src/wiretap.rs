//! What the relay sees of the Gateway's side, for those who have to know more than ibapi tells: what the Gateway has said last, what
//! it has said about a request, and how far the answers are that name no request.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ibkr_connect_relay::Tap;
use ibkr_connect_wire::ids::CHATTER;
use ibkr_connect_wire::{EndMark, ErrorMessage, Family, Observer, Refusal};

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout};

use crate::log;

/// "Up-to-the-second historical data requires additional subscription for the API".
pub(crate) const LATE_HISTORY: i32 = 2188;

/// How long before the end of a connection the Gateway's last word belongs to it.
const LAST_WORD: Duration = Duration::from_secs(1);

/// How much of a text is kept.
const LONGEST_TEXT: usize = 1_000;

/// How long the relay stands still at an end mark at most.
const LONGEST_HALT: Duration = Duration::from_secs(1);

/// What an error message of the Gateway says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GatewayMessage {
    pub(crate) code: i32,
    pub(crate) text: String,
}

impl GatewayMessage {
    pub(crate) fn new(code: i32, text: &str) -> Self {
        Self { code, text: text.chars().take(LONGEST_TEXT).collect() }
    }
}

impl fmt::Display for GatewayMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.text)
    }
}

/// What has been seen on a connection. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wiretap(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<Seen>,
    /// Whether the relay stands at an end mark.
    halted: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Seen {
    last: Option<(Instant, GatewayMessage)>,
    /// What was said about each request that somebody waits for.
    about: HashMap<i32, About>,
    /// How many frames of each family have passed.
    frames: [u64; Family::COUNT],
    /// Families at whose next end mark the relay stops.
    halts: [bool; Family::COUNT],
    /// The account whose updates are asked for.
    account: Option<String>,
    /// The last end mark of another account.
    other_end: Option<(Instant, String)>,
}

/// What was said about a request.
#[derive(Debug, Default)]
struct About {
    /// The last word.
    last: Option<GatewayMessage>,
    /// Who waits to hear that its history is late.
    late: Option<oneshot::Sender<GatewayMessage>>,
}

impl Observer for Wiretap {
    fn hear(&self, now: std::time::Instant, error: &ErrorMessage) {
        self.hear(Instant::from_std(now), error.id(), GatewayMessage::new(error.code(), &error.text()));
    }

    fn count(&self, family: Family) {
        self.seen().frames[family.index()] += 1;
    }

    fn end_mark(&self, now: std::time::Instant, family: Family, account: Option<&str>) -> EndMark {
        self.end_mark(Instant::from_std(now), family, account)
    }
}

impl Tap for Wiretap {
    async fn resumed(&self) {
        self.goes_on().await;
    }

    fn refused(&self, refusal: &Refusal) {
        log::message_refused(refusal);
    }
}

impl Wiretap {
    /// The Gateway says something about a request, or with the id -1 about none.
    pub(crate) fn hear(&self, now: Instant, request_id: i32, word: GatewayMessage) {
        let mut seen = self.seen();
        if let Some(about) = seen.about.get_mut(&request_id) {
            about.last = Some(word.clone());
        }
        if word.code == LATE_HISTORY
            && let Some(late) = seen.who_is_late(request_id)
        {
            // Who has left meanwhile does not hear it.
            let _ = late.send(word.clone());
        }
        if !CHATTER.contains(&word.code) {
            seen.last = Some((now, word));
        }
    }

    /// What the Gateway has said just before now.
    pub(crate) fn last_word(&self, now: Instant) -> Option<GatewayMessage> {
        let (said, word) = self.seen().last.clone()?;
        (now.saturating_duration_since(said) <= LAST_WORD).then_some(word)
    }

    /// Keeps what is said about a request from now on.
    pub(crate) fn expect(&self, request_id: i32) {
        self.seen().about.entry(request_id).or_default();
    }

    /// The same for a request for history, and hears whether that is late.
    pub(crate) fn late(&self, request_id: i32) -> oneshot::Receiver<GatewayMessage> {
        let (late, told) = oneshot::channel();
        self.seen().about.entry(request_id).or_default().late = Some(late);
        told
    }

    /// Nobody asks about the request any more.
    pub(crate) fn forget(&self, request_id: i32) {
        self.seen().about.remove(&request_id);
    }

    /// What the Gateway has said last about a request that is expected.
    pub(crate) fn last_word_about(&self, request_id: i32) -> Option<GatewayMessage> {
        self.seen().about.get(&request_id)?.last.clone()
    }

    /// How many frames of `family` have passed: as long as that does not change, nothing of an answer is on its way to ibapi.
    pub(crate) fn frames(&self, family: Family) -> u64 {
        self.seen().frames[family.index()]
    }

    /// The end mark of an answer comes, which names an account or none.
    pub(crate) fn end_mark(&self, now: Instant, family: Family, account: Option<&str>) -> EndMark {
        let mut seen = self.seen();
        if let (Some(wanted), Some(named)) = (&seen.account, account)
            && !is_end_of(wanted, named)
        {
            seen.other_end = Some((now, named.to_owned()));
            return EndMark::IsDropped;
        }
        if seen.halts[family.index()] {
            self.0.halted.send_replace(true);
            return EndMark::Halts;
        }
        EndMark::Passes
    }

    /// From now on, only an end mark of this account ends account updates: ibapi does not tell whose it is.
    pub(crate) fn expect_account_end(&self, account: &str) {
        self.seen().account = Some(account.to_owned());
    }

    /// Another account whose answer has ended since then.
    pub(crate) fn other_account_end(&self, since: Instant) -> Option<String> {
        self.seen().other_end.as_ref().filter(|(at, _)| *at >= since).map(|(_, account)| account.clone())
    }

    /// Has the relay stop behind each end mark of `family`.
    pub(crate) fn halt_at_ends(&self, family: Family) -> HaltGuard<'_> {
        self.seen().halts[family.index()] = true;
        HaltGuard { tap: self, family }
    }

    /// The relay waits here after an end mark that halts.
    pub(crate) async fn goes_on(&self) {
        let mut halted = self.0.halted.subscribe();
        if timeout(LONGEST_HALT, halted.wait_for(|halted| !halted)).await.is_err() {
            self.0.halted.send_replace(false);
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// Who waits for history that the Gateway calls late: of the request, or, where it names none, the only one there is.
    fn who_is_late(&mut self, request_id: i32) -> Option<oneshot::Sender<GatewayMessage>> {
        if request_id != -1 {
            return self.about.get_mut(&request_id)?.late.take();
        }
        let is_waiting = |about: &&mut About| about.late.as_ref().is_some_and(|late| !late.is_closed());
        let mut waiting = self.about.values_mut().filter(is_waiting);
        let only = waiting.next()?;
        if waiting.next().is_some() { None } else { only.late.take() }
    }
}

/// As long as it lives, the relay stops behind end marks.
#[derive(Debug)]
pub(crate) struct HaltGuard<'a> {
    tap: &'a Wiretap,
    family: Family,
}

impl HaltGuard<'_> {
    /// Lets the relay go on, and says whether it had stopped.
    pub(crate) fn go_on(&self) -> bool {
        self.tap.0.halted.send_replace(false)
    }
}

impl Drop for HaltGuard<'_> {
    fn drop(&mut self) {
        self.tap.seen().halts[self.family.index()] = false;
        self.go_on();
    }
}

/// Whether an end mark that names an account, or nobody, ends the updates of `wanted`. Those of all accounts of an advisor are asked
/// for with its own account and an A.
fn is_end_of(wanted: &str, named: &str) -> bool {
    named.is_empty() || named == wanted || wanted.strip_suffix('A') == Some(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(code: i32) -> GatewayMessage {
        GatewayMessage::new(code, "a text")
    }

    #[test]
    fn a_word_is_the_last_one_for_a_second() {
        let (tap, now) = (Wiretap::default(), Instant::now());
        assert_eq!(tap.last_word(now), None);
        tap.hear(now, -1, word(1100));
        tap.hear(now, 7, word(320));
        for chatter in [2104, 2199] {
            tap.hear(now, -1, word(chatter));
        }
        assert_eq!(tap.last_word(now + LAST_WORD), Some(word(320)));
        assert_eq!(tap.last_word(now + LAST_WORD + Duration::from_millis(1)), None);
    }

    #[test]
    fn what_is_said_about_a_request_is_kept_while_it_is_expected() {
        let (tap, now) = (Wiretap::default(), Instant::now());
        tap.expect(7);
        assert_eq!(tap.last_word_about(7), None);
        for (id, code) in [(7, 2188), (7, 10167), (8, 200), (-1, 1100)] {
            tap.hear(now, id, word(code));
        }
        assert_eq!((tap.last_word_about(7), tap.last_word_about(8)), (Some(word(10167)), None));
        tap.forget(7);
        tap.hear(now, 7, word(2188));
        assert_eq!(tap.last_word_about(7), None);
        assert!(tap.seen().about.is_empty());
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let word = GatewayMessage::new(320, &"ж".repeat(LONGEST_TEXT + 1));
        assert_eq!(word.text.chars().count(), LONGEST_TEXT);
    }

    #[test]
    fn only_its_own_end_mark_ends_an_account() {
        let (tap, now) = (Wiretap::default(), Instant::now());
        let mark = |named| tap.end_mark(now, Family::AccountUpdates, Some(named));
        assert_eq!(mark("DU2"), EndMark::Passes, "nobody waits for one");
        tap.expect_account_end("DU1");
        for (named, expected) in [
            ("DU1", EndMark::Passes),
            ("", EndMark::Passes),
            ("DU2", EndMark::IsDropped),
            ("DU", EndMark::IsDropped),
        ] {
            assert_eq!(mark(named), expected, "{named:?}");
        }
        assert_eq!(tap.other_account_end(now).as_deref(), Some("DU"));
        assert_eq!(tap.other_account_end(now + LAST_WORD), None);
        tap.expect_account_end("F1A");
        assert_eq!(
            [mark("F1"), mark("F1A"), mark("DU1")],
            [EndMark::Passes, EndMark::Passes, EndMark::IsDropped]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_relay_stands_at_an_end_mark_until_it_may_go_on() {
        let (tap, now) = (Wiretap::default(), Instant::now());
        let mark = |family| tap.end_mark(now, family, None);
        let halting = tap.halt_at_ends(Family::OpenOrders);
        assert_eq!(mark(Family::CompletedOrders), EndMark::Passes);
        assert!(!halting.go_on(), "it has not stopped");
        for _ in 0..2 {
            assert_eq!(mark(Family::OpenOrders), EndMark::Halts);
            let relay = tap.clone();
            let relay = tokio::spawn(async move { relay.goes_on().await });
            tokio::task::yield_now().await;
            assert!(!relay.is_finished());
            assert!(halting.go_on());
            relay.await.unwrap();
        }
        assert_eq!(now.elapsed(), Duration::ZERO);

        assert_eq!(mark(Family::OpenOrders), EndMark::Halts);
        tap.goes_on().await;
        assert_eq!(now.elapsed(), LONGEST_HALT);
        assert!(!halting.go_on(), "who came too late is told");

        assert_eq!(mark(Family::OpenOrders), EndMark::Halts);
        drop(halting);
        tap.goes_on().await;
        assert_eq!((now.elapsed(), mark(Family::OpenOrders)), (LONGEST_HALT, EndMark::Passes));
    }
}
