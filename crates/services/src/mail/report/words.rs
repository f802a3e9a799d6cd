//! What a delivery report says to a person, in her organisation's language.

/// The language an organisation writes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// French.
    French,
}

/// Why a letter was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The other side, or the names, refused it for good.
    Refused,
    /// It could not be handed over in time.
    TooLate,
}

/// The subject of a report.
pub fn subject(language: Language) -> &'static str {
    match language {
        Language::English => "Your message could not be delivered",
        Language::French => "Votre message n'a pas pu être remis",
    }
}

/// The opening of the text: who speaks, and about which letter.
pub fn opening(language: Language, host: &str, queue_id: &str) -> String {
    match language {
        Language::English => format!(
            "This is the mail server {host}.\n\n\
             It could not deliver your message to everybody. Nothing more will\n\
             be tried for the addresses below; all others have been, or are\n\
             being, served.\n\n\
             Its name here is {queue_id}.\n"
        ),
        Language::French => format!(
            "Ici le serveur de courrier {host}.\n\n\
             Il n'a pas pu remettre votre message à tous. Plus rien ne sera\n\
             tenté pour les adresses ci-dessous ; les autres ont été servies,\n\
             ou le seront.\n\n\
             Son nom ici est {queue_id}.\n"
        ),
    }
}

/// One address and why.
pub fn failure(language: Language, address: &str, reason: Reason, words: &str) -> String {
    let why = match (language, reason) {
        (Language::English, Reason::Refused) => "It was refused:",
        (Language::English, Reason::TooLate) => {
            "It could not be handed over in time. The last attempt:"
        }
        (Language::French, Reason::Refused) => "Il a été refusé :",
        (Language::French, Reason::TooLate) => {
            "Il n'a pas pu être transmis à temps. La dernière tentative a donné :"
        }
    };
    format!("{address}\n  {why}\n  {words}\n")
}

/// What to do next.
pub fn closing(language: Language) -> &'static str {
    match language {
        Language::English => {
            "Check the addresses, then send the message again. If they are\n\
             right, show this report to whoever looks after your mail: what\n\
             follows says exactly what happened.\n"
        }
        Language::French => {
            "Vérifiez les adresses, puis renvoyez le message. Si elles sont\n\
             justes, montrez ce rapport à la personne qui s'occupe de votre\n\
             courrier : la suite dit exactement ce qui s'est passé.\n"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_lines_need_no_folding_on_the_way() {
        for language in [Language::English, Language::French] {
            let refused = failure(language, "bob@sud.test", Reason::Refused, "550");
            let late = failure(language, "bob@sud.test", Reason::TooLate, "451");
            let opening = opening(language, "mail.nord.test", "0123456789");
            for line in [&opening, &refused, &late, closing(language)]
                .into_iter()
                .flat_map(str::lines)
            {
                assert!(line.chars().count() <= 72, "{line}");
            }
        }
    }
}
