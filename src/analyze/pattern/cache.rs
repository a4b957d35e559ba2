//! Where names that were folded before have their sums.

use hashbrown::HashTable;

/// Names and bytes of names in the flat cache.
pub(super) const CACHE_NAMES: usize = 16_384;
pub(super) const CACHE_BYTES: usize = 1 << 20;

/// Folded names that are a path of the trie as they stand, and their cells. All go when a level collapses or is cut, and
/// so do the shapes.
#[derive(Clone, Debug, Default)]
pub(super) struct Cache {
    pub(super) slots: HashTable<Slot>,
    pub(super) texts: Vec<u8>,
}

#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) hash: u64,
    pub(super) start: u32,
    pub(super) len: u32,
    pub(super) cell: u32,
}

impl Cache {
    #[inline]
    pub(super) fn get(&self, hash: u64, text: &[u8]) -> Option<u32> {
        let same = |slot: &Slot| {
            slot.hash == hash && self.texts.get(slot.start as usize..(slot.start + slot.len) as usize) == Some(text)
        };
        self.slots.find(hash, same).map(|slot| slot.cell)
    }

    pub(super) fn insert(&mut self, hash: u64, text: &[u8], cell: u32) {
        let start = self.texts.len();
        if self.slots.len() < CACHE_NAMES && start + text.len() <= CACHE_BYTES {
            self.texts.extend_from_slice(text);
            let slot = Slot { hash, start: start as u32, len: text.len() as u32, cell };
            self.slots.insert_unique(hash, slot, |slot| slot.hash);
        }
    }

    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.texts.clear();
    }
}
