//! When nodes will be full, on a terminal.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::text::{BOLD, heading};
use crate::forecast::{Forecast, NodeForecast, Outlook, Source};
use crate::units::{bytes, count, duration_ms, signed_bytes};

/// The rank of an outlook in a list, the worst first.
pub fn urgency(outlook: Outlook) -> u8 {
    match outlook {
        Outlook::Reached => 0,
        Outlook::Reaches => 1,
        Outlook::BadFit => 2,
        Outlook::Unlimited => 3,
        Outlook::TooFewPoints => 4,
        Outlook::NoTrend => 5,
        Outlook::Shrinking => 6,
    }
}

/// Prints the forecasts.
///
/// # Errors
/// Those of the writer.
pub fn write(forecast: &Forecast, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{BOLD}Forecast{BOLD:#}")?;
    forecast.notes.iter().try_for_each(|note| writeln!(out, "  {note}"))?;
    if forecast.nodes.is_empty() {
        return writeln!(out, "  there is no node to speak of");
    }
    for node in &forecast.nodes {
        heading(out, &node.node)?;
        let style = match node.outlook {
            Outlook::Reached => AnsiColor::Red.on_default().bold(),
            Outlook::Reaches => AnsiColor::Yellow.on_default(),
            _ => Style::new(),
        };
        writeln!(out, "  {style}{}{style:#}", in_words(node))?;
        lines(node).iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    }
    Ok(())
}

/// Days with as many digits as mean something.
fn days(days: f64) -> String {
    match days {
        1e6.. => "more than a million days".to_owned(),
        10.0.. => format!("{} days", count(days.round() as u64)),
        _ => format!("{days:.1} days"),
    }
}

/// What can be said, in a line.
fn in_words(node: &NodeForecast) -> String {
    let limit = node.maxmemory_bytes.map_or(String::new(), bytes);
    match node.outlook {
        Outlook::Reached => {
            format!("full: {} of {limit} were in use at the last dump", node.last_bytes.map_or(String::new(), bytes))
        }
        Outlook::Reaches => {
            let at = node.full_at.as_deref().map_or(String::new(), |at| format!(", about {}", &at[..at.len().min(10)]));
            let range = match (node.days_low, node.days_high) {
                (Some(low), Some(high)) => format!(" (between {} and {})", days(low), days(high)),
                _ => String::new(),
            };
            format!("{limit} in {} after the last dump{at}{range}", node.days.map_or(String::new(), days))
        }
        Outlook::Unlimited => "grows; --maxmemory says how far it may".to_owned(),
        Outlook::TooFewPoints => {
            format!("no forecast: {} points, and it takes 3 at different times", count(node.points))
        }
        Outlook::NoTrend => "no forecast: no trend, it may as well grow as shrink".to_owned(),
        Outlook::Shrinking => "no forecast: it shrinks".to_owned(),
        Outlook::BadFit => "no forecast: the points are too far off a line".to_owned(),
    }
}

/// What it is based on, line by line.
fn lines(node: &NodeForecast) -> Vec<String> {
    let what = match node.source {
        Source::UsedMemory => "used_memory by the dumps' own word",
        Source::Estimate => "keys and an empty server, as the dumps do not tell used_memory",
    };
    let span = duration_ms(node.span_seconds.unsigned_abs().saturating_mul(1000));
    let last = node.last_bytes.map_or(String::new(), |last| format!(", the last with {}", bytes(last)));
    let mut lines = vec![format!("{} points over {span}{last}; {what}", count(node.points))];
    if let Some(fit) = &node.fit {
        lines.push(format!(
            "growth {} a day (95 % between {} and {}), median of the slopes between any two points, which outliers do not move",
            signed_bytes(fit.bytes_per_day),
            signed_bytes(fit.bytes_per_day_low),
            signed_bytes(fit.bytes_per_day_high)
        ));
        let r_squared = match fit.r_squared_per_mille {
            Some(part) => format!("R² {:.3}", part as f64 / 1000.0),
            None => "no variance".to_owned(),
        };
        lines.push(format!(
            "half the points are within {} of the line; least squares: {} a day, {r_squared}",
            bytes(fit.residual_bytes),
            signed_bytes(fit.least_squares_bytes_per_day)
        ));
    }
    lines.extend(node.notes.iter().cloned());
    lines
}
