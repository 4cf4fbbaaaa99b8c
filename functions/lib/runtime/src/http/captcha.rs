//! Proof-of-work captchas (ALTCHA protocol, version 2). They need no third-party service, which
//! would learn who uses the site.

use altcha::{CreateChallengeOptions, Payload, VerifySolutionOptions, create_challenge, verify_solution};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bukti_wire::{CaptchaChallenge, ProblemCode};
use jiff::{SignedDuration, Timestamp};

use crate::Failure;

/// How long a challenge is valid.
const LIFETIME: SignedDuration = SignedDuration::from_mins(10);

/// The number of hash iterations per attempt at the lowest level. Each level doubles it.
const COST: u32 = 10;

/// The required prefix of a derived key: 12 bits, so solving a challenge takes 4,096 attempts on
/// average. Multiplied by [`COST`], this is about 41,000 hashes: well under a second on a cheap
/// phone, but expensive for a million requests.
const KEY_PREFIX: &str = "000";

/// The difficulty of a challenge. Each level takes twice the work of the level below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u32);

impl Level {
    /// The level for requesting another one-time code: eight times the work of the lowest level,
    /// which takes a cheap phone a few seconds. Requests at this level have a separate quota; see
    /// `bukti_store::Otps`.
    pub const HARD: Self = Self(3);

    /// The level for an address with this many failures within an hour. It rises at 5, 10 and 20
    /// failures. The highest level takes about 330,000 hashes, or a few seconds on a cheap phone. A
    /// higher level would let one person lock out the thousands of others who may share the
    /// address.
    pub(crate) fn after_failures(failures: u32) -> Self {
        Self((failures / 5).checked_ilog2().map_or(0, |log| log + 1).min(3))
    }

    /// Raises the level as the day's SMS budget is spent: the work doubles at 20 %, 30 %, 40 % and
    /// 50 %. This makes it more and more expensive to exhaust the budget.
    pub(crate) fn raised_for_budget(self, percent_spent: u32) -> Self {
        Self((self.0 + (percent_spent / 10).saturating_sub(1).min(4)).min(6))
    }

    pub(crate) fn one_lower(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    fn cost(self) -> u32 {
        COST << self.0
    }

    /// The level of a challenge with this number of hash iterations.
    fn of_cost(cost: u32) -> Self {
        Self((cost / COST).checked_ilog2().unwrap_or(0))
    }
}

/// A correctly solved challenge, which may have been used already.
pub struct Solved {
    /// The challenge's signature in lower case. It identifies the challenge, so that it can be
    /// marked as used.
    pub signature: String,
    /// When the challenge expires.
    pub expires_at: Timestamp,
    /// The level at which the challenge was created.
    pub level: Level,
}

/// Creates a challenge that is signed with `key` and expires after [`LIFETIME`].
///
/// # Errors
///
/// `unavailable` if no random numbers are available.
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
    // The conversion goes through JSON, since the API type has the same fields as ALTCHA's type.
    // The tests check this.
    serde_json::to_value(challenge)
        .and_then(serde_json::from_value)
        .map_err(|_| Failure::new(ProblemCode::Internal))
}

/// Checks that a challenge was signed with `key`, has not expired, and is solved. The caller must
/// check that it has not been used already.
///
/// # Errors
///
/// `captcha_wrong` if the solution is malformed, forged or incorrect; `captcha_expired`.
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
        // Lower case, so that a challenge cannot be reused by changing the case of its signature.
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
    fn accepts_solved_challenge_and_rejects_changed_one() {
        let payload = solve(&challenge("key", Level::after_failures(0), Timestamp::now()).unwrap());
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
        if let Ok(upper) = verify(&encode(&upper), "key") {
            assert_eq!(
                upper.signature, solved.signature,
                "the case of the signature makes no other challenge"
            );
        }
    }

    #[test]
    fn rejects_expired_challenge() {
        let long_ago = Timestamp::now() - LIFETIME - SignedDuration::from_secs(1);
        let payload = solve(&challenge("key", Level::after_failures(0), long_ago).unwrap());
        let failure = verify(&encode(&payload), "key").err().unwrap();
        assert!(format!("{failure:?}").contains("CaptchaExpired"));
    }

    #[test]
    fn failures_raise_captcha_level() {
        let levels =
            [0, 4, 5, 9, 10, 20, 40, 80, 160, u32::MAX].map(|failures| Level::after_failures(failures).0);
        assert_eq!(levels, [0, 0, 1, 1, 2, 3, 3, 3, 3, 3]);
        let hard = challenge("key", Level::after_failures(10), Timestamp::now()).unwrap();
        assert_eq!(Level::of_cost(hard.parameters.cost), Level::after_failures(10));
        assert_eq!(Level::after_failures(0).one_lower(), Level::after_failures(0));
    }

    #[test]
    fn spent_sms_budget_raises_captcha_level() {
        let levels =
            [0, 19, 20, 30, 40, 50, 60, 100, u32::MAX].map(|spent| Level(0).raised_for_budget(spent).0);
        assert_eq!(levels, [0, 0, 1, 2, 3, 4, 4, 4, 4]);
        assert_eq!(Level(3).raised_for_budget(100), Level(6));
    }

    #[test]
    fn rejects_malformed_solutions() {
        for text in ["", "x", "e30=", "////"] {
            assert!(verify(text, "key").is_err(), "{text}");
        }
    }
}
