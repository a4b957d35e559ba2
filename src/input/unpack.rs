//! Compressed dumps: recognised by their first bytes, unpacked by a thread that is a little ahead of who reads.
//!
//! Compressed data is a sequence of frames (of gzip: members), one or many, each with its own magic; they unpack to one
//! stream of bytes.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Bytes that tell compressed data from a dump.
pub const MAGIC_BYTES: usize = 4;

/// Most bytes unpacked at a time.
const BLOCK_BYTES: usize = 256 << 10;
/// Blocks that may wait for the reader.
const BLOCKS_AHEAD: usize = 4;
/// Largest window of a zstd frame, as its exponent: 128 MiB, all that `zstd` itself unpacks without being asked for more.
const MAX_WINDOW_LOG: u32 = 27;

/// Whether these are the first bytes of compressed data; [`MAGIC_BYTES`] of them are looked at.
pub fn is_compressed(first: &[u8]) -> bool {
    Frame::of(first).is_some()
}

/// The kinds of frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Gzip,
    Zstd,
    Lz4,
    /// Of zstd or lz4, with something that is none of the data.
    Skippable,
}

impl Frame {
    fn of(first: &[u8]) -> Option<Frame> {
        match *first.first_chunk::<MAGIC_BYTES>()? {
            [0x1f, 0x8b, 8, _] => Some(Frame::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd] => Some(Frame::Zstd),
            [0x04, 0x22, 0x4d, 0x18] => Some(Frame::Lz4),
            [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Some(Frame::Skippable),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Frame::Gzip => "gzip",
            Frame::Zstd => "zstd",
            Frame::Lz4 => "lz4",
            Frame::Skippable => "compressed",
        }
    }

    /// Unpacks one frame, and reads not a byte more.
    fn unpack(self, mut packed: impl BufRead, blocks: &Blocks) -> io::Result<()> {
        match self {
            Frame::Gzip => pass_on(flate2::bufread::GzDecoder::new(packed), blocks),
            Frame::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(packed)?.single_frame();
                decoder.window_log_max(MAX_WINDOW_LOG)?;
                pass_on(decoder, blocks)
            }
            Frame::Lz4 => pass_on(lz4_flex::frame::FrameDecoder::new(packed), blocks),
            Frame::Skippable => {
                let mut head = [0; MAGIC_BYTES + 4];
                packed.read_exact(&mut head)?;
                let [.., a, b, c, d] = head;
                let length = u64::from(u32::from_le_bytes([a, b, c, d]));
                let skipped = io::copy(&mut packed.take(length), &mut io::sink())?;
                if skipped < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
            }
        }
    }
}

/// Why compressed data cannot be unpacked to its end. Offsets are those of the compressed bytes.
#[derive(Debug)]
pub enum UnpackError {
    /// It ends within a frame.
    Cut {
        /// What it is compressed with.
        format: &'static str,
        /// Where it ends.
        at: u64,
    },
    /// It is not what it should be, or wants more memory than it gets.
    Corrupt {
        /// What it is compressed with.
        format: &'static str,
        /// What the decoder says.
        error: io::Error,
    },
    /// Something that is not compressed follows.
    Trailing {
        /// Where that begins.
        at: u64,
    },
}

impl fmt::Display for UnpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnpackError::Cut { format, at } => {
                write!(f, "{format} data is cut off: the file ends within it, at byte {at} ({at:#x})")
            }
            UnpackError::Corrupt { format, error } => write!(f, "{format} data cannot be unpacked: {error}"),
            UnpackError::Trailing { at } => {
                write!(f, "compressed data ends at byte {at} ({at:#x}), and what follows is not compressed")
            }
        }
    }
}

impl std::error::Error for UnpackError {}

impl From<UnpackError> for io::Error {
    fn from(error: UnpackError) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}

/// A block of bytes; an empty one says that all is well and at its end.
type Block = io::Result<Vec<u8>>;
type Blocks = SyncSender<Block>;

/// What compressed data unpacks to. What is wrong with the data comes as an [`io::Error`] around an [`UnpackError`], behind
/// all that could be unpacked.
#[derive(Debug)]
pub struct Unpacked {
    blocks: Receiver<Block>,
    block: Vec<u8>,
    read: usize,
    ended: bool,
}

impl Unpacked {
    /// Begins to unpack.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn new(packed: impl Read + Send + 'static) -> io::Result<Unpacked> {
        let (sender, blocks) = sync_channel(BLOCKS_AHEAD);
        thread::Builder::new().name("unpack".to_owned()).spawn(move || {
            let end = unpack(packed, &sender).map(|()| Vec::new());
            let _ = sender.send(end); // if the reader has gone, nobody wants to know
        })?;
        Ok(Unpacked { blocks, block: Vec::new(), read: 0, ended: false })
    }
}

impl Read for Unpacked {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.read == self.block.len() && !self.ended {
            let block = self.blocks.recv().unwrap_or_else(|_| Err(io::Error::other("unpacking it failed")));
            self.ended = block.as_ref().map_or(true, Vec::is_empty);
            (self.block, self.read) = (block?, 0);
        }
        let n = (&self.block[self.read..]).read(buf)?;
        self.read += n;
        Ok(n)
    }
}

/// Unpacks frame after frame.
fn unpack(packed: impl Read, blocks: &Blocks) -> io::Result<()> {
    let mut packed =
        BufReader::with_capacity(BLOCK_BYTES, Packed { inner: packed, bytes: 0, ended: false, error: None });
    loop {
        let at = packed.get_ref().bytes - packed.buffer().len() as u64;
        let mut magic = Vec::new();
        let got = packed.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut magic);
        let frame = Frame::of(&magic);
        let done = match (got, frame) {
            (Ok(0), _) => return Ok(()),
            (Ok(_), None) => return Err(UnpackError::Trailing { at }.into()),
            (Ok(_), Some(frame)) => frame.unpack(magic.chain(&mut packed), blocks),
            (Err(error), _) => Err(error),
        };
        let Packed { bytes, ended, error, .. } = packed.get_mut();
        if let Some(error) = error.take() {
            return Err(error);
        }
        let format = frame.map_or("", Frame::name);
        match done {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(UnpackError::Cut { format, at: *bytes }.into());
            }
            Err(error) => return Err(UnpackError::Corrupt { format, error }.into()),
            // This decoder takes an end between two blocks for that of the frame.
            Ok(()) if frame == Some(Frame::Lz4) && *ended => {
                return Err(UnpackError::Cut { format, at: *bytes }.into());
            }
            Ok(()) => {}
        }
    }
}

/// Hands over what a decoder makes.
fn pass_on(mut decoder: impl Read, blocks: &Blocks) -> io::Result<()> {
    loop {
        let mut block = vec![0; BLOCK_BYTES];
        let n = decoder.read(&mut block)?;
        if n == 0 {
            return Ok(());
        }
        block.truncate(n);
        blocks.send(Ok(block)).map_err(|_| io::ErrorKind::BrokenPipe)?;
    }
}

/// Compressed bytes as they come. Keeps apart what no decoder does: errors of reading and those of unpacking, and whether
/// the end was seen.
struct Packed<R> {
    inner: R,
    bytes: u64,
    ended: bool,
    error: Option<io::Error>,
}

impl<R: Read> Read for Packed<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buf) {
            Ok(n) => {
                self.bytes += n as u64;
                self.ended = n == 0;
                Ok(n)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                self.error = Some(error);
                Err(io::Error::other("cannot be read"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const TEXT: &[u8] = b"REDIS0011 and then some, and then some, and then some";

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    fn lz4(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Gives a byte at a time, and then perhaps an error.
    struct Drip(Vec<u8>, Option<io::Error>);

    impl Read for Drip {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return self.1.take().map_or(Ok(0), Err);
            }
            buf[0] = self.0.remove(0);
            Ok(1)
        }
    }

    fn unpacked(packed: impl Read + Send + 'static) -> (Vec<u8>, Option<io::Error>) {
        let mut bytes = Vec::new();
        let error = Unpacked::new(packed).unwrap().read_to_end(&mut bytes).err();
        (bytes, error)
    }

    fn damage(packed: Vec<u8>) -> UnpackError {
        let (_, error) = unpacked(io::Cursor::new(packed));
        error.expect("an error").downcast().expect("one of unpacking")
    }

    #[test]
    fn every_format_is_recognised_and_unpacked() {
        for packed in [gzip(TEXT), zstd(TEXT), lz4(TEXT)] {
            assert!(is_compressed(&packed) && !is_compressed(&packed[..3]));
            let (bytes, error) = unpacked(Drip(packed, None));
            assert!(bytes == TEXT && error.is_none(), "{error:?}");
        }
        assert!(!is_compressed(b"REDIS0011") && !is_compressed(b"VALKEY080") && !is_compressed(b""));
    }

    #[test]
    fn frames_are_read_one_after_the_other() {
        let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"any"].concat();
        for pack in [gzip, zstd, lz4] {
            let packed =
                [skippable.clone(), pack(&TEXT[..20]), pack(b""), skippable.clone(), pack(&TEXT[20..])].concat();
            let (bytes, error) = unpacked(Drip(packed, None));
            assert!(bytes == TEXT && error.is_none(), "{error:?}");
        }
        assert!(matches!(damage(skippable[..9].to_vec()), UnpackError::Cut { at: 9, .. }));
    }

    #[test]
    fn every_prefix_is_cut_off() {
        for packed in [gzip(TEXT), zstd(TEXT), lz4(TEXT)] {
            for cut in MAGIC_BYTES..packed.len() {
                let damage = damage(packed[..cut].to_vec());
                assert!(matches!(damage, UnpackError::Cut { at, .. } if at == cut as u64), "at {cut}: {damage}");
            }
        }
    }

    #[test]
    fn what_follows_is_no_part_of_it() {
        for packed in [gzip(TEXT), zstd(TEXT), lz4(TEXT)] {
            let damage = damage([&packed[..], b"\0\0"].concat());
            assert!(matches!(damage, UnpackError::Trailing { at } if at == packed.len() as u64), "{damage}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_damaged() {
        for packed in [gzip(TEXT), zstd(TEXT), lz4(TEXT)] {
            for cut in [4, packed.len() - 1, packed.len()] {
                let (_, error) = unpacked(Drip(packed[..cut].to_vec(), Some(io::Error::other("the line was cut"))));
                let error = error.expect("an error");
                assert!(error.to_string() == "the line was cut", "{error}");
            }
        }
    }

    #[test]
    fn a_window_of_gigabytes_is_refused() {
        // Magic, a frame with a window descriptor of 2 GiB, an empty last block.
        let packed = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 1, 0, 0];
        let damage = damage(packed);
        assert!(damage.to_string().contains("too much memory"), "{damage}");
    }

    #[test]
    fn a_reader_may_go_early() {
        let mut unpacked = Unpacked::new(io::Cursor::new(gzip(&vec![0; 8 << 20]))).unwrap();
        assert_eq!(unpacked.read(&mut [0; 10]).unwrap(), 10);
    }
}
