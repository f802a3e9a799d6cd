//! (being laid)
pub mod accounts;
pub mod mail;
pub mod names;
pub mod pages;
