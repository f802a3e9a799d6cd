//! Mail addresses as SMTP commands carry them (RFC 5321 4.1.2, RFC 6531 3.3).
//!
//! Read once, into a value that is right: `<local@domain>`, the local part a dot-string or a
//! quoted string, the domain a name or an address literal. A source route is read and dropped
//! (RFC 5321 appendix C). Everything else that looks clever (`a%b@c`, `"a@b"@c`) is a local part
//! and stays untouched: only the domain behind the last `@` says where mail goes.
//!
//! Not here: the addresses of message headers (RFC 5322), which allow comments and folding.

use alloc::string::String;

use crate::common::limits::{DOMAIN_BYTES_MOST, LOCAL_PART_BYTES_MOST};

/// What stood between the angle brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The mailbox as written, without source route; empty for the null path `<>`.
    pub address: String,
    /// False for `<>` and for a local part alone (`<postmaster>`).
    pub has_domain: bool,
    /// Something in it needs SMTPUTF8 (RFC 6531).
    pub non_ascii: bool,
}

/// Why a path cannot be read; the words go to whoever typed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// No `<` at its place, or no `>` behind the mailbox.
    Brackets,
    /// The local part is not a dot-string and not a quoted string.
    LocalPart,
    /// The domain is not a name and not an address literal.
    Domain,
    /// Longer than RFC 5321 4.5.3.1 asks a server to take.
    TooLong,
    /// Not UTF-8.
    NotUtf8,
}

impl PathError {
    /// One sentence that says what is expected.
    pub fn words(self) -> &'static str {
        match self {
            Self::Brackets => "the address stands in angle brackets: <name@domain>",
            Self::LocalPart => "the part before @ is not well formed",
            Self::Domain => "the part behind @ is neither a domain name nor an [address]",
            Self::TooLong => "the address is too long",
            Self::NotUtf8 => "the address is not UTF-8",
        }
    }
}

/// Reads the path `text` begins with; also gives what follows the `>`.
pub fn path(text: &[u8]) -> Result<(Path, &str), PathError> {
    let text = core::str::from_utf8(text).map_err(|_| PathError::NotUtf8)?;
    let inside = text.strip_prefix('<').ok_or(PathError::Brackets)?;
    let inside = skip_route(inside)?;
    if let Some(rest) = inside.strip_prefix('>') {
        return Ok((Path::null(), rest));
    }
    let local_length = local_part(inside)?;
    let (local, behind) = inside.split_at(local_length);
    let domain_length = match behind.strip_prefix('@') {
        Some(domain) => 1 + self::domain(domain)?,
        None => 0,
    };
    if local.len() > LOCAL_PART_BYTES_MOST || domain_length > DOMAIN_BYTES_MOST + 1 {
        return Err(PathError::TooLong);
    }
    let rest = behind[domain_length..].strip_prefix('>');
    let rest = rest.ok_or(match domain_length {
        0 => PathError::LocalPart,
        _ => PathError::Domain,
    })?;
    let address = &inside[..local_length + domain_length];
    let path = Path {
        address: address.into(),
        has_domain: domain_length > 0,
        non_ascii: !address.is_ascii(),
    };
    Ok((path, rest))
}

/// Splits an address at the `@` that counts. `None` for a local part alone.
pub fn split(address: &str) -> Option<(&str, &str)> {
    let length = local_part(address).ok()?;
    let domain = address[length..].strip_prefix('@')?;
    Some((&address[..length], domain))
}

impl Path {
    fn null() -> Self {
        Self {
            address: String::new(),
            has_domain: false,
            non_ascii: false,
        }
    }
}

/// Drops `@one,@two:` (RFC 5321 4.1.1.3: servers accept it and ignore it).
fn skip_route(inside: &str) -> Result<&str, PathError> {
    let mut rest = inside;
    while let Some(hop) = rest.strip_prefix('@') {
        let length = domain(hop)?;
        rest = match hop.as_bytes().get(length) {
            Some(b',') if hop[length + 1..].starts_with('@') => &hop[length + 1..],
            Some(b':') => return Ok(&hop[length + 1..]),
            _ => return Err(PathError::Domain),
        };
    }
    Ok(rest)
}

/// How long the local part is that `text` begins with.
fn local_part(text: &str) -> Result<usize, PathError> {
    match text.as_bytes().first() {
        Some(b'"') => quoted_string(text),
        _ => dot_string(text),
    }
}

fn quoted_string(text: &str) -> Result<usize, PathError> {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '"' if at == 1 => return Err(PathError::LocalPart), // "" names nobody
            '"' => return Ok(at + 1),
            '\\' => match characters.next() {
                Some((_, ' '..='~')) => {}
                _ => return Err(PathError::LocalPart),
            },
            ' '..='~' => {}
            _ if is_beyond_ascii(character) => {}
            _ => return Err(PathError::LocalPart),
        }
    }
    Err(PathError::LocalPart)
}

fn dot_string(text: &str) -> Result<usize, PathError> {
    let is_atext = |c: char| {
        c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_beyond_ascii(c)
    };
    let length = text
        .find(|c| !is_atext(c) && c != '.')
        .unwrap_or(text.len());
    match text[..length].split('.').any(str::is_empty) {
        true => Err(PathError::LocalPart),
        false => Ok(length),
    }
}

/// How long the domain or address literal is that `text` begins with.
fn domain(text: &str) -> Result<usize, PathError> {
    if text.starts_with('[') {
        return address_literal(text);
    }
    // An underscore is not a letter of host names, but mail from such names exists and is
    // nobody's harm.
    let is_letter = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c) || is_beyond_ascii(c);
    let length = text
        .find(|c| !is_letter(c) && c != '.')
        .unwrap_or(text.len());
    let is_label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-')
    };
    match text[..length].split('.').all(is_label) {
        true => Ok(length),
        false => Err(PathError::Domain),
    }
}

/// `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 4.1.3).
fn address_literal(text: &str) -> Result<usize, PathError> {
    let end = text.find(']').ok_or(PathError::Domain)?;
    let inside = &text[1..end];
    let tag = inside
        .get(..5)
        .filter(|tag| tag.eq_ignore_ascii_case("IPv6:"));
    let is_right = match tag {
        Some(_) => inside[5..].parse::<core::net::Ipv6Addr>().is_ok(),
        None => inside.parse::<core::net::Ipv4Addr>().is_ok(),
    };
    is_right.then_some(end + 1).ok_or(PathError::Domain)
}

/// Letters of other scripts, without what only disturbs: control, format and separator
/// characters that hide or reorder text (RFC 6531 3.3 leaves refusing them to the server).
fn is_beyond_ascii(character: char) -> bool {
    let hides = matches!(character,
        '\u{80}'..='\u{a0}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202f}' | '\u{2060}'..='\u{206f}' | '\u{3000}' | '\u{feff}'
        | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e007f}');
    !character.is_ascii() && !hides
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<(String, String), PathError> {
        path(text.as_bytes()).map(|(path, rest)| (path.address, rest.into()))
    }

    #[test]
    fn addresses_are_read_as_written() {
        for (text, address, rest) in [
            ("<>", "", ""),
            ("<a@b.test> SIZE=1", "a@b.test", " SIZE=1"),
            ("<Postmaster>", "Postmaster", ""),
            ("<@x.test,@y.test:a@b.test>", "a@b.test", ""),
            ("<a%c@b.test>", "a%c@b.test", ""),
            ("<\"a@c\"@b.test>", "\"a@c\"@b.test", ""),
            ("<\"a\\\"> b\"@b.test>", "\"a\\\"> b\"@b.test", ""),
            ("<a@[127.0.0.1]>", "a@[127.0.0.1]", ""),
            ("<a@[ipv6:::1]>", "a@[ipv6:::1]", ""),
            ("<zoë@münchen.test>", "zoë@münchen.test", ""),
        ] {
            assert_eq!(read(text), Ok((address.into(), rest.into())), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_address_is_named() {
        for (text, error) in [
            ("a@b.test", PathError::Brackets),
            ("<a@b.test", PathError::Domain),
            ("<a", PathError::LocalPart),
            ("<a..b@c.test>", PathError::LocalPart),
            ("<.a@c.test>", PathError::LocalPart),
            ("<a b@c.test>", PathError::LocalPart),
            ("<\"\"@c.test>", PathError::LocalPart),
            ("<\"a@c.test>", PathError::LocalPart),
            ("<a@c.test.>", PathError::Domain),
            ("<a@>", PathError::Domain),
            ("<a@-c.test>", PathError::Domain),
            ("<a@b@c.test>", PathError::Domain),
            ("<a@[127.0.0.256]>", PathError::Domain),
            ("<a@[x]>", PathError::Domain),
            ("<@x.test;a@b.test>", PathError::Domain),
            ("<a\u{202e}b@c.test>", PathError::LocalPart),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
        assert_eq!(path(b"<\xff@b.test>"), Err(PathError::NotUtf8));
    }

    #[test]
    fn lengths_are_taken_at_n_and_refused_at_n_plus_1() {
        let local = |count| format!("<{}@b.test>", "a".repeat(count));
        assert!(read(&local(64)).is_ok());
        assert_eq!(read(&local(65)), Err(PathError::TooLong));
        let domain = |count: usize| {
            let name = format!("{}.", "d".repeat(60)).repeat(4) + &"e".repeat(count - 244);
            format!("<a@{name}>")
        };
        assert!(read(&domain(255)).is_ok());
        assert_eq!(read(&domain(256)), Err(PathError::TooLong));
    }

    #[test]
    fn the_at_sign_that_counts_is_found() {
        assert_eq!(split("\"a@b\"@c.test"), Some(("\"a@b\"", "c.test")));
        assert_eq!(split("postmaster"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = path(&text);
        }

        #[test]
        fn likely_text_neither(text in "[<>@\"\\\\.:,\\[\\]aé%-]{0,30}") {
            if let Ok((path, _)) = path(text.as_bytes()) {
                prop_assert!(!path.address.contains(['\r', '\n']));
                prop_assert_eq!(path.has_domain, split(&path.address).is_some());
            }
        }
    }
}
