//! Text that peers sent, made fit for a terminal: nothing in it moves the cursor or turns the
//! reading direction, and it can be cut to a width.

use alloc::string::String;
use core::fmt::Write;

/// Makes control and bidirectional characters visible: `\n`, `\x1b`, `\u{202e}`. Everything that
/// goes to a terminal and was not written by this program passes here.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let code = u32::from(character);
        // Writing to a String cannot fail.
        let _ = match character {
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            '\0'..='\x7f' if is_hidden(character) => write!(out, "\\x{code:02x}"),
            _ if is_hidden(character) => write!(out, "\\u{{{code:x}}}"),
            _ => out.write_char(character),
        };
    }
    out
}

/// A control character, or one that a reader does not see but a terminal obeys.
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control() || is_invisible(character)
}

/// Unicode's bidirectional controls (UAX 9), line and paragraph separators, and tag characters.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

/// How many columns of a terminal `text` takes: East Asian wide characters two, combining marks
/// none, the rest one.
pub fn columns(text: &str) -> usize {
    text.chars().map(character_columns).sum()
}

pub(crate) fn character_columns(character: char) -> usize {
    match character {
        '\u{0300}'..='\u{036f}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe4f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// Cuts `text` to at most `width` columns; what is cut ends with `ellipsis`.
pub fn cut(text: &str, width: usize, ellipsis: &str) -> String {
    if columns(text) <= width {
        return String::from(text);
    }
    let room = width.saturating_sub(columns(ellipsis));
    let mut out = String::new();
    let mut used = 0;
    for character in text.chars() {
        used += character_columns(character);
        if used > room {
            break;
        }
        out.push(character);
    }
    if width >= columns(ellipsis) {
        out.push_str(ellipsis);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_terminal_would_obey_stays() {
        let hostile = "a\x1b[2J\r\n\u{9b}31m\u{202e}txt.exe\u{2066}é\u{7f}";
        let shown = visible(hostile);
        assert_eq!(
            shown,
            "a\\x1b[2J\\r\\n\\u{9b}31m\\u{202e}txt.exe\\u{2066}é\\x7f"
        );
        assert!(!shown.chars().any(|character| character.is_control()));
    }

    #[test]
    fn a_cut_text_never_exceeds_its_width() {
        assert_eq!(cut("MAIL FROM:<a@b>", 8, "…"), "MAIL FR…");
        assert_eq!(cut("short", 5, "…"), "short");
        assert_eq!(cut("日本語", 4, "…"), "日…");
        assert_eq!(cut("abc", 0, "…"), "");
    }
}
