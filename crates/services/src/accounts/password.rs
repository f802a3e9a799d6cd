//! Passwords as PHC strings, hashed with argon2id (RFC 9106).

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

/// What one hash costs whoever computes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB; at least 8 for each lane.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes (threads that could help an attacker as well as us).
    pub lanes: u32,
}

impl Cost {
    /// Next to nothing: where every password is known anyway (a laboratory, a test).
    pub const LIGHT: Self = Self {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
    };
}

impl Default for Cost {
    /// 19 MiB, two passes, one lane: RFC 9106 leaves the choice open, and this is a setting the OWASP
    /// cheat sheet advises that two cores can still compute for everybody's mail program.
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            passes: 2,
            lanes: 1,
        }
    }
}

/// A password could not be hashed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// The system gave no random salt.
    #[error("the system gave no random salt: {0}")]
    NoSalt(String),
    /// The cost is outside what argon2 allows, or the password too long.
    #[error("the password cannot be hashed: {0}")]
    Refused(String),
}

/// Hashes `password` with a fresh salt. Takes tens of milliseconds at the default cost: not for the
/// event loop.
pub fn hash(password: &str, cost: Cost) -> Result<String, HashError> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| HashError::NoSalt(error.to_string()))?;
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None)
        .map_err(|error| HashError::Refused(error.to_string()))?;
    let hash: PasswordHash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(|error| HashError::Refused(error.to_string()))?;
    Ok(hash.to_string())
}

/// Whether `password` is the one that was hashed; the cost stands in the hash itself. A hash that
/// cannot be read opens nothing.
pub fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_opens_to_its_password_alone() {
        let kept = hash("correct horse", Cost::LIGHT).unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{kept}");
        assert!(verify("correct horse", &kept));
        assert!(!verify("correct hors", &kept));
        assert!(!verify("", &kept));
        assert_ne!(
            kept,
            hash("correct horse", Cost::LIGHT).unwrap(),
            "a fresh salt each time"
        );
    }

    #[test]
    fn the_default_is_what_the_documentation_says() {
        let kept = hash("x", Cost::default()).unwrap();
        assert!(
            kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{kept}"
        );
    }

    #[test]
    fn a_damaged_hash_opens_nothing() {
        for hash in ["", "lab", "$argon2id$", "$argon2id$v=19$m=64,t=1,p=1$YWJj$"] {
            assert!(!verify("", hash), "{hash}");
        }
    }
}
