//! The SMS that a stack has sent.

use serde_json::Value;

use crate::{TestApp, call};

/// An SMS in the stack's outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The recipient's phone, in E.164 format.
    pub to: String,
    /// The sender ID that the phone displays.
    pub from: String,
    /// The full message text.
    pub text: String,
}

impl Message {
    /// The token of the link in the text; `None` if the text has no link.
    pub fn token(&self) -> Option<String> {
        let (_, rest) = self.text.split_once("/s/")?;
        rest.split_whitespace().next().map(str::to_owned)
    }

    /// The text with the site's production URL and `[token]` in place of the token. Asserts that
    /// the text fits into a single SMS: 160 characters of the GSM-7 basic character set.
    pub fn single_part_text(&self, app: &TestApp) -> String {
        let text = self.text.replace(app.url(), "https://bukti.example.go.id");
        let is_gsm7 = |c: char| c.is_ascii_alphanumeric() || " \n@#!\"%&'()*+,-./:;<=>?_".contains(c);
        assert!(text.chars().all(is_gsm7), "not GSM-7: {text}");
        assert!(text.chars().count() <= 160, "{} characters: {text}", text.chars().count());
        self.token().map_or(text.clone(), |token| text.replace(&token, "[token]"))
    }
}

/// Fetches all SMS that a stack has sent, oldest first.
pub fn outbox(url: &str) -> Vec<Message> {
    let messages = call(url, "GET", "/_sms.json", None, None).body;
    let text = |message: &Value, field: &str| message[field].as_str().unwrap().to_owned();
    let messages = messages.as_array().unwrap().iter();
    messages
        .map(|message| Message {
            to: text(message, "to"),
            from: text(message, "from"),
            text: text(message, "message"),
        })
        .collect()
}

/// The number of SMS that the embedded SNS has dropped as duplicates since it started.
pub fn deduplicated_sms(url: &str) -> u64 {
    call(url, "GET", "/_stack.json", None, None).body["repeated_sms"].as_u64().unwrap()
}
