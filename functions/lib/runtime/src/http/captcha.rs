//! The captcha: a proof of work after the ALTCHA protocol, version 2. No third party sees the citizens.

use altcha::{CreateChallengeOptions, Payload, VerifySolutionOptions, create_challenge, verify_solution};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bukti_wire::{CaptchaChallenge, ProblemCode};
use jiff::{SignedDuration, Timestamp};

use crate::Failure;

/// How long a challenge can be solved.
const LIFETIME: SignedDuration = SignedDuration::from_mins(10);

/// Hashes for one try of the solver, at the lowest level. Each level doubles them.
const COST: u32 = 10;

/// What a derived key must begin with: 12 bits, so 4,096 tries on average. Times the cost, about 41,000 hashes: well under
/// a second on a cheap phone, and a cost to who asks for a million people.
const KEY_PREFIX: &str = "000";

/// How hard a challenge is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u32);

impl Level {
    /// What a browser solves that asks for a second one-time code: eight times the work of the
    /// first, some seconds on a cheap phone. It opens an allowance of its own, see
    /// `bukti_store::Otps`.
    pub const HARD: Self = Self(3);

    /// The level after so many failures from one address within an hour: the first five are free,
    /// then each doubling of them is one more. The highest, after 20, makes about 330,000 hashes:
    /// some seconds on a cheap phone. No more, since thousands of people share an address, and one
    /// of them must not keep the others out.
    pub(crate) fn after(failures: u32) -> Self {
        Self((failures / 5).checked_ilog2().map_or(0, |log| log + 1).min(3))
    }

    /// The level where so many percent of the day's SMS are spent: each further tenth from a fifth
    /// on doubles the cost, so that whoever has all of strangers' SMS sent pays for it more and
    /// more.
    pub(crate) fn harder_by(self, percent_spent: u32) -> Self {
        Self((self.0 + (percent_spent / 10).saturating_sub(1).min(4)).min(6))
    }

    pub(crate) fn one_less(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    fn cost(self) -> u32 {
        COST << self.0
    }

    /// The level of a challenge of ours.
    fn of_cost(cost: u32) -> Self {
        Self((cost / COST).checked_ilog2().unwrap_or(0))
    }
}

/// A challenge that was solved.
pub struct Solved {
    /// What makes it this challenge and no other.
    pub signature: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// How hard it was.
    pub level: Level,
}

/// A new challenge.
///
/// # Errors
///
/// `unavailable` where no challenge can be made.
pub(crate) fn challenge(key: &str, level: Level, now: Timestamp) -> Result<CaptchaChallenge, Failure> {
    let challenge = create_challenge(CreateChallengeOptions {
        algorithm: "SHA-256".to_owned(),
        cost: level.cost(),
        key_prefix: KEY_PREFIX.to_owned(),
        expires_at: Some((now + LIFETIME).as_second()),
        hmac_signature_secret: Some(key.to_owned()),
        ..CreateChallengeOptions::default()
    })
    .map_err(|_| Failure::new(ProblemCode::Unavailable))?;
    // The wire type is ALTCHA's, field by field; a test holds them together.
    serde_json::to_value(challenge)
        .and_then(serde_json::from_value)
        .map_err(|_| Failure::new(ProblemCode::Internal))
}

/// Checks a solution: that the challenge is ours, has not ended, and is solved. Whether it was used before is for the
/// caller to decide.
///
/// # Errors
///
/// `captcha_wrong`, `captcha_expired`.
pub fn verify(solution: &str, key: &str) -> Result<Solved, Failure> {
    let wrong = || Failure::new(ProblemCode::CaptchaWrong);
    let decoded = STANDARD.decode(solution.trim()).map_err(|_| wrong())?;
    let payload: Payload = serde_json::from_slice(&decoded).map_err(|_| wrong())?;
    let result = verify_solution(VerifySolutionOptions::new(&payload.challenge, &payload.solution, key))
        .map_err(|_| wrong())?;
    if result.expired {
        return Err(Failure::new(ProblemCode::CaptchaExpired));
    }
    let level = Level::of_cost(payload.challenge.parameters.cost);
    let expires_at = payload.challenge.parameters.expires_at.and_then(|at| Timestamp::from_second(at).ok());
    match (result.verified, payload.challenge.signature, expires_at) {
        // Hexadecimal in either case means the same challenge.
        (true, Some(signature), Some(expires_at)) => {
            Ok(Solved { signature: signature.to_ascii_lowercase(), expires_at, level })
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use altcha::{Challenge, SolveChallengeOptions, solve_challenge};

    use super::*;

    fn solve(challenge: &CaptchaChallenge) -> Payload {
        let challenge: Challenge = serde_json::from_value(serde_json::to_value(challenge).unwrap()).unwrap();
        let solution = solve_challenge(SolveChallengeOptions::new(&challenge)).unwrap().unwrap();
        Payload { challenge, solution }
    }

    fn encode(payload: &Payload) -> String {
        STANDARD.encode(serde_json::to_vec(payload).unwrap())
    }

    #[test]
    fn a_solved_challenge_counts_and_a_changed_one_does_not() {
        let payload = solve(&challenge("key", Level::after(0), Timestamp::now()).unwrap());
        let solved = verify(&encode(&payload), "key").unwrap_or_else(|_| unreachable!());
        assert!(verify(&encode(&payload), "another key").is_err());

        let mut easier = payload.clone();
        easier.challenge.parameters.key_prefix = String::new();
        assert!(verify(&encode(&easier), "key").is_err());
        let mut cheaper = payload.clone();
        cheaper.challenge.parameters.cost = 1;
        assert!(verify(&encode(&cheaper), "key").is_err());
        let mut later = payload.clone();
        later.challenge.parameters.expires_at = Some(i64::MAX);
        assert!(verify(&encode(&later), "key").is_err());

        let mut upper = payload.clone();
        upper.challenge.signature = upper.challenge.signature.map(|signature| signature.to_uppercase());
        if let Ok(again) = verify(&encode(&upper), "key") {
            assert_eq!(again.signature, solved.signature, "the same challenge in other letters is the same");
        }
    }

    #[test]
    fn an_old_challenge_has_expired() {
        let long_ago = Timestamp::now() - LIFETIME - SignedDuration::from_secs(1);
        let payload = solve(&challenge("key", Level::after(0), long_ago).unwrap());
        let failure = verify(&encode(&payload), "key").err().unwrap();
        assert!(format!("{failure:?}").contains("CaptchaExpired"));
    }

    #[test]
    fn failures_make_it_harder() {
        let levels = [0, 4, 5, 9, 10, 20, 40, 80, 160, u32::MAX].map(|failures| Level::after(failures).0);
        assert_eq!(levels, [0, 0, 1, 1, 2, 3, 3, 3, 3, 3]);
        let hard = challenge("key", Level::after(10), Timestamp::now()).unwrap();
        assert_eq!(Level::of_cost(hard.parameters.cost), Level::after(10));
        assert_eq!(Level::after(0).one_less(), Level::after(0));
    }

    #[test]
    fn spending_of_the_sms_budget_makes_it_harder() {
        let levels = [0, 19, 20, 30, 40, 50, 60, 100, u32::MAX].map(|spent| Level(0).harder_by(spent).0);
        assert_eq!(levels, [0, 0, 1, 2, 3, 4, 4, 4, 4]);
        assert_eq!(Level(3).harder_by(100), Level(6));
    }

    #[test]
    fn nonsense_is_wrong() {
        for text in ["", "x", "e30=", "////"] {
            assert!(verify(text, "key").is_err(), "{text}");
        }
    }
}
