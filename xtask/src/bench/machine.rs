//! What a figure was measured on, so that a table of them says so.

use std::fs;

/// `Model, 2 cores, Linux 6.12.1`
pub(super) fn line() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    describe(&processors, cores, kernel.trim())
}

fn describe(processors: &str, cores: usize, kernel: &str) -> String {
    let model = processors.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim())
    });
    let plural = if cores == 1 { "" } else { "s" };
    format!("{}, {cores} core{plural}, Linux {kernel}", model.unwrap_or("an unnamed processor"))
}

#[cfg(test)]
mod tests {
    use super::describe;

    #[test]
    fn a_machine_is_named_by_what_the_kernel_says() {
        let processors = "processor\t: 0\nmodel name\t: Some CPU @ 2.0GHz\n";
        assert_eq!(describe(processors, 2, "6.12.1"), "Some CPU @ 2.0GHz, 2 cores, Linux 6.12.1");
        assert_eq!(describe("", 1, "6.1"), "an unnamed processor, 1 core, Linux 6.1");
    }
}
