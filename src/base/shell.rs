//! Paths and words quoted for a shell.

use std::path::Path;

/// A path, quoted if necessary.
pub(crate) fn quoted(path: &Path) -> String {
    quoted_word(&path.to_string_lossy())
}

/// A word, quoted if necessary.
pub(crate) fn quoted_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_same_word() {
        assert_eq!(quoted_word("/data/line-42_a.sgy"), "/data/line-42_a.sgy");
        for word in
            ["", "two words", "it's", "$HOME", "a;b|c&d", "*?[x]", "\"q\"", "back\\slash", "new\nline", "~", "日本"]
        {
            let script = format!("printf %s {}", quoted_word(word));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), word);
        }
    }
}
