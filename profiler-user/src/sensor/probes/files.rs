//! What sees opens and changes of files, and executable mappings.

use super::candidate::{CALL, Candidate, DESCRIPTOR, INODE, WALK};

pub(super) const OPEN: &[Candidate] = &[
    Candidate {
        name: "fentry/security_file_open",
        programs: &[("open_file", "security_file_open")],
        fields: &[WALK, INODE, &["FILE_"]],
        reads: false,
    },
    Candidate {
        name: "tp_btf/sys_exit (open)",
        programs: &[("open_exit", "sys_exit")],
        fields: &[WALK, INODE, CALL, DESCRIPTOR, &["FILE_"]],
        reads: true,
    },
];

/// The file is never reached: only its caller's words say which.
pub(super) const DENIED: &[Candidate] = &[Candidate {
    name: "tp_btf/sys_exit (denied open)",
    programs: &[("open_denied", "sys_exit")],
    fields: &[WALK, CALL, DESCRIPTOR, &["FILE_PATH"]],
    reads: false,
}];

/// `security_path_*` knows the mount, `vfs_*` whether it succeeded.
pub(super) const CHANGE: &[Candidate] = &[
    Candidate {
        name: "fentry/security_path_*, fexit/vfs_*, chmod_common, chown_common",
        programs: &[
            ("unlink_begins", "security_path_unlink"),
            ("unlink_done", "vfs_unlink"),
            ("rmdir_begins", "security_path_rmdir"),
            ("rmdir_done", "vfs_rmdir"),
            ("rename_begins", "security_path_rename"),
            ("rename_done", "vfs_rename"),
            ("link_begins", "security_path_link"),
            ("link_done", "vfs_link"),
            ("symlink_begins", "security_path_symlink"),
            ("symlink_done", "vfs_symlink"),
            ("mode_done", "chmod_common"),
            ("owner_done", "chown_common"),
            ("truncate_done", "vfs_truncate"),
        ],
        fields: &[WALK, &["RENAMEDATA_"]],
        reads: true,
    },
    Candidate {
        name: "tp_btf/sys_exit (change)",
        programs: &[("change_exit", "sys_exit")],
        fields: &[WALK, CALL, DESCRIPTOR, &["FILE_PATH"]],
        reads: true,
    },
];

pub(super) const MAP: &[Candidate] = &[
    Candidate {
        name: "fexit/vm_mmap_pgoff",
        programs: &[("map_done", "vm_mmap_pgoff")],
        fields: &[WALK, INODE, &["FILE_"]],
        reads: true,
    },
    Candidate {
        name: "tp_btf/sys_exit (map)",
        programs: &[("map_exit", "sys_exit")],
        fields: &[WALK, INODE, CALL, DESCRIPTOR, &["FILE_"]],
        reads: true,
    },
];
