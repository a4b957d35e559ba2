//! A file mapped into memory.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::SystemTime;

/// Pages that were lost under a mapping so far, because someone made a file shorter.
static LOST_PAGES: AtomicU64 = AtomicU64::new(0);

/// Pages are given back so many bytes at a time, those of a huge page: each time interrupts every other processor, and would
/// split a huge page that is read still.
const RELEASE_BYTES: usize = 2 << 20;

/// A file in memory, read only.
///
/// If the file is made shorter while it is mapped, touching what is gone raises SIGBUS. A handler then puts a page of zeros
/// in its place, so that the reading goes on. What was read must not be trusted then, nor when the file was written to:
/// [`Map::changed`] tells. A file that is renamed over another leaves the mapped one as it was.
#[derive(Debug)]
pub struct Map {
    bytes: memmap2::Mmap,
    file: File,
    modified: Option<SystemTime>,
    /// Pages before this have been given back.
    released: AtomicUsize,
}

impl Map {
    /// Maps the file at `path`.
    ///
    /// # Errors
    /// If it cannot be opened or mapped.
    pub fn open(path: &Path) -> io::Result<Map> {
        install_handler();
        let file = File::open(path)?;
        let meta = file.metadata()?;
        if meta.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory without *.rdb files"));
        }
        // SAFETY: the mapping is read only and private to this process. Another process can still change the file
        // under it: the bytes are then others, which is harmless, since nothing is derived from them but more reading
        // within bounds, or gone, which the handler sees to.
        let bytes = unsafe { memmap2::Mmap::map(&file)? };
        #[cfg(unix)]
        let _ = bytes.advise(memmap2::Advice::Sequential);
        Ok(Map { bytes, file, modified: meta.modified().ok(), released: AtomicUsize::new(0) })
    }

    /// The file, mapped no more.
    pub fn into_file(self) -> File {
        self.file
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The length that the file has now, if it was made shorter or written to since it was mapped.
    pub fn changed(&self) -> Option<u64> {
        let Ok(now) = self.file.metadata() else { return Some(0) };
        let is_other = now.len() < self.bytes.len() as u64 || now.modified().ok() != self.modified;
        is_other.then_some(now.len())
    }

    /// Gives the pages before `position`, which have been read, back to the system, once they are many.
    pub fn release_before(&self, position: usize) {
        let end = position.min(self.bytes.len()) / RELEASE_BYTES * RELEASE_BYTES;
        let start = self.released.fetch_max(end, Ordering::Relaxed);
        if start < end {
            self.release(start, end);
        }
    }

    #[cfg(target_os = "linux")]
    fn release(&self, start: usize, end: usize) {
        // SAFETY: the mapping is of a file and read only: a page given back is read again when it is touched.
        let _ = unsafe { self.bytes.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, end - start) };
    }

    #[cfg(not(target_os = "linux"))]
    fn release(&self, _start: usize, _end: usize) {}
}

/// Pages lost under any mapping so far: if the number grows while a file is read, zeros may have been read for its bytes.
pub fn lost_pages() -> u64 {
    LOST_PAGES.load(Ordering::Relaxed)
}

#[cfg(target_os = "linux")]
fn install_handler() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        // SAFETY: the handler is async-signal-safe: it makes system calls and touches an atomic, nothing else.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_lost_page;
            action.sa_sigaction = handler as usize;
            action.sa_flags = libc::SA_SIGINFO;
            libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut());
        }
    });
}

#[cfg(not(target_os = "linux"))]
fn install_handler() {}

/// Puts a page of zeros where a mapped file has lost one.
#[cfg(target_os = "linux")]
extern "C" fn on_lost_page(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel hands a valid `info`; the page that is replaced could not be read, so no one relies on it. Should
    // the address be of no mapping of ours, replacing its page by zeros cannot make the fault worse.
    unsafe {
        let page = libc::sysconf(libc::_SC_PAGESIZE).max(4096) as usize;
        let address = (*info).si_addr() as usize & !(page - 1);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        let placed = libc::mmap(address as *mut libc::c_void, page, libc::PROT_READ, flags, -1, 0);
        if placed == libc::MAP_FAILED {
            libc::signal(signal, libc::SIG_DFL);
        }
        LOST_PAGES.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    use super::*;

    /// Bytes of the mapping that are in memory, as the system has it.
    fn resident_bytes(map: &Map) -> usize {
        let start = format!("{:x}-", map.bytes().as_ptr() as usize);
        let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
        let mut lines = smaps.lines().skip_while(|line| !line.starts_with(&start));
        let rss = lines.find_map(|line| line.strip_prefix("Rss:")).unwrap();
        rss.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() << 10
    }

    #[test]
    fn pages_that_were_read_are_given_back_and_can_be_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.rdb");
        fs::write(&path, vec![1; 4 * RELEASE_BYTES + 5]).unwrap();
        let map = Map::open(&path).unwrap();
        let sum = || map.bytes().iter().map(|byte| usize::from(*byte)).sum::<usize>();
        assert_eq!(sum(), 4 * RELEASE_BYTES + 5);
        let all = resident_bytes(&map);
        assert!(all > 4 * RELEASE_BYTES, "{all}");
        // What is before, as far as it is many pages; a position further back changes nothing.
        for (position, given_back) in [(RELEASE_BYTES - 1, 0), (3 * RELEASE_BYTES + 1, 3), (RELEASE_BYTES, 3)] {
            map.release_before(position);
            assert_eq!(resident_bytes(&map), all - given_back * RELEASE_BYTES, "{position}");
        }
        map.release_before(usize::MAX);
        assert_eq!(resident_bytes(&map), all - 4 * RELEASE_BYTES);
        assert_eq!(sum(), 4 * RELEASE_BYTES + 5);
    }
}
