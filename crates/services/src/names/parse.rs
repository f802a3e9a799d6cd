//! Zone files (RFC 1035 section 5) to records, each with its line.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;

use domain::base::ToName;
use domain::base::rdata::ComposeRecordData;
use domain::zonefile::inplace::{Entry, ScannedRecord, Zonefile};
use guichet_proto::dns::{Class, Name, Record, is_well_formed, visible};

use super::check::Finding;
use super::times::in_seconds;

/// A record and the line of the file on which it ends (1-based).
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub record: Record,
    pub number: usize,
}

/// A name as people write it, with or without the final dot; ASCII.
pub fn parse_name(text: &str) -> Option<Name> {
    match text {
        "." => Some(Name::root()),
        _ => Name::from_str(text).ok(),
    }
}

/// Reads a zone file. `origin` completes relative names until the file sets `$ORIGIN`.
pub(super) fn parse(origin: &Name, text: &str) -> Result<Vec<Line>, Finding> {
    let text = &in_seconds(text);
    let mut counter = LineCounter {
        text,
        offset: 0,
        line: 1,
    };
    // The scanner of `domain` 0.12.3 panics on some torn entries (an unclosed quote followed by a
    // parenthesis). It holds nothing but the text, so nothing half-done can be left behind.
    catch_unwind(AssertUnwindSafe(|| scan(origin, text, &mut counter))).unwrap_or_else(|_| {
        let text =
            "this entry, or the one behind it, cannot be read: is a quote or parenthesis open?";
        Err(Finding::error(counter.line, text.to_owned()))
    })
}

fn scan(origin: &Name, text: &str, counter: &mut LineCounter<'_>) -> Result<Vec<Line>, Finding> {
    let mut file = Zonefile::from(ended(text).as_bytes());
    file.set_origin(origin.to_bytes());
    file.set_default_class(Class::IN);
    let mut lines = Vec::new();
    loop {
        match file.next_entry() {
            Ok(None) => return Ok(lines),
            Ok(Some(Entry::Record(record))) => {
                let number = counter.advance(file.current_offset());
                lines.push(Line {
                    record: convert(&record, number)?,
                    number,
                });
            }
            Ok(Some(Entry::Include { .. })) => {
                let number = counter.advance(file.current_offset());
                let text = "$INCLUDE is not read here; put the records into this file";
                return Err(Finding::error(number, text.to_owned()));
            }
            Err(error) => return Err(syntax(&error.to_string(), text, counter.line)),
        }
    }
}

/// The scanner wants a line end after the last record.
fn ended(text: &str) -> String {
    let mut text = text.to_owned();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Counts line ends up to where the scanner is.
struct LineCounter<'t> {
    text: &'t str,
    offset: usize,
    line: usize,
}

impl LineCounter<'_> {
    /// The line of the record that ends before `offset`.
    fn advance(&mut self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        let passed = self
            .text
            .as_bytes()
            .get(self.offset..offset)
            .unwrap_or_default();
        // The scanner may or may not stand behind the line end of the record itself.
        let ends = passed.iter().filter(|&&byte| byte == b'\n').count();
        let number = self.line + ends - usize::from(passed.ends_with(b"\n"));
        self.line += ends;
        self.offset = offset.max(self.offset);
        number
    }
}

fn convert(scanned: &ScannedRecord, number: usize) -> Result<Record, Finding> {
    if scanned.class() != Class::IN {
        let text = format!("expected class IN, got {}", scanned.class());
        return Err(Finding::error(number, text));
    }
    // The scanner lets empty labels (a..b) pass and gives names that are not what they say they
    // are; so owner and data are read once more from their wire form.
    let mut owner = Vec::new();
    let owner = match scanned
        .owner()
        .compose(&mut owner)
        .map(|()| Name::from_octets(owner))
    {
        Ok(Ok(owner)) => owner,
        _ => {
            return Err(Finding::error(
                number,
                "bad name: is there an empty label?".to_owned(),
            ));
        }
    };
    let mut data = Vec::new();
    if scanned.data().compose_rdata(&mut data).is_err() || data.len() > usize::from(u16::MAX) {
        let text = "the record's data is longer than 65535 bytes".to_owned();
        return Err(Finding::error(number, text));
    }
    if !is_well_formed(scanned.rtype(), &data) {
        let text = format!("the data is not what {} holds", scanned.rtype());
        return Err(Finding::error(number, text));
    }
    Ok(Record {
        owner,
        rtype: scanned.rtype(),
        ttl_seconds: scanned.ttl().as_secs(),
        data,
    })
}

/// Turns the scanner's `line:column: what` into a finding that says what to do. The scanner
/// stands behind the word it could not read; if that was the line's last word, in column 1 of the
/// next line.
fn syntax(message: &str, text: &str, line: usize) -> Finding {
    let mut parts = message.splitn(3, ':');
    let stands = parts
        .next()
        .and_then(|part| part.parse().ok())
        .unwrap_or(line);
    let behind = parts.next() == Some("1") && stands > line;
    let number = if behind { stands - 1 } else { stands };
    let what = parts.next().unwrap_or(message).trim();
    let hint = match what {
        _ if what.contains("rtype") => ": [TTL] [IN] TYPE DATA should follow the name",
        _ if what.contains("end of entry") => ": something is missing at the end of the record",
        _ if what.contains("trailing") => ": the record should have ended before",
        _ if what.contains("short buffer") || what.contains("parens") => {
            ": is a closing parenthesis or quote missing?"
        }
        _ if what.contains("last owner") => ": the first record needs a name at its beginning",
        _ if what.contains("class") => ": all records must be of class IN",
        _ => "",
    };
    let got = text
        .lines()
        .nth(number.saturating_sub(1))
        .unwrap_or_default()
        .trim();
    Finding::error(number, format!("{what}{hint}; got: {}", visible(got)))
}
