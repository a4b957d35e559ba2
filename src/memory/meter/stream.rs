//! What a stream costs: radix trees of nodes, groups, consumers and pending entries.

use super::Meter;
use crate::memory::model::Cost;
use crate::memory::rax::{RaxMeter, RaxSize};
use crate::memory::server::Family;
use crate::value::StreamId;

/// What Redis 8.6 has for an ID that is pending (a list of the groups where it is), and for each of those groups.
const PENDING_ID_BYTES: u64 = 48;
const PENDING_GROUP_BYTES: u64 = 24;

#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) listpacks: Cost,
    pub(super) groups: Cost,
    pub(super) groups_seen: u64,
    pub(super) producers: Cost,
    pub(super) open_group: bool,
    pub(super) open_consumer: bool,
}

#[derive(Debug, Default)]
pub(super) struct StreamRaxes {
    pub(super) ids: RaxMeter,
    pub(super) names: RaxMeter,
    pub(super) pending: RaxMeter,
    pub(super) consumers: RaxMeter,
    pub(super) consumer_pending: RaxMeter,
    pub(super) union: Vec<StreamId>,
}

impl Meter<'_> {
    pub(super) fn stream_cost(&mut self) -> Cost {
        self.close_group();
        let model = self.model;
        let layout = model.layout;
        let ids = self.rax.ids.finish(&model.classes);
        let names = self.rax.names.finish(&model.classes);
        let mut cost = Cost { usage: layout.stream.0, real: model.classes.of(layout.stream.1) };
        cost += self.rax_cost(ids);
        cost += self.v.stream.listpacks;
        cost += self.v.stream.groups;
        cost += self.v.stream.producers;
        if self.v.stream.groups_seen > 0 {
            let names = self.rax_cost(names);
            let counted = model.family() == Family::R86;
            cost += Cost { usage: if counted { names.usage } else { 0 }, real: names.real };
            let pending = self.rax.union.len() as u64;
            let union = if counted { self.union_of_pending() } else { RaxSize::default() };
            if union.keys > 0 {
                cost += self.rax_cost(union); // made when the first entry is delivered
                // Its values are lists of the groups, which MEMORY USAGE forgets.
                let of = |bytes| model.classes.of(bytes);
                cost.real += of(PENDING_ID_BYTES) * union.keys + of(PENDING_GROUP_BYTES) * pending;
            }
        }
        cost
    }

    pub(super) fn rax_cost(&self, size: RaxSize) -> Cost {
        let layout = self.model.layout;
        let usage = if layout.rax_exact { layout.rax + size.node_bytes } else { size.old_estimate() };
        Cost { usage, real: self.model.classes.of(layout.rax) + size.node_bytes }
    }

    pub(super) fn union_of_pending(&mut self) -> RaxSize {
        self.rax.union.sort_unstable();
        let mut rax = std::mem::take(&mut self.rax.pending);
        for id in &self.rax.union {
            rax.push(&self.model.classes, &id_key(*id));
        }
        let size = rax.finish(&self.model.classes);
        self.rax.pending = rax;
        self.rax.union.clear();
        size
    }

    pub(super) fn close_consumer(&mut self) {
        if !std::mem::take(&mut self.v.stream.open_consumer) {
            return;
        }
        let pending = self.rax.consumer_pending.finish(&self.model.classes);
        let pending = self.rax_cost(pending);
        self.v.stream.groups += pending;
    }

    pub(super) fn close_group(&mut self) {
        self.close_consumer();
        if !std::mem::take(&mut self.v.stream.open_group) {
            return;
        }
        let model = self.model;
        let pending = self.rax.pending.finish(&model.classes);
        let consumers = self.rax.consumers.finish(&model.classes);
        let (group, nack, _) = model.layout.stream_group;
        let mut cost = self.rax_cost(pending);
        cost += model.block(group);
        cost += model.blocks(pending.keys, nack);
        let names = self.rax_cost(consumers);
        cost += Cost { usage: if model.family() == Family::R86 { names.usage } else { 0 }, real: names.real };
        self.v.stream.groups += cost;
    }
}

pub(super) fn id_key(id: StreamId) -> [u8; 16] {
    (u128::from(id.ms) << 64 | u128::from(id.seq)).to_be_bytes()
}
