//! The diagnosis of a dose: why it does or does not have a certificate, who has to act, and what to
//! do next. The citizen's status page, the helpdesk and the reports share this state machine.
//!
//! ```text
//!                     ┌─ rejected row ──► dose_rejected      (facility sends it again)
//!                     ├─ before ICVP ───► dose_before_icvp   (nobody: the booklet stays valid)
//!                     ├─ retraction ────► dose_retracted     (facility, if the retraction is wrong)
//!   nothing received ─┤─ contradiction ─► dose_held          (facility; helpdesk if corrected by law)
//!   dose_not_received └─ field missing ─► dose_incomplete    (facility completes it)
//!                          complete
//!                             │
//!                   certificate_being_made ──► certificate_issued ──► certificate_revoked
//!                                                │  certificate_issued_phone_missing / _invalid / _different
//!                                                └─ corrected ► certificate_being_made (the old one superseded)
//! ```

use crate::{Reason, Verdict};

/// The severity of a state, which determines its icon and colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing needs to be done.
    Good,
    /// Something is pending or missing.
    Waiting,
    /// Something has to be corrected.
    Wrong,
}

codes! {
    /// The state of a dose and its certificate, in the order of the help page.
    DiagnosisCode,
    /// The severity of the state.
    tone: Tone {
        /// No dose has been received for this person.
        DoseNotReceived = "dose_not_received" => Tone::Waiting,
        /// A dose was received without data that a certificate needs.
        DoseIncomplete = "dose_incomplete" => Tone::Waiting,
        /// The data of the dose contradict each other.
        DoseHeld = "dose_held" => Tone::Wrong,
        /// The row that reports the dose was rejected; the facility has to send it again.
        DoseRejected = "dose_rejected" => Tone::Wrong,
        /// The facility has retracted the dose, which was entered in error.
        DoseRetracted = "dose_retracted" => Tone::Wrong,
        /// The dose was given before international certificates were digital; the yellow booklet
        /// stays valid.
        DoseBeforeIcvp = "dose_before_icvp" => Tone::Waiting,
        /// The dose is complete and its certificate is being issued.
        CertificateBeingMade = "certificate_being_made" => Tone::Waiting,
        /// The certificate was issued and an SMS sent to the phone on record.
        CertificateIssued = "certificate_issued" => Tone::Good,
        /// The certificate was issued, but there is no phone on record.
        CertificateIssuedPhoneMissing = "certificate_issued_phone_missing" => Tone::Waiting,
        /// The certificate was issued, but the phone on record is not a mobile number.
        CertificateIssuedPhoneInvalid = "certificate_issued_phone_invalid" => Tone::Waiting,
        /// The certificate was issued, but the phone that is logged in is not the phone on record.
        CertificateIssuedPhoneDifferent = "certificate_issued_phone_different" => Tone::Waiting,
        /// The certificate was replaced by a corrected one.
        CertificateSuperseded = "certificate_superseded" => Tone::Waiting,
        /// The certificate was revoked.
        CertificateRevoked = "certificate_revoked" => Tone::Wrong,
    }
}

codes! {
    /// The party that has to act.
    Actor {
        /// Nobody, since there is nothing to do.
        Nobody = "nobody",
        /// The service itself.
        Service = "service",
        /// The facility that gave the dose.
        Facility = "facility",
        /// The vaccinated person.
        Citizen = "citizen",
        /// The helpdesk.
        Helpdesk = "helpdesk",
    }
}

codes! {
    /// What the person can do next.
    NextStep {
        /// Open the link in the SMS.
        OpenLink = "open_link",
        /// Log in with the phone on record.
        LogIn = "log_in",
        /// Check the name and number that were entered.
        CheckInput = "check_input",
        /// Wait until the state changes.
        Wait = "wait",
        /// Ask the facility that gave the dose.
        AskFacility = "ask_facility",
        /// Open a case with evidence that the birth date or sex was corrected by law.
        ConfirmData = "confirm_data",
        /// Call or write to the helpdesk.
        ContactHelpdesk = "contact_helpdesk",
    }
}

/// The state of a dose's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateFacts {
    /// The current version of the dose has no certificate.
    None,
    /// The current version of the dose has a certificate.
    Issued,
    /// The certificate was revoked.
    Revoked,
}

/// The diagnosis of a dose, as codes. The locale files contain the texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The state of the dose and its certificate.
    pub code: DiagnosisCode,
    /// The reasons for the state, such as missing or contradictory fields.
    pub reasons: Vec<Reason>,
    /// The party that has to act.
    pub actor: Actor,
    /// What the person can do, with the most useful step first.
    pub next_steps: &'static [NextStep],
    /// The minimum and maximum number of days that it usually takes until the state changes; `None`
    /// if there is no estimate.
    pub usual_days: Option<(u8, u8)>,
}

/// The diagnosis for a person for whom no dose has been received.
pub fn not_received() -> Diagnosis {
    Diagnosis {
        code: DiagnosisCode::DoseNotReceived,
        reasons: Vec::new(),
        actor: Actor::Facility,
        next_steps: &[NextStep::CheckInput, NextStep::Wait, NextStep::AskFacility, NextStep::ContactHelpdesk],
        usual_days: Some((3, 7)),
    }
}

/// Diagnoses a dose from the verdict on its current row and the state of its certificate.
///
/// `same_phone` says whether the phone on record is the phone that is logged in. It is `None` if no
/// phone is logged in.
pub fn diagnose(
    verdict: Verdict,
    reasons: &[Reason],
    certificate: CertificateFacts,
    same_phone: Option<bool>,
) -> Diagnosis {
    use {DiagnosisCode::*, NextStep::*};
    let (code, actor, next_steps, usual_days): (_, _, &'static [NextStep], _) = match (verdict, certificate) {
        (Verdict::Rejected, _) if reasons == [Reason::VaccinationBeforeIcvp] => {
            (DoseBeforeIcvp, Actor::Nobody, &[ContactHelpdesk], None)
        }
        (Verdict::Rejected, _) => {
            (DoseRejected, Actor::Facility, &[AskFacility, ContactHelpdesk], Some((3, 7)))
        }
        (Verdict::Held, _) => {
            (DoseHeld, Actor::Facility, &[AskFacility, ConfirmData, ContactHelpdesk], Some((3, 7)))
        }
        (Verdict::Retracted, _) => (DoseRetracted, Actor::Facility, &[AskFacility, ContactHelpdesk], None),
        (Verdict::Incomplete, _) => {
            (DoseIncomplete, Actor::Facility, &[Wait, AskFacility, ContactHelpdesk], Some((3, 7)))
        }
        (Verdict::Complete, CertificateFacts::None) => {
            (CertificateBeingMade, Actor::Service, &[Wait, ContactHelpdesk], Some((0, 1)))
        }
        (Verdict::Complete, CertificateFacts::Revoked) => {
            (CertificateRevoked, Actor::Helpdesk, &[ContactHelpdesk], None)
        }
        (Verdict::Complete, CertificateFacts::Issued) if same_phone == Some(false) => {
            (CertificateIssuedPhoneDifferent, Actor::Citizen, &[LogIn, ContactHelpdesk], None)
        }
        (Verdict::Complete, CertificateFacts::Issued) => {
            if reasons.contains(&Reason::PhoneMissing) {
                (
                    CertificateIssuedPhoneMissing,
                    Actor::Facility,
                    &[AskFacility, ContactHelpdesk],
                    Some((3, 7)),
                )
            } else if reasons.contains(&Reason::PhoneInvalid) {
                (
                    CertificateIssuedPhoneInvalid,
                    Actor::Facility,
                    &[AskFacility, ContactHelpdesk],
                    Some((3, 7)),
                )
            } else {
                (CertificateIssued, Actor::Nobody, &[LogIn, OpenLink, ContactHelpdesk], None)
            }
        }
    };
    Diagnosis { code, reasons: reasons.to_vec(), actor, next_steps, usual_days }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_code_and_next_step() {
        let issued = CertificateFacts::Issued;
        let cases = [
            (diagnose(Verdict::Rejected, &[], CertificateFacts::None, None), "dose_rejected"),
            (
                diagnose(
                    Verdict::Rejected,
                    &[Reason::VaccinationBeforeIcvp, Reason::NikMalformed],
                    CertificateFacts::None,
                    None,
                ),
                "dose_rejected",
            ),
            (
                diagnose(Verdict::Rejected, &[Reason::VaccinationBeforeIcvp], CertificateFacts::None, None),
                "dose_before_icvp",
            ),
            (diagnose(Verdict::Retracted, &[], CertificateFacts::Revoked, None), "dose_retracted"),
            (diagnose(Verdict::Held, &[Reason::NikSexMismatch], CertificateFacts::None, None), "dose_held"),
            (diagnose(Verdict::Incomplete, &[Reason::BatchMissing], issued, None), "dose_incomplete"),
            (diagnose(Verdict::Retracted, &[], CertificateFacts::None, None), "dose_retracted"),
            (diagnose(Verdict::Retracted, &[], issued, Some(true)), "dose_retracted"),
            (diagnose(Verdict::Retracted, &[], CertificateFacts::Revoked, Some(false)), "dose_retracted"),
            (diagnose(Verdict::Complete, &[], CertificateFacts::None, None), "certificate_being_made"),
            (diagnose(Verdict::Complete, &[], issued, None), "certificate_issued"),
            (
                diagnose(Verdict::Complete, &[Reason::PhoneMissing], issued, None),
                "certificate_issued_phone_missing",
            ),
            (
                diagnose(Verdict::Complete, &[Reason::PhoneInvalid], issued, None),
                "certificate_issued_phone_invalid",
            ),
            (diagnose(Verdict::Complete, &[], issued, Some(false)), "certificate_issued_phone_different"),
            (diagnose(Verdict::Complete, &[], CertificateFacts::Revoked, None), "certificate_revoked"),
            (not_received(), "dose_not_received"),
        ];
        for (diagnosis, code) in cases {
            assert_eq!(diagnosis.code.code(), code);
            assert!(!diagnosis.next_steps.is_empty());
        }
    }
}
