//! The helpdesk's cases. [`CaseRecord`] computes the result of a step; this module writes it.

use aws_sdk_dynamodb::types::TransactWriteItem;
use bukti_domain::{CaseNumber, Correction, FeedRow, Origin};
use bukti_records::{
    CaseKey, CaseRecord, Change, ConfirmationRecord, DoseRecord, Evidence, ItemKey, KeyRange, Keys, NewCase,
    Officer, Partition, PersonKey, PhoneKey, Queued, Rate, Rewrite, Step, Token,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::claims;
use super::confirmations::Confirmations;
use crate::table::{Item, Table, from_item, least_of, to_item};
use crate::{Aws, Doses, Rates, StoreError, Taken};

/// The maximum number of cases that are read for a phone or a person.
const MAX_CASES: usize = 100;

/// The number of cases that one phone can open per day.
const PER_DAY: Rate = Rate { name: "cases", window: SignedDuration::from_hours(24), most: 5 };

/// The number of wrong birth dates per case, client network and day. Counted per network, so that a
/// stranger who knows the case number cannot lock out everyone else.
const WRONG_LOOK_UPS_OF_NETWORK: Rate =
    Rate { name: "wrong looks at a case from a network", window: SignedDuration::from_hours(24), most: 10 };

/// The number of wrong birth dates per case and day from all networks together, so that the birth
/// date cannot be guessed from many networks.
const WRONG_LOOK_UPS: Rate =
    Rate { name: "wrong looks at a case", window: SignedDuration::from_hours(24), most: 60 };

/// An entry in the case list of the phone that opened the case.
#[derive(Debug, Serialize, Deserialize)]
struct Listed {
    case: CaseKey,
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

impl Cases {
    /// The key prefix of evidence in the bucket.
    pub const EVIDENCE: &str = "evidence/";

    /// Creates an instance that uses the deployment's table and keys.
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

    /// Opens a case for a phone (its index key). If the phone has reached its daily limit, returns
    /// the number of seconds until it can open another case.
    pub async fn open(
        &self,
        applicant: &PhoneKey,
        new: NewCase,
        now: Timestamp,
    ) -> Result<Result<CaseNumber, u32>, StoreError> {
        if let Taken::Full { wait } = self.rates.take(&PER_DAY, applicant.as_str(), now).await? {
            return Ok(Err(wait));
        }
        let bits = Keys::random::<8>().ok_or_else(|| StoreError::Unavailable("no randomness".to_owned()))?;
        let number = CaseNumber::of_bits(u64::from_be_bytes(bits));
        let record = CaseRecord::new(applicant, new, &number, &self.keys, now)?;
        let pk = &record.pk;
        let is_new = "attribute_not_exists(pk)";
        let (listed, queued) = (Listed { case: pk.clone() }, record.queued());
        let all = vec![
            self.table.putting(to_item(&ItemKey::case(pk), &record)?, is_new, &[])?,
            self.table.putting(to_item(&ItemKey::queued(pk, now), &queued)?, is_new, &[])?,
            self.table.putting(to_item(&ItemKey::listed_case(applicant, pk), &listed)?, is_new, &[])?,
        ];
        if !self.table.transact(all).await? {
            return Err(StoreError::Unavailable("a random case number already exists; retry".to_owned()));
        }
        Ok(Ok(number))
    }

    /// Counts a look-up of a case from a client network as a wrong one, whether or not the case
    /// exists; `false` if a limit is reached. Call this before comparing the birth date, so that
    /// concurrent guesses are limited too.
    pub async fn count_look_up(
        &self,
        number: &CaseNumber,
        network: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        // Count towards the network's limit first, so that a network that has reached it does not
        // exhaust the limit for all networks.
        for (rate, subject) in Self::look_up_limits(number, network) {
            if let Taken::Full { .. } = self.rates.take(&rate, &subject, now).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Refunds [`Cases::count_look_up`] after a correct birth date.
    pub async fn refund_look_up(
        &self,
        number: &CaseNumber,
        network: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for (rate, subject) in Self::look_up_limits(number, network) {
            self.rates.give_back(&rate, &subject, now).await?;
        }
        Ok(())
    }

    fn look_up_limits(number: &CaseNumber, network: &str) -> [(Rate, String); 2] {
        let number = number.as_str();
        [(WRONG_LOOK_UPS_OF_NETWORK, format!("{number} {network}")), (WRONG_LOOK_UPS, number.to_owned())]
    }

    /// The case with this number; `None` if the number is unknown.
    pub async fn of_number(&self, number: &CaseNumber) -> Result<Option<CaseRecord>, StoreError> {
        self.of_key(&self.keys.case(number)).await
    }

    /// The case with this key; `None` if the key is unknown.
    pub async fn of_key(&self, case: &CaseKey) -> Result<Option<CaseRecord>, StoreError> {
        self.table.get(&ItemKey::case(case)).await?.map(|item| from_item(item, "case")).transpose()
    }

    /// The cases that a phone (its index key) opened, newest first, and whether there are more. At
    /// most one hundred are read.
    pub async fn of_applicant(&self, applicant: &PhoneKey) -> Result<(Vec<CaseRecord>, bool), StoreError> {
        let mut cases = Vec::new();
        let listed = self.table.partition_first(&Partition::cases(applicant), MAX_CASES).await?;
        for item in listed.items {
            let listed: Listed = from_item(item, "case in the list")?;
            cases.extend(self.of_key(&listed.case).await?);
        }
        cases.sort_by_key(|case| std::cmp::Reverse(case.created_at));
        Ok((cases, listed.more))
    }

    /// The cases about a person (their index key), newest first, and whether there are more than
    /// the hundred that are returned.
    pub async fn of_person_key(&self, person: &PersonKey) -> Result<(Vec<CaseRecord>, bool), StoreError> {
        let query = self.table.query("by_person", ("person", person.as_str()), KeyRange::CASES);
        let newest = |item: &Item| {
            let at = item.get("created_at")?.as_s().ok()?;
            Some(std::cmp::Reverse(at.parse::<Timestamp>().ok()?))
        };
        let found = least_of(query, MAX_CASES, newest).await?;
        let cases = found.items.into_iter().map(|item| from_item(item, "case"));
        Ok((cases.collect::<Result<_, _>>()?, found.more))
    }

    /// The first `most` cases that wait for an officer, oldest first, starting after the queue
    /// position `after`.
    pub async fn queue(&self, after: Option<&str>, most: usize) -> Result<Vec<Queued>, StoreError> {
        let items = self.table.partition_after(&Partition::queue(), after.unwrap_or(" "), most).await?;
        items.into_iter().map(|item| from_item(item, "case of the queue")).collect()
    }

    /// Records a file of evidence before its upload. `None` if the case has the maximum number of
    /// files, has been decided, or was changed concurrently.
    pub async fn expect_evidence(
        &self,
        case: &CaseRecord,
        content_type: &str,
        bytes: u64,
        now: Timestamp,
    ) -> Result<Option<Evidence>, StoreError> {
        let name = Token::generate().ok_or_else(|| StoreError::Unavailable("no randomness".to_owned()))?;
        let folder = case.pk.id();
        let evidence = Evidence {
            key: format!("{}{folder}/{}", Self::EVIDENCE, name.secret()),
            content_type: content_type.to_owned(),
            bytes,
        };
        let Some(next) = case.expecting(evidence.clone(), &self.keys, now)? else { return Ok(None) };
        Ok(self.write(case, &next, Vec::new()).await?.then_some(evidence))
    }

    /// Adds the applicant's answer to an officer's question, and reopens the case.
    pub async fn answer(&self, case: &CaseRecord, text: &str, now: Timestamp) -> Result<Step, StoreError> {
        self.step(case, case.answered(text, &self.keys, now)?, Vec::new()).await
    }

    /// Asks the applicant a question, which requests an SMS.
    pub async fn ask_back(
        &self,
        case: &CaseRecord,
        officer: &Officer,
        text: &str,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        self.step(case, case.asked_back(officer, text, &self.keys, now)?, Vec::new()).await
    }

    /// Refuses a case. The applicant reads the reason.
    pub async fn refuse(
        &self,
        case: &CaseRecord,
        officer: &Officer,
        why: &str,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        self.step(case, case.refused(officer, why, &self.keys, now)?, Vec::new()).await
    }

    /// Records an officer's proposal, which another officer has to approve.
    pub async fn propose(
        &self,
        case: &CaseRecord,
        officer: &Officer,
        dose: Option<&DoseRecord>,
        change: Change,
        reasons: (&str, Option<&str>),
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let row = match case.changed(officer, dose, &change, &self.keys)? {
            Ok(row) => row,
            Err(step) => return Ok(step),
        };
        if case.correction == Correction::DataCorrectedByLaw {
            if case.data_to_confirm(&row, &self.keys).is_none() {
                return Ok(Step::Contradiction);
            }
        } else if let Err(step) = self.rewrite(case, dose, &row, now).await? {
            return Ok(step);
        }
        let next = case.proposed(officer, change, reasons, &self.keys, now)?;
        self.step(case, Ok(next), Vec::new()).await
    }

    /// Grants a case and applies its change to the dose in one transaction. The dose's links become
    /// invalid. The functions that read the table's stream issue the certificate and send the SMS.
    /// Returns [`Step::Overtaken`] if the dose was changed concurrently.
    pub async fn grant(
        &self,
        case: &CaseRecord,
        officer: &Officer,
        dose: Option<&DoseRecord>,
        change: &Change,
        reasons: (&str, Option<&str>),
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let row = match case.changed(officer, dose, change, &self.keys)? {
            Ok(row) => row,
            Err(step) => return Ok(step),
        };
        let rewrite = match self.rewrite(case, dose, &row, now).await? {
            Ok(rewrite) => rewrite,
            Err(step) => return Ok(step),
        };
        let (event, writing) = self.doses.writing(dose, &rewrite)?;
        let next = case.granted(officer, Some(event), reasons, &self.keys, now)?;
        self.step(case, Ok(next), vec![writing]).await
    }

    /// Approves another officer's proposal to confirm identity data that contradict the NIK but are
    /// correct by law. The person's rows with these data are then no longer held. The case and the
    /// confirmation are written in one transaction; afterwards `issue`, which reads the table's
    /// stream, issues certificates for the held doses.
    ///
    /// Returns [`Step::Overtaken`] if there is no proposal by another officer.
    pub async fn confirm(
        &self,
        case: &CaseRecord,
        officer: &Officer,
        dose: Option<&DoseRecord>,
        why: &str,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let file = case.file(&self.keys)?;
        let Some(proposal) = case.proposal_of_another(officer, &file) else { return Ok(Step::Overtaken) };
        let Some(change) = &proposal.change else { return Ok(Step::ProposalOvertaken) };
        let row = match case.changed(officer, dose, change, &self.keys)? {
            Ok(row) => row,
            Err(step) => return Ok(step),
        };
        let Some(data) = case.data_to_confirm(&row, &self.keys) else { return Ok(Step::Contradiction) };
        let record = ConfirmationRecord::new(&case.person, &data, now, &self.keys);
        // The SMS about the certificate announces the decision as well.
        let first = self.doses.first_dose_to_issue(&case.person, &data, &case.applicant).await?;
        let reasons = (why, proposal.confirmed_by.as_deref());
        let next = case.granted(officer, first.map(|dose| dose.pk), reasons, &self.keys, now)?;
        self.step(case, Ok(next), vec![self.confirmations.writing(&record, &case.pk)?]).await
    }

    /// The dose after the correction, or the [`Step`] that rejects the correction because the dose
    /// would become worse, or would be a dose that an admin has withdrawn.
    async fn rewrite(
        &self,
        case: &CaseRecord,
        dose: Option<&DoseRecord>,
        row: &FeedRow,
        now: Timestamp,
    ) -> Result<Result<Rewrite, Step>, StoreError> {
        let origin = Origin { job: case.pk.as_str().to_owned(), line: u64::from(case.revision) };
        let Some(rewrite) = self.doses.rewritten(dose, row.clone(), origin, now).await? else {
            return Ok(Err(Step::Contradiction));
        };
        if !rewrite.is_no_worse_than(dose) {
            return Ok(Err(Step::Contradiction));
        }
        if let Some(claim) = rewrite.claim()
            && claims::is_withdrawn(&self.table, claim).await?
        {
            return Ok(Err(Step::Withdrawn));
        }
        Ok(Ok(rewrite))
    }

    /// Writes the next revision of a case, unless `next` rejects the step.
    async fn step(
        &self,
        case: &CaseRecord,
        next: Result<CaseRecord, Step>,
        more: Vec<TransactWriteItem>,
    ) -> Result<Step, StoreError> {
        let next = match next {
            Ok(next) => next,
            Err(step) => return Ok(step),
        };
        let done = self.write(case, &next, more).await?;
        Ok(if done { Step::Done(Box::new(next)) } else { Step::Overtaken })
    }

    /// Writes the next revision of a case together with `more` in one transaction, which also
    /// removes a decided case from the queue; `false` if a condition does not hold.
    async fn write(
        &self,
        case: &CaseRecord,
        next: &CaseRecord,
        more: Vec<TransactWriteItem>,
    ) -> Result<bool, StoreError> {
        let mut all = vec![self.table.putting_at(case.revision, to_item(&ItemKey::case(&next.pk), next)?)?];
        if next.state.is_decided() {
            all.push(self.table.deleting(&ItemKey::queued(&next.pk, next.created_at))?);
        }
        all.extend(more);
        self.table.transact(all).await
    }
}
