//! What a server uses before it holds a single key.

use super::server::Family;

/// What a node takes once it has met the other nodes of its cluster, whatever it holds: links and replication. 61 to 67 KB
/// were measured on replicas; a master that has a replica takes about as much again, which is left among what is not named.
const JOINED_BYTES: u64 = 64_000;
/// The same for Redis 8.6: 163 KB and more.
const JOINED_BYTES_8_6: u64 = 163_000;

/// Bytes of used_memory of an empty server, as measured with official builds; in cluster mode, with its arrays for
/// 16,384 slots and what joining a cluster takes. Absent where nothing near was measured.
pub fn empty_server_bytes(family: Family, cluster: bool) -> Option<u64> {
    let alone = empty_server_alone_bytes(family, cluster)?;
    Some(match (family, cluster) {
        (_, false) => alone,
        (Family::R86, true) => alone + JOINED_BYTES_8_6,
        (_, true) => alone + JOINED_BYTES,
    })
}

fn empty_server_alone_bytes(family: Family, cluster: bool) -> Option<u64> {
    Some(match (family, cluster) {
        (Family::R24 | Family::R30, false) => 810_024,
        (Family::R32, false) => 821_720,
        (Family::R40, false) => 848_528,
        (Family::R50, false) => 853_352,
        (Family::R60 | Family::R62, false) => 873_952,
        (Family::R70, false) => 946_552,
        (Family::R72, false) => 953_784,
        (Family::R74, false) => 1_034_136,
        (Family::R80 | Family::R82, false) => 740_576,
        (Family::R86, false) => 793_856,
        (Family::V80, false) => 979_472,
        (Family::V81, false) => 946_464,
        (Family::V90, false) => 994_192,
        (Family::R74, true) => 2_342_096,
        (Family::R86, true) => 2_306_488,
        (Family::V81, true) => 2_718_240,
        // Alone in a cluster of its own, 7.0 uses 723,632 bytes more than without; 7.2 differs little.
        (Family::R70, true) => 946_552 + 723_632,
        (Family::R72, true) => 953_784 + 723_632,
        // What cluster mode adds, taken from the nearest version that was measured.
        (Family::R80 | Family::R82, true) => 740_576 + (2_306_488 - 793_856),
        (Family::V80, true) => 979_472 + (2_718_240 - 946_464),
        (Family::V90, true) => 994_192 + (2_718_240 - 946_464),
        (_, true) => return None,
    })
}
