//! Field offsets of the running kernel, from its BTF.

use std::collections::HashMap;

use anyhow::{Context, anyhow};
use btfparse::{Error, ErrorKind, Offset, Readable, TypeInformation, TypeVariant};
use profiler_common::offset::ABSENT;

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
    let btf = TypeInformation::new(&Buffer(&bytes))
        .map_err(|error| anyhow!("{BTF_PATH}: {error:?}"))?;
    let structures = structures(&btf);
    TABLE
        .iter()
        .map(|&(name, structure, member)| {
            let id = structures
                .get(structure)
                .with_context(|| format!("{BTF_PATH} has no struct {structure}"))?;
            Ok((name, offset(&btf, *id, name, member)))
        })
        .collect()
}

/// The whole BTF in memory: read piece by piece from sysfs it takes seconds.
struct Buffer<'a>(&'a [u8]);

impl Readable for Buffer<'_> {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> btfparse::Result<()> {
        let source = usize::try_from(offset)
            .ok()
            .and_then(|start| self.0.get(start..)?.get(..buffer.len()))
            .ok_or_else(|| Error::new(ErrorKind::EOF, "the BTF ends early"))?;
        buffer.copy_from_slice(source);
        Ok(())
    }
}

/// Structures by name; a name alone may also be a function's or a typedef's.
fn structures(btf: &TypeInformation) -> HashMap<String, u32> {
    btf.get()
        .iter()
        .filter_map(|(id, variant)| match variant {
            TypeVariant::Struct(structure) => Some((structure.name().clone()?, *id)),
            _ => None,
        })
        .collect()
}

fn offset(btf: &TypeInformation, structure: u32, name: &str, member: &str) -> u32 {
    let found = if member.is_empty() {
        btf.size_of(structure).ok().and_then(|size| u32::try_from(size).ok())
    } else {
        btf.offset_of(structure, member).ok().map(|(_, offset)| match offset {
            Offset::ByteOffset(bytes) if name.ends_with("_BIT") => bytes * 8,
            Offset::ByteOffset(bytes) => bytes,
            Offset::BitOffsetAndSize(bits, _) if name.ends_with("_BIT") => bits,
            Offset::BitOffsetAndSize(bits, _) => bits / 8,
        })
    };
    found.unwrap_or(ABSENT)
}
