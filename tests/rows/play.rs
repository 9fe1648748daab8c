//! One client and the Gateway whose part is played, with what a row says that both send.

use std::fmt::Debug;
use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use ibkr_connect::types::Notice;
use ibkr_connect::{Session, Subscription};
use tokio::time::timeout;

use crate::row::{Exchange, Row};
use crate::support::backend::{Backend, target};
use crate::support::fake_gateway::played::{PlayedGateway, Received};
use crate::support::fake_gateway::wire::{Frame, frame};

/// What was due and did not happen is said in words.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// How long anything may take that is due.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// The client's id, which is in its orders.
pub(crate) const CLIENT: i32 = 7;

/// What the Gateway refuses with.
pub(crate) const REFUSAL: (i32, &str) = (321, "Error validating request: não há – 拒否");

/// What the Gateway says about a request that goes on.
const ADVICE: (i32, &str) = (10090, "Part of requested market data is not subscribed. Não há – 没有");

/// What it says about the session.
const LOST: (i32, &str) = (1100, "Connectivity between IBKR and Trader Workstation has been lost. 连接断开");

/// How the Gateway takes the last question of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    Answers,
    Refuses,
    /// It does nothing yet.
    Hears,
}

pub(crate) struct Play<'a> {
    row: &'a Row,
    gateway: PlayedGateway,
    pub(crate) session: Session,
    notices: Subscription<Notice>,
    /// The id of the request that the row is about; -1 if it has none.
    id: i64,
    /// What was sent, or is to come late, with the id that it answers.
    answers: Vec<(&'a [Frame], i64)>,
}

impl<'a> Play<'a> {
    pub(crate) async fn begin(row: &'a Row, backend: &Backend) -> Outcome<Self> {
        let (gateway, session) = connect(backend).await?;
        let notices = session.notices().await.map_err(|error| format!("no notices: {error}"))?;
        Ok(Self { row, gateway, session, notices, id: -1, answers: Vec::new() })
    }

    /// Everything that the Gateway hears and sends for the row.
    pub(crate) async fn exchange(&mut self, take: Take) -> Outcome {
        (self.id, self.answers) = (-1, Vec::new());
        let exchanges = &self.row.exchanges;
        let last = exchanges.iter().rposition(|exchange| exchange.asks.is_some());
        for (index, exchange) in exchanges.iter().enumerate() {
            let id = self.hear(exchange).await?;
            self.answers.push((&exchange.answers, id));
            if take != Take::Answers && Some(index) == last {
                if take == Take::Refuses {
                    self.gateway.send(&[refusal(id)], id);
                }
                return Ok(());
            }
            self.gateway.send(&exchange.answers, id);
        }
        Ok(())
    }

    /// The Gateway hears all that the row asks and says something about the last question, or about the session where it has no id.
    pub(crate) async fn exchange_words(&mut self) -> Outcome<(i32, &'static str)> {
        self.exchange(Take::Hears).await?;
        let (code, text) = if self.id == -1 { LOST } else { ADVICE };
        self.gateway.send(&[frame!(4 { 1: self.id, 2: 1_787_000_000_123_i64, 3: code, 4: text })], -1);
        Ok((code, text))
    }

    /// The client sends this next, about the same request.
    pub(crate) async fn hear_about_it(&mut self, frame: &Frame) -> Outcome {
        hear(&mut self.gateway, frame, Some(self.id)).await.map(drop)
    }

    /// The answers come once more, or at last.
    pub(crate) fn answer_late(&self) {
        for (frames, id) in &self.answers {
            self.gateway.send(frames, *id);
        }
    }

    /// Both sides have read all that the other one has sent; it was nothing, or `tolerated`.
    pub(crate) async fn fence(&mut self, tolerated: Option<&Frame>) -> Outcome {
        self.gateway.send(&[frame!(4 { 1: -1, 2: 1_787_000_000_000_i64, 3: 2106, 4: "the fence" })], -1);
        let fence = async {
            loop {
                match self.notices.next().await {
                    Some(Ok(notice)) if notice.message == "the fence" => return Ok(()),
                    Some(Ok(_)) => {}
                    end => return Err(format!("the notices ended: {end:?}")),
                }
            }
        };
        soon("the fence", fence).await??;
        self.round_trip(tolerated).await
    }

    /// The client has done what it was told before, and sent nothing, or `tolerated`.
    pub(crate) async fn round_trip(&mut self, tolerated: Option<&Frame>) -> Outcome {
        let tolerated = tolerated.map(|frame| (frame, self.id));
        let answer = name_the_accounts(&mut self.gateway, tolerated);
        let accounts = meanwhile(self.session.managed_accounts(), answer).await?;
        accounts.map(drop).map_err(|error| format!("no accounts: {error}"))
    }

    async fn hear(&mut self, exchange: &Exchange) -> Outcome<i64> {
        let Some(asks) = &exchange.asks else { return Ok(self.id) };
        let id = hear(&mut self.gateway, asks, None).await?;
        if self.id == -1 {
            self.id = id;
        }
        Ok(id)
    }
}

/// A client, and the Gateway that has let it in.
pub(crate) async fn connect(backend: &Backend) -> Outcome<(PlayedGateway, Session)> {
    let mut gateway = PlayedGateway::start();
    let target = target(gateway.port()).with_client_id(Some(CLIENT));
    let connected = meanwhile(backend.connect(&target), name_the_accounts(&mut gateway, None)).await?;
    let session = Session::new(connected.map_err(|error| format!("no connection: {error}"))?);
    Ok((gateway, session))
}

/// Plays the Gateway's part while the client asks, which it has to do, and returns what that gives.
pub(crate) async fn meanwhile<T: Debug>(
    asking: impl Future<Output = T>,
    play: impl Future<Output = Outcome>,
) -> Outcome<T> {
    let mut asking = pin!(asking);
    until(asking.as_mut(), play).await?;
    soon("the answer", asking).await
}

/// The same, but the client leaves when the play is over.
pub(crate) async fn give_up<T: Debug>(
    asking: impl Future<Output = T>,
    play: impl Future<Output = Outcome>,
) -> Outcome {
    until(pin!(asking), play).await
}

async fn until<T: Debug>(
    asking: Pin<&mut impl Future<Output = T>>,
    play: impl Future<Output = Outcome>,
) -> Outcome {
    tokio::select! {
        biased;
        early = asking => Err(format!("it ended before it was answered: {early:?}")),
        played = play => played,
    }
}

/// What has to come comes.
pub(crate) async fn soon<T>(what: &str, coming: impl Future<Output = T>) -> Outcome<T> {
    timeout(PATIENCE, coming).await.map_err(|_| format!("{what} does not come"))
}

/// The client sends this next; returns the id that stands where the request's id belongs.
async fn hear(gateway: &mut PlayedGateway, frame: &Frame, id: Option<i64>) -> Outcome<i64> {
    compare(frame, gateway.receive(PATIENCE).await.as_ref(), id)
}

async fn name_the_accounts(gateway: &mut PlayedGateway, tolerated: Option<(&Frame, i64)>) -> Outcome {
    let mut received = gateway.receive(PATIENCE).await;
    if let (Some((frame, id)), Some(other)) = (tolerated, &received)
        && other.message == frame.message
    {
        compare(frame, Some(other), Some(id))?;
        received = gateway.receive(PATIENCE).await;
    }
    compare(&frame!(17 {}), received.as_ref(), None)?;
    gateway.send(&[frame!(15 { 1: "DU7654321,DU7654322," })], -1);
    Ok(())
}

fn compare(frame: &Frame, received: Option<&Received>, id: Option<i64>) -> Outcome<i64> {
    let Some(received) = received else {
        return Err(format!("the client does not send {}", frame.describe(id.unwrap_or(-1))));
    };
    let id = id.or_else(|| frame.body.id_in(&received.body)).unwrap_or(-1);
    let (expected, found) = (frame.describe(id), frame.describe_like(received)?);
    if expected == found {
        Ok(id)
    } else {
        Err(format!("the client sent {found}\nexpected        {expected}"))
    }
}

fn refusal(id: i64) -> Frame {
    let (code, text) = REFUSAL;
    frame!(4 { 1: id, 2: 1_787_000_000_123_i64, 3: code, 4: text })
}
