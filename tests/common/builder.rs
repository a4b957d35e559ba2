//! A builder of dumps ([`Rdb`]). It writes what no server at hand writes any more, or never should: old versions, types of release
//! candidates, Enterprise opcodes, hostile names, broken values. It shares no code with the crate: lengths, packed
//! containers and module ids are encoded here from the format's description, and the checksum is that of the `crc64`
//! crate, which the program itself does not use.

/// Checksum of RDB files, by the independent crate.
pub fn crc(bytes: &[u8]) -> u64 {
    crc64::crc64(0, bytes)
}

/// Builds a dump, part by part.
#[derive(Clone, Debug)]
pub struct Rdb(pub Vec<u8>);

impl Rdb {
    /// Begins with magic and version: `REDIS0011`, `VALKEY080`.
    pub fn new(magic: &str) -> Rdb {
        assert_eq!(magic.len(), 9);
        Rdb(magic.as_bytes().to_vec())
    }

    pub fn raw(mut self, bytes: &[u8]) -> Rdb {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn len(self, n: u64) -> Rdb {
        self.raw(&length(n))
    }

    /// A string with its length.
    pub fn str(self, text: impl AsRef<[u8]>) -> Rdb {
        self.raw(&string(text.as_ref()))
    }

    /// A string, compressed with LZF.
    pub fn lzf(self, text: &[u8]) -> Rdb {
        let packed = lzf::compress(text).expect("compressible");
        self.raw(&[0xc3]).len(packed.len() as u64).len(text.len() as u64).raw(&packed)
    }

    pub fn aux(self, name: &str, value: &str) -> Rdb {
        self.raw(&[0xfa]).str(name).str(value)
    }

    pub fn select(self, db: u64) -> Rdb {
        self.raw(&[0xfe]).len(db)
    }

    pub fn resize(self, keys: u64, expires: u64) -> Rdb {
        self.raw(&[0xfb]).len(keys).len(expires)
    }

    /// For the next key, in seconds.
    pub fn expire_s(self, at: i32) -> Rdb {
        self.raw(&[0xfd]).raw(&at.to_le_bytes())
    }

    /// For the next key, in milliseconds.
    pub fn expire_ms(self, at: i64) -> Rdb {
        self.raw(&[0xfc]).raw(&at.to_le_bytes())
    }

    /// Type and name of a key; its value must follow.
    pub fn key(self, kind: u8, name: impl AsRef<[u8]>) -> Rdb {
        self.raw(&[kind]).str(name)
    }

    /// A string key.
    pub fn string(self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Rdb {
        self.key(0, name).str(value)
    }

    /// The end, with the checksum if the version has one.
    pub fn end(self) -> Vec<u8> {
        let crc = crc(&[&self.0[..], &[0xff]].concat());
        self.end_with(crc)
    }

    /// The end, with this checksum if the version has one.
    pub fn end_with(self, checksum: u64) -> Vec<u8> {
        let version: u32 = String::from_utf8_lossy(&self.0[5..9]).trim_start_matches('Y').parse().unwrap();
        let ended = self.raw(&[0xff]);
        if version >= 5 { ended.raw(&checksum.to_le_bytes()).0 } else { ended.0 }
    }
}

/// An RDB length in its shortest form.
pub fn length(n: u64) -> Vec<u8> {
    match n {
        0..64 => vec![n as u8],
        64..16384 => vec![0x40 | (n >> 8) as u8, n as u8],
        _ => match u32::try_from(n) {
            Ok(n) => [&[0x80][..], &n.to_be_bytes()].concat(),
            Err(_) => [&[0x81][..], &n.to_be_bytes()].concat(),
        },
    }
}

/// An RDB string, stored as it is.
pub fn string(text: &[u8]) -> Vec<u8> {
    [&length(text.len() as u64)[..], text].concat()
}

/// An entry of a packed container.
#[derive(Clone, Debug)]
pub enum Entry {
    S(Vec<u8>),
    I(i64),
}

pub fn s(text: impl AsRef<[u8]>) -> Entry {
    Entry::S(text.as_ref().to_vec())
}

pub fn i(n: i64) -> Entry {
    Entry::I(n)
}

/// A ziplist; integers get the codes of RDB 6 and later.
pub fn ziplist(entries: &[Entry]) -> Vec<u8> {
    let mut body = Vec::new();
    let (mut last, mut previous) = (10, 0usize);
    for entry in entries {
        let start = body.len();
        last = 10 + start;
        if previous < 254 {
            body.push(previous as u8);
        } else {
            body.push(254);
            body.extend((previous as u32).to_le_bytes());
        }
        match entry {
            Entry::S(text) if text.len() < 64 => body.push(text.len() as u8),
            Entry::S(text) if text.len() < 16384 => body.extend([0x40 | (text.len() >> 8) as u8, text.len() as u8]),
            Entry::S(text) => {
                body.push(0x80);
                body.extend((text.len() as u32).to_be_bytes());
            }
            Entry::I(n @ 0..=12) => body.push(0xf1 + *n as u8),
            Entry::I(n) => match (i8::try_from(*n), i16::try_from(*n), i32::try_from(*n)) {
                (Ok(n), _, _) => body.extend([0xfe, n as u8]),
                (_, Ok(n), _) => body.extend([&[0xc0][..], &n.to_le_bytes()].concat()),
                (_, _, Ok(n)) if (-(1 << 23)..1 << 23).contains(&n) => {
                    body.push(0xf0);
                    body.extend(&n.to_le_bytes()[..3]);
                }
                (_, _, Ok(n)) => body.extend([&[0xd0][..], &n.to_le_bytes()].concat()),
                _ => body.extend([&[0xe0][..], &n.to_le_bytes()].concat()),
            },
        }
        if let Entry::S(text) = entry {
            body.extend(text);
        }
        previous = body.len() - start;
    }
    let total = 10 + body.len() + 1;
    let count = u16::try_from(entries.len()).unwrap_or(u16::MAX);
    [&(total as u32).to_le_bytes()[..], &(last as u32).to_le_bytes(), &count.to_le_bytes(), &body, &[0xff]].concat()
}

/// A listpack.
pub fn listpack(entries: &[Entry]) -> Vec<u8> {
    let mut body = Vec::new();
    for entry in entries {
        let start = body.len();
        match entry {
            Entry::S(text) if text.len() < 64 => body.push(0x80 | text.len() as u8),
            Entry::S(text) if text.len() < 4096 => body.extend([0xe0 | (text.len() >> 8) as u8, text.len() as u8]),
            Entry::S(text) => {
                body.push(0xf0);
                body.extend((text.len() as u32).to_le_bytes());
            }
            Entry::I(n @ 0..=127) => body.push(*n as u8),
            Entry::I(n @ -4096..=4095) => body.extend([0xc0 | (*n >> 8) as u8 & 0x1f, *n as u8]),
            Entry::I(n) => match (i16::try_from(*n), i32::try_from(*n)) {
                (Ok(n), _) => body.extend([&[0xf1][..], &n.to_le_bytes()].concat()),
                (_, Ok(n)) if (-(1 << 23)..1 << 23).contains(&n) => {
                    body.push(0xf2);
                    body.extend(&n.to_le_bytes()[..3]);
                }
                (_, Ok(n)) => body.extend([&[0xf3][..], &n.to_le_bytes()].concat()),
                _ => body.extend([&[0xf4][..], &n.to_le_bytes()].concat()),
            },
        }
        if let Entry::S(text) = entry {
            body.extend(text);
        }
        let size = body.len() - start;
        // The entry's size, seven bits a byte, so that it can be read backwards.
        let bytes = if size <= 127 {
            1
        } else if size < 16383 {
            2
        } else {
            3
        };
        for byte in (0..bytes).rev() {
            let more = if byte + 1 == bytes { 0 } else { 0x80 };
            body.push((size >> (7 * byte)) as u8 & 0x7f | more);
        }
    }
    let count = u16::try_from(entries.len()).unwrap_or(u16::MAX);
    [&(6 + body.len() as u32 + 1).to_le_bytes()[..], &count.to_le_bytes(), &body, &[0xff]].concat()
}

/// An intset of 16-bit integers.
pub fn intset(numbers: &[i16]) -> Vec<u8> {
    let numbers_bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    [&2u32.to_le_bytes()[..], &(numbers.len() as u32).to_le_bytes(), &numbers_bytes].concat()
}

/// A zipmap; each value is followed by `free` unused bytes.
pub fn zipmap(fields: &[(&[u8], &[u8])], free: u8) -> Vec<u8> {
    let len = |n: usize| if n < 254 { vec![n as u8] } else { [&[254][..], &(n as u32).to_le_bytes()].concat() };
    let mut blob = vec![fields.len().min(254) as u8];
    for (name, value) in fields {
        blob.extend([&len(name.len())[..], name, &len(value.len()), &[free], value].concat());
        blob.extend(vec![b'.'; usize::from(free)]);
    }
    blob.push(0xff);
    blob
}

/// The 64-bit id of a module's type.
pub fn module_id(name: &str, version: u64) -> u64 {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    assert_eq!(name.len(), 9);
    let digits = name.bytes().map(|c| alphabet.iter().position(|a| *a == c).expect("letter of a module name") as u64);
    digits.fold(0, |id, digit| id << 6 | digit) << 10 | version
}
