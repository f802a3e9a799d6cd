//! Writing a letter.

use guichet_engine::clock;
use mail_builder::MessageBuilder;

use crate::output::Message;

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
            .message_id(id.as_str())
            .text_body(self.text.as_str());
        if !self.subject.is_empty() {
            builder = builder.subject(self.subject.as_str());
        }
        let message = builder
            .write_to_vec()
            .map_err(|error| failed(error.to_string()))?;
        Ok((message, format!("<{id}>")))
    }
}
