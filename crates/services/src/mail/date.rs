//! The date of a message (RFC 5322 section 3.3).

use guichet_trace::WallTime;
use jiff::Timestamp;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `at` as `Thu, 01 Jan 1970 00:00:00 +0000`: in UTC, which a server may always use.
pub fn rfc5322(at: WallTime) -> String {
    let micros = i64::try_from(at.0).unwrap_or(i64::MAX);
    let at = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH);
    let at = at.to_zoned(jiff::tz::TimeZone::UTC);
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} +0000",
        DAYS[at.weekday().to_monday_zero_offset() as usize],
        at.day(),
        MONTHS[at.month() as usize - 1],
        at.year(),
        at.hour(),
        at.minute(),
        at.second(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates() {
        assert_eq!(rfc5322(WallTime(0)), "Thu, 01 Jan 1970 00:00:00 +0000");
        let leap_day = WallTime(1_709_251_199_000_000);
        assert_eq!(rfc5322(leap_day), "Thu, 29 Feb 2024 23:59:59 +0000");
        assert_eq!(
            rfc5322(WallTime(u64::MAX)),
            "Thu, 01 Jan 1970 00:00:00 +0000"
        );
    }
}
