//! Accounts and aliases.

use super::{Store, done};
use crate::answer::Commit;
use crate::error::StoreError;
use crate::operation::Operation;
use crate::types::{Account, Alias, Change};
use crate::view::read;

impl Store {
    /// Makes an account. `login` is the full address, kept in lower case; `password_hash` a PHC
    /// string.
    ///
    /// # Errors
    /// [`StoreError::AccountExists`].
    pub fn add_account(&self, change: Change, login: &str, password_hash: &str) -> Commit<()> {
        let login = login.to_lowercase();
        let password_hash = password_hash.to_owned();
        self.change(
            change,
            Operation::AddAccount {
                login,
                password_hash,
            },
            done,
        )
    }

    /// Replaces the password's hash.
    ///
    /// # Errors
    /// [`StoreError::NoSuchAccount`].
    pub fn set_password(&self, change: Change, login: &str, password_hash: &str) -> Commit<()> {
        let login = login.to_lowercase();
        let password_hash = password_hash.to_owned();
        self.change(
            change,
            Operation::SetPassword {
                login,
                password_hash,
            },
            done,
        )
    }

    /// Suspends an account, or resumes it.
    ///
    /// # Errors
    /// [`StoreError::NoSuchAccount`].
    pub fn set_suspended(&self, change: Change, login: &str, suspended: bool) -> Commit<()> {
        self.change(
            change,
            Operation::Suspend {
                login: login.to_lowercase(),
                suspended,
            },
            done,
        )
    }

    /// Removes an account with its mailbox. An account made later under the same name gets other
    /// UIDL and UIDVALIDITY values.
    ///
    /// # Errors
    /// [`StoreError::NoSuchAccount`].
    pub fn remove_account(&self, change: Change, login: &str) -> Commit<()> {
        self.change(
            change,
            Operation::RemoveAccount {
                login: login.to_lowercase(),
            },
            done,
        )
    }

    /// One account.
    pub fn account(&self, login: &str) -> Result<Option<Account>, StoreError> {
        self.inner
            .readers
            .with(|view| read::account(view, &login.to_lowercase()))
    }

    /// All accounts, by name.
    pub fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        self.inner.readers.with(read::accounts)
    }

    /// Makes an alias. `address` is kept in lower case.
    ///
    /// # Errors
    /// [`StoreError::AliasExists`], [`StoreError::NoTargets`].
    pub fn add_alias(&self, change: Change, address: &str, targets: &[String]) -> Commit<()> {
        let address = address.to_lowercase();
        self.change(
            change,
            Operation::AddAlias {
                address,
                targets: targets.to_vec(),
            },
            done,
        )
    }

    /// Removes an alias.
    ///
    /// # Errors
    /// [`StoreError::NoSuchAlias`].
    pub fn remove_alias(&self, change: Change, address: &str) -> Commit<()> {
        self.change(
            change,
            Operation::RemoveAlias {
                address: address.to_lowercase(),
            },
            done,
        )
    }

    /// The alias at an address. One step only: a target may be an alias again.
    pub fn alias(&self, address: &str) -> Result<Option<Alias>, StoreError> {
        let address = address.to_lowercase();
        let found = self
            .inner
            .readers
            .with(|view| read::aliases(view, Some(&address)))?;
        Ok(found.into_iter().next())
    }

    /// All aliases, by address.
    pub fn aliases(&self) -> Result<Vec<Alias>, StoreError> {
        self.inner.readers.with(|view| read::aliases(view, None))
    }
}
