//! Data of any length: in one line where they fit into it, else in parts.
//!
//! A thread makes JSON of long data, a few parts ahead of what the client reads, so that the loop goes on with everything else and the
//! whole text is nowhere here. Between two parts there is room for every other frame.

use std::io;

use serde::Serialize;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use ibkr_connect_core::backend::spawn;
use ibkr_connect_core::{Error, ErrorKind};

use super::output::{Form, Output, Unfit};
use crate::frames::{Answer, MAX_FRAME};
use crate::parts::Cutter;

/// The client was told an error instead.
#[derive(Debug)]
pub(super) struct Refused;

/// What the thread has made.
enum Made {
    Part(Vec<u8>),
    All(u64),
    Unfit(Unfit),
}

impl Output {
    /// Writes an answer or an event with data, however long they are. Dropped before its end, it writes no more of them.
    pub(super) async fn deliver<D>(&self, answer: Answer<D>) -> Result<(), Refused>
    where
        D: Serialize + Send + 'static,
    {
        let (id, form) = (answer.id, self.form());
        let error = match (self.try_answer(&answer, form.longest_line()), form) {
            (Ok(()), _) => return Ok(()),
            (Err(Unfit::TooLong), Form::Parts) => match self.deliver_parts(answer).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            },
            (Err(unfit), _) => unfit.error(MAX_FRAME),
        };
        self.error(id, error);
        Err(Refused)
    }

    async fn deliver_parts<D>(&self, answer: Answer<D>) -> Result<(), Error>
    where
        D: Serialize + Send + 'static,
    {
        let (id, status, limit) = (answer.id, answer.status.clone(), self.longest_data);
        // It is never closed.
        let _turn = self.turn.acquire().await;
        let mut made = cut(answer, limit)?;
        while let Some(made) = made.recv().await {
            match made {
                Made::Part(line) => {
                    self.write_part(line).await;
                    tokio::task::yield_now().await;
                }
                Made::All(parts) => {
                    self.answer(&Answer::in_parts(id, status, parts));
                    return Ok(());
                }
                Made::Unfit(unfit) => return Err(unfit.error(limit)),
            }
        }
        Err(Error::new(ErrorKind::Internal, "the answer can't be written as JSON: its thread has panicked"))
    }
}

/// Has a thread cut the data of `answer`. It ends when nobody takes what it makes.
fn cut<D: Serialize + Send + 'static>(answer: Answer<D>, limit: usize) -> Result<Receiver<Made>, Error> {
    /// How many parts are made before the first of them is taken.
    const AHEAD: usize = 2;
    let (sender, made) = channel(AHEAD);
    spawn("ibkr-link-parts", move || {
        // Nobody takes its end when it was cancelled.
        drop(cut_into(&answer, limit, &sender).map(|end| sender.blocking_send(end)));
    })?;
    Ok(made)
}

/// Sends all but the end; `None` if nobody takes it.
fn cut_into<D: Serialize>(answer: &Answer<D>, limit: usize, made: &Sender<Made>) -> Option<Made> {
    let send = |line| made.blocking_send(Made::Part(line)).map_err(|_| io::ErrorKind::BrokenPipe.into());
    let mut cutter = Cutter::new(answer.id, limit, send);
    match serde_json::to_writer(&mut cutter, &answer.data) {
        Ok(()) => cutter.finish().ok().map(Made::All),
        Err(error) => Some(Made::Unfit(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Waker};
    use std::thread;

    use ibkr_connect_core::block_on;
    use serde_json::Value;

    use super::super::CloseOnDrop;
    use super::super::output::Batch;
    use super::*;
    use crate::frames::MAX_PART;
    use crate::testing::{Buffer, until};

    /// An output whose client takes parts.
    fn output(room: usize) -> (Arc<Output>, Buffer) {
        let buffer = Buffer::with_room(room);
        let output = Output::new(buffer.pipe());
        output.set_form(Form::Parts);
        (Arc::new(output), buffer)
    }

    /// A text that just fits into the line of a success.
    fn fitting(line: usize) -> String {
        "x".repeat(line - r#"{"id":1,"status":"success","data":""}"#.len())
    }

    fn lines(text: &str) -> Vec<Value> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The lines in short: `7 part`.
    fn said(lines: &[Value]) -> Vec<String> {
        lines.iter().map(|line| format!("{} {}", line["id"], line["status"].as_str().unwrap())).collect()
    }

    fn joined(lines: &[Value]) -> String {
        lines.iter().filter_map(|line| line["text"].as_str()).collect()
    }

    /// Reads all that `output` writes while `play` goes on, a few bytes at a time.
    fn read_while<T>(
        output: &Arc<Output>,
        buffer: &Buffer,
        room: usize,
        play: impl FnOnce() -> T + Send,
    ) -> String
    where
        T: Send,
    {
        thread::scope(|scope| {
            scope.spawn(|| output.write_when_full());
            let playing = scope.spawn(|| {
                // Also where the play fails.
                let _closing = CloseOnDrop(Arc::clone(output));
                play();
                output.flush();
            });
            let mut text = String::new();
            until(|| {
                text += &buffer.take();
                buffer.set_room(room);
                playing.is_finished()
            });
            text + &buffer.take()
        })
    }

    #[test]
    fn what_fits_into_a_part_is_one_line_and_what_is_longer_comes_in_parts() {
        let (output, buffer) = output(usize::MAX);
        let fits = fitting(MAX_PART);
        let longer = fits.clone() + "xxx";
        block_on(output.deliver(Answer::success(1, fits))).unwrap();
        block_on(output.deliver(Answer::success(2, longer.clone()))).unwrap();
        block_on(output.deliver(Answer::event(3, longer.clone()))).unwrap();
        output.flush();
        let lines = lines(&buffer.take());
        let expected = ["1 success", "2 part", "2 part", "2 success", "3 part", "3 part", "3 event"];
        assert_eq!(said(&lines), expected);
        assert!(joined(&lines[1..3]) == format!("\"{longer}\""));
        assert_eq!((&lines[3]["parts"], lines[3].get("data")), (&2.into(), None));
    }

    #[test]
    fn whoever_does_not_take_parts_gets_one_line_of_any_length_within_the_limit_or_an_error() {
        let (output, buffer) = output(usize::MAX);
        output.set_form(Form::Lines);
        let fits = fitting(MAX_FRAME);
        block_on(output.deliver(Answer::success(1, fits.clone()))).unwrap();
        block_on(output.deliver(Answer::success(2, format!("{fits}x")))).unwrap_err();
        output.flush();
        let lines = lines(&buffer.take());
        assert_eq!(said(&lines), ["1 success", "2 error"]);
        assert_eq!(lines[1]["error"]["kind"], "invalid_request");
        assert!(lines[1]["error"]["advice"].as_str().unwrap().contains("`parts`"), "{}", lines[1]);
    }

    #[test]
    fn what_comes_meanwhile_waits_for_one_part_at_most() {
        let (output, buffer) = output(0);
        let long = "x".repeat(20 * MAX_PART);
        let text = read_while(&output, &buffer, MAX_PART / 3, || {
            let mut pings = 0;
            block_on(async {
                let mut long = pin!(output.deliver(Answer::success(1, long)));
                std::future::poll_fn(|context| {
                    // Whenever anything moves on, something else is said too.
                    pings += 1;
                    output.answer(&Answer::<()>::end(100 + pings));
                    long.as_mut().poll(context)
                })
                .await
                .unwrap();
            });
        });
        let lines = lines(&text);
        let ids: Vec<_> =
            lines.iter().map(|line| line["id"].as_u64().unwrap()).filter(|id| *id > 1).collect();
        assert!(ids.len() > 20 && ids.is_sorted(), "in their order: {ids:?}");
        let two_parts = said(&lines[..lines.len() - 2]).windows(2).any(|two| two == ["1 part", "1 part"]);
        assert!(!two_parts, "two parts in a row: {:?}", said(&lines));
        assert_eq!(joined(&lines).len(), 20 * MAX_PART + 2);
    }

    #[test]
    fn a_stream_gets_its_turn_between_two_parts() {
        let (output, buffer) = output(0);
        let long = "x".repeat(20 * MAX_PART);
        let text = read_while(&output, &buffer, MAX_PART / 3, || {
            let mut event = Batch::default();
            event.push_answer(&Answer::event(2, 7));
            block_on(async {
                let long = async {
                    output.deliver(Answer::success(1, long)).await.unwrap();
                };
                let stream = async {
                    for _ in 0..15 {
                        output.write_batch(&event).await;
                    }
                };
                tokio::join!(long, stream)
            });
        });
        let said = said(&lines(&text));
        let last_event = said.iter().rposition(|line| line == "2 event").unwrap();
        let parts_before = said[..last_event].iter().filter(|line| *line == "1 part").count();
        assert!(parts_before <= 16, "15 events have waited for {parts_before} parts: {said:?}");
    }

    #[test]
    fn a_part_waits_until_the_pipe_has_taken_the_one_before() {
        let (output, buffer) = output(10);
        let mut long = pin!(output.deliver(Answer::success(1, "x".repeat(20 * MAX_PART))));
        let poll = || long.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending();
        let mut polls = std::iter::repeat_with(poll);
        until(|| polls.next() == Some(true) && buffer.written().len() == 10);
        assert!(polls.take(100).all(|is_pending| is_pending));
        // Its line has nothing behind it: who writes it is the thread for that.
        let mut next = pin!(output.write_part(vec![b'x']));
        assert!(next.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }

    #[test]
    fn what_is_cancelled_between_its_parts_writes_no_more_of_them_and_makes_room_for_the_next() {
        let (output, buffer) = output(100);
        let long = || "x".repeat(20 * MAX_PART);
        let mut cancelled = Box::pin(output.deliver(Answer::success(1, long())));
        until(|| {
            let _ = cancelled.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            buffer.written().len() == 100
        });
        drop(cancelled);
        output.answer(&Answer::<()>::end(1));
        let text = read_while(&output, &buffer, MAX_PART, || {
            block_on(output.deliver(Answer::success(2, long()))).unwrap();
        });
        let said = said(&lines(&text));
        assert_eq!(said[..3], ["1 part", "1 end", "2 part"], "{said:?}");
        assert_eq!(said.last().unwrap(), "2 success");
    }

    #[test]
    fn long_answers_are_written_one_after_the_other() {
        let (output, buffer) = output(0);
        let text = read_while(&output, &buffer, MAX_PART, || {
            let answer = |id| output.deliver(Answer::success(id, "x".repeat(3 * MAX_PART)));
            block_on(async { tokio::join!(answer(1), answer(2), answer(3)) })
        });
        let mut ids: Vec<_> = lines(&text).iter().map(|line| line["id"].as_u64().unwrap()).collect();
        ids.dedup();
        assert_eq!(ids, [1, 2, 3]);
    }

    #[test]
    fn data_of_the_limit_are_delivered_and_longer_ones_end_in_an_error_after_their_parts() {
        let buffer = Buffer::with_room(usize::MAX);
        let limit = 3 * MAX_PART;
        let mut output = Output::new(buffer.pipe());
        output.longest_data = limit;
        output.set_form(Form::Parts);
        let fits = "x".repeat(limit - 2);
        block_on(output.deliver(Answer::success(1, fits.clone()))).unwrap();
        // One more, in pieces, so that there are parts before.
        let longer: Vec<_> =
            fits.as_bytes().chunks(1_000).map(|text| String::from_utf8_lossy(text).into_owned()).collect();
        block_on(output.deliver(Answer::success(2, longer))).unwrap_err();
        output.flush();
        let lines = lines(&buffer.take());
        let (first, second): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line["id"] == 1);
        assert_eq!((joined(&first).len(), said(&first).last().unwrap().as_str()), (limit, "1 success"));
        assert_eq!(said(&second)[..2], ["2 part", "2 part"]);
        let error = &second.last().unwrap()["error"];
        assert_eq!(error["kind"], "invalid_request");
        assert_eq!(
            error["message"],
            format!("the answer is too long: the protocol's limit is {limit} bytes")
        );
        assert_eq!(error["advice"], "ask for less at once");
    }

    #[test]
    fn nobody_makes_parts_for_a_client_that_is_gone() {
        let (output, buffer) = output(100);
        thread::scope(|scope| {
            let _closing = CloseOnDrop(Arc::clone(&output));
            scope.spawn(|| output.write_when_full());
            buffer.hang_up();
            let _ = block_on(output.deliver(Answer::success(1, "x".repeat(20 * MAX_PART))));
            block_on(output.broken());
        });
        assert!(buffer.is_closed());
    }

    /// Can't be written as JSON, but only after some time.
    struct Spoiled;

    impl Serialize for Spoiled {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::{Error as _, SerializeSeq as _};
            let mut list = serializer.serialize_seq(None)?;
            list.serialize_element(&"x".repeat(MAX_PART))?;
            Err(S::Error::custom("spoiled"))
        }
    }

    #[test]
    fn an_answer_that_is_no_json_ends_in_an_error() {
        let (output, buffer) = output(usize::MAX);
        block_on(output.deliver(Answer::success(1, Spoiled))).unwrap_err();
        output.flush();
        let error = lines(&buffer.take()).pop().unwrap()["error"].take();
        assert_eq!(error["kind"], "internal");
        assert!(error["message"].as_str().unwrap().ends_with("spoiled"), "{error}");
    }
}
