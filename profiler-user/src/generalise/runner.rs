//! Programs that run what their arguments say: from where on in a list of arguments another word is not another program.

/// Interpreters, and their options that neither are code nor are followed by any. What comes behind a script is the script's.
const INTERPRETERS: &[(&str, &str)] = &[
    ("ash", "efuvx"),
    ("bash", "efuvx"),
    ("dash", "efuvx"),
    ("ksh", "efuvx"),
    ("sh", "efuvx"),
    ("zsh", "efuvx"),
    ("python", "BEIOSbsuv"),
    ("pypy", "BEIOSbsuv"),
    ("perl", "TWtw"),
    ("ruby", "w"),
    ("lua", ""),
    ("luajit", ""),
    ("node", ""),
    ("nodejs", ""),
    ("bun", ""),
    ("php", ""),
    ("tclsh", ""),
    ("Rscript", ""),
];

/// Of these every word may be a program, code, a place to write it to, or who may do what.
const RUNNERS: &[&str] = &[
    "R",
    "at",
    "batch",
    "busybox",
    "capsh",
    "chgrp",
    "chmod",
    "chown",
    "chroot",
    "chrt",
    "crictl",
    "crontab",
    "csh",
    "ctr",
    "dd",
    "deno",
    "doas",
    "docker",
    "ed",
    "emacs",
    "env",
    "eval",
    "ex",
    "exec",
    "expect",
    "find",
    "fish",
    "flock",
    "gdb",
    "install",
    "insmod",
    "ionice",
    "iptables",
    "java",
    "jshell",
    "julia",
    "kubectl",
    "ltrace",
    "make",
    "mknod",
    "modprobe",
    "mount",
    "nc",
    "ncat",
    "netcat",
    "nerdctl",
    "nft",
    "nice",
    "nohup",
    "nsenter",
    "parallel",
    "passwd",
    "pkexec",
    "podman",
    "prlimit",
    "rsync",
    "runc",
    "runuser",
    "scp",
    "script",
    "sed",
    "setarch",
    "setcap",
    "setpriv",
    "setsid",
    "sftp",
    "socat",
    "ssh",
    "stdbuf",
    "strace",
    "su",
    "sudo",
    "systemd-run",
    "taskset",
    "tcsh",
    "telnet",
    "time",
    "timeout",
    "toybox",
    "unshare",
    "useradd",
    "usermod",
    "vi",
    "vim",
    "watch",
    "xargs",
];

/// Their first word that is no option is code, and what follows is data.
const AWKS: &[&str] = &["awk", "gawk", "mawk", "nawk"];

/// Programs of many names: what one does is said by its first argument.
const MULTICALL: &[&str] = &["busybox", "coreutils", "toybox"];

/// The first argument that may be one of many; none where none may. `args` with the program's name, generalised.
pub fn operands(executable: &str, args: &[String]) -> Option<usize> {
    let called = name(args.first()?);
    let is = name(executable);
    let names: &[&str] = if MULTICALL.contains(&is) { &[called] } else { &[called, is] };
    if names.iter().any(|name| RUNNERS.contains(name)) {
        return None;
    }
    if names.iter().any(|name| AWKS.contains(name)) {
        return behind_awk_program(args);
    }
    // `python3-dbg` is one, too.
    let stem = |of: &str| name(of.split('-').next().unwrap_or(of)).to_owned();
    let interpreter = |of: &&str| INTERPRETERS.iter().find(|(known, _)| *known == stem(of));
    let Some((_, options)) = names.iter().find_map(interpreter) else { return Some(1) };
    let is_harmless = |arg: &&String| {
        let letters = arg.strip_prefix('-').unwrap_or_default();
        !letters.is_empty() && letters.chars().all(|letter| options.contains(letter))
    };
    let script = 1 + args[1..].iter().take_while(is_harmless).count();
    let is_script = args.get(script).is_some_and(|arg| !arg.starts_with('-'));
    is_script.then_some(script + 1)
}

/// None where the program is in a file, or an option is not known.
fn behind_awk_program(args: &[String]) -> Option<usize> {
    let mut at = 1;
    while let Some(option) = args.get(at)?.strip_prefix('-') {
        at += match option {
            "F" | "v" => 2,
            _ if option.starts_with(['F', 'v']) => 1,
            _ => return None,
        };
    }
    Some(at + 1)
}

/// Without its directory, the hyphen of a login shell, and its version: `python3.11` is `python`.
fn name(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = name.trim_start_matches('-');
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    if plain.is_empty() { name } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_what_is_run_is_never_one_of_many() {
        let from = |executable: &str, line: &str| {
            let args: Vec<_> = line.split(' ').map(str::to_owned).collect();
            operands(executable, &args)
        };
        for (executable, line, expected) in [
            ("/usr/bin/convert", "convert a.png b.png", Some(1)),
            ("/usr/bin/dash", "sh -c id", None),
            ("/usr/bin/dash", "convert -c id", None),
            ("/usr/bin/dash", "sh -ec id", None),
            ("/usr/bin/dash", "/bin/sh -e /app/job x.png", Some(3)),
            ("/usr/bin/bash", "-bash /app/job x.png", Some(2)),
            ("/usr/bin/bash", "bash -o errexit -c id", None),
            ("/usr/bin/python3.11", "python3 -c id", None),
            ("/usr/bin/python3.11", "python3.11 -m http.server", None),
            ("/usr/bin/python3.11", "python3.11 -u app.py x", Some(3)),
            ("/usr/bin/perl", "perl -w -e id", None),
            ("/usr/bin/perl", "perl", None),
            ("/usr/bin/python3.11-dbg", "python3-dbg -c id", None),
            ("/usr/bin/node", "node --eval=id", None),
            ("/usr/bin/find", "find /data -exec id ;", None),
            ("/usr/bin/xargs", "xargs sha256sum", None),
            ("/bin/busybox", "sha256sum a", Some(1)),
            ("/bin/busybox", "sh -c id", None),
            ("/bin/busybox", "busybox sha256sum a", None),
            ("/usr/bin/mawk", "awk {{print} x", Some(2)),
            ("/usr/bin/mawk", "awk -F; -v a=1 {{print} x", Some(5)),
            ("/usr/bin/mawk", "awk -f code x", None),
            ("/usr/bin/mawk", "awk -F", None),
        ] {
            assert_eq!(from(executable, line), expected, "{executable} {line}");
        }
    }
}
