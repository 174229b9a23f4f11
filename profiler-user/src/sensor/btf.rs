//! Just enough of BTF to find a field: structures by name, members by path.
//!
//! The format is kernel ABI (Documentation/bpf/btf.rst). A general parser builds every type of the kernel first: measured,
//! a third of the time to start and twice the memory of everything else.

use std::collections::HashMap;

use anyhow::{Context, ensure};
use zerocopy::{FromBytes, Immutable, KnownLayout};

const MAGIC: u16 = 0xeb9f;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
/// typedef, volatile, const, restrict, and type tags: names for another type.
const ALIASES: [u32; 5] = [8, 9, 10, 11, 18];

#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    magic: u16,
    version: u8,
    flags: u8,
    len: u32,
    types_offset: u32,
    types_len: u32,
    strings_offset: u32,
    strings_len: u32,
}

/// `struct btf_type`
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Type {
    name: u32,
    info: u32,
    /// A size in bytes or another type's id, by kind.
    value: u32,
}

/// `struct btf_member`
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Member {
    name: u32,
    r#type: u32,
    offset: u32,
}

impl Type {
    const fn kind(self) -> u32 {
        self.info >> 24 & 0x1f
    }

    const fn members(self) -> usize {
        (self.info & 0xffff) as usize
    }

    /// With this flag a member's offset also holds its width as a bit field.
    const fn has_bit_fields(self) -> bool {
        self.info >> 31 == 1
    }

    /// Bytes that follow a type, by kind.
    const fn tail(self) -> Option<usize> {
        let each = match self.kind() {
            1 | 14 | 17 => return Some(4),
            ARRAY => return Some(12),
            2 | 7..=12 | 16 | 18 => 0,
            STRUCT | UNION | 15 | 19 => 12,
            6 | 13 => 8,
            _ => return None,
        };
        Some(each * self.members())
    }
}

/// The types of a kernel.
pub(super) struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Where each type begins; ids count from 1.
    starts: Vec<u32>,
}

impl<'a> Btf<'a> {
    /// # Errors
    /// If the bytes end early or hold a kind of type that is newer than this reader.
    pub(super) fn new(bytes: &'a [u8]) -> anyhow::Result<Self> {
        let (header, _) = Header::read_from_prefix(bytes).ok().context("no BTF header")?;
        ensure!(header.magic == MAGIC, "not BTF, or of the other byte order");
        let section = |offset: u32, len: u32| {
            bytes.get(header.len as usize..)?.get(offset as usize..)?.get(..len as usize)
        };
        let types = section(header.types_offset, header.types_len).context("types end early")?;
        let strings =
            section(header.strings_offset, header.strings_len).context("strings end early")?;
        let mut starts = Vec::new();
        let mut at = 0;
        while at < types.len() {
            let (r#type, _) = Type::read_from_prefix(&types[at..]).ok().context("a cut type")?;
            let tail = r#type.tail().with_context(|| format!("unknown kind {}", r#type.kind()))?;
            starts.push(u32::try_from(at)?);
            at += size_of::<Type>() + tail;
        }
        Ok(Self { types, strings, starts })
    }

    /// The ids of these structures; a name alone may also be a function's or a typedef's.
    pub(super) fn structures<'n>(&self, names: &[&'n str]) -> HashMap<&'n str, u32> {
        let mut found = HashMap::new();
        for id in 1..=u32::try_from(self.starts.len()).unwrap_or(u32::MAX) {
            if let Some((r#type, _)) = self.get(id)
                && r#type.kind() == STRUCT
                && let Some(name) = names.iter().find(|name| self.is_named(r#type.name, name))
            {
                found.insert(*name, id);
            }
        }
        found
    }

    /// A structure's size in bytes.
    pub(super) fn size(&self, id: u32) -> Option<u32> {
        Some(self.get(id)?.0.value)
    }

    /// The offset, in bits, of a member such as `d_name.len`. Anonymous structures and unions are looked into.
    pub(super) fn bit_offset(&self, id: u32, path: &str) -> Option<u32> {
        let (name, rest) = path.split_once('.').map_or((path, None), |(n, rest)| (n, Some(rest)));
        let (structure, tail) = self.resolved(id)?;
        if !matches!(structure.kind(), STRUCT | UNION) {
            return None;
        }
        for index in 0..structure.members() {
            let member = tail.get(index * size_of::<Member>()..)?;
            let (member, _) = Member::read_from_prefix(member).ok()?;
            let offset =
                if structure.has_bit_fields() { member.offset & 0xff_ffff } else { member.offset };
            let below = if member.name == 0 {
                self.bit_offset(member.r#type, path)
            } else if self.is_named(member.name, name) {
                match rest {
                    None => Some(0),
                    Some(rest) => self.bit_offset(member.r#type, rest),
                }
            } else {
                None
            };
            if let Some(below) = below {
                return Some(offset + below);
            }
        }
        None
    }

    /// A type behind its aliases.
    fn resolved(&self, mut id: u32) -> Option<(Type, &'a [u8])> {
        // A chain of aliases is short; a longer one would be a cycle.
        for _ in 0..32 {
            let found = self.get(id)?;
            if !ALIASES.contains(&found.0.kind()) {
                return Some(found);
            }
            id = found.0.value;
        }
        None
    }

    fn get(&self, id: u32) -> Option<(Type, &'a [u8])> {
        let start = *self.starts.get(id.checked_sub(1)? as usize)?;
        Type::read_from_prefix(self.types.get(start as usize..)?).ok()
    }

    fn is_named(&self, offset: u32, name: &str) -> bool {
        self.strings
            .get(offset as usize..)
            .and_then(|rest| rest.strip_prefix(name.as_bytes()))
            .is_some_and(|rest| rest.first() == Some(&0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Btf;

    /// `struct outer { u32 a; union { struct inner { u32 b; u32 bits:3, more:5; } in; u32 c; }; }`, of which the
    /// union has no name.
    fn sample() -> Vec<u8> {
        const INT: u32 = 1 << 24;
        const STRUCT: u32 = 4 << 24;
        const UNION: u32 = 5 << 24;
        const BIT_FIELDS: u32 = 1 << 31;
        let bits = |width: u32, at: u32| width << 24 | at;
        let strings = b"\0u32\0outer\0a\0in\0inner\0b\0bits\0more\0c\0";
        let name = |text: &str| {
            let text = format!("\0{text}\0");
            let at = strings.windows(text.len()).position(|window| window == text.as_bytes());
            u32::try_from(at.unwrap() + 1).unwrap()
        };
        let types: &[&[u32]] = &[
            &[name("u32"), INT, 4, 32],
            &[name("inner"), BIT_FIELDS | STRUCT | 3, 8],
            &[name("b"), 1, 0, name("bits"), 1, bits(3, 32), name("more"), 1, bits(5, 35)],
            &[0, UNION | 2, 8, name("in"), 2, 0, name("c"), 1, 0],
            &[name("outer"), STRUCT | 2, 12, name("a"), 1, 0, 0, 3, 32],
        ];
        let types: Vec<u8> =
            types.iter().flat_map(|t| t.iter().flat_map(|w| w.to_le_bytes())).collect();
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
        let mut btf = vec![0x9f, 0xeb, 1, 0];
        for word in [24, 0, len(&types), len(&types), len(strings)] {
            btf.extend(word.to_le_bytes());
        }
        [btf, types, strings.to_vec()].concat()
    }

    #[test]
    fn members_are_found_through_anonymous_unions_and_bit_fields() {
        let bytes = sample();
        let btf = Btf::new(&bytes).unwrap();
        let structures = btf.structures(&["outer", "inner", "absent"]);
        assert_eq!(structures.len(), 2);
        let outer = structures["outer"];
        assert_eq!(btf.size(outer), Some(12));
        assert_eq!(btf.bit_offset(outer, "a"), Some(0));
        assert_eq!(btf.bit_offset(outer, "c"), Some(32));
        assert_eq!(btf.bit_offset(outer, "in.b"), Some(32));
        assert_eq!(btf.bit_offset(outer, "in.more"), Some(32 + 35));
        assert_eq!(btf.bit_offset(outer, "in.absent"), None);
    }

    #[test]
    fn the_running_kernels_types_are_read() {
        let Ok(bytes) = std::fs::read(crate::requirements::BTF_PATH) else {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "SKIPPED: this kernel shows no BTF");
            return;
        };
        let btf = Btf::new(&bytes).unwrap();
        let task = btf.structures(&["task_struct"])["task_struct"];
        let (pid, tgid) = (btf.bit_offset(task, "pid"), btf.bit_offset(task, "tgid"));
        assert_eq!(tgid.unwrap() - pid.unwrap(), 32);
        assert!(btf.bit_offset(task, "thread_info.status").is_some());
    }

    proptest! {
        #[test]
        fn spoilt_bytes_never_panic(at in 0_usize..200, to in any::<u8>(), len in 0_usize..300) {
            let mut bytes = sample();
            let place = at % bytes.len();
            bytes[place] = to;
            bytes.truncate(len);
            if let Ok(btf) = Btf::new(&bytes) {
                let structures = btf.structures(&["outer", "inner"]);
                for id in structures.values().chain(&[1, 2, 3, 4, 99]) {
                    let _either = btf.bit_offset(*id, "in.more");
                }
            }
        }
    }
}
