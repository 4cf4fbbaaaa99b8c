//! HTTP function `otp`: one-time codes by SMS, accounts and sessions.

use bukti_aws::{Aws, CodeTry, Otps, SendDecision, Sessions, Sms, SmsError};
use bukti_domain::{PersonName, PhoneNumber};
use bukti_http::{
    Allowance, Answer, Caller, Failure, FailureResult, Guard, SessionCookie, field, json, locale, no_content,
    read_json, require_login, respond,
};
use bukti_locales::{Locale, fill};
use bukti_wire::{Function, OtpAnswer, OtpRequest, ProblemCode, Session, SessionRequest};
use jiff::Timestamp;
use lambda_http::Request;

/// The function with what it may do.
#[derive(Clone)]
pub struct Otp {
    aws: Aws,
    otps: Otps,
    sessions: Sessions,
    sms: Sms,
    guard: Guard,
}

impl Otp {
    /// The function of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self {
            otps: Otps::new(aws),
            sessions: Sessions::new(aws),
            sms: Sms::new(aws),
            guard: Guard::new(aws),
            aws: aws.clone(),
        }
    }

    /// Answers a request.
    pub async fn handle(&self, request: Request) -> Answer {
        let locale = locale(&request);
        respond(self.answer(&request, locale, Timestamp::now()).await, locale)
    }

    async fn answer(&self, request: &Request, locale: Locale, now: Timestamp) -> FailureResult {
        let caller = Caller::of(request, Function::Otp, &self.aws)?;
        match caller.endpoint() {
            ("POST", "/api/otp") => self.send_code(request, &caller, locale, now).await,
            ("POST", "/api/sessions") => self.log_in(request, &caller, now).await,
            ("GET", "/api/sessions/current") => {
                let login = require_login(request, &self.sessions, &self.aws.settings, now).await?;
                Ok(json(200, &session(login.account)))
            }
            ("DELETE", "/api/sessions/current") => self.log_out(request).await,
            _ => Err(Failure::new(ProblemCode::NotFound)),
        }
    }

    async fn send_code(
        &self,
        request: &Request,
        caller: &Caller,
        locale: Locale,
        now: Timestamp,
    ) -> FailureResult {
        let asked: OtpRequest = read_json(request)?;
        let mut errors = Vec::new();
        let phone = field("phone", &asked.phone, PhoneNumber::parse, &mut errors);
        let name = asked.name.map(|name| field("name", &name, PersonName::parse, &mut errors));
        let Some(phone) = phone.filter(|_| errors.is_empty()) else { return Err(Failure::fields(errors)) };
        let name = name.flatten();
        self.guard.admit(caller, &asked.captcha, &Allowance::CODES, now).await?;

        match self.otps.request(&phone, name.as_ref().map(PersonName::as_written), now).await? {
            SendDecision::Wait { seconds } => {
                return Err(Failure::new(ProblemCode::TooManyRequests).retry_after(seconds));
            }
            SendDecision::Send { code } => {
                let host = self.aws.settings.site_host();
                let service = &*self.aws.settings.service_name;
                let text = fill(locale, "sms.otp", &[("code", &code), ("service", service), ("host", host)]);
                let sent = match self.sms.spend(now).await {
                    Ok(()) => self.sms.send(&phone, &text, None).await.map(drop),
                    spent => spent,
                };
                if let Err(error) = sent {
                    tracing::error!(error = %error, "a one-time code was not sent");
                    self.otps.not_sent(&phone, now).await?;
                    return Err(match error {
                        SmsError::BudgetSpent { wait } => {
                            Failure::new(ProblemCode::SmsBudgetSpent).retry_after(wait)
                        }
                        _ => Failure::new(ProblemCode::Unavailable).retry_after(2),
                    });
                }
            }
        }
        Ok(json(202, &OtpAnswer { expires_in: Otps::EXPIRES_IN, resend_after: Otps::RESEND_AFTER }))
    }

    async fn log_in(&self, request: &Request, caller: &Caller, now: Timestamp) -> FailureResult {
        let asked: SessionRequest = read_json(request)?;
        let mut errors = Vec::new();
        let phone = field("phone", &asked.phone, PhoneNumber::parse, &mut errors);
        // People type codes in groups.
        let digits = |code: &str| {
            let digits: String = code.chars().filter(|character| !matches!(character, ' ' | '-')).collect();
            (digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
        };
        let code = field("code", &asked.code, digits, &mut errors);
        let (Some(phone), Some(code)) = (phone, code) else { return Err(Failure::fields(errors)) };

        self.guard.allow(caller, &Allowance::LOG_INS, now).await?;
        let tried = self.otps.try_code(&phone, &code, now).await?;
        if !matches!(tried, CodeTry::Right { .. }) {
            self.guard.failed(caller, now).await?;
        }
        match tried {
            CodeTry::Dead | CodeTry::Wrong { tries_left: 0 } => Err(Failure::new(ProblemCode::CodeDead)),
            CodeTry::Wrong { tries_left } => Err(Failure::new(ProblemCode::CodeWrong).tries_left(tries_left)),
            CodeTry::Right { name } => {
                let (token, account) = self.sessions.open(&phone, name, now).await?;
                let mut answer = json(201, &session(account));
                SessionCookie::of(&self.aws.settings).set(&mut answer, &token);
                Ok(answer)
            }
        }
    }

    async fn log_out(&self, request: &Request) -> FailureResult {
        let cookie = SessionCookie::of(&self.aws.settings);
        if let Some(token) = cookie.token(request) {
            self.sessions.end(token).await?;
        }
        let mut answer = no_content();
        cookie.clear(&mut answer);
        Ok(answer)
    }
}

fn session(account: bukti_aws::Account) -> Session {
    Session { name: account.name, phone_hint: account.phone_hint }
}
