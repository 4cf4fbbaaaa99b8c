//! HTTP function `status`: what is answered without an account. The captcha, the status of a person's doses, requests for
//! quick downloads, the vaccines, the API document.

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

/// How long the list of vaccines may be kept, in seconds.
const VACCINES_KEPT: u32 = 3600;

/// The function with what it may do.
#[derive(Clone)]
pub struct Status {
    aws: Aws,
    records: Records,
    downloads: Downloads,
    guard: Guard,
}

impl Status {
    /// The function of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self {
            records: Records::new(aws),
            downloads: Downloads::new(aws),
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
                Ok(public_json(&Vaccines { vaccines }, VACCINES_KEPT))
            }
            StatusRoute::Openapi => {
                let mut answer = json(200, &());
                *answer.body_mut() = Body::Text(openapi_json());
                Ok(answer)
            }
        }
    }

    /// A captcha. A browser that has just asked for a one-time code may ask for another, which
    /// takes a harder one: which phone it is for, and whether anybody else asks, makes no
    /// difference.
    async fn captcha(&self, request: &Request, caller: &Caller, now: Timestamp) -> FailureResult {
        let has_asked = TokenCookie::code(&self.aws.settings).token(request).is_some();
        let least = if has_asked { Level::HARD } else { Level::default() };
        Ok(json(200, &self.guard.challenge(caller, least, now).await?))
    }

    async fn status(&self, request: &Request, caller: &Caller, now: Timestamp) -> FailureResult {
        let asked: StatusRequest = read_json(request)?;
        let mut errors = Vec::new();
        let name = field("name", &asked.name, PersonName::parse, &mut errors);
        let identity = identity_field(asked.nik.as_deref(), asked.passport.as_deref(), &mut errors);
        let (Some(name), Some(identity)) = (name, identity) else { return Err(Failure::fields(errors)) };
        // The fields come before the captcha: a slip of the pen should not cost a solved one.
        self.guard.admit(caller, &asked.captcha, &Allowance::LOOKS, now).await?;

        let (doses, more) = self.records.of_name(&name, &identity).await?;
        let none = doses.is_empty().then(|| diagnosis::not_received().into());
        for diagnosis in doses.iter().map(|dose| &dose.diagnosis).chain(&none) {
            self.aws.metrics.count(Counter::Looks, diagnosis.code.code());
        }
        if doses.is_empty() {
            self.guard.failed(caller, now).await?;
        }
        Ok(json(200, &StatusAnswer { doses, none, more }))
    }

    /// Takes a request for a link by SMS. All who ask are answered alike, and for all of them the same is done: whether the
    /// facts are right is looked at later, elsewhere.
    async fn download(&self, request: &Request, caller: &Caller, now: Timestamp) -> FailureResult {
        let asked: DownloadRequest = read_json(request)?;
        let mut errors = Vec::new();
        let name = field("name", &asked.name, PersonName::parse, &mut errors);
        let identity = identity_field(asked.nik.as_deref(), asked.passport.as_deref(), &mut errors);
        let birth_date = field("birth_date", &asked.birth_date, BirthDate::parse, &mut errors);
        let vaccination_date = field("vaccination_date", &asked.vaccination_date, parse_date, &mut errors);
        let vaccine = field("vaccine", &asked.vaccine, vaccine_named, &mut errors);
        let (Some(name), Some(identity), Some(birth_date), Some(vaccination_date), Some(vaccine)) =
            (name, identity, birth_date, vaccination_date, vaccine)
        else {
            return Err(Failure::fields(errors));
        };
        self.guard.admit(caller, &asked.captcha, &Allowance::DOWNLOADS, now).await?;

        let (name, vaccine) = (name.as_written().to_owned(), vaccine.name.clone());
        let facts = DownloadFacts { name, birth_date, vaccination_date, vaccine };
        self.downloads.ask(&identity, &facts, now).await?;
        Ok(json(202, &DownloadAnswer { resend_after: Downloads::RESEND_AFTER }))
    }
}
