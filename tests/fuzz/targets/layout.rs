//! Fuzzes what decides about a file and reads it: `cargo run --bin layout`.
#![no_main]

#[path = "../checks.rs"]
#[allow(dead_code, reason = "each target uses one of them")]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::layout(data));
