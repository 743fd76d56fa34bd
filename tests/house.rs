//! The structure of `src/`: each module uses only those that stand above it in `src/lib.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every file below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Code without comments, and without the tests at its end.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// What a file uses of its crate: the names after `crate::`, also in braces.
fn uses(code: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(group) => {
                let (mut depth, mut item) = (0, String::new());
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => found.push(name(std::mem::take(&mut item).trim())),
                        _ if depth == 0 => item.push(c),
                        _ => {}
                    }
                }
                found.push(name(item.trim()));
            }
            None => found.push(name(rest)),
        }
    }
    found
}

/// The modules in the order of `lib.rs`.
fn modules(src: &Path) -> Vec<String> {
    let lib = std::fs::read_to_string(src.join("lib.rs")).unwrap();
    let line = |line: &str| {
        let line = line.trim_start_matches("pub ");
        line.strip_prefix("mod ")?.strip_suffix(';').map(str::to_owned)
    };
    lib.lines().filter_map(line).collect()
}

#[test]
fn every_module_uses_only_those_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rank: BTreeMap<String, usize> = modules(&src).into_iter().enumerate().map(|(i, name)| (name, i)).collect();
    assert!(rank.len() > 20, "{rank:?}");
    let (mut n_uses, mut wrong) = (0, Vec::new());
    for path in files(&src) {
        let inside = path.strip_prefix(&src).unwrap();
        let is_test = inside.iter().any(|part| part == "tests" || part == "tests.rs" || part == "fault_tests.rs");
        let module = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        let Some(own) = rank.get(module).filter(|_| !is_test) else { continue };
        for used in uses(&code(&path)) {
            n_uses += 1;
            if rank.get(&used).is_some_and(|other| other > own) {
                wrong.push(format!("{} uses {used}", inside.display()));
            }
        }
    }
    assert!(n_uses > 500, "only {n_uses} uses were found");
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_group_in_braces_is_read_as_its_parts() {
    assert_eq!(uses("use crate::{a, b::{c, d}, e};\nlet x = crate::f::g();"), ["a", "b", "e", "f"]);
}

/// Files that are compiled for tests alone, but are no test by their name.
const FOR_TESTS: [&str; 2] = ["faults.rs", "growth.rs"];

#[test]
fn only_one_module_knows_the_operating_system() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let known =
        ["std::os::", "rustix::", "libc::", "signal_hook::", "windows_sys::", "cfg(unix", "cfg(windows", "target_os"];
    let (mut n_inside, mut wrong) = (0, Vec::new());
    for path in files(&src) {
        let inside = path.strip_prefix(&src).unwrap();
        let is_test = |part: &std::ffi::OsStr| {
            let part = part.to_str().unwrap();
            part.trim_end_matches(".rs").ends_with("tests") || FOR_TESTS.contains(&part)
        };
        if inside.iter().any(is_test) {
            continue;
        }
        let code = code(&path);
        for name in known.iter().filter(|name| code.contains(**name)) {
            match inside.starts_with("base/system") {
                true => n_inside += 1,
                false => wrong.push(format!("{} has {name}", inside.display())),
            }
        }
    }
    assert!(n_inside > 5, "only {n_inside} were found where they belong");
    assert_eq!(wrong, Vec::<String>::new());
}
