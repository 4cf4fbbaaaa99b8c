//! HTTP function `status`: the captcha, the status of a person's doses, the API document.

mod captcha;

use bukti_aws::{Aws, Doses, UsedCaptchas};
use bukti_domain::{Identity, Nik, Passport, PersonName, diagnosis};
use bukti_http::{
    Answer, Caller, Failure, FailureResult, dose_status, doses_by_day, field, json, locale, read_json,
    respond,
};
use bukti_wire::{FieldError, Function, ProblemCode, StatusAnswer, StatusRequest, openapi_json};
use jiff::Timestamp;
use lambda_http::{Body, Request};

/// The function with what it may do.
#[derive(Clone)]
pub struct Status {
    aws: Aws,
    doses: Doses,
    used_captchas: UsedCaptchas,
}

impl Status {
    /// The function of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { doses: Doses::new(aws), used_captchas: UsedCaptchas::new(aws), aws: aws.clone() }
    }

    /// Answers a request.
    pub async fn handle(&self, request: Request) -> Answer {
        let locale = locale(&request);
        respond(self.answer(&request, Timestamp::now()).await, locale)
    }

    async fn answer(&self, request: &Request, now: Timestamp) -> FailureResult {
        let caller = Caller::of(request, Function::Status, &self.aws.settings)?;
        match caller.endpoint() {
            ("GET", "/api/captcha") => Ok(json(200, &captcha::challenge(self.aws.captcha_key(), now)?)),
            ("POST", "/api/status") => self.status(request).await,
            ("GET", "/api/openapi.json") => {
                let mut answer = json(200, &());
                *answer.body_mut() = Body::Text(openapi_json());
                Ok(answer)
            }
            _ => Err(Failure::new(ProblemCode::NotFound)),
        }
    }

    async fn status(&self, request: &Request) -> FailureResult {
        let asked: StatusRequest = read_json(request)?;
        let (name, identity) = read_person(&asked)?;
        // The fields come first: a slip of the pen should not cost a solved captcha.
        let solved = captcha::verify(&asked.captcha, self.aws.captcha_key())?;
        if !self.used_captchas.use_once(&solved.signature, solved.expires_at).await? {
            return Err(Failure::new(ProblemCode::CaptchaReused));
        }

        let records = self.doses.of_person(&identity).await?;
        let mut doses = Vec::new();
        for (record, dose) in doses_by_day(&records, &self.aws.keys)? {
            // Doses under this number with another name are another person's, or a mistyped number: not shown.
            if dose.name.as_ref().is_some_and(|registered| registered.matches(&name)) {
                doses.push(dose_status(record, &dose, records.certificate_of(record), None));
            }
        }
        let none = doses.is_empty().then(|| diagnosis::not_received().into());
        Ok(json(200, &StatusAnswer { doses, none }))
    }
}

fn read_person(asked: &StatusRequest) -> Result<(PersonName, Identity), Failure> {
    let mut errors = Vec::new();
    let name = field("name", &asked.name, PersonName::parse, &mut errors);
    let nik = |nik: &str| Nik::parse(nik).map(Identity::Nik);
    let passport = |passport: &str| Passport::parse(passport).map(Identity::Passport);
    let identity = match (&asked.nik, &asked.passport) {
        (Some(written), None) => field("nik", written, nik, &mut errors),
        (None, Some(written)) => field("passport", written, passport, &mut errors),
        (None, None) => field("nik", "", nik, &mut errors),
        (Some(_), Some(_)) => {
            errors.push(FieldError { field: "passport".to_owned(), code: "invalid".to_owned() });
            None
        }
    };
    match (name, identity) {
        (Some(name), Some(identity)) if errors.is_empty() => Ok((name, identity)),
        _ => Err(Failure::fields(errors)),
    }
}
