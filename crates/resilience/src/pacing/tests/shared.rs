//! Records that other processes hold, that can't be used, or that make no sense.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;

use ibkr_connect_core::types::PnlParams;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

const ONE: Request = Request::ManagedAccounts;

fn stem() -> String {
    Gateway::new("localhost", 4002).file_stem()
}

fn file(machine: &Machine, name: &str) -> PathBuf {
    machine.temp.path().join(name)
}

/// The records of a machine, as another process sees them.
fn records(machine: &Machine) -> [PathBuf; 2] {
    let stem = stem();
    [format!("rate-{stem}.lock"), format!("history-{stem}.json")].map(|name| file(machine, &name))
}

#[tokio::test(start_paused = true)]
async fn records_that_a_stopped_process_holds_are_waited_for_once_and_briefly() {
    let machine = Machine::new();
    let process = machine.process();
    send(&process, &small_bars("MSFT")).await.unwrap();
    let held = ["rate", "history"].map(|name| {
        let held = File::open(file(&machine, &format!("{name}-{}.lock", stem()))).unwrap();
        held.lock().unwrap();
        held
    });
    let start = Instant::now();
    for _ in 0..20 {
        send(&process, &ONE).await.unwrap();
    }
    // 17 messages at the rate, and 50 ms for the first of them, in which the bucket fills up.
    let took = start.elapsed().as_millis();
    assert!((378..430).contains(&took), "{took}");
    for known in ["IBM", "MSFT"] {
        let _ = tokio::time::timeout(Duration::from_secs(1), send(&process, &small_bars(known))).await;
        assert!(
            !goes_at_once(&process, &small_bars(known)).await,
            "the rules are kept by this process alone"
        );
    }

    held.iter().for_each(|file| file.unlock().unwrap());
    tokio::time::sleep(Duration::from_secs(1)).await;
    send(&process, &small_bars("AAPL")).await.unwrap();
    assert!(!goes_at_once(&machine.process(), &small_bars("AAPL")).await, "the others know again");
}

#[test]
fn records_that_a_stopped_process_holds_stop_no_thread_of_the_runtime() {
    let temp = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(ibkr_connect_state::KernelClock::default());
    let pacer = Pacer::new(temp.path(), &Gateway::new("localhost", 4002), &clock, Timer::default());
    let process = Arc::new(paced_by(pacer));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(send(&process, &small_bars("MSFT"))).unwrap();
    let held = ["rate", "history"]
        .map(|name| File::open(temp.path().join(format!("{name}-{}.lock", stem()))).unwrap());
    held.iter().for_each(|file| file.lock().unwrap());
    let ticks = runtime.block_on(async {
        let mut requests = tokio::task::JoinSet::new();
        for number in 0..20 {
            let process = Arc::clone(&process);
            let request = if number % 4 == 0 { small_bars(&format!("S{number}")) } else { ONE };
            requests.spawn(async move { send(&process, &request).await });
        }
        let all_sent = async {
            while let Some(sent) = requests.join_next().await {
                sent.unwrap().unwrap();
            }
        };
        let (mut all_sent, mut ticks) = (std::pin::pin!(all_sent), 0);
        loop {
            tokio::select! {
                biased;
                () = &mut all_sent => return ticks,
                () = tokio::time::sleep(Duration::from_millis(5)) => ticks += 1,
            }
        }
    });
    // 16 messages at the rate are 356 ms.
    assert!(ticks >= 10, "the runtime ticked {ticks} times");
}

#[tokio::test(start_paused = true)]
async fn without_the_records_the_limits_are_kept_by_this_process_alone_and_that_is_told_once() {
    let machine = Machine::new();
    let file = file(&machine, "file");
    fs::write(&file, "").unwrap();
    let process = machine.process_in(&file);
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.subscriber());
    for _ in 0..10 {
        send(&process, &ONE).await.unwrap();
    }
    send(&process, &small_bars("IBM")).await.unwrap();
    assert!(!goes_at_once(&process, &small_bars("IBM")).await);
    let took = machine.clock.start.elapsed().as_millis();
    assert!((150..170).contains(&took), "7 messages at the rate, and not {took} ms");
    let lines = log.lines();
    let told: Vec<_> = lines.iter().filter(|line| line.contains("request_not_paced")).collect();
    assert_eq!(told.len(), 2, "each record once: {lines:?}");
    assert!(told.iter().all(|line| line.contains("WARN") && line.contains("file: ")), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_makes_this_process_forget_nothing_and_the_others_learn_of_it_later() {
    let machine = Machine::new();
    let disk = ManualDisk::default();
    let process = machine.process_on(&disk);
    disk.set(Some(DiskFault::Full));
    send(&process, &small_bars("IBM")).await.unwrap();
    assert!(!goes_at_once(&process, &small_bars("IBM")).await);
    disk.set(None);
    send(&process, &small_bars("MSFT")).await.unwrap();
    for symbol in ["IBM", "MSFT"] {
        assert!(!goes_at_once(&machine.process(), &small_bars(symbol)).await, "{symbol}");
    }
}

#[tokio::test(start_paused = true)]
async fn records_that_are_removed_are_made_anew_and_nothing_is_forgotten() {
    let machine = Machine::new();
    let process = machine.process();
    send(&process, &small_bars("IBM")).await.unwrap();
    while goes_at_once(&process, &ONE).await {}
    records(&machine).iter().for_each(|path| fs::remove_file(path).unwrap());
    assert!(!goes_at_once(&process, &ONE).await);
    assert!(!goes_at_once(&process, &small_bars("IBM")).await);
    send(&process, &small_bars("MSFT")).await.unwrap();
    assert!(!goes_at_once(&machine.process(), &small_bars("MSFT")).await, "the others know");
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_leaves_every_process_with_what_it_remembers() {
    let machine = Machine::new();
    let process = machine.process();
    send(&process, &small_bars("IBM")).await.unwrap();
    while goes_at_once(&process, &ONE).await {}
    for nonsense in ["", "garbage", "{\"written\":1}", "[]"] {
        records(&machine).iter().for_each(|path| fs::write(path, nonsense).unwrap());
        assert!(!goes_at_once(&process, &ONE).await, "{nonsense}");
        assert!(!goes_at_once(&process, &small_bars("IBM")).await, "{nonsense}");
        assert!(goes_at_once(&machine.process(), &ONE).await, "{nonsense}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_from_the_future_holds_nobody_up_for_ever() {
    let machine = Machine::new();
    send(&machine.process(), &small_bars("IBM")).await.unwrap();
    while goes_at_once(&machine.process(), &ONE).await {}
    for path in records(&machine) {
        let mut record: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let (far, content) = (serde_json::json!(i64::MAX), &mut record["content"]);
        match content.get_mut("sent") {
            Some(sent) => sent[0]["at"] = far,
            None => {
                content["at"] = far.clone();
                content["level"] = serde_json::json!(-1e300);
                content["overtaken"] = far;
            }
        }
        fs::write(&path, record.to_string()).unwrap();
    }
    let process = machine.process();
    let start = Instant::now();
    send(&process, &ONE).await.unwrap();
    assert!(start.elapsed() <= Duration::from_millis(1_050), "{:?}", start.elapsed());
    send(&process, &small_bars("IBM")).await.unwrap();
    assert!(start.elapsed() <= Duration::from_secs(17), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn after_a_reboot_the_rules_go_on_whatever_the_wall_clock_says() {
    for set_back in [0, 24 * 3_600] {
        let machine = Machine::new();
        send(&machine.process(), &small_bars("IBM")).await.unwrap();
        let wall = machine.clock.now().wall - jiff::SignedDuration::from_secs(set_back);
        machine.clock.manual.reboot(wall);
        let process = machine.process();
        assert!(!goes_at_once(&process, &small_bars("IBM")).await);
        let start = Instant::now();
        send(&process, &small_bars("IBM")).await.unwrap();
        assert!(start.elapsed() <= Duration::from_millis(15_500), "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_is_a_warning_and_a_short_one_is_not() {
    let machine = Machine::new();
    let process = machine.process();
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.subscriber());
    send(&process, &small_bars("IBM")).await.unwrap();
    send(&process, &small_bars("IBM")).await.unwrap();
    let pnl = ibkr_connect_core::StreamRequest::Pnl(PnlParams::default());
    for _ in 0..20 {
        process.stream(&pnl).await.unwrap();
    }
    let lines = log.lines();
    let warnings: Vec<_> = lines.iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{lines:?}");
    assert!(warnings[0].contains("request_paced command=\"historical_bars\" wait_ms=15500"), "{lines:?}");
}

/// What is told.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn subscriber(&self) -> impl tracing::Subscriber + use<> {
        tracing_subscriber::fmt().with_ansi(false).with_writer(self.clone()).finish()
    }

    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
