//! Compares the memory figures with what real servers answered, and prints the comparison as Markdown.
//!
//! ```sh
//! cargo run --release --example accuracy -- fixtures/dumps [MORE FOLDERS] > tables.md
//! cargo run --release --example accuracy -- --write docs/accuracy.md fixtures/dumps [MORE FOLDERS]
//! ```
//!
//! With `--write` the tables replace those of the file, below its line `<!-- tables -->`. A folder is searched for
//!
//! - pairs `NAME.rdb` and `NAME.csv` (or `NAME.csv.gz`): a dump and what its server answered for each key, in columns
//!   `db,key_b64,type,encoding,memory_usage` and any others, with the server's settings in `NAME.conf` if they were not the
//!   defaults (not those of other allocators, which such a pair does not tell: FalkorDB's);
//! - folders with `dump.rdb`, or several `node-PORT.rdb`, with `truth.csv` or `truth.csv.gz`, and where they have them
//!   `info.json` (INFO memory of the server empty and just loaded), `redis.conf` and `nodes.conf`; and beside such folders
//!   `memory-usage-vs-real.json` (by how much used_memory fell when all keys of a type and encoding were deleted).
//!
//! Keys are read and measured as the program itself does it; `gzip` unpacks what is packed.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rdbscope::measure::Measurer;
use rdbscope::memory::tables::{Hashtable, dict_chained};
use rdbscope::memory::{Allocator, Family, KeyTables, Model, ModelOptions, Place, Server, Thresholds};
use rdbscope::rdb::{Fault, Item, RdbStr, Reader};
use serde_json::Value;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What is wrong with a dump, as an error.
fn broken(fault: Fault) -> Box<dyn Error> {
    format!("at byte {}: {}", fault.at, fault.kind).into()
}

/// The line below which `--write` puts the tables.
const MARK: &str = "<!-- tables -->";
/// Largest difference of a group's sums, of a skip list's, and of a footprint.
const SUM_GOAL: f64 = 0.002;
const RANDOM_SUM_GOAL: f64 = 0.01;
const FOOTPRINT_GOAL: f64 = 0.02;
/// Groups of so many keys are held to the footprint's goal; dumps of so many to the closer goal for totals.
const LARGE_GROUP: u64 = 100;
const LARGE_DUMP: u64 = 20_000;

fn main() -> Result<()> {
    let mut folders = Vec::new();
    let mut target = None;
    let mut args = std::env::args_os().skip(1);
    while let Some(arg) = args.next() {
        if arg == "--write" {
            target = Some(PathBuf::from(args.next().ok_or("--write takes a file")?));
        } else {
            folders.push(PathBuf::from(arg));
        }
    }
    if folders.is_empty() {
        return Err("name a folder with dumps and truths, fixtures/dumps for example".into());
    }
    let mut cases = Vec::new();
    for folder in &folders {
        find_cases(folder, &mut cases)?;
    }
    let mut tables = Tables::default();
    for case in &cases {
        tables.add(case).map_err(|e| format!("{}: {e}", case.dump.display()))?;
    }
    let markdown = tables.markdown()?;
    match target {
        None => print!("{markdown}"),
        Some(path) => {
            let text = fs::read_to_string(&path)?;
            let head = text.split_once(MARK).ok_or("the file has no line for the tables")?.0;
            fs::write(&path, format!("{head}{MARK}\n\n{markdown}"))?;
        }
    }
    Ok(())
}

/// A dump and what is known of it.
struct Case {
    /// Folder or file, for people.
    name: String,
    dump: PathBuf,
    truth: Option<PathBuf>,
    /// The part of the file name that the truth calls the node, in folders with several dumps.
    node: Option<String>,
    info: Option<PathBuf>,
    config: Option<PathBuf>,
    is_cluster: bool,
    /// What was measured by deleting keys, for all folders beside this one.
    falls: Option<PathBuf>,
}

fn find_cases(folder: &Path, cases: &mut Vec<Case>) -> Result<()> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<_>>()?;
    entries.sort();
    let existing = |path: PathBuf| path.exists().then_some(path);
    let truth_of = |stem: &str| {
        existing(folder.join(format!("{stem}.csv"))).or_else(|| existing(folder.join(format!("{stem}.csv.gz"))))
    };
    let folder_truth = truth_of("truth");
    let folder_name = folder.file_name().unwrap_or_default().to_string_lossy();
    let several = !folder.join("dump.rdb").exists();
    for path in &entries {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            find_cases(path, cases)?;
        } else if path.extension().is_some_and(|extension| extension == "rdb") {
            let own_truth = truth_of(&stem);
            // FalkorDB's servers run on glibc's malloc, which only `info.json` tells.
            if own_truth.is_none() && folder_truth.is_none() || own_truth.is_some() && stem.starts_with("falkordb") {
                continue;
            }
            let in_folder = own_truth.is_none();
            let node = (in_folder && several).then(|| stem.rsplit('-').next().unwrap_or_default().to_owned());
            let name = match (&node, in_folder) {
                (Some(node), _) => format!("{folder_name}, {node}"),
                (None, true) => folder_name.clone().into_owned(),
                (None, false) => stem,
            };
            cases.push(Case {
                name,
                dump: path.clone(),
                truth: own_truth.or_else(|| folder_truth.clone()),
                node,
                info: existing(folder.join("info.json")).filter(|_| in_folder),
                config: existing(if in_folder { folder.join("redis.conf") } else { path.with_extension("conf") }),
                is_cluster: in_folder && folder.join("nodes.conf").exists(),
                falls: existing(folder.join("../memory-usage-vs-real.json")).filter(|_| in_folder),
            });
        }
    }
    Ok(())
}

/// What a server answered for a key.
struct Truth {
    group: String,
    memory_usage: Option<u64>,
}

fn read_truth(path: &Path, node: Option<&str>) -> Result<HashMap<(u64, Vec<u8>), Truth>> {
    let mut bytes = Vec::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        let out = Command::new("gzip").arg("-dc").arg(path).stderr(Stdio::inherit()).output()?;
        if !out.status.success() {
            return Err("gzip failed".into());
        }
        bytes = out.stdout;
    } else {
        File::open(path)?.read_to_end(&mut bytes)?;
    }
    let mut rows = csv::Reader::from_reader(bytes.as_slice());
    let columns = rows.headers()?.clone();
    let column = |name: &str| columns.iter().position(|column| column == name);
    let need = |name: &str| column(name).ok_or_else(|| format!("{}: no column {name}", path.display()));
    let (db, key, kind) = (need("db")?, need("key_b64")?, need("type")?);
    let (encoding, usage, of_node) = (need("encoding")?, need("memory_usage")?, column("node"));
    let mut truths = HashMap::new();
    for row in rows.records() {
        let row = row?;
        if let (Some(node), Some(of_node)) = (node, of_node)
            && row[of_node] != *node
        {
            continue;
        }
        let truth =
            Truth { group: format!("{}/{}", &row[kind], &row[encoding]), memory_usage: row[usage].parse().ok() };
        truths.insert((row[db].parse()?, BASE64_STANDARD.decode(&row[key])?), truth);
    }
    Ok(truths)
}

/// Sums over the keys of one type and encoding in one dump.
#[derive(Default)]
struct Footprint {
    keys: u64,
    /// Without the key tables' buckets.
    bytes: f64,
    /// By database: keys, and keys with an expiry.
    by_db: BTreeMap<u64, (u64, u64)>,
}

/// A dump, measured.
struct Measured {
    server: Server,
    keys: u64,
    footprint: u64,
    groups: BTreeMap<String, Footprint>,
    /// By database: keys and keys with an expiry, as the dump says.
    databases: BTreeMap<u64, (u64, u64)>,
}

/// Reads a dump; hands each key with its type, encoding and MEMORY USAGE to `each`.
fn measure(case: &Case, allocator: Allocator, mut each: impl FnMut(u64, &[u8], String, u64)) -> Result<Measured> {
    let data = fs::read(&case.dump)?;
    let mut thresholds = Thresholds::default();
    if let Some(config) = &case.config {
        thresholds.read_config(&fs::read_to_string(config)?)?;
    }
    let (server, slot_info) = writer(&data)?;
    let cluster = case.is_cluster || slot_info;
    let model = Model::new(ModelOptions { server, allocator, cluster, thresholds });
    let mut measurer = Measurer::new(&model, &[]);
    let mut tables = KeyTables::new(&model);
    let mut place = Place::default();
    let mut measured = Measured { server, keys: 0, footprint: 0, groups: BTreeMap::new(), databases: BTreeMap::new() };
    let mut reader = Reader::new(&data).map_err(broken)?;
    loop {
        let head = match reader.next_item().map_err(broken)? {
            Item::Key(head) => head,
            Item::End { .. } => return Ok(measured),
            Item::SelectDb(db) => {
                place.select_db(db);
                continue;
            }
            Item::ResizeDb { keys, expires } => {
                place.resize_db(keys, expires);
                measured.databases.insert(place.db, (keys, expires));
                continue;
            }
            item => {
                if let Some((slot, keys, expires)) = slot_of_item(&item) {
                    place.enter_slot(slot, keys, expires);
                }
                continue;
            }
        };
        let expires = head.expire_at_ms.is_some();
        measurer.read(&mut reader, &head).map_err(broken)?;
        let found = measurer.measure(&head, &place);
        if let Some(fault) = found.fault {
            return Err(broken(*fault));
        }
        let record = found.record();
        let (Some(encoding), Some(usage), Some(footprint)) =
            (record.encoding, record.memory_bytes, record.footprint_bytes)
        else {
            return Err("a key was not measured".into());
        };
        let share = tables.share(&model, &place, record.key.len() as u64, expires);
        let chained = chained_entries(server.family(), &measured.databases, place.db, expires);
        let name = format!("{}/{encoding}", record.value_type);
        let group = measured.groups.entry(name.clone()).or_default();
        group.keys += 1;
        group.bytes += footprint as f64 - share as f64 + chained;
        let of_db = group.by_db.entry(place.db).or_default();
        of_db.0 += 1;
        of_db.1 += u64::from(expires);
        measured.keys += 1;
        measured.footprint += footprint;
        each(place.db, record.key, name, usage);
        place.pass_key(expires);
    }
}

/// The server that wrote a dump, and whether it tells its slots.
fn writer(data: &[u8]) -> Result<(Server, bool)> {
    let mut reader = Reader::new(data).map_err(broken)?;
    let mut server = Server::likely_writer(reader.header());
    let mut is_valkey = false;
    loop {
        match reader.next_item().map_err(broken)? {
            Item::Aux { name, value } => {
                let text = |string: RdbStr<'_>| {
                    let mut buffer = Vec::new();
                    string
                        .bytes(&mut buffer, 4096)
                        .map(|text| String::from_utf8_lossy(text).into_owned())
                        .map_err(broken)
                };
                match text(name)?.as_str() {
                    "valkey-ver" => {
                        server = Server::valkey(&text(value)?).unwrap_or(server);
                        is_valkey = true;
                    }
                    "redis-ver" if !is_valkey => server = Server::redis(&text(value)?).unwrap_or(server),
                    "slot-info" => return Ok((server, true)),
                    _ => {}
                }
            }
            Item::SlotInfo { .. } => return Ok((server, true)),
            Item::Key(_) | Item::End { .. } => return Ok((server, false)),
            _ => {}
        }
    }
}

/// The slot, keys and keys with an expiry that an item announces: an opcode on Redis, a field on Valkey.
fn slot_of_item(item: &Item<'_>) -> Option<(u64, u64, u64)> {
    match *item {
        Item::SlotInfo { slot, keys, expires } => Some((slot, keys, expires)),
        Item::Aux { name: RdbStr::Raw(b"slot-info"), value: RdbStr::Raw(value) } => {
            let mut numbers = std::str::from_utf8(value).ok()?.split(',').map(|number| number.parse().ok());
            Some((numbers.next()??, numbers.next()??, numbers.next()??))
        }
        _ => None,
    }
}

/// Redis 8.6 has 16 bytes more for a key that is not the first in its bucket, in either table: an entry, which goes with
/// the key, and so counts when keys are deleted.
fn chained_entries(family: Family, databases: &BTreeMap<u64, (u64, u64)>, db: u64, expires: bool) -> f64 {
    let Some(&(keys, with_expiry)) = databases.get(&db) else { return 0.0 };
    if !matches!(family, Family::R82 | Family::R86) {
        return 0.0;
    }
    let share = |n: u64| if n == 0 { 0.0 } else { 16.0 * dict_chained(n) as f64 / n as f64 };
    share(keys) + if expires { share(with_expiry) } else { 0.0 }
}

/// Valkey 8.1 and later chain a bucket to a full one, and give it back when its keys are deleted: what the key tables
/// are expected to give back with a group, in bytes.
fn freed_buckets(measured: &Measured, group: &Footprint) -> f64 {
    if !matches!(measured.server.family(), Family::V81 | Family::V90) {
        return 0.0;
    }
    let freed = |all: u64, gone: u64| {
        let buckets = Hashtable::sized_for(all).buckets as f64;
        64.0 * (children(all, buckets) - children(all.saturating_sub(gone), buckets))
    };
    let of_db = |(db, &(keys, expires)): (&u64, &(u64, u64))| {
        let &(all, all_expires) = measured.databases.get(db)?;
        Some(freed(all, keys) + freed(all_expires, expires))
    };
    group.by_db.iter().filter_map(of_db).sum()
}

/// Buckets expected to be chained to others when `n` keys lie in so many: seven in one, or six and a link.
fn children(n: u64, buckets: f64) -> f64 {
    let chained = |k: u64| k.saturating_sub(7).div_ceil(6) as f64;
    if n == 0 || buckets <= 1.0 {
        return chained(n);
    }
    let mut chance = (1.0 - 1.0 / buckets).powf(n as f64);
    let mut sum = 0.0;
    for k in 0..n.min(64) {
        sum += chance * chained(k);
        chance *= (n - k) as f64 / (k + 1) as f64 / (buckets - 1.0);
    }
    buckets * sum
}

/// MEMORY USAGE of the keys of one type and encoding: ours and the server's.
#[derive(Default)]
struct Group {
    keys: u64,
    exact: u64,
    errors: Vec<f64>,
    ours: u64,
    theirs: u64,
}

/// All that is printed.
#[derive(Default)]
struct Tables {
    /// By server, then by type and encoding.
    usage: BTreeMap<String, BTreeMap<String, Group>>,
    totals: Vec<String>,
    falls: Vec<String>,
    /// Keys, types or encodings that are not the server's.
    problems: BTreeMap<String, u64>,
}

impl Tables {
    fn add(&mut self, case: &Case) -> Result<()> {
        let info: Option<Value> = match &case.info {
            Some(path) => Some(serde_json::from_slice(&fs::read(path)?)?),
            None => None,
        };
        let libc = info.as_ref().and_then(|info| info["allocator"].as_str()).is_some_and(|name| name == "libc");
        let allocator = if libc { Allocator::Glibc } else { Allocator::Jemalloc };
        let mut truths = match &case.truth {
            Some(path) => read_truth(path, case.node.as_deref())?,
            None => HashMap::new(),
        };
        let has_truth = !truths.is_empty();
        let mut found = Vec::new();
        let measured = measure(case, allocator, |db, key, group, usage| {
            if let Some(truth) = truths.remove(&(db, key.to_vec())) {
                found.push((truth, group, usage));
            } else if has_truth {
                *self.problems.entry(format!("{}: key not on the server", case.name)).or_default() += 1;
            }
        })?;
        if !truths.is_empty() {
            *self.problems.entry(format!("{}: key not found", case.name)).or_default() += truths.len() as u64;
        }
        let mut server = measured.server.to_string();
        if libc {
            server += ", glibc's malloc";
        }
        for (truth, group, ours) in found {
            if group != truth.group {
                let what = format!("{}: {group} where the server has {}", case.name, truth.group);
                *self.problems.entry(what).or_default() += 1;
            }
            let Some(theirs) = truth.memory_usage else { continue };
            let group = self.usage.entry(server.clone()).or_default().entry(truth.group).or_default();
            group.keys += 1;
            group.exact += u64::from(ours == theirs);
            group.errors.push(ours.abs_diff(theirs) as f64 / theirs.max(1) as f64);
            group.ours += ours;
            group.theirs += theirs;
        }
        if let Some(info) = &info {
            self.add_total(case, &measured, info);
        }
        self.add_falls(case, &measured)
    }

    /// The sum of all footprints against what the server grew by.
    fn add_total(&mut self, case: &Case, measured: &Measured, info: &Value) {
        let used = |memory: &Value| memory["used_memory"].as_str()?.parse::<f64>().ok();
        let (empty, loaded) = match &case.node {
            None => (&info["empty"]["info_memory"], &info["loaded"]["info_memory"]),
            Some(node) => (&info["empty_node_info_memory"], &info["node_memory_just_loaded"][node]["info_memory"]),
        };
        let (Some(empty), Some(loaded)) = (used(empty), used(loaded)) else { return };
        let again = info["second_load"]["used_memory"].as_f64();
        let ratio = measured.footprint as f64 / (loaded - empty);
        let goal = if measured.keys >= LARGE_DUMP { 0.01 } else { 0.03 };
        let role = case.node.as_ref().and_then(|node| info["node_replication"][node]["role"].as_str());
        let role = match role {
            Some("slave") => " (replica)",
            Some("master") => " (master)",
            _ => "",
        };
        self.totals.push(format!(
            "| {}{role} | {} | {} | {} | {} | {} | {} |",
            case.name,
            grouped(measured.keys as f64),
            grouped(measured.footprint as f64),
            grouped(loaded - empty),
            again.map_or(String::new(), |again| grouped(again - empty)),
            grouped(loaded - empty - measured.footprint as f64),
            marked(ratio, 4, (ratio - 1.0).abs() > goal),
        ));
    }

    /// The footprints of a type and encoding against what the server shrank by when those keys were deleted.
    fn add_falls(&mut self, case: &Case, measured: &Measured) -> Result<()> {
        let Some(path) = &case.falls else { return Ok(()) };
        let falls: Value = serde_json::from_slice(&fs::read(path)?)?;
        let Some(groups) = falls[&case.name].as_object() else { return Ok(()) };
        for (name, group) in groups {
            let (Some(ours), Some(fall)) = (measured.groups.get(name), group["used_memory_fall"].as_f64()) else {
                *self.problems.entry(format!("{}: no {name}", case.name)).or_default() += 1;
                continue;
            };
            let bytes = ours.bytes + freed_buckets(measured, ours);
            let ratio = bytes / fall;
            let outside = ours.keys >= LARGE_GROUP && (ratio - 1.0).abs() > FOOTPRINT_GOAL;
            self.falls.push(format!(
                "| {} | {name} | {} | {} | {} | {} |",
                case.name,
                grouped(ours.keys as f64),
                grouped(bytes),
                grouped(fall),
                marked(ratio, 4, outside),
            ));
        }
        Ok(())
    }

    fn markdown(&self) -> Result<String> {
        let mut out = String::new();
        writeln!(out, "## MEMORY USAGE with SAMPLES 0, by server and type\n")?;
        writeln!(out, "| server | type/encoding | keys | exact | p99 error | our sum / theirs |")?;
        writeln!(out, "|---|---|--:|--:|--:|--:|")?;
        for (server, groups) in &self.usage {
            let mut all = Group::default();
            for (name, group) in groups {
                usage_row(&mut out, server, name, group)?;
                all.keys += group.keys;
                all.exact += group.exact;
                all.errors.extend(&group.errors);
                all.ours += group.ours;
                all.theirs += group.theirs;
            }
            usage_row(&mut out, server, "all", &all)?;
        }
        if !self.totals.is_empty() {
            writeln!(out, "\n## Footprint of all keys against the growth of used_memory\n")?;
            writeln!(out, "| dump | keys | footprint | growth | growth, loaded again | growth - footprint | ratio |")?;
            writeln!(out, "|---|--:|--:|--:|--:|--:|--:|")?;
            writeln!(out, "{}", self.totals.join("\n"))?;
        }
        if !self.falls.is_empty() {
            writeln!(out, "\n## Footprint by type against the fall of used_memory when the keys are deleted\n")?;
            writeln!(out, "| dump | type/encoding | keys | footprint without tables | fall | ratio |")?;
            writeln!(out, "|---|---|--:|--:|--:|--:|")?;
            writeln!(out, "{}", self.falls.join("\n"))?;
        }
        writeln!(out, "\n## Keys, types and encodings that differ\n")?;
        if self.problems.is_empty() {
            writeln!(out, "None.")?;
        }
        for (what, count) in &self.problems {
            writeln!(out, "- {what} ({count})")?;
        }
        Ok(out)
    }
}

fn usage_row(out: &mut String, server: &str, name: &str, group: &Group) -> Result<()> {
    let mut errors = group.errors.clone();
    errors.sort_by(f64::total_cmp);
    let p99 = errors.get((errors.len() * 99 / 100).min(errors.len().saturating_sub(1))).copied().unwrap_or(0.0);
    let exact = group.exact as f64 / group.keys.max(1) as f64;
    let ratio = group.ours as f64 / group.theirs.max(1) as f64;
    let skiplist = name.ends_with("/skiplist");
    let valkey_table = name.ends_with("/hashtable") && server.starts_with("valkey") && !server.starts_with("valkey-7");
    let is_random = skiplist || valkey_table || name == "all";
    let sum_goal = if is_random { RANDOM_SUM_GOAL } else { SUM_GOAL };
    // Rounded down, so that 100 % means every key.
    writeln!(
        out,
        "| {server} | {name} | {} | {} % | {:.2} % | {} |",
        grouped(group.keys as f64),
        marked((exact * 10_000.0).floor() / 100.0, 2, exact < 0.995 && !is_random),
        p99 * 100.0,
        marked(ratio, 4, (ratio - 1.0).abs() > sum_goal),
    )?;
    Ok(())
}

/// A number, bold where it is outside the goal.
fn marked(number: f64, digits: usize, outside: bool) -> String {
    if outside { format!("**{number:.digits$}**") } else { format!("{number:.digits$}") }
}

/// A whole number with commas between thousands.
fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut out = String::from(if number < -0.5 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
