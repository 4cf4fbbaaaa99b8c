//! Cookies that contain a token: for sessions, for requests for one-time codes, and for known
//! devices.

use bukti_records::Token;
use bukti_store::{Login, Otps, Sessions, Settings};
use bukti_wire::ProblemCode;
use jiff::Timestamp;
use lambda_http::Request;
use lambda_http::http::HeaderValue;
use lambda_http::http::header::{COOKIE, SET_COOKIE};

use crate::{Answer, Failure};

/// The name and attributes of a cookie that contains a token.
pub struct TokenCookie {
    name: &'static str,
    secure: bool,
    /// The lifetime in seconds. If it is `None`, the cookie lasts until the browser is closed.
    max_age: Option<u32>,
}

impl TokenCookie {
    /// The session cookie. It has no `Max-Age`, since the session expires on the server.
    pub fn session(settings: &Settings) -> Self {
        Self::new(settings, ["bukti", "__Host-bukti"], None)
    }

    /// The cookie that ties a one-time code to the browser that requested it. The code is accepted
    /// only together with this cookie.
    pub fn code(settings: &Settings) -> Self {
        Self::new(settings, ["bukti-code", "__Host-bukti-code"], Some(Otps::EXPIRES_IN))
    }

    /// The cookie that recognises a device that has logged in before. It does not authenticate
    /// anyone; see [`Otps`].
    pub fn device(settings: &Settings) -> Self {
        Self::new(settings, ["bukti-device", "__Host-bukti-device"], Some(Otps::DEVICE_KEPT))
    }

    /// Over TLS, the cookie is `Secure` and bound to this host (`__Host-`). Without TLS, browsers
    /// would reject such a cookie.
    fn new(settings: &Settings, [plain, secure]: [&'static str; 2], max_age: Option<u32>) -> Self {
        let is_https = settings.is_https();
        Self { name: if is_https { secure } else { plain }, secure: is_https, max_age }
    }

    /// The token in the cookie of a request; `None` if the cookie was not sent.
    pub fn token<'request>(&self, request: &'request Request) -> Option<&'request str> {
        request
            .headers()
            .get_all(COOKIE)
            .iter()
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find_map(|(name, value)| (name == self.name).then_some(value))
    }

    /// Adds a `Set-Cookie` header with this token to a response.
    pub fn set(&self, answer: &mut Answer, token: &Token) {
        self.put(answer, token.secret(), self.max_age);
    }

    /// Adds a `Set-Cookie` header that deletes the cookie.
    pub fn clear(&self, answer: &mut Answer) {
        self.put(answer, "", Some(0));
    }

    fn put(&self, answer: &mut Answer, value: &str, max_age: Option<u32>) {
        let secure = if self.secure { "; Secure" } else { "" };
        let max_age = max_age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let cookie = format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{max_age}", self.name);
        // Tokens are base64url, so the value is always a valid header value.
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            answer.headers_mut().append(SET_COOKIE, cookie);
        }
    }
}

/// Finds the session of a request by its cookie.
///
/// # Errors
///
/// `not_logged_in` if there is no valid session.
pub async fn require_login(
    request: &Request,
    sessions: &Sessions,
    settings: &Settings,
    now: Timestamp,
) -> Result<Login, Failure> {
    let missing = || Failure::new(ProblemCode::NotLoggedIn);
    let token = TokenCookie::session(settings).token(request).ok_or_else(missing)?;
    sessions.find(token, now).await?.ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::no_content;

    #[test]
    fn cookie_is_secure_and_host_bound_over_tls() {
        for (site, expected) in [
            (
                "https://bukti.example.go.id",
                "__Host-bukti=; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0",
            ),
            ("http://127.0.0.1:8080", "bukti=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"),
        ] {
            let mut answer = no_content();
            TokenCookie::session(&Settings::local(site, "", "", "".into())).clear(&mut answer);
            assert_eq!(answer.headers()[SET_COOKIE], expected, "{site}");
        }
    }
}
