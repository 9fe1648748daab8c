//! What it costs to follow a flood of ticks and a long answer, beside copying the same bytes.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ibkr_connect_wire::messages::{HistoricalData, HistoricalDataBar, TickPrice, TickSize};
use ibkr_connect_wire::{EndMark, ErrorMessage, Family, Frame, Inbound, Observer};

/// Listens to nothing.
struct Nobody;

impl Observer for Nobody {
    fn hear(&self, _: Instant, _: &ErrorMessage) {}

    fn count(&self, _: Family) {}

    fn end_mark(&self, _: Instant, _: Family, _: Option<&str>) -> EndMark {
        EndMark::Passes
    }
}

const TICKS: u64 = 10_000;

const BARS: u64 = 10_000;

fn ticks() -> Vec<u8> {
    let price = TickPrice {
        req_id: Some(1_500_000_007),
        tick_type: Some(4),
        price: Some(215.25),
        size: Some("100".to_owned()),
        attr_mask: Some(0),
    };
    let size = TickSize { req_id: Some(1_500_000_007), tick_type: Some(8), size: Some("123456".to_owned()) };
    let pair = [Frame::protobuf(1, &price), Frame::protobuf(2, &size)]
        .map(|frame| frame.as_bytes().to_vec())
        .concat();
    pair.repeat(TICKS as usize / 2)
}

fn bars() -> Vec<u8> {
    let bar = HistoricalDataBar {
        date: Some("1795617000".to_owned()),
        open: Some(215.0),
        high: Some(216.0),
        low: Some(214.0),
        close: Some(215.5),
        volume: Some("12345".to_owned()),
        wap: Some("215.25".to_owned()),
        bar_count: Some(77),
    };
    let bars = HistoricalData { req_id: Some(1_500_000_007), historical_data_bars: vec![bar; BARS as usize] };
    Frame::protobuf(17, &bars).as_bytes().to_vec()
}

fn follow(bytes: &[u8], inbound: &mut Inbound, out: &mut Vec<u8>) {
    let now = Instant::now();
    for mut piece in bytes.chunks(64 * 1024) {
        out.clear();
        inbound.follow(&mut piece, now, &Nobody, out).expect("they are frames");
        black_box(&*out);
    }
}

fn copy(bytes: &[u8], out: &mut Vec<u8>) {
    for piece in bytes.chunks(64 * 1024) {
        out.clear();
        out.extend_from_slice(piece);
        black_box(&*out);
    }
}

fn inbound(c: &mut Criterion) {
    for (name, bytes, count) in [("ticks", ticks(), TICKS), ("bars", bars(), BARS)] {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(count)).measurement_time(Duration::from_secs(3));
        let mut out = Vec::new();
        group.bench_function("follow", |b| b.iter(|| follow(&bytes, &mut Inbound::default(), &mut out)));
        group.bench_function("copy", |b| b.iter(|| copy(&bytes, &mut out)));
        group.finish();
    }
}

criterion_group!(benches, inbound);
criterion_main!(benches);
