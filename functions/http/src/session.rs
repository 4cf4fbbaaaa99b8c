//! The session cookie.

use bukti_aws::{Login, Sessions, Settings, Token};
use bukti_wire::ProblemCode;
use jiff::Timestamp;
use lambda_http::Request;
use lambda_http::http::HeaderValue;
use lambda_http::http::header::{COOKIE, SET_COOKIE};

use crate::{Answer, Failure};

/// Reads and sets the cookie that a session is known by.
pub struct SessionCookie {
    secure: bool,
}

impl SessionCookie {
    /// The cookie of a deployment: over TLS it demands TLS and this host (`__Host-`), elsewhere browsers would drop it.
    pub fn of(settings: &Settings) -> Self {
        Self { secure: settings.is_https() }
    }

    fn name(&self) -> &'static str {
        if self.secure { "__Host-bukti" } else { "bukti" }
    }

    /// The token that a request brings.
    pub fn token<'request>(&self, request: &'request Request) -> Option<&'request str> {
        request
            .headers()
            .get_all(COOKIE)
            .iter()
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find_map(|(name, value)| (name == self.name()).then_some(value))
    }

    /// Sets the cookie. It lives until the browser closes; the session behind it ends by itself.
    pub fn set(&self, answer: &mut Answer, token: &Token) {
        self.put(answer, token.secret(), "");
    }

    /// Takes the cookie away.
    pub fn clear(&self, answer: &mut Answer) {
        self.put(answer, "", "; Max-Age=0");
    }

    fn put(&self, answer: &mut Answer, value: &str, more: &str) {
        let secure = if self.secure { "; Secure" } else { "" };
        let cookie = format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{more}", self.name());
        // A token is base64url: it always makes a header.
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            answer.headers_mut().append(SET_COOKIE, cookie);
        }
    }
}

/// The session of a request.
///
/// # Errors
///
/// `not_logged_in` where there is none that is good.
pub async fn require_login(
    request: &Request,
    sessions: &Sessions,
    settings: &Settings,
    now: Timestamp,
) -> Result<Login, Failure> {
    let missing = || Failure::new(ProblemCode::NotLoggedIn);
    let token = SessionCookie::of(settings).token(request).ok_or_else(missing)?;
    sessions.find(token, now).await?.ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::no_content;

    #[test]
    fn over_tls_the_cookie_demands_tls_and_this_host() {
        for (site, expected) in [
            (
                "https://bukti.example.go.id",
                "__Host-bukti=; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0",
            ),
            ("http://127.0.0.1:8080", "bukti=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"),
        ] {
            let mut answer = no_content();
            SessionCookie::of(&Settings::local(site, "", "", "".into())).clear(&mut answer);
            assert_eq!(answer.headers()[SET_COOKIE], expected, "{site}");
        }
    }
}
