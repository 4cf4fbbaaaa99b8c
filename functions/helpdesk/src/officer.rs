//! Routes for officers: viewing and deciding cases, searching for people, and resending SMS. A view
//! is written to the audit log before the data are returned, and a change before it is made.

use bukti_domain::{
    Asking, CaseState, Correction, FeedRow, Identity, Likeness, PhoneNumber, Role, Ruling,
    certificate_id_grouped, doses_with_repeated_number, likenesses, six_digits,
};
use bukti_records::{
    CaseFile, CaseKey, CaseRecord, Change, DoseRecord, EventKey, PersonRecords, Proposal, Rate, Step,
    parse_certificate_id,
};
use bukti_runtime::{
    Failure, FailureResult, OfficerSession, TokenCookie, accepted, dose_status, doses_by_day, field,
    fits_key, json, keep_first, query_parameter, read_json,
};
use bukti_store::{Cause, Login, SmsError, StoreError, Taken};
use bukti_wire::{
    CaseDecision, CaseProposal, CaseQueue, CaseSummary, OfficerCase, OfficerDose, PeopleFound, PersonFound,
    PersonQuery, ProblemCode, ResendRequest, SecondFactor, TrailEntry, TrailStep,
};
use jiff::{SignedDuration, Timestamp};
use lambda_http::Request;

use crate::view::{case_view, recorded, said, summary};
use crate::{Helpdesk, free_text, view};

/// The number of cases on a page of the queue.
const PAGE: usize = 25;
/// The minimum number of letters in the name of the person who confirmed the data. "dr. Ani" has
/// five.
const MIN_NAME_LETTERS: usize = 5;
/// The maximum number of doses in a response, since the history of each dose takes several reads of
/// the table.
const MAX_DOSES: usize = 100;

/// The limit on resending the SMS of one dose.
const RESENDS: Rate = Rate { name: "resends of a dose", window: SignedDuration::from_hours(24), most: 3 };

impl Helpdesk {
    pub(crate) async fn second_factor(
        &self,
        request: &Request,
        login: &Login,
        now: Timestamp,
    ) -> FailureResult {
        let body: SecondFactor = read_json(request)?;
        let mut errors = Vec::new();
        let code = field("code", &body.code, six_digits, &mut errors);
        let code = code.ok_or_else(|| Failure::fields(errors))?;
        let token = TokenCookie::session(&self.aws.settings).token(request).unwrap_or_default();
        let officer = self.records.verify_second_factor(login, token, &code, now).await?;
        Ok(view::officer(&officer))
    }

    pub(crate) async fn queue(&self, request: &Request, officer: &OfficerSession) -> FailureResult {
        let after = query_parameter(request, "after").filter(|after| !after.is_empty());
        if after.as_deref().is_some_and(|after| !fits_key(after)) {
            return Err(Failure::fields(invalid("after")));
        }
        let (cases, next) = self.records.queue(officer, after.as_deref(), PAGE).await?;
        let cases = cases.iter().map(|case| Ok(summary(case, &case.file(&self.aws.keys)?)));
        let cases = cases.collect::<Result<_, StoreError>>()?;
        Ok(json(200, &CaseQueue { cases, next }))
    }

    pub(crate) async fn view_case(
        &self,
        officer: &OfficerSession,
        number: &str,
        now: Timestamp,
    ) -> FailureResult {
        let (case, file, records) = self.records.view_case(officer, number, now).await?;
        let pieces = self.records.evidence(officer, &file).await?;
        let proposal = match &file.proposal {
            Some(proposal) => self.proposal_view(officer, &case, proposal, now).await?,
            None => None,
        };
        let (doses, more) = self.doses_for(&case, &file, &records, officer, now).await?;
        Ok(json(
            200,
            &OfficerCase {
                case: case_view(&case, &file),
                revision: case.revision,
                said: said(&file),
                pieces,
                needs_approval: case.correction.needs_approval() || proposal.is_some(),
                proposal,
                doses,
                more,
            },
        ))
    }

    /// Another officer's proposal, with the data that would result from applying it to the dose as
    /// it is now. `None` if the proposal can no longer be applied.
    async fn proposal_view(
        &self,
        officer: &OfficerSession,
        case: &CaseRecord,
        proposal: &Proposal,
        now: Timestamp,
    ) -> Result<Option<CaseProposal>, Failure> {
        let Some(change) = &proposal.change else { return Ok(None) };
        let row = match change.event() {
            Some(event) => {
                let dose = self.records.view_proposed_dose(officer, case, event, now).await?;
                Some(dose.open(&self.aws.keys)?)
            }
            None => None,
        };
        Ok(change.applied(row.as_ref()).map(|row| CaseProposal {
            officer: proposal.officer_name.clone(),
            at: proposal.at.as_second(),
            why: proposal.why.clone(),
            confirmed_by: proposal.confirmed_by.clone(),
            dose: change.event().map(dose_id),
            row: recorded(&row),
        }))
    }

    /// The doses under the stated number, followed by similar doses under other numbers, and
    /// whether there are more doses under the stated number. Viewing a similar dose is written to
    /// the audit log of its person.
    async fn doses_for(
        &self,
        case: &CaseRecord,
        file: &CaseFile,
        records: &PersonRecords,
        officer: &OfficerSession,
        now: Timestamp,
    ) -> Result<(Vec<OfficerDose>, bool), Failure> {
        let Some(asking) = file.asking() else { return Ok((Vec::new(), false)) };
        let (mut doses, more) = self.officer_doses(officer, records, Some(&asking), MAX_DOSES).await?;
        for records in self.records.view_similar_doses(officer, case, &asking, now).await? {
            doses.extend(self.officer_doses(officer, &records, Some(&asking), 1).await?.0);
        }
        Ok((doses, more))
    }

    /// At most `limit` doses as officers see them, and whether there are more.
    async fn officer_doses(
        &self,
        officer: &OfficerSession,
        records: &PersonRecords,
        asking: Option<&Asking>,
        limit: usize,
    ) -> Result<(Vec<OfficerDose>, bool), Failure> {
        let mut by_day = doses_by_day(records, &self.aws.keys)?;
        let more = keep_first(records, &mut by_day, limit) || records.more;
        let read: Vec<_> = by_day.iter().map(|(_, dose)| dose.clone()).collect();
        let counted_twice = doses_with_repeated_number(&read);
        let mut doses = Vec::with_capacity(by_day.len());
        for (at, (record, dose)) in by_day.into_iter().enumerate() {
            let mut found = asking.map(|asking| likenesses(asking, &dose)).unwrap_or_default();
            if counted_twice.contains(&at) {
                found.push(Likeness::DoseNumber);
            }
            let certificate = records.certificate_of(record);
            let owner = records.owner_of(record);
            // The status of a duplicate shows the certificate of the event that owns the dose.
            let owner_certificate = owner.map_or(certificate, |owner| records.certificate_of(owner));
            doses.push(OfficerDose {
                id: dose_id(&record.pk),
                recorded: recorded(&record.open(&self.aws.keys)?),
                status: dose_status(record, &dose, owner_certificate, None),
                duplicate_of: owner.map(|owner| dose_id(&owner.pk)),
                certificate: certificate.map(|it| certificate_id_grouped(it.certificate_id())),
                trail: self.trail(officer, record, records).await?,
                likenesses: found,
            });
        }
        Ok((doses, more))
    }

    /// The processing history of a dose, oldest entry first: its rows, certificates and SMS.
    async fn trail(
        &self,
        officer: &OfficerSession,
        record: &DoseRecord,
        records: &PersonRecords,
    ) -> Result<Vec<TrailEntry>, Failure> {
        let entry =
            |at: Timestamp, what, detail: Option<String>| TrailEntry { at: at.as_second(), what, detail };
        let mut trail = Vec::new();
        for version in record.history.versions() {
            let corrected = CaseKey::parse(&version.origin.job).is_some();
            let verdict = version.verdict.outcome().code().to_owned();
            trail.push(entry(
                version.sent_at,
                if corrected { TrailStep::Corrected } else { TrailStep::Received },
                Some(verdict),
            ));
        }
        for certificate in records.certificates.iter().filter(|it| it.event == record.pk) {
            trail.push(entry(certificate.issued_at, TrailStep::Issued, None));
            if let Some(at) = certificate.revoked_at {
                let superseded = certificate.superseded_by.is_some();
                trail.push(entry(
                    at,
                    if superseded { TrailStep::Superseded } else { TrailStep::Revoked },
                    None,
                ));
            }
        }
        for (sms, opened_at) in self.records.sms_of_dose(officer, record).await? {
            match sms.accepted_at {
                Some(at) => trail.push(entry(at, TrailStep::SmsAccepted, None)),
                None => trail.push(entry(sms.begun_at, TrailStep::SmsPending, None)),
            }
            if let Some(at) = opened_at {
                trail.push(entry(at, TrailStep::LinkOpened, None));
            }
        }
        trail.sort_by_key(|entry| entry.at);
        Ok(trail)
    }

    pub(crate) async fn find_people(
        &self,
        request: &Request,
        officer: &OfficerSession,
        now: Timestamp,
    ) -> FailureResult {
        let body: PersonQuery = read_json(request)?;
        let mut errors = Vec::new();
        let why = field("why", &body.why, free_text, &mut errors);
        let people = match (&body.identity, &body.phone, &body.certificate) {
            (Some(identity), None, None) => {
                let identity = field("identity", identity, Identity::parse, &mut errors);
                identity.map(|identity| (vec![self.aws.keys.person(&identity)], false))
            }
            (None, Some(phone), None) => match field("phone", phone, PhoneNumber::parse, &mut errors) {
                Some(phone) => Some(self.records.people_of_phone(officer, &phone).await?),
                None => None,
            },
            (None, None, Some(certificate)) => {
                match field("certificate", certificate, parse_certificate_id, &mut errors) {
                    Some(id) => {
                        let person = self.records.person_of_certificate(officer, &id).await?;
                        Some((person.into_iter().collect(), false))
                    }
                    None => None,
                }
            }
            _ => field("identity", "", Identity::parse, &mut errors).map(|_| (Vec::new(), false)),
        };
        let (Some(why), Some((people, more))) = (why, people) else { return Err(Failure::fields(errors)) };
        let (mut found, mut remaining) = (Vec::new(), MAX_DOSES);
        for person in self.records.search(officer, people, &why, now).await? {
            let cases = person.cases.iter().map(|case| Ok(summary(case, &case.file(&self.aws.keys)?)));
            let cases: Vec<CaseSummary> = cases.collect::<Result<_, StoreError>>()?;
            let (doses, has_more_doses) =
                self.officer_doses(officer, &person.records, None, remaining).await?;
            remaining -= doses.len();
            found.push(PersonFound { doses, cases, more: has_more_doses || person.has_more_cases });
        }
        Ok(json(200, &PeopleFound { people: found, more }))
    }

    pub(crate) async fn decide(
        &self,
        request: &Request,
        officer: &OfficerSession,
        number: &str,
        now: Timestamp,
    ) -> FailureResult {
        let body: CaseDecision = read_json(request)?;
        let mut errors = Vec::new();
        let why = field("why", &body.why, free_text, &mut errors);
        let decision = field("decision", &body.decision, Ruling::from_code, &mut errors);
        let (Some(why), Some(decision)) = (why, decision) else { return Err(Failure::fields(errors)) };
        let case = self.records.case_to_decide(officer, number).await?;
        if case.revision != body.revision || case.state.is_decided() {
            return Err(Failure::new(ProblemCode::CaseChanged));
        }
        match decision {
            Ruling::AskBack => {
                self.step_response(self.records.decision(officer, (&case, None), &why, now).ask_back().await?)
            }
            Ruling::Refuse => {
                self.step_response(self.records.decision(officer, (&case, None), &why, now).refuse().await?)
            }
            Ruling::Grant => self.grant(&body, officer, &case, &why, now).await,
        }
    }

    async fn grant(
        &self,
        body: &CaseDecision,
        officer: &OfficerSession,
        case: &CaseRecord,
        why: &str,
        now: Timestamp,
    ) -> FailureResult {
        let file = case.file(&self.aws.keys)?;
        // A request without changes approves the proposal; a request with changes replaces it.
        let proposal = file.proposal.as_ref().filter(|_| case.state == CaseState::AwaitingApproval);
        let changes = [&body.right, &body.dose, &body.batch, &body.facility_code, &body.facility_word];
        if let Some(proposal) = proposal
            && changes.iter().all(|given| given.is_none())
        {
            if officer.role != Role::Supervisor || officer.id == proposal.officer {
                return Err(Failure::new(ProblemCode::NeedsSupervisor));
            }
            let overtaken = || Failure::new(ProblemCode::ProposalOvertaken);
            let change = proposal.change.as_ref().ok_or_else(overtaken)?;
            let dose = match change.event() {
                Some(event) => Some(self.records.dose_to_decide(officer, event).await?),
                None => None,
            };
            let dose = dose.as_ref();
            let decision = self.records.decision(officer, (case, dose), why, now);
            let reasons = (why, proposal.confirmed_by.as_deref());
            return self.step_response(match case.correction {
                Correction::DataCorrectedByLaw => decision.confirm().await?,
                _ => decision.grant(change, reasons).await?,
            });
        }

        let confirmed_by = match body.facility_word.as_deref().map(str::trim) {
            None | Some("") => None,
            Some(text) => Some(confirmer(text).ok_or_else(|| Failure::fields(invalid("facility_word")))?),
        };
        if confirmed_by.is_none() && !self.records.has_evidence(officer, &file).await? {
            return Err(Failure::new(ProblemCode::EvidenceMissing));
        }
        // The audit log also names the person who confirmed the data, since the confirmation
        // replaces evidence.
        let audited = confirmed_by.as_ref().map(|by| format!("{why} [{by}]"));
        let audited = audited.as_deref().unwrap_or(why);
        let (dose, change) = match (case.correction, &file.dose, &body.dose) {
            (Correction::DoseMissing, Some(missing), None) => {
                let given = |field: &Option<String>| field.clone().unwrap_or_default();
                let is_nik = matches!(Identity::parse(&file.identity), Some(Identity::Nik(_)));
                let number = |is: bool| if is { file.identity.clone() } else { String::new() };
                let row = FeedRow {
                    event_id: format!("CASE-{}", file.number),
                    nik: number(is_nik),
                    paspor: number(!is_nik),
                    nama: file.name.clone(),
                    tanggal_lahir: file.birth_date.to_string(),
                    no_hp: file.phone.clone(),
                    dosis_ke: missing.dose_number.to_string(),
                    vaksin: missing.vaccine.clone(),
                    batch: given(&body.batch),
                    tanggal_vaksinasi: missing.vaccination_date.to_string(),
                    kode_faskes: given(&body.facility_code),
                    nama_faskes: missing.facility.clone(),
                    ..FeedRow::default()
                };
                (None, Change::Make(Box::new(row)))
            }
            (correction, _, Some(dose)) => {
                let record = self.dose_of_id(officer, dose).await?;
                let right = body.right.as_deref().unwrap_or(&file.right);
                let row = record.open(&self.aws.keys)?;
                // A "missing" dose that is recorded under another number is moved to the person's
                // number.
                let (correction, right) = match correction {
                    Correction::DoseMissing => (Correction::Identity, &*file.identity),
                    correction => (correction, right),
                };
                let change = Change::correcting(&record.pk, correction, &row, right);
                let change = change.ok_or_else(|| Failure::fields(invalid("right")))?;
                (Some(record), change)
            }
            _ => return Err(Failure::fields(invalid("dose"))),
        };
        let dose = dose.as_ref();
        let reasons = (why, confirmed_by.as_deref());
        let decision = self.records.decision(officer, (case, dose), audited, now);
        self.step_response(if change.needs_approval(&file) {
            decision.propose(change, reasons).await?
        } else {
            decision.grant(&change, reasons).await?
        })
    }

    async fn dose_of_id(&self, officer: &OfficerSession, id: &str) -> Result<DoseRecord, Failure> {
        if !fits_key(id) {
            return Err(Failure::new(ProblemCode::NotFound));
        }
        self.records.dose_to_decide(officer, &EventKey::of_id(id)).await
    }

    /// Resends the link to the phone on record.
    pub(crate) async fn resend(
        &self,
        request: &Request,
        officer: &OfficerSession,
        dose: &str,
        now: Timestamp,
    ) -> FailureResult {
        let body: ResendRequest = read_json(request)?;
        let mut errors = Vec::new();
        let why = field("why", &body.why, free_text, &mut errors).ok_or_else(|| Failure::fields(errors))?;
        let record = self.dose_of_id(officer, dose).await?;
        let nothing = || Failure::new(ProblemCode::NothingToSend);
        if record.phone.is_none() || self.records.certificate_of(officer, &record).await?.is_none() {
            return Err(nothing());
        }
        let phone = record.dose(&self.aws.keys)?.phone.ok_or_else(nothing)?;
        if let Taken::Full { wait } = self.rates.take(&RESENDS, record.pk.as_str(), now).await? {
            return Err(Failure::new(ProblemCode::TooManyRequests).retry_after(wait));
        }
        // The SMS budget is charged here rather than when the SMS is sent: resending invalidates
        // the person's current link, which must not happen if no SMS can be sent.
        let spent = match self.sms.allow(Cause::Helpdesk, &phone, now).await {
            Ok(spent) => spent,
            Err(SmsError::Uncounted(error)) => return Err(error.into()),
            Err(_) => {
                self.rates.give_back(&RESENDS, record.pk.as_str(), now).await?;
                return Err(Failure::new(ProblemCode::SmsBudgetSpent).retry_after(RESENDS.wait(now)));
            }
        };
        if !self.records.resend(officer, &record, &why, now).await? {
            self.sms.give_back(&spent, now).await?;
            return Err(Failure::new(ProblemCode::CaseChanged));
        }
        Ok(accepted())
    }

    /// Converts the result of a step to a response: the case, or a failure.
    pub(crate) fn step_response(&self, step: Step) -> FailureResult {
        match step {
            Step::Done(case) => Ok(json(200, &case_view(&case, &case.file(&self.aws.keys)?))),
            Step::Overtaken => Err(Failure::new(ProblemCode::CaseChanged)),
            Step::OwnCase => Err(Failure::new(ProblemCode::OwnCase)),
            Step::ForeignDose => Err(Failure::fields(invalid("dose"))),
            Step::ProposalOvertaken => Err(Failure::new(ProblemCode::ProposalOvertaken)),
            Step::Withdrawn => Err(Failure::new(ProblemCode::DoseWithdrawn)),
            Step::Contradiction => Err(Failure::new(ProblemCode::RecordContradicts)),
        }
    }
}

fn invalid(field: &str) -> Vec<bukti_wire::FieldError> {
    vec![bukti_wire::FieldError::invalid(field)]
}

/// Parses the name or position of the person who confirmed the data. `None` if it has too few
/// letters.
fn confirmer(text: &str) -> Option<String> {
    let letters = text.chars().filter(|character| character.is_alphabetic()).count();
    free_text(text).filter(|_| letters >= MIN_NAME_LETTERS)
}

fn dose_id(event: &EventKey) -> String {
    event.id().to_owned()
}
