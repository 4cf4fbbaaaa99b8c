//! HTTP function `holder`: the people whose doses are registered with a phone, their certificates,
//! and the links in SMS.

use std::collections::BTreeMap;
use std::sync::Arc;

use bukti_document::{DocumentError, Printer, qr_picture};
use bukti_domain::feed::CompleteDose;
use bukti_domain::{BirthDate, NextDose, ReceivedDose, Verdict, certificate_id_grouped, next_doses};
use bukti_locales::Locale;
use bukti_records::{DoseRecord, PersonKey};
use bukti_runtime::{
    Answer, Caller, Failure, FailureResult, Guard, HolderCertificate, Records, field, issued_on, json,
    locale, no_content, page_start, query_parameter, read_json, read_optional_json, require_login,
};
use bukti_store::{Aws, Counter, Documents, Login, Sessions};
use bukti_wire::{
    Certificates as CertificatesAnswer, Document, DocumentForm, DocumentRequest, FieldError, HolderDose,
    HolderRoute, LinkAnswer, LinkRefusal, LinkRequest, People, Person, ProblemCode, Ticket,
};
use jiff::Timestamp;
use lambda_http::Request;

/// The maximum number of doses in a response, since the image of each certificate takes about 25
/// KB.
const PAGE: usize = 20;

/// The HTTP function `holder`, which handles the routes in [`HolderRoute`].
#[derive(Clone)]
pub struct Holder {
    aws: Aws,
    sessions: Sessions,
    records: Records,
    guard: Guard,
    printer: Arc<Printer>,
}

impl Holder {
    /// Creates the function with the settings and clients of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self {
            sessions: Sessions::new(aws),
            records: Records::new(aws),
            guard: Guard::new(aws),
            printer: Arc::new(Printer::new(aws.settings.publisher())),
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
        route: HolderRoute,
        caller: &Caller,
        now: Timestamp,
    ) -> FailureResult {
        let login = async || require_login(request, &self.sessions, &self.aws.settings, now).await;
        let parameter = &caller.parameter;
        match route {
            HolderRoute::Link => {
                let opened = self.open_link(request, caller, now).await;
                let result = opened.as_ref().map_or_else(|failure| failure.code().code(), |_| "opened");
                self.aws.metrics.count(Counter::Links, result);
                opened
            }
            HolderRoute::RefuseLink => self.refuse_link(request, caller, now).await,
            HolderRoute::People => self.people(&login().await?).await,
            HolderRoute::Certificates => {
                self.certificates_of(&login().await?, &PersonKey::of_id(parameter), request).await
            }
            HolderRoute::Document => {
                let login = login().await?;
                let body: DocumentRequest = read_optional_json(request)?;
                let mut errors = Vec::new();
                let form = document_form(body.form.as_deref(), &mut errors);
                let form = form.ok_or_else(|| Failure::fields(errors))?;
                self.document_of(&login, &parameter.replace('-', ""), form).await
            }
        }
    }

    /// The person of a dose that is registered with the caller's phone, and the person's index key.
    /// `None` if the dose is a duplicate or does not identify a person.
    fn person_of(&self, record: &DoseRecord) -> Result<Option<(PersonKey, Person)>, Failure> {
        // Duplicates are skipped, since only the phone of the event that owns the dose counts.
        if record.duplicate {
            return Ok(None);
        }
        let dose = record.dose(&self.aws.keys)?;
        let (name, birth_date) = (dose.certified_name(), dose.birth_date);
        let (Some(key), Some(identity), Some(name)) = (&record.person, dose.identity, name) else {
            return Ok(None);
        };
        let person = Person {
            id: key.id().to_owned(),
            name: name.text().to_owned(),
            identity: identity.masked(),
            birth_year: birth_date.map(BirthDate::year),
        };
        Ok(Some((key.clone(), person)))
    }

    async fn people(&self, login: &Login) -> FailureResult {
        let (records, more) = self.records.of_phone(login).await?;
        let mut people = BTreeMap::new();
        for record in &records {
            if let Some((key, person)) = self.person_of(record)? {
                people.entry(key).or_insert(person);
            }
        }
        let mut people: Vec<Person> = people.into_values().collect();
        people.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        Ok(json(200, &People { people, more }))
    }

    async fn certificates_of(&self, login: &Login, person: &PersonKey, request: &Request) -> FailureResult {
        let mut errors = Vec::new();
        let after = query_parameter(request, "after").unwrap_or_else(|| "0".to_owned());
        let after = field("after", &after, page_start, &mut errors);
        let after = after.ok_or_else(|| Failure::fields(errors))? as usize;
        let records = self.records.of_person(login, person).await?;
        let mut found = None;
        for record in records.registered() {
            found = found.or(self.person_of(record)?);
        }
        let (_, person) = found.ok_or_else(|| Failure::new(ProblemCode::NotFound))?;
        let page = after..after.saturating_add(PAGE);
        let (mut doses, mut received) = (Vec::new(), Vec::new());
        let distinct = records.distinct_doses_by_day(&self.aws.keys)?;
        let next = (page.end < distinct.len()).then(|| u32::try_from(page.end).ok()).flatten();
        for (at, (record, dose)) in distinct.into_iter().enumerate() {
            let certificate = records.certificate(record);
            if record.verdict != Verdict::Retracted {
                received.push(ReceivedDose {
                    dose_number: dose.dose_number,
                    vaccine: dose.vaccine,
                    vaccination_date: dose.vaccination_date,
                    certificate_id: certificate.as_ref().and(record.certificate_id.as_deref()),
                });
            }
            if !page.contains(&at) {
                continue;
            }
            let status = records.status(record, &dose);
            let batch = dose.batch.clone();
            let view = match (certificate, dose.complete()) {
                (Some(certificate), Some(dose)) => {
                    let dose = dose.in_series_of(certificate.primary_doses);
                    Some(self.view(&certificate, &dose, locale(request))?)
                }
                _ => None,
            };
            doses.push(HolderDose { status, batch, certificate: view });
        }
        let next_doses = if after == 0 { next_doses(&received) } else { Vec::new() };
        let tickets = next_doses.iter().map(|next| self.ticket(next)).collect::<Result<_, _>>()?;
        Ok(json(200, &CertificatesAnswer { person, doses, tickets, next, more: records.more() }))
    }

    fn ticket(&self, next: &NextDose<'_>) -> Result<Ticket, Failure> {
        let text = next.text().address(&self.aws.settings.site_url);
        Ok(Ticket {
            disease: next.vaccine.into(),
            vaccine: next.vaccine.name.clone(),
            dose_number: next.dose_number,
            doses_in_series: next.vaccine.counted_series(),
            from: next.from,
            qr: qr_picture(&text).map_err(rendering_failure)?,
            text,
        })
    }

    async fn document_of(&self, login: &Login, certificate_id: &str, form: DocumentForm) -> FailureResult {
        let (certificate, dose) = self.records.certificate(login, certificate_id).await?;
        Ok(json(200, &self.document(&certificate, &dose, form).await?))
    }

    async fn open_link(&self, request: &Request, caller: &Caller, now: Timestamp) -> FailureResult {
        let body: LinkRequest = read_json(request)?;
        let mut errors = Vec::new();
        let birth_date = field("birth_date", &body.birth_date, BirthDate::parse, &mut errors);
        let form = document_form(body.form.as_deref(), &mut errors);
        let (Some(birth_date), Some(form)) = (birth_date, form) else { return Err(Failure::fields(errors)) };

        let (certificate, dose) =
            self.records.open_link(&self.guard, caller, (&body.token, birth_date), now).await?;
        let view = self.view(&certificate, &dose, locale(request))?;
        let document = self.document(&certificate, &dose, form).await?;
        Ok(json(200, &LinkAnswer { certificate: view, document }))
    }

    /// Handles the report "this was not me". The token is sufficient proof that the caller received
    /// the SMS.
    async fn refuse_link(&self, request: &Request, caller: &Caller, now: Timestamp) -> FailureResult {
        let body: LinkRefusal = read_json(request)?;
        self.records.refuse_link(&self.guard, caller, &body.token, now).await?;
        Ok(no_content())
    }

    fn view(
        &self,
        certificate: &HolderCertificate,
        dose: &CompleteDose,
        locale: Locale,
    ) -> Result<bukti_wire::Certificate, Failure> {
        let qr_text = certificate.qr_text(&self.aws.keys)?;
        let id = certificate_id_grouped(certificate.certificate_id());
        let printed = bukti_document::Certificate::of(dose, &id, issued_on(certificate), &qr_text);
        let picture = self.printer.picture(&printed, locale).map_err(rendering_failure)?;
        Ok(bukti_wire::Certificate {
            name: printed.name.to_owned(),
            identity: printed.identity.clone(),
            birth_date: printed.birth_date,
            dose_number: printed.dose_number,
            doses_in_series: printed.doses_in_series,
            disease: dose.vaccine.into(),
            vaccine: printed.vaccine.to_owned(),
            vaccination_date: printed.vaccination_date,
            batch: printed.batch.to_owned(),
            facility: printed.facility.to_owned(),
            issuer: self.aws.settings.issuer.clone(),
            issued_on: printed.issued_on,
            picture,
            id,
            qr_text,
        })
    }

    /// Returns a presigned URL of a certificate's PDF in the requested form.
    async fn document(
        &self,
        certificate: &HolderCertificate,
        dose: &CompleteDose,
        form: DocumentForm,
    ) -> Result<Document, Failure> {
        let file_name = format!(
            "sertifikat-vaksin-{}-dosis-{}{}.pdf",
            dose.vaccine.disease,
            certificate.dose_number,
            form.file_suffix(),
        );
        let qr_text = certificate.qr_text(&self.aws.keys)?;
        let id = certificate_id_grouped(certificate.certificate_id());
        let printed = bukti_document::Certificate::of(dose, &id, issued_on(certificate), &qr_text);
        let url = if form == DocumentForm::Complete {
            // The complete document was stored when the certificate was issued.
            self.records.document_url(certificate, &file_name).await?
        } else {
            let copy = self.printer.pdf(&printed, form).map_err(rendering_failure)?;
            self.records.store_copy(certificate, (form, copy), &file_name).await?
        };
        Ok(Document { url, expires_in: Documents::EXPIRES_IN, file_name })
    }
}

fn rendering_failure(error: DocumentError) -> Failure {
    tracing::error!(error = %error, "cannot render a certificate or ticket");
    Failure::new(ProblemCode::Internal)
}

/// Parses the requested form of the document. The default is the complete document. If the form is
/// unknown, adds an error to `errors` and returns `None`.
fn document_form(code: Option<&str>, errors: &mut Vec<FieldError>) -> Option<DocumentForm> {
    match code {
        Some(code) => field("form", code, DocumentForm::from_code, errors),
        None => Some(DocumentForm::default()),
    }
}
