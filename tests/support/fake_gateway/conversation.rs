//! One conversation: healthy up to the fault.

use std::io::{self, BufWriter, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;

use super::Behaviour::{self, *};
use super::Stage;
use super::wire::{ack, error, frame, message, open_order, position, request_id, tick_string};

pub(super) struct Conversation<'a> {
    pub(super) stream: Arc<TcpStream>,
    pub(super) behaviour: Behaviour,
    pub(super) stage: &'a Stage,
}

/// How a conversation ends.
enum End {
    Close,
    Reset,
    /// Keeps the socket, whatever the client does.
    Keep,
}

/// A step of the conversation: an end, or the next step. An error is a client that left.
type Step = io::Result<Option<End>>;

impl Conversation<'_> {
    /// Holds it to its end.
    pub(super) fn hold(self) {
        match self.talk() {
            Ok(End::Close) => {}
            Ok(End::Reset) => SockRef::from(&*self.stream).set_linger(Some(Duration::ZERO)).unwrap(),
            Ok(End::Keep) | Err(_) => self.stage.pause(Duration::MAX),
        }
    }

    fn talk(&self) -> io::Result<End> {
        self.stream.set_nodelay(true)?;
        for step in [Self::accepted, Self::greeted, Self::started] {
            if let Some(end) = step(self)? {
                return Ok(end);
            }
        }
        self.session()
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
            DripsItsVersion(interval) => self.write_in_pieces(&version, 1, interval)?,
            SendsItsVersionInPieces(interval) => self.write_in_pieces(&version, 11, interval)?,
            _ => self.write(&version)?,
        }
        Ok(match self.behaviour {
            ClosesInMidVersion | ClosesAfterVersion => Some(End::Close),
            AnswersInHttp | SendsNoNumberAsVersion | SendsVersion212 | StaysSilentAfterVersion => {
                Some(End::Keep)
            }
            _ => None,
        })
    }

    fn started(&self) -> Step {
        let (start_api, _) = self.read_frame()?;
        assert_eq!(start_api, 71);
        let accounts = frame(15, &message().text(1, "DU7654321,DU7654322,"));
        let next_valid_id = frame(9, &message().number(1, 41));
        let farm = error(-1, 2104, "Market data farm connection is OK:usfarm");
        match self.behaviour {
            ClosesAfterStartApi => return Ok(Some(End::Close)),
            ResetsAfterStartApi => return Ok(Some(End::Reset)),
            SendsFrameLength(length) => self.write(&length.to_be_bytes())?,
            SendsUndecodableAccounts => self.write(&frame(15, b"\x0a\x7fDU"))?,
            RefusesTheClientId => {
                self.write(&error(-1, 326, "Unable to connect as the client id is already in use."))?;
            }
            Refuses(code) => self.write(&error(-1, code, "Bad message"))?,
            OnlyChatters => loop {
                self.write(&farm)?;
                self.stage.pause(Duration::from_millis(20));
            },
            SendsOnlyAccounts => self.write(&accounts)?,
            SendsOnlyNextValidId => self.write(&next_valid_id)?,
            SendsNobodysAccounts => {
                self.write(&[frame(15, &message().text(1, "")), next_valid_id].concat())?;
            }
            FloodsWithOrders => {
                for order_id in 1..=200 {
                    self.write(&open_order(order_id))?;
                }
                self.write(&[frame(53, b""), farm, accounts, next_valid_id].concat())?;
            }
            SendsNextValidIdFirst => {
                for piece in [&farm, &next_valid_id, &farm, &farm, &accounts, &farm] {
                    self.write(piece)?;
                }
            }
            _ => self.write(&[farm.clone(), accounts, next_valid_id, farm].concat())?,
        }
        Ok(match self.behaviour {
            RefusesTheClientId | Refuses(_) => Some(End::Close),
            SendsFrameLength(_)
            | SendsUndecodableAccounts
            | SendsOnlyAccounts
            | SendsOnlyNextValidId
            | SendsNobodysAccounts
            | StaysSilentAfterHandshake => Some(End::Keep),
            _ => None,
        })
    }

    fn session(&self) -> io::Result<End> {
        let mut complaints = 0;
        loop {
            let Ok((request, body)) = self.read_frame() else {
                return Ok(if self.behaviour == NeverCloses { End::Keep } else { End::Close });
            };
            match (request, self.behaviour) {
                (49, ClosesDuringVerify) => return Ok(End::Close),
                (49, behaviour) => {
                    if behaviour == ComplainsDuringVerify && complaints == 0 {
                        complaints += 1;
                        self.write(&error(-1, 321, "Error validating request: it was another client's"))?;
                    }
                    self.write(&frame(49, &message().number(1, 1_787_000_000)))?;
                }
                (_, ClosesAtAQuestion) => return Ok(End::Close),
                (1, FloodsWithTicks(count)) => self.flood(&body, count)?,
                (61, SpreadsItsPositions(interval)) => {
                    for con_id in 1..=3 {
                        self.stage.pause(interval);
                        self.write(&position(con_id))?;
                    }
                    self.write(&frame(62, b""))?;
                }
                _ => {}
            }
        }
    }

    fn flood(&self, request: &[u8], count: u64) -> io::Result<()> {
        let mut ticks = BufWriter::with_capacity(64 * 1024, &*self.stream);
        for number in 1..=count {
            ticks.write_all(&tick_string(request_id(request), 45, &number.to_string()))?;
        }
        ticks.flush()
    }

    fn read_frame(&self) -> io::Result<(u32, Vec<u8>)> {
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

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
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
