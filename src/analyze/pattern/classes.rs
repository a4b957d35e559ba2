//! Classes of the bytes of a name.

/// Separators, each of which ends a segment and belongs to it.
pub(super) const SEPARATORS: &[u8] = b":/.|,;_-@#={}";
/// Separators that join parts of one value: between two `*` they vanish, as in a date or an IP address. The others
/// are levels of a name, where `a:*` and `a:*:*` are different things.
pub(super) const JOINERS: &[u8] = b"/.,;_-@#=";

// Classes of bytes; those of a segment are or-ed.
pub(super) const DIGIT: u8 = 1;
pub(super) const HEX: u8 = 1 << 1;
pub(super) const PLAIN: u8 = 1 << 2;
pub(super) const GLOB: u8 = 1 << 3;
/// Not printable ASCII.
pub(super) const ODD: u8 = 1 << 4;
pub(super) const SEPARATOR: u8 = 1 << 5;
pub(super) const JOINER: u8 = 1 << 6;

/// The classes of all bytes.
pub(super) type Classes = [u8; 256];

/// Those bytes that are no separators but would be joiners are plain.
pub(super) const fn classes(separators: &[u8], joiners: &[u8]) -> Classes {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' | b'A'..=b'F' => HEX,
            b'*' | b'?' | b'[' | b'\\' => GLOB,
            0x20..0x7f => PLAIN,
            _ => ODD,
        };
        byte += 1;
    }
    let mut i = 0;
    while i < separators.len() {
        table[separators[i] as usize] = SEPARATOR;
        i += 1;
    }
    let mut i = 0;
    while i < joiners.len() {
        if table[joiners[i] as usize] == SEPARATOR {
            table[joiners[i] as usize] |= JOINER;
        }
        i += 1;
    }
    table
}
