//! HTTP function `otp`: one-time codes by SMS, accounts and sessions.

use std::time::Duration;

use bukti_domain::{PersonName, PhoneNumber, six_digits};
use bukti_locales::{Locale, fill};
use bukti_records::CodeAttempt;
use bukti_runtime::{
    Allowance, Answer, Caller, Failure, FailureResult, Guard, Level, Records, TokenCookie, field, json,
    locale, no_content, read_json, require_login,
};
use bukti_store::{
    Aws, Counter, Device, Login, Officers, OpenSession, Otps, Payer, Requester, SendDecision, Sessions, Sms,
    SmsError,
};
use bukti_wire::{OpenSessions, OtpAnswer, OtpRequest, OtpRoute, ProblemCode, Session, SessionRequest};
use jiff::Timestamp;
use lambda_http::Request;
use lambda_http::http::header::USER_AGENT;

/// Responses to requests for a code are padded to a multiple of this duration, so that timing does
/// not reveal whether an SMS was sent, and thus whether somebody else is requesting codes for the
/// phone. It is nearly always longer than a call to the SMS service.
const PACE: Duration = Duration::from_millis(300);

/// The HTTP function `otp`, which handles the routes in [`OtpRoute`].
#[derive(Clone)]
pub struct Otp {
    aws: Aws,
    otps: Otps,
    sessions: Sessions,
    records: Records,
    officers: Officers,
    sms: Sms,
    guard: Guard,
}

impl Otp {
    /// Creates the function with the settings and clients of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self {
            otps: Otps::new(aws),
            sessions: Sessions::new(aws),
            records: Records::new(aws),
            officers: Officers::new(aws),
            sms: Sms::new(aws),
            guard: Guard::new(aws),
            aws: aws.clone(),
        }
    }

    /// Handles a request. A failure becomes a problem response.
    pub async fn handle(&self, request: Request) -> Answer {
        let dispatch = async |route, caller: &Caller, now| self.dispatch(&request, route, caller, now).await;
        self.guard.serve(&request, dispatch).await
    }

    async fn dispatch(
        &self,
        request: &Request,
        route: OtpRoute,
        caller: &Caller,
        now: Timestamp,
    ) -> FailureResult {
        match route {
            OtpRoute::Otp => self.send_code(request, caller, now).await,
            OtpRoute::LogIn => self.log_in(request, caller, now).await,
            OtpRoute::Sessions => {
                let login = require_login(request, &self.sessions, &self.aws.settings, now).await?;
                let open = self.sessions.of_phone_key(login.phone(), now).await?;
                let sessions = open.into_iter().map(|session| open_session(session, &login)).collect();
                Ok(json(200, &OpenSessions { sessions }))
            }
            OtpRoute::EndSession => {
                let login = require_login(request, &self.sessions, &self.aws.settings, now).await?;
                // The response is the same for an unknown session and a session of another phone.
                let ended = self.sessions.end(login.phone(), &caller.parameter).await?;
                ended.then(no_content).ok_or_else(|| Failure::new(ProblemCode::NotFound))
            }
            OtpRoute::Session => {
                let login = require_login(request, &self.sessions, &self.aws.settings, now).await?;
                Ok(json(200, &session(login.account)))
            }
            OtpRoute::LogOut => self.log_out(request).await,
        }
    }

    async fn send_code(&self, request: &Request, caller: &Caller, now: Timestamp) -> FailureResult {
        let body: OtpRequest = read_json(request)?;
        let mut errors = Vec::new();
        let phone = field("phone", &body.phone, PhoneNumber::parse, &mut errors);
        let name = body.name.map(|name| field("name", &name, PersonName::parse, &mut errors));
        let Some(phone) = phone.filter(|_| errors.is_empty()) else { return Err(Failure::fields(errors)) };
        let name = name.flatten();
        let level = self.guard.admit(caller, &body.captcha, &Allowance::CODES, now).await?;

        let settings = &self.aws.settings;
        let (code_cookie, device_cookie) = (TokenCookie::code(settings), TokenCookie::device(settings));
        let requester = Requester {
            request: code_cookie.token(request),
            device: device_cookie.token(request),
            network: &caller.address.network,
            is_proven: level >= Level::HARD,
        };
        let name = name.as_ref().map(PersonName::as_written);
        let (kept, sent) = match self.otps.request(&phone, name, requester, now).await? {
            SendDecision::Wait { seconds } => {
                return Err(Failure::new(ProblemCode::TooManyRequests).retry_after(seconds));
            }
            SendDecision::Withhold(kept) => {
                tracing::warn!("a one-time code was withheld");
                self.aws.metrics.count(Counter::Sms, "withheld");
                // If the SMS budget is spent, all requests from unknown devices fail with the same
                // error. A request whose code is withheld must fail too, or it could be recognised.
                let left = if kept.is_known_device { Ok(()) } else { self.sms.check_left(now).await };
                (kept, left)
            }
            SendDecision::Send(kept) => {
                let sent = self.send(&phone, &kept, caller, locale(request), now).await?;
                (kept, sent)
            }
        };
        if let Err(error) = sent {
            tracing::error!(error = %error, "a one-time code could not be sent");
            self.otps.discard(&kept, now).await?;
            return Err(match error {
                SmsError::BudgetSpent { wait } => Failure::new(ProblemCode::SmsBudgetSpent).retry_after(wait),
                _ => Failure::new(ProblemCode::Unavailable).retry_after(2),
            });
        }
        let answer = OtpAnswer { expires_in: Otps::EXPIRES_IN, resend_after: Otps::RESEND_AFTER };
        let mut answer = json(202, &answer);
        code_cookie.set(&mut answer, &kept.token);
        // The response is padded even if no SMS was sent.
        self.guard.pad(caller, PACE).await;
        Ok(answer)
    }

    /// Sends the code of a request, or withholds it if the share of the SMS budget that pays for it
    /// is spent.
    async fn send(
        &self,
        phone: &PhoneNumber,
        kept: &bukti_store::Request,
        caller: &Caller,
        locale: Locale,
        now: Timestamp,
    ) -> Result<Result<(), SmsError>, Failure> {
        let host = self.aws.settings.site_host();
        let text = fill(locale, "sms.otp", &[("code", &kept.code), ("host", host)]);
        let payer = self.payer(phone, kept.is_known_device, caller).await?;
        let spent = match self.sms.spend(payer, phone, now).await {
            Ok(spent) => spent,
            Err(SmsError::Withheld) => {
                self.otps.withhold(kept.token.secret(), phone).await?;
                return Ok(Ok(()));
            }
            Err(error) => return Ok(Err(error)),
        };
        let sent = self.sms.send(phone, &text, None).await.map(drop);
        if sent.is_err() {
            self.sms.give_back(&spent, now).await?;
        }
        Ok(sent)
    }

    /// Determines which share of the SMS budget pays for a code. The same look-ups are made for
    /// every phone, so that timing reveals nothing about the phone.
    async fn payer<'caller>(
        &self,
        phone: &PhoneNumber,
        is_known_device: bool,
        caller: &'caller Caller,
    ) -> Result<Payer<'caller>, Failure> {
        let key = self.aws.keys.phone(phone);
        let is_officer = self.officers.of_phone_key(&key).await?.is_some();
        let has_dose = self.records.has_dose(phone).await?;
        let network = &*caller.address.network;
        Ok(match is_known_device {
            true if is_officer => Payer::Officer,
            true => Payer::KnownDevice,
            false if is_officer || has_dose => Payer::OnRecord { network: Some(network) },
            false => Payer::Stranger { network },
        })
    }

    async fn log_in(&self, request: &Request, caller: &Caller, now: Timestamp) -> FailureResult {
        let body: SessionRequest = read_json(request)?;
        let mut errors = Vec::new();
        let phone = field("phone", &body.phone, PhoneNumber::parse, &mut errors);
        let code = field("code", &body.code, six_digits, &mut errors);
        let (Some(phone), Some(code)) = (phone, code) else { return Err(Failure::fields(errors)) };

        let settings = &self.aws.settings;
        let (code_cookie, device_cookie) = (TokenCookie::code(settings), TokenCookie::device(settings));
        let token = code_cookie.token(request).unwrap_or_default();
        match self.otps.try_code(token, &phone, &code, now).await? {
            CodeAttempt::Dead => Err(self.guard.unknown_token(caller, ProblemCode::CodeDead, now).await),
            // Each request for a code requires a captcha and allows five attempts, so wrong codes
            // need no further limit.
            CodeAttempt::Wrong { tries_left: 0 } => Err(Failure::new(ProblemCode::CodeDead)),
            CodeAttempt::Wrong { tries_left } => {
                Err(Failure::new(ProblemCode::CodeWrong).tries_left(tries_left))
            }
            CodeAttempt::Right { name } => {
                let known = self.otps.remember(device_cookie.token(request), &phone, now).await?;
                let (token, account) = self.sessions.open(&phone, name, &device(request), now).await?;
                let mut answer = json(201, &session(account));
                TokenCookie::session(settings).set(&mut answer, &token);
                device_cookie.set(&mut answer, &known);
                code_cookie.clear(&mut answer);
                Ok(answer)
            }
        }
    }

    async fn log_out(&self, request: &Request) -> FailureResult {
        let settings = &self.aws.settings;
        let cookie = TokenCookie::session(settings);
        if let Some(token) = cookie.token(request) {
            self.sessions.end_by_token(token).await?;
        }
        let mut answer = no_content();
        // The device cookie is cleared too: on a shared device, nothing may remain after logging
        // out.
        for cookie in [cookie, TokenCookie::device(settings), TokenCookie::code(settings)] {
            cookie.clear(&mut answer);
        }
        Ok(answer)
    }
}

fn session(account: bukti_store::Account) -> Session {
    Session { name: account.name, phone_hint: account.phone_hint }
}

fn open_session(session: OpenSession, login: &Login) -> bukti_wire::OpenSession {
    bukti_wire::OpenSession {
        is_current: session.id == login.session,
        id: session.id,
        browser: session.device.browser,
        system: session.device.system,
        since: session.created_at.as_second(),
        last_used: session.used_at.as_second(),
    }
}

/// Determines the browser and operating system from `User-Agent`. The header of a browser can also
/// contain entries that are earlier in the list, so the last match counts.
fn device(request: &Request) -> Device {
    const BROWSERS: [(&str, &str); 8] = [
        ("Safari/", "Safari"),
        ("Chrome/", "Chrome"),
        ("CriOS/", "Chrome"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("Linux", "Linux"),
        ("Mac OS X", "macOS"),
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
    ];
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let last = |known: &[(&str, &str)]| {
        known.iter().rev().find(|(part, _)| agent.contains(part)).map(|(_, name)| (*name).to_owned())
    };
    Device { browser: last(&BROWSERS), system: last(&SYSTEMS) }
}

#[cfg(test)]
mod tests {
    use lambda_http::Body;

    use super::*;

    #[test]
    fn names_browser_and_system_from_user_agent() {
        let of = |agent: &str| {
            let request = lambda_http::http::Request::builder().header(USER_AGENT, agent);
            let Device { browser, system } = device(&request.body(Body::Empty).unwrap());
            (browser.unwrap_or_default(), system.unwrap_or_default())
        };
        let chrome = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36";
        assert_eq!(of(chrome), ("Chrome".into(), "Android".into()));
        let safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1";
        assert_eq!(of(safari), ("Safari".into(), "iPhone".into()));
        assert_eq!(of(&format!("{chrome} Edg/131.0")), ("Edge".into(), "Android".into()));
        assert_eq!(of("curl/8"), (String::new(), String::new()));
    }
}
