//! What can be typed.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::check::Rule;
use crate::escape::Escape;
use crate::memory::{Allocator, Server};
use crate::units;

const EXAMPLES: &str = "\
Examples:
  rdbscope dump.rdb                                     an overview on the terminal
  rdbscope report node-*.rdb --nodes nodes.conf         the page: report.html
  rdbscope report backups/ -o cluster.html --csv keys.csv
  rdbscope keys dump.rdb --top 20                       the 20 largest keys
  rdbscope keys dump.rdb --type hash --match 'user:*' --min-elements 1000
  rdbscope keys a=n1/dump.rdb b=n2/dump.rdb -o keys.csv two nodes, named a and b
  rdbscope plan node-*.rdb --nodes nodes.conf           which slots to move so that memory is even
  rdbscope report dump.rdb --json node-1.json           on each node, or each night; then, without the dumps:
  rdbscope report --from node-*.json -o cluster.html
  rdbscope diff monday.rdb tuesday.rdb                  what has changed between two states
  rdbscope forecast night-*.json --maxmemory 4GB        when a node will be full
  redis-cli --rdb - | rdbscope -                        from a pipe

Exit codes: 0 done, 1 something was found to fail on (check, diff --split), 2 usage or output, 3 a
file cannot be opened or is no RDB, 4 a dump is damaged or truncated, 5 a format newer than known.";

/// Analyze Redis and Valkey RDB dumps offline: big keys, hot keys, memory of a cluster.
///
/// Reads the dump files of one or more nodes, works out what every key costs in the server's memory, and touches no
/// server. Without a command, prints an overview.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub overview: OverviewArgs,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write the page about big keys, patterns and memory balance (and, if asked, the CSV).
    #[command(after_help = "Example: rdbscope report node-*.rdb --nodes nodes.conf -o cluster.html --csv keys.csv")]
    Report(ReportArgs),
    /// Print one row per key.
    #[command(after_help = KEYS_HELP)]
    Keys(KeysArgs),
    /// Say which slots to move from which node to which, so that memory is even with the fewest bytes moved.
    #[command(after_help = PLAN_HELP)]
    Plan(PlanArgs),
    /// Check that dumps are whole and keep the rules.
    #[command(after_help = CHECK_HELP)]
    Check(CheckArgs),
    /// Compare two states: what has grown, come, gone and moved, or whether a key was split without loss.
    #[command(after_help = DIFF_HELP)]
    Diff(DiffArgs),
    /// Say from a series of summaries when a node reaches its maxmemory.
    #[command(after_help = FORECAST_HELP)]
    Forecast(ForecastArgs),
}

const CHECK_HELP: &str = "\
First whether the dumps are whole, down to every embedded encoding: what a server with sanitize-dump-payload
would refuse. Then the rules of --rules, of rdbscope.toml in the current directory, or the usual ones.

Outputs, as many as needed:  json=FILE junit=FILE markdown=FILE sarif=FILE prometheus=FILE, and github, which
prints annotations and adds to the step's summary. With - for FILE, to standard output in place of the text.

Examples:
  rdbscope check /backup/node-*.rdb --nodes nodes.conf
  rdbscope check dump.rdb --rules rdbscope.toml --baseline yesterday.json --fail-on warning
  rdbscope check dump.rdb --output junit=check.xml prometheus=/var/lib/node_exporter/rdbscope.prom
  rdbscope check --explain big-key

Exit codes: as for all commands, and 1 for findings at or above --fail-on.";

const KEYS_HELP: &str = "\
Columns: database,type,key,size_in_bytes,encoding,num_elements,len_largest_element,expiry,
         node,slot,serialized_bytes,freq,idle_seconds,footprint_bytes,fields_with_expiry
  size_in_bytes     what MEMORY USAGE key SAMPLES 0 answers on the server that wrote the dump
  footprint_bytes   what the key adds to used_memory, with its share of the key tables
  serialized_bytes  the whole record in the dump
What a dump does not tell is empty.

Examples:
  rdbscope keys dump.rdb --top 100 -o biggest.csv
  rdbscope keys dump.rdb --expiry none --min-memory 1MB
  rdbscope keys dump.rdb --format jsonl | jq .key";

const PLAN_HELP: &str = "\
Every node is to be within 5 per cent of the mean, or as near as whole slots allow. The commands are those of
the servers that wrote the dumps, or of --server: CLUSTER MIGRATESLOTS for Valkey 9, CLUSTER MIGRATION IMPORT
for Redis 8.4 and later, SETSLOT and MIGRATE for others.

Examples:
  rdbscope plan node-*.rdb --nodes nodes.conf
  rdbscope plan node-*.rdb --nodes nodes.conf --nodes-target 4
  rdbscope plan node-*.rdb --nodes nodes.conf --remove node-3
  rdbscope plan node-*.rdb --nodes nodes.conf --commands > plan.sh";

const DIFF_HELP: &str = "\
OLD and NEW are each a dump, a directory with dumps, a summary that `report --json FILE` wrote, or several of
these with commas between them, each perhaps as NAME=PATH. Nodes of the two are the same if the nodes file gives
them the same id, else by name, else by replication history, else if each side has one.

Examples:
  rdbscope diff monday.rdb tuesday.rdb
  rdbscope diff monday.json tuesday.json --json
  rdbscope diff old/n1.rdb,old/n2.rdb new/ --nodes nodes.conf
  rdbscope diff old.rdb new.rdb --keys -o changed.csv
  rdbscope diff before.rdb after.rdb --split 'users:all=users:batch:*'";

const FORECAST_HELP: &str = "\
Each SUMMARY is what `report --json FILE` wrote, or a dump, of one node or of several. The times are those at which
the dumps were saved.

Examples:
  rdbscope forecast night-*.json --maxmemory 4GB
  rdbscope forecast night-*.json --maxmemory n1=4GB --maxmemory n2=8GB
  rdbscope forecast night-*.json --config redis.conf --json";

#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The earlier state: dumps, or summaries.
    #[arg(value_name = "OLD")]
    pub old: String,
    /// The later state.
    #[arg(value_name = "NEW")]
    pub new: String,
    /// Which node owns which slots: a nodes.conf, or the saved output of CLUSTER NODES.
    #[arg(long, value_name = "FILE")]
    pub nodes: Option<PathBuf>,
    /// The same for OLD, if it was different then.
    #[arg(long, value_name = "FILE", requires = "nodes")]
    pub nodes_old: Option<PathBuf>,
    /// Print one JSON document instead.
    #[arg(long)]
    pub json: bool,
    /// Compare key by key: a row for each key that differs, by database and name. Needs dumps.
    #[arg(long)]
    pub keys: bool,
    /// Where the rows of --keys go; standard output if not given.
    #[arg(short, long, value_name = "FILE", requires = "keys")]
    pub output: Option<PathBuf>,
    /// How a row of --keys looks.
    #[arg(long, value_enum, default_value_t = Format::Csv, requires = "keys")]
    pub format: Format,
    /// Verify that the elements of a key in OLD are in the keys that match a glob in NEW. Of several `=` the first that
    /// ends the name of a key in OLD counts. Needs dumps.
    #[arg(long, value_name = "KEY=GLOB", conflicts_with = "keys")]
    pub split: Vec<String>,
    #[command(flatten)]
    pub text: TextArgs,
    #[command(flatten)]
    pub reading: ReadingArgs,
    #[command(flatten)]
    pub patterns: PatternArgs,
    #[command(flatten)]
    pub thresholds: ThresholdArgs,
}

#[derive(Debug, Args)]
pub struct ForecastArgs {
    /// The series, in any order: summaries, or dumps.
    #[arg(value_name = "SUMMARY", required = true)]
    pub series: Vec<String>,
    /// Memory limit of every node, or of one: 4GB, n1=4GB. Over that of --config.
    #[arg(long, value_name = "[NODE=]SIZE")]
    pub maxmemory: Vec<String>,
    /// Which node owns which slots: a nodes.conf, or the saved output of CLUSTER NODES.
    #[arg(long, value_name = "FILE")]
    pub nodes: Option<PathBuf>,
    /// Print one JSON document instead.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub reading: ReadingArgs,
}

#[derive(Debug, Args)]
pub struct OverviewArgs {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub names: NameArgs,
    #[command(flatten)]
    pub big: BigArgs,
    /// Print the summary as one JSON document instead.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub logs: LogArgs,
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    #[command(flatten)]
    pub input: InputArgs,
    /// Where the page goes.
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    pub output: PathBuf,
    /// Also write one row per key to this file.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Also write the summary as JSON to this file, with all that --from needs.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    #[command(flatten)]
    pub names: NameArgs,
    #[command(flatten)]
    pub text: TextArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub big: BigArgs,
    #[command(flatten)]
    pub logs: LogArgs,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Big keys")]
pub struct BigArgs {
    #[command(flatten)]
    pub thresholds: ThresholdArgs,
    /// Speed of the network that costs are estimated for: 1gbit (as if not given), 10gbit, 100mbit.
    #[arg(long, value_name = "SPEED", value_parser = units::parse_link_speed)]
    pub link_speed: Option<u64>,
    /// The timeout that MIGRATE is given: 5s (as if not given), 60s.
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration_ms)]
    pub migrate_timeout: Option<u64>,
    /// What else costs are estimated from: copy-us-per-mb=1000, read-ns-per-element=300, rebuild-ns-per-element=1000,
    /// free-ns-per-element=500, free-us-per-mb=50 (as if not given).
    #[arg(long, value_name = "NAME=N", value_delimiter = ',')]
    pub cost: Vec<String>,
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Big keys")]
pub struct ThresholdArgs {
    /// From where on a key is big, and critical: list=5000/50000 (elements), hash=64MB (memory), string=1MB; for all types
    /// memory=20MB/200MB, elements=5000, element=512KB (the largest element). Critical is ten times as much if not given.
    #[arg(long, value_name = "WHAT=N[/N]", value_delimiter = ',')]
    pub big: Vec<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Hot keys: logs to join, plain or compressed; each may be given several times")]
pub struct LogArgs {
    /// What `redis-cli MONITOR` printed for some seconds.
    #[arg(long, value_name = "FILE")]
    pub monitor: Vec<PathBuf>,
    /// What `redis-cli SLOWLOG GET 128` answered, raw or numbered (--no-raw).
    #[arg(long, value_name = "FILE")]
    pub slowlog: Vec<PathBuf>,
    /// Counts taken elsewhere: a CSV of key,count.
    #[arg(long, value_name = "FILE")]
    pub hits: Vec<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Rebalance plan")]
pub struct TargetArgs {
    /// For so many nodes instead of those there are: the lightest leave, or new ones join.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=16384))]
    pub nodes_target: Option<u16>,
    /// Nodes that are to leave, by name.
    #[arg(long, value_name = "NODE", value_delimiter = ',')]
    pub remove: Vec<String>,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub big: BigArgs,
    /// Print the plan as one JSON document instead.
    #[arg(long, conflicts_with = "commands")]
    pub json: bool,
    /// Print the commands instead, as a shell script.
    #[arg(long)]
    pub commands: bool,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub input: InputArgs,
    /// The rules, as TOML; rdbscope.toml in the current directory if there is one.
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// A summary that `report --json FILE` wrote, to compare with.
    #[arg(long, value_name = "SUMMARY")]
    pub baseline: Option<PathBuf>,
    /// End with code 1 for findings of this level or above.
    #[arg(long, value_enum, default_value_t = FailOn::Error)]
    pub fail_on: FailOn,
    /// Also write the result in these forms.
    #[arg(long, value_name = "FORM[=FILE]", num_args = 1..)]
    pub output: Vec<CheckOutput>,
    /// Say what a rule means, how it is set, and what to do.
    #[arg(long, value_name = "RULE", exclusive = true)]
    pub explain: Option<Rule>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    Error,
    Warning,
    Never,
}

/// A form of the result of a check, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckOutput {
    pub form: CheckForm,
    /// `-` is standard output; none for GitHub.
    pub path: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckForm {
    Json,
    Junit,
    Github,
    Markdown,
    Sarif,
    Prometheus,
}

impl FromStr for CheckOutput {
    type Err = String;

    fn from_str(text: &str) -> Result<CheckOutput, String> {
        let (name, path) = text.split_once('=').unwrap_or((text, ""));
        let form = match name {
            "json" => CheckForm::Json,
            "junit" => CheckForm::Junit,
            "github" => CheckForm::Github,
            "markdown" => CheckForm::Markdown,
            "sarif" => CheckForm::Sarif,
            "prometheus" => CheckForm::Prometheus,
            _ => return Err("the forms are json, junit, github, markdown, sarif and prometheus".to_owned()),
        };
        match (form, path) {
            (CheckForm::Github, "") => {}
            (CheckForm::Github, _) => return Err("github takes no file: it is for standard output".to_owned()),
            (_, "") => return Err(format!("where to? write {name}=FILE")),
            _ => {}
        }
        Ok(CheckOutput { form, path: path.into() })
    }
}

#[derive(Debug, Args)]
pub struct KeysArgs {
    #[command(flatten)]
    pub input: InputArgs,
    /// Where the rows go; standard output if not given.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How a row looks.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    pub format: Format,
    #[command(flatten)]
    pub text: TextArgs,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Only the N largest keys by footprint, largest first.
    #[arg(long, value_name = "N")]
    pub top: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Comma-separated values with a header line (RFC 4180).
    Csv,
    /// One JSON object per line.
    Jsonl,
}

#[derive(Debug, Args)]
pub struct TextArgs {
    /// How key names become text.
    #[arg(long, value_enum, default_value_t = Escape::Utf8)]
    pub escape: Escape,
    /// Put an apostrophe before names that a spreadsheet would run as a formula.
    #[arg(long)]
    pub spreadsheet: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Which keys")]
pub struct FilterArgs {
    /// Only keys of these databases.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub db: Vec<u64>,
    /// Only keys of these types: string, list, set, zset, hash, stream, or a module's type.
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    pub types: Vec<String>,
    /// Only keys whose name matches this glob, as KEYS and SCAN have it.
    #[arg(long = "match", value_name = "GLOB")]
    pub glob: Option<String>,
    /// Only keys whose name contains a match of this regular expression.
    #[arg(long, value_name = "REGEX")]
    pub regex: Option<String>,
    /// Only keys with at least this footprint: 512, 64KB, 10MB.
    #[arg(long, value_name = "SIZE", value_parser = units::parse_bytes)]
    pub min_memory: Option<u64>,
    /// Only keys with at least so many elements (a string's bytes).
    #[arg(long, value_name = "N")]
    pub min_elements: Option<u64>,
    /// Only keys without an expiry, with one, or with one that had passed when the dump was saved.
    #[arg(long, value_enum)]
    pub expiry: Option<ExpiryFilter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExpiryFilter {
    None,
    Any,
    Expired,
}

#[derive(Debug, Args)]
pub struct InputArgs {
    /// Dumps: files, directories with *.rdb files, - for standard input; plain or compressed (gzip, zstd, lz4); each
    /// may be named as NAME=PATH.
    #[arg(required_unless_present = "from", value_name = "DUMP")]
    pub dumps: Vec<String>,
    /// Summaries that `report --json FILE` wrote, in place of the dumps or with others: of a cluster, one of each node.
    #[arg(long, value_name = "SUMMARY", num_args = 1..)]
    pub from: Vec<PathBuf>,
    /// Which node owns which slots: a nodes.conf, or the saved output of CLUSTER NODES.
    #[arg(long, value_name = "FILE")]
    pub nodes: Option<PathBuf>,
    #[command(flatten)]
    pub reading: ReadingArgs,
}

#[derive(Clone, Debug, Args)]
pub struct ReadingArgs {
    /// Threads to use; all cores if not given. The output is the same for any number.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// No progress on standard error.
    #[arg(long)]
    pub no_progress: bool,
    #[command(flatten)]
    pub model: ModelArgs,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Memory model")]
pub struct ModelArgs {
    /// Model this server instead of the one that wrote the dump: redis-7.4, valkey-8.1, ...
    #[arg(long, value_name = "SERVER")]
    pub server: Option<Server>,
    /// The allocator the server is linked with.
    #[arg(long, value_enum, default_value_t = Allocator::Jemalloc)]
    pub allocator: Allocator,
    /// Whether the server runs in cluster mode; by default if the dump says so or --nodes is given.
    #[arg(long, value_enum, value_name = "YES-OR-NO")]
    pub cluster_mode: Option<YesNo>,
    /// The server's redis.conf: its thresholds decide how values are encoded.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Measure expiries from this time (RFC 3339) instead of when the dump was saved.
    #[arg(long, value_name = "TIME")]
    pub now: Option<String>,
    /// Also work out the memory on these servers, and under other settings (hash-max-listpack-entries=128).
    #[arg(long, value_name = "SERVER-OR-SETTING", value_delimiter = ',')]
    pub compare: Vec<String>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Names of keys")]
pub struct NameArgs {
    #[command(flatten)]
    pub patterns: PatternArgs,
    /// Replace what is variable in names by a hash under the secret in this file, the same in every run. What the
    /// patterns show stays.
    #[arg(long, value_name = "SECRET-FILE")]
    pub redact: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Names of keys")]
pub struct PatternArgs {
    /// Split names at these characters, instead of at : / . | , ; _ - @ # = { }
    #[arg(long, value_name = "CHARACTERS")]
    pub separators: Option<String>,
    /// Keys whose name contains a match of this regular expression are a pattern of their own; the first that matches
    /// has the key.
    #[arg(long, value_name = "[NAME=]REGEX")]
    pub group: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum YesNo {
    Yes,
    No,
}
