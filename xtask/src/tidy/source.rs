//! One Rust file as tokens: code apart from comments and texts, tests apart from production.
//!
//! This is a reader for house rules, not a parser of Rust: it knows comments (nested), string and
//! character literals (raw, byte), words, and matching brackets; that is what the rules need.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An identifier or keyword.
    Word,
    /// The inside of a string literal.
    Text,
    /// One punctuation character.
    Mark,
    /// A number, character literal or lifetime.
    Other,
}

/// One token, and the line it begins on (from 1).
#[derive(Debug, Clone)]
pub struct Token {
    pub kind: Kind,
    pub text: String,
    pub line: usize,
    /// Part of a test: under `#[cfg(test)]` or `#[test]`, or in a file of tests.
    pub test: bool,
}

/// A function with a body.
#[derive(Debug)]
pub struct Function {
    pub name: String,
    /// Its tokens, from `fn` to the closing brace.
    pub tokens: Range<usize>,
    /// Lines from `fn` to the closing brace.
    pub lines: usize,
}

/// A Rust file, read.
#[derive(Debug)]
pub struct Source {
    /// From the root of the project, with `/`.
    pub path: String,
    /// Number of lines.
    pub lines: usize,
    /// Everything but comments.
    pub code: Vec<Token>,
    /// Comments with their slashes, in order.
    pub comments: Vec<(usize, String)>,
    pub functions: Vec<Function>,
    /// Modules declared elsewhere for tests only: `#[cfg(test)] mod name;`.
    pub test_modules: Vec<String>,
}

impl Source {
    /// Reads `text`.
    pub fn read(path: &str, text: &str) -> Self {
        let (mut code, comments) = tokens(text);
        let all_tests = path.contains("/tests/") || path.ends_with("/tests.rs");
        let test_modules = mark_tests(&mut code);
        if all_tests {
            code.iter_mut().for_each(|token| token.test = true);
        }
        let functions = functions(&code);
        Self {
            path: path.to_owned(),
            lines: text.lines().count(),
            code,
            comments,
            functions,
            test_modules,
        }
    }

    /// The token at `at` is this word or mark.
    pub fn is(&self, at: usize, text: &str) -> bool {
        is(&self.code, at, text)
    }

    /// The tokens from `at` are exactly these words and marks.
    pub fn says(&self, at: usize, expected: &[&str]) -> bool {
        (at..).zip(expected).all(|(at, text)| self.is(at, text))
    }

    /// The words of the code outside tests, with their places.
    pub fn production(&self) -> impl Iterator<Item = (usize, &Token)> {
        let all = self.code.iter().enumerate();
        all.filter(|(_, token)| !token.test)
    }
}

fn is(code: &[Token], at: usize, text: &str) -> bool {
    code.get(at)
        .is_some_and(|token| matches!(token.kind, Kind::Word | Kind::Mark) && token.text == text)
}

/// Marks what belongs to tests; returns the modules that are whole test files.
fn mark_tests(code: &mut [Token]) -> Vec<String> {
    let mut modules = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let Some(end) = attribute_end(code, at) else {
            at += 1;
            continue;
        };
        if !is_test_attribute(&code[at..end]) {
            at = end;
            continue;
        }
        let mut item = end;
        while let Some(next) = attribute_end(code, item) {
            item = next;
        }
        let item_end = item_end(code, item);
        let words: Vec<&Token> = code[item..item_end].iter().collect();
        let declared = words.windows(3).find(|three| {
            three[0].text == "mod" && three[1].kind == Kind::Word && three[2].text == ";"
        });
        modules.extend(declared.map(|three| three[1].text.clone()));
        code[at..item_end]
            .iter_mut()
            .for_each(|token| token.test = true);
        at = item_end;
    }
    modules
}

/// Where the outer attribute that begins at `at` ends.
fn attribute_end(code: &[Token], at: usize) -> Option<usize> {
    (is(code, at, "#") && is(code, at + 1, "[")).then(|| closing(code, at + 1) + 1)
}

fn is_test_attribute(attribute: &[Token]) -> bool {
    let has = |word: &str| {
        attribute
            .iter()
            .any(|token| token.kind == Kind::Word && token.text == word)
    };
    let first = attribute.get(2).map(|token| token.text.as_str());
    match first {
        Some("cfg") => has("test") && !has("not"),
        Some("test") => true,
        // `#[tokio::test]` and its like.
        Some(_) => attribute.len() > 3 && is(attribute, 3, ":") && has("test"),
        None => false,
    }
}

/// The end of the item at `from`: behind its block, or its semicolon.
fn item_end(code: &[Token], from: usize) -> usize {
    let mut at = from;
    while at < code.len() {
        if is(code, at, ";") {
            return at + 1;
        }
        if is(code, at, "{") {
            return closing(code, at) + 1;
        }
        at = if is(code, at, "(") || is(code, at, "[") {
            closing(code, at) + 1
        } else {
            at + 1
        };
    }
    code.len()
}

/// The bracket that closes the one at `open`; the last token when nothing does.
pub fn closing(code: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in code.iter().enumerate().skip(open) {
        if token.kind != Kind::Mark {
            continue;
        }
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return at;
        }
    }
    code.len().saturating_sub(1)
}

fn functions(code: &[Token]) -> Vec<Function> {
    let named =
        |at: usize| is(code, at, "fn") && code.get(at + 1).is_some_and(|t| t.kind == Kind::Word);
    let mut functions = Vec::new();
    for at in (0..code.len()).filter(|at| named(*at)) {
        let end = item_end(code, at);
        if is(code, end - 1, "}") {
            functions.push(Function {
                name: code[at + 1].text.clone(),
                lines: code[end - 1].line - code[at].line + 1,
                tokens: at..end,
            });
        }
    }
    functions
}

/// Cuts the text: code, and comments with their lines.
fn tokens(text: &str) -> (Vec<Token>, Vec<(usize, String)>) {
    let mut cutter = Cutter {
        rest: text,
        line: 1,
        code: Vec::new(),
        comments: Vec::new(),
    };
    while cutter.step() {}
    (cutter.code, cutter.comments)
}

struct Cutter<'a> {
    rest: &'a str,
    line: usize,
    code: Vec<Token>,
    comments: Vec<(usize, String)>,
}

impl<'a> Cutter<'a> {
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else {
            return false;
        };
        if first.is_whitespace() {
            self.take(first.len_utf8());
        } else if self.rest.starts_with("//") {
            let length = self.rest.find('\n').unwrap_or(self.rest.len());
            self.comment(length);
        } else if self.rest.starts_with("/*") {
            let length = block_comment(self.rest);
            self.comment(length);
        } else if let Some((before, inside, whole)) = string(self.rest) {
            let content = self.rest[before..before + inside].to_owned();
            self.push(Kind::Text, content, whole);
        } else if first == '\'' {
            let length = quoted(self.rest);
            self.push(Kind::Other, self.rest[..length].to_owned(), length);
        } else if first.is_alphabetic() || first == '_' {
            let length = word(self.rest);
            self.push(Kind::Word, self.rest[..length].to_owned(), length);
        } else if first.is_ascii_digit() {
            let length = word(self.rest);
            self.push(Kind::Other, self.rest[..length].to_owned(), length);
        } else {
            self.push(Kind::Mark, first.to_string(), first.len_utf8());
        }
        true
    }

    fn push(&mut self, kind: Kind, text: String, length: usize) {
        let line = self.line;
        self.code.push(Token {
            kind,
            text,
            line,
            test: false,
        });
        self.take(length);
    }

    fn comment(&mut self, length: usize) {
        self.comments
            .push((self.line, self.rest[..length].to_owned()));
        self.take(length);
    }

    fn take(&mut self, length: usize) {
        let (taken, rest) = self.rest.split_at(length);
        self.line += taken.matches('\n').count();
        self.rest = rest;
    }
}

fn word(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len())
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// A string literal at the beginning: bytes before its inside, of its inside, and of the whole.
fn string(text: &str) -> Option<(usize, usize, usize)> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        text.strip_prefix(prefix)
            .is_some_and(|rest| rest.trim_start_matches('#').starts_with('"'))
    })?;
    let rest = &text[prefix.len()..];
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    if hashes > 0 && !prefix.contains('r') {
        return None;
    }
    let before = prefix.len() + hashes + 1;
    let inside = &text[before..];
    if prefix.contains('r') {
        let end = format!("\"{}", "#".repeat(hashes));
        let length = inside.find(&end).unwrap_or(inside.len());
        return Some((
            before,
            length,
            (before + length + end.len()).min(text.len()),
        ));
    }
    let mut escaped = false;
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some((before, at, before + at + 1)),
            _ => {}
        }
    }
    Some((before, inside.len(), text.len()))
}

/// A character literal or a lifetime at the beginning.
fn quoted(text: &str) -> usize {
    let inside = &text[1..];
    if inside.starts_with('\\') {
        // The character behind the backslash may itself be a quote.
        let end = inside.char_indices().skip(2).find(|(_, c)| *c == '\'');
        return end.map_or(text.len(), |(at, _)| at + 2);
    }
    let mut characters = inside.chars();
    match (characters.next(), characters.next()) {
        (Some(one), Some('\'')) => 1 + one.len_utf8() + 1,
        _ => 1 + word(inside),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let source = Source::read("a.rs", text);
        let words = source.code.iter().filter(|token| token.kind == Kind::Word);
        words.map(|token| token.text.clone()).collect()
    }

    #[test]
    fn comments_texts_and_characters_are_not_code() {
        let text = "let a = \"fn \\\" b\"; // fn c\n/* fn /* d */ e */ let f = '\"'; let g: &'g str = r#\"h \"i\" \"#; b'\\''; '\\'' ; j";
        let found = words(text);
        assert_eq!(found, ["let", "a", "let", "f", "let", "g", "str", "b", "j"]);
    }

    #[test]
    fn texts_and_lines_are_kept() {
        let source = Source::read("a.rs", "// one\nlet a = \"two\nthree\";\nfour");
        let text = source
            .code
            .iter()
            .find(|token| token.kind == Kind::Text)
            .unwrap();
        assert_eq!((text.text.as_str(), text.line), ("two\nthree", 2));
        assert_eq!(source.code.last().unwrap().line, 4);
        assert_eq!(source.comments, [(1, "// one".to_owned())]);
    }

    #[test]
    fn tests_are_told_from_production() {
        let text = "fn a() {}\n#[cfg(test)]\n#[allow(x)]\nmod tests { fn b() {} }\nfn c() {}\n#[cfg(test)]\nmod d;\n#[cfg(not(test))]\nfn e() {}\n#[tokio::test]\nasync fn f() {}";
        let source = Source::read("a.rs", text);
        let production: Vec<&str> = source
            .functions
            .iter()
            .filter(|function| !source.code[function.tokens.start].test)
            .map(|function| function.name.as_str())
            .collect();
        assert_eq!(production, ["a", "c", "e"]);
        assert_eq!(source.test_modules, ["d"]);
    }

    #[test]
    fn a_function_ends_with_its_brace() {
        let source = Source::read(
            "a.rs",
            "fn a<T>(b: [u8; 2]) -> T {\n if x { y }\n}\nfn c();",
        );
        assert_eq!(source.functions.len(), 1);
        assert_eq!(source.functions[0].lines, 3);
    }
}
