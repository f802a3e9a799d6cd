//! The known word that somebody probably meant.

/// The nearest of `known` to `word`: the least edits, and at most one for every three characters
/// (two for short words); of those equally near, first one that begins alike: the first letter is
/// seldom the wrong one. A word that stands alone may also name the last part of a dotted one.
pub fn nearest<S: AsRef<str>>(word: &str, known: impl IntoIterator<Item = S>) -> Option<String> {
    let most = (word.chars().count() / 3).max(2);
    known
        .into_iter()
        .map(|candidate| {
            let candidate = candidate.as_ref();
            let last = candidate.rsplit('.').next().unwrap_or_default();
            let own = word.rsplit('.').next().unwrap_or_default();
            let moved = if last == own { most } else { usize::MAX };
            let edits = distance(word, candidate).min(moved);
            let other_start = candidate.chars().next() != word.chars().next();
            (edits, other_start, candidate.to_owned())
        })
        .filter(|(edits, _, candidate)| *edits <= most && *edits < candidate.chars().count())
        .min()
        .map(|(_, _, candidate)| candidate)
}

/// How many characters must be put in, taken out, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_nonsense_none() {
        let known = [
            "domains",
            "hostname",
            "mail.queue.expire",
            "mail.size_bytes_most",
        ];
        let found = |word| nearest(word, known);
        assert_eq!(found("domain").as_deref(), Some("domains"));
        assert_eq!(found("hsotname").as_deref(), Some("hostname"));
        assert_eq!(
            found("size_bytes_most").as_deref(),
            Some("mail.size_bytes_most")
        );
        assert_eq!(found("mail.expire").as_deref(), Some("mail.queue.expire"));
        // A swap is one edit as another letter is; the first letter decides.
        assert_eq!(nearest("mial", ["dial", "mail"]).as_deref(), Some("mail"));
        assert_eq!(nearest("dail", ["mail", "dial"]).as_deref(), Some("dial"));
        assert_eq!(distance("mial", "mail"), 1);
        assert_eq!(found("xyzzy"), None);
        assert_eq!(found(""), None);
    }
}
