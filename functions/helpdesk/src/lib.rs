//! HTTP function `helpdesk`: what people say is wrong with their records, and the officers who put it right.
//!
//! ```text
//!  citizen, logged in ──► case ──► queue ──► officer, with a second factor ──► granted
//!        ▲   evidence ──► bucket                 │ asks back, refuses             │ one transaction
//!        └───────────────── SMS ◄── notify ◄─────┴── table ◄── case and dose ◄────┘
//! ```
//!
//! A phone is moved by nobody who just knows facts: the new one is the phone that is logged in with, so a code came to it,
//! and an officer grants it with evidence or a facility's word only; to any other a supervisor has to move it as well. The
//! owner of the old one is told. Nobody decides a case of their own or of their own phone.

mod citizen;
mod officer;
mod view;

use bukti_runtime::{Answer, Caller, Failure, FailureResult, Guard, Records, path_parameter, require_login};
use bukti_store::{Aws, Rates, Sessions, Sms};
use bukti_wire::{Function, ProblemCode};
use jiff::Timestamp;
use lambda_http::Request;

/// The longest text that people and officers write, in characters.
const LONGEST_TEXT: usize = 1000;

/// The function with what it may do.
#[derive(Clone)]
pub struct Helpdesk {
    aws: Aws,
    rates: Rates,
    records: Records,
    sms: Sms,
    sessions: Sessions,
    guard: Guard,
}

impl Helpdesk {
    /// The function of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self {
            rates: Rates::new(aws),
            records: Records::new(aws),
            sms: Sms::new(aws),
            sessions: Sessions::new(aws),
            guard: Guard::new(aws),
            aws: aws.clone(),
        }
    }

    /// Answers a request.
    pub async fn handle(&self, request: Request) -> Answer {
        let route = async |caller: &Caller, now| self.route(&request, caller, now).await;
        self.guard.serve(&request, Function::Helpdesk, route).await
    }

    async fn route(&self, request: &Request, caller: &Caller, now: Timestamp) -> FailureResult {
        let parameter = path_parameter(request, &caller.route);
        if caller.endpoint() == ("POST", "/api/cases/lookup") {
            return self.look_up(request, caller, now).await;
        }
        let login = require_login(request, &self.sessions, &self.aws.settings, now).await?;
        match caller.endpoint() {
            ("POST", "/api/cases") => return self.open_case(request, &login, caller, now).await,
            ("GET", "/api/cases") => return self.own_cases(&login).await,
            ("POST", "/api/cases/{case}/evidence") => {
                return self.expect_evidence(request, &login, parameter, now).await;
            }
            ("POST", "/api/cases/{case}/replies") => {
                return self.reply(request, &login, parameter, now).await;
            }
            ("GET", "/api/people/{person}/looks") => return self.looks(&login, parameter).await,
            ("POST", "/api/helpdesk/second-factor") => {
                return self.second_factor(request, &login, now).await;
            }
            _ => {}
        }
        // From here on for officers only.
        let officer = self.records.officer(&login).await?;
        match caller.endpoint() {
            ("GET", "/api/helpdesk/officer") => Ok(view::officer(&officer)),
            ("GET", "/api/helpdesk/cases") => self.queue(request, &officer).await,
            ("GET", "/api/helpdesk/cases/{case}") => self.look_at_case(&officer, parameter, now).await,
            ("POST", "/api/helpdesk/cases/{case}/decisions") => {
                self.decide(request, &officer, parameter, now).await
            }
            ("POST", "/api/helpdesk/people") => self.find_people(request, &officer, now).await,
            ("POST", "/api/helpdesk/doses/{dose}/sms") => {
                self.resend(request, &officer, parameter, now).await
            }
            _ => Err(Failure::new(ProblemCode::NotFound)),
        }
    }
}

/// A text that somebody wrote: tidied, not empty, not too long.
fn written(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.chars().count() <= LONGEST_TEXT).then(|| text.to_owned())
}
