//! The helpdesk's cases: what people say is wrong, and how it is put right.
//!
//! Each step of a case is one transaction on its revision: of two officers at one case one decides, the other is told. A
//! granted correction rewrites the dose in the same transaction; certificate, revocation and SMS follow by the table's
//! stream, as they do where a facility corrects a dose.

use aws_sdk_dynamodb::types::TransactWriteItem;
use bukti_domain::{
    Asking, BirthDate, CaseNumber, CaseState, Correction, FeedRow, Identity, IdentityData, Origin,
    PersonName, PhoneNumber, Verdict, likenesses,
};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::table::accounts::account_key;
use crate::table::claims;
use crate::table::confirmations::{ConfirmationRecord, Confirmations};
use crate::table::doses::{DoseRecord, Doses, Rewrite};
use crate::table::{self, Item, Table, from_item, least_of, to_item};
use crate::{Aws, Keys, Officer, Rate, Rates, StoreError, Taken};

pub(crate) const SK: &str = "CASE";

/// The most cases of a phone or of a person that are read for an answer.
const MOST_CASES: usize = 100;

/// What the keys of a phone's list of cases begin with.
const LISTED: &str = "CASE#";

/// The cases that somebody has to look at, oldest first: an item each, in one partition. A thousand cases a second fit into
/// it.
pub(crate) const QUEUE: &str = "V#QUEUE";

/// Cases that one phone may open in a day.
const PER_DAY: Rate = Rate { name: "cases", window: SignedDuration::from_hours(24), most: 5 };

/// Wrong birth dates that one client network may give for a case in a day. Per network, so that a stranger who has the number
/// does not lock the look-up for everybody.
const WRONG_LOOKS_OF_NETWORK: Rate =
    Rate { name: "wrong looks at a case from a network", window: SignedDuration::from_hours(24), most: 10 };

/// Wrong birth dates for a case in a day, from all networks: many networks together guess no birth date either.
const WRONG_LOOKS: Rate =
    Rate { name: "wrong looks at a case", window: SignedDuration::from_hours(24), most: 60 };

/// The most pieces of evidence that a case has.
const MOST_EVIDENCE: usize = 5;
/// The most messages that a case has: an item of the table has a size limit.
const MOST_MESSAGES: usize = 40;

/// A case as it is kept. What is personal is in its file, sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CaseRecord {
    /// Its key.
    pub pk: String,
    /// Which write this is, from 1: the condition of the next.
    pub revision: u32,
    /// What is wrong.
    pub correction: Correction,
    /// Where it stands.
    pub state: CaseState,
    /// The index key of the person that it is about, as the number was written: whether there is one or not.
    pub person: String,
    /// The index key of the phone that asked. Not named `phone`, which is what the index of phones lists.
    pub applicant: String,
    /// The key of the event whose dose was corrected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
    file: ByteBuf,
}

/// What a case says. Personal: for sealed fields only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CaseFile {
    /// Its number.
    pub number: String,
    /// NIK or passport number, as it was written.
    pub identity: String,
    /// The name, as it was written.
    pub name: String,
    /// The birth date.
    pub birth_date: BirthDate,
    /// The phone that asked, E.164: a code came to it.
    pub phone: String,
    /// The right value, as it was written; empty for a missing dose.
    pub right: String,
    /// The missing dose, as the person says it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose: Option<MissingDose>,
    /// What else the person says.
    pub note: String,
    /// Whether something like it was found when it was opened.
    pub possible_match: bool,
    /// Pictures of cards and the like.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// What officers asked, and what the person answered.
    #[serde(default)]
    pub messages: Vec<Message>,
    /// What an officer would do, until another decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
    /// What was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// A dose that the record does not have.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MissingDose {
    /// Which one it was.
    pub dose_number: u8,
    /// The vaccine's name.
    pub vaccine: String,
    /// The day.
    pub vaccination_date: Date,
    /// The facility's name.
    pub facility: String,
}

/// A piece of evidence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Evidence {
    /// Its key in the bucket.
    pub key: String,
    /// Its media type.
    pub content_type: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// A message of a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// When.
    pub at: Timestamp,
    /// Whether an officer wrote it.
    pub from_officer: bool,
    /// What.
    pub text: String,
}

/// A correction that waits for a second person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Proposal {
    /// The officer's id: it must be another who approves.
    pub officer: String,
    /// The officer's name.
    pub officer_name: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: String,
    /// Who at a facility or the civil registry confirmed it, where evidence is missing or beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<String>,
    /// What would change; none in what a Bukti of before kept, which has to be proposed anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// The change that a correction makes. A proposal stores it instead of the resulting row, so that
/// corrections of the same dose that are granted before it are not undone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// One value of a dose that is there.
    Correct {
        /// The key of its event.
        event: String,
        /// Which value.
        correction: Correction,
        /// The right value, as it was written.
        right: String,
        /// What the dose said when this was asked for, see [`Correction::basis`].
        basis: Vec<String>,
    },
    /// A missing dose, with this row.
    Make(Box<FeedRow>),
}

impl Change {
    /// The change of a dose that says this. `None` where the value cannot be right.
    pub fn correcting(event: &str, correction: Correction, row: &FeedRow, right: &str) -> Option<Self> {
        correction.corrected(row, right)?;
        Some(Self::Correct {
            event: event.to_owned(),
            correction,
            right: right.to_owned(),
            basis: correction.basis(row).map(str::to_owned).to_vec(),
        })
    }

    /// The key of the event whose dose is corrected; none where one is made.
    pub fn event(&self) -> Option<&str> {
        match self {
            Change::Correct { event, .. } => Some(event),
            Change::Make(_) => None,
        }
    }

    /// Whether a supervisor other than the proposer has to approve it: it changes whom a
    /// certificate is for, or moves it to another phone than the one that opened the case, which
    /// was verified by a one-time code.
    pub fn needs_approval(&self, file: &CaseFile) -> bool {
        match self {
            Change::Correct { correction: Correction::Phone, right, .. } => {
                PhoneNumber::parse(right).is_none_or(|right| Some(right) != file.phone())
            }
            Change::Correct { correction, .. } => correction.needs_approval(),
            Change::Make(_) => true,
        }
    }

    /// The row that results from applying the change to the dose's current row.
    pub fn applied(&self, row: Option<&FeedRow>) -> Option<FeedRow> {
        match self {
            Change::Correct { correction, right, .. } => correction.corrected(row?, right),
            Change::Make(row) => Some((**row).clone()),
        }
    }

    /// Whether the dose is no longer what it was when this was asked for.
    fn is_overtaken(&self, row: Option<&FeedRow>) -> bool {
        match (self, row) {
            (Change::Correct { correction, basis, .. }, Some(row)) => *basis != correction.basis(row),
            (Change::Correct { .. }, None) => true,
            (Change::Make(_), row) => row.is_some(),
        }
    }
}

/// What was decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// Whether it was granted.
    pub granted: bool,
    /// The officer's name.
    pub officer_name: String,
    /// When.
    pub at: Timestamp,
    /// Why, for the person to read.
    pub why: String,
    /// Who at a facility or the civil registry confirmed it, where evidence is missing or beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<String>,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct NewCase {
    /// What is wrong.
    pub correction: Correction,
    /// The person's index key.
    pub person: String,
    /// What the case says; its number is made.
    pub file: CaseFile,
}

/// A case of the queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Queued {
    sk: String,
    /// Its key.
    pub case: String,
}

/// A case in the list of the phone that opened it.
#[derive(Debug, Serialize, Deserialize)]
struct Listed {
    case: String,
}

/// What a step of a case came to.
#[derive(Debug)]
pub enum Step {
    /// It was done; the case as it is now.
    Done(Box<CaseRecord>),
    /// Another was faster: the case, or the dose, is not what it was.
    Overtaken,
    /// What was proposed no longer fits the dose, which was corrected meanwhile.
    ProposalOvertaken,
    /// The case, or the dose that it is about, is the officer's own.
    OwnCase,
    /// The dose is not of the person that the case is about.
    ForeignDose,
    /// An admin withdrew the dose.
    Withdrawn,
    /// The record would contradict itself, or no dose could be made of it.
    Contradiction,
}

/// Opens, finds and decides cases.
#[derive(Clone)]
pub struct Cases {
    table: Table,
    keys: Keys,
    doses: Doses,
    confirmations: Confirmations,
    rates: Rates,
}

impl CaseRecord {
    /// What it says.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] where its seal does not open.
    pub fn file(&self, keys: &Keys) -> Result<CaseFile, StoreError> {
        keys.open(&file_key(&self.pk), &self.file).map_err(|_| StoreError::Corrupt("case"))
    }

    /// The case with another file: its next revision.
    fn next(
        &self,
        state: CaseState,
        file: &CaseFile,
        keys: &Keys,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            revision: self.revision + 1,
            state,
            changed_at: now,
            file: seal(&self.pk, file, keys)?,
            ..self.clone()
        })
    }

    /// A record from an item of the table's stream; `None` where the item is no case.
    pub fn from_image(image: serde_dynamo::Item) -> Option<Self> {
        table::from_image(image, SK)
    }

    fn queue_key(&self) -> String {
        format!("{:013} {}", self.created_at.as_millisecond(), self.pk)
    }
}

fn file_key(pk: &str) -> String {
    format!("{pk} {SK} file")
}

fn seal(pk: &str, file: &CaseFile, keys: &Keys) -> Result<ByteBuf, StoreError> {
    let sealed = keys.seal(&file_key(pk), file).map(ByteBuf::from);
    sealed.ok_or(StoreError::Corrupt("a case cannot be sealed"))
}

impl Cases {
    /// Where evidence lies in the bucket.
    pub const EVIDENCE: &str = "evidence/";

    /// The cases of a deployment.
    #[expect(clippy::disallowed_methods, reason = "a case is decided together with its dose")]
    pub fn new(aws: &Aws) -> Self {
        Self {
            table: aws.table(),
            keys: aws.keys.clone(),
            doses: Doses::new(aws),
            confirmations: Confirmations::new(aws),
            rates: Rates::new(aws),
        }
    }

    /// Opens a case for a phone (its index key); the seconds until it may open another where it opened many today.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn open(
        &self,
        applicant: &str,
        new: NewCase,
        now: Timestamp,
    ) -> Result<Result<CaseNumber, u32>, StoreError> {
        if let Taken::Full { wait } = self.rates.take(&PER_DAY, applicant, now).await? {
            return Ok(Err(wait));
        }
        let bits = Keys::random::<8>().ok_or_else(|| StoreError::Unavailable("no randomness".to_owned()))?;
        let number = CaseNumber::of_bits(u64::from_be_bytes(bits));
        let pk = self.keys.case(&number);
        let file = CaseFile { number: number.as_str().to_owned(), ..new.file };
        let record = CaseRecord {
            revision: 1,
            correction: new.correction,
            state: CaseState::Open,
            person: new.person,
            applicant: applicant.to_owned(),
            event: None,
            created_at: now,
            changed_at: now,
            file: seal(&pk, &file, &self.keys)?,
            pk: pk.clone(),
        };
        let is_new = "attribute_not_exists(pk)";
        let listed = Listed { case: pk.clone() };
        let queued = Queued { sk: record.queue_key(), case: pk.clone() };
        let all = vec![
            self.table.putting(to_item(&pk, SK, &record)?, is_new, &[])?,
            self.table.putting(to_item(QUEUE, &queued.sk, &queued)?, is_new, &[])?,
            self.table.putting(
                to_item(&account_key(applicant), &format!("{LISTED}{pk}"), &listed)?,
                is_new,
                &[],
            )?,
        ];
        if !self.table.transact(all).await? {
            return Err(StoreError::Unavailable("a random case number is there already".to_owned()));
        }
        Ok(Ok(number))
    }

    /// Counts a look at a case from a client network as a wrong one, whether there is such a case or not; `false` where there
    /// were too many in the day. Counted before the birth date is judged, so that concurrent guesses are bounded too.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn take_look(
        &self,
        number: &CaseNumber,
        network: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        // The network first: one that has spent its own share takes nothing of the others'.
        for (rate, subject) in Self::looks_of(number, network) {
            if let Taken::Full { .. } = self.rates.take(&rate, &subject, now).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Gives back what [`Cases::take_look`] took: the birth date was right.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn give_back_look(
        &self,
        number: &CaseNumber,
        network: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for (rate, subject) in Self::looks_of(number, network) {
            self.rates.give_back(&rate, &subject, now).await?;
        }
        Ok(())
    }

    fn looks_of(number: &CaseNumber, network: &str) -> [(Rate, String); 2] {
        let number = number.as_str();
        [(WRONG_LOOKS_OF_NETWORK, format!("{number} {network}")), (WRONG_LOOKS, number.to_owned())]
    }

    /// The case of a number.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_number(&self, number: &CaseNumber) -> Result<Option<CaseRecord>, StoreError> {
        self.of_key(&self.keys.case(number)).await
    }

    /// The case of a key.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_key(&self, pk: &str) -> Result<Option<CaseRecord>, StoreError> {
        self.table.get(pk, SK).await?.map(|item| from_item(item, "case")).transpose()
    }

    /// The cases that a phone (its index key) opened, newest first; at most a hundred, and whether there are more.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_applicant(&self, applicant: &str) -> Result<(Vec<CaseRecord>, bool), StoreError> {
        let mut cases = Vec::new();
        let listed = self.table.partition_part_first(&account_key(applicant), LISTED, MOST_CASES).await?;
        for item in listed.items {
            let listed: Listed = from_item(item, "case in the list")?;
            cases.extend(self.of_key(&listed.case).await?);
        }
        cases.sort_by_key(|case| std::cmp::Reverse(case.created_at));
        Ok((cases, listed.more))
    }

    /// The cases about a person (its index key), newest first; at most the newest hundred, and whether there are more.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_person_key(&self, person: &str) -> Result<(Vec<CaseRecord>, bool), StoreError> {
        let query = self.table.query("by_person", ("person", person), ("N#", "N#~"));
        let newest = |item: &Item| {
            let at = item.get("created_at")?.as_s().ok()?;
            Some(std::cmp::Reverse(at.parse::<Timestamp>().ok()?))
        };
        let found = least_of(query, MOST_CASES, newest).await?;
        let cases = found.items.into_iter().map(|item| from_item(item, "case"));
        Ok((cases.collect::<Result<_, _>>()?, found.more))
    }

    /// The cases that somebody has to look at, oldest first: at most `most`, after this one where one is named.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn queue(&self, after: Option<&str>, most: usize) -> Result<Vec<Queued>, StoreError> {
        let items = self.table.partition_after(QUEUE, after.unwrap_or(" "), most).await?;
        items.into_iter().map(|item| from_item(item, "case of the queue")).collect()
    }

    /// Notes a piece of evidence that is about to be uploaded. `None` where the case has as many as it may, is decided, or has
    /// changed meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn expect_evidence(
        &self,
        case: &CaseRecord,
        content_type: &str,
        bytes: u64,
        now: Timestamp,
    ) -> Result<Option<Evidence>, StoreError> {
        let mut file = case.file(&self.keys)?;
        if case.state.is_decided() || file.evidence.len() >= MOST_EVIDENCE {
            return Ok(None);
        }
        let name =
            crate::Token::generate().ok_or_else(|| StoreError::Unavailable("no randomness".to_owned()))?;
        let folder = case.pk.trim_start_matches("N#");
        let evidence = Evidence {
            key: format!("{}{folder}/{}", Self::EVIDENCE, name.secret()),
            content_type: content_type.to_owned(),
            bytes,
        };
        file.evidence.push(evidence.clone());
        let next = case.next(case.state, &file, &self.keys, now)?;
        Ok(self.write(case, &next, Vec::new()).await?.then_some(evidence))
    }

    /// The person's answer to what an officer asked: the case is open again.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn answer(&self, case: &CaseRecord, text: &str, now: Timestamp) -> Result<Step, StoreError> {
        if case.state != CaseState::AskedBack {
            return Ok(Step::Overtaken);
        }
        self.say(case, CaseState::Open, false, text, now).await
    }

    /// Asks the person back.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn ask_back(
        &self,
        case: &CaseRecord,
        officer: &Officer,
        text: &str,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        if let Some(step) = Self::refused_to(case, officer) {
            return Ok(step);
        }
        self.say(case, CaseState::AskedBack, true, text, now).await
    }

    async fn say(
        &self,
        case: &CaseRecord,
        state: CaseState,
        from_officer: bool,
        text: &str,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let mut file = case.file(&self.keys)?;
        if file.messages.len() >= MOST_MESSAGES {
            return Ok(Step::Overtaken);
        }
        file.messages.push(Message { at: now, from_officer, text: text.to_owned() });
        file.proposal = None;
        self.step(case, state, &file, Vec::new(), now).await
    }

    /// Refuses a case.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn refuse(
        &self,
        case: &CaseRecord,
        officer: &Officer,
        why: &str,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        if let Some(step) = Self::refused_to(case, officer) {
            return Ok(step);
        }
        let mut file = case.file(&self.keys)?;
        file.decision = Some(Decision::of(officer, false, (why, None), now));
        self.step(case, CaseState::Refused, &file, Vec::new(), now).await
    }

    /// Notes what an officer would do, for another to decide.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn propose(
        &self,
        case: &CaseRecord,
        officer: &Officer,
        dose: Option<&DoseRecord>,
        change: Change,
        (why, confirmed_by): (&str, Option<&str>),
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let row = match self.changed(case, officer, dose, &change)? {
            Ok(row) => row,
            Err(step) => return Ok(step),
        };
        if case.correction == Correction::DataCorrectedByLaw {
            if self.data_to_confirm(case, &row).is_none() {
                return Ok(Step::Contradiction);
            }
        } else if let Err(step) = self.rewrite(case, dose, &row, now).await? {
            return Ok(step);
        }
        let mut file = case.file(&self.keys)?;
        file.proposal = Some(Proposal {
            officer: officer.id.clone(),
            officer_name: officer.name.clone(),
            at: now,
            why: why.to_owned(),
            confirmed_by: confirmed_by.map(str::to_owned),
            change: Some(change),
        });
        self.step(case, CaseState::AwaitingApproval, &file, Vec::new(), now).await
    }

    /// Grants a case that rewrites a dose, all or nothing: this change is applied to the dose as it is
    /// now, its links are dead, and whoever reads the table's stream makes the certificate and sends
    /// the SMS. [`Step::Overtaken`] where the dose has another revision by then.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn grant(
        &self,
        case: &CaseRecord,
        officer: &Officer,
        dose: Option<&DoseRecord>,
        change: &Change,
        reasons: (&str, Option<&str>),
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let row = match self.changed(case, officer, dose, change)? {
            Ok(row) => row,
            Err(step) => return Ok(step),
        };
        let rewrite = match self.rewrite(case, dose, &row, now).await? {
            Ok(rewrite) => rewrite,
            Err(step) => return Ok(step),
        };
        let mut file = case.file(&self.keys)?;
        file.decision = Some(Decision::of(officer, true, reasons, now));
        let (event, writing) = self.doses.writing(dose, &rewrite)?;
        let case = CaseRecord { event: Some(event), ..case.clone() };
        self.step(&case, CaseState::Granted, &file, vec![writing], now).await
    }

    /// Confirms what another officer proposed for data that were corrected by law: from now on the person's rows with these
    /// data are not held. Case and confirmation are written together; whoever reads the table's stream issues the doses
    /// that are held.
    ///
    /// [`Step::Overtaken`] where there is no proposal of another officer.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn confirm(
        &self,
        case: &CaseRecord,
        officer: &Officer,
        dose: Option<&DoseRecord>,
        why: &str,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let mut file = case.file(&self.keys)?;
        let proposal = file.proposal.as_ref().filter(|proposal| proposal.officer != officer.id);
        let Some(proposal) = proposal.filter(|_| case.state == CaseState::AwaitingApproval) else {
            return Ok(Step::Overtaken);
        };
        let Some(change) = &proposal.change else { return Ok(Step::ProposalOvertaken) };
        let row = match self.changed(case, officer, dose, change)? {
            Ok(row) => row,
            Err(step) => return Ok(step),
        };
        let Some(data) = self.data_to_confirm(case, &row) else { return Ok(Step::Contradiction) };
        let record = ConfirmationRecord::new(&case.person, &data, &case.pk, now, &self.keys);
        let reasons = (why, proposal.confirmed_by.as_deref());
        file.decision = Some(Decision::of(officer, true, reasons, now));
        // Its SMS tells of the decision as well.
        let first = self.doses.first_dose_to_issue(&case.person, &data, &case.applicant).await?;
        let case = CaseRecord { event: first.map(|dose| dose.pk), ..case.clone() };
        let writing = self.confirmations.writing(&record)?;
        self.step(&case, CaseState::Granted, &file, vec![writing], now).await
    }

    /// Why an officer cannot decide a case, where it is so.
    fn refused_to(case: &CaseRecord, officer: &Officer) -> Option<Step> {
        if case.state.is_decided() {
            Some(Step::Overtaken)
        } else if case.applicant == officer.id {
            Some(Step::OwnCase)
        } else {
            None
        }
    }

    /// The row that a change makes of a dose as it is now, where this officer may make it in this case; else the step that
    /// says why not. All corrections of doses, proposed and granted, go through here.
    fn changed(
        &self,
        case: &CaseRecord,
        officer: &Officer,
        dose: Option<&DoseRecord>,
        change: &Change,
    ) -> Result<Result<FeedRow, Step>, StoreError> {
        if let Some(step) = Self::refused_to(case, officer) {
            return Ok(Err(step));
        }
        let row = dose.map(|dose| dose.open(&self.keys)).transpose();
        let row = row.map_err(|_| StoreError::Corrupt("dose"))?;
        if let (Some(dose), Some(row)) = (dose, &row)
            && !self.is_of_case(case, change, dose, row)?
        {
            return Ok(Err(Step::ForeignDose));
        }
        if dose.is_some_and(|dose| dose.withdrawn.is_some()) {
            return Ok(Err(Step::Withdrawn));
        }
        if change.is_overtaken(row.as_ref()) {
            return Ok(Err(Step::ProposalOvertaken));
        }
        let Some(changed) = change.applied(row.as_ref()) else { return Ok(Err(Step::Contradiction)) };
        // The phone before the change and after it: officers neither give away nor take what comes to their own.
        let after = changed.dose().phone.map(|phone| self.keys.phone(&phone));
        let phones = [dose.and_then(|dose| dose.phone.as_ref()), after.as_ref()];
        if phones.into_iter().flatten().any(|phone| *phone == officer.id) {
            return Ok(Err(Step::OwnCase));
        }
        Ok(Ok(changed))
    }

    /// Whether a dose is of the person that the case is about. It may be recorded under another number only where the number
    /// is what is corrected, which a supervisor approves, and name and birth date are the person's.
    fn is_of_case(
        &self,
        case: &CaseRecord,
        change: &Change,
        dose: &DoseRecord,
        row: &FeedRow,
    ) -> Result<bool, StoreError> {
        if dose.person.as_ref() == Some(&case.person) {
            return Ok(true);
        }
        let corrects_number = matches!(change, Change::Correct { correction: Correction::Identity, .. });
        let asking = case.file(&self.keys)?.asking();
        Ok(corrects_number && asking.is_some_and(|asking| !likenesses(&asking, &row.dose()).is_empty()))
    }

    /// The identity data that a row states, where they are of the case's person and contradict the NIK.
    fn data_to_confirm(&self, case: &CaseRecord, row: &FeedRow) -> Option<IdentityData> {
        let data = IdentityData::of(&row.dose()).filter(|data| !data.contradictions().is_empty())?;
        (self.keys.person(&Identity::Nik(data.nik.clone())) == case.person).then_some(data)
    }

    /// The dose after the correction; else the step that says why it cannot be made: the dose would
    /// be worse than before, or it would be one that an admin has withdrawn.
    async fn rewrite(
        &self,
        case: &CaseRecord,
        dose: Option<&DoseRecord>,
        row: &FeedRow,
        now: Timestamp,
    ) -> Result<Result<Rewrite, Step>, StoreError> {
        let origin = Origin { job: case.pk.clone(), line: u64::from(case.revision) };
        let Some(rewrite) = self.doses.rewritten(dose, row.clone(), origin, now).await? else {
            return Ok(Err(Step::Contradiction));
        };
        let good = match rewrite.verdict() {
            Verdict::Complete => true,
            // What was incomplete before may stay so: the facility completes it.
            Verdict::Incomplete => dose.is_some_and(|dose| dose.verdict == Verdict::Incomplete),
            Verdict::Held | Verdict::Rejected | Verdict::Retracted => false,
        };
        if !good {
            return Ok(Err(Step::Contradiction));
        }
        if let Some(claim) = rewrite.claim()
            && claims::is_withdrawn(&self.table, claim).await?
        {
            return Ok(Err(Step::Withdrawn));
        }
        Ok(Ok(rewrite))
    }

    async fn step(
        &self,
        case: &CaseRecord,
        state: CaseState,
        file: &CaseFile,
        more: Vec<TransactWriteItem>,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let next = case.next(state, file, &self.keys, now)?;
        let done = self.write(case, &next, more).await?;
        Ok(if done { Step::Done(Box::new(next)) } else { Step::Overtaken })
    }

    /// Writes the next revision and what belongs to it, out of the queue where it is decided: all or nothing.
    async fn write(
        &self,
        case: &CaseRecord,
        next: &CaseRecord,
        more: Vec<TransactWriteItem>,
    ) -> Result<bool, StoreError> {
        let mut all = vec![self.table.putting_at(case.revision, to_item(&next.pk, SK, next)?)?];
        if next.state.is_decided() {
            all.push(self.table.deleting(QUEUE, &next.queue_key())?);
        }
        all.extend(more);
        self.table.transact(all).await
    }
}

impl Queued {
    /// By what [`Cases::queue`] goes on after it.
    pub fn position(&self) -> &str {
        &self.sk
    }
}

impl Decision {
    /// A decision of this officer, with the reason and who confirmed it.
    fn of(
        officer: &Officer,
        granted: bool,
        (why, confirmed_by): (&str, Option<&str>),
        now: Timestamp,
    ) -> Self {
        Self {
            granted,
            officer_name: officer.name.clone(),
            at: now,
            why: why.to_owned(),
            confirmed_by: confirmed_by.map(str::to_owned),
        }
    }
}

impl CaseFile {
    /// What the person says of themselves, where it can be read.
    pub fn asking(&self) -> Option<Asking> {
        Some(Asking {
            identity: Identity::parse(&self.identity)?,
            name: PersonName::parse(&self.name)?,
            birth_date: self.birth_date,
            phone: self.phone(),
        })
    }

    /// The key of the name and birth date that were written, where the name can be read.
    pub fn alike(&self, keys: &Keys) -> Option<String> {
        PersonName::parse(&self.name).map(|name| keys.alike(&name, self.birth_date))
    }

    /// The phone that asked.
    pub fn phone(&self) -> Option<PhoneNumber> {
        PhoneNumber::parse(&self.phone)
    }
}
