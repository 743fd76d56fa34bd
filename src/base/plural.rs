//! Numbers of things in messages: one trace, two traces.

/// `1 trace`, `2 traces`.
pub(crate) fn count(n: u64, noun: &str) -> String {
    counted(n, n, noun)
}

/// Like [`count`], with the number as it is shown.
pub(crate) fn counted(n: u64, shown: impl std::fmt::Display, noun: &str) -> String {
    format!("{shown} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!([0, 1, 2].map(|n| count(n, "trace")), ["0 traces", "1 trace", "2 traces"]);
        assert_eq!(counted(1200, "1,200", "gather"), "1,200 gathers");
    }
}
