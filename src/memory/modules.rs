//! What modules answer when MEMORY USAGE asks them.
//!
//! Of all modules' values only vector sets are understood (Redis 8.0 on, `modules/vector-sets`): their callback,
//! `VectorSetMemUsage` in `vset.c`, is followed to the byte. It is an extrapolation itself: it takes 4/3 layers a node
//! for granted, and the length of all names from twenty of them.

use super::model::{Cost, Model};
use crate::rdb::RdbStr;
use crate::value::ModuleName;

/// Module types that answer MEMORY USAGE; what they say cannot be worked out from the dump, and the length of the
/// value in the dump stands for it. All other types do not answer, and count for nothing. Vector sets are here for
/// those that are not as they should be.
const ANSWERING: &[&str] = &[
    "ReJSON-RL",
    "MBbloom--",
    "MBbloomCF",
    "CMSk-TYPE",
    "TopK-TYPE",
    "TDIS-TYPE",
    "TSDB-TYPE",
    "bloomfltr",
    "vectorset",
];

/// Id of `vectorset`, version 0 of its encoding.
const VECTOR_SET: u64 = 0xbde7_2da2_bb1e_b400;

/// Follows a module's value as far as it is understood.
#[derive(Debug, Default)]
pub(super) struct ModuleMeter {
    id: u64,
    /// Boxed, because it is large and few values are vector sets.
    vector_set: Option<Box<VectorSet>>,
}

impl ModuleMeter {
    pub(super) fn begin(&mut self, id: u64) {
        self.id = id;
        self.vector_set = (id == VECTOR_SET).then(|| Box::new(VectorSet::new()));
    }

    pub(super) fn number(&mut self, bits: u64) {
        if let Some(set) = &mut self.vector_set {
            set.next = set.number(bits).unwrap_or(Item::Broken);
        }
    }

    pub(super) fn string(&mut self, value: RdbStr<'_>) {
        if let Some(set) = &mut self.vector_set {
            set.next = set.string(value).unwrap_or(Item::Broken);
        }
    }

    pub(super) fn cost(&self, model: &Model, serialized_bytes: u64) -> Cost {
        if let Some(set) = self.finished() {
            return Cost { usage: set.usage(model), real: set.real(model) };
        }
        let name = ModuleName::from_id(self.id);
        let usage = if ANSWERING.contains(&name.as_str()) { serialized_bytes } else { 0 };
        Cost { usage, real: serialized_bytes }
    }

    /// Number of elements of a vector set (VCARD).
    pub(super) fn elements(&self) -> Option<u64> {
        self.finished().map(|set| set.elements)
    }

    /// The vector set, if all its items came and fit.
    fn finished(&self) -> Option<&VectorSet> {
        self.vector_set.as_deref().filter(|set| set.next == Item::End)
    }
}

// Sizes of structs in bytes, and limits; `hnsw.h`, `hnsw.c`, `vset.c`, `module.c`, with glibc's pthread locks.
const VSET_OBJECT: u64 = 112;
const HNSW: u64 = 1672;
const NODE: u64 = 312;
const LAYER: u64 = 24;
const NODE_VALUE: u64 = 16;
const POINTER: u64 = 8;
const OBJECT: u64 = 16;
const MODULE_VALUE: u64 = 16;
const MODULE_DICT: u64 = 8;
const DEFAULT_M: u64 = 16;
const MAX_M: u64 = 4096;
const MAX_LAYERS: usize = 17;
/// The callback looks at the strings of so many nodes.
const SCANNED: usize = 20;
const HAS_PROJECTION: u64 = 1;
const HAS_ATTRIBUTES: u64 = 2;

/// What comes next in a vector set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Dim,
    Count,
    Config,
    Flags,
    InputDim,
    Matrix,
    // Per element; from `Id` on they are its node's parameters.
    Name,
    Attribute,
    Vector,
    Parameters,
    Id,
    Level,
    // Per layer of the node.
    Links,
    MaxLinks,
    Neighbour,
    Worst,
    // Per element again.
    Norm,
    End,
    /// Something was not as it should be; the server would not load it.
    Broken,
}

/// A string as the loader makes it.
#[derive(Clone, Copy, Debug, Default)]
struct Text {
    len: u64,
    /// In one block with its object. Not so where the dump has it compressed.
    embedded: bool,
}

impl Text {
    fn new(value: RdbStr<'_>) -> Text {
        let len = value.len();
        Text { len, embedded: len <= 44 && !matches!(value, RdbStr::Lzf { .. }) }
    }

    /// Bytes asked of the allocator for the text, and with it the object if it is embedded.
    fn request(self) -> u64 {
        let header = match self.len {
            _ if self.embedded => OBJECT + 3,
            0..32 => 1,
            32..=252 => 3,
            253..=65_530 => 5,
            _ => 9,
        };
        self.len.saturating_add(header + 1)
    }

    /// What the module is told of it (`RM_MallocSizeString`).
    fn told(self, model: &Model) -> u64 {
        let object = if self.embedded { 0 } else { OBJECT };
        model.classes.of(self.request()).saturating_add(object)
    }
}

/// Requests up to this many bytes are told apart.
const SMALL_BYTES: u64 = 1024;

/// Allocations of many sizes. All allocators have classes of whole 8 bytes, so this loses nothing of the small ones;
/// the rest are taken to be equal.
#[derive(Debug)]
struct Blocks {
    /// How many, by request in units of 8 bytes, rounded up.
    small: [u64; SMALL_BYTES as usize / 8 + 1],
    large: u64,
    large_bytes: u64,
}

impl Blocks {
    fn add(&mut self, request: u64) {
        if request <= SMALL_BYTES {
            self.small[request.div_ceil(8) as usize] += 1;
        } else {
            self.large += 1;
            self.large_bytes = self.large_bytes.saturating_add(request);
        }
    }

    fn bytes(&self, model: &Model) -> u64 {
        let of = |request, count| model.classes.of(request).saturating_mul(count);
        let small = (0..).step_by(8).zip(self.small).filter(|(_, count)| *count > 0);
        let large = self.large_bytes.checked_div(self.large).map_or(0, |average| of(average, self.large));
        small.map(|(request, count)| of(request, count)).fold(large, u64::saturating_add)
    }
}

/// Bytes of a name that are compared with the name before.
const KEPT_BYTES: usize = 64;

/// A vector set, item by item. Only items that came are counted; the counts in them are compared with that.
#[derive(Debug)]
struct VectorSet {
    next: Item,
    dim: u64,
    claimed: u64,
    vector_bytes: u64,
    /// The graph's parameter M: a node has room for twice as many links at the bottom, and for M in other layers.
    m: u64,
    flags: u64,
    input_dim: u64,
    elements: u64,
    with_attribute: u64,
    /// Name and attribute of the latest elements, in a ring.
    latest: [(Text, Option<Text>); SCANNED],
    /// Room for links at the bottom of the latest node.
    bottom_links: u64,
    /// How many nodes have so many layers.
    nodes: [u64; MAX_LAYERS + 1],
    /// Room for links beyond what M gives.
    links_over: u64,
    /// Names, attributes, and the radix tree's runs of single bytes.
    blocks: Blocks,
    /// How many of the strings have an object apart from their text.
    objects: u64,
    node: Node,
    previous: [u8; KEPT_BYTES],
    previous_len: usize,
}

/// State within a node's parameters.
#[derive(Debug, Default)]
struct Node {
    /// Parameters claimed to come, and come.
    claimed: u64,
    seen: u64,
    /// Layers that it has, and those whose turn is still to come.
    layers: usize,
    layers_left: usize,
    tells_worst: bool,
    links_left: u64,
}

impl VectorSet {
    fn new() -> VectorSet {
        VectorSet {
            next: Item::Dim,
            dim: 0,
            claimed: 0,
            vector_bytes: 0,
            m: 0,
            flags: 0,
            input_dim: 0,
            elements: 0,
            with_attribute: 0,
            latest: [(Text::default(), None); SCANNED],
            bottom_links: 0,
            nodes: [0; MAX_LAYERS + 1],
            links_over: 0,
            blocks: Blocks { small: [0; SMALL_BYTES as usize / 8 + 1], large: 0, large_bytes: 0 },
            objects: 0,
            node: Node::default(),
            previous: [0; KEPT_BYTES],
            previous_len: 0,
        }
    }

    /// Takes a number and says what comes next.
    fn number(&mut self, bits: u64) -> Option<Item> {
        let node = &mut self.node;
        node.seen += 1;
        let fits = |max: u64| (bits <= max).then_some(bits);
        match self.next {
            Item::Dim => {
                self.dim = fits(u64::from(u32::MAX))?;
                Some(Item::Count)
            }
            Item::Count => {
                self.claimed = bits;
                Some(Item::Config)
            }
            Item::Config => {
                self.vector_bytes = match bits & 0xff {
                    0 => 4 * self.dim,              // as they are
                    1 => self.dim,                  // Q8
                    2 => self.dim.div_ceil(64) * 8, // BIN
                    _ => return None,
                };
                self.m = match (bits >> 8) & 0xffff {
                    0 => DEFAULT_M,
                    m => m.min(MAX_M),
                };
                Some(Item::Flags)
            }
            Item::Flags => {
                self.flags = fits(HAS_PROJECTION | HAS_ATTRIBUTES)?;
                Some(if bits & HAS_PROJECTION != 0 { Item::InputDim } else { self.next_element() })
            }
            Item::InputDim => {
                self.input_dim = fits(u64::from(u32::MAX))?;
                Some(Item::Matrix)
            }
            Item::Parameters => {
                *node = Node { claimed: bits, ..Node::default() };
                Some(Item::Id)
            }
            Item::Id => Some(Item::Level),
            Item::Level => {
                // The level in the lowest byte, the version in the fourth.
                node.layers = (bits & 0xff) as usize + 1;
                node.layers_left = node.layers;
                let version = (bits >> 24) & 0xff;
                node.tells_worst = version > 0;
                (node.layers <= MAX_LAYERS && version <= 1).then_some(Item::Links)
            }
            Item::Links => {
                node.links_left = bits;
                Some(Item::MaxLinks)
            }
            Item::MaxLinks => {
                let max_links = fits(4 * MAX_M).filter(|max| node.links_left <= *max)?;
                let bottom = node.layers_left == node.layers;
                let room = if bottom { 2 * self.m } else { self.m };
                self.links_over += max_links.saturating_sub(room);
                if bottom {
                    self.bottom_links = max_links.max(room);
                }
                Some(self.next_in_layer())
            }
            Item::Neighbour => {
                node.links_left -= 1; // it was not 0, or this would not have been next
                Some(self.next_in_layer())
            }
            Item::Worst => Some(self.next_layer()),
            Item::Norm => {
                self.nodes[node.layers] += 1;
                self.elements += 1;
                (node.seen == node.claimed).then(|| self.next_element())
            }
            _ => None,
        }
    }

    /// Takes a string and says what comes next.
    fn string(&mut self, value: RdbStr<'_>) -> Option<Item> {
        let ring = (self.elements % SCANNED as u64) as usize;
        match self.next {
            Item::Matrix => {
                let bytes = self.input_dim.checked_mul(4 * self.dim)?;
                (value.len() == bytes).then(|| self.next_element())
            }
            Item::Name => {
                let name = Text::new(value);
                self.latest[ring] = (name, None);
                self.add_text(name);
                self.add_run(value);
                Some(if self.flags & HAS_ATTRIBUTES != 0 { Item::Attribute } else { Item::Vector })
            }
            Item::Attribute => {
                // An empty one means that there is none.
                if !value.is_empty() {
                    let attribute = Text::new(value);
                    self.latest[ring].1 = Some(attribute);
                    self.add_text(attribute);
                    self.with_attribute += 1;
                }
                Some(Item::Vector)
            }
            Item::Vector => (value.len() == self.vector_bytes).then_some(Item::Parameters),
            _ => None,
        }
    }

    fn next_element(&self) -> Item {
        if self.elements == self.claimed { Item::End } else { Item::Name }
    }

    fn next_in_layer(&mut self) -> Item {
        match self.node.links_left {
            0 if self.node.tells_worst => Item::Worst,
            0 => self.next_layer(),
            _ => Item::Neighbour,
        }
    }

    fn next_layer(&mut self) -> Item {
        self.node.layers_left -= 1; // it was not 0, or no layer would have been next
        if self.node.layers_left == 0 { Item::Norm } else { Item::Links }
    }

    fn add_text(&mut self, text: Text) {
        self.blocks.add(text.request());
        self.objects += u64::from(!text.embedded);
    }

    /// Estimates the run of single bytes that the name's branch of the radix tree ends with: what follows the bytes
    /// shared with the name before. The nearest name is likely to share some more, the more the more names there are.
    fn add_run(&mut self, name: RdbStr<'_>) {
        let text = if let RdbStr::Raw(text) = name { text } else { &[] };
        let kept = &text[..text.len().min(KEPT_BYTES)];
        let shared = kept.iter().zip(&self.previous[..self.previous_len]).take_while(|(a, b)| a == b).count();
        self.previous[..kept.len()].copy_from_slice(kept);
        self.previous_len = kept.len();
        let nearer = (self.elements + 1).ilog2() / 4;
        let shared = shared as u64 + u64::from(nearer) + 1; // one is in the node where the branch begins
        match name {
            RdbStr::Int(_) => {} // numbers, so likely in a row
            _ if name.len() <= shared => {}
            _ => {
                let run = (name.len() - shared).saturating_add(4).checked_next_multiple_of(8);
                self.blocks.add(run.unwrap_or(u64::MAX).saturating_add(POINTER));
            }
        }
    }

    fn matrix_bytes(&self) -> u64 {
        self.input_dim.saturating_mul(4 * self.dim)
    }

    /// What the callback says.
    fn usage(&self, model: &Model) -> u64 {
        let n = self.elements;
        let base = (VSET_OBJECT + HNSW).saturating_add(self.matrix_bytes());
        if n == 0 {
            return base;
        }
        // The loader puts each node at the head of the list, and the callback goes by that: the last of the dump.
        let latest = &self.latest[..n.min(SCANNED as u64) as usize];
        let mut names = 0u64;
        let (mut attributes, mut with_attribute) = (0u64, 0);
        for (name, attribute) in latest {
            names = names.saturating_add(name.told(model));
            if let Some(attribute) = attribute {
                attributes = attributes.saturating_add(attribute.told(model));
                with_attribute += 1;
            }
        }
        // If it sees no attribute, it takes 64 bytes for one.
        let attribute = attributes.checked_div(with_attribute).unwrap_or(64);
        [
            (NODE + self.vector_bytes).saturating_mul(n),
            LAYER.saturating_mul(n).saturating_mul(4) / 3,
            (POINTER * self.bottom_links).saturating_mul(n),
            (POINTER * (self.bottom_links / 2)).saturating_mul(n) / 3,
            (names / latest.len() as u64).saturating_mul(n),
            attribute.saturating_mul(self.with_attribute),
            (2 * POINTER).saturating_mul(n), // the dictionary
        ]
        .into_iter()
        .fold(base, u64::saturating_add)
    }

    /// What the allocator hands out, block by block. Of the dictionary, a radix tree whose keys do not come in order,
    /// it is an estimate: a leaf of 16 bytes for a name, its branch of 10, and its run of single bytes. That is within
    /// a tenth or so of some thirty to eighty bytes, for numbered, random and worded names.
    fn real(&self, model: &Model) -> u64 {
        const BRANCH: u64 = 10;
        let n = self.elements;
        let of = |bytes: u64, count: u64| model.classes.of(bytes).saturating_mul(count);
        let mut sum = [VSET_OBJECT, HNSW, MODULE_VALUE, MODULE_DICT, model.layout.rax]
            .map(|bytes| of(bytes, 1))
            .into_iter()
            .fold(self.blocks.bytes(model), u64::saturating_add);
        let mut add = |bytes: u64| sum = sum.saturating_add(bytes);
        if self.flags & HAS_PROJECTION != 0 {
            add(of(self.matrix_bytes(), 1));
        }
        let mut upper_layers = 0u64;
        for (layers, nodes) in (0..).zip(self.nodes).filter(|(_, nodes)| *nodes > 0) {
            add(of(NODE + LAYER * layers, nodes));
            upper_layers = upper_layers.saturating_add(nodes.saturating_mul(layers - 1));
        }
        add(of(2 * POINTER * self.m, n));
        add(of(POINTER * self.m, upper_layers));
        add(self.links_over.saturating_mul(POINTER));
        add(of(self.vector_bytes, n));
        add(of(NODE_VALUE, n));
        add(of(OBJECT, self.objects));
        add(of(2 * POINTER, n).saturating_add(BRANCH.saturating_mul(n)));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::alloc::Allocator;
    use crate::memory::model::ModelOptions;
    use crate::memory::server::Server;
    use crate::memory::thresholds::Thresholds;

    fn model(version: &str) -> Model {
        let server = Server::redis(version).expect("a version");
        Model::new(ModelOptions {
            server,
            allocator: Allocator::Jemalloc,
            cluster: false,
            thresholds: Thresholds::default(),
        })
    }

    fn numbers(meter: &mut ModuleMeter, items: &[u64]) {
        items.iter().for_each(|&bits| meter.number(bits));
    }

    /// What to make the items of a vector set from; it has as many elements as there are numbers of layers.
    #[derive(Clone, Copy)]
    struct Items<'a> {
        dim: u64,
        quant: u64,
        m: u64,
        input_dim: u64,
        layers: &'a [u64],
        /// The name of the i-th of n elements.
        name: &'a dyn Fn(u64, u64) -> String,
        /// Whether every other element has a year for an attribute.
        years: bool,
    }

    impl Items<'_> {
        fn meter(&self) -> ModuleMeter {
            let n = self.layers.len() as u64;
            let mut meter = ModuleMeter::default();
            meter.begin(VECTOR_SET);
            let flags =
                if self.input_dim > 0 { HAS_PROJECTION } else { 0 } | if self.years { HAS_ATTRIBUTES } else { 0 };
            numbers(&mut meter, &[self.dim, n, self.quant | self.m << 8, flags]);
            if self.input_dim > 0 {
                meter.number(self.input_dim);
                meter.string(RdbStr::Raw(&vec![0; (4 * self.dim * self.input_dim) as usize]));
            }
            let vector = vec![0; [4 * self.dim, self.dim, self.dim.div_ceil(64) * 8][self.quant as usize] as usize];
            for (i, &layers) in (0..).zip(self.layers) {
                meter.string(RdbStr::Raw((self.name)(i, n).as_bytes()));
                if self.years {
                    let year = if (n - i) % 2 == 1 { format!("{{\"year\":{}}}", 1949 + n - i) } else { String::new() };
                    meter.string(RdbStr::Raw(year.as_bytes()));
                }
                meter.string(RdbStr::Raw(&vector));
                numbers(&mut meter, &[3 + 5 * layers, i + 1, 1 << 24 | (layers - 1)]);
                for layer in 0..layers {
                    let room = if layer == 0 { 2 * self.m } else { self.m };
                    numbers(&mut meter, &[2, room, 7, 8, 0]); // two links, and which is the worst
                }
                meter.number(0);
            }
            meter
        }
    }

    #[test]
    fn says_of_vector_sets_what_redis_says() {
        // Keys of the corpora `redis-8.0-types` and `redis-8.6-types`, and their answers without the key's own part.
        let descending = |i, n| format!("el{}", n - 1 - i);
        let one: &[u64] = &[1; 100];
        let q8_m8 = [2, 2, 1, 1, 2, 1, 6, 1, 2, 2, 1, 1, 2, 1, 1, 3, 1, 1, 1, 1];
        let plain = Items { dim: 3, quant: 0, m: 16, input_dim: 0, layers: one, name: &descending, years: false };
        let cases = [
            (Items { quant: 2, layers: &one[..5], years: true, ..plain }, 5357), // vec:BIN:3
            (Items { quant: 0, layers: &one[..5], years: true, ..plain }, 5377),
            (Items { quant: 1, layers: &one[..5], years: true, ..plain }, 5332),
            (Items { dim: 16, quant: 2, layers: one, years: true, ..plain }, 72_850),
            (Items { dim: 16, quant: 0, layers: one, years: true, ..plain }, 78_450),
            (Items { dim: 100, quant: 2, layers: &one[..60], ..plain }, 43_704),
            (Items { dim: 100, quant: 0, layers: &one[..60], ..plain }, 66_744),
            (Items { dim: 8, quant: 1, m: 8, layers: &q8_m8, ..plain }, 12_610), // vec:m
            (Items { dim: 10, quant: 1, input_dim: 50, layers: &one[..30], ..plain }, 24_564), // vec:reduce
        ];
        for model in [model("8.0.6"), model("8.6.3")] {
            for (items, usage) in cases {
                let meter = items.meter();
                assert_eq!(meter.cost(&model, 1).usage, usage, "dim {} quant {}", items.dim, items.quant);
                assert_eq!(meter.elements(), Some(items.layers.len() as u64));
            }
        }
    }

    #[test]
    fn costs_of_vector_sets_are_near_the_real_ones() {
        // `vec:m` and `vec:BIN:3` of `redis-8.0-types`, whose radix trees were added up node by node.
        let descending = |i, n| format!("el{}", n - 1 - i);
        let layers = [2, 2, 1, 1, 2, 1, 6, 1, 2, 2, 1, 1, 2, 1, 1, 3, 1, 1, 1, 1];
        let m8 = Items { dim: 8, quant: 1, m: 8, input_dim: 0, layers: &layers, name: &descending, years: false };
        let five = Items { dim: 3, quant: 2, m: 16, layers: &[1; 5], years: true, ..m8 };
        for (items, real) in [(m8, 14_640u64), (five, 5664)] {
            let estimate = items.meter().cost(&model("8.0.6"), 1).real;
            assert!(estimate.abs_diff(real) <= real / 200, "{estimate} for {real}");
        }
    }

    #[test]
    fn goes_by_the_last_twenty_elements() {
        // The names of the first twenty are 40 bytes long, those of the last twenty 8.
        let model = model("8.0.6");
        let usage = |name| {
            let items = Items { dim: 8, quant: 1, m: 16, input_dim: 0, layers: &[1; 40], name, years: false };
            items.meter().cost(&model, 1).usage
        };
        let short = usage(&|i, _| format!("{i:08}"));
        assert_eq!(usage(&|i, _| if i < 20 { format!("{i:040}") } else { format!("{i:08}") }), short);
        // 60 instead of 28 bytes with the object, in 64 instead of 32.
        assert_eq!(usage(&|i, _| format!("{i:040}")), short + 40 * 32);
        // From 45 bytes on the object is apart: 16 and 49 in 56.
        assert_eq!(usage(&|i, _| format!("{i:045}")), short + 40 * 40);
    }

    #[test]
    fn gives_up_where_items_do_not_fit() {
        let model = model("8.6.3");
        let broken = |items: &[u64]| {
            let mut meter = ModuleMeter::default();
            meter.begin(VECTOR_SET);
            numbers(&mut meter, items);
            assert_eq!(meter.elements(), None, "{items:?}");
            assert_eq!(meter.cost(&model, 77), Cost::both(77), "{items:?}");
        };
        broken(&[]);
        broken(&[u64::MAX]);
        broken(&[3, 1, 3, 0]); // no such quantization
        broken(&[3, 1, 1, 4]); // unknown flag
        broken(&[3, u64::MAX, 1, 0]); // elements that do not come
        broken(&[3, 0, 1, 0, 0]); // more than claimed
        let element = |vector: &[u8], parameters: &[u64]| {
            let mut meter = ModuleMeter::default();
            meter.begin(VECTOR_SET);
            numbers(&mut meter, &[3, 1, 1, 0]);
            meter.string(RdbStr::Raw(b"name"));
            meter.string(RdbStr::Raw(vector));
            numbers(&mut meter, parameters);
            meter.elements()
        };
        assert_eq!(element(&[0; 3], &[6, 1, 1 << 24, 0, 32, 0, 0]), Some(1));
        assert_eq!(element(&[0; 3], &[5, 1, 0, 0, 32, 0]), Some(1), "of version 0, without the worst");
        assert_eq!(element(&[0; 4], &[6, 1, 1 << 24, 0, 32, 0, 0]), None, "wrong length of the vector");
        assert_eq!(element(&[0; 3], &[7, 1, 1 << 24, 0, 32, 0, 0]), None, "wrong number of parameters");
        assert_eq!(element(&[0; 3], &[6, 1, 1 << 24 | 17, 0, 32, 0, 0]), None, "too many layers");
        assert_eq!(element(&[0; 3], &[6, 1, 1 << 24, u64::MAX, u64::MAX]), None, "too many links");
        assert_eq!(element(&[0; 3], &[6, 1, 1 << 24, 33, 32]), None, "more links than there is room for");

        let mut meter = ModuleMeter::default();
        meter.begin(VECTOR_SET);
        numbers(&mut meter, &[u64::from(u32::MAX), 2, 0, HAS_ATTRIBUTES]);
        for _ in 0..2 {
            meter.string(RdbStr::Unread { len: u64::MAX });
            meter.string(RdbStr::Lzf { packed: &[], len: u64::MAX, at: 0 });
            meter.string(RdbStr::Unread { len: 4 * u64::from(u32::MAX) });
            numbers(&mut meter, &[5, 1, 0, 0, 4 * MAX_M, 0]);
        }
        assert_eq!(meter.elements(), Some(2));
        assert_eq!(meter.cost(&model, 1).usage, u64::MAX);
    }

    #[test]
    fn other_modules_go_by_their_length_in_the_dump() {
        let model = model("8.0.6");
        let mut meter = ModuleMeter::default();
        meter.begin(VECTOR_SET | 1); // a later version of the encoding
        meter.number(3);
        assert_eq!(meter.cost(&model, 9), Cost::both(9));
        assert_eq!(meter.elements(), None);
        meter.begin(0);
        assert_eq!(meter.cost(&model, 9), Cost { usage: 0, real: 9 });
    }
}
