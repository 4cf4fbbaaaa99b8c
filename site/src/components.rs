//! The parts that pages share.

mod busy_button;
mod captcha;
mod certificate;
mod code_login;
mod dose_card;
mod error_summary;
mod fact_list;
mod failure_notice;
mod footer;
mod header;
mod heading;
mod helpdesk;
mod icon;
mod language_switch;
mod row_link;
mod tab_bar;
mod text_field;
mod verdict_card;

pub use busy_button::BusyButton;
pub use captcha::{Captcha, CaptchaBox};
pub use certificate::{CertificateView, Downloads};
pub use code_login::{CodeLogin, Purpose};
pub use dose_card::{DiagnosisCard, DoseCard, look};
pub use error_summary::ErrorSummary;
pub use fact_list::{FactList, Facts};
pub use failure_notice::FailureNotice;
pub use footer::Footer;
pub use header::Header;
pub use heading::{FirstPage, Heading};
pub use helpdesk::{HelpdeskLine, HelpdeskLinks};
pub use icon::{Icon, Sign};
pub use language_switch::LanguageSwitch;
pub use row_link::RowLink;
pub use tab_bar::TabBar;
pub use text_field::TextField;
pub use verdict_card::VerdictCard;
