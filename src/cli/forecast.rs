//! When nodes will be full, from a series of summaries or dumps.

use std::collections::BTreeMap;
use std::fs;

use super::args::{BigArgs, ForecastArgs, NameArgs};
use super::diff::{inputs, print};
use super::dumps::Run;
use crate::diff::Side;
use crate::error::{Error, Exit, quoted, shown_path};
use crate::forecast::{self, Forecast, NodeForecast, Series, config_maxmemory};
use crate::output::forecast as output;
use crate::units::parse_bytes;

/// Prints the forecast of each node.
pub fn forecast(args: &ForecastArgs) -> Result<Exit, Error> {
    let limits = Limits::new(args)?;
    let mut exit = Exit::Done;
    let mut states = Vec::new();
    for list in &args.series {
        let mut run = Run::new(
            &inputs(list, args.nodes.as_deref(), &args.reading),
            &NameArgs::default(),
            &BigArgs::default(),
            0,
        )?;
        let dumps = run.dumps()?;
        let state = Side::new(dumps, &run.options, run.topology.as_ref());
        exit = exit.max(state.exit);
        states.push(state);
    }
    let (series, notes) = forecast::series(&states);
    limits.check(&series)?;
    let mut nodes: Vec<NodeForecast> = series.iter().map(|series| series.forecast(limits.of(series))).collect();
    nodes.sort_by(|one, other| {
        let key = |node: &NodeForecast| (output::urgency(node.outlook), node.days.unwrap_or(0.0));
        let ((one_rank, one_days), (other_rank, other_days)) = (key(one), key(other));
        one_rank.cmp(&other_rank).then(one_days.total_cmp(&other_days)).then(one.node.cmp(&other.node))
    });
    let forecast = Forecast { schema: forecast::SCHEMA, rdbscope: env!("CARGO_PKG_VERSION"), notes, nodes };
    print(args.json, &forecast, |out| output::write(&forecast, out))?;
    Ok(exit)
}

/// What nodes may use.
struct Limits {
    all: Option<u64>,
    of_nodes: BTreeMap<String, u64>,
}

impl Limits {
    fn new(args: &ForecastArgs) -> Result<Limits, Error> {
        let mut limits = Limits { all: None, of_nodes: BTreeMap::new() };
        if let Some(path) = &args.reading.model.config {
            let text = fs::read(path).map_err(|error| Error::unreadable(path, error))?;
            limits.all = config_maxmemory(&String::from_utf8_lossy(&text))
                .map_err(|what| Error::usage(format!("{}: {what}", shown_path(path))))?;
        }
        for limit in &args.maxmemory {
            let bytes = |text: &str| parse_bytes(text).map_err(|what| Error::usage(format!("--maxmemory: {what}")));
            match limit.rsplit_once('=') {
                Some((node, size)) => {
                    limits.of_nodes.insert(node.to_owned(), bytes(size)?);
                }
                None => limits.all = Some(bytes(limit)?),
            }
        }
        Ok(limits)
    }

    /// Whether every node with a limit is there.
    fn check(&self, series: &[Series]) -> Result<(), Error> {
        let is_known = |name: &String| series.iter().any(|series| series.was_called(name));
        match self.of_nodes.keys().find(|name| !is_known(name)) {
            Some(unknown) => {
                let names: Vec<&str> = series.iter().map(Series::name).collect();
                Err(Error::usage(format!(
                    "--maxmemory: {} is none of the nodes: {}",
                    quoted(unknown),
                    names.join(", ")
                )))
            }
            None => Ok(()),
        }
    }

    fn of(&self, series: &Series) -> Option<u64> {
        let own = self.of_nodes.iter().find(|(name, _)| series.was_called(name));
        own.map(|(_, bytes)| *bytes).or(self.all)
    }
}
