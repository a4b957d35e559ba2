//! The parts of a run, each by itself: `cargo bench`.

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rdbscope::analyze::pattern::{PatternKey, PatternTable};
use rdbscope::cluster::slot_of;
use rdbscope::escape::Escape;
use rdbscope::measure::Measurer;
use rdbscope::memory::{Model, ModelOptions, Place};
use rdbscope::output::columns::{Csv, Filter};
use rdbscope::pipeline::{RowDump, RowFormat};
use rdbscope::rdb::{Header, Item, KeyHead, Reader, crc64, lzf};
use rdbscope::record::KeyRecord;

/// A dump of so many small strings, as the servers write it.
fn dump(keys: u32) -> Vec<u8> {
    let mut dump = b"REDIS0011\xfa\x09redis-ver\x057.2.6\xfe\x00".to_vec();
    for i in 0..keys {
        let key = format!("user:{i}:profile");
        dump.extend([0, key.len() as u8]);
        dump.extend(key.as_bytes());
        dump.push(32);
        dump.extend([b'x'; 32]);
    }
    dump.push(0xff);
    let sum = crc64::checksum(&dump);
    dump.extend(sum.to_le_bytes());
    dump
}

fn model() -> Model {
    Model::new(ModelOptions {
        server: "redis-7.2".parse().unwrap(),
        allocator: Default::default(),
        cluster: false,
        thresholds: Default::default(),
    })
}

fn keys() -> Vec<Vec<u8>> {
    (0..10_000).map(|i| format!("session:{:08x}:data", i * 2_654_435_761u64 % (1 << 32)).into_bytes()).collect()
}

fn scan(c: &mut Criterion) {
    let data = dump(100_000);
    let mut group = c.benchmark_group("records");
    group.throughput(Throughput::Elements(100_000));
    group.bench_function("boundaries", |b| {
        b.iter(|| {
            let mut reader = Reader::new(&data).unwrap();
            while !matches!(reader.next_item(), Ok(Item::End { .. }) | Err(_)) {}
            black_box(reader.offset())
        });
    });
    let model = model();
    group.bench_function("decoded and measured", |b| {
        b.iter(|| {
            let mut reader = Reader::new(&data).unwrap();
            let mut measurer = Measurer::new(&model, &[]);
            let place = Place::default();
            let mut sum = 0;
            while let Ok(item) = reader.next_item() {
                match item {
                    Item::Key(head) => {
                        measurer.read(&mut reader, &head).unwrap();
                        let measured = measurer.measure(&head, &place);
                        sum += measured.memory_bytes;
                    }
                    Item::End { .. } => break,
                    _ => {}
                }
            }
            black_box(sum)
        });
    });
    group.finish();
}

/// The records of the fixtures' dumps by the type byte that their values have, end to end as a dump has them.
fn records_by_kind() -> BTreeMap<u8, (Header, Vec<u8>)> {
    let mut kinds = BTreeMap::new();
    for name in ["redis-3.2.rdb", "redis-6.2.rdb", "redis-7.2.rdb", "redis-7.4.rdb"] {
        let data = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dumps").join(name)).unwrap();
        let mut reader = Reader::new(&data).unwrap();
        while let Ok(item) = reader.next_item() {
            let head = match item {
                Item::Key(head) => head,
                Item::End { .. } => break,
                _ => continue,
            };
            reader.finish_value().unwrap();
            let (_, records) = kinds.entry(head.kind.0).or_insert((reader.header(), Vec::new()));
            records.extend(&data[head.record_at as usize..reader.offset() as usize]);
        }
    }
    kinds
}

fn values(c: &mut Criterion) {
    let model = model();
    let mut group = c.benchmark_group("values by type byte");
    for (kind, (header, records)) in records_by_kind() {
        group.throughput(Throughput::Bytes(records.len() as u64));
        group.bench_function(kind.to_string(), |b| {
            let mut measurer = Measurer::new(&model, &[]);
            b.iter(|| {
                let mut reader = Reader::resume(&records, 0, header, 0);
                let mut sum = 0;
                while !reader.is_at_end() {
                    let Ok(Item::Key(head)) = reader.next_item() else { break };
                    measurer.read(&mut reader, &head).unwrap();
                    sum += measurer.measure(&head, &Place::default()).memory_bytes;
                }
                black_box(sum)
            });
        });
    }
    group.finish();
}

fn rows(c: &mut Criterion) {
    struct Every;
    impl Filter for Every {
        fn matches(&self, _: &KeyRecord<'_>, _: Option<i64>) -> bool {
            true
        }
    }
    let data = dump(10_000);
    let model = model();
    let mut measurer = Measurer::new(&model, &[]);
    let format = Csv { escape: Escape::Utf8, spreadsheet: false, filter: &Every };
    let mut group = c.benchmark_group("rows");
    group.throughput(Throughput::Elements(1));
    group.bench_function("csv", |b| {
        let mut reader = Reader::new(&data).unwrap();
        let head = loop {
            match reader.next_item().unwrap() {
                Item::Key(head) => break KeyHead { expire_at_ms: Some(1_767_225_600_000), ..head },
                _ => continue,
            }
        };
        measurer.read(&mut reader, &head).unwrap();
        let measured = measurer.measure(&head, &Place::default());
        let dump = RowDump { node: "node-1", now_ms: None, print: None };
        let mut out = Vec::new();
        b.iter(|| {
            out.clear();
            format.row(dump, black_box(&measured.record()), &mut out);
        });
    });
    group.finish();
}

fn names(c: &mut Criterion) {
    let keys = keys();
    let mut group = c.benchmark_group("names");
    group.throughput(Throughput::Elements(keys.len() as u64));
    group.bench_function("slot", |b| {
        b.iter(|| keys.iter().fold(0u64, |sum, key| sum + u64::from(slot_of(black_box(key)))));
    });
    group.bench_function("pattern", |b| {
        let mut table = PatternTable::default();
        let key = PatternKey {
            memory_bytes: 100,
            serialized_bytes: 70,
            elements: 32,
            type_bit: 1,
            persistent: true,
            expired: false,
        };
        b.iter(|| keys.iter().for_each(|name| table.observe(black_box(name), &key)));
    });
    group.bench_function("escape", |b| {
        let mut out = Vec::new();
        b.iter(|| {
            out.clear();
            keys.iter().for_each(|name| Escape::Utf8.append(black_box(name), &mut out));
        });
    });
    group.finish();
}

fn bytes(c: &mut Criterion) {
    let text: Vec<u8> = (0..20_000u32).flat_map(|i| format!("{{\"id\":{i},\"name\":\"user\"}}").into_bytes()).collect();
    let mut group = c.benchmark_group("bytes");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("checksum", |b| b.iter(|| crc64::checksum(black_box(&text))));
    let packed = ::lzf::compress(&text).unwrap();
    let mut out = vec![0; text.len()];
    group.bench_function("lzf", |b| b.iter(|| lzf::inflate(black_box(&packed), &mut out, text.len())));
    group.bench_function("lzf, by the crate", |b| b.iter(|| ::lzf::decompress(black_box(&packed), text.len())));
    group.finish();
}

criterion_group!(benches, scan, values, names, rows, bytes);
criterion_main!(benches);
