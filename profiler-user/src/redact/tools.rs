//! Programs whose flags say nothing to who does not know them: `-p`, `-a`, `-u`.

use std::sync::LazyLock;

use hashbrown::HashMap;

/// How a program is given its password.
pub(super) struct Tool {
    pub(super) names: &'static [&'static str],
    /// The password follows, glued or as the next argument.
    pub(super) secret: &'static [&'static str],
    /// `user:password` follows, or with the separator that the program wants.
    pub(super) user: &'static [&'static str],
    pub(super) separator: char,
    /// Bare words before a secret, in lower case.
    pub(super) words: &'static [&'static str],
    /// Only after the word `login`.
    pub(super) logs_in: bool,
}

const NONE: Tool =
    Tool { names: &[], secret: &[], user: &[], separator: ':', words: &[], logs_in: false };

const TOOLS: &[Tool] = &[
    Tool {
        names: &[
            "mysql",
            "mysqldump",
            "mysqladmin",
            "mysqlimport",
            "mysqlshow",
            "mysqlcheck",
            "mysqlpump",
            "mysqlslap",
            "mysqlbinlog",
            "mysqlsh",
            "mysql_upgrade",
            "mariadb",
            "mariadb-dump",
            "mariadb-admin",
            "mariadb-import",
            "mariadb-show",
            "mariadb-check",
            "mariadb-backup",
            "mariadb-binlog",
            "mariabackup",
            "xtrabackup",
            "sshpass",
            "mongo",
            "mongosh",
            "mongodump",
            "mongorestore",
            "mongoexport",
            "mongoimport",
            "cqlsh",
            "rdesktop",
            "ncftpput",
            "ncftpget",
            "evil-winrm",
            "useradd",
            "usermod",
            "rabbitmqadmin",
            "7z",
            "7za",
            "7zr",
            "7zz",
            "rar",
            "unrar",
            "crackmapexec",
            "netexec",
            "nxc",
            "hydra",
            "clickhouse-client",
        ],
        secret: &["-p"],
        ..NONE
    },
    Tool {
        names: &[
            "docker", "podman", "nerdctl", "buildah", "skopeo", "helm", "crane", "oras", "az",
            "oc", "cf",
        ],
        secret: &["-p"],
        logs_in: true,
        ..NONE
    },
    Tool {
        names: &["redis-cli", "valkey-cli", "keydb-cli"],
        secret: &["-a"],
        words: &["auth", "requirepass", "masterauth"],
        ..NONE
    },
    Tool {
        names: &["redis-server", "valkey-server"],
        words: &["requirepass", "masterauth"],
        ..NONE
    },
    Tool { names: &["curl"], user: &["-u", "--user", "-U", "--proxy-user"], ..NONE },
    Tool { names: &["http", "https", "xh"], user: &["-a", "--auth"], ..NONE },
    Tool { names: &["lftp"], user: &["-u"], separator: ',', ..NONE },
    Tool {
        names: &["smbclient", "rpcclient", "smbmap", "winexe", "smbget", "net"],
        user: &["-U", "--user"],
        separator: '%',
        ..NONE
    },
    Tool {
        names: &[
            "ldapsearch",
            "ldapmodify",
            "ldapadd",
            "ldapdelete",
            "ldapwhoami",
            "ldappasswd",
            "ldapcompare",
            "ldapmodrdn",
        ],
        secret: &["-w"],
        ..NONE
    },
    Tool { names: &["openssl"], secret: &["-k", "-K"], ..NONE },
    Tool {
        names: &[
            "zip",
            "unzip",
            "sqlcmd",
            "bcp",
            "mosquitto_pub",
            "mosquitto_sub",
            "ipmitool",
            "tsql",
        ],
        secret: &["-P"],
        ..NONE
    },
    Tool {
        names: &["snmpget", "snmpwalk", "snmpset", "snmpbulkwalk"],
        secret: &["-A", "-X", "-c"],
        ..NONE
    },
    Tool { names: &["xfreerdp", "xfreerdp3", "wlfreerdp"], secret: &["/p:"], ..NONE },
    Tool { names: &["vault", "bao"], words: &["login", "unwrap"], ..NONE },
];

static BY_NAME: LazyLock<HashMap<&str, &Tool>> = LazyLock::new(|| {
    // Of two with one name the first counts.
    let names =
        TOOLS.iter().rev().flat_map(|tool| tool.names.iter().map(move |name| (*name, tool)));
    names.collect()
});

pub(super) fn tool(program: &str) -> Option<&'static Tool> {
    let name = program.rsplit('/').next().unwrap_or(program);
    BY_NAME.get(name).copied()
}
