use ibkr_connect_core::ErrorKind;

use super::*;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Said {
    Held(&'static str, i32),
    End,
    News,
}

use Said::{End, Held, News};

impl Entry for Said {
    type Key = &'static str;
    const COMMAND: &'static str = "things";

    fn change(&self) -> Change<&'static str> {
        match self {
            Held(name, 0) => Change::Gone(name),
            Held(name, _) => Change::Row(name),
            End => Change::End,
            News => Change::None,
        }
    }

    fn notice(&self) -> Option<(i32, &str)> {
        None
    }
}

type Received = mpsc::UnboundedReceiver<Result<Update<Said>>>;

/// A state of which the Gateway has been asked, and that has told this, all at `now`.
fn state(now: Instant, said: &[Said]) -> FeedState<Said> {
    let mut state = FeedState::new();
    state.ask_first(now);
    said.iter().for_each(|event| state.take(now, *event));
    state
}

fn told(events: &mut Received) -> Vec<Update<Said>> {
    std::iter::from_fn(|| events.try_recv().ok()).map(Result::unwrap).collect()
}

fn heard(events: &mut Received) -> Vec<Said> {
    let event = |told| if let Update::Event(event) = told { event } else { panic!("{told:?}") };
    told(events).into_iter().map(event).collect()
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn whoever_comes_late_hears_the_newest_of_everything_and_then_the_rest() {
    let now = Instant::now();
    let mut state = state(now, &[Held("a", 1), Held("b", 1), News, Held("a", 2)]);
    let mut early = state.join(now, Interest::Updates);
    for event in [Held("c", 1), End, Held("b", 3)] {
        state.take(now, event);
    }
    let mut late = state.join(now, Interest::Snapshot);
    state.take(now, Held("c", 0));
    assert_eq!(
        heard(&mut early),
        [Held("a", 2), Held("b", 1), Held("c", 1), End, Held("b", 3), Held("c", 0)]
    );
    assert_eq!(heard(&mut late), [Held("a", 2), Held("b", 3), Held("c", 1), End, Held("c", 0)]);
}

#[test]
fn what_was_closed_is_in_the_download_but_not_kept_afterwards() {
    let now = Instant::now();
    let mut state = state(now, &[Held("a", 0), Held("b", 1), End, Held("b", 0)]);
    assert_eq!(heard(&mut state.join(now, Interest::Snapshot)), [Held("a", 0), End]);
}

#[test]
fn it_is_held_by_those_who_stay_and_used_by_all() {
    let now = Instant::now();
    let mut state = state(now, &[]);
    let leaves = state.join(now, Interest::Snapshot);
    assert!(state.is_used() && !state.is_held());
    let stays = state.join(now, Interest::Updates);
    assert!(state.is_held());
    drop(stays);
    assert!(state.is_used() && !state.is_held());
    drop(leaves);
    assert!(!state.is_used());
}

#[test]
fn a_complete_one_ends_with_its_last_user_whoever_waits() {
    let now = Instant::now();
    let mut state = state(now, &[Held("a", 1), End]);
    let user = state.join(now, Interest::Updates);
    for others in [Others::Wait, Others::None] {
        assert_eq!(state.step(now + 99 * SECOND, others), Step::Wait(None));
    }
    drop(user);
    assert_eq!(state.step(now, Others::None), Step::Close);
    assert_eq!(state.leaves_something_until(), None);
}

#[test]
fn an_unfinished_one_is_given_up_when_it_stays_silent_without_users() {
    let now = Instant::now();
    let mut state = state(now, &[Held("a", 1)]);
    assert_eq!(state.step(now, Others::None), Step::Wait(Some(now + GIVEN_UP)));
    state.take(now + SECOND, Held("b", 1));
    assert_eq!(state.step(now + SECOND, Others::None), Step::Wait(Some(now + SECOND + GIVEN_UP)));
    assert_eq!(state.step(now + SECOND + GIVEN_UP, Others::None), Step::Close);
    assert_eq!(state.step(now + SECOND, Others::Wait), Step::Close, "it is in nobody's way");
    assert_eq!(state.leaves_something_until(), Some(now + SECOND + GIVEN_UP));
}

#[test]
fn who_finds_an_abandoned_question_has_it_asked_again_at_once() {
    let now = Instant::now();
    let mut state = state(now, &[News]);
    drop(state.join(now, Interest::Snapshot));
    assert_eq!(state.step(now, Others::None), Step::Wait(Some(now + GIVEN_UP)));
    let _user = state.join(now + SECOND, Interest::Snapshot);
    assert_eq!(state.step(now + SECOND, Others::None), Step::AskAgain);
    state.ask_again(now + SECOND);
    assert_eq!(state.step(now + 99 * SECOND, Others::None), Step::Wait(None), "once for each that comes");
}

#[test]
fn who_finds_an_answer_that_comes_waits_for_its_end() {
    let now = Instant::now();
    let mut state = state(now, &[Held("a", 1)]);
    let _user = state.join(now + SECOND, Interest::Snapshot);
    assert_eq!(state.step(now + SECOND, Others::None), Step::Wait(Some(now + SILENCE)));
    state.take(now + SECOND, Held("b", 1));
    assert_eq!(state.step(now + SILENCE, Others::None), Step::Wait(Some(now + SECOND + SILENCE)));
    assert_eq!(state.step(now + SECOND + SILENCE, Others::None), Step::AskAgain);
}

#[test]
fn who_finds_one_about_which_the_gateway_is_silent_has_it_asked_again() {
    let now = Instant::now();
    // Nobody has asked for it to be asked again.
    let mut state = state(now, &[]);
    let _first = state.join(now, Interest::Updates);
    state.ask_again(now);
    assert_eq!(state.step(now + 99 * SECOND, Others::None), Step::Wait(None));
    let _second = state.join(now + SECOND, Interest::Snapshot);
    assert_eq!(state.step(now + SECOND, Others::None), Step::Wait(Some(now + SILENCE)));
    assert_eq!(state.step(now + SILENCE, Others::None), Step::AskAgain);
}

#[test]
fn silence_makes_room_for_others_unless_somebody_stays() {
    let now = Instant::now();
    let mut state = state(now, &[Held("a", 1)]);
    let mut leaves = state.join(now, Interest::Snapshot);
    state.ask_again(now);
    assert_eq!(state.step(now, Others::None), Step::Wait(None));
    assert_eq!(state.step(now, Others::Wait), Step::Wait(Some(now + SILENCE)));
    assert_eq!(state.step(now + SILENCE, Others::Wait), Step::MakeRoom);
    assert_eq!(state.leaves_something_until(), Some(now + GIVEN_UP));

    let stays = state.join(now, Interest::Updates);
    state.ask_again(now);
    assert_eq!(state.step(now + SILENCE, Others::Wait), Step::Wait(None));
    drop(stays);
    // Its turn comes again.
    heard(&mut leaves);
    state.ask_first(now + SILENCE);
    assert_eq!(told(&mut leaves), [Update::Restart]);
    assert_eq!(heard(&mut state.join(now, Interest::Snapshot)), []);
}

#[test]
fn an_end_that_may_be_anothers_ends_nothing() {
    let now = Instant::now();
    let mut state = state(now, &[]);
    state.doubt();
    let mut user = state.join(now, Interest::Snapshot);
    state.ask_again(now);
    state.take(now, Held("of another", 1));
    state.take(now, End);
    assert_eq!(told(&mut user), [Update::Event(Held("of another", 1)), Update::Restart]);
    assert_eq!(state.step(now, Others::None), Step::AskAgain);
    state.ask_again(now);
    state.take(now, Held("a", 1));
    state.take(now, End);
    assert_eq!(heard(&mut user), [Held("a", 1), End]);
    assert_eq!(state.leaves_something_until(), Some(now + GIVEN_UP), "it was asked more often than it ended");
    state.take(now, End);
    assert_eq!(heard(&mut user), [], "one end is enough");
    assert_eq!(state.leaves_something_until(), None);
}

#[test]
fn an_error_sends_everybody_away() {
    let now = Instant::now();
    let mut state = state(now, &[Held("a", 1)]);
    let mut user = state.join(now, Interest::Snapshot);
    state.fail(&Error::new(ErrorKind::Disconnected, "the line is dead"));
    assert_eq!(user.try_recv().unwrap().unwrap(), Update::Event(Held("a", 1)));
    assert_eq!(user.try_recv().unwrap().unwrap_err().kind(), ErrorKind::Disconnected);
    assert!(user.try_recv().is_err() && !state.is_used());
}

#[test]
fn rows_without_end_are_no_answer() {
    let now = Instant::now();
    let mut state = state(now, &[]);
    let mut user = state.join(now, Interest::Updates);
    for number in 0..MOST_ROWS {
        state.take(now, Held(number.to_string().leak(), 1));
    }
    assert_eq!(heard(&mut user).len(), MOST_ROWS);
    state.take(now, Held("0", 2));
    assert_eq!(heard(&mut user), [Held("0", 2)], "a row in place of another one");
    state.take(now, Held("one more", 1));
    let error = user.try_recv().unwrap().unwrap_err();
    assert!(error.message().contains("more than 100000 rows"), "{error}");
    assert_eq!((state.is_used(), state.rows.len()), (false, MOST_ROWS));
}

#[test]
fn who_has_left_is_not_kept_while_the_gateway_is_silent() {
    let now = Instant::now();
    let mut state = state(now, &[]);
    let stays = state.join(now, Interest::Updates);
    for _ in 0..1_000 {
        drop(state.join(now, Interest::Snapshot));
    }
    assert!(state.users.len() < 10, "{}", state.users.len());
    assert!(state.is_held());
    drop(stays);
    assert!(!state.is_used());
}
