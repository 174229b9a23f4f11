//! What sees changes of files, and executable mappings.

use super::{Candidate, WALK};

/// `security_path_*` knows the mount, `vfs_*` whether it succeeded.
pub(super) const CHANGE: &[Candidate] = &[
    Candidate {
        name: "fentry/security_path_*, fexit/vfs_*, chmod_common, chown_common",
        reads: true,
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
        fields: &[WALK[0], WALK[1], WALK[2], WALK[3], WALK[4], WALK[5], "RENAMEDATA_"],
    },
    Candidate {
        name: "tp_btf/sys_exit (change)",
        reads: true,
        programs: &[("change_exit", "sys_exit")],
        fields: &[
            WALK[0],
            WALK[1],
            WALK[2],
            WALK[3],
            WALK[4],
            WALK[5],
            "FILE_PATH",
            "FILES_",
            "FDT_",
            "PT_REGS_",
            "TASK_STATUS",
        ],
    },
];

pub(super) const MAP: &[Candidate] = &[
    Candidate {
        name: "fexit/vm_mmap_pgoff",
        reads: true,
        programs: &[("map_done", "vm_mmap_pgoff")],
        fields: &[WALK[0], WALK[1], WALK[2], WALK[3], WALK[4], WALK[5], "FILE_", "INODE_", "SB_"],
    },
    Candidate {
        name: "tp_btf/sys_exit (map)",
        reads: true,
        programs: &[("map_exit", "sys_exit")],
        fields: &[
            WALK[0],
            WALK[1],
            WALK[2],
            WALK[3],
            WALK[4],
            WALK[5],
            "FILE_",
            "FILES_",
            "FDT_",
            "INODE_",
            "SB_",
            "PT_REGS_",
            "TASK_STATUS",
        ],
    },
];
