//! From the path of a URL to the path of a file: decoded once, checked segment by segment.

/// A path beneath a site's folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Relative, without `.` or `..`; empty for the site's folder itself.
    pub(super) path: String,
    /// The URL ends with a slash.
    pub(super) is_folder: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// No client of good will sends this.
    Malformed,
    /// Never served, whether it is there or not.
    Hidden,
}

/// Takes the path as sent. An encoded slash, a backslash, NUL or `..` are refused rather than
/// resolved: somebody before us may have checked the path in its other reading.
pub(super) fn parse(path: &str) -> Result<Target, Wrong> {
    let rest = path.strip_prefix('/').ok_or(Wrong::Malformed)?;
    let (rest, is_folder) = match rest.strip_suffix('/') {
        Some(rest) => (rest, true),
        None => (rest, rest.is_empty()),
    };
    let mut target = String::with_capacity(rest.len());
    if rest.is_empty() {
        return match path {
            "/" => Ok(Target {
                path: target,
                is_folder,
            }),
            _ => Err(Wrong::Hidden),
        };
    }
    for (index, segment) in rest.split('/').enumerate() {
        let segment = decode(segment).ok_or(Wrong::Malformed)?;
        if segment == "." || segment == ".." {
            return Err(Wrong::Malformed);
        }
        // RFC 8615 sets this one apart to be public.
        let is_well_known = index == 0 && segment == ".well-known";
        if segment.is_empty() || (segment.starts_with('.') && !is_well_known) {
            return Err(Wrong::Hidden);
        }
        if index > 0 {
            target.push('/');
        }
        target.push_str(&segment);
    }
    Ok(Target {
        path: target,
        is_folder,
    })
}

/// Percent-decoding (RFC 3986 2.1), once.
fn decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => {
                let digit = |byte: Option<u8>| (byte? as char).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                (high * 16 + low) as u8
            }
            plain => plain,
        };
        if matches!(byte, 0 | b'/' | b'\\') {
            return None;
        }
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_is_decoded_once() {
        let parsed = parse("/a%20b/%C3%A9.html").unwrap();
        assert_eq!(
            (parsed.path.as_str(), parsed.is_folder),
            ("a b/é.html", false)
        );
        assert_eq!(parse("/%2541").unwrap().path, "%41");
        assert!(parse("/").unwrap().is_folder);
        assert!(parse("/a/").unwrap().is_folder);
        assert_eq!(parse("/.well-known/x").unwrap().path, ".well-known/x");
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for wrong in [
            "",
            "a",
            "/..",
            "/a/../b",
            "/%2e%2e/a",
            "/.%2E/a",
            "/a%2fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/%",
            "/%1",
            "/%zz",
            "/%ff",
            "/./a",
        ] {
            assert_eq!(parse(wrong), Err(Wrong::Malformed), "{wrong}");
        }
        for hidden in [
            "//",
            "//a",
            "/a//b",
            "/.git/config",
            "/a/.well-known/x",
            "/%2egit",
        ] {
            assert_eq!(parse(hidden), Err(Wrong::Hidden), "{hidden}");
        }
    }

    proptest! {
        #[test]
        fn no_path_leaves_its_folder(path in "(/|\\.|%2e|%2f|%5c|a|%61|\\\\){0,12}") {
            if let Ok(target) = parse(&path) {
                prop_assert!(!target.path.starts_with('/'));
                prop_assert!(target.path.split('/').all(|segment| segment != ".."));
            }
        }
    }
}
