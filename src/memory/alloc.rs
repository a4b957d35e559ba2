//! What an allocator hands out for a request of so many bytes.

use serde::{Deserialize, Serialize};

/// The allocator a server is linked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Allocator {
    /// jemalloc as bundled with Redis and Valkey (built with `--with-lg-quantum=3`).
    #[default]
    Jemalloc,
    /// jemalloc with its own quantum of 16 bytes, as the packages of Debian and Ubuntu link it.
    JemallocQuantum16,
    /// glibc's malloc (`MALLOC=libc`).
    Glibc,
}

impl Allocator {
    /// Its name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Allocator::Jemalloc => "jemalloc",
            Allocator::JemallocQuantum16 => "jemalloc-quantum16",
            Allocator::Glibc => "glibc",
        }
    }
}

/// Requests up to this many bytes are looked up.
const TABLE_BYTES: u64 = 4096;

/// The sizes an allocator hands out, as a table for small requests and a rule for the rest.
#[derive(Clone, Debug)]
pub struct SizeClasses {
    rule: fn(u64) -> u64,
    /// By request in units of 8 bytes, rounded up.
    small: Box<[u32]>,
}

impl SizeClasses {
    /// The size classes of `allocator`.
    pub fn new(allocator: Allocator) -> SizeClasses {
        SizeClasses::by(match allocator {
            Allocator::Jemalloc => |bytes| jemalloc(bytes, 8),
            Allocator::JemallocQuantum16 => |bytes| jemalloc(bytes, 16),
            Allocator::Glibc => glibc,
        })
    }

    /// The size classes of jemalloc 3.6, which Redis had until 3.0.
    pub fn of_jemalloc_3() -> SizeClasses {
        SizeClasses::by(jemalloc_3)
    }

    fn by(rule: fn(u64) -> u64) -> SizeClasses {
        SizeClasses { rule, small: (0..=TABLE_BYTES / 8).map(|eighths| rule(eighths * 8) as u32).collect() }
    }

    /// Bytes that a request of `bytes` takes; what `malloc_usable_size` says of it.
    #[inline]
    pub fn of(&self, bytes: u64) -> u64 {
        if bytes <= TABLE_BYTES { u64::from(self.small[bytes.div_ceil(8) as usize]) } else { (self.rule)(bytes) }
    }
}

/// jemalloc's `sz_s2u`: multiples of the quantum, then four classes per doubling.
fn jemalloc(bytes: u64, quantum: u64) -> u64 {
    match bytes {
        0..=8 => 8,
        9..=64 => bytes.next_multiple_of(quantum),
        _ => {
            let group = (bytes - 1).ilog2();
            bytes.checked_next_multiple_of(1 << (group - 2)).unwrap_or(bytes)
        }
    }
}

/// Up to version 3: from 3584 bytes on whole pages, then whole chunks of 4 MiB.
fn jemalloc_3(bytes: u64) -> u64 {
    const PAGE: u64 = 4096;
    const CHUNK: u64 = 4 << 20;
    let unit = match bytes {
        0..=8 => 8,
        9..=128 => 16,
        129..=3584 => return jemalloc(bytes, 16),
        _ if bytes <= CHUNK - 4 * PAGE => PAGE, // a chunk's first pages describe it
        _ => CHUNK,
    };
    bytes.max(1).checked_next_multiple_of(unit).unwrap_or(bytes)
}

/// glibc's chunks: 16-byte steps with 8 bytes of header not counted; from 128 KiB on pages of their own.
fn glibc(bytes: u64) -> u64 {
    const MMAP_THRESHOLD: u64 = 128 << 10;
    if bytes < MMAP_THRESHOLD {
        ((bytes + 23) & !15).saturating_sub(8).max(24)
    } else {
        (bytes.saturating_add(16 + 4095) & !4095).saturating_sub(16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hands_out_what_real_allocators_do() {
        let je = SizeClasses::new(Allocator::Jemalloc);
        for (request, class) in [
            (1, 8),
            (9, 16),
            (17, 24),
            (64, 64),
            (65, 80),
            (129, 160),
            (257, 320),
            (4096, 4096),
            (4097, 5120),
            (8193, 10240),
            (40961, 49152),
            (33 << 20, 40 << 20),
        ] {
            assert_eq!(je.of(request), class, "{request}");
        }
        let debian = SizeClasses::new(Allocator::JemallocQuantum16);
        for (request, class) in [(8, 8), (9, 16), (17, 32), (33, 48), (49, 64), (65, 80)] {
            assert_eq!(debian.of(request), class, "{request}");
        }
        let old = SizeClasses::of_jemalloc_3();
        for (request, class) in [(8, 8), (24, 32), (72, 80), (129, 160), (3585, 4096), (4097, 8192), (5 << 20, 8 << 20)]
        {
            assert_eq!(old.of(request), class, "{request}");
        }
        let glibc = SizeClasses::new(Allocator::Glibc);
        for (request, class) in [(1, 24), (24, 24), (25, 40), (41, 56), (128 << 10, (132 << 10) - 16)] {
            assert_eq!(glibc.of(request), class, "{request}");
        }
        assert_eq!(je.of(u64::MAX), u64::MAX, "a hostile length does not overflow");
    }
}
