//! The frames that come from the Gateway, followed in whatever pieces they come.

use std::fmt;
use std::time::Instant;

use prost::Message;

use crate::error_frame::ErrorMessage;
use crate::family::{Family, Part};
use crate::frame::{Frame, MAX_LENGTH};
use crate::ids::{PROTOBUF, incoming};
use crate::own_orders::OwnOrders;
use crate::repair::{self, Repaired, histories::Histories};
use crate::reroute::Reroute;

/// The lengths that a frame can have: at least its id, at most what TWS's own client accepts.
pub(crate) const LENGTHS: std::ops::RangeInclusive<u32> = 4..=MAX_LENGTH;

/// How much of a frame is looked into. An error's text is a sentence.
const LONGEST_READ: usize = 64 * 1024;

/// Length and id.
pub(crate) const HEAD: usize = 8;

/// Hears what the frames from the Gateway tell.
pub trait Observer {
    /// An error message about a request, or with the id -1 about none. It is from everything TWS has to say, from "farm is OK" on.
    fn hear(&self, now: Instant, error: &ErrorMessage);

    /// A frame of an answer that names no request comes by.
    fn count(&self, family: Family);

    /// The end mark of such an answer comes by, which names an account or none. What becomes of it?
    fn end_mark(&self, now: Instant, family: Family, account: Option<&str>) -> EndMark;
}

/// What becomes of an end mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndMark {
    /// It is passed on.
    Passes,
    /// It is passed on, and nothing after it until somebody says so.
    Halts,
    /// It is nobody's.
    IsDropped,
}

/// Follows the frames from the Gateway.
#[derive(Debug, Default)]
pub struct Inbound {
    /// The beginning of a frame, as far as it is not passed on yet: its head, or the whole of one that is looked into.
    kept: Vec<u8>,
    /// How long `kept` gets: 0 while that is not known.
    wanted: usize,
    /// How much of a frame is still to be passed on unread.
    unread: usize,
    /// How much of one is still to be dropped: the rest of an error that is out of proportion.
    dropped: usize,
    /// The answers with bars that have begun.
    histories: Histories,
    own_orders: OwnOrders,
}

/// How it goes on with the bytes that are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// None are left.
    GoesOn,
    /// They are to wait until the [`Observer`] says that they go on.
    Halts,
}

/// A frame whose length can't be one. Nothing that follows can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadFrame {
    /// What stands in the place of the length.
    pub length: u32,
}

impl fmt::Display for BadFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a frame of {} bytes, which is none of the protocol", self.length)
    }
}

/// AccountDataEnd.
#[derive(Clone, PartialEq, Message)]
struct AccountEnd {
    #[prost(string, optional, tag = "1")]
    account: Option<String>,
}

impl Inbound {
    /// Of a session of this client.
    pub fn of_client(client_id: i32) -> Self {
        Self { own_orders: OwnOrders::of_client(client_id), ..Self::default() }
    }

    /// Whether the last frame has passed whole, so that another one may be put in here.
    pub fn is_between_frames(&self) -> bool {
        self.kept.is_empty() && self.unread == 0 && self.dropped == 0
    }

    /// Whether the next `count` bytes are all from the middle of a frame that is not looked into: then they go on as they are, from
    /// where they are, and count as followed.
    pub fn passes(&mut self, count: usize) -> bool {
        let passes = count > 0 && self.unread >= count;
        if passes {
            self.unread -= count;
        }
        passes
    }

    /// Takes in the next bytes and puts those that may go on into `out`. What is seen on the way is told to `observer`. An error that
    /// a client could not read, or that is out of proportion, goes on as one that says the same, and so does any message that ibapi
    /// could not read (see [`REPAIRS`](crate::REPAIRS)). A [`Reroute`] goes on as an error about its request.
    ///
    /// # Errors
    /// For a frame that can't be one; `out` has everything before it.
    pub fn follow(
        &mut self,
        bytes: &mut &[u8],
        now: Instant,
        observer: &impl Observer,
        out: &mut Vec<u8>,
    ) -> Result<Flow, BadFrame> {
        while !bytes.is_empty() {
            if self.is_between_frames()
                && let Some(whole) = whole_frame(bytes)
            {
                self.pass_on(whole, now, observer, out);
                *bytes = &bytes[whole.len()..];
                continue;
            }
            let dropped = self.dropped.min(bytes.len());
            self.dropped -= dropped;
            *bytes = &bytes[dropped..];
            let passed = self.unread.min(bytes.len());
            self.unread -= passed;
            out.extend_from_slice(&bytes[..passed]);
            *bytes = &bytes[passed..];
            let wanted = if self.wanted == 0 { HEAD } else { self.wanted };
            let taken = (wanted - self.kept.len()).min(bytes.len());
            self.kept.extend_from_slice(&bytes[..taken]);
            *bytes = &bytes[taken..];
            self.check_length()?;
            if self.kept.len() == wanted && self.go_on(now, observer, out) == Flow::Halts {
                return Ok(Flow::Halts);
            }
        }
        Ok(Flow::GoesOn)
    }

    /// As soon as it is known: what can't be a frame may never get as long as a head.
    fn check_length(&self) -> Result<(), BadFrame> {
        let [l0, l1, l2, l3, ..] = self.kept[..] else { return Ok(()) };
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        if LENGTHS.contains(&length) { Ok(()) } else { Err(BadFrame { length }) }
    }

    /// The head of a frame is complete, or all of it.
    fn go_on(&mut self, now: Instant, observer: &impl Observer, out: &mut Vec<u8>) -> Flow {
        let [l0, l1, l2, l3, i0, i1, i2, i3, ..] = self.kept[..] else { return Flow::GoesOn };
        let (length, id) = (u32::from_be_bytes([l0, l1, l2, l3]), u32::from_be_bytes([i0, i1, i2, i3]));
        let (whole, family) = (4 + length as usize, id.checked_sub(PROTOBUF).and_then(Family::of));
        let is_error = id == PROTOBUF + incoming::ERROR;
        let is_end = matches!(family, Some((_, Part::End))) && whole <= LONGEST_READ;
        let is_reroute = id.checked_sub(PROTOBUF).is_some_and(Reroute::is_message) && whole <= LONGEST_READ;
        let is_looked_into = id.checked_sub(PROTOBUF).is_some_and(repair::is_looked_into);
        let wanted = match (is_error || is_end || is_reroute, is_looked_into) {
            (true, _) => whole.min(LONGEST_READ),
            (_, true) => whole,
            _ => HEAD,
        };
        if self.kept.len() < wanted {
            self.wanted = wanted;
            return Flow::GoesOn;
        }
        self.wanted = 0;
        if is_looked_into {
            let frame = std::mem::take(&mut self.kept);
            self.pass_on(&frame, now, observer, out);
            return Flow::GoesOn;
        }
        let rest = whole - self.kept.len();
        (self.unread, self.dropped) = if is_error { (0, rest) } else { (rest, 0) };
        if is_error {
            self.hear(now, observer);
        }
        if is_reroute && let Some(error) = Reroute::as_error(id - PROTOBUF, &self.kept[HEAD..]) {
            self.kept.clear();
            self.kept.extend_from_slice(error.frame().as_bytes());
        }
        let mark = family.map_or(EndMark::Passes, |(family, part)| self.see(now, observer, family, part));
        if mark == EndMark::IsDropped {
            self.kept.clear();
            (self.unread, self.dropped) = (0, rest);
        }
        out.append(&mut self.kept);
        if mark == EndMark::Halts { Flow::Halts } else { Flow::GoesOn }
    }

    /// A frame with data is there as a whole.
    fn pass_on(&mut self, frame: &[u8], now: Instant, observer: &impl Observer, out: &mut Vec<u8>) {
        let (head, body) = frame.split_at(HEAD);
        let id = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) - PROTOBUF;
        if let Some((family, part)) = Family::of(id) {
            self.see(now, observer, family, part);
        }
        if let Some(missing) = self.histories.follow(id, body) {
            out.extend_from_slice(missing.as_bytes());
        }
        let owned = if id == incoming::ORDER_STATUS { self.own_orders.follow(body) } else { None };
        match repair::repaired(id, owned.as_deref().unwrap_or(body)) {
            Repaired::Untouched => match owned {
                Some(body) => out.extend_from_slice(Frame::raw(PROTOBUF + id, &body).as_bytes()),
                None => out.extend_from_slice(frame),
            },
            Repaired::Instead(frame) => out.extend_from_slice(frame.as_bytes()),
        }
    }

    fn hear(&mut self, now: Instant, observer: &impl Observer) {
        let error = ErrorMessage::read(&self.kept[HEAD..]);
        if let Some(error) = &error {
            observer.hear(now, error);
        }
        if let Some(repaired) = error.and_then(|error| error.repaired()) {
            self.kept.clear();
            self.kept.extend_from_slice(repaired.as_bytes());
        } else if self.dropped > 0 {
            // Nothing of it can be read, nor kept.
            self.kept.clear();
        }
    }

    fn see(&self, now: Instant, observer: &impl Observer, family: Family, part: Part) -> EndMark {
        observer.count(family);
        match (part, family) {
            (Part::Row, _) => EndMark::Passes,
            (Part::End, Family::AccountUpdates) => {
                let end = AccountEnd::decode(&self.kept[HEAD..]).unwrap_or_default();
                observer.end_mark(now, family, Some(&end.account.unwrap_or_default()))
            }
            (Part::End, _) => observer.end_mark(now, family, None),
        }
    }
}

/// The frame at the beginning of these bytes, if it is one with data and all of it is there.
fn whole_frame<'a>(bytes: &&'a [u8]) -> Option<&'a [u8]> {
    let (head, _) = bytes.split_first_chunk::<HEAD>()?;
    let [l0, l1, l2, l3, i0, i1, i2, i3] = *head;
    let (length, id) = (u32::from_be_bytes([l0, l1, l2, l3]), u32::from_be_bytes([i0, i1, i2, i3]));
    let is_looked_into = id.checked_sub(PROTOBUF).is_some_and(repair::is_looked_into);
    (is_looked_into && LENGTHS.contains(&length)).then(|| bytes.get(..4 + length as usize))?
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;

    use super::*;

    /// Notes what it hears.
    #[derive(Default)]
    pub(super) struct Notes {
        pub(super) last: RefCell<Option<Word>>,
        frames: RefCell<[u64; Family::COUNT]>,
        /// Whose end mark ends account updates.
        account: Option<&'static str>,
        halts_at: RefCell<Option<Family>>,
    }

    #[derive(Debug, Clone, PartialEq)]
    pub(super) struct Word(pub(super) i32, pub(super) String);

    fn says(code: i32, text: &str) -> Option<Word> {
        Some(Word(code, text.to_owned()))
    }

    impl Notes {
        pub(super) fn of_account(account: &'static str) -> Self {
            Self { account: Some(account), ..Self::default() }
        }
    }

    impl Observer for Notes {
        fn hear(&self, _: Instant, error: &ErrorMessage) {
            self.last.replace(Some(Word(error.code(), error.text())));
        }

        fn count(&self, family: Family) {
            self.frames.borrow_mut()[family.index()] += 1;
        }

        fn end_mark(&self, _: Instant, family: Family, account: Option<&str>) -> EndMark {
            if self.account.is_some() && account.is_some() && account != self.account {
                return EndMark::IsDropped;
            }
            if *self.halts_at.borrow() == Some(family) { EndMark::Halts } else { EndMark::Passes }
        }
    }

    fn frame(id: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = (body.len() as u32 + 4).to_be_bytes().to_vec();
        bytes.extend(id.to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn error(code: i32, text: &str) -> Vec<u8> {
        let mut body = Vec::new();
        prost::encoding::int32::encode(1, &-1, &mut body);
        prost::encoding::int32::encode(3, &code, &mut body);
        prost::encoding::string::encode(4, &text.to_owned(), &mut body);
        frame(204, &body)
    }

    /// What goes on of `bytes` that come in pieces of `size`, and the last word that was heard.
    fn followed(bytes: &[u8], size: usize) -> (Vec<u8>, Option<Word>, Result<(), BadFrame>) {
        let (mut inbound, tap, now) = (Inbound::default(), Notes::default(), Instant::now());
        let mut out = Vec::new();
        let outcome = bytes.chunks(size).try_for_each(|mut piece| {
            inbound.follow(&mut piece, now, &tap, &mut out).map(|flow| assert_eq!(flow, Flow::GoesOn))
        });
        (out, tap.last.take(), outcome)
    }

    proptest! {
        #[test]
        fn everything_goes_on_however_the_bytes_are_cut(
            frames in prop::collection::vec((0_u32..300, prop::collection::vec(any::<u8>(), 0..40)), 0..6),
            size in 1_usize..30,
        ) {
            // Errors are below, and what is looked into is elsewhere.
            let is_other = |id: u32| id != 204 && !id.checked_sub(PROTOBUF).is_some_and(repair::is_looked_into);
            let others = frames.iter().filter(|(id, _)| is_other(*id));
            let mut bytes: Vec<u8> = others.flat_map(|(id, body)| frame(*id, body)).collect();
            bytes.extend(error(320, "Error reading request"));
            let (out, word, outcome) = followed(&bytes, size);
            prop_assert_eq!(outcome, Ok(()));
            prop_assert_eq!(out, bytes);
            prop_assert_eq!(word, says(320, "Error reading request"));
        }
    }

    #[test]
    fn the_middle_of_a_long_frame_passes_as_it_is_and_nothing_else_does() {
        let long = frame(252, &[7; 100]);
        let (mut inbound, tap, now) = (Inbound::default(), Notes::default(), Instant::now());
        let mut out = Vec::new();
        assert!(!inbound.passes(1), "its head");
        inbound.follow(&mut &long[..20], now, &tap, &mut out).unwrap();
        assert!(inbound.passes(50) && !inbound.passes(39) && !inbound.passes(0));
        assert!(!inbound.is_between_frames());
        assert!(inbound.passes(38) && inbound.is_between_frames());
        assert!(!inbound.passes(1), "the next one's head");
        inbound.follow(&mut &error(1100, "gone")[..20], now, &tap, &mut out).unwrap();
        assert!(!inbound.passes(1), "of an error");
        assert_eq!(out, long[..20]);
    }

    #[test]
    fn a_length_that_can_be_none_ends_it_after_what_came_before() {
        for length in [0_u32, 3, 0x0100_0000, u32::MAX] {
            for size in [1, 5, 100] {
                let mut bytes = error(1100, "gone");
                let whole = bytes.clone();
                bytes.extend(length.to_be_bytes());
                let (out, word, outcome) = followed(&bytes, size);
                assert_eq!(outcome, Err(BadFrame { length }));
                assert_eq!((out, word), (whole, says(1100, "gone")));
            }
        }
        for length in [4_u32, 0x00FF_FFFF] {
            let bytes = [length.to_be_bytes(), 252_u32.to_be_bytes()].concat();
            assert_eq!(followed(&bytes, 3).2, Ok(()));
        }
    }

    #[test]
    fn what_is_no_error_or_can_not_be_read_says_nothing() {
        for bytes in [frame(204, b"\x22\xff"), frame(252, &error(320, "x")[8..]), frame(204, &[0; 60_000])] {
            let (out, word, outcome) = followed(&bytes, 1_000);
            assert_eq!((out, word, outcome), (bytes, None, Ok(())));
        }
        let (out, word, outcome) = followed(&[frame(204, &[0; 70_000]), frame(249, b"x")].concat(), 1_000);
        assert_eq!((out, word, outcome), (frame(249, b"x"), None, Ok(())), "too long to be kept");
    }

    #[test]
    fn an_error_that_ibapi_could_not_read_goes_on_in_words_that_it_can() {
        let gbk = error(1100, "gone")
            .iter()
            .map(|byte| if *byte == b'g' { 0xd6 } else { *byte })
            .collect::<Vec<_>>();
        for size in [1, 7, 100] {
            let (out, word, _) = followed(&[gbk.clone(), frame(249, b"x")].concat(), size);
            assert_eq!(out, [error(1100, "\u{fffd}one"), frame(249, b"x")].concat());
            assert_eq!(word, says(1100, "\u{fffd}one"));
        }
    }

    #[test]
    fn an_error_out_of_proportion_is_cut_and_never_kept_whole() {
        let long = error(321, &"x".repeat(8 << 20));
        let (mut inbound, tap, now) = (Inbound::default(), Notes::default(), Instant::now());
        let mut out = Vec::new();
        for mut piece in long.chunks(10_000).chain([frame(249, b"x").as_slice()]) {
            inbound.follow(&mut piece, now, &tap, &mut out).unwrap();
            assert!(inbound.kept.capacity() <= 2 * LONGEST_READ);
        }
        assert_eq!(out, [error(321, &("x".repeat(4_093) + "…")), frame(249, b"x")].concat());
        assert_eq!(tap.last.take().unwrap().0, 321);
    }

    #[test]
    fn a_reroute_goes_on_as_an_error_about_its_request_and_nobody_else_hears_of_it() {
        let body = [b"\x08\x87\xde\xa0\xcb\x05\x10\xfa\x40\x1a\x05".as_slice(), b"SMART"].concat();
        for (id, message) in [(291, 91), (292, 92)] {
            let error = Reroute::as_error(message, &body).unwrap();
            let bytes = [frame(301, b"x"), frame(id, &body), frame(301, b"y")].concat();
            let expected = [frame(301, b"x"), error.frame().as_bytes().to_vec(), frame(301, b"y")].concat();
            for size in [1, 7, 100] {
                assert_eq!(followed(&bytes, size), (expected.clone(), None, Ok(())));
            }
        }
        for other in [frame(291, b"\x10\xfa\x40"), frame(91, &body), frame(291, &[0; LONGEST_READ])] {
            assert_eq!(
                followed(&other, 1_000),
                (other.clone(), None, Ok(())),
                "it is no reroute of a request"
            );
        }
    }

    fn account_end(account: &str) -> Vec<u8> {
        frame(254, &AccountEnd { account: Some(account.to_owned()) }.encode_to_vec())
    }

    #[test]
    fn an_end_mark_of_another_account_does_not_go_on() {
        let rows = [frame(206, b"a row"), frame(261, b"a position")].concat();
        let bytes = [account_end("DU2"), rows.clone(), account_end("DU1")].concat();
        for size in 1..bytes.len() {
            let (mut inbound, tap, now) = (Inbound::default(), Notes::of_account("DU1"), Instant::now());
            let mut out = Vec::new();
            for mut piece in bytes.chunks(size) {
                assert_eq!(inbound.follow(&mut piece, now, &tap, &mut out), Ok(Flow::GoesOn));
            }
            assert_eq!(out, [rows.clone(), account_end("DU1")].concat());
            assert_eq!(*tap.frames.borrow(), [1, 3, 0, 0]);
        }
    }

    #[test]
    fn it_stops_behind_an_end_mark_where_it_is_told_to() {
        let (mut inbound, tap, now) = (Inbound::default(), Notes::default(), Instant::now());
        tap.halts_at.replace(Some(Family::OpenOrders));
        let first = [frame(205, b"an order"), frame(253, b"")].concat();
        let rest = [frame(205, b"another"), frame(302, b""), frame(253, b"end")].concat();
        let bytes = [first.clone(), rest.clone()].concat();
        let (mut left, mut out) = (bytes.as_slice(), Vec::new());
        assert_eq!(inbound.follow(&mut left, now, &tap, &mut out), Ok(Flow::Halts));
        assert_eq!((&out, left), (&first, rest.as_slice()));
        tap.halts_at.take();
        assert_eq!(inbound.follow(&mut left, now, &tap, &mut out), Ok(Flow::GoesOn));
        assert_eq!(out, bytes);
    }
}
