//! The catalogue: everything the program says to people, in English and French (Fluent files in
//! `texts/`). A file's keys begin with its name: `config.ftl` holds `config-…`.
//!
//! It does not decide what is said, and it does not make peers' text safe to show; see
//! [`crate::output`].

use std::fmt;
use std::sync::OnceLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

/// A language the program speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// The language of identifiers, and where a translation is missing.
    #[default]
    English,
    /// French.
    French,
}

impl Language {
    /// Every language, with its tag.
    pub const ALL: [(Self, &'static str); 2] = [(Self::English, "en"), (Self::French, "fr")];

    /// Reads a tag (`fr`, `fr-CA`) or a locale's name (`fr_FR.UTF-8`); `None` if it is another
    /// language.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_', '.', '@']).next().unwrap_or_default();
        Self::ALL
            .iter()
            .find(|(_, known)| primary.eq_ignore_ascii_case(known))
            .map(|&(language, _)| language)
    }

    /// Its tag: `en`, `fr`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// The language the environment asks for: the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that
    /// is set and not empty (POSIX, Base Definitions 8.2), read through `variable`.
    pub fn of_locale(variable: impl Fn(&str) -> Option<String>) -> Self {
        ["LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .filter_map(|name| variable(name))
            .find(|value| !value.is_empty())
            .and_then(|value| Self::from_tag(&value))
            .unwrap_or_default()
    }

    fn identifier(self) -> LanguageIdentifier {
        // Both tags are well formed; the undetermined language has English plurals in any case.
        self.tag().parse().unwrap_or_default()
    }
}

/// One file of the catalogue in both languages.
struct Source {
    #[cfg_attr(
        not(test),
        allow(dead_code, reason = "the tests of the catalogue speak of files")
    )]
    name: &'static str,
    english: &'static str,
    french: &'static str,
}

macro_rules! sources {
    ($($name:literal),* $(,)?) => {
        const SOURCES: &[Source] = &[$(Source {
            name: $name,
            english: include_str!(concat!("../../../texts/en/", $name, ".ftl")),
            french: include_str!(concat!("../../../texts/fr/", $name, ".ftl")),
        }),*];
    };
}

sources![
    "cli", "clients", "config", "connect", "control", "echo", "error", "explain", "init",
    "journey", "lab", "serve", "trace", "watch", "zone",
];

type Bundle = FluentBundle<FluentResource>;

/// The catalogue in one language.
pub struct Texts {
    language: Language,
    /// Absent for English.
    translated: Option<Bundle>,
    english: Bundle,
}

impl Texts {
    /// The catalogue in `language`; what is missing there is said in English.
    pub fn new(language: Language) -> Self {
        let translated = (language != Language::English).then(|| bundle(language));
        Self {
            language,
            translated,
            english: bundle(Language::English),
        }
    }

    /// The language it speaks.
    pub fn language(&self) -> Language {
        self.language
    }

    /// The text `key` (`message` or `message.attribute`) with its arguments; English where the
    /// language lacks it, the key itself where both do. Whole numbers choose plural forms.
    pub fn say(&self, key: &str, args: &[(&str, &str)]) -> String {
        self.find(key, args).unwrap_or_else(|| key.to_owned())
    }

    /// As [`Texts::say`]; `None` where no language has the text.
    pub fn find(&self, key: &str, args: &[(&str, &str)]) -> Option<String> {
        let own = self
            .translated
            .as_ref()
            .and_then(|bundle| format(bundle, key, args));
        own.or_else(|| format(&self.english, key, args))
    }
}

impl guichet_trace::Words for Texts {
    fn say(&self, key: &str, args: &[(&str, &str)]) -> String {
        Texts::say(self, key, args)
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Texts").field(&self.language).finish()
    }
}

/// The English catalogue, for what is made once for everybody (the generated documentation).
pub fn english() -> &'static Texts {
    static ENGLISH: OnceLock<Texts> = OnceLock::new();
    ENGLISH.get_or_init(|| Texts::new(Language::English))
}

fn bundle(language: Language) -> Bundle {
    let mut bundle = Bundle::new_concurrent(vec![language.identifier()]);
    // The marks are for mixed writing directions; terminals and scripts trip over them.
    bundle.set_use_isolating(false);
    for source in SOURCES {
        let text = match language {
            Language::English => source.english,
            Language::French => source.french,
        };
        // The files are part of the program; a test shows that they hold no error. Should one
        // slip through, what was understood is used.
        let resource = match FluentResource::try_new(text.to_owned()) {
            Ok(resource) | Err((resource, _)) => resource,
        };
        bundle.add_resource_overriding(resource);
    }
    bundle
}

fn format(bundle: &Bundle, key: &str, args: &[(&str, &str)]) -> Option<String> {
    let (id, attribute) = match key.split_once('.') {
        Some((id, attribute)) => (id, Some(attribute)),
        None => (key, None),
    };
    let message = bundle.get_message(id)?;
    let pattern = match attribute {
        Some(attribute) => message.get_attribute(attribute)?.value(),
        None => message.value()?,
    };
    let args: FluentArgs<'_> = args
        .iter()
        .map(|&(name, value)| (name, argument(value)))
        .collect();
    let mut errors = Vec::new();
    Some(
        bundle
            .format_pattern(pattern, Some(&args), &mut errors)
            .into_owned(),
    )
}

/// A number only where its digits would be printed as they stand: an id such as `007` stays text.
fn argument(value: &str) -> FluentValue<'_> {
    let canonical = value.len() <= 15
        && value.bytes().all(|byte| byte.is_ascii_digit())
        && (value == "0" || !value.starts_with('0'))
        && !value.is_empty();
    if canonical {
        FluentValue::try_number(value)
    } else {
        FluentValue::from(value)
    }
}

#[cfg(test)]
#[path = "texts_tests.rs"]
mod tests;
