//! Mail transfer and submission (RFC 5321, RFC 6409).

pub mod ask;
