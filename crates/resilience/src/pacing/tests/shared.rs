//! Records that other processes hold, that can't be used, or that make no sense.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;

use ibkr_connect_core::types::PnlParams;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

const ONE: Request = Request::ManagedAccounts;

/// The records of a machine, as another process sees them.
fn records(machine: &Machine) -> [PathBuf; 2] {
    ["rate", "history"].map(|name| machine.temp.path().join(format!("{name}-localhost_4002.lock")))
}

#[tokio::test(start_paused = true)]
async fn records_that_a_stopped_process_holds_are_waited_for_once_and_briefly() {
    let machine = Machine::new();
    let process = machine.process();
    let held = records(&machine).map(|path| File::open(path).unwrap());
    held.iter().for_each(|file| file.lock().unwrap());
    for _ in 0..20 {
        send(&process, &ONE).await.unwrap();
    }
    send(&process, &small_bars("IBM")).await.unwrap();
    let took = machine.clock.start.elapsed().as_millis();
    // 50 ms for the first of the two records, then 17 messages at the rate, while the second one is waited for too.
    assert!((428..480).contains(&took), "{took}");
    assert!(!goes_at_once(&process, &small_bars("IBM")).await, "the rules are kept by this process alone");

    held.iter().for_each(|file| file.unlock().unwrap());
    let other = machine.process();
    send(&process, &small_bars("MSFT")).await.unwrap();
    assert!(!goes_at_once(&other, &small_bars("MSFT")).await, "the others know again");
}

#[test]
fn records_that_a_stopped_process_holds_stop_no_thread_of_the_runtime() {
    let temp = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(ibkr_connect_state::KernelClock::default());
    let pacer = Pacer::new(temp.path(), &Gateway::new("localhost", 4002), &clock, Timer::default());
    pacer.open();
    let held = File::open(temp.path().join("rate-localhost_4002.lock")).unwrap();
    held.lock().unwrap();
    let process = Arc::new(ConnectionPacer { pacer: Arc::new(pacer), limits: Limits::All, limit: LIMIT });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let ticks = runtime.block_on(async {
        let mut requests = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let process = Arc::clone(&process);
            requests.spawn(async move { send(&process, &ONE).await });
        }
        let mut ticks = 0;
        let all_sent =
            async { while requests.join_next().await.transpose().unwrap().transpose().unwrap().is_some() {} };
        let mut all_sent = std::pin::pin!(all_sent);
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
    let file = machine.temp.path().join("file");
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
async fn nonsense_says_as_much_as_nothing_and_this_process_remembers() {
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
        let far = serde_json::json!(i64::MAX);
        match record["kept"].get_mut("sent") {
            Some(sent) => sent[0]["at"] = far,
            None => {
                record["kept"]["at"] = far.clone();
                record["kept"]["level"] = serde_json::json!(-1e300);
                record["kept"]["overtaken"] = far;
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
        assert!(start.elapsed() <= Duration::from_secs(15), "{:?}", start.elapsed());
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
    assert!(warnings[0].contains("request_paced command=\"historical_bars\" wait_ms=15000"), "{lines:?}");
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
