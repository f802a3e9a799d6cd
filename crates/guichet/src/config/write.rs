//! A configuration file for people to read and change: every declared key with what it means, set
//! where a value is given, as a comment with its default where none is.

use std::fmt::Write;

use super::declare::{Declaration, TABLE};
use super::service::Service;
use crate::texts::Texts;

/// Comments are broken after so many columns.
const WIDTH: usize = 96;

/// A value to be set: the key's full name and its value in TOML.
pub type Setting = (String, String);

/// Writes a file with `settings`; the comments are in the language of `texts`.
pub fn write(texts: &Texts, settings: &[Setting]) -> String {
    let mut writer = Writer {
        texts,
        settings,
        section: String::new(),
        out: String::new(),
    };
    writer.comment(&texts.say("init-file-head", &[]));
    for declaration in TABLE
        .iter()
        .filter(|declaration| !declaration.path.contains('*'))
    {
        writer.section_of(declaration.path);
        writer.explained(declaration, declaration.path);
    }
    writer.listeners();
    writer.out
}

/// `text` as a TOML string.
pub fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// `items` as a TOML list of strings.
pub fn list(items: impl IntoIterator<Item = impl ToString>) -> String {
    let items: Vec<_> = items
        .into_iter()
        .map(|item| quoted(&item.to_string()))
        .collect();
    format!("[{}]", items.join(", "))
}

struct Writer<'w> {
    texts: &'w Texts,
    settings: &'w [Setting],
    section: String,
    out: String,
}

impl Writer<'_> {
    /// Opens the table of the key `name` unless it is open.
    fn section_of(&mut self, name: &str) {
        let section = name.rsplit_once('.').map_or("", |(section, _)| section);
        if section != self.section {
            self.section = section.to_owned();
            self.line(&format!("\n[{section}]"));
        }
    }

    fn explained(&mut self, declaration: &Declaration, name: &str) {
        self.out.push('\n');
        self.comment(&self.texts.say(&declaration.text_key(), &[]));
        if self.set(name) {
            return;
        }
        let key = last(name);
        match declaration.default {
            "" => self.line(&format!("#{key} =")),
            default => self.line(&format!("#{key} = {default}")),
        }
    }

    /// The listeners: what their keys mean once, then a table for each service.
    fn listeners(&mut self) {
        self.out.push('\n');
        for declaration in TABLE
            .iter()
            .filter(|declaration| declaration.path.contains('*'))
        {
            let meaning = self.texts.say(&declaration.text_key(), &[]);
            self.comment(&format!(
                "`{} = {}` {meaning}",
                last(declaration.path),
                declaration.default
            ));
        }
        for service in Service::ALL {
            let names = TABLE
                .iter()
                .filter(|declaration| declaration.path.contains('*'));
            let names: Vec<_> = names
                .map(|found| found.path.replace('*', service.name()))
                .collect();
            let is_set = |name: &String| self.settings.iter().any(|(known, _)| known == name);
            if !names.iter().any(is_set) {
                let port = service.port();
                let address = list([format!("0.0.0.0:{port}"), format!("[::]:{port}")]);
                let name = service.name();
                self.line(&format!("\n#[listen.{name}]\n#addresses = {address}"));
                continue;
            }
            names.iter().for_each(|name| {
                self.section_of(name);
                self.set(name);
            });
        }
    }

    /// Sets the key if a value is given for it.
    fn set(&mut self, name: &str) -> bool {
        let given = self.settings.iter().find(|(known, _)| known == name);
        if let Some((_, value)) = given {
            self.line(&format!("{} = {value}", last(name)));
        }
        given.is_some()
    }

    fn comment(&mut self, text: &str) {
        let mut line = String::from("#");
        for word in text.split_whitespace() {
            if line.chars().count() + word.chars().count() >= WIDTH {
                self.line(&line);
                line = String::from("#");
            }
            let _ = write!(line, " {word}"); // writing to a String cannot fail
        }
        self.line(&line);
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use crate::texts::Language;

    #[test]
    fn what_is_written_is_read_back() {
        let settings = [
            ("domains".to_owned(), list(["nord.test"])),
            ("trace.level".to_owned(), quoted("full")),
            (
                "listen.smtp.addresses".to_owned(),
                list(["127.0.0.2:20025"]),
            ),
            ("listen.smtp.most".to_owned(), "4000".to_owned()),
            (
                "dial.map".to_owned(),
                r#"{ "127.0.0.3:25" = "127.0.0.3:20025" }"#.to_owned(),
            ),
            ("store.dir".to_owned(), quoted("a \"quoted\" \\ folder")),
        ];
        for (language, _) in Language::ALL {
            let text = write(&Texts::new(language), &settings);
            let config = Config::parse(Path::new("/x/guichet.toml"), &text).unwrap();
            assert_eq!(config.domains, ["nord.test"]);
            assert_eq!(config.listen.len(), 1);
            assert_eq!(config.listen[&Service::Smtp].connections_most, 4000);
            assert_eq!(config.dial_map.len(), 1);
            assert_eq!(config.store_dir, Path::new("/x/a \"quoted\" \\ folder"));
        }
    }

    #[test]
    fn every_line_that_is_commented_out_may_be_put_in() {
        let text = write(
            &Texts::new(Language::English),
            &[("domains".to_owned(), list(["nord.test"]))],
        );
        let is_key = |line: &str| line.starts_with('#') && !line.starts_with("# ");
        let opened: String = text
            .lines()
            .filter(|line| !line.ends_with(" ="))
            .map(|line| if is_key(line) { &line[1..] } else { line })
            .flat_map(|line| [line, "\n"])
            .collect();
        let config = Config::parse(Path::new("/x/guichet.toml"), &opened).unwrap();
        assert_eq!(config.listen.len(), Service::ALL.len());
    }
}
