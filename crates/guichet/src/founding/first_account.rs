//! The first account of a new organisation: without it nobody could read what arrives for its
//! postmaster (RFC 5321 section 4.5.1), or for those whom others write to when something is wrong
//! with its mail, names or pages (RFC 2142 sections 4 and 5).

use std::path::Path;

use guichet_engine::clock;
use guichet_services::accounts::{Cost, password};
use guichet_store::{Change, Options, Store, StoreError};

use crate::output::Message;

/// Characters of a drawn password: none that looks like another one. A power of two, so that a
/// random byte chooses evenly.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Groups of five characters of five bits each: 100 bits, beyond all guessing.
const GROUPS: usize = 4;
const GROUP_CHARACTERS: usize = 5;

/// Who is asked for, besides the postmaster, whose mail needs no alias.
const ROLES: [&str; 3] = ["abuse", "hostmaster", "webmaster"];

/// A password to begin with.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    /// Somebody chose it.
    Chosen(String),
    /// It was drawn at random: whoever founds must be told.
    Drawn(String),
}

impl Password {
    /// Draws one.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn draw() -> Result<Self, Message> {
        let mut random = [0; GROUPS * GROUP_CHARACTERS];
        getrandom::fill(&mut random)
            .map_err(|error| Message::new("init-no-random").with("why", error.to_string()))?;
        let letter = |byte: &u8| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]);
        let groups = random.chunks(GROUP_CHARACTERS);
        let groups: Vec<String> = groups
            .map(|group| group.iter().map(letter).collect())
            .collect();
        Ok(Self::Drawn(groups.join("-")))
    }

    fn text(&self) -> &str {
        match self {
            Self::Chosen(text) | Self::Drawn(text) => text,
        }
    }
}

/// The first account, ready to be stored.
#[derive(Clone, Debug)]
pub struct FirstAccount {
    /// Its full address.
    pub login: String,
    hash: String,
}

impl FirstAccount {
    /// Hashes the password, which is not kept.
    ///
    /// # Errors
    /// It cannot be hashed.
    pub fn new(login: String, password: &Password) -> Result<Self, Message> {
        let hash = password::hash(password.text(), Cost::default())
            .map_err(|error| Message::new("serve-accounts").with("why", error.to_string()))?;
        Ok(Self { login, hash })
    }

    /// The addresses of the domain that lead to it from the beginning.
    pub fn aliases(&self) -> Vec<String> {
        let domain = self.login.rsplit('@').next().unwrap_or_default();
        let addresses = ROLES.map(|role| format!("{role}@{domain}"));
        let others = addresses.into_iter().filter(|alias| *alias != self.login);
        others.collect()
    }

    /// Makes the store with this account and its aliases in it.
    pub(super) fn found(&self, folder: &Path) -> Result<(), Message> {
        let failed = |why: String| {
            Message::new("serve-store")
                .with("folder", folder)
                .with("why", why)
        };
        let store = Store::open(Options::new(folder)).map_err(|error| failed(error.to_string()))?;
        let now = Change::at(clock::wall());
        let added = || {
            store.add_account(now, &self.login, &self.hash).wait()?;
            let to = std::slice::from_ref(&self.login);
            self.aliases()
                .iter()
                .try_for_each(|alias| store.add_alias(now, alias, to).wait().map(drop))
        };
        let added = added();
        store.close();
        added.map_err(|error: StoreError| failed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_passwords_differ_and_can_be_read_aloud() {
        let drawn: Vec<_> = (0..50).map(|_| Password::draw().unwrap()).collect();
        let texts: std::collections::BTreeSet<_> = drawn.iter().map(Password::text).collect();
        assert_eq!(texts.len(), 50);
        for text in texts {
            assert_eq!(text.len(), 23, "{text}");
            assert!(!text.contains(['l', 'o', '0', '1']), "{text}");
        }
    }

    #[test]
    fn the_store_opens_to_the_password_at_full_cost() {
        let folder = tempfile::tempdir().unwrap();
        let password = Password::Chosen("correct horse".to_owned());
        let login = "postmaster@example.org".to_owned();
        let first = FirstAccount::new(login, &password).unwrap();
        first.found(folder.path()).unwrap();
        let store = Store::open(Options::new(folder.path())).unwrap();
        let account = store.account("postmaster@example.org").unwrap().unwrap();
        assert!(
            account
                .password_hash
                .starts_with("$argon2id$v=19$m=19456,t=2,p=1$")
        );
        assert!(password::verify("correct horse", &account.password_hash));
    }
}
