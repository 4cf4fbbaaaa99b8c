//! Protects public routes from abuse: captchas, rate limits per address and network, and padding of
//! failed requests.
//!
//! Mobile networks put thousands of people behind one address, so the quota of an address is far
//! more than one person needs. Before it is used up, failures make the captcha harder, which slows
//! down scripts far more than people.

use std::time::{Duration, Instant};

use bukti_records::Rate;
use bukti_store::{Aws, Counter, Rates, SmsBudget, Taken, UsedCaptchas};
use bukti_wire::{CaptchaChallenge, FunctionRoute, ProblemCode};
use jiff::{SignedDuration, Timestamp};
use lambda_http::Request;

use crate::captcha::{self, Level};
use crate::{Answer, Caller, Failure, FailureResult, locale, respond};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A rate limit for an address, and optionally one for its network.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    address: Rate,
    network: Option<Rate>,
}

impl Allowance {
    /// Status requests.
    pub const STATUS: Self =
        Self { address: hourly("looks", 1_000), network: Some(hourly("looks of a network", 10_000)) };
    /// One-time codes by SMS.
    pub const CODES: Self =
        Self { address: hourly("codes", 300), network: Some(hourly("codes of a network", 3_000)) };
    /// Quick downloads.
    pub const DOWNLOADS: Self =
        Self { address: hourly("downloads", 60), network: Some(hourly("downloads of a network", 600)) };
    /// Cases for the helpdesk.
    pub const CASES: Self =
        Self { address: hourly("cases of an address", 60), network: Some(hourly("cases of a network", 600)) };
    /// Links of SMS that were opened.
    pub const LINKS: Self = Self { address: hourly("links", 600), network: None };
    /// Look-ups of a case by its number.
    pub const CASE_LOOK_UPS: Self = Self {
        address: hourly("look-ups of cases", 600),
        network: Some(hourly("look-ups of cases of a network", 6_000)),
    };
    /// Tokens of links and of one-time codes that are unknown or expired. It is consumed only after
    /// the look-up failed, so that an attacker who exhausts it does not lock out neighbours at the
    /// same address with valid tokens.
    pub const UNKNOWN_TOKENS: Self = Self {
        address: hourly("unknown tokens", 600),
        network: Some(hourly("unknown tokens of a network", 6_000)),
    };
}

const fn hourly(name: &'static str, most: u32) -> Rate {
    Rate { name, window: HOUR, most }
}

/// The counter of failures of an address: unsolved captchas, people who were not found, wrong codes
/// and birth dates. Not a limit; it sets the captcha's level.
const FAILURES: Rate = hourly("failures", u32::MAX);

/// The counter of failures of an IPv6 network (/48), whose subscriber can choose among 65,536
/// hosts.
const FAILURES_OF_NETWORK: Rate = hourly("failures of a network", u32::MAX);

/// This many failures of a network weigh as one of an address, since the network may be a whole
/// company's.
const NETWORK_SHARE: u32 = 8;

/// The responses to failed requests are padded to a multiple of this, so that timing does not
/// reveal whether a record exists. Longer than nearly all processing takes, too short to be
/// noticed.
const PACE: Duration = Duration::from_millis(100);

/// Guards the HTTP routes.
#[derive(Clone)]
pub struct Guard {
    aws: Aws,
    rates: Rates,
    used: UsedCaptchas,
    budget: SmsBudget,
}

impl Guard {
    /// The guard of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self {
            rates: Rates::new(aws),
            used: UsedCaptchas::new(aws),
            budget: SmsBudget::new(aws),
            aws: aws.clone(),
        }
    }

    /// Handles a request to one of a function's routes. If the failure suggests guessing, it is
    /// recorded as [`Guard::record_failure`] does.
    pub async fn serve<R: FunctionRoute>(
        &self,
        request: &Request,
        handle: impl AsyncFnOnce(R, &Caller, Timestamp) -> FailureResult,
    ) -> Answer {
        let now = Timestamp::now();
        let handler = async {
            let (route, caller) = Caller::of::<R>(request, &self.aws)?;
            let result = handle(route, &caller, now).await;
            if let Err(failure) = &result {
                self.aws.metrics.count(Counter::Problems, failure.code().code());
            }
            if result.as_ref().is_err_and(Failure::is_failed_attempt) {
                self.record_failure(&caller, now).await?;
            }
            result
        };
        let started = Instant::now();
        let answer = respond(&self.aws, handler, locale(request)).await;
        self.aws.metrics.request(R::FUNCTION.name(), started.elapsed());
        self.aws.publish_metrics();
        answer
    }

    /// A captcha for this caller, of at least this level.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn challenge(
        &self,
        caller: &Caller,
        min_level: Level,
        now: Timestamp,
    ) -> Result<CaptchaChallenge, Failure> {
        let level = self.level(caller, now).await?.max(min_level);
        captcha::challenge(self.aws.captcha_key(), level, now)
    }

    /// Checks the caller's captcha and consumes one unit of the allowance. Returns the captcha's
    /// level.
    ///
    /// # Errors
    ///
    /// `captcha_wrong`, `captcha_expired` (also if the captcha is too easy by now),
    /// `captcha_reused`, `too_many_requests`.
    pub async fn admit(
        &self,
        caller: &Caller,
        solution: &str,
        allowance: &Allowance,
        now: Timestamp,
    ) -> Result<Level, Failure> {
        let solved = captcha::verify(solution, self.aws.captcha_key())?;
        // One level of tolerance: others at the same address may have failed while it was being
        // solved.
        if solved.level < self.level(caller, now).await?.one_lower() {
            return Err(Failure::new(ProblemCode::CaptchaExpired));
        }
        // Before the allowance, which all callers at the address share: a replayed captcha must not
        // consume more than one unit of it. Hence the captcha is spent even if the allowance is
        // used up, and a later retry needs a new one.
        if !self.used.use_once(&solved.signature, solved.expires_at).await? {
            return Err(Failure::new(ProblemCode::CaptchaReused));
        }
        self.allow(caller, allowance, now).await?;
        Ok(solved.level)
    }

    /// Atomically consumes one unit of the caller's allowance.
    ///
    /// # Errors
    ///
    /// `too_many_requests` if it is used up.
    pub async fn allow(&self, caller: &Caller, allowance: &Allowance, now: Timestamp) -> Result<(), Failure> {
        let address = Some((&allowance.address, &caller.address.host));
        let network = allowance.network.as_ref().map(|rate| (rate, &caller.address.network));
        for (rate, subject) in address.into_iter().chain(network) {
            if let Taken::Full { wait } = self.rates.take(rate, subject, now).await? {
                tracing::warn!(rate = rate.name, "a rate limit was exceeded");
                return Err(Failure::new(ProblemCode::TooManyRequests).retry_after(wait));
            }
        }
        Ok(())
    }

    /// The failure for an unknown or expired token: `code`, or `too_many_requests` after too many
    /// of them.
    pub async fn unknown_token(&self, caller: &Caller, code: ProblemCode, now: Timestamp) -> Failure {
        match self.allow(caller, &Allowance::UNKNOWN_TOKENS, now).await {
            Ok(()) => Failure::new(code),
            Err(failure) => failure,
        }
    }

    /// Counts a failure, which makes the caller's captchas harder, and then waits for the padding
    /// of the response.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn record_failure(&self, caller: &Caller, now: Timestamp) -> Result<(), Failure> {
        self.rates.take(&FAILURES, &caller.address.host, now).await?;
        if caller.address.is_ipv6 {
            self.rates.take(&FAILURES_OF_NETWORK, &caller.address.network, now).await?;
        }
        self.pad(caller, PACE).await;
        Ok(())
    }

    /// Pads the response: waits until the time since the request is a multiple of `pace`.
    pub async fn pad(&self, caller: &Caller, pace: Duration) {
        let rounds = caller.received_at.elapsed().as_nanos() / pace.as_nanos().max(1) + 1;
        let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
        tokio::time::sleep_until(caller.received_at + pace.saturating_mul(rounds)).await;
    }

    async fn level(&self, caller: &Caller, now: Timestamp) -> Result<Level, Failure> {
        let mut failures = self.rates.taken(&FAILURES, &caller.address.host, now).await?;
        if caller.address.is_ipv6 {
            let network = self.rates.taken(&FAILURES_OF_NETWORK, &caller.address.network, now).await?;
            failures = failures.max(network / NETWORK_SHARE);
        }
        Ok(Level::after_failures(failures).raised_for_budget(self.budget.percent_spent(now).await?))
    }
}
