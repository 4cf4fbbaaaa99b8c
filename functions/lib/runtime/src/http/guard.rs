//! Protects public routes from abuse with captchas, rate limits per address and network, and
//! padding of responses.
//!
//! Mobile networks put thousands of people behind one address, so the quota of an address is much
//! larger than one person needs. Long before it is exhausted, failures make the captchas for the
//! address harder, which slows down scripts far more than people.

use std::time::{Duration, Instant};

use bukti_records::Rate;
use bukti_store::{Aws, Counter, Rates, SmsBudget, Taken, UsedCaptchas};
use bukti_wire::{CaptchaChallenge, FunctionRoute, ProblemCode};
use jiff::{SignedDuration, Timestamp};
use lambda_http::Request;

use crate::captcha::{self, Level};
use crate::{Answer, Caller, Failure, FailureResult, locale, respond};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A rate limit per client address and, optionally, another per client network.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    address: Rate,
    network: Option<Rate>,
}

impl Allowance {
    /// The limit on requests for the status of a person's doses.
    pub const STATUS: Self =
        Self { address: hourly("looks", 1_000), network: Some(hourly("looks of a network", 10_000)) };
    /// The limit on requests for one-time codes.
    pub const CODES: Self =
        Self { address: hourly("codes", 300), network: Some(hourly("codes of a network", 3_000)) };
    /// The limit on requests for quick downloads.
    pub const DOWNLOADS: Self =
        Self { address: hourly("downloads", 60), network: Some(hourly("downloads of a network", 600)) };
    /// The limit on opening cases.
    pub const CASES: Self =
        Self { address: hourly("cases of an address", 60), network: Some(hourly("cases of a network", 600)) };
    /// The limit on opening links with the correct birth date. Wrong birth dates are limited per
    /// link.
    pub const LINKS: Self = Self { address: hourly("links", 600), network: None };
    /// The limit on looking up cases by number and birth date.
    pub const CASE_LOOK_UPS: Self = Self {
        address: hourly("look-ups of cases", 600),
        network: Some(hourly("look-ups of cases of a network", 6_000)),
    };
    /// The limit on unknown or expired tokens of links and one-time codes. Only failed look-ups
    /// count, so that an attacker who exhausts the limit does not lock out others at the same
    /// address who have valid tokens.
    pub const UNKNOWN_TOKENS: Self = Self {
        address: hourly("unknown tokens", 600),
        network: Some(hourly("unknown tokens of a network", 6_000)),
    };
}

const fn hourly(name: &'static str, most: u32) -> Rate {
    Rate { name, window: HOUR, most }
}

/// Counts the failures of an address: wrong captchas, people who were not found, wrong codes and
/// birth dates. It limits nothing by itself, but determines the level of the captchas.
const FAILURES: Rate = hourly("failures", u32::MAX);

/// Counts the failures of an IPv6 network (/48), since its subscriber can switch between 65,536
/// hosts.
const FAILURES_OF_NETWORK: Rate = hourly("failures of a network", u32::MAX);

/// The number of failures of a network that count as one failure of an address. A whole company may
/// share the network, so its failures count less.
const NETWORK_SHARE: u32 = 8;

/// Responses to failed requests are padded to a multiple of this duration, so that timing does not
/// reveal whether a record exists. It is longer than nearly all processing takes, and too short for
/// people to notice.
const PACE: Duration = Duration::from_millis(100);

/// Applies captchas, rate limits and padding to the requests of an HTTP function.
#[derive(Clone)]
pub struct Guard {
    aws: Aws,
    rates: Rates,
    used: UsedCaptchas,
    budget: SmsBudget,
}

impl Guard {
    /// Creates a guard that keeps its counters in the deployment's table.
    pub fn new(aws: &Aws) -> Self {
        Self {
            rates: Rates::new(aws),
            used: UsedCaptchas::new(aws),
            budget: SmsBudget::new(aws),
            aws: aws.clone(),
        }
    }

    /// Finds the route of a request, calls `handle`, and publishes metrics. If the request may have
    /// been a guess, [`Guard::record_failure`] records the failure.
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

    /// Creates a captcha for a caller. Its level depends on the caller's failures and on the SMS
    /// budget, and is at least `min_level`.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable.
    pub async fn challenge(
        &self,
        caller: &Caller,
        min_level: Level,
        now: Timestamp,
    ) -> Result<CaptchaChallenge, Failure> {
        let level = self.level(caller, now).await?.max(min_level);
        captcha::challenge(self.aws.captcha_key(), level, now)
    }

    /// Checks the caller's captcha, consumes one unit of the allowance, and returns the captcha's
    /// level.
    ///
    /// # Errors
    ///
    /// `captcha_wrong`; `captcha_expired`, also if the level for the caller has risen by more than
    /// one since the captcha was created; `captcha_reused`; `too_many_requests`.
    pub async fn admit(
        &self,
        caller: &Caller,
        solution: &str,
        allowance: &Allowance,
        now: Timestamp,
    ) -> Result<Level, Failure> {
        let solved = captcha::verify(solution, self.aws.captcha_key())?;
        // One level of tolerance, since other callers at the same address may have failed while the
        // captcha was being solved.
        if solved.level < self.level(caller, now).await?.one_lower() {
            return Err(Failure::new(ProblemCode::CaptchaExpired));
        }
        // The captcha is marked as used before the allowance is consumed: all callers at the
        // address share the allowance, and a replayed captcha must not consume more than one unit
        // of it. If the allowance is exhausted, the captcha is therefore used up too, and a retry
        // needs a new one.
        if !self.used.use_once(&solved.signature, solved.expires_at).await? {
            return Err(Failure::new(ProblemCode::CaptchaReused));
        }
        self.allow(caller, allowance, now).await?;
        Ok(solved.level)
    }

    /// Consumes one unit of the allowance for the caller's address and, if the allowance limits
    /// networks too, for its network. Each counter is updated atomically.
    ///
    /// # Errors
    ///
    /// `too_many_requests` if the allowance is exhausted.
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

    /// Counts an unknown or expired token, and returns the failure for it: `code`, or
    /// `too_many_requests` if [`Allowance::UNKNOWN_TOKENS`] is exhausted.
    pub async fn unknown_token(&self, caller: &Caller, code: ProblemCode, now: Timestamp) -> Failure {
        match self.allow(caller, &Allowance::UNKNOWN_TOKENS, now).await {
            Ok(()) => Failure::new(code),
            Err(failure) => failure,
        }
    }

    /// Counts a failure, which makes the captchas for the caller's address harder, and pads the
    /// response.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable.
    pub async fn record_failure(&self, caller: &Caller, now: Timestamp) -> Result<(), Failure> {
        self.rates.take(&FAILURES, &caller.address.host, now).await?;
        if caller.address.is_ipv6 {
            self.rates.take(&FAILURES_OF_NETWORK, &caller.address.network, now).await?;
        }
        self.pad(caller, PACE).await;
        Ok(())
    }

    /// Pads the response: waits until the time since the request was received is a multiple of
    /// `pace`.
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
