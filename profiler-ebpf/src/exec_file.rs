//! The path of a program, printed by the kernel when it opens the file to run it.
//!
//! Where lockdown forbids reading the kernel's memory, an exec cannot walk to its file's path, nor may its hook print one.
//! The open just before it may: its paths are kept under the file's address until the exec that has this file takes them.

use aya_ebpf::{
    bindings::path,
    helpers::{bpf_d_path, bpf_get_current_task_btf},
    macros::{fentry, map},
    maps::{Array, LruHashMap},
    programs::FEntryContext,
};
use profiler_common::event::{Exec, PATH_MAX, PathForm, PathPart};

use crate::{
    container::Container,
    kernel::{at, load, offset},
    open::FMODE_EXEC,
    record::{ENAMETOOLONG, Record},
};

/// One path, as the kernel printed it.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Printed {
    len: u64,
    form: u64,
    words: [u64; PATH_MAX / 8],
}

/// What an exec takes from the open of its program.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct ExecFile {
    executable: Printed,
    cwd: Printed,
}

/// A file's address → its paths. A program's loader is opened in the same way and never taken, hence the LRU; an address
/// that is used again is filled again by its new file's open. The user side makes room here only where it is needed.
#[map]
static EXEC_FILES: LruHashMap<u64, ExecFile> = LruHashMap::with_max_entries(1, 0);

/// All zeros: too large for the stack.
#[map]
static NEW_EXEC_FILE: Array<ExecFile> = Array::with_max_entries(1, 0);

/// `int security_file_open(struct file *file)`
#[fentry(function = "security_file_open")]
pub(crate) fn exec_file(ctx: FEntryContext) -> i32 {
    let file: *const u8 = ctx.arg(0);
    // SAFETY: the hook's argument is BTF-typed.
    if unsafe { load::<u32>(file, &offset::FILE_FLAGS) } & FMODE_EXEC != 0
        && Container::current().is_some()
    {
        let _no_room = keep(file);
    }
    0
}

#[inline(always)]
fn keep(file: *const u8) -> Option<()> {
    let key = file as u64;
    EXEC_FILES.insert(key, NEW_EXEC_FILE.get(0)?, 0).ok()?;
    let kept = EXEC_FILES.get_ptr_mut(key)?;
    // SAFETY: pointers into a live map value; the paths are embedded in structures that the verifier knows.
    unsafe {
        let task = bpf_get_current_task_btf().cast::<u8>().cast_const();
        let fs = load::<*const u8>(task, &offset::TASK_FS);
        print(&raw mut (*kept).executable, at(file, &offset::FILE_PATH));
        print(&raw mut (*kept).cwd, at(fs, &offset::FS_PWD));
    }
    Some(())
}

/// # Safety
/// `to` must point into a live map value, `at` be a BTF-typed pointer.
#[inline(always)]
unsafe fn print(to: *mut Printed, at: *const path) {
    // SAFETY: the caller's promises, and room for the longest path; this hook is on the kernel's list for `bpf_d_path`.
    unsafe {
        let words = &raw mut (*to).words;
        let written = bpf_d_path(at.cast_mut(), words.cast(), PATH_MAX as u32);
        let (len, form) = match written {
            1.. => (written as u64, PathForm::Text),
            _ if written == -ENAMETOOLONG => (0, PathForm::TooLong),
            _ => (0, PathForm::None),
        };
        (&raw mut (*to).len).write_volatile(len);
        (&raw mut (*to).form).write_volatile(form as u64);
    }
}

/// Appends the executable's path.
#[inline(always)]
pub(crate) fn push_executable(record: &mut Record<Exec>, file: *const u8) -> PathPart {
    let Some(kept) = EXEC_FILES.get_ptr_mut(file as u64) else { return PathPart::NONE };
    // SAFETY: the address of a field of a live map value.
    push(record, unsafe { &raw const (*kept).executable })
}

/// Appends the working directory, after which the paths are no longer kept.
#[inline(always)]
pub(crate) fn push_cwd(record: &mut Record<Exec>, file: *const u8) -> PathPart {
    let Some(kept) = EXEC_FILES.get_ptr_mut(file as u64) else { return PathPart::NONE };
    // SAFETY: the address of a field of a live map value.
    let cwd = push(record, unsafe { &raw const (*kept).cwd });
    let _gone = EXEC_FILES.remove(file as u64);
    cwd
}

#[inline(always)]
fn push(record: &mut Record<Exec>, printed: *const Printed) -> PathPart {
    // SAFETY: fields of a live map value.
    let (len, form) = unsafe {
        ((&raw const (*printed).len).read_volatile(), (&raw const (*printed).form).read_volatile())
    };
    // SAFETY: as above; the array is as long as `push_words` is told.
    let pushed = unsafe { record.push_words((&raw const (*printed).words).cast(), len) };
    PathPart { len: pushed, form: form as u32 }
}
