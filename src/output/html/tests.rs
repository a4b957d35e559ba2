use super::charts::{Segment, part};
use super::comparisons::difference;
use super::dumps::reconciled_view;
use super::slots::shade;
use super::view::{Figure, NAME_SHOWN, Name, minute_view, time_view};
use super::*;
use crate::access::LogKind;
use crate::analyze::Rebalance;
use crate::analyze::access::*;
use crate::analyze::big::{BigKey, BigKeys, Judgement};
use crate::analyze::causes::{Cause, CausePart, NodeCauses, PatternDifference, Scaled};
use crate::analyze::compression::CompressionSample;
use crate::analyze::cost::COST_MODEL;
use crate::analyze::hot::*;
use crate::analyze::pieces::SlotOwners;
use crate::analyze::rebalance::{LeftAlone, SlowKey};
use crate::analyze::remedy::Step;
use crate::analyze::savings::{Form, FormRow, Saved, SavingsRow, SettingRow, SmallStringsRow};
use crate::analyze::slots::{SlotKeyRow, SlotRow, SlotsRow, TagRow, TagsRow};
use crate::analyze::summary::{
    AuxRow, ClusterRow, ComparedType, DamageRow, DatabaseRow, EncodingRow, Imbalance, LeftOut, MisplacedKey,
    MissingMaster, NodeType, TypeTop,
};
use crate::analyze::summary::{
    BucketRow, Comparison, DumpRole, DumpRow, Finding, FindingKind, KeyRow, NodeRow, PatternRow, TotalsRow, TypeRow,
};
use crate::analyze::thresholds::BigThresholds;
use crate::analyze::top::TopKey;
use crate::analyze::top::tests::record;
use crate::cluster::migrate::{MIGRATE_MODEL, SlotMigration};
use crate::cluster::plan::{Bound, Evenness, Fate, Load, Move, NodeName, Plan, PlannedNode};
use crate::cluster::topology::SlotRange;
use crate::memory::Server;
use crate::record::{Encoding, KeyRecord, ValueType};
use crate::report::tests::summary_of_nothing;
use crate::value::ModuleName;

const HOSTILE: &str = "<script>alert(1)</script>\"><img src=x onerror='alert(2)'>{{ 7 }}</title></style>";

fn page(summary: &Summary) -> String {
    let mut out = Vec::new();
    render(summary, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn totals(keys: u64, bytes: u64) -> TotalsRow {
    TotalsRow {
        keys,
        key_tables_bytes: 0,
        footprint_bytes: bytes,
        memory_usage_bytes: bytes,
        serialized_bytes: bytes / 2,
        elements: keys * 3,
    }
}

fn key(name: &str, bytes: u64) -> KeyRow {
    KeyRow {
        database: 0,
        value_type: ValueType::Hash,
        key: name.to_owned(),
        size_in_bytes: Some(bytes),
        encoding: Some("listpack"),
        num_elements: Some(12_345),
        len_largest_element: Some(4096),
        expiry: Some("2026-01-02T03:04:05.678Z".to_owned()),
        node: HOSTILE.to_owned(),
        slot: 7,
        serialized_bytes: bytes / 3,
        freq: Some(200),
        idle_seconds: None,
        footprint_bytes: Some(bytes),
        fields_with_expiry: Some(1),
    }
}

/// A big hash, of a cluster whose nodes have hostile names.
fn big_key(number: u64) -> BigKey {
    let name = format!("{}{number}", HOSTILE.replace('{', "")); // no hash tag
    let record = KeyRecord {
        value_type: ValueType::Hash,
        encoding: Some(Encoding::Hashtable),
        elements: Some(12_345),
        largest_element_bytes: Some(4096),
        serialized_bytes: (5 << 30) / 3,
        expire_at_ms: Some(1_767_323_045_678),
        freq: Some(200),
        slot: 7,
        ..record(name.as_bytes(), 5 << 30)
    };
    let sample =
        CompressionSample { sample_bytes: 1000, compressed_bytes: 250, elements: 10, elements_bytes: 1_000_000 };
    let owners = SlotOwners { nodes: vec![HOSTILE.to_owned()], owners: vec![Some(0); 16_384] };
    let judgement = Judgement { thresholds: &BigThresholds::default(), costs: &COST_MODEL, owners: &owners };
    judgement.big_key(&TopKey::new(0, &record, Some(sample)), HOSTILE, Server::newest()).unwrap()
}

fn tag() -> TagRow {
    TagRow { tag: HOSTILE.to_owned(), slot: 1, node: HOSTILE.to_owned(), keys: 5, footprint_bytes: 580 }
}

fn dump(name: &str) -> DumpRow {
    DumpRow {
        name: name.to_owned(),
        path: HOSTILE.to_owned(),
        role: DumpRole::Counted,
        format: Some("REDIS 12".to_owned()),
        written_by: Some(HOSTILE.to_owned()),
        modelled_as: Some("redis-7.4".to_owned()),
        cluster_mode: true,
        saved_at: Some("2026-01-02T03:04:05.000Z".to_owned()),
        complete: false,
        checksum: "not reached",
        error: Some(HOSTILE.to_owned()),
        error_at_byte: Some(12),
        damaged_keys: 30,
        damages: vec![DamageRow { at_byte: 9, key: HOSTILE.to_owned(), what: HOSTILE.to_owned() }],
        notes: vec![HOSTILE.to_owned()],
        policy: Some("LFU"),
        trailing_bytes: None,
        rdb_bytes: 123_456,
        totals: totals(10, 900),
        used_memory_bytes: Some(1000),
        empty_server_bytes: Some(200),
        other_bytes: Some(-100),
        aux: vec![AuxRow { name: HOSTILE.to_owned(), value: HOSTILE.to_owned() }],
        functions: 2,
        modules: vec![HOSTILE.to_owned()],
    }
}

/// Something in every section, in numbers, and hostile wherever a name can stand.
fn full() -> Summary {
    let module = ValueType::Module(ModuleName::from_id(0x1234_5678_9abc_def0));
    let keys: Vec<KeyRow> = (0..250).map(|n| key(&format!("{HOSTILE}:{n}"), 250 - n)).collect();
    let buckets = vec![
        BucketRow { label: "expired", keys: 3, footprint_bytes: 300 },
        BucketRow { label: "later", keys: 4, footprint_bytes: 5000 },
    ];
    let types = [ValueType::Hash, module].map(|value_type| TypeRow {
        value_type,
        totals: totals(40, 5000),
        p50_bytes: 64,
        p99_bytes: 900,
        largest_bytes: 1000,
        most_elements: 77,
        big_keys: 2,
        critical_keys: 1,
        fields_with_expiry: 5,
        sizes: vec![(64, 3), (128, 0), (256, 37)],
        encodings: vec![EncodingRow { encoding: "listpack", totals: totals(40, 5000), largest_bytes: 1000 }],
    });
    let node = |n: u64| NodeRow {
        name: format!("{HOSTILE}{n}"),
        address: Some(HOSTILE.to_owned()),
        id: Some(HOSTILE.to_owned()),
        totals: totals(40, 1000 * (n + 1)),
        slots_with_keys: 12,
        slots_owned: Some("0-99".to_owned()),
        slots_owned_count: Some(100),
        misplaced_keys: n,
        by_type: vec![NodeType { value_type: ValueType::Hash, keys: 40, footprint_bytes: 1000 * (n + 1) }],
        heat: Some(9),
        estimated_hits: Some(70),
        used_memory_bytes: None,
    };
    Summary {
        complete: false,
        dumps: vec![dump("a"), DumpRow { role: DumpRole::SameAs(HOSTILE.to_owned()), ..dump(HOSTILE) }],
        findings: vec![Finding {
            severity: Severity::Critical,
            kind: FindingKind::BigKey,
            text: HOSTILE.to_owned(),
            advice: HOSTILE.to_owned(),
            big_key: Some(0),
        }],
        totals: totals(80, 10_000),
        nodes: (0..100).map(node).collect(),
        imbalance: Some(Imbalance {
            largest_node: HOSTILE.to_owned(),
            largest_bytes: 100_000,
            mean_bytes: 50_500,
            max_to_mean_per_mille: 1980,
            estimated_hits_max_to_min_per_mille: Some(1000),
            causes: vec![NodeCauses {
                node: HOSTILE.to_owned(),
                difference_bytes: 49_500,
                parts: [
                    Cause::Key { key: HOSTILE.to_owned(), slot: 1, node: HOSTILE.to_owned(), of_bytes: 9 },
                    Cause::Tag { tag: HOSTILE.to_owned(), slot: 2, node: HOSTILE.to_owned(), of_bytes: 9 },
                    Cause::Rest { slots: 12 },
                ]
                .map(|cause| CausePart { bytes: 16_500, cause })
                .to_vec(),
                patterns: vec![PatternDifference { pattern: HOSTILE.to_owned(), bytes: 900 }],
            }],
        }),
        cluster: Some(ClusterRow {
            owners_from: "nodes file",
            uncovered: "5-9".to_owned(),
            uncovered_count: 5,
            shared: String::new(),
            shared_count: 0,
            missing_masters: vec![MissingMaster {
                id: HOSTILE.to_owned(),
                address: HOSTILE.to_owned(),
                slots: "5-9".to_owned(),
                slots_count: 5,
            }],
            misplaced_keys: 4,
            misplaced_slots: "3".to_owned(),
            misplaced_examples: vec![MisplacedKey { node: HOSTILE.to_owned(), key: HOSTILE.to_owned(), slot: 3 }],
        }),
        slots: SlotsRow {
            with_keys: 12,
            bins: (0..256).map(|n| n * n).collect(),
            key_bins: (0..256).collect(),
            heat_bins: (0..256).rev().collect(),
            heaviest: vec![
                SlotRow {
                    slot: 1,
                    node: HOSTILE.to_owned(),
                    node_bytes: 1000,
                    keys: 5,
                    footprint_bytes: 600,
                    largest_key: Some(SlotKeyRow { key: HOSTILE.to_owned(), footprint_bytes: 590 }),
                    main_tag: Some(tag()),
                };
                20
            ],
            tags: TagsRow {
                keys: 50,
                footprint_bytes: 700,
                distinct: 30,
                nodes_with_too_many: vec![HOSTILE.to_owned(); 30],
                most_per_node: 65_536,
                long_keys: 3,
                long_bytes: 90,
                heaviest: vec![tag(); 50],
            },
        },
        types: types.to_vec(),
        savings: SavingsRow {
            settings: vec![SettingRow {
                setting: "hash-max-listpack-entries",
                value: 512,
                within_twice: Saved::default(),
                within_four_times: Saved { keys: 3, footprint_bytes: 900, saved_bytes: 500 },
            }],
            forms: [Form::MixedIntegerSets, Form::PlainNumbers, Form::CompressibleStrings]
                .map(|form| FormRow { form, saved: Saved { keys: 3, footprint_bytes: 900, saved_bytes: 500 } })
                .to_vec(),
            small_strings: vec![SmallStringsRow {
                pattern: HOSTILE.to_owned(),
                value_bytes: 12,
                key_footprint_bytes: 90,
                saved: Saved { keys: 3000, footprint_bytes: 270_000, saved_bytes: 200_000 },
            }],
            fields_per_hash: 64,
        },
        databases: vec![DatabaseRow { database: 3, totals: totals(80, 10_000), keys_with_expiry: 7 }; 2],
        expiry: crate::analyze::summary::ExpiryRow {
            persistent: totals(73, 5000),
            volatile: totals(7, 5300),
            freed: buckets.clone(),
            permanent_patterns: (0..20).collect(),
            buckets: buckets.clone(),
        },
        freq: Some(FreqRow {
            bands: buckets.iter().cloned().map(band).collect(),
            lfu_log_factor: 10,
            estimated_hits: 1000,
            hottest: keys.iter().cloned().map(HotKey::new).collect(),
            hottest_slots: vec![HotSlot { slot: 1, node: HOSTILE.to_owned(), keys: 5, estimated_hits: 60 }; 20],
        }),
        cold: Some(ColdRow {
            at_least: buckets.iter().cloned().map(|bucket| ColdStep { idle_seconds: 60, bucket }).collect(),
            keys: keys.iter().cloned().map(ColdKey::new).collect(),
        }),
        access: Some(access(&keys)),
        hot_keys: hot_keys(&keys),
        idle: Some(buckets),
        biggest: keys.clone(),
        longest: keys.clone(),
        biggest_of_type: vec![
            TypeTop { value_type: "hash", keys: keys.clone() },
            TypeTop { value_type: "module", keys },
        ],
        patterns: (0..150)
            .map(|n| PatternRow {
                pattern: format!("{HOSTILE}:{n}:*"),
                regex: None,
                keys: 9,
                footprint_bytes: 900 - n,
                serialized_bytes: 100,
                elements: 9,
                largest_bytes: 200,
                persistent_keys: 3,
                persistent_bytes: 300,
                expired_keys: 1,
                expired_bytes: 100,
                types: vec!["hash", "module"],
            })
            .collect(),
        patterns_left_out: LeftOut { rows: 5, keys: 50, footprint_bytes: 500, serialized_bytes: 50, elements: 55 },
        comparisons: vec![Comparison {
            name: HOSTILE.to_owned(),
            memory_usage_bytes: 9000,
            footprint_bytes: 11_000,
            by_type: vec![ComparedType {
                value_type: ValueType::Hash,
                memory_usage_bytes: 4500,
                footprint_bytes: 5500,
            }],
        }],
        big_keys: BigKeys { total: 70, critical: 3, keys: (0..30).map(big_key).collect(), cost_model: COST_MODEL },
        ..summary_of_nothing()
    }
}

fn band(bucket: BucketRow) -> BandRow {
    BandRow {
        counter_from: 0,
        counter_to: 5,
        estimated_hits_from: 0,
        estimated_hits_to: None,
        estimated_hits: 7,
        bucket,
    }
}

fn access(keys: &[KeyRow]) -> AccessRow {
    let hits = HitsRow {
        hits: 50,
        reads: 30,
        writes: 10,
        increments: 10,
        slow_calls: 3,
        slow_us: 70_000,
        hits_per_second_per_mille: Some(9_500),
    };
    let key = |row: &KeyRow| AccessKey {
        key: row.key.clone(),
        slot: 7,
        node: Some(HOSTILE.to_owned()),
        hits,
        keys_in_dumps: 2,
        dump: Some(row.clone()).filter(|_| row.key.len().is_multiple_of(2)),
    };
    let command = CommandRow { command: HOSTILE.to_owned(), calls: 7, slow_us: 9 };
    AccessRow {
        logs: vec![
            LogRow {
                kind: LogKind::Slowlog,
                path: HOSTILE.to_owned(),
                lines: 9,
                commands: 8,
                without_keys: 7,
                not_understood: 6,
                cut_lines: 5,
                cut_names: 4,
                malformed_lines: 3,
                first_malformed_line: Some(2),
                from: None,
                to: None,
                span_ms: Some(1000),
            };
            2
        ],
        has_hits: true,
        total: HitsRow { hits: 1000, ..hits },
        names: 20,
        names_not_in_dumps: 3,
        names_looked_for: 10,
        forgotten_names: 5,
        forgotten_hits: 6,
        short_by: 1,
        commands: vec![command.clone(); 15],
        not_understood: vec![command],
        keys: keys.iter().map(key).collect(),
        slow_keys: keys.iter().map(key).collect(),
        nodes: vec![AccessNode { node: HOSTILE.to_owned(), hits }; 30],
        no_nodes: Some("nobody knows"),
        slots: vec![AccessSlot { slot: 7, node: None, hits }; 20],
    }
}

fn hot_keys(keys: &[KeyRow]) -> HotKeys {
    let big = |key: &KeyRow| HotBig {
        severity: Severity::Critical,
        hits: Some(50),
        estimated_hits: Some(70),
        whole_bytes: 1 << 30,
        key: key.clone(),
    };
    let remedy = HotRemedy {
        key: HOSTILE.to_owned(),
        is_escaped: true,
        slot: 7,
        node: Some(HOSTILE.to_owned()),
        why: HOSTILE.to_owned(),
        steps: vec![Step { command: HOSTILE.to_owned(), text: HOSTILE.to_owned() }],
        names_are: "shards",
        names: vec![CopyRow { key: HOSTILE.to_owned(), slot: 9, node: HOSTILE.to_owned() }; 3],
        note: Some(HOSTILE.to_owned()),
    };
    HotKeys { hot_and_big: keys.iter().map(big).collect(), remedies: vec![remedy; 3] }
}

/// The start tags of the page, as text between their brackets, with attributes that hold no brackets: what the
/// templates escape cannot make one.
fn tags(page: &str) -> Vec<&str> {
    page.split("<script>")
        .next()
        .unwrap_or_default()
        .split('<')
        .skip(1)
        .filter_map(|rest| rest.split('>').next())
        .collect()
}

#[test]
fn every_section_is_there_and_says_why_it_is_empty() {
    let page = page(&summary_of_nothing());
    for (id, reason) in [
        ("findings", "No dump was given."),
        ("read", "No dump was given."),
        ("nodes", "there is no node to show"),
        ("slots", "There are no keys"),
        ("plan", "nothing to plan"),
        ("types", "There are no keys"),
        ("big", "No key crosses a threshold"),
        ("biggest", "There are no keys"),
        ("longest", "There are no keys"),
        ("patterns", "There are no keys"),
        ("expiry", "There are no keys"),
        ("heat", "Hot keys are not known"),
        ("databases", "There are no keys"),
        ("comparisons", "None was asked for"),
        ("how", "Allocator assumed"),
    ] {
        let section =
            page.split(&format!("<section id=\"{id}\">")).nth(1).and_then(|rest| rest.split("</section>").next());
        assert!(section.is_some_and(|section| section.contains(reason)), "{id}");
        assert!(page.contains(&format!("href=\"#{id}\"")), "{id} is not among the contents");
    }
}

#[test]
fn loads_nothing_and_runs_nothing() {
    for page in [page(&summary_of_nothing()), page(&full())] {
        assert!(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-"));
        assert_eq!(page.matches("<script>").count(), 1);
        for tag in tags(&page) {
            let name = tag.split([' ', '\n']).next().unwrap_or(tag);
            assert!(!matches!(name, "img" | "link" | "iframe" | "object" | "base" | "form"), "{tag}");
            // What stands outside of quotes: the attributes' names.
            let attributes: String = tag.split('"').step_by(2).collect();
            assert!(!attributes.contains(" on") && !attributes.contains(" src="), "{tag}");
            assert!(!attributes.contains("href=") || tag.contains("href=\"#"), "{tag}");
        }
        assert!(!page.contains("url(") && !page.contains("@import") && !page.contains("://"));
    }
}

#[test]
fn only_the_script_may_run() {
    let page = page(&full());
    let script = page.split("<script>").nth(1).unwrap().split("</script>").next().unwrap();
    assert_eq!(script, SCRIPT);
    let hash = BASE64_STANDARD.encode(Sha256::digest(script));
    assert!(page.contains(&format!("script-src 'sha256-{hash}'")));
    for bad in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch(", "Function("] {
        assert!(!SCRIPT.contains(bad), "{bad}");
    }
}

#[test]
fn names_are_never_markup() {
    let page = page(&full());
    // Wherever the name stands, it is whole and escaped.
    assert!(!page.contains("<script>alert") && !page.contains("<img") && !page.contains("\"><img"));
    assert!(!page.contains("onerror='"));
    assert!(page.matches("&#60;script&#62;").count() > 100);
    assert_eq!(page.matches("</title>").count(), page.matches("<title>").count());
    assert_eq!(page.matches("</style>").count(), 1);
}

#[test]
fn elements_are_closed_in_their_order() {
    for page in [page(&summary_of_nothing()), page(&full())] {
        let body = &page[page.find("</style>").unwrap()..];
        let mut open = vec!["html", "head", "style"];
        for tag in tags(body).into_iter().chain(["/body", "/html"]) {
            let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap_or("");
            match name {
                "meta" | "input" => {}
                _ if tag.ends_with('/') => {}
                _ if tag.starts_with('/') => assert_eq!(open.pop(), Some(name), "{open:?}"),
                _ => open.push(name),
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }
}

#[test]
fn pictures_have_words_and_stay_in_their_frames() {
    let page = page(&full());
    let svgs: Vec<&str> =
        tags(&page).into_iter().filter(|tag| tag.starts_with("svg") && !tag.starts_with("svg x=")).collect();
    assert!(svgs.len() > 60);
    for svg in svgs {
        assert!(svg.contains("role=\"img\"") && svg.contains("aria-label=\""), "{svg}");
        assert!(svg.contains("viewBox") || svg.contains("class=\"map"), "{svg}");
    }
    let view = nodes_view_of(&full());
    for bar in view {
        let last = bar.last().unwrap();
        assert!(last.x >= 0.0 && last.x + last.width <= 100.01, "{} {}", last.x, last.width);
    }
    assert_eq!([part(1, 3), part(0, 0), part(5, 5)], [33.33, 0.0, 100.0]);
}

fn nodes_view_of(summary: &Summary) -> Vec<Vec<Segment>> {
    nodes_view(summary).bars.into_iter().map(|bar| bar.segments).collect()
}

#[test]
fn lists_are_folded_and_cut() {
    let rows: Vec<u32> = (0..130).collect();
    let list = List::new(&rows, 20, 100, |n| *n);
    assert_eq!((list.first.len(), list.rest.len(), list.left_out), (20, 80, 30));
    let list = List::new(&rows[..25], 20, 100, |n| *n);
    assert_eq!((list.first.len(), list.rest.len(), list.left_out), (25, 0, 0));
    let page = page(&full());
    assert!(page.contains("150 more are left out of this page") && page.contains("Show 80 more"));
    // 150 patterns of which 100 are listed, and the 5 that the summary leaves out itself.
    assert!(page.contains("55 smaller patterns are left out: together 500 keys"));
    assert!(page.contains("The fullest nodes are drawn; 36 more are in the table."));
}

#[test]
fn says_what_does_not_add_up() {
    let view = reconciled_view(&dump("a"), 1100);
    assert_eq!(view.other.text, "\u{2212}100 B");
    assert_eq!(view.other_share.text, "\u{2212}10.0 %");
    assert!(view.words.contains("the estimate is too high"), "{}", view.words);
    assert!(view.words.contains("could not be read"), "{}", view.words);
    assert_eq!((view.mark, view.bar.segments[2].width), (90.91, 0.0));
    let view = reconciled_view(&DumpRow { used_memory_bytes: Some(2000), other_bytes: Some(900), ..dump("a") }, 2000);
    assert_eq!(view.bar.segments.iter().map(|s| s.width).sum::<f64>(), 100.0);
    let page = page(&full());
    assert!(
        page.contains("<strong>Incomplete.</strong>")
            && page.contains("1 master has no dump here: 5 slots are not covered")
    );
}

#[test]
fn words_and_times() {
    assert_eq!(verdict(&summary_of_nothing()), "Nothing could be read: this page has no figures.");
    assert_eq!(
        verdict(&full()),
        "100 nodes hold 80 keys in 9.77 KiB: 1 critical finding. Not everything could be read."
    );
    assert_eq!(time_view("2026-01-02T03:04:05.678Z").text, "2026-01-02 03:04:05");
    assert_eq!(minute_view("2026-01-02T03:04:05.678Z").text, "2026-01-02 03:04");
    assert_eq!(minute_view("9223372036854775807").text, "9223372036854775807");
    assert_eq!(difference(150, 100), ("+50.0 %".to_owned(), "more"));
    assert_eq!(difference(50, 100), ("\u{2212}50.0 %".to_owned(), "less"));
    assert_eq!(difference(7, 7), ("same".to_owned(), ""));
    assert_eq!(difference(7, 0), (String::new(), ""));
    let name = Name::new(&"\u{e9}".repeat(600));
    assert_eq!(name.text.chars().count(), NAME_SHOWN + 1);
    assert!(name.title.ends_with("\u{2026} (600 characters)"));
    assert_eq!([shade(100, 100), shade(25, 100), shade(24, 100), shade(1, 1 << 40)], ["s0", "s0", "s1", "s5"]);
}

#[test]
fn figures_have_what_they_are_sorted_by() {
    let parts = |figure: Figure| (figure.text, figure.exact, figure.value);
    let text = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(parts(Figure::bytes(1536)), text("1.50 KiB", "1,536 bytes", "1536"));
    assert_eq!(parts(Figure::bytes(7)), text("7 B", "", "7"));
    assert_eq!(parts(Figure::signed(-2048)), text("\u{2212}2.00 KiB", "\u{2212}2,048 bytes", "-2048"));
    assert_eq!(parts(Figure::count(999)), text("999", "", ""));
    assert_eq!(parts(Figure::count(1000)), text("1,000", "", "1000"));
    assert_eq!(parts(Figure::count_if_any(0)), text("", "", ""));
    assert_eq!(parts(Figure::share(1, 4)), text("25.0 %", "", "0.250000"));
    assert_eq!(parts(Figure::duration(5100)), text("5 s", "", "5100"));
}

#[test]
fn the_plan_is_shown_whole_and_in_order() {
    let node = |name: &str, before, after| PlannedNode {
        node: NodeName { name: name.to_owned(), id: None, address: None },
        fate: Fate::Stays,
        before: Load { bytes: before, keys: 3, slots: 2 },
        after: Load { bytes: after, keys: 3, slots: 2 },
    };
    let evenness = |largest_bytes| Evenness {
        largest: 0,
        largest_bytes,
        mean_bytes: 500,
        max_to_mean_per_mille: Some(largest_bytes * 2),
    };
    let slots = vec![SlotRange { first: 7, last: 9 }];
    let load = Load { bytes: 300, keys: 1, slots: 3 };
    let summary = Summary {
        rebalance: Some(Rebalance {
            scaling: vec![Scaled { nodes: 4, mean_bytes: 9, largest_bytes: 90, bound_slot: Some(1) }],
            plan: Plan {
                tolerance_percent: 5,
                goal_bytes: 525,
                goal_reached: true,
                bound: Bound { bytes: 500, is_slot: false, heaviest_slot: Some(7), heaviest_slot_bytes: 100 },
                nodes: vec![node(HOSTILE, 800, 500), node("b", 200, 500)],
                before: evenness(800),
                after: evenness(500),
                moves: vec![Move { from: 0, to: 1, ranges: slots.clone(), load }],
                moved: load,
                moved_empty_slots: 1,
            },
            owners_from: "dumps",
            migration: SlotMigration::SetSlot,
            slow_keys: vec![SlowKey { estimate_ms: 6100, key: key(HOSTILE, 1 << 30) }],
            slow_keys_complete: false,
            migrate_model: MIGRATE_MODEL,
            heaviest_key: None,
            left_alone: vec![LeftAlone { why: "no node owns them", ranges: slots, load }],
            notes: vec![HOSTILE.to_owned()],
        }),
        ..full()
    };
    let page = page(&summary);
    let section = page.split("<section id=\"plan\">").nth(1).unwrap().split("</section>").next().unwrap();
    let places: Vec<usize> = [
        "3 slots move",
        "would not move within MIGRATE’s 5 s",
        ">6 s<",
        "Nodes now and then",
        "<h3>Moves",
        "7-9",
        "No node owns them.",
        "#!/bin/sh",
    ]
    .iter()
    .map(|text| section.find(text).unwrap_or_else(|| panic!("{text}")))
    .collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(section.contains("1 of the slots that move has no keys.") && section.contains("there may be more"));
    assert!(!section.contains("<script") && !section.contains("<img"));
    assert!(section.contains("width=\"62.5\"") && section.contains("800 B → 500 B"));
}

#[test]
fn patterns_are_drawn_by_each_measure() {
    let view = patterns_view(&full());
    let labels: Vec<&str> = view.maps.iter().map(|map| map.label).collect();
    assert_eq!(labels, ["Memory", "Keys", "Elements", "Serialized"]);
    for map in &view.maps {
        // 60 of 150, and one for the other 90 and the 5 that the summary leaves out.
        assert_eq!(map.rects.len(), 61);
        let area: f64 = map.rects.iter().map(|rect| rect.place.width * rect.place.height).sum();
        assert!((area - 10_000.0).abs() < 50.0, "{area}");
        let others = map.rects.iter().find(|rect| rect.class == "others").unwrap();
        assert!(others.name == "95 other patterns" && others.row.is_empty());
    }
    let keys = view.maps[1].rects.iter().find(|rect| rect.class == "mix").unwrap();
    assert!(keys.title.ends_with("9 keys (0.6 %); hash, module"), "{}", keys.title);
    assert_eq!(view.legend.iter().map(|key| key.class).collect::<Vec<_>>(), ["t4", "t6", "mix", "others"]);
    let page = page(&full());
    let rows: Vec<&str> = page.split("<a href=\"#pattern-").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(rows.len() > 100 && rows.iter().all(|row| page.contains(&format!("<tr id=\"pattern-{row}\">"))));
}

#[test]
fn big_keys_have_costs_and_runbooks() {
    let page = page(&full());
    let section = page.split("<section id=\"big\">").nth(1).unwrap().split("</section>").next().unwrap();
    assert!(section.contains("70 keys are big, 3 of them critical") && section.contains("40 more are left out"));
    assert!(page.contains("href=\"#big-0\"") && page.contains("href=\"#runbook-0\""));
    for id in (0..30).map(|n| format!("<tr id=\"big-{n}\">")).chain((0..20).map(|n| format!("id=\"runbook-{n}\""))) {
        assert_eq!(section.matches(&id).count(), 1, "{id}");
    }
    assert!(section.contains("HGETALL KEY") && section.contains("1 Gbit/s"));
    assert!(
        section.contains(">25.0 %<")
            && section.contains("UNLINK</th>")
            && section.contains("Split it into 512 or more")
    );
    assert!(section.contains("would land 512 on &#60;script&#62;"), "where the pieces land");
    // 1.67 GiB take 14 s at 1 Gbit/s, and 1.8 s to serialise and as much to restore.
    assert!(
        section.contains("<td class=\"n bad\" data-v=\"179")
            && section.contains(">17 s<")
            && section.contains(">14 s<")
    );
}
