//! Mail addresses as the envelope carries them (RFC 5321 section 4.1.2), in the one form in which
//! we compare them.

use std::fmt;

/// An address: what stands before the last `@`, and the domain.
///
/// Both are kept in lower case: local parts are case-sensitive by RFC 5321 section 2.4, but nobody
/// wants `Bob@` and `bob@` to be two people, and for other servers' addresses the original text is
/// kept beside this. A quoted local part that needs no quotes loses them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    local: String,
    domain: String,
}

impl Address {
    /// Reads an address without angle brackets. `None` if it has no local part or no domain, holds
    /// control characters, or an unquoted local part holds an `@`, a `%` or a `!` route
    /// (RFC 5321 appendix F.2 advises against routing by them).
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.rsplit_once('@')?;
        let domain = domain.strip_suffix('.').unwrap_or(domain);
        if !is_domain(domain) && !is_literal(domain) {
            return None;
        }
        Some(Self {
            local: plain_local(local)?.to_lowercase(),
            domain: domain.to_lowercase(),
        })
    }

    /// Joins a local part known to be good with a domain.
    pub fn of(local: &str, domain: &str) -> Self {
        Self {
            local: local.to_lowercase(),
            domain: domain.to_lowercase(),
        }
    }

    /// What stands before the `@`, in lower case, without quotes.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain, in lower case, without a final dot.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Whether the domain can be looked up: a name, in ASCII.
    pub fn has_domain_name(&self) -> bool {
        self.domain.is_ascii() && !self.domain.starts_with('[')
    }

    /// The same without what follows the first `+` (`bob+lists@` is `bob@`); `None` if there is no
    /// such part.
    pub fn without_detail(&self) -> Option<Self> {
        let (local, _) = self.local.split_once('+')?;
        (!local.is_empty()).then(|| Self {
            local: local.to_owned(),
            domain: self.domain.clone(),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

/// The local part without needless quotes, if it is one we deliver to.
fn plain_local(local: &str) -> Option<&str> {
    let local = match local
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        Some(quoted) if !quoted.contains(['\\', '"']) => quoted,
        Some(_) => return None,
        None => local,
    };
    let good = |c: char| !c.is_control() && !c.is_whitespace() && !"@%!<>(),:;\"\\[]".contains(c);
    (!local.is_empty() && local.chars().all(good)).then_some(local)
}

/// Labels of letters, digits, hyphens and underscores, in the lengths of RFC 1035 section 2.3.4.
fn is_domain(domain: &str) -> bool {
    let good = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.chars().all(good);
    domain.len() <= 253 && domain.split('.').all(is_label)
}

/// An address in brackets (RFC 5321 section 4.1.3).
fn is_literal(domain: &str) -> bool {
    let inner = domain
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':');
    inner.is_some_and(|inner| !inner.is_empty() && inner.chars().all(good))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        Address::parse(text).map(|address| address.to_string())
    }

    #[test]
    fn case_quotes_and_a_final_dot_make_no_difference() {
        for text in [
            "bob@sud.test",
            "Bob@SUD.test",
            "\"bob\"@sud.test",
            "bob@sud.test.",
        ] {
            assert_eq!(read(text).as_deref(), Some("bob@sud.test"), "{text}");
        }
        assert_eq!(
            read("Élodie@école.test").as_deref(),
            Some("élodie@école.test")
        );
    }

    #[test]
    fn routes_and_tricks_are_no_addresses_of_ours() {
        for text in [
            "bob",
            "@sud.test",
            "bob@",
            "\"a@b\"@sud.test",
            "a%b@sud.test",
            "a!b@sud.test",
            "bo b@sud.test",
            "bob\r\n@sud.test",
            "\"\"@sud.test",
            "bob@sud.test\0",
            "bob@su d",
            "bob@.",
            "bob@a..b",
            "bob@.a",
            "bob@[]",
            "bob@[127.0.0.1",
            "bob@a:b",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_address_in_brackets_cannot_be_looked_up() {
        for (text, known) in [
            ("b@a.test", true),
            ("b@[127.0.0.1]", false),
            ("b@école.test", false),
        ] {
            assert_eq!(
                Address::parse(text).unwrap().has_domain_name(),
                known,
                "{text}"
            );
        }
        assert_eq!(read(&format!("b@{}.test", "a".repeat(64))), None);
    }

    #[test]
    fn the_detail_behind_plus_is_set_aside() {
        let address = Address::parse("bob+x+y@sud.test").unwrap();
        assert_eq!(address.without_detail(), Address::parse("bob@sud.test"));
        assert_eq!(
            Address::parse("+x@sud.test").unwrap().without_detail(),
            None
        );
    }
}
