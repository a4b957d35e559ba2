//! What spans come to, in the order of the file.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::lock;
use crate::rdb::crc64;

/// What a span comes to, apart from the sums.
pub(super) struct Piece {
    pub(super) crc: u64,
    pub(super) bytes: u64,
    pub(super) rows: Vec<u8>,
}

/// Puts the spans' rows and checksums in the order of the file.
pub(super) struct Ordered<'o> {
    state: Mutex<OrderedState<'o>>,
    failed: AtomicBool,
}

pub(super) struct OrderedState<'o> {
    next: u64,
    waiting: BTreeMap<u64, Piece>,
    /// Of all pieces before the next.
    crc: u64,
    bytes: u64,
    out: Option<&'o mut (dyn Write + Send)>,
    /// Buffers of rows that have been written, to be used again.
    spare: Vec<Vec<u8>>,
    error: Option<io::Error>,
}

impl<'o> Ordered<'o> {
    pub(super) fn new(out: Option<&'o mut (dyn Write + Send)>) -> Ordered<'o> {
        let state =
            OrderedState { next: 0, waiting: BTreeMap::new(), crc: 0, bytes: 0, out, spare: Vec::new(), error: None };
        Ordered { state: Mutex::new(state), failed: AtomicBool::new(false) }
    }

    /// Takes in a piece, and gives the bytes of all pieces up to the first that is missing.
    pub(super) fn push(&self, number: u64, piece: Piece) -> u64 {
        let mut state = lock(&self.state);
        state.waiting.insert(number, piece);
        while let Some(mut piece) = {
            let next = state.next;
            state.waiting.remove(&next)
        } {
            state.next += 1;
            state.crc = crc64::combine(state.crc, piece.crc, piece.bytes);
            state.bytes += piece.bytes;
            if state.error.is_none()
                && !piece.rows.is_empty()
                && let Some(out) = &mut state.out
                && let Err(error) = out.write_all(&piece.rows)
            {
                state.error = Some(error);
                self.failed.store(true, Ordering::Relaxed);
            }
            if piece.rows.capacity() > 0 {
                piece.rows.clear();
                state.spare.push(piece.rows);
            }
        }
        state.bytes
    }

    /// Takes the rows from `rows`, which gets an empty buffer for the next.
    pub(super) fn take_rows(&self, rows: &mut Vec<u8>) -> Vec<u8> {
        if rows.is_empty() { Vec::new() } else { mem::replace(rows, lock(&self.state).spare.pop().unwrap_or_default()) }
    }

    pub(super) fn waiting(&self) -> usize {
        lock(&self.state).waiting.len()
    }

    pub(super) fn crc(&self) -> u64 {
        lock(&self.state).crc
    }

    /// Whether rows can no longer be written, so that going on is in vain.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    pub(super) fn into_error(self) -> Option<io::Error> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).error
    }
}
