//! Random tokens for links, sessions, one-time code requests, and devices.

use aws_lc_rs::rand;
use serde::{Deserialize, Serialize};

/// A random token of 131 bits: 22 letters and digits. Other characters are not used, because phones
/// do not recognise a trailing hyphen or underscore as part of a link in an SMS.
#[derive(Clone, Serialize, Deserialize)]
pub struct Token(String);

impl Token {
    /// Generates a token; `None` if the system's random number generator fails.
    pub fn generate() -> Option<Self> {
        const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut text = String::with_capacity(22);
        while text.len() < 22 {
            let mut bytes = [0; 32];
            rand::fill(&mut bytes).ok()?;
            // Rejection sampling: six bits have 64 values, of which two are discarded, so that all
            // characters are equally likely.
            let letters = bytes.iter().filter_map(|byte| LETTERS.get(usize::from(byte & 63)));
            text.extend(letters.take(22 - text.len()).map(|letter| char::from(*letter)));
        }
        Some(Self(text))
    }

    /// Wraps a token from a request, without validating it.
    pub fn from_request(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text of the token. Secret: only for the SMS or the cookie.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn tokens_have_more_than_128_bits() {
        let token = Token::generate().unwrap();
        assert_eq!(token.secret().len(), 22);
        assert!(token.secret().bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(token.secret(), Token::generate().unwrap().secret());
        let mut letters = BTreeMap::new();
        for _ in 0..1_000 {
            for letter in Token::generate().unwrap().secret().chars() {
                *letters.entry(letter).or_insert(0) += 1;
            }
        }
        assert_eq!(letters.len(), 62);
        // The expected count is 355 per character. A correct generator violates these bounds in
        // one of ten million runs.
        assert!(letters.values().all(|count| (240..=470).contains(count)), "{letters:?}");
    }
}
