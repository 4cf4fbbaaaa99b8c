//! What officers see and decide. Each look and each change is in the audit before it is shown or done.

use std::collections::BTreeSet;

use bukti_aws::{
    About, Action, CaseFile, CaseRecord, Cause, Change, DoseRecord, FactorTry, Login, Officer, PersonRecords,
    Proposal, Rate, Role, SmsError, Step, StoreError, Taken, parse_certificate_id,
};
use bukti_domain::{
    Asking, CaseState, Correction, FeedRow, Identity, Likeness, PhoneNumber, certificate_id_grouped,
    doses_counted_twice, likenesses,
};
use bukti_http::{
    Failure, FailureResult, TokenCookie, accepted, dose_status, doses_by_day, field, fits_key, json,
    keep_first, query_parameter, read_json,
};
use bukti_wire::{
    CaseDecision, CaseProposal, CaseQueue, CaseSummary, EvidencePiece, OfficerCase, OfficerDose, PeopleFound,
    PersonFound, PersonQuery, ProblemCode, ResendRequest, SecondFactor, TrailEntry,
};
use jiff::{SignedDuration, Timestamp};
use lambda_http::Request;

use crate::view::{case_view, recorded, said, summary};
use crate::{Helpdesk, view, written};

/// Cases of a page of the queue.
const PAGE: usize = 25;
/// Letters of whoever confirmed something, at least: "dr. Ani" has five.
const LEAST_LETTERS: usize = 5;
/// People of one phone that are shown: a clinic may have typed its own number for everybody.
const MOST_PEOPLE: usize = 20;
/// Doses of one answer: the trail of each takes some reads of the table.
const MOST_SHOWN: usize = 100;

/// SMS with the link of one dose that officers send once more.
const RESENDS: Rate = Rate { name: "resends of a dose", window: SignedDuration::from_hours(24), most: 3 };

impl Helpdesk {
    pub(crate) async fn second_factor(
        &self,
        request: &Request,
        login: &Login,
        now: Timestamp,
    ) -> FailureResult {
        let asked: SecondFactor = read_json(request)?;
        let mut errors = Vec::new();
        let digits = |code: &str| {
            let digits: String = code.chars().filter(|character| *character != ' ').collect();
            (digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
        };
        let code = field("code", &asked.code, digits, &mut errors);
        let code = code.ok_or_else(|| Failure::fields(errors))?;
        let officer = self.officers.of_phone_key(&login.phone).await?;
        let officer = officer.ok_or_else(|| Failure::new(ProblemCode::NotAnOfficer))?;
        match self.officers.try_code(&login.phone, &code, now).await? {
            FactorTry::Right => {}
            FactorTry::Wrong => {
                self.audit.write(&officer, Action::SecondFactorWrong, About::default(), now).await?;
                return Err(Failure::new(ProblemCode::SecondFactorWrong));
            }
            FactorTry::Full { wait } => {
                return Err(Failure::new(ProblemCode::TooManyRequests).retry_after(wait));
            }
        }
        self.audit.write(&officer, Action::LoggedIn, About::default(), now).await?;
        let token = TokenCookie::session(&self.aws.settings).token(request).unwrap_or_default();
        if !self.sessions.second_factor(token, &officer.enrolment).await? {
            return Err(Failure::new(ProblemCode::NotLoggedIn));
        }
        Ok(view::officer(&officer))
    }

    pub(crate) async fn queue(&self, request: &Request) -> FailureResult {
        let after = query_parameter(request, "after").filter(|after| !after.is_empty());
        if after.as_deref().is_some_and(|after| !fits_key(after)) {
            return Err(Failure::fields(invalid("after")));
        }
        let queued = self.cases.queue(after.as_deref(), PAGE).await?;
        let next =
            (queued.len() == PAGE).then(|| queued.last().map(|last| last.position().to_owned())).flatten();
        let mut cases = Vec::with_capacity(queued.len());
        for queued in queued {
            // One that was decided in between is no longer there to be looked at.
            if let Some(case) = self.cases.of_key(&queued.case).await? {
                cases.push(summary(&case, &case.file(&self.aws.keys)?));
            }
        }
        Ok(json(200, &CaseQueue { cases, next }))
    }

    pub(crate) async fn look_at_case(
        &self,
        officer: &Officer,
        number: &str,
        now: Timestamp,
    ) -> FailureResult {
        let case = self.case(number).await?;
        let file = case.file(&self.aws.keys)?;
        let records = self.doses.of_person_key(&case.person, Some(&case.applicant)).await?;
        let names = names_of(file.alike(&self.aws.keys), &records.doses);
        let about = About { person: Some(&case.person), case: Some(&case.pk), names: &names, why: "" };
        self.audit.write(officer, Action::LookedAtCase, about, now).await?;
        let mut pieces = Vec::new();
        for evidence in &file.evidence {
            if let Some(url) = self.evidence.address(evidence).await? {
                pieces.push(EvidencePiece { url, content_type: evidence.content_type.clone() });
            }
        }
        let proposal = match &file.proposal {
            Some(proposal) => self.proposed(proposal).await?,
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

    /// What another officer would do to the dose as it is now.
    async fn proposed(&self, proposal: &Proposal) -> Result<Option<CaseProposal>, Failure> {
        let Some(change) = &proposal.change else { return Ok(None) };
        let row = match change.event() {
            Some(event) => Some(self.dose(event).await?.open(&self.aws.keys)?),
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

    /// The doses under the number that was written, and whether there are more of these; and others with the same name and
    /// birth date. The audit has whose.
    async fn doses_for(
        &self,
        case: &CaseRecord,
        file: &CaseFile,
        records: &PersonRecords,
        officer: &Officer,
        now: Timestamp,
    ) -> Result<(Vec<OfficerDose>, bool), Failure> {
        let Some(asking) = file.asking() else { return Ok((Vec::new(), false)) };
        let (mut doses, more) = self.officer_doses(records, Some(&asking), MOST_SHOWN).await?;
        for record in self.doses.alike(&asking.name, asking.birth_date).await? {
            let found = likenesses(&asking, &record.dose(&self.aws.keys)?);
            if record.person.as_deref() == Some(&case.person) || found.is_empty() {
                continue;
            }
            let (person, names) = (record.person.as_deref(), names_of(None, [&record]));
            let about = About { person, case: Some(&case.pk), names: &names, why: "" };
            self.audit.write(officer, Action::LookedAt, about, now).await?;
            let certificates = match &record.certificate_id {
                Some(id) => self.certificates.of_id(id).await?.into_iter().collect(),
                None => Vec::new(),
            };
            let records = PersonRecords { doses: vec![record], certificates, more: false };
            doses.extend(self.officer_doses(&records, Some(&asking), 1).await?.0);
        }
        Ok((doses, more))
    }

    /// The doses as officers see them, at most `most`, and whether there are more.
    async fn officer_doses(
        &self,
        records: &PersonRecords,
        asking: Option<&Asking>,
        most: usize,
    ) -> Result<(Vec<OfficerDose>, bool), Failure> {
        let mut by_day = doses_by_day(records, &self.aws.keys)?;
        let more = keep_first(records, &mut by_day, most) || records.more;
        let read: Vec<_> = by_day.iter().map(|(_, dose)| dose.clone()).collect();
        let twice = doses_counted_twice(&read);
        let mut doses = Vec::with_capacity(by_day.len());
        for (at, (record, dose)) in by_day.into_iter().enumerate() {
            let mut found = asking.map(|asking| likenesses(asking, &dose)).unwrap_or_default();
            if twice.contains(&at) {
                found.push(Likeness::DoseNumber);
            }
            let certificate = records.certificate_of(record);
            let owner = records.owner_of(record);
            // Of a duplicate the certificate is that of the event that owns the dose.
            let shown = owner.map_or(certificate, |owner| records.certificate_of(owner));
            doses.push(OfficerDose {
                id: dose_id(&record.pk),
                recorded: recorded(&record.open(&self.aws.keys)?),
                status: dose_status(record, &dose, shown, None),
                duplicate_of: owner.map(|owner| dose_id(&owner.pk)),
                certificate: certificate.map(|it| certificate_id_grouped(it.certificate_id())),
                trail: self.trail(record, records).await?,
                likenesses: found,
            });
        }
        Ok((doses, more))
    }

    /// What happened to a dose, oldest first.
    async fn trail(&self, record: &DoseRecord, records: &PersonRecords) -> Result<Vec<TrailEntry>, Failure> {
        let entry = |at: Timestamp, what: &str, detail: Option<String>| TrailEntry {
            at: at.as_second(),
            what: what.to_owned(),
            detail,
        };
        let mut trail = Vec::new();
        for version in record.history.versions() {
            let corrected = version.origin.job.starts_with("N#");
            let verdict = version.verdict.outcome().code().to_owned();
            trail.push(entry(
                version.sent_at,
                if corrected { "corrected" } else { "received" },
                Some(verdict),
            ));
        }
        for certificate in records.certificates.iter().filter(|it| it.event == record.pk) {
            trail.push(entry(certificate.issued_at, "issued", None));
            if let Some(at) = certificate.revoked_at {
                let superseded = certificate.superseded_by.is_some();
                trail.push(entry(at, if superseded { "superseded" } else { "revoked" }, None));
            }
        }
        for sms in self.notifications.of_dose(&record.pk).await? {
            match sms.accepted_at {
                Some(at) => trail.push(entry(at, "sms_accepted", None)),
                None => trail.push(entry(sms.begun_at, "sms_pending", None)),
            }
            if let Some(link) = sms.link
                && let Some(at) = self.links.of_key(&link).await?.and_then(|link| link.opened_at)
            {
                trail.push(entry(at, "link_opened", None));
            }
        }
        trail.sort_by_key(|entry| entry.at);
        Ok(trail)
    }

    pub(crate) async fn find_people(
        &self,
        request: &Request,
        officer: &Officer,
        now: Timestamp,
    ) -> FailureResult {
        let asked: PersonQuery = read_json(request)?;
        let mut errors = Vec::new();
        let why = field("why", &asked.why, written, &mut errors);
        let people = match (&asked.identity, &asked.phone, &asked.certificate) {
            (Some(identity), None, None) => {
                let identity = field("identity", identity, Identity::parse, &mut errors);
                identity.map(|identity| (vec![self.aws.keys.person(&identity)], false))
            }
            (None, Some(phone), None) => match field("phone", phone, PhoneNumber::parse, &mut errors) {
                Some(phone) => Some(self.people_of(&phone).await?),
                None => None,
            },
            (None, None, Some(certificate)) => {
                match field("certificate", certificate, parse_certificate_id, &mut errors) {
                    Some(id) => {
                        let person = self.certificates.of_id(&id).await?.and_then(|it| it.person);
                        Some((person.into_iter().collect(), false))
                    }
                    None => None,
                }
            }
            _ => field("identity", "", Identity::parse, &mut errors).map(|_| (Vec::new(), false)),
        };
        let (Some(why), Some((people, more))) = (why, people) else { return Err(Failure::fields(errors)) };
        self.audit.write(officer, Action::Searched, About { why: &why, ..About::default() }, now).await?;
        let (mut found, mut room) = (Vec::new(), MOST_SHOWN);
        for person in people {
            let records = self.doses.of_person_key(&person, None).await?;
            let (cases, has_more_cases) = self.cases.of_person_key(&person).await?;
            if records.doses.is_empty() && cases.is_empty() {
                continue;
            }
            let names = names_of(None, &records.doses);
            let about = About { person: Some(&person), case: None, names: &names, why: &why };
            self.audit.write(officer, Action::LookedAt, about, now).await?;
            let cases = cases.iter().map(|case| Ok(summary(case, &case.file(&self.aws.keys)?)));
            let cases: Vec<CaseSummary> = cases.collect::<Result<_, StoreError>>()?;
            let (doses, has_more_doses) = self.officer_doses(&records, None, room).await?;
            room -= doses.len();
            found.push(PersonFound { doses, cases, more: has_more_doses || has_more_cases });
        }
        Ok(json(200, &PeopleFound { people: found, more }))
    }

    /// The people of a phone, by index key, those whose doses are first; and whether there are more.
    async fn people_of(&self, phone: &PhoneNumber) -> Result<(Vec<String>, bool), Failure> {
        let (doses, mut more) = self.doses.of_phone_key(&self.aws.keys.phone(phone)).await?;
        let mut people = Vec::new();
        for person in doses.into_iter().filter_map(|dose| dose.person) {
            if people.contains(&person) {
                continue;
            }
            if people.len() == MOST_PEOPLE {
                more = true;
                break;
            }
            people.push(person);
        }
        Ok((people, more))
    }

    pub(crate) async fn decide(
        &self,
        request: &Request,
        officer: &Officer,
        number: &str,
        now: Timestamp,
    ) -> FailureResult {
        let asked: CaseDecision = read_json(request)?;
        let mut errors = Vec::new();
        let why = field("why", &asked.why, written, &mut errors);
        let known = |decision: &str| Decision::of_code(decision);
        let decision = field("decision", &asked.decision, known, &mut errors);
        let (Some(why), Some(decision)) = (why, decision) else { return Err(Failure::fields(errors)) };
        let case = self.case(number).await?;
        if case.revision != asked.revision || case.state.is_decided() {
            return Err(Failure::new(ProblemCode::CaseChanged));
        }
        match decision {
            Decision::AskBack => {
                self.note(officer, Action::AskedBack, (&case, None), &why, now).await?;
                let step = self.cases.ask_back(&case, officer, &why, now).await?;
                self.noted(officer, (&case, None), step, now).await
            }
            Decision::Refuse => {
                self.note(officer, Action::Refused, (&case, None), &why, now).await?;
                let step = self.cases.refuse(&case, officer, &why, now).await?;
                self.noted(officer, (&case, None), step, now).await
            }
            Decision::Grant => self.grant(&asked, officer, &case, &why, now).await,
        }
    }

    async fn grant(
        &self,
        asked: &CaseDecision,
        officer: &Officer,
        case: &CaseRecord,
        why: &str,
        now: Timestamp,
    ) -> FailureResult {
        let file = case.file(&self.aws.keys)?;
        // What another proposes is approved as it stands, or proposed anew.
        let proposal = file.proposal.as_ref().filter(|_| case.state == CaseState::AwaitingApproval);
        let anew = [&asked.right, &asked.dose, &asked.batch, &asked.facility_code, &asked.facility_word];
        if let Some(proposal) = proposal
            && anew.iter().all(|given| given.is_none())
        {
            if officer.role != Role::Supervisor || officer.id == proposal.officer {
                return Err(Failure::new(ProblemCode::NeedsSupervisor));
            }
            let overtaken = || Failure::new(ProblemCode::ProposalOvertaken);
            let change = proposal.change.as_ref().ok_or_else(overtaken)?;
            let dose = match change.event() {
                Some(event) => Some(self.dose(event).await?),
                None => None,
            };
            let dose = dose.as_ref();
            self.note(officer, Action::Granted, (case, dose), why, now).await?;
            let reasons = (why, proposal.confirmed_by.as_deref());
            let step = match case.correction {
                Correction::DataCorrectedByLaw => self.cases.confirm(case, officer, dose, why, now).await?,
                _ => self.cases.grant(case, officer, dose, change, reasons, now).await?,
            };
            return self.noted(officer, (case, dose), step, now).await;
        }

        let confirmed_by = match asked.facility_word.as_deref().map(str::trim) {
            None | Some("") => None,
            Some(word) => Some(who(word).ok_or_else(|| Failure::fields(invalid("facility_word")))?),
        };
        if confirmed_by.is_none() && !self.has_evidence(&file).await? {
            return Err(Failure::new(ProblemCode::EvidenceMissing));
        }
        // The audit has who confirmed it as well: it stands for the evidence.
        let noted = confirmed_by.as_ref().map(|by| format!("{why} [{by}]"));
        let noted = noted.as_deref().unwrap_or(why);
        let (dose, change) = match (case.correction, &file.dose, &asked.dose) {
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
                    batch: given(&asked.batch),
                    tanggal_vaksinasi: missing.vaccination_date.to_string(),
                    kode_faskes: given(&asked.facility_code),
                    nama_faskes: missing.facility.clone(),
                    ..FeedRow::default()
                };
                (None, Change::Make(Box::new(row)))
            }
            (correction, _, Some(dose)) => {
                let record = self.dose_of_id(dose).await?;
                let right = asked.right.as_deref().unwrap_or(&file.right);
                let row = record.open(&self.aws.keys)?;
                // A missing dose that is there under another number is moved to the person.
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
        let step = if change.needs_approval(&file) {
            self.note(officer, Action::Proposed, (case, dose), noted, now).await?;
            self.cases.propose(case, officer, dose, change, reasons, now).await?
        } else {
            self.note(officer, Action::Granted, (case, dose), noted, now).await?;
            self.cases.grant(case, officer, dose, &change, reasons, now).await?
        };
        self.noted(officer, (case, dose), step, now).await
    }

    async fn has_evidence(&self, file: &CaseFile) -> Result<bool, Failure> {
        for evidence in &file.evidence {
            if self.evidence.address(evidence).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn dose(&self, event: &str) -> Result<DoseRecord, Failure> {
        self.doses.of_event(event).await?.ok_or_else(|| Failure::new(ProblemCode::NotFound))
    }

    async fn dose_of_id(&self, id: &str) -> Result<DoseRecord, Failure> {
        if !fits_key(id) {
            return Err(Failure::new(ProblemCode::NotFound));
        }
        self.dose(&format!("E#{id}")).await
    }

    /// Has the link sent once more to the phone on record.
    pub(crate) async fn resend(
        &self,
        request: &Request,
        officer: &Officer,
        dose: &str,
        now: Timestamp,
    ) -> FailureResult {
        let asked: ResendRequest = read_json(request)?;
        let mut errors = Vec::new();
        let why = field("why", &asked.why, written, &mut errors).ok_or_else(|| Failure::fields(errors))?;
        let record = self.dose_of_id(dose).await?;
        let nothing = || Failure::new(ProblemCode::NothingToSend);
        let id = record.certificate_id.as_ref().filter(|_| record.phone.is_some()).ok_or_else(nothing)?;
        let certificate = self.certificates.of_id(id).await?.filter(|it| it.revoked_at.is_none());
        certificate.ok_or_else(nothing)?;
        let phone = record.dose(&self.aws.keys)?.phone.ok_or_else(nothing)?;
        if let Taken::Full { wait } = self.rates.take(&RESENDS, &record.pk, now).await? {
            return Err(Failure::new(ProblemCode::TooManyRequests).retry_after(wait));
        }
        // Taken here: the link that the person has must not end where no other can be sent.
        let spent = match self.sms.allow(Cause::Helpdesk, &phone, now).await {
            Ok(spent) => spent,
            Err(SmsError::Uncounted(error)) => return Err(error.into()),
            Err(_) => {
                self.rates.give_back(&RESENDS, &record.pk, now).await?;
                return Err(Failure::new(ProblemCode::SmsBudgetSpent).retry_after(RESENDS.wait(now)));
            }
        };
        let (person, names) = (record.person.as_deref(), names_of(None, [&record]));
        let about = About { person, case: None, names: &names, why: &why };
        self.audit.write(officer, Action::Resent, about, now).await?;
        if !self.doses.resend(&record).await? {
            self.sms.give_back(&spent, now).await?;
            self.audit.write(officer, Action::NotDone, about, now).await?;
            return Err(Failure::new(ProblemCode::CaseChanged));
        }
        Ok(accepted())
    }

    /// Writes to the audit what is about to be done in a case, to a dose. It names the person whose record that is, and where
    /// the dose is recorded under another number than the case is about, the person of the case as well.
    async fn note(
        &self,
        officer: &Officer,
        action: Action,
        (case, dose): (&CaseRecord, Option<&DoseRecord>),
        why: &str,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let names = names_of(case.file(&self.aws.keys)?.alike(&self.aws.keys), dose);
        let of_dose = dose.and_then(|dose| dose.person.as_ref()).filter(|person| **person != case.person);
        for person in of_dose.into_iter().chain([&case.person]) {
            let about = About { person: Some(person), case: Some(&case.pk), names: &names, why };
            self.audit.write(officer, action, about, now).await?;
        }
        Ok(())
    }

    /// The answer to a step that the audit has already; where it was not done, the audit has that as well.
    async fn noted(
        &self,
        officer: &Officer,
        about: (&CaseRecord, Option<&DoseRecord>),
        step: Step,
        now: Timestamp,
    ) -> FailureResult {
        if !matches!(step, Step::Done(_)) {
            self.note(officer, Action::NotDone, about, "", now).await?;
        }
        self.stepped(step)
    }

    /// What a step came to, as an answer.
    pub(crate) fn stepped(&self, step: Step) -> FailureResult {
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

#[derive(Clone, Copy)]
enum Decision {
    Grant,
    Refuse,
    AskBack,
}

impl Decision {
    fn of_code(code: &str) -> Option<Self> {
        match code {
            "grant" => Some(Decision::Grant),
            "refuse" => Some(Decision::Refuse),
            "ask_back" => Some(Decision::AskBack),
            _ => None,
        }
    }
}

fn invalid(field: &str) -> Vec<bukti_wire::FieldError> {
    vec![bukti_wire::FieldError { field: field.to_owned(), code: "invalid".to_owned() }]
}

/// Who confirmed something, as an officer writes it: a name or a position, which has some letters.
fn who(text: &str) -> Option<String> {
    let letters = text.chars().filter(|character| character.is_alphabetic()).count();
    written(text).filter(|_| letters >= LEAST_LETTERS)
}

/// The keys of name and birth date that the audit has of a look: of the case, and of doses.
fn names_of<'a>(case: Option<String>, doses: impl IntoIterator<Item = &'a DoseRecord>) -> Vec<String> {
    let doses = doses.into_iter().filter_map(|dose| dose.alike.clone());
    case.into_iter().chain(doses).collect::<BTreeSet<_>>().into_iter().collect()
}

fn dose_id(event: &str) -> String {
    event.strip_prefix("E#").unwrap_or(event).to_owned()
}
