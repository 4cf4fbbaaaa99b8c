//! The captcha's proof of work: ALTCHA version 2 with the algorithm `SHA-256`.
//!
//! The solution is a counter for which the derived key begins with the challenge's prefix. The
//! search runs in slices, because it shares a thread with the page, which must stay responsive.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bukti_wire::CaptchaChallenge;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// A challenge that is being solved.
pub struct Proof {
    challenge: CaptchaChallenge,
    /// Salt and nonce, to which the counter is appended.
    prefix: Vec<u8>,
    counter: u32,
}

/// The outcome of a slice of work.
pub enum Progress {
    Unsolved,
    /// The challenge and its solution as base64-encoded JSON, to be sent with the form.
    Solved(String),
    /// No counter solves the challenge.
    Exhausted,
}

#[derive(Serialize)]
struct Payload<'a> {
    challenge: &'a CaptchaChallenge,
    solution: Solution,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Solution {
    counter: u32,
    derived_key: String,
}

impl Proof {
    /// Returns `None` if the challenge's algorithm is not supported or its parameters are invalid.
    pub fn new(challenge: CaptchaChallenge) -> Option<Self> {
        let parameters = &challenge.parameters;
        if !parameters.algorithm.eq_ignore_ascii_case("SHA-256") {
            return None;
        }
        let mut prefix = from_hex(&parameters.salt)?;
        prefix.extend(from_hex(&parameters.nonce)?);
        Some(Self { challenge, prefix, counter: 0 })
    }

    /// Tries the next `attempts` counters.
    pub fn search(&mut self, attempts: u32) -> Progress {
        let parameters = &self.challenge.parameters;
        for _ in 0..attempts {
            let key = derive_key(&self.prefix, self.counter, parameters.cost);
            let key = &key[..parameters.key_length.min(key.len())];
            if has_hex_prefix(key, &parameters.key_prefix) {
                let solution = Solution { counter: self.counter, derived_key: to_hex(key) };
                let payload = Payload { challenge: &self.challenge, solution };
                // Serialising strings and numbers never fails.
                let json = serde_json::to_vec(&payload).unwrap_or_default();
                return Progress::Solved(STANDARD.encode(json));
            }
            match self.counter.checked_add(1) {
                Some(next) => self.counter = next,
                None => return Progress::Exhausted,
            }
        }
        Progress::Unsolved
    }
}

/// Hashes salt, nonce and counter with SHA-256, then hashes the result repeatedly, `cost` times in
/// total.
fn derive_key(prefix: &[u8], counter: u32, cost: u32) -> [u8; 32] {
    let mut hash: [u8; 32] =
        Sha256::new().chain_update(prefix).chain_update(counter.to_be_bytes()).finalize().into();
    for _ in 1..cost {
        hash = Sha256::digest(hash).into();
    }
    hash
}

/// Whether the key in hexadecimal begins with these digits. The number of digits may be odd.
fn has_hex_prefix(key: &[u8], digits: &str) -> bool {
    digits.len() <= 2 * key.len()
        && digits
            .bytes()
            .zip(key.iter().flat_map(|byte| [byte >> 4, byte & 15]))
            .all(|(digit, nibble)| char::from(digit).to_digit(16) == Some(u32::from(nibble)))
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let nibbles = text.chars().map(|digit| digit.to_digit(16)).collect::<Option<Vec<u32>>>()?;
    let pairs = nibbles.chunks_exact(2);
    pairs.remainder().is_empty().then(|| pairs.map(|pair| (pair[0] << 4 | pair[1]) as u8).collect())
}

fn to_hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use altcha::{
        Challenge, CreateChallengeOptions, Payload, VerifySolutionOptions, create_challenge, verify_solution,
    };

    use super::*;

    fn challenge(cost: u32, key_prefix: &str, counter: Option<u32>) -> Challenge {
        create_challenge(CreateChallengeOptions {
            algorithm: "SHA-256".into(),
            cost,
            counter,
            key_prefix: key_prefix.into(),
            expires_at: Some(4_000_000_000),
            hmac_signature_secret: Some("secret".into()),
            ..Default::default()
        })
        .unwrap()
    }

    fn solve(challenge: &Challenge, slice: u32) -> Payload {
        let wire = serde_json::from_value(serde_json::to_value(challenge).unwrap()).unwrap();
        let mut proof = Proof::new(wire).unwrap();
        loop {
            match proof.search(slice) {
                Progress::Unsolved => {}
                Progress::Solved(payload) => {
                    return serde_json::from_slice(&STANDARD.decode(payload).unwrap()).unwrap();
                }
                Progress::Exhausted => panic!("no counter solves the challenge"),
            }
        }
    }

    #[test]
    fn altcha_accepts_solutions() {
        for (cost, prefix) in [(1, "00"), (3, "0a7"), (10, "f"), (0, "")] {
            let payload = solve(&challenge(cost, prefix, None), 7);
            let options = VerifySolutionOptions::new(&payload.challenge, &payload.solution, "secret");
            assert!(verify_solution(options).unwrap().verified, "cost {cost}, prefix {prefix}");
        }
    }

    #[test]
    fn finds_the_counter_that_the_server_chose() {
        assert_eq!(solve(&challenge(5, "", Some(1234)), 100).solution.counter, 1234);
    }

    #[test]
    fn derives_key_of_known_vector() {
        // Computed with: printf '\x01\x02\x03\x04\x00\x00\x00\x05' | sha256sum
        let key = derive_key(&[1, 2, 3, 4], 5, 1);
        assert_eq!(to_hex(&key), VECTOR);
        assert!(has_hex_prefix(&key, &VECTOR[..7]));
        assert!(!has_hex_prefix(&key, "0"));
    }

    const VECTOR: &str = "75590f0550df72888f1fd18397349d9869b99384dd6dda1ad7941ebcac477724";

    #[test]
    fn rejects_other_algorithms() {
        let mut other = challenge(1, "00", None);
        other.parameters.algorithm = "ARGON2ID".into();
        let wire = serde_json::from_value(serde_json::to_value(other).unwrap()).unwrap();
        assert!(Proof::new(wire).is_none());
    }
}
