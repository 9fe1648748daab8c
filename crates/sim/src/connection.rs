//! One connection from accept to close: handshake, requests, ticks, and the faults planned for it.

use std::future::pending;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use prost::Message;
use tokio::net::TcpStream;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::{Interval, MissedTickBehavior};

use crate::Hold;
use crate::answers::{FARM_NOTICES, accounts, error_frame, flood, notice, orders};
use crate::clock::Clock;
use crate::clock_questions::ClockQuestions;
use crate::framing::{Frame, Greeting, acknowledgement};
use crate::limits::Verdict;
use crate::messages::{self, Response, StartApi, request};
use crate::options::SERVER_VERSIONS;
use crate::peer::{End, Peer, Role};
use crate::plan::{Accounts, NextValidId, Plan, Stage, Stop, Version};
use crate::server::{Ending, Gateway, Notice};
use crate::session::Session;
use crate::stats::ClientId;

/// Serves one client until either side ends it, then holds its zombie if the plan says so.
pub(crate) async fn serve(stream: TcpStream, gateway: &Gateway, plan: &Plan) {
    let mut endings = gateway.endings.subscribe();
    // Subscribed first: who has seen the connection counted can rely on ending it.
    let active = gateway.ledger.accept(gateway.max_clients);
    let turned_away = active.is_none().then(|| Plan::turn_away(gateway.over_limit, plan.hold));
    let plan = turned_away.as_ref().unwrap_or(plan);
    let mut conversation = Conversation {
        peer: Peer::new(stream, plan.pace, &gateway.ledger),
        gateway,
        plan,
        notices: gateway.notices.subscribe(),
        client_id: None,
        progress: Progress::Handshake,
    };
    let end = tokio::select! {
        biased;
        end = next_ending(&mut endings) => end,
        end = conversation.run() => conversation.count(end),
    };
    let Conversation { peer, progress, client_id, .. } = conversation;
    let linger = match end {
        End::ClientClosed | End::ClientReset => gateway.client_id_linger,
        End::Close | End::Reset => Duration::ZERO,
    };
    let leave = async {
        match end {
            End::ClientClosed if progress.is_held(plan.hold) => {
                let zombie = gateway.ledger.hold_zombie();
                drop(active);
                tokio::select! {
                    end = next_ending(&mut endings) => finish(peer, end).await,
                    () = peer.reset_by_client() => {}
                }
                drop(zombie);
            }
            end => {
                drop(active);
                finish(peer, end).await;
            }
        }
    };
    tokio::join!(give_back(client_id, linger), leave);
}

/// Frees a client id when the Gateway has noticed that its client is gone.
async fn give_back(client_id: Option<ClientId<'_>>, linger: Duration) {
    if client_id.is_some() && !linger.is_zero() {
        tokio::time::sleep(linger).await;
    }
    drop(client_id);
}

/// What one client is told.
struct Conversation<'a> {
    peer: Peer<'a>,
    gateway: &'a Gateway,
    plan: &'a Plan,
    notices: Receiver<Notice>,
    client_id: Option<ClientId<'a>>,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Handshake,
    Complete,
}

impl Progress {
    fn is_held(self, hold: Hold) -> bool {
        match hold {
            Hold::Never => false,
            Hold::MidHandshake => self == Self::Handshake,
            Hold::Always => true,
        }
    }
}

impl Conversation<'_> {
    async fn run(&mut self) -> End {
        if let Err(end) = self.handshake().await {
            return end;
        }
        match self.plan.lifetime {
            None => self.requests().await,
            Some((time, stop)) => {
                let ending = if stop == Stop::Reset { End::Reset } else { End::Close };
                tokio::time::timeout(time, self.requests()).await.unwrap_or(ending)
            }
        }
    }

    async fn handshake(&mut self) -> Result<(), End> {
        self.stop_after(Stage::Accepted).await?;
        let gateway = self.gateway;
        let _turn = tokio::select! {
            biased;
            turn = gateway.turn() => turn,
            end = self.peer.departure() => return Err(end),
        };
        let greeting = self.peer.greeting().await?;
        let version = self.version(&greeting).ok_or(End::Close)?;
        let time = Timestamp::now().strftime("%Y%m%d %H:%M:%S UTC").to_string();
        self.peer.send(&acknowledgement(&version, &time), Role::Handshake).await?;
        self.stop_after(Stage::Acknowledged).await?;
        self.start_api().await?;
        self.stop_after(Stage::StartApi).await?;
        self.introduce().await
    }

    /// The version to acknowledge; `None` if there is none in common.
    fn version(&self, greeting: &Greeting) -> Option<String> {
        let version = self.gateway.server_version.min(*greeting.versions.end());
        match self.plan.version {
            Version::Fixed(version) => Some(version.to_string()),
            Version::Garbage => Some("not-a-version".into()),
            Version::Negotiated => {
                let common = greeting.versions.contains(&version) && SERVER_VERSIONS.contains(&version);
                common.then(|| version.to_string())
            }
        }
    }

    /// Takes the client id, or answers 326 if another client has it.
    async fn start_api(&mut self) -> Result<(), End> {
        let frame = self.peer.frame().await?;
        let start = StartApi::decode(frame.body.as_slice());
        let (request::START_API, Ok(start)) = (frame.id, start) else { return Err(End::Close) };
        self.gateway.ledger.count_request(frame.id);
        self.client_id = self.gateway.ledger.lease(start.client_id.unwrap_or_default());
        if self.client_id.is_none() {
            return Err(self.reject(326).await);
        }
        Ok(())
    }

    /// Notices, managed accounts and next valid id, in the planned order.
    async fn introduce(&mut self) -> Result<(), End> {
        let world = &self.gateway.world;
        let accounts = self.managed_accounts().map(|frame| frame.encode());
        let next_valid_id = Some(orders::next_valid_id(world, self.client_number()).encode());
        let [first, second, third] = match self.plan.next_valid_id {
            NextValidId::AfterAccounts => [None, accounts, next_valid_id],
            NextValidId::BeforeAccounts => [next_valid_id, None, accounts],
            NextValidId::Missing => [None, accounts, None],
        };
        if let Some(bytes) = first {
            self.peer.send(&bytes, Role::Handshake).await?;
        }
        if self.gateway.sends_notices {
            for (code, message) in FARM_NOTICES {
                self.peer.send(&notice(code, message, Timestamp::now()).encode(), Role::Handshake).await?;
            }
        }
        self.peer.send_all(&flood::working_orders(world, self.plan.flood)).await?;
        if let Some(bytes) = second {
            self.peer.send(&bytes, Role::Handshake).await?;
        }
        if let Some(bytes) = third {
            let completed = usize::from(self.plan.completes_handshake());
            self.peer.send_and_count(&bytes, Role::Handshake, |stats| stats.handshakes += completed).await?;
        }
        if self.plan.completes_handshake() {
            self.progress = Progress::Complete;
        }
        Ok(())
    }

    /// The client's id; 0 before it has one.
    fn client_number(&self) -> i32 {
        self.client_id.as_ref().map_or(0, ClientId::number)
    }

    fn managed_accounts(&self) -> Option<Frame> {
        let frame = accounts::managed_accounts(&self.gateway.world);
        match self.plan.accounts {
            Accounts::Managed => Some(frame),
            Accounts::Missing => None,
            Accounts::Empty => Some(messages::ManagedAccounts { accounts_list: Some(String::new()) }.frame()),
            // A text field that announces more bytes than the frame has.
            Accounts::Garbage => Some(Frame { id: frame.id, body: vec![0x0a, 0xff, 0x01, b'D', b'U'] }),
        }
    }

    /// Answers requests, streams ticks and passes notices on, until an end.
    async fn requests(&mut self) -> End {
        let mut clock = Clock::new(self.gateway.replay);
        let mut clock_questions = ClockQuestions::new(self.gateway.clock_suppression);
        let mut session = Session::new(self.gateway.world.clone(), self.client_number(), clock.now());
        let mut ticks = tokio::time::interval(self.gateway.tick_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let frames = tokio::select! {
                frame = self.peer.frame() => match frame {
                    Ok(frame) => {
                        self.gateway.ledger.count_request(frame.id);
                        match self.judge(&frame) {
                            Verdict::Served if clock_questions.suppress(frame.id, Instant::now()) => {
                                self.gateway.ledger.update(|stats| stats.clock_suppressed += 1);
                                continue;
                            }
                            Verdict::Served => session.handle(&frame, clock.now()),
                            Verdict::Refused(refusal) => vec![error_frame(&refusal, clock.now())],
                            Verdict::Ended(refusal) => {
                                let frames = [error_frame(&refusal, clock.now())];
                                return self.peer.send_all(&frames).await.err().unwrap_or(End::Close);
                            }
                        }
                    }
                    Err(end) => return end,
                },
                () = next_tick(&mut ticks, &session) => {
                    if session.has_subscriptions() {
                        clock.tick();
                    }
                    session.tick(clock.now())
                }
                frame = next_notice(&mut self.notices) => vec![frame],
            };
            if self.plan.stop_after(Stage::Handshake) == Some(Stop::Mute) {
                continue;
            }
            if let Err(end) = self.peer.send_all(&frames).await {
                return end;
            }
        }
    }

    /// What the limits of the Gateway say to a request.
    fn judge(&self, frame: &Frame) -> Verdict {
        // What they remember is whole between any two requests.
        let mut limits = self.gateway.limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.judge(frame, Timestamp::now())
    }

    /// Carries out the stop planned after a stage, if there is one.
    async fn stop_after(&mut self, stage: Stage) -> Result<(), End> {
        let Some(stop) = self.plan.stop_after(stage) else { return Ok(()) };
        Err(match stop {
            Stop::Close => End::Close,
            Stop::Reset => End::Reset,
            Stop::Mute => self.peer.departure().await,
            Stop::Reject(code) => self.reject(code).await,
            Stop::BadFrameLength => match self.peer.send(&u32::MAX.to_be_bytes(), Role::Data).await {
                Ok(()) => self.peer.departure().await,
                Err(end) => end,
            },
        })
    }

    async fn reject(&mut self, code: i32) -> End {
        let message = match code {
            326 => "Unable to connect as the client id is already in use. Retry with a unique client id.",
            507 => "Bad Message Length",
            _ => "The simulator was told to reject this connection",
        };
        let frame = notice(code, message, Timestamp::now()).encode();
        self.peer.send(&frame, Role::Data).await.err().unwrap_or(End::Close)
    }

    /// Counts how a conversation ended.
    fn count(&self, end: End) -> End {
        self.gateway.ledger.update(|stats| match end {
            End::ClientClosed => stats.eofs_seen += 1,
            End::ClientReset => stats.resets_seen += 1,
            End::Close | End::Reset if self.progress == Progress::Handshake => stats.rejected += 1,
            End::Close | End::Reset => {}
        });
        end
    }
}

async fn finish(peer: Peer<'_>, end: End) {
    match end {
        End::Close => peer.close().await,
        End::Reset => peer.reset(),
        End::ClientClosed | End::ClientReset => drop(peer),
    }
}

/// The next order to end all connections.
async fn next_ending(endings: &mut Receiver<Ending>) -> End {
    match endings.recv().await {
        Ok(Ending::Close) | Err(RecvError::Lagged(_)) => End::Close,
        Ok(Ending::Reset) => End::Reset,
        Err(RecvError::Closed) => pending().await,
    }
}

async fn next_notice(notices: &mut Receiver<Notice>) -> Frame {
    loop {
        match notices.recv().await {
            Ok(Notice { code, message }) => return notice(code, &message, Timestamp::now()),
            Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "a slow client missed notices"),
            Err(RecvError::Closed) => pending().await,
        }
    }
}

async fn next_tick(ticks: &mut Interval, session: &Session) {
    if !session.is_streaming() {
        pending::<()>().await;
    }
    ticks.tick().await;
}
