//! HTTP function `helpdesk`: citizens' cases about errors in their records, and the officers who
//! correct them.
//!
//! ```text
//!  citizen, logged in ──► case ──► queue ──► officer, with a second factor ──► granted
//!        ▲   evidence ──► bucket                 │ asks back, refuses             │ one transaction
//!        └───────────────── SMS ◄── notify ◄─────┴── table ◄── case and dose ◄────┘
//! ```
//!
//! Knowing a person's data is not enough to take over the person's records with another phone. The
//! new phone is the one that is logged in, which is verified by a one-time code; an officer needs
//! evidence or a confirmation by the facility; any other new phone also needs a supervisor's
//! approval; and the old phone is notified. Officers cannot decide their own cases or cases of
//! their own phone.

mod citizen;
mod officer;
mod view;

use bukti_domain::LONGEST_TEXT;
use bukti_runtime::{Answer, Caller, FailureResult, Guard, Records, require_login};
use bukti_store::{Aws, Rates, Sessions, Sms};
use bukti_wire::HelpdeskRoute;
use jiff::Timestamp;
use lambda_http::Request;

/// The function `helpdesk`.
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

    /// Handles a request.
    pub async fn handle(&self, request: Request) -> Answer {
        let dispatch = async |route, caller: &Caller, now| self.dispatch(&request, route, caller, now).await;
        self.guard.serve(&request, dispatch).await
    }

    async fn dispatch(
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
            Route::AccessLog => self.audit_entries(&login().await?, parameter).await,
            Route::SecondFactor => self.second_factor(request, &login().await?, now).await,
            Route::Officer => {
                let officer = officer().await?;
                Ok(view::officer(&officer))
            }
            Route::Queue => self.queue(request, &officer().await?).await,
            Route::OfficerCase => self.view_case(&officer().await?, parameter, now).await,
            Route::Decide => self.decide(request, &officer().await?, parameter, now).await,
            Route::FindPeople => self.find_people(request, &officer().await?, now).await,
            Route::Resend => self.resend(request, &officer().await?, parameter, now).await,
        }
    }
}

/// Parses a free text: trimmed, not empty, not too long.
fn free_text(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.chars().count() <= LONGEST_TEXT).then(|| text.to_owned())
}
