//! Reading the kernel's structures at offsets that the user side took from BTF.

use aya_ebpf::{Global, helpers::bpf_probe_read_kernel};

macro_rules! declare {
    ($($name:ident = $structure:literal, $member:literal;)*) => {
        /// Filled and frozen at load, so the verifier sees constants.
        pub(crate) mod offset {
            use super::Global;
            $(
                #[doc = concat!("`", $structure, ".", $member, "`")]
                #[unsafe(no_mangle)]
                pub(crate) static $name: Global<u32> = Global::new(profiler_common::offset::ABSENT);
            )*
        }
    };
}

profiler_common::for_each_offset!(declare);

/// 1 to log what each probe met through aya-log; frozen, so that 0 costs nothing.
#[unsafe(no_mangle)]
pub(crate) static DIAGNOSTICS: Global<u32> = Global::new(0);

/// 1 where every new cgroup may be a container's, as on a node; 0 where the user side names the only one.
#[unsafe(no_mangle)]
pub(crate) static EVERY_CGROUP: Global<u32> = Global::new(0);

/// 0 where lockdown forbids `bpf_probe_read_kernel`. There aya turns reads of user memory into calls that are forbidden
/// too: both are pruned by this constant, since one such call in live code has the whole program refused.
#[unsafe(no_mangle)]
pub(crate) static KERNEL_READS: Global<u32> = Global::new(1);

/// Whether the reading helpers may be called.
#[inline(always)]
pub(crate) fn may_read() -> bool {
    KERNEL_READS.load() != 0
}

/// The address of a field; for direct loads through BTF-typed pointers and for embedded structures.
#[inline(always)]
pub(crate) fn at<T>(base: *const u8, offset: &Global<u32>) -> *const T {
    base.wrapping_add(offset.load() as usize).cast()
}

/// Loads a field through a pointer whose type the verifier knows.
///
/// # Safety
/// `base` must be a BTF-typed pointer (a hook's argument, or loaded from one); the kernel turns a bad address into 0.
#[inline(always)]
pub(crate) unsafe fn load<T: Copy>(base: *const u8, offset: &Global<u32>) -> T {
    // SAFETY: the caller's promise; the verifier refuses the program otherwise.
    unsafe { core::ptr::read_volatile(at::<T>(base, offset)) }
}

/// The same where the offset was taken out of its global before: in a loop, that is half of the work.
///
/// # Safety
/// As for [`load`].
#[inline(always)]
pub(crate) unsafe fn load_at<T: Copy>(base: *const u8, offset: u32) -> T {
    // SAFETY: the caller's promise.
    unsafe { core::ptr::read_volatile(base.wrapping_add(offset as usize).cast::<T>()) }
}

/// Reads a field through any kernel pointer. None, always, where lockdown forbids it: whatever can be loaded through typed
/// pointers is therefore loaded.
#[inline(always)]
pub(crate) fn read<T: Copy>(base: *const u8, offset: &Global<u32>) -> Option<T> {
    if !may_read() {
        return None;
    }
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_kernel(at::<T>(base, offset)) }.ok()
}

/// Whether two values are equal, by one comparison: of addresses in typed pointers the verifier allows no other arithmetic,
/// and the compiler likes to fold two comparisons into some.
#[inline(always)]
pub(crate) fn same(one: u64, other: u64) -> bool {
    #[cfg(target_arch = "bpf")]
    {
        let mut same: u64 = 1;
        // SAFETY: registers only.
        unsafe {
            core::arch::asm!(
                "if {one} == {other} goto +1",
                "{same} = 0",
                one = in(reg) one,
                other = in(reg) other,
                same = inout(reg) same,
                options(nomem, nostack),
            );
        }
        same != 0
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        one == other
    }
}
