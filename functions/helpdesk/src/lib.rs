//! HTTP function `helpdesk`: citizens open cases about errors in their records, and officers
//! correct the errors.
//!
//! ```text
//!  citizen, logged in ──► case ──► queue ──► officer, with a second factor ──► granted
//!        ▲   evidence ──► bucket                 │ asks back, refuses             │ one transaction
//!        └───────────────── SMS ◄── notify ◄─────┴── table ◄── case and dose ◄────┘
//! ```
//!
//! Knowing a person's data is not sufficient to take over the person's records with another phone.
//! The new phone has to be the one that is logged in, which was verified by a one-time code; any
//! other new phone requires the approval of a supervisor. In both cases, the officer needs evidence
//! or a confirmation by the facility, and the old phone is notified. Officers cannot decide cases
//! that they opened, or cases about doses that are registered with their phone.

mod citizen;
mod officer;
mod view;

use bukti_domain::LONGEST_TEXT;
use bukti_runtime::{Answer, Caller, FailureResult, Guard, Records, require_login};
use bukti_store::{Aws, Rates, Sessions, Sms};
use bukti_wire::HelpdeskRoute;
use jiff::Timestamp;
use lambda_http::Request;

/// The HTTP function `helpdesk`, which handles the routes in [`HelpdeskRoute`].
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
    /// Creates the function with the settings and clients of a deployment.
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

    /// Handles a request. A failure becomes a problem response.
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

/// Trims free text. `None` if it is empty or longer than [`LONGEST_TEXT`] characters.
fn free_text(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.chars().count() <= LONGEST_TEXT).then(|| text.to_owned())
}
