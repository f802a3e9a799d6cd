//! Syntax several protocols share.

pub mod address;
pub mod dot;
pub mod limits;
pub mod sasl;
pub mod words;
