//! Syntax several protocols share.

pub mod dot;
