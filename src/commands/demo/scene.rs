//! The scenes, in their order.

use std::future::Future;
use std::ops::RangeFrom;
use std::time::Duration;

use ibkr_connect::Config;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::client::{Attempt, Used, naive, naive_with_retries, ours, ours_with_policy};
use super::gateway::{FRAME_DELAY, Gateway, WEDGED_BY};
use super::progress::Progress;
use super::row::Row;
use super::way::Way;
use crate::commands::busy::Hogs;

/// The deadline of a connect. It is several times what this Gateway takes, so that a machine that is busy with something else
/// makes no difference.
pub(crate) const DEADLINE: Duration = Duration::from_millis(2500);

/// How long the busy program blocks its runtime at a time. It is longer than the deadline, so that whether bare ibapi
/// starves is no matter of luck: between two blocks it gets one step further, and a handshake has several.
pub(crate) const BLOCK: Duration = Duration::from_millis(2700);

/// A deadline in which nobody can shake hands with a Gateway that takes [`TOO_SLOW`] for a frame, but everybody can begin to.
const TOO_SOON: Duration = Duration::from_millis(1500);

/// How long the Gateway takes for a frame where every handshake is to be given up.
const TOO_SLOW: Duration = Duration::from_millis(500);

/// The worker threads of the program's runtime.
pub(crate) const WORKERS: usize = 2;

/// How many connects an idle program makes at the same time.
const IDLE_CONNECTS: usize = 3;

/// How many a busy one makes with each of our modes at the same time.
const BUSY_CONNECTS: usize = 4;

/// The client ids of ours. Each attempt has another one: without the leases of a user's connects nothing else keeps two of them apart.
/// Bare ibapi's are below.
const OUR_CLIENT_IDS: RangeFrom<i32> = 101..;

/// How often the busy program with bare ibapi tries each of its connections: the second time finds what the first has left.
const TRIES: usize = 2;

/// What happens on the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scene {
    Idle,
    BusyNaive,
    Wedged,
    Busy,
    GivenUp,
    Afterwards,
}

impl Scene {
    pub(crate) const ALL: [Self; 6] =
        [Self::Idle, Self::BusyNaive, Self::Wedged, Self::Busy, Self::GivenUp, Self::Afterwards];

    /// Its name in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::BusyNaive | Self::Busy => "busy_runtime",
            Self::Wedged => "wedged",
            Self::GivenUp => "given_up",
            Self::Afterwards => "afterwards",
        }
    }

    /// What is to be seen.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Idle => "an idle program: everybody connects",
            Self::BusyNaive => "a busy program, bare ibapi: 3 connections, 2 tries each",
            Self::Wedged => "the same Gateway, asked by idle programs",
            Self::Busy => "the Gateway restarted (a real one needs 2FA): ibkr-connect in the busy program",
            Self::GivenUp => {
                "the Gateway became too slow for a deadline: every handshake is given up halfway"
            }
            Self::Afterwards => "the same Gateway afterwards, asked by an idle program",
        }
    }
}

/// Performs all scenes, and gives what was measured.
pub(crate) fn perform(progress: &Progress) -> anyhow::Result<Vec<Row>> {
    let mut stage = Stage { gateway: Gateway::start()?, client_ids: OUR_CLIENT_IDS, rows: Vec::new() };
    for scene in Scene::ALL {
        progress.begin(scene)?;
        let before = stage.rows.len();
        stage.play(scene)?;
        progress.end(&stage.rows[before..])?;
        if scene == Scene::Wedged {
            stage.gateway = stage.gateway.restart()?;
        }
    }
    Ok(stage.rows)
}

/// The Gateway, and what was measured so far.
struct Stage {
    gateway: Gateway,
    /// Those of ours that were not used yet.
    client_ids: RangeFrom<i32>,
    rows: Vec<Row>,
}

impl Stage {
    fn play(&mut self, scene: Scene) -> anyhow::Result<()> {
        match scene {
            Scene::Idle => self.idle(),
            Scene::BusyNaive => self.busy_naive(),
            Scene::Wedged => self.wedged(),
            Scene::Busy => self.busy(),
            Scene::GivenUp => self.given_up(),
            Scene::Afterwards => self.afterwards(),
        }
    }

    fn idle(&mut self) -> anyhow::Result<()> {
        let port = self.gateway.port();
        let program = Program::idle()?;
        let connects = (1..).take(IDLE_CONNECTS).map(|client_id| naive(port, client_id, DEADLINE));
        let attempts = program.run_all(connects);
        self.add(Scene::Idle, Way::Naive, attempts, 0)?;
        for mode in Way::OURS {
            let client_ids = self.client_ids.by_ref().take(IDLE_CONNECTS);
            let used = program.run_all(client_ids.map(|client_id| ours(mode, port, client_id, DEADLINE)));
            let attempts = program.run_all(used.into_iter().map(Used::close));
            self.add(Scene::Idle, Way::Ours(mode), attempts, 0)?;
        }
        Ok(())
    }

    /// As many connections as the Gateway can bear to lose. There are more tries if a client's end became a reset by itself, which the
    /// kernel makes of a close with bytes unread.
    fn busy_naive(&mut self) -> anyhow::Result<()> {
        const MOST: usize = 4 * WEDGED_BY;
        let port = self.gateway.port();
        let program = Program::busy()?;
        let mut attempts = Vec::new();
        while attempts.len() < MOST && !self.gateway.is_wedged() {
            let loops =
                (1..).take(WEDGED_BY).map(|client_id| naive_with_retries(port, client_id, TRIES, DEADLINE));
            attempts.extend(program.finish(program.begin(loops)).into_iter().flatten());
        }
        self.add(Scene::BusyNaive, Way::Naive, attempts, usize::MAX)
    }

    fn wedged(&mut self) -> anyhow::Result<()> {
        let program = Program::idle()?;
        let attempts = program.run_all([naive(self.gateway.port(), 1, DEADLINE)]);
        self.add(Scene::Wedged, Way::Naive, attempts, usize::MAX)?;
        let state = tempfile::tempdir()?;
        let config = Config::default()
            .with_port(self.gateway.port())
            .with_timeout(DEADLINE)
            .with_max_retries(0)
            .with_state_dir(state.path().to_owned());
        let mode = config.mode;
        let attempts = program.run_all([async move { ours_with_policy(&config).await.close().await }]);
        self.add(Scene::Wedged, Way::Ours(mode), attempts, usize::MAX)
    }

    fn busy(&mut self) -> anyhow::Result<()> {
        self.both_modes(Scene::Busy, Program::busy()?, DEADLINE)
    }

    fn given_up(&mut self) -> anyhow::Result<()> {
        self.gateway.slow_down(TOO_SLOW);
        self.both_modes(Scene::GivenUp, Program::idle()?, TOO_SOON)?;
        self.gateway.slow_down(FRAME_DELAY);
        Ok(())
    }

    /// Connects with both modes at the same time.
    fn both_modes(&mut self, scene: Scene, mut program: Program, deadline: Duration) -> anyhow::Result<()> {
        let port = self.gateway.port();
        let mut begin = |mode| {
            let client_ids = self.client_ids.by_ref().take(BUSY_CONNECTS);
            program.begin(client_ids.map(|client_id| ours(mode, port, client_id, deadline)))
        };
        let tasks = Way::OURS.map(|mode| (mode, begin(mode)));
        let used = tasks.map(|(mode, tasks)| (mode, program.finish(tasks)));
        // The program has done its work; what is open is closed in peace.
        program.calm_down();
        let closed = used.map(|(mode, used)| (mode, program.run_all(used.into_iter().map(Used::close))));
        for (mode, attempts) in closed {
            self.add(scene, Way::Ours(mode), attempts, 0)?;
        }
        Ok(())
    }

    fn afterwards(&mut self) -> anyhow::Result<()> {
        let program = Program::idle()?;
        let attempts = program.run_all([naive(self.gateway.port(), 1, DEADLINE)]);
        self.add(Scene::Afterwards, Way::Naive, attempts, 0)
    }

    /// Keeps what was measured, and counts what is left once it is no more than `expected` or has had its time.
    fn add(&mut self, scene: Scene, way: Way, attempts: Vec<Attempt>, expected: usize) -> anyhow::Result<()> {
        let wedged = self.gateway.is_wedged();
        let half_closed = self.gateway.half_closed(expected)?;
        self.rows.push(Row { scene, way, attempts, half_closed, wedged });
        Ok(())
    }
}

/// A program with a runtime of its own.
struct Program {
    runtime: Runtime,
    hogs: Option<Hogs>,
}

impl Program {
    fn idle() -> anyhow::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
        Ok(Self { runtime, hogs: None })
    }

    fn busy() -> anyhow::Result<Self> {
        let mut program = Self::idle()?;
        program.hogs = Some(Hogs::start(&program.runtime, WORKERS, BLOCK));
        Ok(program)
    }

    /// Stops to block its runtime.
    fn calm_down(&mut self) {
        if let Some(hogs) = self.hogs.take() {
            hogs.stop();
        }
    }

    fn run_all<W>(&self, work: impl IntoIterator<Item = W>) -> Vec<W::Output>
    where
        W: Future<Output: Send + Default> + Send + 'static,
    {
        self.finish(self.begin(work))
    }

    fn begin<W>(&self, work: impl IntoIterator<Item = W>) -> Vec<JoinHandle<W::Output>>
    where
        W: Future<Output: Send> + Send + 'static,
    {
        work.into_iter().map(|one| self.runtime.spawn(one)).collect()
    }

    /// What the tasks have come to; of one that panicked, nothing.
    fn finish<T: Default>(&self, tasks: Vec<JoinHandle<T>>) -> Vec<T> {
        tasks.into_iter().map(|task| self.runtime.block_on(task).unwrap_or_default()).collect()
    }
}

impl Drop for Program {
    /// A blocked worker ends by itself.
    fn drop(&mut self) {
        self.calm_down();
    }
}
