//! What a person reads when there is no page: short sentences, English and French.

use guichet_proto::http::{Field, HeaderBlock, Request, Response};

/// In which language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    English,
    French,
}

impl Words {
    /// The one the reader prefers (RFC 9110 12.5.4).
    pub(super) fn for_request(request: &Request) -> Self {
        let mut best = (0, Self::English);
        for item in request
            .fields
            .all(Field::AcceptLanguage)
            .flat_map(|list| list.split(','))
        {
            let (tag, weight) = item.split_once(';').unwrap_or((item, ""));
            let language = match tag.trim().split('-').next() {
                Some(tag) if tag.eq_ignore_ascii_case("fr") => Self::French,
                Some(tag) if tag.eq_ignore_ascii_case("en") => Self::English,
                _ => continue,
            };
            let weight = thousandths(weight);
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    /// A small page that says what happened.
    pub(super) fn refusal(self, status: u16, fields: HeaderBlock) -> Response {
        self.page(status, fields, self.sentences(status))
    }

    /// For a host that has no folder here.
    pub(super) fn no_site(self) -> Response {
        let words = match self {
            Self::English => (
                "There is no such site here",
                "This server does not know the name you asked for. Please check the address.",
            ),
            Self::French => (
                "Ce site n’est pas ici",
                "Ce serveur ne connaît pas le nom que vous avez demandé. Vérifiez l’adresse.",
            ),
        };
        self.page(404, HeaderBlock::default(), words)
    }

    fn page(self, status: u16, fields: HeaderBlock, words: (&str, &str)) -> Response {
        let (title, sentence) = words;
        let language = match self {
            Self::English => "en",
            Self::French => "fr",
        };
        let page = format!(
            "<!doctype html>\n<html lang=\"{language}\">\n<meta charset=\"utf-8\">\n\
             <title>{title}</title>\n<h1>{title}</h1>\n<p>{sentence}</p>\n</html>\n"
        );
        let fields = fields
            .and("Content-Type", "text/html; charset=utf-8")
            .and("Content-Language", language)
            .and("Vary", "Accept-Language")
            .and("X-Content-Type-Options", "nosniff");
        Response::new(status, fields, page.into_bytes())
    }

    fn sentences(self, status: u16) -> (&'static str, &'static str) {
        match (self, status) {
            (Self::English, 301) => (
                "This page has another address",
                "Its address ends with a slash. Your browser should go there by itself.",
            ),
            (Self::French, 301) => (
                "Cette page a une autre adresse",
                "Son adresse se termine par une barre oblique. Votre navigateur devrait s’y rendre de lui-même.",
            ),
            (Self::English, 400) => (
                "This address cannot be read",
                "Please check it for characters that do not belong there.",
            ),
            (Self::French, 400) => (
                "Cette adresse ne peut pas être lue",
                "Vérifiez qu’elle ne contient pas de caractères qui n’ont rien à y faire.",
            ),
            (Self::English, 403) => (
                "This page is not public",
                "The server may not read it. Its owner can change the file’s permissions.",
            ),
            (Self::French, 403) => (
                "Cette page n’est pas publique",
                "Le serveur n’a pas le droit de la lire. Son propriétaire peut changer les permissions du fichier.",
            ),
            (Self::English, 405) => (
                "This can only be read",
                "Pages here can be asked for, and nothing else.",
            ),
            (Self::French, 405) => (
                "Ceci peut seulement être lu",
                "On peut demander les pages de ce site, et rien d’autre.",
            ),
            (Self::English, 412) => (
                "The page has changed",
                "It is not the one you named any more. Please load it again.",
            ),
            (Self::French, 412) => (
                "La page a changé",
                "Ce n’est plus celle que vous avez nommée. Rechargez-la.",
            ),
            (Self::English, 416) => (
                "The page is not that long",
                "You asked for a part that lies behind its end.",
            ),
            (Self::French, 416) => (
                "La page n’est pas si longue",
                "Vous avez demandé une partie située après sa fin.",
            ),
            (Self::English, 503) => (
                "The server is busy",
                "It cannot open the page just now. Please try again in a moment.",
            ),
            (Self::French, 503) => (
                "Le serveur est occupé",
                "Il ne peut pas ouvrir la page pour l’instant. Réessayez dans un moment.",
            ),
            (Self::English, _) => (
                "There is no such page",
                "Please check the address, or begin at the site’s first page.",
            ),
            (Self::French, _) => (
                "Cette page n’existe pas",
                "Vérifiez l’adresse, ou commencez par la première page du site.",
            ),
        }
    }
}

/// `q=0.8` as 800; nothing, or something unreadable, as 1000.
fn thousandths(weight: &str) -> u32 {
    let Some(number) = weight.trim().strip_prefix("q=") else {
        return 1000;
    };
    let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
    let digits = rest.bytes().chain(*b"000").take(3);
    let fraction = digits.fold(0, |sum, byte| {
        sum * 10 + u32::from(byte.wrapping_sub(b'0') % 10)
    });
    match whole {
        "0" => fraction,
        _ => 1000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_read_in_thousandths() {
        assert_eq!(thousandths(""), 1000);
        assert_eq!(thousandths(" q=0.85"), 850);
        assert_eq!(thousandths("q=0"), 0);
        assert_eq!(thousandths("q=x"), 1000);
    }
}
