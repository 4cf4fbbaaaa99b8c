//! A deployment of Bukti in the emulated account, with helpers that act as citizens.

use std::collections::BTreeMap;

use bukti_domain::FeedRow;
use bukti_tests::caller::{Caller, RawResponse};
use bukti_wire::{OtpRoute, StatusRoute};
use serde_json::{Value, json};

use crate::account::{AwsAccount, wait_for};

/// A deployment of Bukti in an [`AwsAccount`].
pub struct Deployed {
    pub outputs: BTreeMap<String, String>,
    /// The API's host name, for the `Host` header.
    pub host: String,
    pub caller: Caller,
}

impl Deployed {
    pub fn post(&self, path: &str, body: &Value) -> RawResponse {
        self.caller.post(path, body)
    }

    pub fn status(&self, row: &FeedRow) -> RawResponse {
        let captcha = self.caller.captcha();
        self.post(StatusRoute::Status.path(), &json!({"name": row.nama, "nik": row.nik, "captcha": captcha}))
    }

    /// Requests a code and logs in with it. Returns the session cookie.
    pub fn log_in(&self, account: &AwsAccount, phone: &str) -> String {
        let captcha = self.caller.captcha();
        let requested = self.post(OtpRoute::Otp.path(), &json!({"phone": phone, "captcha": captcha}));
        assert_eq!(requested.status, 202, "{}", String::from_utf8_lossy(&requested.body));
        let code = wait_for("code", || account.sms(phone).into_iter().rev().find(|text| text.contains('#')));
        let code = code.rsplit('#').next().unwrap().trim().to_owned();
        let cookie = requested.header("set-cookie").unwrap().split(';').next();
        let code = json!({"phone": phone, "code": code}).to_string();
        let opened = self.caller.call("POST", OtpRoute::LogIn.path(), cookie, code.as_bytes());
        assert_eq!(opened.status, 201, "{}", String::from_utf8_lossy(&opened.body));
        opened.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
    }

    pub fn fetch(&self, address: &Value) -> Vec<u8> {
        let raw = self.caller.call("GET", address.as_str().unwrap(), None, b"");
        assert_eq!(raw.status, 200, "{}", String::from_utf8_lossy(&raw.body));
        raw.body
    }
}
