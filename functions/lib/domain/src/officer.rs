//! Roles of officers, and the actions that the audit log records.

codes! {
    /// The role of an officer.
    Role {
        /// Views records, answers applicants, decides cases.
        Officer = "officer",
        /// An officer who may also approve what another officer proposed.
        Supervisor = "supervisor",
    }
}

codes! {
    /// An officer's action, as the audit log records it.
    Action {
        /// Logged in with both factors.
        LoggedIn = "logged_in",
        /// Entered a wrong code of the second factor.
        SecondFactorWrong = "second_factor_wrong",
        /// Searched for a person.
        Searched = "searched",
        /// Viewed a person's record.
        RecordViewed = "looked_at",
        /// Viewed a case.
        CaseViewed = "looked_at_case",
        /// Asked the applicant a question.
        AskedBack = "asked_back",
        /// Proposed to grant a correction that a supervisor has to approve.
        Proposed = "proposed",
        /// Granted a correction.
        Granted = "granted",
        /// Refused a correction.
        Refused = "refused",
        /// Requested that the SMS be sent again.
        Resent = "resent",
        /// The action of the entry before was not carried out: the data had changed meanwhile, or
        /// it failed. Entries are written before the action.
        ActionFailed = "not_done",
    }
}
