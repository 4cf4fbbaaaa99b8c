//! Mapping of an Immunization, and the resources to which it refers, to a row.

use bukti_domain::feed::ENTERED_IN_ERROR;
use bukti_domain::{
    FeedRow, INDONESIA_WEST, Reason, RowStatus, disease, occurrence_offset, parse_moment, vaccine_named,
};
use jiff::Timestamp;

use super::current::identifier;
use super::file::{Entry, File};
use super::reference::{Referables, logical_identifier, split_address, without_version};
use super::resource::{Identifier, Immunization, Patient, Protocol, Reference, Resource};
use super::vaccine::vaccine;
use crate::line::Unreadable;

impl File<'_> {
    /// Maps an Immunization to a row.
    ///
    /// # Errors
    ///
    /// Returns [`Unreadable`] if the Immunization reports no dose, if a modifier changes its
    /// meaning, or if its patient is missing.
    pub(super) fn row(
        &self,
        entry: &Entry<'_>,
        immunization: &Immunization<'_>,
        referables: &Referables<'_>,
        received_at: Option<Timestamp>,
    ) -> Result<FeedRow, Unreadable> {
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let sent_at = immunization.meta.as_ref().and_then(|meta| filled(&meta.last_updated));
        let sent_at = sent_at.or_else(|| filled(&self.timestamp));
        let sent_at = sent_at.or_else(|| received_at.map(|at| at.to_string())).unwrap_or_default();

        let sent_on = sent_on(&sent_at);

        let event_id = identifier(&immunization.identifier, &sent_on).or_else(|| filled(&immunization.id));
        let event_id = event_id.or_else(|| entry.event_id().map(str::to_owned)).unwrap_or_default();
        let unreadable = |reason| Unreadable::new(&event_id, reason);
        let status = immunization.status.as_deref().unwrap_or_default();
        let is_retracted = RowStatus::parse(status) == Some(RowStatus::EnteredInError);
        if !is_retracted && status != "completed" {
            return Err(unreadable(Reason::NotCompleted));
        }

        let contained: Vec<Resource<'_>> =
            immunization.contained.iter().filter_map(|resource| Resource::read(resource)).collect();
        let find = |reference: &Reference| referables.find(reference, &contained, entry);
        let reference = immunization.patient.as_ref();
        let patient = match reference.and_then(find) {
            Some(Resource::Patient(patient)) => Some(&**patient),
            _ => None,
        };
        let logical = reference.and_then(logical_identifier);
        if !is_retracted {
            if patient.is_none() && logical.is_none() {
                return Err(unreadable(Reason::PatientMissing));
            }
            if immunization.is_subpotent == Some(true) {
                return Err(unreadable(Reason::Subpotent));
            }
            let referred = reference.into_iter().chain(immunization.places()).filter_map(find);
            if immunization.has_modifier() || contained.iter().chain(referred).any(Resource::has_modifier) {
                return Err(unreadable(Reason::ModifierUnknown));
            }
        }

        let identifiers = || patient.into_iter().flat_map(|it| &it.identifier).chain(&logical);
        let number = |is_kind: fn(&Identifier) -> bool| {
            identifier(identifiers().filter(|it| is_kind(it)), &sent_on).unwrap_or_default()
        };
        let (nik, paspor) = (number(Identifier::is_nik), number(Identifier::is_passport));
        let is_passport = nik.is_empty() && !paspor.is_empty();
        let places: Vec<(String, String)> =
            immunization.places().map(|place| facility(place, find(place), &sent_on)).collect();
        let first = |part: fn(&(String, String)) -> &String| {
            places.iter().map(part).find(|text| !text.is_empty()).cloned().unwrap_or_default()
        };
        let kode_faskes = first(|(code, _)| code);
        let vaksin = vaccine(immunization, find);
        let occurrence = filled(&immunization.occurrence_date_time);
        let occurrence = occurrence.or_else(|| filled(&immunization.occurrence_string)).unwrap_or_default();
        Ok(FeedRow {
            event_id: event_id.clone(),
            nik,
            paspor,
            nama: patient.map(|it| it.current_name(&sent_on, is_passport)).unwrap_or_default(),
            tanggal_lahir: patient.and_then(|it| it.birth_date.clone()).unwrap_or_default(),
            jenis_kelamin: patient.map(Patient::sex).unwrap_or_default(),
            no_hp: patient.map(|it| it.current_phone(&sent_on)).unwrap_or_default(),
            dosis_ke: dose_number(&immunization.protocol_applied, &vaksin),
            vaksin,
            batch: immunization.lot_number.clone().unwrap_or_default(),
            tanggal_vaksinasi: local_day(&occurrence, &kode_faskes),
            nama_faskes: first(|(_, name)| name),
            status: if is_retracted { ENTERED_IN_ERROR.to_owned() } else { String::new() },
            sent_at,
            kode_faskes,
        })
    }
}

/// The day on which a row was sent, in western Indonesian time; `sent_at` itself if it is not a
/// valid time.
fn sent_on(sent_at: &str) -> String {
    let day = |moment| INDONESIA_WEST.to_datetime(moment).date().to_string();
    parse_moment(sent_at).map_or_else(|| sent_at.to_owned(), day)
}

/// The day of a FHIR `dateTime` at the facility; the text itself if it has no time or is invalid.
/// The offset `Z` says nothing about the facility's location, since many systems write all times in
/// UTC.
fn local_day(occurrence: &str, facility: &str) -> String {
    match parse_moment(occurrence) {
        Some(moment) => {
            let pieces = jiff::fmt::temporal::Pieces::parse(occurrence.trim());
            let written = pieces.ok().and_then(|pieces| pieces.to_numeric_offset());
            occurrence_offset(facility, written).to_datetime(moment).date().to_string()
        }
        None => occurrence.to_owned(),
    }
}

/// The dose number from the protocols for the vaccine's disease, or from all protocols if none
/// names the disease.
fn dose_number(protocols: &[Protocol], vaccine: &str) -> String {
    let target = vaccine_named(vaccine).and_then(|vaccine| disease(&vaccine.disease)?.dcc_target.as_deref());
    let of_disease: Vec<&Protocol> =
        protocols.iter().filter(|it| target.is_some_and(|target| it.targets(target))).collect();
    let mut relevant =
        if of_disease.is_empty() { protocols.iter().collect() } else { of_disease }.into_iter();
    relevant.find_map(Protocol::number).unwrap_or_default()
}

/// The code and name of a facility; each is empty if unknown.
fn facility(reference: &Reference, found: Option<&Resource<'_>>, on: &str) -> (String, String) {
    let place = match found {
        Some(Resource::Place(_, place)) => Some(place),
        _ => None,
    };
    let code = place.and_then(|place| identifier(&place.identifier, on));
    let code = code.or_else(|| reference.identifier.as_ref()?.value.clone());
    // On SATUSEHAT, the id of an Organization is the code of the facility.
    let written = reference.reference.as_deref().map(|written| split_address(without_version(written)).1);
    let code = code.or_else(|| written?.strip_prefix("Organization/").map(str::to_owned));
    let name = place.and_then(|place| place.name.clone());
    // The display text of a Practitioner is a person's name.
    let is_place = !written.is_some_and(|it| it.starts_with("Practitioner"));
    let name = name.or_else(|| reference.display.clone().filter(|_| is_place));
    (code.unwrap_or_default(), name.unwrap_or_default())
}
