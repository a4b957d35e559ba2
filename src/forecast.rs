//! When a node will be full: a line through its memory over time, how good the line is, and where it meets maxmemory.
//!
//! The line is that of Theil and Sen: its slope is the median of the slopes between any two points, so that up to a quarter of
//! the points may be anything, as after a flush, without moving it. The least squares are given beside it. The range of
//! the slope is Sen's, from the ranks of the slopes, for 95 per cent.

use serde::Serialize;

use crate::diff::nodes::{NodeKey, match_nodes};
use crate::diff::{MatchedBy, Side};
use crate::units;

/// Name and version of the JSON document. Members may be added; none changes its meaning under the same version.
pub const SCHEMA: &str = "rdbscope-forecast/1";

/// Fewer points than these make no line.
const MIN_POINTS: usize = 3;
/// Points of a node that are used, the last ones: their pairs are held in memory.
const MAX_POINTS: usize = 2000;
const DAY_SECONDS: f64 = 86_400.0;
/// Quantile of the normal distribution for 95 per cent on both sides.
const NORMAL_95: f64 = 1.96;
/// A line is bad if points are typically off it by more than a quarter of what it grows by over all points.
const BAD_FIT: f64 = 0.25;

/// Memory of a node at a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// When its dump was saved, in seconds since 1970.
    pub at_seconds: i64,
    /// used_memory by the dump's own word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_memory_bytes: Option<u64>,
    /// Keys and what an empty server uses.
    pub estimate_bytes: u64,
    /// Whether the dump was read in full.
    pub complete: bool,
}

/// A node's points.
#[derive(Clone, Debug, Default)]
pub struct Series {
    id: Option<String>,
    names: Vec<String>,
    replication: Option<String>,
    slots: Vec<bool>,
    points: Vec<Point>,
}

/// Where the memory of the points is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// used_memory, by the dumps' own word.
    UsedMemory,
    /// The keys, and what an empty server uses.
    Estimate,
}

/// What can be said of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outlook {
    /// It reaches its maxmemory.
    Reaches,
    /// It has reached it.
    Reached,
    /// It grows, but its maxmemory is not known.
    Unlimited,
    /// Fewer than three points, or all at one time.
    TooFewPoints,
    /// It may as well grow as shrink.
    NoTrend,
    /// It shrinks.
    Shrinking,
    /// The points are too far off any line.
    BadFit,
}

/// How good the line is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fit {
    /// Always `theil-sen`: what the forecast is from.
    pub method: &'static str,
    /// Growth.
    pub bytes_per_day: i64,
    /// Its range, for 95 per cent.
    pub bytes_per_day_low: i64,
    #[allow(missing_docs)]
    pub bytes_per_day_high: i64,
    /// Where the line is at the last point.
    pub level_bytes: i64,
    /// What half the points are off the line by at most.
    pub residual_bytes: u64,
    /// Growth by least squares.
    pub least_squares_bytes_per_day: i64,
    /// The part of the variance that the least squares explain, in thousandths; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r_squared_per_mille: Option<u64>,
}

/// The forecast of a node.
#[derive(Clone, Debug, Serialize)]
pub struct NodeForecast {
    /// Its name, that of its last dump.
    pub node: String,
    /// What can be said.
    pub outlook: Outlook,
    /// Days from the last dump until maxmemory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<f64>,
    /// The same at the ends of the range of growth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days_low: Option<f64>,
    #[allow(missing_docs)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days_high: Option<f64>,
    /// When that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_at: Option<String>,
    /// Its limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maxmemory_bytes: Option<u64>,
    /// Memory at the last point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_bytes: Option<u64>,
    /// Where the memory of the points is from.
    pub source: Source,
    /// Points that were used.
    pub points: u64,
    /// Points of incomplete dumps, which were not.
    pub points_left_out: u64,
    /// From the first to the last.
    pub span_seconds: i64,
    /// When the last dump was saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_at: Option<String>,
    /// How good the line is, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
    /// What the forecast is to be taken with.
    pub notes: Vec<String>,
    /// The points.
    pub series: Vec<Point>,
}

/// The forecasts, those that are full first.
#[derive(Clone, Debug, Serialize)]
pub struct Forecast {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// Version of the program.
    pub rdbscope: &'static str,
    /// What has to be known to read the figures.
    pub notes: Vec<String>,
    /// The nodes.
    pub nodes: Vec<NodeForecast>,
}

/// The series of the nodes, from states in any order; and what could not be used.
pub fn series(states: &[Side]) -> (Vec<Series>, Vec<String>) {
    let mut notes = Vec::new();
    let mut dated: Vec<(i64, usize, usize)> = Vec::new();
    for (i, state) in states.iter().enumerate() {
        for (node, row) in state.nodes.iter().enumerate() {
            match row.saved_at_seconds {
                Some(at) => dated.push((at, i, node)),
                None => notes.push(format!("{}: does not say when it was saved; it is left out", row.name)),
            }
        }
    }
    dated.sort_unstable();
    let one_node = is_one_node(states);
    let mut all: Vec<Series> = Vec::new();
    for (at_seconds, i, node) in dated {
        let (row, sums) = (&states[i].nodes[node], &states[i].summary.nodes[node]);
        let dump = &states[i].summary.dumps[row.dump];
        let point = Point {
            at_seconds,
            used_memory_bytes: dump.used_memory_bytes,
            estimate_bytes: sums.totals.footprint_bytes.saturating_add(dump.empty_server_bytes.unwrap_or(0)),
            complete: dump.complete,
        };
        let found = if one_node { all.len().checked_sub(1) } else { all.iter().position(|known| known.is(row.key())) };
        let at = found.unwrap_or_else(|| {
            all.push(Series::default());
            all.len() - 1
        });
        let known = &mut all[at];
        known.id = row.id.clone().or(known.id.take());
        known.replication = row.replication.clone().or(known.replication.take());
        known.names.retain(|name| *name != row.name);
        known.names.push(row.name.clone());
        known.slots = row.slots.iter().map(|slot| slot.keys > 0).collect();
        // The same dump may be in two summaries.
        if known.points.last() != Some(&point) {
            known.points.push(point);
        }
    }
    (all, notes)
}

/// Whether all states are of one node, whatever it is called in each: one node each, at different times, with names that tell
/// nothing, ids that do not differ, and keys in the same slots.
fn is_one_node(states: &[Side]) -> bool {
    let nodes: Vec<_> = states.iter().map(|state| state.nodes.as_slice()).collect();
    let Some(singles) = nodes.iter().map(|nodes| <&[_; 1]>::try_from(*nodes).ok()).collect::<Option<Vec<_>>>() else {
        return false;
    };
    let distinct = |mut values: Vec<String>| {
        let all = values.len();
        values.sort();
        values.dedup();
        values.len() == all
    };
    let names = singles.iter().map(|[node]| node.name.clone()).collect();
    let times = singles.iter().map(|[node]| format!("{:?}", node.saved_at_seconds)).collect();
    let alike = singles.windows(2).all(|pair| {
        let ([one], [other]) = (pair[0], pair[1]);
        let both = one.slots.iter().zip(&other.slots).filter(|(one, other)| one.keys > 0 && other.keys > 0).count();
        let with_keys = |node: &crate::diff::SideNode| node.slots.iter().filter(|slot| slot.keys > 0).count();
        (one.id.is_none() || other.id.is_none() || one.id == other.id)
            && 2 * both >= with_keys(one).min(with_keys(other))
    });
    distinct(names) && distinct(times) && alike
}

impl Series {
    /// Whether a node is this one, by id, name or replication history.
    fn is(&self, node: NodeKey<'_>) -> bool {
        self.names.iter().any(|name| {
            let known = NodeKey { id: self.id.as_deref(), name, replication: self.replication.as_deref() };
            matches!(match_nodes(&[known], &[node])[0], Some((_, by)) if by != MatchedBy::Only)
        })
    }

    /// What it is called last.
    pub fn name(&self) -> &str {
        self.names.last().map_or("", String::as_str)
    }

    /// Whether it was ever called so.
    pub fn was_called(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// What becomes of it.
    pub fn forecast(&self, maxmemory_bytes: Option<u64>) -> NodeForecast {
        let source = if self.points.iter().all(|point| point.used_memory_bytes.is_some()) {
            Source::UsedMemory
        } else {
            Source::Estimate
        };
        // used_memory is right whatever is wrong with the dump behind it.
        let used = |point: &&Point| source == Source::UsedMemory || point.complete;
        let mut series: Vec<Point> = self.points.iter().filter(used).copied().collect();
        let points_left_out = (self.points.len() - series.len()) as u64;
        series.drain(..series.len().saturating_sub(MAX_POINTS));
        let bytes = |point: &Point| match source {
            Source::UsedMemory => point.used_memory_bytes.unwrap_or(0),
            Source::Estimate => point.estimate_bytes,
        };
        let first = series.first().map_or(0, |point| point.at_seconds);
        let last = series.last().map_or(0, |point| point.at_seconds);
        let last_bytes = series.last().map(bytes);
        let line: Vec<(f64, f64)> = series
            .iter()
            .map(|point| (point.at_seconds.saturating_sub(first) as f64 / DAY_SECONDS, bytes(point) as f64))
            .collect();
        let fit = fit(&line);
        let limit = maxmemory_bytes.filter(|bytes| *bytes > 0);
        let mut forecast = NodeForecast {
            node: self.name().to_owned(),
            outlook: outlook(fit.as_ref(), &line, last_bytes, limit),
            days: None,
            days_low: None,
            days_high: None,
            full_at: None,
            maxmemory_bytes: limit,
            last_bytes,
            source,
            points: series.len() as u64,
            points_left_out,
            span_seconds: last.saturating_sub(first),
            last_at: (!series.is_empty()).then(|| units::rfc3339_ms(last.saturating_mul(1000))),
            fit,
            notes: Vec::new(),
            series,
        };
        if let (Outlook::Reaches, Some(fit), Some(limit)) = (forecast.outlook, &forecast.fit, limit) {
            let room = (limit as f64 - fit.level_bytes as f64).max(0.0);
            let days = |per_day: i64| (per_day > 0).then(|| tenths(room / per_day as f64));
            forecast.days = days(fit.bytes_per_day);
            forecast.days_low = days(fit.bytes_per_day_high);
            forecast.days_high = days(fit.bytes_per_day_low);
            forecast.full_at = forecast.days.and_then(|days| {
                let seconds = last as f64 + days * DAY_SECONDS;
                // Beyond that no calendar is of use.
                (days < 36_500.0).then(|| units::rfc3339_ms((seconds as i64).saturating_mul(1000)))
            });
            if let Some(days) = forecast.days
                && days * DAY_SECONDS > 5.0 * forecast.span_seconds as f64
            {
                forecast.notes.push("more than five times as far ahead as the points reach back".to_owned());
            }
        }
        if points_left_out > 0 {
            forecast.notes.push(format!("{points_left_out} dumps that were not read in full are left out"));
        }
        forecast
    }
}

fn outlook(fit: Option<&Fit>, line: &[(f64, f64)], last_bytes: Option<u64>, limit: Option<u64>) -> Outlook {
    if let (Some(bytes), Some(limit)) = (last_bytes, limit)
        && bytes >= limit
    {
        return Outlook::Reached;
    }
    let Some(fit) = fit else { return Outlook::TooFewPoints };
    let days = line.last().map_or(0.0, |(days, _)| *days);
    if fit.bytes_per_day_high < 0 {
        Outlook::Shrinking
    } else if fit.bytes_per_day_low <= 0 || fit.bytes_per_day <= 0 {
        Outlook::NoTrend
    } else if fit.residual_bytes as f64 > BAD_FIT * fit.bytes_per_day as f64 * days {
        Outlook::BadFit
    } else if limit.is_none() {
        Outlook::Unlimited
    } else {
        Outlook::Reaches
    }
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// The line through (days, bytes), in the order of days; none of fewer than three points, or where all are at one time.
fn fit(points: &[(f64, f64)]) -> Option<Fit> {
    let n = points.len();
    if n < MIN_POINTS {
        return None;
    }
    let mut slopes: Vec<f64> = Vec::with_capacity(n * (n - 1) / 2);
    for (i, (x, y)) in points.iter().enumerate() {
        slopes.extend(points[..i].iter().filter(|(before, _)| before < x).map(|(x0, y0)| (y - y0) / (x - x0)));
    }
    let slope = median(&mut slopes)?;
    let off = |(x, y): &(f64, f64)| y - slope * x;
    let intercept = median(&mut points.iter().map(off).collect::<Vec<_>>())?;
    let residual = median(&mut points.iter().map(|point| (off(point) - intercept).abs()).collect::<Vec<_>>())?;
    let (low, high) = range(&slopes, n);
    let (least_squares, r_squared) = least_squares(points);
    Some(Fit {
        method: "theil-sen",
        bytes_per_day: slope.round() as i64,
        bytes_per_day_low: low.round() as i64,
        bytes_per_day_high: high.round() as i64,
        level_bytes: (intercept + slope * points[n - 1].0).round() as i64,
        residual_bytes: residual.round() as u64,
        least_squares_bytes_per_day: least_squares.round() as i64,
        r_squared_per_mille: r_squared.map(|part| (part * 1000.0).round() as u64),
    })
}

/// The middle of the values, which are sorted by it.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len();
    match n {
        0 => None,
        _ if n % 2 == 1 => Some(values[n / 2]),
        _ => Some((values[n / 2 - 1] + values[n / 2]) / 2.0),
    }
}

/// Sen's range of the slope for 95 per cent; of few points, all of it.
fn range(sorted: &[f64], points: usize) -> (f64, f64) {
    let n = points as f64;
    let spread = NORMAL_95 * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    let all = sorted.len() as f64;
    let low = ((all - spread) / 2.0).floor().max(0.0) as usize;
    let high = (((all + spread) / 2.0).ceil() as usize).min(sorted.len() - 1);
    (sorted[low.min(sorted.len() - 1)], sorted[high])
}

/// Slope of the least squares, and the part of the variance that they explain; of points that do not differ, none.
fn least_squares(points: &[(f64, f64)]) -> (f64, Option<f64>) {
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
    let sum = |of: &dyn Fn(f64, f64) -> f64| points.iter().map(|(x, y)| of(x - mean_x, y - mean_y)).sum::<f64>();
    let (xx, xy, yy) = (sum(&|x, _| x * x), sum(&|x, y| x * y), sum(&|_, y| y * y));
    (xy / xx, (yy > 0.0).then(|| xy * xy / (xx * yy)))
}

/// The `maxmemory` of a `redis.conf`, where it has one; the last counts. Units are those of such files: `1k` is 1000 bytes,
/// `1kb` is 1024.
///
/// # Errors
/// Says which line is none.
pub fn config_maxmemory(text: &str) -> Result<Option<u64>, String> {
    let mut found = None;
    for (number, line) in (1..).zip(text.lines()) {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(value)) = (words.next(), words.next())
            && name.eq_ignore_ascii_case("maxmemory")
        {
            let value = value.trim_matches(['"', '\'']).to_ascii_lowercase();
            let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let unit: Option<u64> = match &value[digits.len()..] {
                "" | "b" => Some(1),
                "k" => Some(1000),
                "kb" => Some(1 << 10),
                "m" => Some(1_000_000),
                "mb" => Some(1 << 20),
                "g" => Some(1_000_000_000),
                "gb" => Some(1 << 30),
                _ => None,
            };
            let bytes = digits.parse::<u64>().ok().zip(unit).and_then(|(count, unit)| count.checked_mul(unit));
            found = Some(bytes.ok_or_else(|| format!("line {number}: `maxmemory` takes a size, found `{value}`"))?);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(bytes: &[f64]) -> Vec<(f64, f64)> {
        bytes.iter().enumerate().map(|(day, bytes)| (day as f64, *bytes)).collect()
    }

    fn node(bytes: &[u64]) -> Series {
        let points = bytes.iter().enumerate().map(|(day, bytes)| Point {
            at_seconds: 1_700_000_000 + 86_400 * day as i64,
            used_memory_bytes: Some(*bytes),
            estimate_bytes: 0,
            complete: true,
        });
        Series { names: vec!["n".to_owned()], points: points.collect(), ..Series::default() }
    }

    #[test]
    fn a_straight_line_is_found_exactly() {
        let fit = fit(&line(&[100.0, 110.0, 120.0, 130.0])).unwrap();
        assert_eq!((fit.bytes_per_day, fit.bytes_per_day_low, fit.bytes_per_day_high), (10, 10, 10));
        assert_eq!((fit.level_bytes, fit.residual_bytes, fit.least_squares_bytes_per_day), (130, 0, 10));
        assert_eq!(fit.r_squared_per_mille, Some(1000));
    }

    #[test]
    fn least_squares_are_as_in_the_books() {
        // Means 2 and 14; sums of squares 10, 58 and products 24.
        let points = line(&[10.0, 14.0, 11.0, 18.0, 17.0]);
        let (slope, r_squared) = least_squares(&points);
        let (xx, xy, yy) = (10.0, 18.0, 50.0);
        assert_eq!(slope, xy / xx);
        assert!((r_squared.unwrap() - xy * xy / (xx * yy)).abs() < 1e-12);
        assert_eq!(least_squares(&line(&[5.0, 5.0, 5.0])), (0.0, None));
    }

    #[test]
    fn an_outlier_does_not_move_the_line() {
        let mut bytes: Vec<f64> = (0..12).map(|day| 1000.0 + 10.0 * f64::from(day)).collect();
        bytes[6] = 5000.0;
        bytes[9] = 0.0;
        let fit = fit(&line(&bytes)).unwrap();
        assert_eq!((fit.bytes_per_day, fit.level_bytes, fit.residual_bytes), (10, 1110, 0));
        assert!(fit.least_squares_bytes_per_day != 10 && fit.r_squared_per_mille.unwrap() < 500);
        assert!(fit.bytes_per_day_low <= 10 && fit.bytes_per_day_high >= 10);
    }

    #[test]
    fn the_range_is_that_of_sen() {
        // Of ten points: 45 slopes, 1.96 standard deviations of 11.18 each are 21.9, so the 12th and the 35th.
        let sorted: Vec<f64> = (0..45).map(f64::from).collect();
        assert_eq!(range(&sorted, 10), (11.0, 34.0));
        assert_eq!(range(&[1.0, 2.0, 3.0], 3), (1.0, 3.0));
    }

    #[test]
    fn days_are_counted_from_the_last_dump() {
        let forecast = node(&[1000, 1100, 1200, 1300]).forecast(Some(1800));
        assert_eq!((forecast.outlook, forecast.days), (Outlook::Reaches, Some(5.0)));
        assert_eq!((forecast.days_low, forecast.days_high), (Some(5.0), Some(5.0)));
        assert_eq!(forecast.full_at.as_deref(), Some("2023-11-22T22:13:20.000Z"));
        assert!(forecast.notes.is_empty());
        let far = node(&[1000, 1100, 1200]).forecast(Some(100_000));
        assert_eq!((far.days, far.notes.len()), (Some(988.0), 1));
    }

    #[test]
    fn what_cannot_be_said_is_not() {
        let outlook = |bytes: &[u64], limit| node(bytes).forecast(limit).outlook;
        assert_eq!(outlook(&[], Some(9)), Outlook::TooFewPoints);
        assert_eq!(outlook(&[1000, 2000], Some(9000)), Outlook::TooFewPoints);
        assert_eq!(outlook(&[1000, 2000, 9000], Some(9000)), Outlook::Reached);
        assert_eq!(outlook(&[1000, 1100, 1200], None), Outlook::Unlimited);
        assert_eq!(outlook(&[1000, 1100, 1200], Some(0)), Outlook::Unlimited);
        assert_eq!(outlook(&[1000, 900, 800], Some(9000)), Outlook::Shrinking);
        assert_eq!(outlook(&[1000, 1000, 1000], Some(9000)), Outlook::NoTrend);
        assert_eq!(outlook(&[1000, 3000, 1000, 3000, 1100], Some(9000)), Outlook::NoTrend);
        let sawtooth: Vec<u64> = (0..40).map(|day| 10_000 + 20 * day + 3000 * (day % 3)).collect();
        assert!(matches!(outlook(&sawtooth, Some(90_000)), Outlook::BadFit | Outlook::NoTrend));
        // All at one time.
        let mut same = node(&[1, 2, 3]);
        same.points.iter_mut().for_each(|point| point.at_seconds = 5);
        assert_eq!(same.forecast(Some(9)).outlook, Outlook::TooFewPoints);
    }

    #[test]
    fn a_config_has_units_of_its_own() {
        let bytes = |text: &str| config_maxmemory(text).unwrap();
        assert_eq!(bytes("# maxmemory 1gb\nsave 60 1\n"), None);
        assert_eq!(bytes("maxmemory 2gb\nMaxMemory 1g\n"), Some(1_000_000_000));
        assert_eq!(bytes("maxmemory \"100mb\""), Some(100 << 20));
        assert!(config_maxmemory("a b\nmaxmemory lots").unwrap_err().starts_with("line 2"));
    }
}
