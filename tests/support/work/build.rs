//! A kernel's build, or one like it: make, a compiler with its temporary files, an assembler, a linker, scripts between.

use std::fmt::Write as _;

use super::{Size, Work, sources};
use crate::Lab;

pub(super) fn work(lab: &Lab, size: Size) -> Work {
    match size {
        Size::Full => kernel(),
        Size::Small => like_a_kernel(lab, 60),
        Size::Guest => like_a_kernel(lab, 4),
    }
}

/// Linux, as small as it can be, with everything around it; or what of it `DRIFTLINE_KERNEL_TARGETS` says (`lib/`).
fn kernel() -> Work {
    let targets = std::env::var("DRIFTLINE_KERNEL_TARGETS").unwrap_or("vmlinux".to_owned());
    let source = sources().expect("the full size was asked for").join("linux");
    let make = format!("make -C {} O=$PWD/build", source.display());
    Work {
        name: "a kernel build",
        script: format!(
            "mkdir build\n{make} tinyconfig\n{make} -j2 {targets}\ntest -s build/.config\n"
        ),
        leaves: &["build"],
        mounts: None,
    }
}

/// So many files in C that need no header of the system, as a kernel's do.
fn like_a_kernel(lab: &Lab, files: usize) -> Work {
    let source = lab.path("source");
    std::fs::create_dir_all(&source).expect("the lab is ours");
    let mut objects = String::new();
    for number in 0..files {
        let text = format!(
            "#include \"config.h\"\nint f{number}(int x) {{ return x * CONFIG + {number}; }}\n"
        );
        lab.write(&format!("source/part{number}.c"), &text);
        let _infallible = write!(objects, " part{number}.o");
    }
    let makefile = format!(
        "VPATH = ../source\n\
         all.o: built-in.a\n\tld -r --whole-archive -o $@ $<\n\
         built-in.a:{objects}\n\trm -f $@; ar rcs $@ $^\n\
         %.o: %.c config.h\n\tgcc -nostdinc -ffreestanding -I. -O1 -Wp,-MMD,.$@.d -c -o $@ $<\n\t@sed -n 1p .$@.d >$@.cmd\n\
         config.h:\n\tt=$$(mktemp); echo '#define CONFIG 7' >$$t; mv $$t $@\n"
    );
    lab.write("source/Makefile", &makefile);
    Work {
        name: "a build",
        script: "mkdir build\nmake -C build -f ../source/Makefile -j2\ntest -s build/all.o\n"
            .to_owned(),
        leaves: &["build"],
        mounts: None,
    }
}
