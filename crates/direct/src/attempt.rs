//! One attempt to connect: every phase in order, one deadline, a reset for whatever fails.

use std::future::Future;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::time::Duration;

use ibapi::Client;
use ibapi::subscriptions::NoticeStream;
use ibkr_connect_cleanup::listening;
use ibkr_connect_core::{
    ConnectionInfo, ConnectionMode, Error, ErrorKind, Phase, Result, Target, random_client_id,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::dial::{dial, is_local, resolve, settle};
use crate::ending::Ending;
use crate::error::request_error;
use crate::execute::Shared;
use crate::handshake::relay_handshake;
use crate::progress::Progress;
use crate::relay::relay;
use crate::wire::OrderGuard;

/// How often an unrelated complaint of the Gateway may end the verifying request.
const VERIFY_TRIES: u32 = 3;

/// Between the two looks that tell a stuck accept queue from a busy one.
const SECOND_LOOK: Duration = Duration::from_millis(50);

/// A session that has answered.
pub(crate) struct Established {
    pub(crate) info: ConnectionInfo,
    pub(crate) client: Client,
    /// What the Gateway says to nobody in particular, from the handshake on.
    pub(crate) notices: NoticeStream,
    /// Carries the session's bytes; ends with the connection and says why.
    pub(crate) relay: Relay,
    /// What the session's operations share, and what the relay sees.
    pub(crate) shared: Shared,
}

/// ibapi's part of a handshake that is complete.
type Greeted = (Client, NoticeStream);

type Relay = Pin<Box<dyn Future<Output = Ending> + Send>>;

/// Connects before the target's deadline, or leaves nothing behind.
pub(crate) async fn attempt(target: &Target) -> Result<Established> {
    let mut progress = Progress::new();
    let outcome = connect(target, &mut progress).await;
    outcome.map_err(|error| error.with_phases(progress.timings()))
}

async fn connect(target: &Target, progress: &mut Progress) -> Result<Established> {
    let deadline = Instant::now() + target.timeout;
    let client_id = target.client_id.unwrap_or_else(random_client_id);
    let gateway = reach(target, deadline, progress).await?;
    let mut attempt = Attempt { target, client_id, deadline, gateway, progress };
    let (greeted, ibapi) = attempt.shake_hands().await?;
    attempt.prove(greeted, ibapi).await
}

/// The first phases: a name becomes an address becomes a connection.
async fn reach(target: &Target, deadline: Instant, progress: &mut Progress) -> Result<TcpStream> {
    let Ok(addresses) = timeout_at(deadline, resolve(target)).await else {
        let message = format!("looking up {:?} took longer than {:?}", target.host, target.timeout);
        return Err(Error::new(ErrorKind::Unreachable, message).in_phase(Phase::Preflight));
    };
    let addresses = addresses?;
    progress.enter(Phase::Tcp);
    match dial(target, &addresses, deadline).await {
        Ok(gateway) => Ok(gateway),
        Err(error)
            if error.kind() == ErrorKind::Unreachable && addresses.iter().all(|a| a.ip().is_loopback()) =>
        {
            Err(if accept_queue_is_stuck(target.port).await { wedged(target, Phase::Tcp) } else { error })
        }
        Err(error) => Err(error),
    }
}

/// An attempt with a connection. It is armed to end in a reset, whichever way it is dropped.
struct Attempt<'a> {
    target: &'a Target,
    client_id: i32,
    deadline: Instant,
    gateway: TcpStream,
    progress: &'a mut Progress,
}

impl Attempt<'_> {
    async fn shake_hands(&mut self) -> Result<(Greeted, TcpStream)> {
        self.progress.enter(Phase::Version);
        match timeout_at(self.deadline, self.greet()).await {
            Ok(greeted) => greeted.map_err(|error| match error.phase() {
                Some(_) => error,
                None => error.in_phase(self.progress.phase()),
            }),
            Err(_) => Err(self.timed_out().await),
        }
    }

    /// Runs ibapi's handshake through the relay. Of two errors, the relay's is the precise one.
    async fn greet(&mut self) -> Result<(Greeted, TcpStream)> {
        /// Every wait has a deadline of ours; ibapi's own must only be later than all of them.
        const LAST_RESORT: Duration = Duration::from_secs(24 * 3600);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(no_relay)?;
        let address = listener.local_addr().map_err(no_relay)?;
        let connect = Client::builder()
            .address(address.to_string())
            .client_id(self.client_id)
            .max_reconnect_attempts(0)
            .one_shot_timeout(LAST_RESORT)
            .connect_with_notice_stream();
        let relay = async {
            let (mut ibapi, _) = listener.accept().await.map_err(no_relay)?;
            ibapi.set_nodelay(true).map_err(no_relay)?;
            relay_handshake(&mut self.gateway, &mut ibapi, self.client_id, self.progress).await?;
            Ok(ibapi)
        };
        let connect = async { connect.await.map_err(|error| request_error("the handshake", error)) };
        let (ibapi, greeted) = tokio::try_join!(biased; relay, connect)?;
        Ok((greeted, ibapi))
    }

    /// Proves with a server-time round trip that the Gateway answers, and turns the attempt into a session.
    async fn prove(self, (client, notices): Greeted, ibapi: TcpStream) -> Result<Established> {
        self.progress.enter(Phase::Verify);
        let armed = rustix::io::dup(&self.gateway).map_err(|error| no_relay(error.into()))?;
        let guard = self.target.readonly.then(OrderGuard::default);
        let shared = Shared::default();
        let mut relay: Relay = Box::pin(relay(self.gateway, ibapi, guard, shared.tap.clone()));
        let proof = tokio::select! {
            biased;
            answered = verify(&client) => answered,
            ending = &mut relay => Err(ending.error()),
            () = sleep_until(self.deadline) => Err(silent(self.target, "the server-time request went unanswered")),
        };
        proof.map_err(|error| error.in_phase(Phase::Verify))?;
        settle(&armed).map_err(no_relay)?;
        let info = ConnectionInfo {
            mode: ConnectionMode::Direct,
            client_id: self.client_id,
            server_version: client.server_version(),
            accounts: client.handshake_managed_accounts().iter().filter(|a| !a.is_empty()).cloned().collect(),
            readonly: self.target.readonly,
            phases: self.progress.timings(),
            connect_ms: self.progress.total_ms(),
            worker_pid: None,
            zombies: None,
            attempts: Vec::new(),
        };
        Ok(Established { info, client, notices, relay, shared })
    }

    async fn timed_out(&self) -> Error {
        let phase = self.progress.phase();
        if phase == Phase::Version && is_local(&self.gateway) && accept_queue_is_stuck(self.target.port).await
        {
            return wedged(self.target, phase);
        }
        let silence = match (phase, &self.progress.complaint) {
            (_, Some((code, complaint))) => format!("its last word was {code}: {complaint}"),
            (Phase::Version, _) => "it accepted the connection but did not send its version".to_owned(),
            (Phase::StartApi, _) => {
                "it sent its version, but neither accounts nor a next order id".to_owned()
            }
            _ => "it sent only one of accounts and next order id".to_owned(),
        };
        silent(self.target, &silence).in_phase(phase)
    }
}

async fn verify(client: &Client) -> Result<()> {
    let mut tries = 1;
    loop {
        match client.server_time().await {
            Ok(_) => return Ok(()),
            // An error without a request id fails whatever is in flight, also what it is not about.
            Err(ibapi::Error::Notice(_)) if tries < VERIFY_TRIES => tries += 1,
            Err(error) => return Err(request_error("server_time", error)),
        }
    }
}

fn silent(target: &Target, what: &str) -> Error {
    let message =
        format!("{} did not finish the handshake within {:?}: {what}", target.address(), target.timeout);
    Error::new(ErrorKind::HandshakeTimeout, message)
}

fn wedged(target: &Target, phase: Phase) -> Error {
    let message = format!(
        "{} does not take connections from its accept queue: ours waited there for {:?}",
        target.address(),
        target.timeout
    );
    Error::new(ErrorKind::GatewayWedged, message).in_phase(phase)
}

fn no_relay(error: std::io::Error) -> Error {
    Error::unstartable("the relay on the loopback interface", error)
        .with_advice("check the limits on open files and the loopback interface of this machine")
}

/// Whether connections wait to be accepted, now and a moment later. Asks the kernel; the port is not touched.
async fn accept_queue_is_stuck(port: u16) -> bool {
    let waiting =
        || listening(port).is_ok_and(|state| state.listener().is_some_and(|socket| socket.queue > 0));
    if !waiting() {
        return false;
    }
    sleep(SECOND_LOOK).await;
    waiting()
}
