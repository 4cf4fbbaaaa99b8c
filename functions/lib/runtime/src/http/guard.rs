//! What keeps strangers from asking too much: captchas, and how much an address and its network may have.
//!
//! Mobile networks put thousands of people behind one address, so what an address may have is much for one person. Before
//! that the captcha gets harder with each failure, for a machine far more than for a person.

use std::time::{Duration, Instant};

use bukti_records::Rate;
use bukti_store::{Aws, Counter, Rates, SmsBudget, Taken, UsedCaptchas};
use bukti_wire::{CaptchaChallenge, FunctionRoute, ProblemCode};
use jiff::{SignedDuration, Timestamp};
use lambda_http::Request;

use crate::captcha::{self, Level};
use crate::{Answer, Caller, Failure, FailureResult, locale, respond};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// How much of something the callers of an address and of its network may have.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    address: Rate,
    network: Option<Rate>,
}

impl Allowance {
    /// Looks at the status of a person.
    pub const LOOKS: Self =
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
    /// Links of the SMS that were opened.
    pub const LINKS: Self = Self { address: hourly("links", 600), network: None };
    /// Look-ups of a case by its number.
    pub const CASE_LOOK_UPS: Self = Self {
        address: hourly("look-ups of cases", 600),
        network: Some(hourly("look-ups of cases of a network", 6_000)),
    };
    /// Links and requests for a one-time code that are unknown or have ended. Taken after the look-up: what a stranger uses
    /// up withholds nothing from a neighbour at the same address whose token is known.
    pub const UNKNOWN_TOKENS: Self = Self {
        address: hourly("unknown tokens", 600),
        network: Some(hourly("unknown tokens of a network", 6_000)),
    };
}

const fn hourly(name: &'static str, most: u32) -> Rate {
    Rate { name, window: HOUR, most }
}

/// What did not come to anything: captchas that were not solved, people who were not found, codes and birth dates that were
/// wrong.
const FAILURES: Rate = hourly("failures", u32::MAX);

/// Those of an IPv6 network of 48 bits, which has 65,536 addresses for its subscriber to choose
/// from.
const FAILURES_OF_NETWORK: Rate = hourly("failures of a network", u32::MAX);

/// So many failures of such a network count as one of an address: it may be a whole company's.
const NETWORK_SHARE: u32 = 8;

/// Who failed is answered a multiple of this after the request came: how long it took would tell what was looked at, and so
/// what there is. Longer than nearly all work takes, too short to be felt.
const PACE: Duration = Duration::from_millis(100);

/// Guards the routes that anybody may call.
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

    /// Answers a request to one of a function's routes. Where what was asked for is not there, not the caller's or wrongly
    /// guessed, that is noted as [`Guard::failed`] does.
    pub async fn serve<R: FunctionRoute>(
        &self,
        request: &Request,
        answer: impl AsyncFnOnce(R, &Caller, Timestamp) -> FailureResult,
    ) -> Answer {
        let now = Timestamp::now();
        let handler = async {
            let (route, caller) = Caller::of::<R>(request, &self.aws)?;
            let result = answer(route, &caller, now).await;
            if let Err(failure) = &result {
                self.aws.metrics.count(Counter::Problems, failure.code().code());
            }
            if result.as_ref().is_err_and(Failure::is_failed_try) {
                self.failed(&caller, now).await?;
            }
            result
        };
        let began = Instant::now();
        let answer = respond(&self.aws, handler, locale(request)).await;
        self.aws.metrics.request(R::FUNCTION.name(), began.elapsed());
        self.aws.tell_metrics();
        answer
    }

    /// A captcha for this caller, of this level or a higher one.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn challenge(
        &self,
        caller: &Caller,
        least: Level,
        now: Timestamp,
    ) -> Result<CaptchaChallenge, Failure> {
        let level = self.level(caller, now).await?.max(least);
        captcha::challenge(self.aws.captcha_key(), level, now)
    }

    /// Lets a caller go on who has solved a captcha and has something left of the allowance; gives
    /// the captcha's level.
    ///
    /// # Errors
    ///
    /// `captcha_wrong`, `captcha_expired` (also for one that is too easy by now), `captcha_reused`, `too_many_requests`.
    pub async fn admit(
        &self,
        caller: &Caller,
        solution: &str,
        allowance: &Allowance,
        now: Timestamp,
    ) -> Result<Level, Failure> {
        let solved = captcha::verify(solution, self.aws.captcha_key())?;
        // One step is forgiven: others of the same address may have failed while it was solved.
        if solved.level < self.level(caller, now).await?.one_less() {
            return Err(Failure::new(ProblemCode::CaptchaExpired));
        }
        // Before the allowance, which others at the address share: one captcha sent again and again takes one unit of it. A
        // captcha is therefore used up where the allowance is; whoever retries later needs a new one.
        if !self.used.use_once(&solved.signature, solved.expires_at).await? {
            return Err(Failure::new(ProblemCode::CaptchaReused));
        }
        self.allow(caller, allowance, now).await?;
        Ok(solved.level)
    }

    /// Lets a caller go on who has something left of the allowance.
    ///
    /// # Errors
    ///
    /// `too_many_requests`.
    pub async fn allow(&self, caller: &Caller, allowance: &Allowance, now: Timestamp) -> Result<(), Failure> {
        let address = Some((&allowance.address, &caller.address.host));
        let network = allowance.network.as_ref().map(|rate| (rate, &caller.address.network));
        for (rate, subject) in address.into_iter().chain(network) {
            if let Taken::Full { wait } = self.rates.take(rate, subject, now).await? {
                tracing::warn!(rate = rate.name, "an allowance is used up");
                return Err(Failure::new(ProblemCode::TooManyRequests).retry_after(wait));
            }
        }
        Ok(())
    }

    /// The failure of a request whose token is unknown or has ended: `code`, or `too_many_requests` after too many of them.
    pub async fn unknown_token(&self, caller: &Caller, code: ProblemCode, now: Timestamp) -> Failure {
        match self.allow(caller, &Allowance::UNKNOWN_TOKENS, now).await {
            Ok(()) => Failure::new(code),
            Err(failure) => failure,
        }
    }

    /// Notes that something came to nothing: the caller's captchas get harder. Returns when the answer may leave.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn failed(&self, caller: &Caller, now: Timestamp) -> Result<(), Failure> {
        self.rates.take(&FAILURES, &caller.address.host, now).await?;
        if caller.address.is_chosen {
            self.rates.take(&FAILURES_OF_NETWORK, &caller.address.network, now).await?;
        }
        self.pace(caller, PACE).await;
        Ok(())
    }

    /// Returns when the answer to a request may leave that is answered at this pace.
    pub async fn pace(&self, caller: &Caller, pace: Duration) {
        let rounds = caller.began.elapsed().as_nanos() / pace.as_nanos().max(1) + 1;
        let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
        tokio::time::sleep_until(caller.began + pace.saturating_mul(rounds)).await;
    }

    async fn level(&self, caller: &Caller, now: Timestamp) -> Result<Level, Failure> {
        let mut failures = self.rates.taken(&FAILURES, &caller.address.host, now).await?;
        if caller.address.is_chosen {
            let network = self.rates.taken(&FAILURES_OF_NETWORK, &caller.address.network, now).await?;
            failures = failures.max(network / NETWORK_SHARE);
        }
        Ok(Level::after(failures).harder_by(self.budget.percent_spent(now).await?))
    }
}
