//! LZF decompression into a buffer of the caller's.
//!
//! The `lzf` crate allocates its output at every call; a dump holds millions of small compressed blobs, and here one
//! buffer serves them all. The crate is the oracle in the tests.

use super::fault::FaultKind;

/// Most output bytes per input byte that LZF can reach (264 bytes from a 3-byte copy).
pub const MAX_EXPANSION: u64 = 88;

/// Refuses a claim of an unpacked length that no input of `packed` bytes can reach.
pub fn check_claim(packed: u64, unpacked: u64) -> Result<(), FaultKind> {
    if packed == 0 || unpacked == 0 || unpacked > packed.saturating_mul(MAX_EXPANSION) {
        return Err(FaultKind::LzfClaim { packed, unpacked });
    }
    Ok(())
}

/// Longest literal run.
const MAX_RUN: usize = 32;
/// Longest copy.
const MAX_COPY: usize = 264;
/// Bytes copied at a time.
const STEP: usize = 32;

/// With so much room behind what is to be unpacked, unpacking is fastest.
pub const ROOM_BYTES: usize = MAX_COPY + STEP;

/// Unpacks `input` so that it fills the first `len` bytes of `output` exactly. What lies behind may be written over, too.
///
/// # Errors
/// Gives the offset inside `input` of the first instruction that cannot be followed.
pub fn inflate(input: &[u8], output: &mut [u8], len: usize) -> Result<(), usize> {
    // Where there is room, a run may reach behind `len` and be noticed later: the fault must not depend on that.
    follow(input, output, len).map_err(|at| verify(input, len as u64).err().unwrap_or(at))
}

fn follow(input: &[u8], output: &mut [u8], len: usize) -> Result<(), usize> {
    let (mut from, mut to) = (0, 0);
    // Where no instruction can reach either end: in steps of fixed size, which write over some bytes that come later.
    if let Some(roomy) = output.get_mut(..len.saturating_add(ROOM_BYTES)) {
        while to < len
            && let Some(window) = input.get(from..).and_then(|rest| rest.first_chunk::<{ 1 + MAX_RUN }>())
        {
            let control = usize::from(window[0]);
            if control < MAX_RUN {
                roomy[to..to + MAX_RUN].copy_from_slice(&window[1..]);
                from += control + 2;
                to += control + 1;
                continue;
            }
            // The length byte, if there is one, comes before the low byte of the distance. No branch: it would be guessed.
            let is_long = usize::from(control >= 7 << 5);
            let copied = (control >> 5) + 2 + is_long * usize::from(window[1]);
            let distance = ((control & 0x1f) << 8 | usize::from(window[1 + is_long])) + 1;
            let Some(start) = to.checked_sub(distance) else { return Err(from) };
            if distance >= STEP {
                roomy.copy_within(start..start + STEP, to);
                let mut done = STEP;
                while done < copied {
                    roomy.copy_within(start + done..start + done + STEP, to + done);
                    done += STEP;
                }
            } else {
                copy_within(roomy, start, to, copied);
            }
            from += 2 + is_long;
            to += copied;
        }
    }
    match output.get_mut(..len) {
        Some(output) if to <= len => inflate_end(input, output, from, to),
        _ => Err(from),
    }
}

/// Whether `input` unpacks to exactly `len` bytes, found out without unpacking it.
///
/// # Errors
/// As [`inflate`].
pub fn verify(input: &[u8], len: u64) -> Result<(), usize> {
    let (mut from, mut to) = (0, 0u64);
    while let Some(&control) = input.get(from) {
        let at = from;
        let control = usize::from(control);
        let (read, written) = match control >> 5 {
            0 => (control + 2, control + 1),
            7 => (3, usize::from(*input.get(from + 1).ok_or(at)?) + 9),
            short => (2, short + 2),
        };
        let instruction = input.get(from..from + read).ok_or(at)?;
        if control >> 5 != 0 {
            let low = u64::from(instruction[read - 1]);
            if ((control as u64 & 0x1f) << 8 | low) >= to {
                return Err(at);
            }
        }
        from += read;
        to += written as u64;
        if to > len {
            return Err(at);
        }
    }
    if to == len { Ok(()) } else { Err(input.len()) }
}

/// Goes on where the end of `input` or `output` is near.
fn inflate_end(input: &[u8], output: &mut [u8], mut from: usize, mut to: usize) -> Result<(), usize> {
    while let Some(&control) = input.get(from) {
        let at = from;
        from += 1;
        if control < 0x20 {
            let len = usize::from(control) + 1;
            let (Some(run), Some(place)) = (input.get(from..from + len), output.get_mut(to..to + len)) else {
                return Err(at);
            };
            place.copy_from_slice(run);
            from += len;
            to += len;
            continue;
        }
        let mut len = usize::from(control >> 5) + 2;
        if len == 9 {
            len += usize::from(*input.get(from).ok_or(at)?);
            from += 1;
        }
        let low = *input.get(from).ok_or(at)?;
        from += 1;
        let distance = distance(control, low);
        if distance > to || len > output.len() - to {
            return Err(at);
        }
        copy_within(output, to - distance, to, len);
        to += len;
    }
    if to == output.len() { Ok(()) } else { Err(input.len()) }
}

/// Unpacks as much of `input` as fits into `output`, or as there is and is in order. Says how many bytes that is.
pub fn inflate_start(input: &[u8], output: &mut [u8]) -> usize {
    let (mut rest, mut to) = (input, 0);
    while let Some((&control, after)) = rest.split_first() {
        let room = output.len() - to;
        match (control, after) {
            (0..0x20, run) => {
                let len = usize::from(control) + 1;
                let there = len.min(run.len()).min(room);
                output[to..to + there].copy_from_slice(&run[..there]);
                to += there;
                rest = run.get(len..).unwrap_or_default();
            }
            (0xe0.., &[more, low, ref after @ ..]) => {
                let Some(from) = to.checked_sub(distance(control, low)) else { break };
                let len = (usize::from(more) + 9).min(room);
                copy_within(output, from, to, len);
                to += len;
                rest = after;
            }
            (0x20..0xe0, &[low, ref after @ ..]) => {
                let Some(from) = to.checked_sub(distance(control, low)) else { break };
                let len = (usize::from(control >> 5) + 2).min(room);
                copy_within(output, from, to, len);
                to += len;
                rest = after;
            }
            _ => break,
        }
        if to == output.len() {
            break;
        }
    }
    to
}

/// How far back a copy begins.
fn distance(control: u8, low: u8) -> usize {
    (usize::from(control & 0x1f) << 8 | usize::from(low)) + 1
}

/// Copies `len` bytes forward inside `bytes`; the ranges may overlap, then the pattern repeats.
fn copy_within(bytes: &mut [u8], from: usize, to: usize, len: usize) {
    let mut done = 0;
    while done < len {
        // What lies between the two places repeats, so each round can copy all of it, twice as much as the last.
        let step = (to + done - from).min(len - done);
        bytes.copy_within(from..from + step, to + done);
        done += step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(input: &[u8], len: usize) -> Result<Vec<u8>, usize> {
        let mut output = vec![0; len];
        let unpacked = inflate(input, &mut output, len);
        // The same with room behind, and without unpacking.
        let mut roomy = vec![0; len + ROOM_BYTES];
        assert_eq!(inflate(input, &mut roomy, len), unpacked);
        assert_eq!(verify(input, len as u64), unpacked);
        unpacked?;
        assert_eq!(roomy[..len], output);
        Ok(output)
    }

    #[test]
    fn follows_each_instruction() {
        assert_eq!(unpack(&[0x02, b'a', b'b', b'c'], 3).unwrap(), b"abc"); // literal run of 3
        assert_eq!(unpack(&[0x00, b'a', 0x20, 0x00], 4).unwrap(), b"aaaa"); // copy 3 from 1 back
        assert_eq!(unpack(&[0x01, b'a', b'b', 0x60, 0x01], 7).unwrap(), b"abababa"); // copy 5 from 2 back
        assert_eq!(unpack(&[0x01, b'a', b'a', 0xe0, 0x0a, 0x00], 21).unwrap(), [b'a'; 21]); // long copy
    }

    #[test]
    fn refuses_what_does_not_fit() {
        assert_eq!(unpack(&[0x02, b'a'], 3), Err(0)); // literal run past the input
        assert_eq!(unpack(&[0x00, b'a', 0x20], 4), Err(2)); // distance byte missing
        assert_eq!(unpack(&[0x00, b'a', 0xe0, 0x00], 12), Err(2)); // ditto in a long copy
        assert_eq!(unpack(&[0x00, b'a', 0x20, 0x01], 4), Err(2)); // before the start
        assert_eq!(unpack(&[0x00, b'a', 0x20, 0x00], 3), Err(2)); // more than claimed
        assert_eq!(unpack(&[0x00, b'a'], 2), Err(2)); // less than claimed
        // A run longer than claimed, which has room and is followed by more: found by fuzzing, the fault was at 17 then.
        assert_eq!(unpack(&[&[0x00, b'a', 0x0d][..], &[0xff; 40]].concat(), 3), Err(2));
    }

    /// Instructions at random, most of them in order: with room behind or not, unpacking and verifying agree, also on where the
    /// fault is.
    #[test]
    fn any_input_is_unpacked_or_refused_in_one_way() {
        let mut seed = 3u32;
        let mut random = |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % below
        };
        let (mut unpacked, mut refused) = (0, 0);
        for _ in 0..30_000 {
            let (mut input, mut len) = (Vec::new(), 0);
            for _ in 0..1 + random(30) {
                // A copy may begin before the start, with little chance.
                let reach = if random(40) == 0 { len as u32 + 9 } else { (len as u32).max(1) };
                let distance = random(reach);
                match random(3) {
                    0 => {
                        let run = random(32);
                        input.push(run as u8);
                        input.extend((0..=run).map(|_| random(256) as u8));
                        len += run as usize + 1;
                    }
                    1 => {
                        let copied = 1 + random(6);
                        input.extend([(copied << 5 | distance >> 8 & 0x1f) as u8, distance as u8]);
                        len += copied as usize + 2;
                    }
                    _ => {
                        let more = random(256);
                        input.extend([(7 << 5 | distance >> 8 & 0x1f) as u8, more as u8, distance as u8]);
                        len += more as usize + 9;
                    }
                }
            }
            input.truncate(input.len() - random(3) as usize / 2);
            match unpack(&input, len + random(2) as usize) {
                Ok(_) => unpacked += 1,
                Err(_) => refused += 1,
            }
        }
        assert!(unpacked > 1000 && refused > 1000, "{unpacked} unpacked, {refused} refused");
    }

    #[test]
    fn the_start_of_what_is_broken_is_what_is_in_order() {
        for (input, there) in [(&[0x02, b'a'][..], 1), (&[0x00, b'a', 0x20, 0x01], 1), (&[0x00, b'a', 0xe0, 0x00], 1)] {
            assert_eq!(inflate_start(input, &mut [0; 9]), there);
        }
        assert_eq!(inflate_start(&[0x00, b'a', 0xe0, 0xff, 0x00], &mut [0; 9]), 9);
    }

    #[test]
    fn agrees_with_the_lzf_crate() {
        let mut seed = 7u32;
        for round in 0..400usize {
            let alphabet = 1 + round as u32 % 7;
            let data: Vec<u8> = (0..20 + round * 13)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    b'a' + ((seed >> 24) % alphabet) as u8
                })
                .collect();
            if let Ok(packed) = lzf::compress(&data) {
                assert_eq!(unpack(&packed, data.len()).unwrap(), data);
                assert_eq!(lzf::decompress(&packed, data.len()).unwrap(), data);
                // The start of it, also from the start of the packed form, and with more room than there is.
                for len in [0, 1, data.len() / 2, data.len(), data.len() + 9] {
                    let mut start = vec![0; len];
                    let there = inflate_start(&packed, &mut start);
                    assert_eq!(start[..there], data[..len.min(data.len())]);
                    let there = inflate_start(&packed[..packed.len() / 2], &mut start);
                    assert_eq!(start[..there], data[..there]);
                }
            }
        }
    }
}
