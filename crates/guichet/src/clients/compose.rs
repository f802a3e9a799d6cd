//! Writing a letter.

use guichet_engine::clock;
use mail_builder::MessageBuilder;
use mail_builder::mime::MimePart;

use crate::output::Message;

/// The longest line without its end (RFC 5322 section 2.1.1).
const LINE_MOST_BYTES: usize = 998;

/// What a person wants to send.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The sender's address.
    pub from: String,
    /// The recipients' addresses.
    pub to: Vec<String>,
    /// The subject; empty for none.
    pub subject: String,
    /// The text.
    pub text: String,
}

impl Draft {
    /// The message (RFC 5322, RFC 2045) and its Message-ID with angle brackets.
    pub fn compose(&self) -> Result<(Vec<u8>, String), Message> {
        let failed = |why: String| Message::new("clients-compose").with("why", why);
        let mut random = [0; 10];
        getrandom::fill(&mut random).map_err(|error| failed(error.to_string()))?;
        let unique: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let domain = self.from.rsplit('@').next().unwrap_or("localhost");
        let id = format!("{unique}@{domain}");
        let seconds = i64::try_from(clock::wall().0 / 1_000_000).unwrap_or_default();
        let to: Vec<&str> = self.to.iter().map(String::as_str).collect();
        let mut builder = MessageBuilder::new()
            .from(self.from.as_str())
            .to(to)
            .date(seconds)
            .message_id(id.as_str());
        builder = match self.readable() {
            Some(text) => builder.body(MimePart::new("text/plain", text).transfer_encoding("8bit")),
            None => builder.text_body(self.text.as_str()),
        };
        if !self.subject.is_empty() {
            builder = builder.subject(self.subject.as_str());
        }
        let message = builder
            .write_to_vec()
            .map_err(|error| failed(error.to_string()))?;
        Ok((message, format!("<{id}>")))
    }

    /// A text with accents as it is (RFC 6152), so that who looks at the letter on its way can read
    /// it; `None` for one that goes as it is anyway, and for one that would have to be folded.
    fn readable(&self) -> Option<String> {
        let lines: Vec<&str> = self.text.lines().collect();
        let plain = |line: &&str| line.len() <= LINE_MOST_BYTES && !line.contains(['\r', '\0']);
        let whole = lines.iter().all(plain);
        (!self.text.is_ascii() && whole).then(|| lines.join("\r\n") + "\r\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composed(text: &str) -> String {
        let draft = Draft {
            from: "alice@nord.test".to_owned(),
            to: vec!["bob@sud.test".to_owned()],
            subject: String::new(),
            text: text.to_owned(),
        };
        String::from_utf8(draft.compose().unwrap().0).unwrap()
    }

    #[test]
    fn accents_can_be_read_on_the_way() {
        let message = composed("Ça va ?\nOui.");
        assert!(
            message.contains("Content-Transfer-Encoding: 8bit\r\n"),
            "{message}"
        );
        assert!(
            message.ends_with("\r\n\r\nÇa va ?\r\nOui.\r\n"),
            "{message}"
        );
        assert!(composed("Oui.").contains("7bit"));
    }

    #[test]
    fn what_no_line_could_hold_is_encoded() {
        for text in ["é".repeat(600), "é\0".to_owned(), "é\ra".to_owned()] {
            let message = composed(&text);
            assert!(message.is_ascii(), "{message}");
            assert!(
                message
                    .split("\r\n")
                    .all(|line| line.len() <= LINE_MOST_BYTES)
            );
        }
    }
}
