//! Domain logic: the decisions behind the dialogues.
//!
//! A session (in `guichet-proto`) knows how a protocol is spoken; what is to be answered is decided
//! here, over what the store keeps. Nothing here opens a socket: whatever must be asked of the world
//! comes in as a trait or a value.

pub mod accounts;
pub mod mail;
pub mod names;
pub mod pages;
