//! What a probe consists of and needs.

/// One way to see a behaviour.
pub(super) struct Candidate {
    /// How reports name it.
    pub(super) name: &'static str,
    /// The programs it needs, all of them, with the kernel function or tracepoint each hooks.
    pub(super) programs: &'static [(&'static str, &'static str)],
    /// The kernel fields they read, by the beginning of their names in [`profiler_common::offset`], in groups.
    pub(super) fields: &'static [Fields],
    /// Whether they are of use only where the kernel's memory may be read at any address.
    pub(super) reads: bool,
}

/// Beginnings of fields' names.
pub(super) type Fields = &'static [&'static str];

/// What a dentry walk reads.
pub(super) const WALK: Fields = &["PATH_", "DENTRY_", "VFSMOUNT_", "MOUNT_", "FS_", "TASK_FS"];

/// What an inode is told by.
pub(super) const INODE: Fields = &["INODE_", "SB_"];

/// What tells one executable from another.
pub(super) const EXECUTABLE: Fields = &["TASK_MM", "MM_EXE_FILE", "INODE_", "SB_"];

/// What a returning system call is read from.
pub(super) const CALL: Fields = &["PT_REGS_", "TASK_STATUS"];

/// What leads from a descriptor to its file.
pub(super) const DESCRIPTOR: Fields = &["TASK_FILES", "FILES_", "FDT_"];

/// What names a Unix socket.
pub(super) const UNIX_NAME: Fields =
    &["SOCKET_SK", "UNIX_SOCK_ADDR", "UNIX_ADDRESS_", "SOCKADDR_UN_"];

impl Candidate {
    /// No probe of its own: what others see stands in for it.
    pub(super) const STAND_IN: Self = Self { name: "", programs: &[], fields: &[], reads: false };

    /// Whether one of its programs reads this field.
    pub(super) fn reads_field(&self, name: &str) -> bool {
        self.fields.iter().copied().flatten().any(|field| name.starts_with(field))
    }
}
