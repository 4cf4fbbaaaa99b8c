//! Converts cases and doses to the views that responses contain.

use bukti_domain::{CaseNumber, FeedRow};
use bukti_records::{CaseFile, CaseRecord, Officer};
use bukti_runtime::{Answer, json};
use bukti_wire::{ApplicantStatement, Case, CaseMessage, CaseSummary, RecordedDose, StatedDose};

/// A case as the citizen sees it.
pub(crate) fn case_view(case: &CaseRecord, file: &CaseFile) -> Case {
    let message = |message: &bukti_records::Message| CaseMessage {
        at: message.at.as_second(),
        from_officer: message.from_officer,
        text: message.text.clone(),
    };
    Case {
        number: grouped(file),
        correction: case.correction,
        state: case.state,
        opened_at: case.created_at.as_second(),
        changed_at: case.changed_at.as_second(),
        possible_match: file.possible_match,
        evidence: u32::try_from(file.evidence.len()).unwrap_or(u32::MAX),
        messages: file.messages.iter().map(message).collect(),
        why: file.decision.as_ref().map(|decision| decision.why.clone()),
    }
}

pub(crate) fn summary(case: &CaseRecord, file: &CaseFile) -> CaseSummary {
    CaseSummary {
        number: grouped(file),
        correction: case.correction,
        state: case.state,
        opened_at: case.created_at.as_second(),
    }
}

fn grouped(file: &CaseFile) -> String {
    CaseNumber::parse(&file.number).map(|number| number.grouped()).unwrap_or_default()
}

/// The citizen's statement as officers see it.
pub(crate) fn said(file: &CaseFile) -> ApplicantStatement {
    ApplicantStatement {
        identity: file.identity.clone(),
        name: file.name.clone(),
        birth_date: file.birth_date.to_string(),
        phone: file.phone.clone(),
        right: file.right.clone(),
        dose: file.dose.as_ref().map(|dose| StatedDose {
            dose_number: dose.dose_number,
            vaccine: dose.vaccine.clone(),
            vaccination_date: dose.vaccination_date.to_string(),
            facility: dose.facility.clone(),
        }),
        note: file.note.clone(),
    }
}

/// The data of a row as officers see them.
pub(crate) fn recorded(row: &FeedRow) -> RecordedDose {
    let identity = if row.nik.trim().is_empty() { &row.paspor } else { &row.nik };
    RecordedDose {
        identity: identity.clone(),
        name: row.nama.clone(),
        birth_date: row.tanggal_lahir.clone(),
        sex: row.jenis_kelamin.clone(),
        phone: row.no_hp.clone(),
        dose_number: row.dosis_ke.clone(),
        vaccine: row.vaksin.clone(),
        batch: row.batch.clone(),
        vaccination_date: row.tanggal_vaksinasi.clone(),
        facility: format!("{} {}", row.kode_faskes, row.nama_faskes).trim().to_owned(),
    }
}

pub(crate) fn officer(officer: &Officer) -> Answer {
    json(200, &bukti_wire::Officer { name: officer.name.clone(), role: officer.role.code().to_owned() })
}
