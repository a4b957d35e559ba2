//! Figures as people read them: the only place that rounds or formats.

use jiff::Timestamp;

/// Bytes in binary units with about three digits: `0 B`, `1023 B`, `1.50 KiB`, `96.0 MiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = if value < 9.995 { 2 } else { 1 };
    format!("{value:.digits$} {}", UNITS[unit])
}

/// A number with its thousands set apart: `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun: `1 key`, `1,200 keys`.
pub fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A share as per cent with one digit: `12.3 %`; a small share is not shown as none, nor a part as the whole.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0 %".to_owned();
    }
    let share = part as f64 / whole as f64 * 100.0;
    match share {
        _ if part == 0 => "0 %".to_owned(),
        _ if share < 0.05 => "< 0.1 %".to_owned(),
        _ if part < whole && share >= 99.95 => "> 99.9 %".to_owned(),
        _ => format!("{share:.1} %"),
    }
}

/// A change of bytes with its sign: `+1.50 KiB`, `-3 B`, `0 B`.
pub fn signed_bytes(change: i64) -> String {
    signed(change, bytes)
}

/// A change of a number with its sign: `+1,234`.
pub fn signed_count(change: i64) -> String {
    signed(change, count)
}

fn signed(change: i64, text: fn(u64) -> String) -> String {
    let sign = match change {
        1.. => "+",
        0 => "",
        ..0 => "-",
    };
    format!("{sign}{}", text(change.unsigned_abs()))
}

/// A change in thousandths as per cent with its sign, or as a multiple where it is more than tenfold: `+12.3 %`, `x 12.3`.
pub fn signed_per_mille(change: i64) -> String {
    match change {
        10_000.. => format!("x {:.1}", change as f64 / 1000.0 + 1.0),
        0 => "0 %".to_owned(),
        _ => format!("{:+.1} %", change as f64 / 10.0),
    }
}

/// A ratio with two digits: `1.32x`.
pub fn ratio(value: f64) -> String {
    format!("{value:.2}x")
}

/// A time in RFC 3339, UTC, with milliseconds: `2026-01-01T00:00:00.000Z`. A time outside of years 0 to 9999 is given as its
/// milliseconds since 1970.
pub fn rfc3339_ms(ms: i64) -> String {
    let mut text = Vec::new();
    append_rfc3339_ms(ms, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Appends [`rfc3339_ms`] to `out`. Rows have such a time for every key that expires, so those since 1970 are worked out
/// here, some times faster than `jiff` does it for any time.
pub fn append_rfc3339_ms(ms: i64, out: &mut Vec<u8>) {
    match u64::try_from(ms) {
        Ok(ms) if ms < YEAR_10000_MS => out.extend_from_slice(&rfc3339_since_1970(ms)),
        _ => match Timestamp::from_millisecond(ms) {
            Ok(time) if ms >= YEAR_0_MS => out.extend_from_slice(format!("{time:.3}").as_bytes()),
            _ => out.extend_from_slice(itoa::Buffer::new().format(ms).as_bytes()),
        },
    }
}

/// The first milliseconds of years 0 and 10000.
const YEAR_0_MS: i64 = -62_167_219_200_000;
const YEAR_10000_MS: u64 = 253_402_300_800_000;

fn rfc3339_since_1970(ms: u64) -> [u8; 24] {
    const DAY_MS: u64 = 86_400_000;
    // The civil calendar in years that begin in March, so that leap days come last, and eras of 400 years, which are all
    // of one length.
    let days = ms / DAY_MS + 719_468; // since 1 March of year 0
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153; // 0 is March
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = 400 * era + year_of_era + u64::from(month <= 2);
    let of_day = ms % DAY_MS;

    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut put = |at: usize, number: u64| {
        text[at] += (number / 10) as u8;
        text[at + 1] += (number % 10) as u8;
    };
    put(0, year / 100);
    put(2, year % 100);
    put(5, month);
    put(8, day);
    put(11, of_day / 3_600_000);
    put(14, of_day / 60_000 % 60);
    put(17, of_day / 1000 % 60);
    put(20, of_day % 1000 / 10);
    text[22] += (of_day % 10) as u8;
    text
}

/// A time to the second, in words that a person reads: `2026-01-01 00:00:00 UTC`.
pub fn time_seconds(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) => format!("{time:.0}").replace('T', " ").replace('Z', " UTC"),
        Err(_) => format!("{seconds} s since 1970"),
    }
}

/// A length of time in its two largest units: `3 d 4 h`, `2 min 5 s`, `850 ms`.
pub fn duration_ms(ms: u64) -> String {
    const UNITS: [(u64, &str); 5] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms")];
    let Some(largest) = UNITS.iter().position(|(unit, _)| ms >= *unit) else {
        return "0 s".to_owned();
    };
    let (unit, name) = UNITS[largest];
    let mut text = format!("{} {name}", ms / unit);
    if let Some((next, name)) = UNITS.get(largest + 1)
        && *next >= 1000
        && ms % unit / next > 0
    {
        text.push_str(&format!(" {} {name}", ms % unit / next));
    }
    text
}

/// The same of microseconds; less than a millisecond is said to be that.
pub fn duration_us(us: u64) -> String {
    match us {
        0 => "0 s".to_owned(),
        1..1000 => "< 1 ms".to_owned(),
        _ => duration_ms(us / 1000),
    }
}

/// Reads a size as people write it: `10MB`, `1.5g`, `512`. Units are binary, as in a `redis.conf` (`mb`), with `i` or without.
///
/// # Errors
/// Says what was expected.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let expected = || format!("`{text}` is no size; write 512, 64KB, 10MB or 1.5GB, for example");
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let power = match lower[digits.len()..].trim() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        _ => return Err(expected()),
    };
    let value: f64 = digits.parse().map_err(|_| expected())?;
    let bytes = value * 1024f64.powi(power);
    if !(0.0..1e18).contains(&bytes) {
        return Err(expected());
    }
    Ok(bytes as u64)
}

/// The speed of a link as people say it: `1 Gbit/s`, `2.5 Gbit/s`, `100 Mbit/s`.
pub fn link_speed(bytes_per_second: u64) -> String {
    const UNITS: [(u128, &str); 3] = [(1_000_000_000, "Gbit/s"), (1_000_000, "Mbit/s"), (1000, "kbit/s")];
    let bits = u128::from(bytes_per_second) * 8;
    let unit = UNITS.iter().find(|(unit, _)| bits >= *unit);
    unit.map_or_else(|| format!("{bits} bit/s"), |(unit, name)| format!("{} {name}", bits as f64 / *unit as f64))
}

/// Reads the speed of a link in bits per second, as people write it: `1gbit`, `2.5 Gbit/s`, `100mbps`. Gives bytes per second.
///
/// # Errors
/// Says what was expected.
pub fn parse_link_speed(text: &str) -> Result<u64, String> {
    let expected = || format!("`{text}` is no speed of a link; write 1gbit, 2.5gbit or 100mbit, for example");
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '/' || c == ' ');
    let unit = lower[digits.len()..].trim();
    let unit = unit.strip_suffix("/s").or_else(|| unit.strip_suffix("ps")).unwrap_or(unit);
    let factor = match unit.strip_suffix("bit").or_else(|| unit.strip_suffix('b')).unwrap_or(unit) {
        "k" => 1e3,
        "m" => 1e6,
        "g" => 1e9,
        "t" => 1e12,
        _ => return Err(expected()),
    };
    let bytes = digits.parse::<f64>().map_err(|_| expected())? * factor / 8.0;
    if !(1.0..1e18).contains(&bytes) {
        return Err(expected());
    }
    Ok(bytes as u64)
}

/// Reads a length of time as people write it: `500ms`, `5s`, `1.5min`, `1h`. Gives milliseconds.
///
/// # Errors
/// Says what was expected.
pub fn parse_duration_ms(text: &str) -> Result<u64, String> {
    let expected = || format!("`{text}` is no length of time; write 500ms, 5s or 1min, for example");
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let factor = match lower[digits.len()..].trim() {
        "ms" => 1.0,
        "s" | "sec" => 1e3,
        "m" | "min" => 60e3,
        "h" => 3600e3,
        _ => return Err(expected()),
    };
    let ms = digits.parse::<f64>().map_err(|_| expected())? * factor;
    if !(1.0..1e15).contains(&ms) {
        return Err(expected());
    }
    Ok(ms as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assumptions_are_read_as_people_write_them() {
        let speeds = ["1gbit", "10 Gbit/s", "100mbps", "2.5G", "56kbit"].map(|text| parse_link_speed(text).unwrap());
        assert_eq!(speeds, [125_000_000, 1_250_000_000, 12_500_000, 312_500_000, 7000]);
        assert_eq!(speeds.map(link_speed), ["1 Gbit/s", "10 Gbit/s", "100 Mbit/s", "2.5 Gbit/s", "56 kbit/s"]);
        assert_eq!(link_speed(1), "8 bit/s");
        for bad in ["fast", "1", "-1gbit", "0gbit", "1gbitt", "nangbit", "1e30gbit", ""] {
            assert!(parse_link_speed(bad).unwrap_err().contains("write 1gbit"), "{bad}");
        }
        assert_eq!(
            ["5s", "500 ms", "1.5min", "1h"].map(|t| parse_duration_ms(t).unwrap()),
            [5000, 500, 90_000, 3_600_000]
        );
        for bad in ["5", "soon", "-5s", "0s", "infs"] {
            assert!(parse_duration_ms(bad).unwrap_err().contains("write 500ms"), "{bad}");
        }
    }

    #[test]
    fn figures_read_well() {
        assert_eq!(
            [0, 1023, 1024, 1536, 10 << 20, 1023 << 10].map(bytes),
            ["0 B", "1023 B", "1.00 KiB", "1.50 KiB", "10.0 MiB", "1.00 MiB"]
        );
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [(0, 5), (1, 100_000), (99_999, 100_000), (1, 3)].map(|(a, b)| percent(a, b)),
            ["0 %", "< 0.1 %", "> 99.9 %", "33.3 %"]
        );
        assert_eq!(rfc3339_ms(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339_ms(4_102_444_800_001), "2100-01-01T00:00:00.001Z");
        assert_eq!(rfc3339_ms(i64::MAX), i64::MAX.to_string());
        // Each day for 8,000 years, at another time of the day, as jiff has it.
        for day in 0..2_932_000i64 {
            let ms = day * 86_400_000 + day * 7_654_321 % 86_400_000;
            if day % 97 == 0 || (10_900..11_100).contains(&day) {
                assert_eq!(rfc3339_ms(ms), format!("{:.3}", Timestamp::from_millisecond(ms).unwrap()));
            }
        }
        assert_eq!(rfc3339_ms(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(rfc3339_ms(YEAR_10000_MS as i64 - 1), "9999-12-31T23:59:59.999Z");
        assert_eq!(time_seconds(1_767_225_600), "2026-01-01 00:00:00 UTC");
        assert_eq!([1536, 0, -3].map(signed_bytes), ["+1.50 KiB", "0 B", "-3 B"]);
        assert_eq!([1234, 0, -3].map(signed_count), ["+1,234", "0", "-3"]);
        assert_eq!([123, 0, -1000, 11_300].map(signed_per_mille), ["+12.3 %", "0 %", "-100.0 %", "x 12.3"]);
        assert_eq!([0, 850, 125_000, 273_600_000].map(duration_ms), ["0 s", "850 ms", "2 min 5 s", "3 d 4 h"]);
        assert_eq!([0, 1, 999, 1000, 2_500_000].map(duration_us), ["0 s", "< 1 ms", "< 1 ms", "1 ms", "2 s"]);
        assert_eq!(["10MB", "1.5g", "512", "64 KiB"].map(|t| parse_bytes(t).unwrap()), [10 << 20, 3 << 29, 512, 65536]);
        assert!(parse_bytes("ten").is_err() && parse_bytes("-1k").is_err() && parse_bytes("1e99g").is_err());
    }
}
