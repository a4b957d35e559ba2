//! Key names as text. A name is any bytes, and hostile until shown otherwise.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use wide::u8x16;

/// How bytes become text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Escape {
    /// UTF-8 as it is; control characters and invalid bytes as \xHH, a backslash doubled.
    #[default]
    Utf8,
    /// Printable ASCII as it is; everything else as \xHH, a backslash doubled.
    Ascii,
    /// The bytes themselves.
    Raw,
    /// Base64.
    Base64,
}

impl Escape {
    /// Appends `bytes` as text to `out`.
    pub fn append(self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Escape::Raw => out.extend_from_slice(bytes),
            Escape::Base64 => {
                let start = out.len();
                out.resize(start + bytes.len().div_ceil(3) * 4, 0);
                // The buffer has the length that the encoding needs.
                let _ = BASE64_STANDARD.encode_slice(bytes, &mut out[start..]);
            }
            // Most names are plain: those need no second look.
            _ if is_plain(bytes) => out.extend_from_slice(bytes),
            Escape::Ascii => bytes.iter().for_each(|byte| append_byte(*byte, out)),
            Escape::Utf8 => {
                for chunk in bytes.utf8_chunks() {
                    for character in chunk.valid().chars() {
                        if character.is_ascii() {
                            append_byte(character as u8, out);
                        } else if is_shown(character) {
                            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                        } else {
                            character.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| append_hex(byte, out));
                        }
                    }
                    chunk.invalid().iter().for_each(|byte| append_hex(*byte, out));
                }
            }
        }
    }

    /// `bytes` as text. Raw bytes that are no UTF-8 become replacement characters.
    pub fn text(self, bytes: &[u8]) -> String {
        let mut out = Vec::with_capacity(bytes.len());
        self.append(bytes, &mut out);
        String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
    }
}

/// The bytes that [`Escape::Utf8`] made a text of; none if it made no such text.
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('\\');
    bytes.extend_from_slice(parts.next()?.as_bytes());
    while let Some(part) = parts.next() {
        let rest = if part.is_empty() {
            bytes.push(b'\\');
            parts.next()?
        } else {
            let digits =
                part.strip_prefix('x')?.get(..2).filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            &part[3..]
        };
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(bytes)
}

/// Names in stored summaries: as text, from which the bytes come back. For `serde(with)`.
pub mod name {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use super::{Escape, unescape};

    /// Writes the name as text.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(name: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        Escape::Utf8.text(name).serialize(serializer)
    }

    /// Reads it again.
    ///
    /// # Errors
    /// If it is no such text.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<[u8]>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = unescape(&text).ok_or_else(|| de::Error::custom(format!("`{text}` is no escaped name")))?;
        Ok(bytes.into())
    }
}

/// Whether all bytes are printable ASCII and no backslash.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<16>() else {
        return bytes.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'\\');
    };
    let all_plain = |bytes: &[u8; 16]| {
        let v = u8x16::new(*bytes);
        ((v - u8x16::splat(b' ')).simd_le(u8x16::splat(b'~' - b' ')) & !v.simd_eq(u8x16::splat(b'\\'))).all()
    };
    // The last sixteen bytes have the rest, and some once more.
    bytes.as_chunks().0.iter().all(all_plain) && all_plain(last)
}

/// A glob as text: as UTF-8, but with its backslashes as they are, since they are the glob's own.
pub fn glob_text(glob: &[u8]) -> String {
    let parts: Vec<String> = glob.split(|byte| *byte == b'\\').map(|part| Escape::Utf8.text(part)).collect();
    parts.join("\\")
}

/// Whether a character outside ASCII can be shown: no control character, and none that turns the direction of text or
/// cannot be seen, with which a name could pass for another.
fn is_shown(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn append_byte(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'\\' => out.extend_from_slice(b"\\\\"),
        b' '..=b'~' => out.push(byte),
        _ => append_hex(byte, out),
    }
}

fn append_hex(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(&[b'\\', b'x', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_text() {
        let utf8 = |bytes: &[u8]| Escape::Utf8.text(bytes);
        assert_eq!(utf8(b"user:1"), "user:1");
        assert_eq!(utf8("größe".as_bytes()), "größe");
        assert_eq!(utf8(b"a\nb\x1b[31m\x00"), "a\\x0ab\\x1b[31m\\x00");
        assert_eq!(utf8(b"\xff\xc3("), "\\xff\\xc3(");
        assert_eq!(utf8(b"a\\x"), "a\\\\x");
        assert_eq!(utf8("a\u{202e}b".as_bytes()), "a\\xe2\\x80\\xaeb");
        assert_eq!(glob_text(b"user:*:a\\*b"), "user:*:a\\*b");
        assert_eq!(Escape::Ascii.text("ö".as_bytes()), "\\xc3\\xb6");
        assert_eq!(Escape::Base64.text(b"\x00\xff"), "AP8=");
        for name in [&b"user:1"[..], b"", b"\\", b"a\\xff\xff\n", "gr\u{202e}ö\\\\".as_bytes()] {
            assert_eq!(unescape(&utf8(name)).as_deref(), Some(name));
        }
        for text in ["\\", "\\x0", "\\xg0", "\\n", "a\\x\u{e9}", "\\x+1"] {
            assert_eq!(unescape(text), None, "{text}");
        }
    }
}
