//! A whole dump: a mapped file and a stream give the same, on one thread and on several, and the checksum put together from
//! spans is that of one pass.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rayon::{ThreadPool, ThreadPoolBuilder};
use rdbscope::error::DumpError;
use rdbscope::input::{DumpInput, Source};
use rdbscope::pipeline::{self, CheckedDump, ChecksumState, Counter};
use rdbscope::rdb::crc64;

static ONE: LazyLock<ThreadPool> = LazyLock::new(|| ThreadPoolBuilder::new().num_threads(1).build().expect("threads"));
static SOME: LazyLock<ThreadPool> = LazyLock::new(|| ThreadPoolBuilder::new().num_threads(3).build().expect("threads"));
static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

fuzz_target!(|data: &[u8]| {
    rdbscope_fuzz::items(data);
    let path: PathBuf = FOLDER.path().join("dump.rdb");
    std::fs::write(&path, data).expect("written");
    let input = DumpInput { name: "fuzz".to_owned(), source: Source::File(path) };
    let mapped = |pool: &ThreadPool| {
        pool.install(|| pipeline::check_dump(&input, &Counter::default())).expect("a temporary file at most")
    };
    let one = mapped(&ONE);
    assert_eq!(figures(&one), figures(&mapped(&SOME)));
    if !is_packed(data) {
        let streamed = pipeline::check_stream("fuzz", &mut &data[..], &Counter::default()).expect("as above");
        assert_eq!(figures(&one), figures(&streamed));
        let summed = crc64::checksum(&data[..data.len().min(one.rdb_bytes.saturating_sub(8) as usize)]);
        match (&one.error, one.checksum) {
            (Some(DumpError::Checksum { computed, .. }), _) => assert_eq!(*computed, summed),
            (_, ChecksumState::Right) => {
                let end = one.rdb_bytes as usize;
                assert_eq!(data[end - 8..end], summed.to_le_bytes());
            }
            _ => {}
        }
    }
});

/// Whether the file is taken for a compressed one, which a stream as such is not.
fn is_packed(data: &[u8]) -> bool {
    !data.starts_with(b"REDIS") && !data.starts_with(b"VALKEY")
}

fn figures(checked: &CheckedDump) -> impl PartialEq + std::fmt::Debug + use<> {
    let error = checked.error.as_ref().map(ToString::to_string);
    let repeats: Vec<(u64, u64)> = checked.repeats.iter().map(|key| (key.record_at, key.first_at)).collect();
    let counts = (checked.keys, checked.damaged_values, checked.repeated_keys, checked.trailing_bytes.unwrap_or(0));
    (error, repeats, counts, checked.damages.clone(), checked.item_faults.clone(), checked.checksum)
}
