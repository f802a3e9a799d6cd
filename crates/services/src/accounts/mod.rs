//! Who people are, and which addresses lead to whom.
//!
//! - [`Accounts`]: is this the person's password? At most a few hashes at a time, off the event
//!   loop, and the same work for a log-in that does not exist.
//! - [`Directory`]: where mail for an address of ours goes: accounts, aliases, plus-addressing,
//!   postmaster, catch-all.
//! - [`password`]: hashing; [`Address`]: how addresses are read and compared.
//!
//! It keeps nothing itself: accounts and aliases are in the store. It does not slow down who guesses
//! passwords; that is admission's affair.

mod address;
mod cache;
mod directory;
mod login;
pub mod password;

pub use address::Address;
pub use directory::{Directory, Domain, Found, Target};
pub use login::{Accounts, LogIn};
pub use password::Cost;
