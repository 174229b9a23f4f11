#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _reason = profiler_user::fuzzing::bind(bytes);
});
