//! One conversation: healthy up to the fault.

use std::io::{self, BufWriter, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use socket2::SockRef;

use super::Behaviour::{self, *};
use super::Stage;
use super::damage::damage;
use super::message::{ID, message};
use super::wire::{Frame, ack, ack_of, error, frame, news, open_order, position, raw_error, raw_frame};

pub(super) struct Conversation<'a> {
    pub(super) stream: Arc<TcpStream>,
    pub(super) behaviour: Behaviour,
    pub(super) stage: &'a Stage,
}

/// How a conversation ends.
pub(super) enum End {
    Close,
    Reset,
    /// Keeps the socket, whatever the client does.
    Keep,
}

/// A step of the conversation: an end, or the next step. An error is a client that left.
pub(super) type Step = io::Result<Option<End>>;

impl Conversation<'_> {
    /// Holds it to its end.
    pub(super) fn hold(self) {
        match self.talk() {
            Ok(End::Close) => {}
            Ok(End::Reset) => SockRef::from(&*self.stream).set_linger(Some(Duration::ZERO)).unwrap(),
            // Ten thousands of these would be as many threads.
            Err(_) if matches!(self.behaviour, SendsDamage(_)) => {}
            Ok(End::Keep) | Err(_) => self.stage.pause(Duration::MAX),
        }
    }

    fn talk(&self) -> io::Result<End> {
        match self.shake_hands()? {
            Some(end) => Ok(end),
            None => self.session(),
        }
    }

    pub(super) fn shake_hands(&self) -> Step {
        self.stream.set_nodelay(true)?;
        for step in [Self::accepted, Self::greeted, Self::started] {
            if let Some(end) = step(self)? {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    fn accepted(&self) -> Step {
        Ok(match self.behaviour {
            AcceptsAndStaysSilent => Some(End::Keep),
            ClosesBeforeVersion => Some(End::Close),
            ResetsBeforeVersion => Some(End::Reset),
            _ => None,
        })
    }

    fn greeted(&self) -> Step {
        assert_eq!(self.read(4)?, b"API\0");
        let versions = String::from_utf8(self.read_prefixed()?).unwrap();
        assert!(versions.starts_with('v') && versions.contains(".."), "{versions}");
        let version = ack("222");
        match self.behaviour {
            ClosesInMidVersion => self.write(&version[..9])?,
            AnswersInHttp => self.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")?,
            SendsNoNumberAsVersion => self.write(&ack("two hundred"))?,
            SendsVersion212 => self.write(&ack("212"))?,
            SendsAsVersion(text) => self.write(&ack(text))?,
            SaysEverywhere(text) => self.write(&ack_of("222", text.replace('\0', "").as_bytes()))?,
            SendsNewsBeforeItsVersion => self.write(&[news(), version].concat())?,
            SendsNewsInsteadOfItsVersion => loop {
                self.write(&news())?;
            },
            // "GMT+8, China" in GBK.
            WritesInOtherEncodings => self.write(&ack_of("222", b"GMT+08:00 \xd6\xd0\xb9\xfa"))?,
            DripsItsVersion(interval) => self.write_in_pieces(&version, 1, interval)?,
            SendsItsVersionInPieces(interval) => self.write_in_pieces(&version, 11, interval)?,
            _ => self.write(&version)?,
        }
        Ok(match self.behaviour {
            ClosesInMidVersion | ClosesAfterVersion => Some(End::Close),
            AnswersInHttp
            | SendsNoNumberAsVersion
            | SendsVersion212
            | SendsAsVersion(_)
            | StaysSilentAfterVersion => Some(End::Keep),
            _ => None,
        })
    }

    fn started(&self) -> Step {
        let (start_api, _) = self.read_frame()?;
        assert_eq!(start_api, 71);
        let accounts = frame!(15 { 1: "DU7654321,DU7654322," });
        let next_valid_id = frame!(9 { 1: 41 });
        let farm = error(2104, "Market data farm connection is OK:usfarm");
        match self.behaviour {
            ClosesAfterStartApi => return Ok(Some(End::Close)),
            ResetsAfterStartApi => return Ok(Some(End::Reset)),
            SendsFrameLength(length) => self.write(&length.to_be_bytes())?,
            SendsUndecodableAccounts => self.write(&raw_frame(15, b"\x0a\x7fDU"))?,
            RefusesTheClientId => {
                self.send([&error(326, "Unable to connect as the client id is already in use.")])?;
            }
            Refuses(code) => self.send([&error(code, "Bad message")])?,
            SaysBeforeItsAccounts(code, text) => {
                self.send([&error(code, text), &accounts, &next_valid_id])?;
            }
            SaysAfterItsAccounts(code, text) => {
                self.send([&accounts, &next_valid_id, &error(code, text)])?;
            }
            SaysOnly(code, text) => self.send([&error(code, text), &farm])?,
            SendsErrorsWithoutEnd(length) => self.complain(length)?,
            SendsOtherThings(total) => {
                let error = error(321, &"x".repeat(1 << 10)).bytes(-1);
                let both = [raw_frame(5, &vec![0; 1 << 20]), error].concat();
                self.write(&both.repeat(total / both.len()))?;
            }
            WritesInOtherEncodings => {
                // "Connection OK" in Latin-1 Portuguese.
                self.write(&raw_error(2104, b"Conex\xe3o OK"))?;
                self.send([&accounts, &next_valid_id])?;
            }
            FloodsWithNotices(count) => {
                self.send(std::iter::repeat_n(&farm, count).chain([&accounts, &next_valid_id]))?;
            }
            SaysEverywhere(text) => {
                let accounts = frame!(15 { 1: &*format!("DU7654321,DU{text},") });
                let farm = error(2103, &format!("Market data farm connection is broken:{text}"));
                self.send([&farm, &accounts, &next_valid_id, &error(2100, text), &farm])?;
            }
            OnlyChatters => loop {
                self.send([&farm])?;
                self.stage.pause(Duration::from_millis(20));
            },
            SendsOnlyAccounts => self.send([&accounts])?,
            SendsOnlyNextValidId => self.send([&next_valid_id])?,
            SendsAccounts(list) => self.send([&next_valid_id, &frame!(15 { 1: list })])?,
            SendsNextValidId(next) => self.send([&accounts, &frame!(9 { 1: next })])?,
            FloodsWithOrders => {
                self.send((1..=200).flat_map(open_order))?;
                self.send([&frame!(53 {}), &farm, &accounts, &next_valid_id])?;
            }
            SendsNextValidIdFirst => {
                for piece in [&farm, &next_valid_id, &farm, &farm, &accounts, &farm] {
                    self.send([piece])?;
                }
            }
            _ => self.send([&farm, &accounts, &next_valid_id, &farm])?,
        }
        Ok(match self.behaviour {
            RefusesTheClientId | Refuses(_) => Some(End::Close),
            SaysOnly(..)
            | SendsOtherThings(_)
            | SendsFrameLength(_)
            | SendsUndecodableAccounts
            | SendsOnlyAccounts
            | SendsOnlyNextValidId
            | SendsAccounts(_)
            | StaysSilentAfterHandshake => Some(End::Keep),
            _ => None,
        })
    }

    fn session(&self) -> io::Result<End> {
        let complaint = error(321, "Error validating request: it was another client's");
        let accounts = frame!(15 { 1: "DU7654321,DU7654322," });
        let (mut asked, mut first) = (0, None);
        loop {
            let Ok((request, body)) = self.read_frame() else {
                return Ok(if self.behaviour == NeverCloses { End::Keep } else { End::Close });
            };
            match (request, self.behaviour) {
                (17, ClosesDuringVerify) => return Ok(End::Close),
                (17, ComplainsDuringVerify) if asked == 0 => {
                    asked += 1;
                    self.send([&complaint, &accounts])?;
                }
                (17, ComplainsFirst(times)) if asked < times => {
                    asked += 1;
                    self.send([&complaint])?;
                }
                (_, OnlyComplains) => self.send([&complaint])?,
                (_, ComplainsWithoutEnd(length)) => self.complain(length)?,
                (17, StopsReading) => {
                    self.send([&accounts])?;
                    return Ok(End::Keep);
                }
                (17, SaysEverywhere(text)) => {
                    self.send([&frame!(15 { 1: &*format!("DU7654321,DU{text},") })])?;
                }
                (_, SaysEverywhere(text)) => self.say(text, request, &body)?,
                (17, KnowsOnlyTheTime) => {}
                (49, KnowsOnlyTheTime) => self.send([&frame!(49 { 1: 1_787_000_000 })])?,
                (17, _) => self.send([&accounts])?,
                (_, ClosesAtAQuestion) => return Ok(End::Close),
                (1, FloodsWithTicks(count)) => self.flood(&body, count)?,
                (1, FloodsAllButTheFirst { ticks, length }) => {
                    let id = id_in(&body);
                    if first.is_some() {
                        self.write(&text_tick(id, &"x".repeat(length)).repeat(ticks))?;
                    }
                    let first = *first.get_or_insert(id);
                    self.write(&text_tick(first, "still there"))?;
                }
                (20, AnswersWithBars(count)) => {
                    let end = frame!(108 { 1: ID, 2: "20260709 09:30:00 US/Eastern", 3: "20260709 16:00:00 US/Eastern" });
                    self.write(&raw_frame(17, &bars(id_in(&body), count)))?;
                    self.write(&end.bytes(id_in(&body)))?;
                }
                (24, AnswersWithXml(lines)) => self.send([frame!(19 { 1: &*XML_LINE.repeat(lines) })])?,
                (61, SpreadsItsPositions(interval)) => {
                    for con_id in 1..=3 {
                        self.stage.pause(interval);
                        self.send([position(con_id)])?;
                    }
                    self.send([frame!(62 {})])?;
                }
                _ => {}
            }
        }
    }

    /// Answers with this text wherever one can be, or refuses in its words.
    fn say(&self, text: &str, request: u32, body: &[u8]) -> io::Result<()> {
        let id = message! { 1: ID }.id_in(body).unwrap_or(-1);
        let answers = match request {
            9 => vec![
                frame!(10 {
                    1: ID,
                    2: { 1: 700_000_001, 2: text, 3: "STK", 8: text, 10: "USD", 11: text, 12: text },
                    3: { 1: text, 2: "0.01", 3: text, 4: text, 7: text, 12: text, 13: text },
                }),
                frame!(52 { 1: ID }),
            ],
            12 => vec![frame!(14 { 1: 7, 2: 1, 3: text, 4: text })],
            61 => vec![
                frame!(61 { 1: &*format!("DU{text}"), 2: { 1: 1, 2: text, 3: "STK" }, 3: "100" }),
                frame!(62 {}),
            ],
            85 => vec![frame!(85 { 1: { 1: text, 2: text } })],
            _ => vec![frame!(4 { 1: ID, 2: 1_787_000_000_123_i64, 3: 321, 4: text })],
        };
        let bytes: Vec<u8> = answers.iter().flat_map(|frame| frame.bytes(id)).collect();
        self.write(&bytes)
    }

    /// Complains until the client leaves, in words of this length.
    fn complain(&self, length: usize) -> io::Result<()> {
        let complaint = error(321, &"x".repeat(length)).bytes(-1);
        let complaints = complaint.repeat((64 * 1024 / complaint.len()).max(1));
        loop {
            self.write(&complaints)?;
        }
    }

    fn flood(&self, request: &[u8], count: u64) -> io::Result<()> {
        let id = id_in(request);
        let mut ticks = BufWriter::with_capacity(64 * 1024, &*self.stream);
        for number in 1..=count {
            ticks.write_all(&text_tick(id, &number.to_string()))?;
        }
        ticks.flush()
    }

    /// The next frame of the client: its message's number, and the message.
    pub(super) fn read_frame(&self) -> io::Result<(u32, Vec<u8>)> {
        let payload = self.read_prefixed()?;
        let (id, body) = payload.split_at(4);
        Ok((u32::from_be_bytes(id.try_into().unwrap()) - 200, body.to_vec()))
    }

    fn read_prefixed(&self) -> io::Result<Vec<u8>> {
        let length = u32::from_be_bytes(self.read(4)?.try_into().unwrap());
        assert!(length < 1 << 20, "the client sent a frame of {length} bytes");
        self.read(length as usize)
    }

    fn read(&self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        (&*self.stream).read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Sends frames in one piece.
    fn send<F: std::borrow::Borrow<Frame>>(&self, frames: impl IntoIterator<Item = F>) -> io::Result<()> {
        let bytes: Vec<u8> = frames.into_iter().flat_map(|frame| frame.borrow().bytes(-1)).collect();
        self.write(&bytes)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        if let SendsDamage(seed) = self.behaviour {
            let mut dice = self.stage.dice(seed);
            // Some stay whole, or nothing would get far.
            if dice.random_bool(0.5) {
                let mut damaged = bytes.to_vec();
                damage(&mut damaged, &mut dice);
                return (&*self.stream).write_all(&damaged);
            }
        }
        (&*self.stream).write_all(bytes)
    }

    fn write_in_pieces(&self, bytes: &[u8], size: usize, interval: Duration) -> io::Result<()> {
        for piece in bytes.chunks(size) {
            self.write(piece)?;
            self.stage.pause(interval);
        }
        Ok(())
    }
}

fn id_in(request: &[u8]) -> i64 {
    message! { 1: ID }.id_in(request).expect("a request has an id")
}

/// What the JSON of a text has to mark, among the rest.
const XML_LINE: &str = "<Instrument type=\"STK\" name=\"US Stocks, a\\b, ä\"/>\n";

/// So many bars, one every five seconds, of which no two are equal. Each is the first one with another time and another open.
fn bars(id: i64, count: usize) -> Vec<u8> {
    const TIME: std::ops::Range<usize> = 4..14;
    const OPEN: std::ops::Range<usize> = 15..23;
    let first = message! {
        1: "1783000000", 2: 230.0, 3: 250.5, 4: 229.5, 5: 230.25, 6: "1200", 7: "230.375", 8: 8,
    };
    let mut bar = message! { 2: first }.bytes(id);
    let mut body = message! { 1: ID }.bytes(id);
    for number in 0..count {
        bar[TIME].copy_from_slice((1_783_000_000 + 5 * number).to_string().as_bytes());
        bar[OPEN].copy_from_slice(&(230.0 + number as f64 / 1e4).to_le_bytes());
        body.extend_from_slice(&bar);
    }
    body
}

fn text_tick(id: i64, text: &str) -> Vec<u8> {
    frame!(46 { 1: ID, 2: 45, 3: text }).bytes(id)
}
