//! Fuzzes the plan that a worker is given: `cargo run --bin plan`.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

#[path = "../checks.rs"]
#[allow(dead_code, reason = "each target uses one of them")]
mod checks;

static SURVEY: LazyLock<checks::Survey> = LazyLock::new(checks::Survey::new);

fuzz_target!(|data: &[u8]| {
    checks::plan(&SURVEY, data);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    checks::mutated_text(data, size, max_size, seed).unwrap_or_else(|| fuzzer_mutate(data, size, max_size))
});
