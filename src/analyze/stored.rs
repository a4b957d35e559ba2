//! How sums are stored that would be long, or no JSON, as they are in memory: for `serde(with)`.

/// Groups of keys with their type and encoding, without the empty ones.
pub(super) mod groups {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use crate::analyze::aggregate::{ENCODINGS, Group, MODULE_INDEX, group_index};
    use crate::record::{Encoding, ValueType};

    pub fn serialize<S: Serializer>(groups: &[Option<Box<Group>>], serializer: S) -> Result<S::Ok, S::Error> {
        let kinds = ValueType::PLAIN.iter().flat_map(|kind| (0..ENCODINGS).map(|e| (*kind, Encoding::from_index(e))));
        let rows = groups.iter().zip(kinds).filter_map(|(group, kind)| Some((kind, group.as_deref()?)));
        rows.collect::<Vec<_>>().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Option<Box<Group>>>, D::Error> {
        let mut groups: Vec<Option<Box<Group>>> = (0..MODULE_INDEX * ENCODINGS).map(|_| None).collect();
        for ((kind, encoding), group) in Vec::<((ValueType, Option<Encoding>), Box<Group>)>::deserialize(deserializer)?
        {
            *groups
                .get_mut(group_index(kind.index(), encoding))
                .ok_or_else(|| de::Error::custom(format!("{kind} is not grouped by encoding")))? = Some(group);
        }
        Ok(groups)
    }
}

/// Slots with their number, without the empty ones.
pub(super) mod slots {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use crate::analyze::aggregate::SlotTotals;
    use crate::cluster::slot::SLOTS;

    pub fn serialize<S: Serializer>(slots: &[SlotTotals], serializer: S) -> Result<S::Ok, S::Error> {
        let rows = slots.iter().enumerate().filter(|(_, slot)| slot.keys > 0);
        rows.collect::<Vec<_>>().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<[SlotTotals]>, D::Error> {
        let mut slots = vec![SlotTotals::default(); usize::from(SLOTS)];
        for (number, slot) in Vec::<(usize, SlotTotals)>::deserialize(deserializer)? {
            *slots.get_mut(number).ok_or_else(|| de::Error::custom(format!("there is no slot {number}")))? = slot;
        }
        Ok(slots.into())
    }
}

/// Keys outside their node's slots, as (slot, name).
pub(super) mod misplaced {
    use std::collections::BTreeSet;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::cluster::slot::SLOTS;
    use crate::escape;

    type Keys = BTreeSet<(u16, Box<[u8]>)>;

    #[derive(Serialize, Deserialize)]
    struct Misplaced(u16, #[serde(with = "escape::name")] Box<[u8]>);

    pub fn serialize<S: Serializer>(keys: &Keys, serializer: S) -> Result<S::Ok, S::Error> {
        let rows = keys.iter().map(|(slot, name)| Misplaced(*slot, name.clone()));
        rows.collect::<Vec<_>>().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Keys, D::Error> {
        let rows = Vec::<Misplaced>::deserialize(deserializer)?;
        Ok(rows.into_iter().map(|Misplaced(slot, name)| (slot % SLOTS, name)).collect())
    }
}

/// Names that were looked for and found: each key has its own.
pub(super) mod found {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::analyze::hot::{Found, FoundNames};

    pub fn serialize<S: Serializer>(found: &FoundNames, serializer: S) -> Result<S::Ok, S::Error> {
        found.values().collect::<Vec<_>>().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FoundNames, D::Error> {
        let found = Vec::<Found>::deserialize(deserializer)?;
        Ok(found.into_iter().map(|found| (found.key.key.clone(), found)).collect())
    }
}
