//! Why there is a certificate or none, who must act, and what to do next: one state machine for the citizen's status,
//! the helpdesk and the reports.
//!
//! ```text
//!                     ┌─ rejected row ──► dose_rejected      (facility sends it again)
//!                     ├─ before ICVP ───► dose_before_icvp   (nobody: the booklet stays valid)
//!                     ├─ retraction ────► dose_retracted     (facility, where the retraction is wrong)
//!   nothing received ─┤─ contradiction ─► dose_held          (facility; helpdesk where corrected by law)
//!   dose_not_received └─ field missing ─► dose_incomplete    (facility completes it)
//!                          complete
//!                             │
//!                   certificate_being_made ──► certificate_issued ──► certificate_revoked
//!                                                │  certificate_issued_phone_missing / _invalid / _different
//!                                                └─ corrected ► certificate_being_made (the old one superseded)
//! ```

use crate::{Reason, Verdict};

/// How a state looks: each has its icon and its colours beside its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// All is well.
    Good,
    /// Something is under way or missing.
    Waiting,
    /// Something must be put right.
    Wrong,
}

codes! {
    /// What is the matter with a dose's certificate, in the order in which the help has it.
    DiagnosisCode,
    /// How it looks.
    mood: Mood {
        /// No dose has been received for this person.
        DoseNotReceived = "dose_not_received" => Mood::Waiting,
        /// A dose was received but something is missing.
        DoseIncomplete = "dose_incomplete" => Mood::Waiting,
        /// The data contradict each other.
        DoseHeld = "dose_held" => Mood::Wrong,
        /// A dose was received that cannot be kept: its facility must send it again.
        DoseRejected = "dose_rejected" => Mood::Wrong,
        /// Its facility has retracted it: it was entered in error.
        DoseRetracted = "dose_retracted" => Mood::Wrong,
        /// A dose was received that was given before its certificate was digital: it stands in the yellow booklet.
        DoseBeforeIcvp = "dose_before_icvp" => Mood::Waiting,
        /// Received and complete, the certificate is being made.
        CertificateBeingMade = "certificate_being_made" => Mood::Waiting,
        /// Issued; the SMS went to the registered phone.
        CertificateIssued = "certificate_issued" => Mood::Good,
        /// Issued, but no phone was registered with the vaccination.
        CertificateIssuedPhoneMissing = "certificate_issued_phone_missing" => Mood::Waiting,
        /// Issued, but the registered phone is no mobile number.
        CertificateIssuedPhoneInvalid = "certificate_issued_phone_invalid" => Mood::Waiting,
        /// Issued, but the registered phone is another than the one logged in with.
        CertificateIssuedPhoneDifferent = "certificate_issued_phone_different" => Mood::Waiting,
        /// A corrected certificate has taken its place.
        CertificateSuperseded = "certificate_superseded" => Mood::Waiting,
        /// Revoked.
        CertificateRevoked = "certificate_revoked" => Mood::Wrong,
    }
}

codes! {
    /// Who must act.
    Actor {
        /// Nobody: all is done.
        Nobody = "nobody",
        /// The service itself: wait.
        Service = "service",
        /// The facility that vaccinated.
        Facility = "facility",
        /// The person.
        Citizen = "citizen",
        /// The helpdesk.
        Helpdesk = "helpdesk",
    }
}

codes! {
    /// What the person can do next, the most useful first.
    NextStep {
        /// Open the link of the SMS.
        OpenLink = "open_link",
        /// Log in with the registered phone.
        LogIn = "log_in",
        /// Check the name and number typed.
        CheckInput = "check_input",
        /// Wait.
        Wait = "wait",
        /// Ask the facility.
        AskFacility = "ask_facility",
        /// Open a case with evidence, where birth date or sex were corrected by law.
        ConfirmData = "confirm_data",
        /// Call or write to the helpdesk.
        ContactHelpdesk = "contact_helpdesk",
    }
}

/// What is known of the certificate of a dose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateFacts {
    /// There is none for the dose as it is now.
    None,
    /// There is one for the dose as it is now.
    Issued,
    /// It was revoked.
    Revoked,
}

/// The state of a dose in codes; the texts are in the locale files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// What is the matter.
    pub code: DiagnosisCode,
    /// The fields or contradictions it is about.
    pub reasons: Vec<Reason>,
    /// Who must act.
    pub actor: Actor,
    /// What the person can do, the most useful first.
    pub next_steps: &'static [NextStep],
    /// How long it usually takes, in days, from and to.
    pub usual_days: Option<(u8, u8)>,
}

/// The diagnosis of a person of whom nothing was received.
pub fn not_received() -> Diagnosis {
    Diagnosis {
        code: DiagnosisCode::DoseNotReceived,
        reasons: Vec::new(),
        actor: Actor::Facility,
        next_steps: &[NextStep::CheckInput, NextStep::Wait, NextStep::AskFacility, NextStep::ContactHelpdesk],
        usual_days: Some((3, 7)),
    }
}

/// The diagnosis of a dose whose current row was judged so, with this certificate.
///
/// `same_phone` is whether the registered phone is the one logged in with; `None` where nobody is logged in.
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
    fn each_state_has_its_own_code_and_a_next_step() {
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
