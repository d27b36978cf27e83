//! Which known name was probably meant.

/// The known name that differs least from `name`, when it differs little enough to be a slip of the pen.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A name of this length was not mistyped from one of ours; and the distance costs length times length.
    if name.len() > 200 {
        return None;
    }
    let allowed = (name.chars().count() / 4).clamp(1, 3);
    known
        .into_iter()
        .map(|other| (distance(name, other), other))
        .filter(|(far, _)| *far <= allowed)
        .min_by_key(|(far, _)| *far)
        .map(|(_, other)| other)
}

/// The number of characters to insert, delete or exchange (Levenshtein) to turn one name into the other; the case of
/// letters and `-` for `_` do not count.
pub(super) fn distance(one: &str, other: &str) -> usize {
    let fold = |c: char| if c == '-' { '_' } else { c.to_ascii_lowercase() };
    let other: Vec<char> = other.chars().map(fold).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().map(fold).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let exchange = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = exchange.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_slip_of_the_pen() {
        let known = ["server.listen", "server.issuer", "storage.path"];
        assert_eq!(nearest("server.lisen", known), Some("server.listen"));
        assert_eq!(nearest("Server.Listen", known), Some("server.listen"));
        assert_eq!(nearest("servr.isuer", known), Some("server.issuer"));
        assert_eq!(nearest("proxy.colour", known), None);
        assert_eq!(nearest("", known), None);
    }

    #[test]
    fn counts_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
