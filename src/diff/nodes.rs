//! Which node of one state is which of another.

use serde::Serialize;

/// What tells a node from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeKey<'n> {
    /// Its id, where a nodes file has one.
    pub id: Option<&'n str>,
    /// Its name.
    pub name: &'n str,
    /// The replication history that its dump belongs to.
    pub replication: Option<&'n str>,
}

/// What two nodes are taken for one by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MatchedBy {
    /// The nodes file gives both the same id.
    Id,
    /// They have the same name.
    Name,
    /// Their dumps belong to the same replication history.
    Replication,
    /// There is one on each side.
    Only,
}

/// For each of the new nodes the old one that it is, if any. Nodes with different ids are different.
pub fn match_nodes(old: &[NodeKey<'_>], new: &[NodeKey<'_>]) -> Vec<Option<(usize, MatchedBy)>> {
    let mut matched: Vec<Option<(usize, MatchedBy)>> = vec![None; new.len()];
    let mut taken = vec![false; old.len()];
    let only = old.len() == 1 && new.len() == 1;
    for by in [MatchedBy::Id, MatchedBy::Name, MatchedBy::Replication, MatchedBy::Only] {
        for (node, found) in new.iter().zip(&mut matched).filter(|(_, found)| found.is_none()) {
            let same = |known: &NodeKey<'_>| match by {
                MatchedBy::Id => known.id.is_some() && known.id == node.id,
                _ if known.id.is_some() && node.id.is_some() => false,
                MatchedBy::Name => known.name == node.name,
                MatchedBy::Replication => known.replication.is_some() && known.replication == node.replication,
                MatchedBy::Only => only,
            };
            if let Some(i) = (0..old.len()).find(|&i| !taken[i] && same(&old[i])) {
                taken[i] = true;
                *found = Some((i, by));
            }
        }
    }
    matched
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node<'n>(id: Option<&'n str>, name: &'n str, replication: Option<&'n str>) -> NodeKey<'n> {
        NodeKey { id, name, replication }
    }

    #[test]
    fn nodes_are_found_by_what_is_surest() {
        let old = [node(Some("a"), "n1", None), node(None, "n2", None), node(None, "n3", Some("r"))];
        let new = [
            node(None, "new-n3", Some("r")),
            node(Some("a"), "n2", None),
            node(None, "n2", None),
            node(None, "n4", None),
        ];
        assert_eq!(
            match_nodes(&old, &new),
            [Some((2, MatchedBy::Replication)), Some((0, MatchedBy::Id)), Some((1, MatchedBy::Name)), None]
        );
        assert_eq!(match_nodes(&[node(None, "mon", None)], &[node(None, "tue", None)]), [Some((0, MatchedBy::Only))]);
        let ids = [node(Some("a"), "n1", None)].map(|a| (a, node(Some("b"), "n1", None)));
        assert_eq!(match_nodes(&[ids[0].0], &[ids[0].1]), [None]);
    }
}
