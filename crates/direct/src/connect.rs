//! One connect: the phases one after the other, one deadline, a reset for whatever fails.

use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ibapi::Client;
use ibapi::subscriptions::NoticeStream;
use ibkr_connect_cleanup::listening;
use ibkr_connect_core::{
    ConnectionInfo, ConnectionMode, Error, ErrorKind, Phase, Result, Target, random_client_id,
};
use ibkr_connect_relay::{dial, is_local, relay, resolve, settle, shake_hands};
use ibkr_connect_wire::{Caller, GuardPolicy, Handshake, Outbound, Rest};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::ending::Ending;
use crate::error::request_error;
use crate::execute::{Shared, proof_of_life};
use crate::failure::{accounts_of, no_session, not_dialled, unresolved};
use crate::ibapi_listener::IbapiListener;
use crate::progress::Progress;

/// Between the two readings that tell a stuck accept queue from a busy one.
const SECOND_LOOK: Duration = Duration::from_millis(50);

/// A session that has answered.
pub(crate) struct Established {
    pub(crate) info: ConnectionInfo,
    pub(crate) client: Arc<Client>,
    /// Carries the session's bytes; ends with the connection and says why.
    pub(crate) relay: Relay,
    /// The Gateway's socket, for a session that can't be closed gracefully.
    pub(crate) socket: OwnedFd,
    /// What the session's operations share, and what the relay sees. Its notices are those from the handshake on.
    pub(crate) shared: Shared,
}

/// A handshake that is complete.
struct Greeted {
    client: Client,
    notices: NoticeStream,
    /// ibapi's end of the relay.
    ibapi: TcpStream,
    /// What came behind it already.
    rest: Rest,
}

type Relay = Pin<Box<dyn Future<Output = Ending> + Send>>;

/// Connects before the target's deadline, or leaves nothing behind.
pub(crate) async fn establish(target: &Target) -> Result<Established> {
    let mut progress = Progress::new();
    let outcome = connect(target, &mut progress).await;
    outcome.map_err(|error| error.with_phases(progress.timings()))
}

async fn connect(target: &Target, progress: &mut Progress) -> Result<Established> {
    let deadline = Instant::now() + target.timeout;
    let client_id = target.client_id.unwrap_or_else(random_client_id);
    let gateway = reach(target, deadline, progress).await?;
    let mut connecting = Connecting { target, client_id, deadline, gateway, progress };
    let greeted = connecting.shake_hands().await?;
    connecting.prove(greeted).await
}

/// The first phases: a name becomes an address becomes a connection.
async fn reach(target: &Target, deadline: Instant, progress: &mut Progress) -> Result<TcpStream> {
    let Ok(addresses) = timeout_at(deadline, resolve(&target.host, target.port)).await else {
        let message = format!("looking up {:?} took longer than {:?}", target.host, target.timeout);
        return Err(Error::new(ErrorKind::Unreachable, message).in_phase(Phase::Preflight));
    };
    let addresses = addresses.map_err(|error| unresolved(target, Some(error)))?;
    if addresses.is_empty() {
        return Err(unresolved(target, None));
    }
    progress.enter(Phase::Tcp);
    match dial(&addresses, deadline).await.map_err(|error| not_dialled(target, error)) {
        Ok(gateway) => Ok(gateway),
        Err(error)
            if error.kind() == ErrorKind::Unreachable && addresses.iter().all(|a| a.ip().is_loopback()) =>
        {
            Err(if accept_queue_is_stuck(target.port).await { wedged(target, Phase::Tcp) } else { error })
        }
        Err(error) => Err(error),
    }
}

/// A connect with a socket. It is armed to end in a reset, whichever way it is dropped.
struct Connecting<'a> {
    target: &'a Target,
    client_id: i32,
    deadline: Instant,
    gateway: TcpStream,
    progress: &'a mut Progress,
}

impl Connecting<'_> {
    async fn shake_hands(&mut self) -> Result<Greeted> {
        self.progress.enter(Phase::Version);
        match timeout_at(self.deadline, self.greet()).await {
            Ok(Ok(greeted)) => Ok(greeted),
            // The handshake has the same deadline.
            Ok(Err(error)) if error.kind() == ErrorKind::HandshakeTimeout => Err(self.timed_out().await),
            Ok(Err(error)) if error.phase().is_some() => Err(error),
            Ok(Err(error)) => Err(error.in_phase(self.progress.phase())),
            Err(_) => Err(self.timed_out().await),
        }
    }

    /// Runs ibapi's handshake through the relay. Of two errors, the relay's is the precise one.
    async fn greet(&mut self) -> Result<Greeted> {
        /// Every wait has a deadline of ours; ibapi's own must only be later than all of them.
        const LAST_RESORT: Duration = Duration::from_secs(24 * 3600);
        let listener = IbapiListener::open().await.map_err(no_relay)?;
        let connect = Client::builder()
            .address(listener.address().to_string())
            .client_id(self.client_id)
            .max_reconnect_attempts(0)
            .one_shot_timeout(LAST_RESORT)
            .connect_with_notice_stream();
        let relay = async {
            let mut ibapi = listener.ibapi().await.map_err(no_relay)?;
            let caller = Caller { client_id: self.client_id, readonly: self.target.readonly };
            let mut handshake = Handshake::new(caller, self.deadline.into_std());
            let follow = |handshake: &Handshake| self.progress.follow(handshake);
            shake_hands(&mut self.gateway, &mut ibapi, &mut handshake, follow)
                .await
                .map_err(|failure| no_session(failure, self.client_id))?;
            Ok((ibapi, handshake.into_rest()))
        };
        let connect = async {
            connect
                .await
                .map_err(|error| request_error(error).map_message(|text| format!("the handshake: {text}")))
        };
        let ((ibapi, rest), (client, notices)) = tokio::try_join!(biased; relay, connect)?;
        Ok(Greeted { client, notices, ibapi, rest })
    }

    /// Proves with a round trip that the Gateway answers, and turns it into a session.
    async fn prove(self, greeted: Greeted) -> Result<Established> {
        let Greeted { client, notices, ibapi, rest } = greeted;
        self.progress.enter(Phase::Verify);
        let accounts = accounts_of(&client.handshake_managed_accounts().join(","))?;
        let mut shared = Shared::default();
        shared.readonly = self.target.readonly;
        shared.log_accounts = self.target.log_accounts;
        let client = Arc::new(client);
        // Ends with ibapi's client.
        tokio::spawn(shared.notices.clone().collect(notices));
        let socket = rustix::io::dup(&self.gateway).map_err(|error| no_relay(error.into()))?;
        let policy = if self.target.readonly { GuardPolicy::ReadOnly } else { GuardPolicy::Trading };
        let (outbound, tap) = (Outbound::new(policy, self.client_id), shared.tap.clone());
        let mut relay: Relay = Box::pin(async move {
            let end = relay(self.gateway, ibapi, outbound, &tap, rest).await;
            Ending::of(end, tap.last_word(Instant::now()))
        });
        let proof = tokio::select! {
            biased;
            answered = proof_of_life(&client, &shared.clock) => answered.map(drop),
            ending = &mut relay => Err(ending.error()),
            () = sleep_until(self.deadline) => {
                Err(self.progress.silence(self.target, "the questions for its accounts and its time went unanswered"))
            }
        };
        proof.map_err(|error| error.in_phase(Phase::Verify))?;
        settle(&socket).map_err(no_relay)?;
        let info = ibkr_connect_core::literal!(ConnectionInfo {
            mode: ConnectionMode::Direct,
            client_id: self.client_id,
            server_version: client.server_version(),
            accounts,
            readonly: self.target.readonly,
            phases: self.progress.timings(),
            connect_ms: self.progress.total_ms(),
            worker_pid: None,
            zombies: None,
            attempts: Vec::new(),
        });
        Ok(Established { info, client, relay, socket, shared })
    }

    async fn timed_out(&self) -> Error {
        let phase = self.progress.phase();
        if phase == Phase::Version && is_local(&self.gateway) && accept_queue_is_stuck(self.target.port).await
        {
            return wedged(self.target, phase);
        }
        let missing = match phase {
            Phase::Version => "it accepted the connection but did not send its version",
            Phase::StartApi => "it sent its version, but neither accounts nor a next order id",
            _ => "it sent only one of accounts and next order id",
        };
        self.progress.silence(self.target, missing).in_phase(phase)
    }
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
