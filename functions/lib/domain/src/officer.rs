//! Roles of officers, and the actions that the audit log records.

codes! {
    /// The role of an officer.
    Role {
        /// Views records, answers applicants and decides cases.
        Officer = "officer",
        /// An officer who may also approve other officers' proposals.
        Supervisor = "supervisor",
    }
}

codes! {
    /// An officer's action, as the audit log records it.
    Action {
        /// Logged in with both factors.
        LoggedIn = "logged_in",
        /// Entered a wrong second-factor code.
        SecondFactorWrong = "second_factor_wrong",
        /// Searched for a person.
        Searched = "searched",
        /// Viewed a person's record.
        RecordViewed = "looked_at",
        /// Viewed a case.
        CaseViewed = "looked_at_case",
        /// Asked the applicant a question.
        AskedBack = "asked_back",
        /// Proposed to grant a correction that needs a supervisor's approval.
        Proposed = "proposed",
        /// Granted a correction.
        Granted = "granted",
        /// Refused a correction.
        Refused = "refused",
        /// Requested that the SMS be sent again.
        Resent = "resent",
        /// The action in the preceding entry was not carried out: either the data had changed in
        /// the meantime, or the action failed. Entries are written before the action.
        ActionFailed = "not_done",
    }
}
