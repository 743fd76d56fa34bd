//! Suggestions for misspelt names.

/// The closest name, if any is close.
pub(crate) fn near_name<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const NEAR: f64 = 0.85;
    let likeness = |name: &&str| strsim::jaro_winkler(wrong, name);
    let nearest = known.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    nearest.filter(|name| likeness(name) > NEAR)
}

/// `did you mean "zstd" or "lz4"?`, or the known names if none is close (not all of a very long list): the end of a
/// message.
pub(crate) fn near_names<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    const MOST: usize = 4;
    const MOST_LISTED: usize = 24;
    let wrong = wrong.to_lowercase();
    let known: Vec<&str> = known.into_iter().collect();
    let likeness = |name: &str| {
        let name = name.to_lowercase();
        let contains = name.contains(&wrong) || wrong.contains(&name);
        strsim::jaro_winkler(&wrong, &name) + if contains && wrong.len() > 1 { 0.2 } else { 0.0 }
    };
    let mut near: Vec<(f64, &str)> = known.iter().map(|n| (likeness(n), *n)).filter(|(l, _)| *l > 0.75).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let quote = |names: Vec<&str>| names.iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ");
    if near.is_empty() {
        let others = known.len().saturating_sub(MOST_LISTED);
        let listed = known.into_iter().take(MOST_LISTED).collect();
        let others = if others > 0 { format!(" and {others} others") } else { String::new() };
        return format!("known are {}{others}", quote(listed));
    }
    near.truncate(MOST);
    format!("did you mean {}?", quote(near.into_iter().map(|(_, n)| n).collect()))
}

#[cfg(test)]
mod tests {
    use super::near_names;

    #[test]
    fn the_nearest_name_comes_first() {
        assert!(near_names("inlin", ["crossline", "inline", "offset"]).starts_with("did you mean \"inline\""));
    }

    #[test]
    fn without_a_near_name_all_are_listed() {
        assert_eq!(near_names("qqq", ["cdp", "offset"]), "known are \"cdp\", \"offset\"");
        let many: Vec<String> = (10..60).map(|i| i.to_string()).collect();
        assert!(near_names("qqq", many.iter().map(String::as_str)).ends_with("\"33\" and 26 others"));
    }
}
