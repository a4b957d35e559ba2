//! The first line of a function library, which the servers check before anything else: `#!lua name=NAME`.

use super::fault::{FaultKind, Parse};
use super::{Fault, RdbStr};

/// Longest library that is looked at: the servers take what a string can hold.
const MAX_CODE_BYTES: u64 = 512 << 20;

/// The name of the library whose source is `code`; `at` is where it stands.
///
/// # Errors
/// If no server would take it: no first line as above, or a name with other bytes than letters, digits and `_`.
pub fn library_name<'s>(code: RdbStr<'s>, at: u64, scratch: &'s mut Vec<u8>) -> Parse<&'s [u8]> {
    let broken = |expected| Fault { at, kind: FaultKind::BadFunction { expected } };
    let code = code.bytes(scratch, MAX_CODE_BYTES)?;
    let line = code.strip_prefix(b"#!").ok_or_else(|| broken("`#!` at its start"))?;
    let end = memchr::memchr(b'\n', line).ok_or_else(|| broken("a line of code behind the first"))?;
    let mut words = line[..end].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.next().filter(|_| !line[0].is_ascii_whitespace()).ok_or_else(|| broken("an engine behind `#!`"))?;
    let name = words.next().and_then(|word| word.strip_prefix(b"name=")).ok_or_else(|| broken("`name=`"))?;
    if words.next().is_some() {
        return Err(broken("nothing behind the name"));
    }
    if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
        return Err(broken("a name of letters, digits and `_`"));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_a_server_takes() {
        let name = |code: &[u8]| {
            library_name(RdbStr::Raw(code), 7, &mut Vec::new()).map(<[u8]>::to_vec).map_err(|fault| fault.at)
        };
        assert_eq!(name(b"#!lua name=lib_1\nredis.register_function('f', f)").unwrap(), b"lib_1");
        let bad: [&[u8]; 8] = [
            b"",
            b"return 1",
            b"#!lua name=lib",
            b"#!\nname=lib\n",
            b"#!lua\n",
            b"#!lua name=\n",
            b"#!lua name=a-b\n",
            b"#!lua name=a more\n",
        ];
        for code in bad {
            assert_eq!(name(code), Err(7), "{}", code.escape_ascii());
        }
    }
}
