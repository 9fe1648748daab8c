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

type Received = mpsc::UnboundedReceiver<Result<Told<Said>>>;

/// A board of which the Gateway has been asked, and that has told this, all at `now`.
fn board(now: Instant, said: &[Said]) -> Board<Said> {
    let mut board = Board::new();
    board.ask_anew(now);
    said.iter().for_each(|event| board.take(now, *event));
    board
}

fn told(events: &mut Received) -> Vec<Told<Said>> {
    std::iter::from_fn(|| events.try_recv().ok()).map(Result::unwrap).collect()
}

fn heard(events: &mut Received) -> Vec<Said> {
    let event = |told| if let Told::Event(event) = told { event } else { panic!("{told:?}") };
    told(events).into_iter().map(event).collect()
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn whoever_comes_late_hears_the_newest_of_everything_and_then_the_rest() {
    let now = Instant::now();
    let mut board = board(now, &[Held("a", 1), Held("b", 1), News, Held("a", 2)]);
    let mut early = board.join(now, Stay::ForChanges);
    for event in [Held("c", 1), End, Held("b", 3)] {
        board.take(now, event);
    }
    let mut late = board.join(now, Stay::UntilTheEnd);
    board.take(now, Held("c", 0));
    assert_eq!(
        heard(&mut early),
        [Held("a", 2), Held("b", 1), Held("c", 1), End, Held("b", 3), Held("c", 0)]
    );
    assert_eq!(heard(&mut late), [Held("a", 2), Held("b", 3), Held("c", 1), End, Held("c", 0)]);
}

#[test]
fn what_was_closed_is_in_the_download_but_not_kept_afterwards() {
    let now = Instant::now();
    let mut board = board(now, &[Held("a", 0), Held("b", 1), End, Held("b", 0)]);
    assert_eq!(heard(&mut board.join(now, Stay::UntilTheEnd)), [Held("a", 0), End]);
}

#[test]
fn it_is_held_by_those_who_stay_and_used_by_all() {
    let now = Instant::now();
    let mut board = board(now, &[]);
    let leaves = board.join(now, Stay::UntilTheEnd);
    assert!(board.is_used() && !board.is_held());
    let stays = board.join(now, Stay::ForChanges);
    assert!(board.is_held());
    drop(stays);
    assert!(board.is_used() && !board.is_held());
    drop(leaves);
    assert!(!board.is_used());
}

#[test]
fn a_complete_one_ends_with_its_last_user_whoever_waits() {
    let now = Instant::now();
    let mut board = board(now, &[Held("a", 1), End]);
    let user = board.join(now, Stay::ForChanges);
    for others in [Others::Wait, Others::None] {
        assert_eq!(board.duty(now + 99 * SECOND, others), Duty::Wait(None));
    }
    drop(user);
    assert_eq!(board.duty(now, Others::None), Duty::Close);
    assert_eq!(board.leaves_something_until(), None);
}

#[test]
fn an_unfinished_one_is_given_up_when_it_stays_silent_without_users() {
    let now = Instant::now();
    let mut board = board(now, &[Held("a", 1)]);
    assert_eq!(board.duty(now, Others::None), Duty::Wait(Some(now + GIVEN_UP)));
    board.take(now + SECOND, Held("b", 1));
    assert_eq!(board.duty(now + SECOND, Others::None), Duty::Wait(Some(now + SECOND + GIVEN_UP)));
    assert_eq!(board.duty(now + SECOND + GIVEN_UP, Others::None), Duty::Close);
    assert_eq!(board.duty(now + SECOND, Others::Wait), Duty::Close, "it is in nobody's way");
    assert_eq!(board.leaves_something_until(), Some(now + SECOND + GIVEN_UP));
}

#[test]
fn who_finds_an_abandoned_question_has_it_asked_again_at_once() {
    let now = Instant::now();
    let mut board = board(now, &[News]);
    drop(board.join(now, Stay::UntilTheEnd));
    assert_eq!(board.duty(now, Others::None), Duty::Wait(Some(now + GIVEN_UP)));
    let _user = board.join(now + SECOND, Stay::UntilTheEnd);
    assert_eq!(board.duty(now + SECOND, Others::None), Duty::AskAgain);
    board.ask_again(now + SECOND);
    assert_eq!(board.duty(now + 99 * SECOND, Others::None), Duty::Wait(None), "once for each that comes");
}

#[test]
fn who_finds_an_answer_that_comes_waits_for_its_end() {
    let now = Instant::now();
    let mut board = board(now, &[Held("a", 1)]);
    let _user = board.join(now + SECOND, Stay::UntilTheEnd);
    assert_eq!(board.duty(now + SECOND, Others::None), Duty::Wait(Some(now + SILENCE)));
    board.take(now + SECOND, Held("b", 1));
    assert_eq!(board.duty(now + SILENCE, Others::None), Duty::Wait(Some(now + SECOND + SILENCE)));
    assert_eq!(board.duty(now + SECOND + SILENCE, Others::None), Duty::AskAgain);
}

#[test]
fn who_finds_one_about_which_the_gateway_is_silent_has_it_asked_again() {
    let now = Instant::now();
    // Nobody has asked for it to be asked again.
    let mut board = board(now, &[]);
    let _first = board.join(now, Stay::ForChanges);
    board.ask_again(now);
    assert_eq!(board.duty(now + 99 * SECOND, Others::None), Duty::Wait(None));
    let _second = board.join(now + SECOND, Stay::UntilTheEnd);
    assert_eq!(board.duty(now + SECOND, Others::None), Duty::Wait(Some(now + SILENCE)));
    assert_eq!(board.duty(now + SILENCE, Others::None), Duty::AskAgain);
}

#[test]
fn silence_makes_room_for_others_unless_somebody_stays() {
    let now = Instant::now();
    let mut board = board(now, &[Held("a", 1)]);
    let mut leaves = board.join(now, Stay::UntilTheEnd);
    board.ask_again(now);
    assert_eq!(board.duty(now, Others::None), Duty::Wait(None));
    assert_eq!(board.duty(now, Others::Wait), Duty::Wait(Some(now + SILENCE)));
    assert_eq!(board.duty(now + SILENCE, Others::Wait), Duty::MakeRoom);
    assert_eq!(board.leaves_something_until(), Some(now + GIVEN_UP));

    let stays = board.join(now, Stay::ForChanges);
    board.ask_again(now);
    assert_eq!(board.duty(now + SILENCE, Others::Wait), Duty::Wait(None));
    drop(stays);
    // Its turn comes again.
    heard(&mut leaves);
    board.ask_anew(now + SILENCE);
    assert_eq!(told(&mut leaves), [Told::Anew]);
    assert_eq!(heard(&mut board.join(now, Stay::UntilTheEnd)), []);
}

#[test]
fn an_end_that_may_be_anothers_ends_nothing() {
    let now = Instant::now();
    let mut board = board(now, &[]);
    board.doubt();
    let mut user = board.join(now, Stay::UntilTheEnd);
    board.ask_again(now);
    board.take(now, Held("of another", 1));
    board.take(now, End);
    assert_eq!(told(&mut user), [Told::Event(Held("of another", 1)), Told::Anew]);
    assert_eq!(board.duty(now, Others::None), Duty::AskAgain);
    board.ask_again(now);
    board.take(now, Held("a", 1));
    board.take(now, End);
    assert_eq!(heard(&mut user), [Held("a", 1), End]);
    assert_eq!(board.leaves_something_until(), Some(now + GIVEN_UP), "it was asked more often than it ended");
    board.take(now, End);
    assert_eq!(heard(&mut user), [], "one end is enough");
    assert_eq!(board.leaves_something_until(), None);
}

#[test]
fn an_error_sends_everybody_away() {
    let now = Instant::now();
    let mut board = board(now, &[Held("a", 1)]);
    let mut user = board.join(now, Stay::UntilTheEnd);
    board.fail(&Error::new(ErrorKind::Disconnected, "the line is dead"));
    assert_eq!(user.try_recv().unwrap().unwrap(), Told::Event(Held("a", 1)));
    assert_eq!(user.try_recv().unwrap().unwrap_err().kind(), ErrorKind::Disconnected);
    assert!(user.try_recv().is_err() && !board.is_used());
}

#[test]
fn rows_without_end_are_no_answer() {
    let now = Instant::now();
    let mut board = board(now, &[]);
    let mut user = board.join(now, Stay::ForChanges);
    for number in 0..MOST_ROWS {
        board.take(now, Held(number.to_string().leak(), 1));
    }
    assert_eq!(heard(&mut user).len(), MOST_ROWS);
    board.take(now, Held("0", 2));
    assert_eq!(heard(&mut user), [Held("0", 2)], "a row in place of another one");
    board.take(now, Held("one more", 1));
    let error = user.try_recv().unwrap().unwrap_err();
    assert!(error.message().contains("more than 100000 rows"), "{error}");
    assert_eq!((board.is_used(), board.rows.len()), (false, MOST_ROWS));
}
