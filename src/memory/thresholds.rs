//! Settings of a server that decide how a value is encoded once it is loaded.

use serde::{Deserialize, Serialize};

/// Limits of the packed encodings, named as in `redis.conf`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // each is the setting of that name
pub struct Thresholds {
    pub hash_max_listpack_entries: u64,
    pub hash_max_listpack_value: u64,
    pub set_max_intset_entries: u64,
    pub set_max_listpack_entries: u64,
    pub set_max_listpack_value: u64,
    pub zset_max_listpack_entries: u64,
    pub zset_max_listpack_value: u64,
    /// Positive: elements per node. Negative: -1 to -5 for 4 to 64 KiB per node.
    pub list_max_listpack_size: i64,
    pub list_compress_depth: u64,
    /// Only before Redis 3.2, where small lists were ziplists.
    pub list_max_ziplist_entries: u64,
    /// Only before Redis 3.2, where small lists were ziplists.
    pub list_max_ziplist_value: u64,
}

impl Default for Thresholds {
    /// The defaults built into every version.
    fn default() -> Thresholds {
        Thresholds {
            hash_max_listpack_entries: 512,
            hash_max_listpack_value: 64,
            set_max_intset_entries: 512,
            set_max_listpack_entries: 128,
            set_max_listpack_value: 64,
            zset_max_listpack_entries: 128,
            zset_max_listpack_value: 64,
            list_max_listpack_size: -2,
            list_compress_depth: 0,
            list_max_ziplist_entries: 512,
            list_max_ziplist_value: 64,
        }
    }
}

/// A limit of a packed encoding that a value may just exceed. Lists have none of interest: they are packed node by node, and
/// larger nodes save next to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is the setting of a name that `name` gives
pub enum Setting {
    HashEntries,
    HashValue,
    IntsetEntries,
    SetEntries,
    SetValue,
    ZsetEntries,
    ZsetValue,
}

impl Setting {
    /// Every one, in the order of their declaration.
    pub const ALL: [Setting; 7] = [
        Setting::HashEntries,
        Setting::HashValue,
        Setting::IntsetEntries,
        Setting::SetEntries,
        Setting::SetValue,
        Setting::ZsetEntries,
        Setting::ZsetValue,
    ];

    /// Its name in `redis.conf`; before Redis 7.0 the containers were ziplists.
    pub fn name(self, listpacks: bool) -> &'static str {
        match (self, listpacks) {
            (Setting::HashEntries, true) => "hash-max-listpack-entries",
            (Setting::HashEntries, false) => "hash-max-ziplist-entries",
            (Setting::HashValue, true) => "hash-max-listpack-value",
            (Setting::HashValue, false) => "hash-max-ziplist-value",
            (Setting::IntsetEntries, _) => "set-max-intset-entries",
            (Setting::SetEntries, _) => "set-max-listpack-entries",
            (Setting::SetValue, _) => "set-max-listpack-value",
            (Setting::ZsetEntries, true) => "zset-max-listpack-entries",
            (Setting::ZsetEntries, false) => "zset-max-ziplist-entries",
            (Setting::ZsetValue, true) => "zset-max-listpack-value",
            (Setting::ZsetValue, false) => "zset-max-ziplist-value",
        }
    }

    /// What it is set to.
    pub fn value(self, thresholds: &Thresholds) -> u64 {
        match self {
            Setting::HashEntries => thresholds.hash_max_listpack_entries,
            Setting::HashValue => thresholds.hash_max_listpack_value,
            Setting::IntsetEntries => thresholds.set_max_intset_entries,
            Setting::SetEntries => thresholds.set_max_listpack_entries,
            Setting::SetValue => thresholds.set_max_listpack_value,
            Setting::ZsetEntries => thresholds.zset_max_listpack_entries,
            Setting::ZsetValue => thresholds.zset_max_listpack_value,
        }
    }
}

/// Bytes that a node of a list may have where the setting limits its elements.
const SAFE_NODE_BYTES: u64 = 8192;

impl Thresholds {
    /// Changes one setting; its old name (`ziplist` for `listpack`) will do. Others are none of ours: `Ok(false)`.
    ///
    /// # Errors
    /// If the value is not a number.
    pub fn set(&mut self, name: &str, value: &str) -> Result<bool, String> {
        let name = name.to_ascii_lowercase();
        let number = || value.parse().map_err(|_| format!("`{name}` takes a number, found `{value}`"));
        let field = match name.as_str() {
            "list-max-ziplist-entries" => &mut self.list_max_ziplist_entries,
            "list-max-ziplist-value" => &mut self.list_max_ziplist_value,
            _ => match name.replace("-ziplist-", "-listpack-").as_str() {
                "hash-max-listpack-entries" => &mut self.hash_max_listpack_entries,
                "hash-max-listpack-value" => &mut self.hash_max_listpack_value,
                "set-max-intset-entries" => &mut self.set_max_intset_entries,
                "set-max-listpack-entries" => &mut self.set_max_listpack_entries,
                "set-max-listpack-value" => &mut self.set_max_listpack_value,
                "zset-max-listpack-entries" => &mut self.zset_max_listpack_entries,
                "zset-max-listpack-value" => &mut self.zset_max_listpack_value,
                "list-compress-depth" => &mut self.list_compress_depth,
                "list-max-listpack-size" => {
                    self.list_max_listpack_size =
                        value.parse().map_err(|_| format!("`{name}` takes a number, found `{value}`"))?;
                    return Ok(true);
                }
                _ => return Ok(false),
            },
        };
        *field = number()?;
        Ok(true)
    }

    /// Takes over the settings of a `redis.conf`.
    ///
    /// # Errors
    /// Names the line with a value that is not a number.
    pub fn read_config(&mut self, text: &str) -> Result<(), String> {
        for (index, line) in text.lines().enumerate() {
            let mut words = line.split_whitespace();
            if let (Some(name), Some(value)) = (words.next(), words.next())
                && !name.starts_with('#')
            {
                let value = value.trim_matches(['"', '\'']);
                self.set(name, value).map_err(|e| format!("line {}: {e}", index + 1))?;
            }
        }
        Ok(())
    }

    /// Bytes that a node of a list may have.
    pub fn list_node_bytes(&self) -> u64 {
        match self.list_max_listpack_size {
            0.. => SAFE_NODE_BYTES,
            level => 4096 << (level.unsigned_abs().min(5) - 1),
        }
    }

    /// Elements that a node of a list may have.
    pub fn list_node_elements(&self) -> u64 {
        // A size of 0 is taken as 1, as quicklistSetFill does.
        u64::try_from(self.list_max_listpack_size).map_or(u64::MAX, |elements| elements.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_old_and_new_names() {
        let mut thresholds = Thresholds::default();
        let text = "# comment\nhash-max-ziplist-entries 2000\n\nSET-MAX-INTSET-ENTRIES \"4000\"\nlist-max-ziplist-size -1\nmaxmemory 1gb\n";
        thresholds.read_config(text).unwrap();
        assert_eq!(thresholds.hash_max_listpack_entries, 2000);
        assert_eq!(thresholds.set_max_intset_entries, 4000);
        assert_eq!(thresholds.list_node_bytes(), 4096);
        assert_eq!(thresholds.list_node_elements(), u64::MAX);
        let error = thresholds.read_config("a b\nhash-max-listpack-value many").unwrap_err();
        assert_eq!(error, "line 2: `hash-max-listpack-value` takes a number, found `many`");
    }
}
