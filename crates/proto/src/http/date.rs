//! HTTP dates (RFC 9110 5.6.7): seconds since 1970-01-01T00:00:00Z as text and back.

use core::str::from_utf8;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// 9999-12-31T23:59:59Z, the last the format can say.
const LAST_SECOND: u64 = 253_402_300_799;

/// Writes `Sun, 06 Nov 1994 08:49:37 GMT`. Later than the year 9999 becomes its last second.
pub fn format(unix_seconds: u64) -> [u8; 29] {
    let unix_seconds = unix_seconds.min(LAST_SECOND);
    let (days, second) = (unix_seconds / 86_400, unix_seconds % 86_400);
    let (year, month, day) = civil(days);
    let mut text = *b"Mon, 00 Jan 0000 00:00:00 GMT";
    // 1970-01-01 was a Thursday.
    text[0..3].copy_from_slice(DAYS[((days + 3) % 7) as usize].as_bytes());
    text[8..11].copy_from_slice(MONTHS[month as usize - 1].as_bytes());
    put_two(&mut text[5..7], day);
    put_two(&mut text[12..14], year / 100);
    put_two(&mut text[14..16], year % 100);
    put_two(&mut text[17..19], second / 3600);
    put_two(&mut text[20..22], second / 60 % 60);
    put_two(&mut text[23..25], second % 60);
    text
}

/// The date as text.
pub fn text(date: &[u8; 29]) -> &str {
    from_utf8(date).unwrap_or("") // always ASCII
}

/// Reads any of the three formats. `now` decides the century of the old one with two digits: a
/// year more than 50 years ahead is taken for the past. `None`: not a date, or before 1970.
pub fn parse(text: &str, now_unix_seconds: u64) -> Option<u64> {
    let text = text.trim();
    let (day_name, rest) = text.split_once(' ')?;
    match day_name.strip_suffix(',') {
        Some(_) if rest.as_bytes().get(2) == Some(&b'-') => rfc_850(rest, now_unix_seconds),
        Some(_) => imf_fixdate(rest),
        None => asctime(rest),
    }
}

/// `06 Nov 1994 08:49:37 GMT`
fn imf_fixdate(text: &str) -> Option<u64> {
    let mut words = text.split(' ');
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    let (time, zone) = (words.next()?, words.next()?);
    if zone != "GMT" || words.next().is_some() {
        return None;
    }
    seconds(
        digits(year, 4)?,
        month_number(month)?,
        digits(day, 2)?,
        time,
    )
}

/// `06-Nov-94 08:49:37 GMT`
fn rfc_850(text: &str, now_unix_seconds: u64) -> Option<u64> {
    let (date, rest) = text.split_once(' ')?;
    let time = rest.strip_suffix(" GMT")?;
    let mut words = date.split('-');
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    let (this_year, _, _) = civil(now_unix_seconds.min(LAST_SECOND) / 86_400);
    let mut year = this_year / 100 * 100 + digits(year, 2)?;
    if year > this_year + 50 {
        year -= 100;
    }
    seconds(year, month_number(month)?, digits(day, 2)?, time)
}

/// `Nov  6 08:49:37 1994`
fn asctime(text: &str) -> Option<u64> {
    let mut words = text.split_ascii_whitespace();
    let (month, day) = (words.next()?, words.next()?);
    let (time, year) = (words.next()?, words.next()?);
    if words.next().is_some() {
        return None;
    }
    seconds(
        digits(year, 4)?,
        month_number(month)?,
        digits(day, day.len())?,
        time,
    )
}

fn seconds(year: u64, month: u64, day: u64, time: &str) -> Option<u64> {
    let mut words = time.split(':');
    let hour = digits(words.next()?, 2)?;
    let minute = digits(words.next()?, 2)?;
    let second = digits(words.next()?, 2)?.min(59); // a leap second
    let is_date = year >= 1970 && (1..=days_in(year, month)).contains(&day);
    if !is_date || hour > 23 || minute > 59 || words.next().is_some() {
        return None;
    }
    Some(days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn digits(text: &str, count: usize) -> Option<u64> {
    let is_number = text.len() == count && count <= 4 && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn month_number(name: &str) -> Option<u64> {
    let index = MONTHS.iter().position(|month| *month == name)?;
    Some(index as u64 + 1)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days before a year, counted from the year 1 on.
fn days_before(year: u64) -> u64 {
    let past = year - 1;
    past * 365 + past / 4 - past / 100 + past / 400
}

fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let months: u64 = (1..month).map(|month| days_in(year, month)).sum();
    days_before(year) - days_before(1970) + months + day - 1
}

/// Year, month and day of a count of days since 1970.
fn civil(days: u64) -> (u64, u64, u64) {
    let mut year = 1970 + days / 366; // never too late
    while days_since_1970(year + 1, 1, 1) <= days {
        year += 1;
    }
    let mut rest = days - days_since_1970(year, 1, 1);
    let mut month = 1;
    while rest >= days_in(year, month) {
        rest -= days_in(year, month);
        month += 1;
    }
    (year, month, rest + 1)
}

fn put_two(place: &mut [u8], number: u64) {
    place[0] = b'0' + (number / 10 % 10) as u8;
    place[1] = b'0' + (number % 10) as u8;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: u64 = 1_800_000_000; // 2027

    #[test]
    fn the_examples_of_the_rfc_are_one_moment() {
        assert_eq!(text(&format(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
        for example in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse(example, NOW), Some(784_111_777), "{example}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for wrong in [
            "",
            "0",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1894 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37",
        ] {
            assert_eq!(parse(wrong, NOW), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_second_is_written_and_read_back(second in 0..=LAST_SECOND) {
            prop_assert_eq!(parse(text(&format(second)), NOW), Some(second));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = parse(&text, NOW);
        }
    }
}
