//! The kernel fields whose offsets the kernel side takes from frozen globals.
//!
//! rustc emits no CO-RE relocations, so the user side looks each field up in the running kernel's BTF before loading
//! and overrides the global of the same name. The verifier then sees a constant.

/// A field that this kernel does not have.
pub const ABSENT: u32 = u32::MAX;

/// Calls `$macro! { NAME = "struct", "member path"; … }` with every offset that the kernel side uses.
///
/// Offsets are in bytes, except where the name ends in `_BIT`: those are in bits, for bit fields.
#[macro_export]
macro_rules! for_each_offset {
    ($macro:ident) => {
        $macro! {
            CGROUP_KN = "cgroup", "kn";
            CGROUP_ROOT = "cgroup", "root";
            CGROUP_SELF = "cgroup", "self";
            CGROUP_ROOT_HIERARCHY = "cgroup_root", "hierarchy_id";
            CSS_CGROUP = "cgroup_subsys_state", "cgroup";
            CSS_PARENT = "cgroup_subsys_state", "parent";
            KN_ID = "kernfs_node", "id";
            CSS_SET_CGROUP = "css_set", "dfl_cgrp";
            NSPROXY_MNT = "nsproxy", "mnt_ns";
            TASK_CGROUPS = "task_struct", "cgroups";
            TASK_EXIT_CODE = "task_struct", "exit_code";
            TASK_FILES = "task_struct", "files";
            TASK_FS = "task_struct", "fs";
            TASK_GROUP_LEADER = "task_struct", "group_leader";
            TASK_MM = "task_struct", "mm";
            TASK_NSPROXY = "task_struct", "nsproxy";
            TASK_PID = "task_struct", "pid";
            TASK_REAL_PARENT = "task_struct", "real_parent";
            TASK_SECCOMP_MODE = "task_struct", "seccomp.mode";
            TASK_SIGNAL = "task_struct", "signal";
            TASK_STATUS = "task_struct", "thread_info.status";
            TASK_TGID = "task_struct", "tgid";
            TASK_THREAD_PID = "task_struct", "thread_pid";
            SIGNAL_LIVE = "signal_struct", "live";
            PID_LEVEL = "pid", "level";
            PID_NUMBERS = "pid", "numbers";
            PID_SIZE = "pid", "";
            UPID_SIZE = "upid", "";
            MM_ARG_START = "mm_struct", "arg_start";
            MM_ARG_END = "mm_struct", "arg_end";
            MM_EXE_FILE = "mm_struct", "exe_file";
            BPRM_EXEC = "linux_binprm", "exec";
            BPRM_FILE = "linux_binprm", "file";
            BPRM_FILENAME = "linux_binprm", "filename";
            FILES_FDT = "files_struct", "fdt";
            FDT_FD = "fdtable", "fd";
            FDT_MAX_FDS = "fdtable", "max_fds";
            FILE_PATH = "file", "f_path";
            FILE_INODE = "file", "f_inode";
            FILE_MODE = "file", "f_mode";
            FILE_FLAGS = "file", "f_flags";
            FS_ROOT = "fs_struct", "root";
            FS_PWD = "fs_struct", "pwd";
            PATH_MNT = "path", "mnt";
            PATH_DENTRY = "path", "dentry";
            DENTRY_PARENT = "dentry", "d_parent";
            DENTRY_NAME = "dentry", "d_name.name";
            DENTRY_HASH = "dentry", "d_name.hash";
            DENTRY_LEN = "dentry", "d_name.len";
            VFSMOUNT_ROOT = "vfsmount", "mnt_root";
            MOUNT_MNT = "mount", "mnt";
            MOUNT_PARENT = "mount", "mnt_parent";
            MOUNT_MOUNTPOINT = "mount", "mnt_mountpoint";
            INODE_INO = "inode", "i_ino";
            INODE_GENERATION = "inode", "i_generation";
            INODE_NLINK = "inode", "i_nlink";
            INODE_SB = "inode", "i_sb";
            SB_DEV = "super_block", "s_dev";
            INODE_SIZE = "inode", "";
            SB_MAGIC = "super_block", "s_magic";
            RENAMEDATA_OLD = "renamedata", "old_dentry";
            PT_REGS_ORIG_AX = "pt_regs", "orig_ax";
            PT_REGS_DI = "pt_regs", "di";
            PT_REGS_SI = "pt_regs", "si";
            PT_REGS_DX = "pt_regs", "dx";
            PT_REGS_R10 = "pt_regs", "r10";
            PT_REGS_R8 = "pt_regs", "r8";
            SOCK_CGROUP = "sock", "sk_cgrp_data.cgroup";
            SOCK_FAMILY = "sock", "__sk_common.skc_family";
            SOCK_NUM = "sock", "__sk_common.skc_num";
            SOCK_DPORT = "sock", "__sk_common.skc_dport";
            SOCK_RCV_SADDR = "sock", "__sk_common.skc_rcv_saddr";
            SOCK_DADDR = "sock", "__sk_common.skc_daddr";
            SOCK_V6_RCV_SADDR = "sock", "__sk_common.skc_v6_rcv_saddr";
            SOCK_V6_DADDR = "sock", "__sk_common.skc_v6_daddr";
            SOCK_PROTOCOL = "sock", "sk_protocol";
            SOCK_USERLOCKS_BIT = "sock", "sk_userlocks";
            SOCK_TYPE = "sock", "sk_type";
            TASK_CRED = "task_struct", "cred";
            TASK_REAL_CRED = "task_struct", "real_cred";
            CRED_UID = "cred", "uid";
            CRED_EUID = "cred", "euid";
            SOCKET_SK = "socket", "sk";
            FILE_PRIVATE = "file", "private_data";
            UNIX_SOCK_ADDR = "unix_sock", "addr";
            UNIX_SOCK_PEER = "unix_sock", "peer";
            UNIX_ADDRESS_LEN = "unix_address", "len";
            UNIX_ADDRESS_NAME = "unix_address", "name";
            SOCKADDR_UN_PATH = "sockaddr_un", "sun_path";
        }
    };
}
