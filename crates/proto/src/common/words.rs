//! Text that goes on the wire inside a line.

use alloc::string::String;

/// Appends `text` so that it cannot end the line or carry anything but printable ASCII: control
/// characters become a space, characters outside ASCII a question mark (RFC 5321 4.2: reply text
/// is ASCII), and what is over `most` bytes is cut.
pub fn push_plain(line: &mut String, text: &str, most: usize) {
    for character in text.chars().take(most) {
        line.push(match character {
            ' '..='~' => character,
            _ if character.is_control() => ' ',
            _ => '?',
        });
    }
}

/// Splits off the first word: what stands before the first space, and what stands behind the
/// spaces.
pub fn first_word(line: &str) -> (&str, &str) {
    match line.split_once(' ') {
        Some((word, rest)) => (word, rest.trim_matches(' ')),
        None => (line, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_can_become_a_second_line() {
        let mut line = String::new();
        push_plain(&mut line, "no\r\n250 yes\u{7f}é", 100);
        assert_eq!(line, "no  250 yes ?");
        let mut short = String::new();
        push_plain(&mut short, "abcdef", 3);
        assert_eq!(short, "abc");
    }
}
