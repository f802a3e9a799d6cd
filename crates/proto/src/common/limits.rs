//! Limits of the shared syntax.

/// A local part. RFC 5321 4.5.3.1.1 asks for at least as much; more helps nobody.
pub const LOCAL_PART_BYTES_MOST: usize = 64;
/// A domain name or address literal. RFC 5321 4.5.3.1.2, and the length of a DNS name.
pub const DOMAIN_BYTES_MOST: usize = 255;
