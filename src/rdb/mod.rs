//! Framing of an RDB file: magic, opcodes, keys, where each value ends, checksum.
//!
//! Everything here works on `&[u8]` (or on a [`Cursor`] over a stream), allocates nothing on a file's word
//! and knows neither files nor servers' memory. What lies inside a value is [`crate::value`]'s business.
//!
//! | file | what it reads |
//! |---|---|
//! | [`constants`] | opcodes and type bytes, per dialect |
//! | [`function`] | the first line of a function library |
//! | [`header`] | the nine bytes at the start |
//! | [`cursor`] | bounded reading, lengths, strings |
//! | [`string`] | the four stored forms of a string |
//! | [`lzf`] | decompression into a buffer used again |
//! | [`run`] | many short elements at a time |
//! | `leap` | the same, passed over without looking at each |
//! | [`skip`] | where a value ends, without decoding it |
//! | [`reader`] | the sequence of items in a file |
//! | [`stored`] | the first bytes of a value once more |
//! | [`crc64`] | the checksum |
//! | [`fault`] | what can be wrong, and where |

pub mod constants;
pub mod crc64;
pub mod cursor;
pub mod fault;
pub mod function;
pub mod header;
#[cfg(target_arch = "x86_64")]
mod leap;
pub mod lzf;
pub mod reader;
pub mod run;
pub mod skip;
pub mod stored;
pub mod string;

pub use constants::{Dialect, Opcode, TypeByte};
pub use cursor::{Cursor, SliceCursor, StreamCursor};
pub use fault::{Fault, FaultKind};
pub use header::Header;
pub(crate) use reader::ShortString;
pub use reader::{Item, KeyHead, Reader};
pub use run::Run;
pub use stored::{StoredValue, Stretch};
pub use string::RdbStr;
