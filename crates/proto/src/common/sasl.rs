//! SASL as the mail protocols carry it: base64, PLAIN (RFC 4616) and the LOGIN habit.
//!
//! Not here: who may log in (`services`), and which mechanisms a protocol offers when.

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A name and a password, in clear.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The authentication identity.
    pub login: String,
    /// The password.
    pub password: String,
}

impl core::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} with a password", self.login)
    }
}

/// Writes bytes as base64 (RFC 4648 section 4).
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads base64 as the peer sent it. `None`: not base64, or not padded.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Reads base64 that must hold text without NUL.
pub fn decode_text(text: &[u8]) -> Option<String> {
    let text = String::from_utf8(decode(text)?).ok()?;
    (!text.contains('\0')).then_some(text)
}

/// Reads the one message of PLAIN, in base64: `[authzid] NUL authcid NUL passwd` (RFC 4616
/// section 2). An authorisation identity other than the authentication identity is refused:
/// nobody acts for somebody else here.
pub fn decode_plain(text: &[u8]) -> Option<Credentials> {
    let message = String::from_utf8(decode(text)?).ok()?;
    let mut parts = message.split('\0');
    let (authorisation, login, password) = (parts.next()?, parts.next()?, parts.next()?);
    let acts_for_itself = authorisation.is_empty() || authorisation == login;
    let whole = parts.next().is_none() && !login.is_empty() && !password.is_empty();
    (whole && acts_for_itself).then(|| Credentials {
        login: login.into(),
        password: password.into(),
    })
}

/// Writes the one message of PLAIN, in base64.
pub fn encode_plain(credentials: &Credentials) -> String {
    let mut message = Vec::new();
    message.push(0);
    message.extend_from_slice(credentials.login.as_bytes());
    message.push(0);
    message.extend_from_slice(credentials.password.as_bytes());
    encode(&message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_takes_three_fields_and_nobody_elses_name() {
        let read = |message: &[u8]| decode_plain(encode(message).as_bytes());
        let alice = Credentials {
            login: "alice".into(),
            password: "pa ss".into(),
        };
        assert_eq!(read(b"\0alice\0pa ss").as_ref(), Some(&alice));
        assert_eq!(read(b"alice\0alice\0pa ss").as_ref(), Some(&alice));
        for wrong in [
            &b"bob\0alice\0pass"[..],
            b"alice\0pass",
            b"\0alice\0pass\0more",
            b"\0\0pass",
            b"\0alice\0",
            b"\0\xff\0pass",
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
        assert_eq!(decode_plain(b"AGE*"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(login in "[^\0]{1,20}", password in "[^\0]{1,20}") {
            let credentials = Credentials { login, password };
            let read = decode_plain(encode_plain(&credentials).as_bytes());
            prop_assert_eq!(read, Some(credentials));
        }

        #[test]
        fn nothing_panics(text in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode_plain(&text);
            let _ = decode_text(&text);
        }
    }
}
