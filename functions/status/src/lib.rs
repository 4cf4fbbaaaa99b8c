//! HTTP function `status`: services that need no account. These are captchas, the status of a
//! person's doses, requests for quick downloads, the list of vaccines, and the API document.

use bukti_domain::{BirthDate, PersonName, diagnosis, parse_date, vaccine_named, vaccines};
use bukti_records::DownloadFacts;
use bukti_runtime::{
    Allowance, Answer, Caller, Failure, FailureResult, Guard, Level, Records, TokenCookie, field,
    identity_field, json, public_json, read_json,
};
use bukti_store::{Aws, Counter, Downloads};
use bukti_wire::{
    DownloadAnswer, DownloadRequest, StatusAnswer, StatusRequest, StatusRoute, Vaccines, openapi_json,
};
use jiff::Timestamp;
use lambda_http::{Body, Request};

/// How long the list of vaccines may be cached, in seconds.
const VACCINES_MAX_AGE: u32 = 3600;

/// The HTTP function `status`, which handles the routes in [`StatusRoute`].
#[derive(Clone)]
pub struct Status {
    aws: Aws,
    records: Records,
    downloads: Downloads,
    guard: Guard,
}

impl Status {
    /// Creates the function with the settings and clients of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self {
            records: Records::new(aws),
            downloads: Downloads::new(aws),
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
        route: StatusRoute,
        caller: &Caller,
        now: Timestamp,
    ) -> FailureResult {
        match route {
            StatusRoute::Captcha => self.captcha(request, caller, now).await,
            StatusRoute::Status => self.status(request, caller, now).await,
            StatusRoute::Download => self.download(request, caller, now).await,
            StatusRoute::Vaccines => {
                let vaccines = vaccines().iter().map(Into::into).collect();
                Ok(public_json(&Vaccines { vaccines }, VACCINES_MAX_AGE))
            }
            StatusRoute::Openapi => {
                let mut answer = json(200, &());
                *answer.body_mut() = Body::Text(openapi_json());
                Ok(answer)
            }
        }
    }

    /// Creates a captcha. It is harder for a browser that has just requested a one-time code and
    /// may request another. The level must not depend on the phone or on requests from other
    /// browsers, since it would reveal information about them.
    async fn captcha(&self, request: &Request, caller: &Caller, now: Timestamp) -> FailureResult {
        let has_requested_code = TokenCookie::code(&self.aws.settings).token(request).is_some();
        let min_level = if has_requested_code { Level::HARD } else { Level::default() };
        Ok(json(200, &self.guard.challenge(caller, min_level, now).await?))
    }

    async fn status(&self, request: &Request, caller: &Caller, now: Timestamp) -> FailureResult {
        let body: StatusRequest = read_json(request)?;
        let mut errors = Vec::new();
        let name = field("name", &body.name, PersonName::parse, &mut errors);
        let identity = identity_field(body.nik.as_deref(), body.passport.as_deref(), &mut errors);
        let (Some(name), Some(identity)) = (name, identity) else { return Err(Failure::fields(errors)) };
        // The captcha is checked after the fields, so that a typing error does not use up a solved
        // captcha.
        self.guard.admit(caller, &body.captcha, &Allowance::STATUS, now).await?;

        let (doses, more) = self.records.of_name(&name, &identity).await?;
        let none = doses.is_empty().then(|| diagnosis::not_received().into());
        for diagnosis in doses.iter().map(|dose| &dose.diagnosis).chain(&none) {
            self.aws.metrics.count(Counter::Looks, diagnosis.code.code());
        }
        if doses.is_empty() {
            self.guard.record_failure(caller, now).await?;
        }
        Ok(json(200, &StatusAnswer { doses, none, more }))
    }

    /// Stores a request for a link by SMS. All requests are processed and answered in the same way,
    /// so that neither the response nor its timing reveals whether the data are correct. The
    /// function `notify` checks the data later.
    async fn download(&self, request: &Request, caller: &Caller, now: Timestamp) -> FailureResult {
        let body: DownloadRequest = read_json(request)?;
        let mut errors = Vec::new();
        let name = field("name", &body.name, PersonName::parse, &mut errors);
        let identity = identity_field(body.nik.as_deref(), body.passport.as_deref(), &mut errors);
        let birth_date = field("birth_date", &body.birth_date, BirthDate::parse, &mut errors);
        let vaccination_date = field("vaccination_date", &body.vaccination_date, parse_date, &mut errors);
        let vaccine = field("vaccine", &body.vaccine, vaccine_named, &mut errors);
        let (Some(name), Some(identity), Some(birth_date), Some(vaccination_date), Some(vaccine)) =
            (name, identity, birth_date, vaccination_date, vaccine)
        else {
            return Err(Failure::fields(errors));
        };
        self.guard.admit(caller, &body.captcha, &Allowance::DOWNLOADS, now).await?;

        let (name, vaccine) = (name.as_written().to_owned(), vaccine.name.clone());
        let facts = DownloadFacts { name, birth_date, vaccination_date, vaccine };
        self.downloads.ask(&identity, &facts, now).await?;
        Ok(json(202, &DownloadAnswer { resend_after: Downloads::RESEND_AFTER }))
    }
}
