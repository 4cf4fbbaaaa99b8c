//! Routes for citizens: opening, viewing and replying to cases, and viewing the audit log of their
//! records.

use bukti_domain::{
    Asking, BirthDate, CaseNumber, Correction, EVIDENCE_TYPES, Identity, MAX_EVIDENCE_BYTES, PersonName,
    PhoneNumber, dose_number, parse_date, vaccine_named,
};
use bukti_records::{CaseFile, MissingDose, NewCase, PersonKey};
use bukti_runtime::{Allowance, Caller, Failure, FailureResult, field, identity_field, json, read_json};
use bukti_store::Login;
use bukti_wire::{
    AccessLog, AccessLogEntry, CaseOpened, CaseQuery, CaseReply, CaseRequest, Cases as CasesAnswer,
    EvidenceRequest, EvidenceSlot, FieldError, ProblemCode,
};
use jiff::Timestamp;
use lambda_http::Request;

use crate::view::case_view;
use crate::{Helpdesk, free_text};

impl Helpdesk {
    pub(crate) async fn open_case(
        &self,
        request: &Request,
        login: &Login,
        caller: &Caller,
        now: Timestamp,
    ) -> FailureResult {
        let body: CaseRequest = read_json(request)?;
        let mut errors = Vec::new();
        let correction = field("correction", &body.correction, Correction::from_code, &mut errors);
        let name = field("name", &body.name, PersonName::parse, &mut errors);
        let identity = identity_field(body.nik.as_deref(), body.passport.as_deref(), &mut errors);
        let birth_date = field("birth_date", &body.birth_date, BirthDate::parse, &mut errors);
        let note = match body.note.as_deref().map(str::trim) {
            None | Some("") => Some(String::new()),
            Some(note) => field("note", note, free_text, &mut errors),
        };
        if correction == Some(Correction::DataCorrectedByLaw) {
            // Only a NIK encodes data that the record can contradict, and it encodes a complete
            // birth date.
            if matches!(identity, Some(Identity::Passport(_))) {
                errors.push(FieldError::invalid("passport"));
            } else if birth_date.is_some_and(|birth_date| birth_date.to_day().is_none()) {
                errors.push(FieldError::invalid("birth_date"));
            }
        }
        let details = correction.and_then(|correction| details(correction, &body, &mut errors));
        let (Some(correction), Some(name), Some(identity), Some(birth_date), Some(note), Some((right, dose))) =
            (correction, name, identity, birth_date, note, details)
        else {
            return Err(Failure::fields(errors));
        };
        if !errors.is_empty() {
            return Err(Failure::fields(errors));
        }
        self.guard.allow(caller, &Allowance::CASES, now).await?;

        let phone = PhoneNumber::parse(&login.account.phone).ok_or_else(|| {
            // Sessions that earlier versions created do not contain the phone.
            Failure::new(ProblemCode::NotLoggedIn)
        })?;
        let right = match correction {
            Correction::Phone => phone.e164().to_owned(),
            Correction::Name => name.as_written().to_owned(),
            Correction::BirthDate | Correction::DataCorrectedByLaw => birth_date.to_string(),
            Correction::Identity => body.nik.or(body.passport).unwrap_or_default().trim().to_owned(),
            Correction::DoseNumber | Correction::DoseMissing => right,
        };
        let asking =
            Asking { identity: identity.clone(), name: name.clone(), birth_date, phone: Some(phone.clone()) };
        let file = CaseFile {
            number: String::new(),
            identity: identity.number().to_owned(),
            name: name.as_written().to_owned(),
            birth_date,
            phone: phone.e164().to_owned(),
            right,
            dose,
            note,
            possible_match: self.records.has_similar_dose(login, &asking).await?,
            evidence: Vec::new(),
            messages: Vec::new(),
            proposal: None,
            decision: None,
        };
        let possible_match = file.possible_match;
        let new = NewCase { correction, person: self.aws.keys.person(&identity), file };
        match self.records.open_case(login, new, now).await? {
            Ok(number) => Ok(json(201, &CaseOpened { number: number.grouped(), possible_match })),
            Err(seconds) => Err(Failure::new(ProblemCode::TooManyRequests).retry_after(seconds)),
        }
    }

    pub(crate) async fn own_cases(&self, login: &Login) -> FailureResult {
        let (cases, more) = self.records.own_cases(login).await?;
        let views = cases.iter().map(|case| Ok(case_view(case, &case.file(&self.aws.keys)?)));
        Ok(json(200, &CasesAnswer { cases: views.collect::<Result<_, Failure>>()?, more }))
    }

    /// Returns a case by its number and the birth date. The response does not reveal which of the
    /// two is wrong.
    pub(crate) async fn look_up(&self, request: &Request, caller: &Caller, now: Timestamp) -> FailureResult {
        let body: CaseQuery = read_json(request)?;
        let mut errors = Vec::new();
        let number = field("number", &body.number, CaseNumber::parse, &mut errors);
        let birth_date = field("birth_date", &body.birth_date, BirthDate::parse, &mut errors);
        let (Some(number), Some(birth_date)) = (number, birth_date) else {
            return Err(Failure::fields(errors));
        };
        self.guard.allow(caller, &Allowance::CASE_LOOK_UPS, now).await?;
        let network = &caller.address.network;
        let (case, file) = self.records.look_up_case((&number, birth_date), network, now).await?;
        Ok(json(200, &case_view(&case, &file)))
    }

    pub(crate) async fn expect_evidence(
        &self,
        request: &Request,
        login: &Login,
        number: &str,
        now: Timestamp,
    ) -> FailureResult {
        let body: EvidenceRequest = read_json(request)?;
        let mut errors = Vec::new();
        let known =
            |given: &str| EVIDENCE_TYPES.into_iter().map(|(known, _)| known).find(|known| *known == given);
        let content_type = field("content_type", &body.content_type, known, &mut errors);
        let fits = (1..=u64::from(MAX_EVIDENCE_BYTES)).contains(&body.bytes);
        if !fits {
            errors.push(FieldError::invalid("bytes"));
        }
        let Some(content_type) = content_type.filter(|_| fits) else { return Err(Failure::fields(errors)) };
        let url = self.records.expect_evidence(login, number, (content_type, body.bytes), now).await?;
        Ok(json(201, &EvidenceSlot { url, expires_in: bukti_store::Documents::EXPIRES_IN }))
    }

    pub(crate) async fn reply(
        &self,
        request: &Request,
        login: &Login,
        number: &str,
        now: Timestamp,
    ) -> FailureResult {
        let body: CaseReply = read_json(request)?;
        let mut errors = Vec::new();
        let text = field("text", &body.text, free_text, &mut errors);
        let text = text.ok_or_else(|| Failure::fields(errors))?;
        self.step_response(self.records.reply(login, number, &text, now).await?)
    }

    /// Returns the audit log entries about a person whose doses are registered with this phone.
    pub(crate) async fn audit_entries(&self, login: &Login, person: &str) -> FailureResult {
        let entries = self.records.audit_entries(login, &PersonKey::of_id(person)).await?;
        let look = |entry: bukti_store::Entry| AccessLogEntry {
            at: entry.at.as_second(),
            officer: entry.officer_name,
            action: entry.action.code().to_owned(),
        };
        Ok(json(200, &AccessLog { looks: entries.into_iter().map(look).collect() }))
    }
}

/// Parses the fields that depend on the kind of correction. Returns the correct dose number, or an
/// empty string, and the missing dose. If a field is missing or invalid, adds errors to `errors`
/// and returns `None`.
fn details(
    correction: Correction,
    body: &CaseRequest,
    errors: &mut Vec<FieldError>,
) -> Option<(String, Option<MissingDose>)> {
    let given = |field: &Option<String>| field.clone().unwrap_or_default();
    match correction {
        Correction::DoseNumber => {
            let number = field("dose_number", &given(&body.dose_number), dose_number, errors)?;
            Some((number.to_string(), None))
        }
        Correction::DoseMissing => {
            let number = field("dose_number", &given(&body.dose_number), dose_number, errors);
            let vaccine = field("vaccine", &given(&body.vaccine), vaccine_named, errors);
            let date = field("vaccination_date", &given(&body.vaccination_date), parse_date, errors);
            let facility = field("facility", &given(&body.facility), free_text, errors);
            let dose = MissingDose {
                dose_number: number?,
                vaccine: vaccine?.name.clone(),
                vaccination_date: date?,
                facility: facility?,
            };
            Some((String::new(), Some(dose)))
        }
        _ => Some((String::new(), None)),
    }
}
