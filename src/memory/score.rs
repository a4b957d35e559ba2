//! The text that a sorted set's score has in a packed container.

use crate::rdb::string::{POWERS_OF_TEN, decimal_len};

/// Length of the packed text of a score, and the integer it is packed as if it is one.
///
/// Servers from 7.2 on write the shortest text that reads back as the same number (`fpconv_dtoa`); older ones 17
/// significant digits (`%.17g`). Both write whole numbers below 2^52 as integers.
pub(super) fn packed_form(score: f64, shortest: bool) -> (u64, Option<i64>) {
    const WHOLE: f64 = (1u64 << 52) as f64;
    if score == score.trunc() && score.abs() < WHOLE && !(score == 0.0 && score.is_sign_negative()) {
        return (decimal_len(score as i64), Some(score as i64));
    }
    if score.is_infinite() {
        return (if score > 0.0 { 3 } else { 4 }, None);
    }
    let len = match shortest {
        true => decimals_len(score).unwrap_or_else(|| shortest_len(score)),
        false => printf_len(score),
    };
    (len, None)
}

/// Length of the shortest text of a score of few decimals, as most are that are no whole numbers: money, seconds.
///
/// A number of at most 15 digits is the only such one for its double, so that it is the shortest if it reads back as it.
fn decimals_len(score: f64) -> Option<u64> {
    const FIFTEEN_DIGITS: f64 = 1e15;
    let size = score.abs();
    // Below, leading zeros may make it shorter with an exponent.
    if size < 0.001 {
        return None;
    }
    let mut power = 1.0;
    for decimals in 1..=6 {
        power *= 10.0;
        let digits = (size * power).round();
        if digits < FIFTEEN_DIGITS && digits / power == size {
            let whole = decimal_len(size as i64);
            return Some(u64::from(score < 0.0) + whole + 1 + decimals);
        }
    }
    None
}

/// Digits without trailing zeros, and the decimal exponent of the first.
fn digits(text: &str) -> (usize, i32) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let mantissa = mantissa.trim_end_matches('0');
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    (digits.max(1), exponent.parse().unwrap_or(0))
}

/// Of 17 significant digits, how many there are without trailing zeros, and the decimal exponent of the first; of the sizes
/// that most scores have.
fn seventeen_digits(size: f64) -> Option<(usize, i32)> {
    const STEPS: [f64; 3] = [1.0, 0.1, 0.01]; // the doubles next below are below the true fractions, too
    if !(0.001..1e15).contains(&size) {
        return None;
    }
    let exponent = match STEPS.iter().position(|step| size >= *step) {
        Some(0) => decimal_len(size as i64) as i32 - 1,
        below => -(below.unwrap_or(STEPS.len()) as i32),
    };
    // A double is a whole number of 53 bits over a power of two. Both it and the power of ten fit: 53 and 64 bits.
    let bits = size.to_bits();
    let whole = u128::from(bits & ((1 << 52) - 1) | 1 << 52) * u128::from(POWERS_OF_TEN[(16 - exponent) as usize]);
    let shift = 1075 - (bits >> 52);
    // To the nearest, and of two to the even one; as a sum, since which way it goes is anybody's guess.
    let odd = whole >> shift & 1;
    let rounded = (whole + (1 << (shift - 1)) - 1 + odd) >> shift;
    let mut rounded = u64::try_from(rounded).ok().filter(|rounded| *rounded < 100_000_000_000_000_000)?;
    let mut digits = 17;
    while rounded.is_multiple_of(10) && digits > 1 {
        rounded /= 10;
        digits -= 1;
    }
    Some((digits, exponent))
}

/// Length of `%.17g`.
fn printf_len(score: f64) -> u64 {
    let size = score.abs();
    let (digits, exponent) = seventeen_digits(size).unwrap_or_else(|| digits(&format!("{size:.16e}")));
    let sign = usize::from(score.is_sign_negative());
    let body = match exponent {
        -4..=-1 => 1 + 1 + (-exponent - 1) as usize + digits,
        0..17 => {
            let whole = exponent as usize + 1;
            if digits > whole { digits + 1 } else { whole }
        }
        _ => digits + usize::from(digits > 1) + 2 + exponent_digits(exponent).max(2),
    };
    (sign + body) as u64
}

/// Length of the shortest text, laid out as `fpconv.c:emit_digits` does.
fn shortest_len(score: f64) -> u64 {
    let (digits, exponent) = digits(&format!("{:e}", score.abs()));
    let sign = usize::from(score.is_sign_negative());
    // `k` of fpconv: the exponent of the last digit.
    let k = exponent - (digits as i32 - 1);
    let body = if k >= 0 && exponent < digits as i32 + 7 {
        digits + k as usize
    } else if k < 0 && (k > -7 || exponent.abs() < 4) {
        if exponent >= 0 { digits + 1 } else { digits + 2 + (-exponent - 1) as usize }
    } else {
        digits + usize::from(digits > 1) + 2 + exponent_digits(exponent)
    };
    (sign + body) as u64
}

fn exponent_digits(exponent: i32) -> usize {
    exponent.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_servers_texts() {
        assert_eq!(packed_form(3.0, true), (1, Some(3)));
        assert_eq!(packed_form(-12.0, false), (3, Some(-12)));
        assert_eq!(packed_form(1.5, false).0, "1.5".len() as u64);
        assert_eq!(packed_form(1.5, true).0, "1.5".len() as u64);
        assert_eq!(packed_form(0.1, false).0, "0.10000000000000001".len() as u64);
        assert_eq!(packed_form(0.1, true).0, "0.1".len() as u64);
        assert_eq!(packed_form(1e300, false).0, "1.0000000000000001e+300".len() as u64);
        assert_eq!(packed_form(1e300, true).0, "1e+300".len() as u64);
        assert_eq!(packed_form(f64::NEG_INFINITY, true), (4, None));
    }

    #[test]
    fn seventeen_digits_are_those_that_are_printed() {
        let mut printed = 0;
        let mut check = |size: f64| {
            if let Some(found) = seventeen_digits(size) {
                assert_eq!(found, digits(&format!("{size:.16e}")), "{size:e}");
                printed += 1;
            }
        };
        for power in -5..17 {
            let power = 10f64.powi(power);
            [power, power.next_down(), power.next_up(), power * 5.5, power / 8.0].into_iter().for_each(&mut check);
        }
        for n in 1..100_000u64 {
            let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (n % 50);
            for divisor in [1.0, 2.0, 100.0, 1024.0, 12_345.0, 1e6, 1e9] {
                check(n as f64 / divisor);
            }
        }
        assert!(printed > 200_000, "{printed}");
    }

    #[test]
    fn few_decimals_are_as_long_as_the_shortest_text() {
        let mut few = 0;
        for n in 1..200_000u64 {
            let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (n % 50);
            for divisor in [2.0, 8.0, 10.0, 100.0, 1000.0, 12_345.0, 1e6, 1e7, 1e9] {
                let score = n as f64 / divisor * if n % 3 == 0 { -1.0 } else { 1.0 };
                if score == score.trunc() {
                    continue;
                }
                if let Some(len) = decimals_len(score) {
                    assert_eq!(len, shortest_len(score), "{score}");
                    few += 1;
                }
            }
        }
        assert!(few > 100_000, "{few}");
    }
}
