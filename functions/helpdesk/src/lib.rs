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

use bukti_domain::LONGEST_TEXT;
use bukti_runtime::{Answer, Caller, FailureResult, Guard, Records, require_login};
use bukti_store::{Aws, Rates, Sessions, Sms};
use bukti_wire::HelpdeskRoute;
use jiff::Timestamp;
use lambda_http::Request;

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
        let answer = async |route, caller: &Caller, now| self.answer(&request, route, caller, now).await;
        self.guard.serve(&request, answer).await
    }

    async fn answer(
        &self,
        request: &Request,
        route: HelpdeskRoute,
        caller: &Caller,
        now: Timestamp,
    ) -> FailureResult {
        use HelpdeskRoute as Route;
        let login = async || require_login(request, &self.sessions, &self.aws.settings, now).await;
        let officer = async || self.records.officer(&login().await?).await;
        let parameter = &*caller.parameter;
        match route {
            Route::Case => self.look_up(request, caller, now).await,
            Route::OpenCase => self.open_case(request, &login().await?, caller, now).await,
            Route::Cases => self.own_cases(&login().await?).await,
            Route::Evidence => self.expect_evidence(request, &login().await?, parameter, now).await,
            Route::Reply => self.reply(request, &login().await?, parameter, now).await,
            Route::Looks => self.looks(&login().await?, parameter).await,
            Route::SecondFactor => self.second_factor(request, &login().await?, now).await,
            Route::Officer => {
                let officer = officer().await?;
                Ok(view::officer(&officer))
            }
            Route::Queue => self.queue(request, &officer().await?).await,
            Route::OfficerCase => self.look_at_case(&officer().await?, parameter, now).await,
            Route::Decide => self.decide(request, &officer().await?, parameter, now).await,
            Route::FindPeople => self.find_people(request, &officer().await?, now).await,
            Route::Resend => self.resend(request, &officer().await?, parameter, now).await,
        }
    }
}

/// A text that somebody wrote: tidied, not empty, not too long.
fn written(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.chars().count() <= LONGEST_TEXT).then(|| text.to_owned())
}
