//! The grammar of commands (RFC 5321 4.1.1 and 4.1.2) and of the parameters of MAIL, RCPT, BDAT.
//!
//! A mistake comes back as the reply that names it.

use alloc::format;
use alloc::string::String;

use super::reply::Reply;
use super::table::Command;
use crate::common::address::{self, Path};

/// What MAIL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The reverse-path.
    pub path: Path,
    /// `SIZE=` (RFC 1870).
    pub size_bytes: Option<u64>,
    /// `BODY=8BITMIME` (RFC 6152).
    pub eight_bit: bool,
    /// `SMTPUTF8` (RFC 6531).
    pub utf8: bool,
}

/// What BDAT says (RFC 3030 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// So many bytes follow.
    pub bytes: u64,
    /// It is the last.
    pub last: bool,
}

/// Reads the argument of MAIL: `FROM:<path> parameters`.
pub fn mail(argument: &str) -> Result<Mail, Reply> {
    let (path, parameters) = path_behind(argument, "FROM:", Command::Mail)?;
    let mut mail = Mail {
        path,
        size_bytes: None,
        eight_bit: false,
        utf8: false,
    };
    for parameter in parameters.split(' ').filter(|word| !word.is_empty()) {
        mail_parameter(&mut mail, parameter)?;
    }
    if mail.path.non_ascii && !mail.utf8 {
        return Err(needs_utf8(553));
    }
    if !mail.path.has_domain && !mail.path.address.is_empty() {
        return Err(wrong_address("the sender needs a domain: <name@domain>"));
    }
    Ok(mail)
}

fn mail_parameter(mail: &mut Mail, parameter: &str) -> Result<(), Reply> {
    let (key, value) = match parameter.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (parameter, None),
    };
    let is = |word: &str| key.eq_ignore_ascii_case(word);
    match value {
        Some(value) if is("SIZE") => {
            let size = number(value).ok_or_else(|| wrong_argument("SIZE= takes a number"))?;
            mail.size_bytes = Some(size);
        }
        Some(value) if is("BODY") && value.eq_ignore_ascii_case("8BITMIME") => {
            mail.eight_bit = true;
        }
        Some(value) if is("BODY") && value.eq_ignore_ascii_case("7BIT") => {}
        Some(_) if is("BODY") => return Err(wrong_argument("BODY= is 7BIT or 8BITMIME")),
        None if is("SMTPUTF8") => mail.utf8 = true,
        // RFC 4954 section 5: who vouched for the sender. We trust nobody's word on it.
        Some(_) if is("AUTH") => {}
        _ => {
            let words = format!("the parameter {key} is not known here");
            return Err(Reply::new(555, "5.5.4", words));
        }
    }
    Ok(())
}

/// Reads the argument of RCPT: `TO:<path>`. `utf8` says whether MAIL asked for SMTPUTF8.
pub fn recipient(argument: &str, utf8: bool) -> Result<String, Reply> {
    let (path, parameters) = path_behind(argument, "TO:", Command::Rcpt)?;
    if let Some(parameter) = parameters.split(' ').find(|word| !word.is_empty()) {
        let words = format!("the parameter {parameter} is not known here");
        return Err(Reply::new(555, "5.5.4", words));
    }
    if path.non_ascii && !utf8 {
        return Err(needs_utf8(553));
    }
    let is_postmaster = path.address.eq_ignore_ascii_case("postmaster");
    if !path.has_domain && !is_postmaster {
        return Err(wrong_address("the recipient needs a domain: <name@domain>"));
    }
    Ok(path.address)
}

/// Reads the argument of BDAT.
pub fn chunk(argument: &str) -> Option<Chunk> {
    let mut words = argument.split(' ').filter(|word| !word.is_empty());
    let bytes = number(words.next()?)?;
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return None,
    };
    words.next().is_none().then_some(Chunk { bytes, last })
}

/// A name in EHLO or HELO: taken for what it is, a claim; only what cannot be one is refused
/// (RFC 5321 4.1.4: never refuse mail because the name does not check out).
pub fn client_name(argument: &str) -> Option<&str> {
    let is_name = !argument.is_empty()
        && argument.len() <= crate::common::limits::DOMAIN_BYTES_MOST
        && argument.chars().all(|c| !c.is_control() && c != ' ');
    is_name.then_some(argument)
}

fn path_behind<'a>(
    argument: &'a str,
    keyword: &str,
    command: Command,
) -> Result<(Path, &'a str), Reply> {
    let usage = || wrong_argument(&format!("say {}", command.row().usage));
    let has_keyword = argument
        .get(..keyword.len())
        .is_some_and(|word| word.eq_ignore_ascii_case(keyword));
    if !has_keyword {
        return Err(usage());
    }
    // A space behind the colon is against RFC 5321 4.1.1.2, common, and harmless.
    let text = argument[keyword.len()..].trim_start_matches(' ');
    let (path, rest) =
        address::path(text.as_bytes()).map_err(|error| wrong_address(error.words()))?;
    match rest.is_empty() || rest.starts_with(' ') {
        true => Ok((path, rest)),
        false => Err(usage()),
    }
}

/// At most 20 digits (RFC 1870 section 4, RFC 3030 section 2), and no sign.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// 501 for an argument.
pub fn wrong_argument(words: &str) -> Reply {
    Reply::new(501, "5.5.4", words)
}

fn wrong_address(words: &str) -> Reply {
    Reply::new(501, "5.1.3", words)
}

fn needs_utf8(code: u16) -> Reply {
    let words = "this address needs SMTPUTF8 behind MAIL FROM:<…>";
    Reply::new(code, "5.6.7", words.replace('…', "..."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code<T>(result: Result<T, Reply>) -> u16 {
        result.map_or_else(|reply| reply.code, |_| 250)
    }

    #[test]
    fn mail_takes_its_parameters() {
        let all = mail("from: <a@b.test>  SIZE=10 body=8bitmime SMTPUTF8 AUTH=<>").unwrap();
        assert_eq!(all.size_bytes, Some(10));
        assert!(all.eight_bit && all.utf8);
        assert_eq!(mail("FROM:<>").unwrap().path.address, "");
        for (text, expected) in [
            ("", 501),
            ("FROM", 501),
            ("TO:<a@b>", 501),
            ("FROM:a@b", 501),
            ("FROM:<a>", 501),
            ("FROM:<a@b>X", 501),
            ("FROM:<a@b> SIZE=", 501),
            ("FROM:<a@b> SIZE=-1", 501),
            ("FROM:<a@b> SIZE=99999999999999999999999", 501),
            ("FROM:<a@b> BODY=BINARYMIME", 501),
            ("FROM:<a@b> SMTPUTF8=1", 555),
            ("FROM:<a@b> RET=FULL", 555),
            ("FROM:<é@b>", 553),
            ("FROM:<é@b> SMTPUTF8", 250),
        ] {
            assert_eq!(code(mail(text)), expected, "{text}");
        }
    }

    #[test]
    fn recipients_need_a_domain_except_the_postmaster() {
        for (text, utf8, expected) in [
            ("TO:<a@b>", false, 250),
            ("TO:<PostMaster>", false, 250),
            ("TO:<a>", false, 501),
            ("TO:<>", false, 501),
            ("TO:<a@b> NOTIFY=NEVER", false, 555),
            ("TO:<é@b>", false, 553),
            ("TO:<é@b>", true, 250),
        ] {
            assert_eq!(code(recipient(text, utf8)), expected, "{text}");
        }
    }

    #[test]
    fn chunks_are_a_number_and_perhaps_last() {
        let read = |text| chunk(text).map(|chunk| (chunk.bytes, chunk.last));
        assert_eq!(read("10"), Some((10, false)));
        assert_eq!(read("0 last"), Some((0, true)));
        for wrong in ["", "LAST", "-1", "+1", "1 LAST x", "1 x", "0x10"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "\\PC{0,60}") {
            let _ = (mail(&text), recipient(&text, true), chunk(&text), client_name(&text));
        }
    }
}
