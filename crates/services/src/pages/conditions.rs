//! Conditional and range requests (RFC 9110 sections 13 and 14).

use std::ops::Range;

use guichet_proto::http::{Field, Method, Request, date};

use super::page::Page;

/// What the conditions come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Proceed,
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

/// In the order of RFC 9110 13.2.2; If-Range is part of [`part`].
pub(super) fn evaluate(request: &Request, etag: &str, modified: u64, now: u64) -> Outcome {
    let fields = &request.fields;
    let time = |field| fields.get(field).and_then(|text| date::parse(text, now));
    let is_read = matches!(request.method, Method::Get | Method::Head);

    if fields.get(Field::IfMatch).is_some() {
        if !fields
            .all(Field::IfMatch)
            .any(|list| names(list, etag, Comparison::Strong))
        {
            return Outcome::Failed;
        }
    } else if time(Field::IfUnmodifiedSince).is_some_and(|time| modified > time) {
        return Outcome::Failed;
    }

    if fields.get(Field::IfNoneMatch).is_some() {
        let has_it = fields
            .all(Field::IfNoneMatch)
            .any(|list| names(list, etag, Comparison::Weak));
        return match (has_it, is_read) {
            (false, _) => Outcome::Proceed,
            (true, true) => Outcome::NotModified,
            (true, false) => Outcome::Failed,
        };
    }
    if is_read && time(Field::IfModifiedSince).is_some_and(|time| modified <= time) {
        return Outcome::NotModified;
    }
    Outcome::Proceed
}

/// RFC 9110 8.8.3.2.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

/// Whether a list of entity tags names ours, or is `*`. Ours is strong.
fn names(list: &str, etag: &str, comparison: Comparison) -> bool {
    let mut rest = list.trim();
    if rest == "*" {
        return true;
    }
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (is_weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        // Behind something that is no entity tag nothing can be trusted.
        let Some(end) = quoted.strip_prefix('"').and_then(|inner| inner.find('"')) else {
            return false;
        };
        let (tag, behind) = quoted.split_at(end + 2);
        if tag == etag && (comparison == Comparison::Weak || !is_weak) {
            return true;
        }
        rest = behind;
    }
}

/// Which part of the page is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Range(Range<u64>),
    /// 416.
    Unsatisfiable,
}

/// Range and If-Range (RFC 9110 14.2, 13.1.5). Several ranges get the whole page, which is always
/// allowed: making many small parts is work that a client can ask for at no cost (CVE-2011-3192).
pub(super) fn part(request: &Request, page: &Page, now: u64) -> Part {
    let (Method::Get, Some(ranges)) = (request.method, request.fields.get(Field::Range)) else {
        return Part::Whole;
    };
    let is_still_this = match request.fields.get(Field::IfRange) {
        None => true,
        Some(tag) if tag.starts_with('"') => tag == page.etag,
        // A date is a strong validator only once the second it names is over.
        Some(text) => date::parse(text, now) == Some(page.modified) && now > page.modified,
    };
    match is_still_this {
        true => one_range(ranges, page.length),
        false => Part::Whole,
    }
}

/// Reads `bytes=first-last`, `bytes=first-`, `bytes=-suffix`. What is malformed is ignored.
fn one_range(text: &str, length: u64) -> Part {
    let Some((unit, range)) = text.split_once('=') else {
        return Part::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Part::Whole;
    }
    let Some((first, last)) = range.trim().split_once('-') else {
        return Part::Whole;
    };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => Part::Whole,
        (Some(first), _) if last.is_empty() || number(last).is_some() => {
            let end = number(last).map_or(length, |last| last.saturating_add(1).min(length));
            match first < length {
                true => Part::Range(first..end),
                false => Part::Unsatisfiable,
            }
        }
        (None, Some(0)) if first.is_empty() => Part::Unsatisfiable,
        (None, Some(_)) if first.is_empty() && length == 0 => Part::Unsatisfiable,
        (None, Some(suffix)) if first.is_empty() => {
            Part::Range(length.saturating_sub(suffix)..length)
        }
        _ => Part::Whole,
    }
}

/// Digits only; more of them than fit mean the largest number.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_range_is_read_and_several_are_not() {
        let cases = [
            ("bytes=0-0", Part::Range(0..1)),
            ("bytes=0-", Part::Range(0..10)),
            ("Bytes=5-99", Part::Range(5..10)),
            ("bytes=-3", Part::Range(7..10)),
            ("bytes=-99", Part::Range(0..10)),
            ("bytes=9-99999999999999999999999", Part::Range(9..10)),
            ("bytes=10-", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=5-4", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("lines=0-1", Part::Whole),
            ("bytes", Part::Whole),
        ];
        for (text, expected) in cases {
            assert_eq!(one_range(text, 10), expected, "{text}");
        }
        assert_eq!(one_range("bytes=-5", 0), Part::Unsatisfiable);
        assert_eq!(one_range("bytes=0-", 0), Part::Unsatisfiable);
    }

    #[test]
    fn entity_tags_may_hold_commas_and_be_weak() {
        assert!(names("\"x,y\" , \"a\"", "\"a\"", Comparison::Strong));
        assert!(names("*", "\"a\"", Comparison::Strong));
        assert!(names("W/\"a\"", "\"a\"", Comparison::Weak));
        assert!(!names("W/\"a\"", "\"a\"", Comparison::Strong));
        assert!(!names("a", "\"a\"", Comparison::Weak));
        assert!(!names("\"x, \"a", "\"a\"", Comparison::Weak));
    }

    proptest! {
        #[test]
        fn a_range_lies_within_the_page(text in "bytes=[0-9]{0,3}-[0-9]{0,3}", length in 0..200u64) {
            if let Part::Range(range) = one_range(&text, length) {
                prop_assert!(range.start < range.end && range.end <= length);
            }
        }

        #[test]
        fn no_list_of_tags_panics(list in "[\"W/a, *]{0,12}") {
            names(&list, "\"a\"", Comparison::Weak);
        }
    }
}
