//! 20,000 damaged dumps from seeds: none makes the program panic or take longer than its size allows, and a file gives
//! what a pipe gives.

use std::panic::AssertUnwindSafe;
use std::sync::mpsc;
use std::time::Duration;

use crate::common::mutate::{Parts, mutation};
use crate::common::work::{everything, figures, read_all};
use crate::common::*;
use rdbscope::analyze::Aggregate;
use rdbscope::analyze::aggregate::AggregateOptions;
use rdbscope::input::{DumpInput, Source};
use rdbscope::memory::{Allocator, Model, ModelOptions, Server, Thresholds};
use rdbscope::pipeline::{self, Counter, FileFacts, Setup};
use rdbscope::rdb::Reader;
use rdbscope::value::Depth;

const MUTATIONS: u64 = 20_000;
/// Seeds that a thread takes in turn.
const LANES: u64 = 2;
/// For one of them; it takes a millisecond.
const LONGEST: Duration = Duration::from_secs(30);

#[test]
fn twenty_thousand_damaged_dumps() {
    let parts: Vec<Parts> = everything().iter().map(|(name, bytes)| Parts::of(name, bytes)).collect();
    let (sender, receiver) = mpsc::channel();
    for lane in 0..LANES {
        let (parts, sender) = (parts.clone(), sender.clone());
        std::thread::spawn(move || {
            let dir = tempfile::tempdir().unwrap();
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
            for seed in (lane..MUTATIONS).step_by(LANES as usize) {
                let (name, bytes) = mutation(&parts, seed);
                let tried = std::panic::catch_unwind(AssertUnwindSafe(|| pool.install(|| try_one(dir.path(), &bytes))));
                sender.send((name, tried.map_err(|panic| format!("{:?}", panic.downcast_ref::<String>())))).unwrap();
            }
        });
    }
    drop(sender);
    let (mut wrong, mut sound) = (Vec::new(), 0);
    for seen in 0..MUTATIONS {
        let (name, tried) = receiver
            .recv_timeout(LONGEST)
            .unwrap_or_else(|error| panic!("one that comes after {seen} others does not end: {error}"));
        match tried {
            Ok(is_sound) => sound += u64::from(is_sound),
            Err(panic) => wrong.push(format!("{name}: {panic}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {MUTATIONS}, the first:\n{}", wrong.len(), wrong[..wrong.len().min(9)].join("\n"));
    // What is changed inside a string may leave a sound dump, but not most of the time.
    assert!((MUTATIONS / 100..MUTATIONS / 2).contains(&sound), "{sound} are sound");
}

/// Reads a dump in every way, which have to agree; says whether it is sound.
fn try_one(dir: &std::path::Path, bytes: &[u8]) -> bool {
    // Counts the work, and skips each value beside decoding it.
    if let Ok(reader) = Reader::new(bytes) {
        let _ = read_all(reader, bytes.len());
    }
    let path = write(dir, "dump.rdb", bytes);
    let input = DumpInput { name: "mutation".to_owned(), source: Source::File(path) };
    let mapped = pipeline::check_dump(&input, &Counter::default()).unwrap();
    let streamed = pipeline::check_stream("mutation", &mut &bytes[..], &Counter::default()).unwrap();
    assert_eq!(figures(&mapped), figures(&streamed));
    let mapped_sums = pipeline::read_dump(&input, &Outlined, None, &Counter::default()).unwrap();
    let streamed_sums =
        pipeline::read_stream_dump("mutation", &mut &bytes[..], &Outlined, None, &Counter::default()).unwrap();
    let stored = |sums: &Aggregate| serde_json::to_string(sums).unwrap();
    assert_eq!(stored(&mapped_sums.fold), stored(&streamed_sums.fold));
    mapped.is_sound()
}

/// Reads as a report does: what need not be known is passed over.
struct Outlined;

impl Setup<Aggregate> for Outlined {
    fn models(&self, facts: &FileFacts) -> (Model, Vec<Model>) {
        let options = ModelOptions {
            server: facts.header.map_or_else(Server::newest, Server::likely_writer),
            allocator: Allocator::Jemalloc,
            cluster: false,
            thresholds: Thresholds::default(),
        };
        (Model::new(options), Vec::new())
    }
    fn now_ms(&self, _: &FileFacts) -> Option<i64> {
        None
    }
    fn depth(&self) -> Depth {
        Depth::Outlines { bytes: 1 << 20 }
    }
    fn fold(&self, _: &FileFacts, _: &dyn Fn() -> Vec<u16>) -> Aggregate {
        Aggregate::new(AggregateOptions { top: 100, ..AggregateOptions::default() })
    }
}
