//! What it costs to ask the kernel, beside the tools people script around: lsof and ss, in the same run.
//!
//! The machine is dressed for it: 300 more processes, 1,000 more sockets, ten zombies on one port.
//! `listening` should be 500 times as fast as lsof, a scan that finds nothing 100 times, one with owners 5 times.

use std::hint::black_box;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use ibkr_connect_cleanup::{Proof, Watch, half_closed, listening};

const PROCESSES: usize = 300;
const SOCKETS: usize = 1_000;
const ZOMBIES: usize = 10;

struct Stage {
    processes: Vec<Child>,
    _sockets: Vec<(TcpStream, TcpStream)>,
    /// A port with a listener and nothing wrong.
    quiet: TcpListener,
    /// A port with half-closed connections.
    crowded: TcpListener,
    _zombies: Vec<TcpStream>,
}

impl Stage {
    fn new() -> Self {
        let listener = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (other, quiet, crowded) = (listener(), listener(), listener());
        let connect = |listener: &TcpListener| {
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (client, listener.accept().unwrap().0)
        };
        Self {
            processes: (0..PROCESSES).map(|_| sleeper()).collect(),
            _sockets: (0..SOCKETS / 2).map(|_| connect(&other)).collect(),
            _zombies: (0..ZOMBIES).map(|_| connect(&crowded).0).collect(),
            quiet,
            crowded,
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "scenery")]
fn sleeper() -> Child {
    Command::new("sleep").arg("3600").stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}

fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().unwrap().port()
}

fn bench(criterion: &mut Criterion) {
    let stage = Stage::new();
    let (quiet, crowded) = (port(&stage.quiet), port(&stage.crowded));
    let mut group = criterion.benchmark_group("scan");
    group.bench_function("listening", |bench| bench.iter(|| listening(black_box(quiet)).unwrap()));
    group.bench_function("half_closed, none", |bench| {
        bench.iter(|| half_closed(&[black_box(quiet)]).unwrap());
    });
    group.bench_function("scan, nothing found", |bench| {
        bench.iter(|| Watch::new(&[black_box(quiet)], Proof::default()).unwrap().observe().unwrap());
    });
    group.bench_function("scan, ten zombies with owners", |bench| {
        bench.iter(|| {
            let found = Watch::new(&[black_box(crowded)], Proof::default()).unwrap().observe().unwrap();
            assert!(found.candidates.len() == ZOMBIES && !found.candidates[0].owners.is_empty());
        });
    });
    let mut watch = Watch::new(&[crowded], Proof::default()).unwrap();
    group.bench_function("watch, ten zombies seen before", |bench| bench.iter(|| watch.observe().unwrap()));
    group.sample_size(10).measurement_time(Duration::from_secs(8));
    tool(&mut group, "lsof -nP -iTCP:PORT", &["lsof", "-nP", &format!("-iTCP:{crowded}")]);
    tool(&mut group, "ss -tanp", &["ss", "-tanp"]);
    group.finish();
}

/// A tool that is not installed is left out, and says so.
#[allow(clippy::disallowed_methods, clippy::print_stderr, reason = "the competition")]
fn tool(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, command: &[&str]) {
    let run = || Command::new(command[0]).args(&command[1..]).output();
    match run() {
        Ok(_) => drop(group.bench_function(name, |bench| bench.iter(|| run().unwrap()))),
        Err(error) => eprintln!("NOT MEASURED: {name}: {error}"),
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
