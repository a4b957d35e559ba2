//! How a table is stored: its trie as nested lists, in an order that does not depend on that of the keys.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::trie::{Child, Group, Names, Node, Pool, head};
use super::{PatternStats, PatternTable};

#[derive(Serialize, Deserialize)]
struct StoredTable {
    named: Vec<StoredStats>,
    root: StoredNode,
}

/// In the order of [`PatternStats`].
type StoredStats = [u64; 10];

#[derive(Default, Serialize, Deserialize)]
struct StoredNode {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sums: Option<StoredStats>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<StoredGroup>,
}

#[derive(Serialize, Deserialize)]
struct StoredGroup {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    separator: Option<char>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    names: Vec<(String, StoredNode)>,
    /// In place of the names, where they became one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    star: Option<Box<StoredNode>>,
}

fn stats_to_store(stats: &PatternStats) -> StoredStats {
    let PatternStats {
        keys,
        memory_bytes,
        serialized_bytes,
        elements,
        largest_bytes,
        persistent_keys,
        persistent_bytes,
        expired_keys,
        expired_bytes,
        types,
    } = *stats;
    [
        keys,
        memory_bytes,
        serialized_bytes,
        elements,
        largest_bytes,
        persistent_keys,
        persistent_bytes,
        expired_keys,
        expired_bytes,
        types.into(),
    ]
}

fn stats_stored(stored: StoredStats) -> PatternStats {
    let [
        keys,
        memory_bytes,
        serialized_bytes,
        elements,
        largest_bytes,
        persistent_keys,
        persistent_bytes,
        expired_keys,
        expired_bytes,
        types,
    ] = stored;
    PatternStats {
        keys,
        memory_bytes,
        serialized_bytes,
        elements,
        largest_bytes,
        persistent_keys,
        persistent_bytes,
        expired_keys,
        expired_bytes,
        types: types as u16,
    }
}

impl StoredNode {
    fn new(node: &Node, pool: &Pool) -> StoredNode {
        let mut groups: Vec<StoredGroup> = node.groups.iter().map(|group| StoredGroup::new(group, pool)).collect();
        groups.sort_by_key(|group| group.separator);
        StoredNode { sums: node.cell.map(|cell| stats_to_store(&pool.cells[cell as usize])), groups }
    }

    fn restore(self, pool: &mut Pool) -> Result<Node, String> {
        let cell = self.sums.map(|sums| pool.put(stats_stored(sums)));
        if cell.is_some() && !self.groups.is_empty() {
            return Err("a pattern goes on behind its end".to_owned());
        }
        let groups = self.groups.into_iter().map(|group| group.restore(pool)).collect::<Result<_, _>>()?;
        Ok(Node { groups, cell })
    }
}

impl StoredGroup {
    fn new(group: &Group, pool: &Pool) -> StoredGroup {
        let separator = group.separator.map(char::from);
        match &group.names {
            Names::Open(children) => {
                let mut names: Vec<(String, StoredNode)> = children
                    .iter()
                    .map(|child| {
                        // What is no UTF-8 is folded away.
                        let name = String::from_utf8_lossy(&child.name).into_owned();
                        (name, StoredNode::new(&child.node, pool))
                    })
                    .collect();
                names.sort_by(|(one, _), (other, _)| one.cmp(other));
                StoredGroup { separator, names, star: None }
            }
            Names::Star(star) => {
                StoredGroup { separator, names: Vec::new(), star: Some(Box::new(StoredNode::new(star, pool))) }
            }
        }
    }

    fn restore(self, pool: &mut Pool) -> Result<Group, String> {
        let separator = self.separator.map(u8::try_from).transpose().map_err(|_| "no ASCII separates".to_owned())?;
        let names = match self.star {
            Some(star) => {
                pool.nodes += 1;
                Names::Star(Box::new(star.restore(pool)?))
            }
            None => {
                let mut children = Vec::with_capacity(self.names.len());
                for (name, node) in self.names {
                    pool.nodes += 1;
                    children.push(Child {
                        head: head(name.as_bytes()),
                        node: node.restore(pool)?,
                        name: name.into_bytes().into(),
                    });
                }
                children.sort_by_key(|child| child.head);
                Names::Open(children)
            }
        };
        Ok(Group { separator, names })
    }
}

impl Serialize for PatternTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let named = self.named.iter().map(stats_to_store).collect();
        StoredTable { named, root: StoredNode::new(&self.root, &self.pool) }.serialize(serializer)
    }
}

/// Without the rules, which are stored elsewhere: [`PatternTable::set_rules`].
impl<'de> Deserialize<'de> for PatternTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PatternTable, D::Error> {
        let stored = StoredTable::deserialize(deserializer)?;
        let mut table = PatternTable::default();
        table.named = stored.named.into_iter().map(stats_stored).collect();
        table.root = stored.root.restore(&mut table.pool).map_err(de::Error::custom)?;
        Ok(table)
    }
}
