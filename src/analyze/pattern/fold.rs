//! One key folded by itself: its segments, with what looks like an id replaced by `*`.

use super::classes::*;

/// Most segments a pattern can have before its tail.
pub(super) const MAX_SEGMENTS: usize = 8;
/// Longer segments are taken for values.
pub(super) const LONG_SEGMENT: usize = 40;
/// Hex digits that make an id, if one of them is a digit.
pub(super) const HEX_ID: usize = 8;
/// A folded segment: where its text lies in [`Folded::buffer`], without the separator that follows it there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Segment {
    pub(super) start: u16,
    pub(super) end: u16,
    /// `None` at the end of the key.
    pub(super) separator: Option<u8>,
    /// Whether it is only a `*`.
    pub(super) alone: bool,
    /// The joiner that vanished in this `*`.
    pub(super) joined: Option<u8>,
}

/// The fold of one key, in buffers used again.
#[derive(Clone, Debug)]
pub(super) struct Folded {
    /// Nine segments of at most 40 bytes, all escaped, with a separator take 729 bytes; then 64 for the scan.
    pub(super) buffer: Box<[u8; 1024]>,
    pub(super) len: usize,
    pub(super) segments: [Segment; MAX_SEGMENTS + 1],
    pub(super) count: usize,
}

impl Folded {
    pub(super) fn new() -> Self {
        Self { buffer: Box::new([0; 1024]), len: 0, segments: Default::default(), count: 0 }
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = (&[u8], Option<u8>)> {
        self.segments[..self.count]
            .iter()
            .map(|s| (&self.buffer[usize::from(s.start)..usize::from(s.end)], s.separator))
    }

    /// Folds `key`, looking at no more than `max_segments` of it. The last segment has no separator, all others do.
    #[inline]
    pub(super) fn fold(&mut self, key: &[u8], max_segments: usize, classes: &Classes) {
        self.len = 0;
        self.count = 0;
        let mut rest = key;
        while self.count < max_segments.min(MAX_SEGMENTS) {
            let Some(place) = self.buffer[self.len..].first_chunk_mut::<64>() else { break };
            let (mut all, mut len, mut end) = (0, 0, 0);
            for &byte in rest {
                let class = classes[usize::from(byte)];
                if class & SEPARATOR != 0 {
                    end = class;
                    break;
                }
                all |= class;
                // A long segment comes round, and is not kept.
                place[len & 63] = byte;
                len += 1;
            }
            let mut star = None;
            if all & (DIGIT | ODD) != 0 || len > LONG_SEGMENT {
                star = star_at(&rest[..len], all);
            }
            if len == 8 && end != 0 && all & !(DIGIT | HEX) == 0 && starts_with_uuid(rest, classes) {
                (len, star) = (36, Some(0));
            }
            let separator = rest.get(len).copied();
            let mut kept = star.unwrap_or(len);
            if all & GLOB != 0 {
                kept = self.escape(&rest[..kept], classes);
            }
            self.push(kept, star.is_some(), separator, classes);
            if separator.is_none() {
                return;
            }
            rest = &rest[len + 1..];
        }
        self.push(0, true, None, classes);
    }

    /// Puts `text` in the place of the next segment, with escapes.
    #[cold]
    pub(super) fn escape(&mut self, text: &[u8], classes: &Classes) -> usize {
        let mut at = self.len;
        for &byte in text {
            if classes[usize::from(byte)] & GLOB != 0 {
                self.buffer[at] = b'\\';
                at += 1;
            }
            self.buffer[at] = byte;
            at += 1;
        }
        at - self.len
    }

    /// Ends a segment of `kept` bytes, which lie in the buffer, and perhaps a `*`.
    #[inline]
    pub(super) fn push(&mut self, kept: usize, star: bool, separator: Option<u8>, classes: &Classes) {
        let alone = star && kept == 0;
        let mut joined = None;
        if alone
            && let Some(last) = self.count.checked_sub(1).map(|last| self.segments[last])
            && let Some(joiner) = last.separator
            && last.alone
            && classes[usize::from(joiner)] & JOINER != 0
            && last.joined.is_none_or(|before| before == joiner)
        {
            joined = Some(joiner);
            self.count -= 1;
            self.len = usize::from(last.start);
        }
        let mut end = self.len + kept;
        if star {
            self.buffer[end] = b'*';
            end += 1;
        }
        self.segments[self.count] = Segment { start: self.len as u16, end: end as u16, separator, alone, joined };
        self.count += 1;
        self.len = end;
        if let Some(separator) = separator {
            self.buffer[end] = separator;
            self.len += 1;
        }
    }
}

/// Where the `*` of a segment with the classes `all` begins, if it has one.
#[inline]
pub(super) fn star_at(segment: &[u8], all: u8) -> Option<usize> {
    let hex_id = all & !(DIGIT | HEX) == 0 && all & DIGIT != 0 && segment.len() >= HEX_ID;
    if all == DIGIT || hex_id || segment.len() > LONG_SEGMENT || all & ODD != 0 && is_binary(segment) {
        return Some(0);
    }
    segment.iter().position(u8::is_ascii_digit)
}

pub(super) fn is_binary(segment: &[u8]) -> bool {
    segment.iter().any(u8::is_ascii_control) || std::str::from_utf8(segment).is_err()
}

/// Whether `text` starts with a UUID that ends at a separator or at the end of the key. Its dashes are separators
/// elsewhere, and a group without a digit would be a name.
pub(super) fn starts_with_uuid(text: &[u8], classes: &Classes) -> bool {
    let Some(uuid) = text.get(..36) else { return false };
    uuid.iter().enumerate().all(|(i, byte)| match i {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    }) && text.get(36).is_none_or(|&next| classes[usize::from(next)] & SEPARATOR != 0)
}
