//! How much memory this process can have.

use std::fs;
use std::path::Path;

/// Bytes of memory that are available to this process: what the system says is free or can be freed, and no more than the
/// control groups of the process allow. `None` where the system does not tell, as outside Linux.
pub(crate) fn available_memory() -> Option<u64> {
    // Only a hint, so whatever cannot be read sets no limit.
    let of_system = fs::read_to_string("/proc/meminfo").ok().and_then(|text| mem_available(&text));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let of_groups = limit_of_groups(&groups, Path::new("/sys/fs/cgroup"));
    of_system.into_iter().chain(of_groups).min()
}

/// `MemAvailable` in `/proc/meminfo`, in bytes.
fn mem_available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The smallest limit of these control groups (the lines of `/proc/self/cgroup`) and those they are in.
fn limit_of_groups(groups: &str, mounted: &Path) -> Option<u64> {
    let limits = groups.lines().flat_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let (root, file) = match controllers {
            "" => (mounted.to_owned(), "memory.max"),
            "memory" => (mounted.join("memory"), "memory.limit_in_bytes"),
            _ => return Vec::new(),
        };
        let group = Path::new(group.trim_start_matches('/'));
        let limit = |group: &Path| fs::read_to_string(root.join(group).join(file)).ok()?.trim().parse::<u64>().ok();
        group.ancestors().filter_map(limit).collect()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_read_in_bytes() {
        let text = "MemTotal:       32768000 kB\nMemFree:  12 kB\nMemAvailable:    1024 kB\n";
        assert_eq!(mem_available(text), Some(1 << 20));
        assert_eq!(mem_available("MemTotal: 7 kB\n"), None);
    }

    #[test]
    fn the_smallest_limit_of_a_group_and_those_around_it_counts() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let limit = |groups: &str| limit_of_groups(groups, directory.path());
        assert_eq!(limit("0::/a/b\n"), None);
        at("a/b/memory.max", "max\n");
        assert_eq!(limit("0::/a/b\n"), None);
        at("a/memory.max", "5000\n");
        assert_eq!(limit("0::/a/b\n"), Some(5000));
        at("a/b/memory.max", "4000\n");
        assert_eq!(limit("0::/a/b\n"), Some(4000));
        assert_eq!(limit("0::/a\n"), Some(5000));
        at("memory/c/memory.limit_in_bytes", "300\n");
        assert_eq!(limit("3:cpu:/c\n7:memory:/c\n0::/a\n"), Some(300));
    }
}
