//! Field offsets of the running kernel, from its BTF.

use anyhow::Context;
use profiler_common::offset::ABSENT;

use super::btf::Btf;
use crate::requirements::BTF_PATH;

macro_rules! table {
    ($($name:ident = $structure:literal, $member:literal;)*) => {
        /// (global, structure, member path; an empty path asks for the structure's size)
        const TABLE: &[(&str, &str, &str)] =
            &[$((stringify!($name), $structure, $member)),*];
    };
}

profiler_common::for_each_offset!(table);

/// Looks every offset up; a field that this kernel lacks is [`ABSENT`], and the probes that need it will not load.
pub(super) fn read() -> anyhow::Result<Vec<(&'static str, u32)>> {
    let bytes = std::fs::read(BTF_PATH).context(BTF_PATH)?;
    let btf = Btf::new(&bytes).context(BTF_PATH)?;
    let mut names: Vec<&str> = TABLE.iter().map(|(_, structure, _)| *structure).collect();
    names.sort_unstable();
    names.dedup();
    let structures = btf.structures(&names);
    let offset = |&(name, structure, member): &(&'static str, &str, &str)| {
        let id = *structures.get(structure)?;
        if member.is_empty() {
            return Some((name, btf.size(id)?));
        }
        let bits = btf.bit_offset(id, member)?;
        Some((name, if name.ends_with("_BIT") { bits } else { bits / 8 }))
    };
    Ok(TABLE.iter().map(|entry| offset(entry).unwrap_or((entry.0, ABSENT))).collect())
}

#[cfg(test)]
mod tests {
    use super::{BTF_PATH, Btf};

    /// What `profiler-ebpf/src/overlay.rs` relies on, on kernels that have overlay built in: BTF of modules is elsewhere.
    #[test]
    fn an_overlays_upper_file_is_behind_its_inode() {
        let Ok(bytes) = std::fs::read(BTF_PATH) else { return };
        let btf = Btf::new(&bytes).unwrap();
        let structures = btf.structures(&["inode", "ovl_inode"]);
        let Some(&overlay) = structures.get("ovl_inode") else { return };
        let inode = btf.bit_offset(overlay, "vfs_inode").unwrap() / 8;
        let upper = btf.bit_offset(overlay, "__upperdentry").unwrap() / 8;
        assert_eq!(upper, inode + btf.size(structures["inode"]).unwrap());
    }
}
