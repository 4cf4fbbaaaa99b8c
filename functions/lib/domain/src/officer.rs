//! Officers: what they may do, and what the audit says that they did.

codes! {
    /// What an officer may do.
    Role {
        /// Looks, answers, decides.
        Officer = "officer",
        /// Approves as well what another officer would change of who a certificate is for.
        Supervisor = "supervisor",
    }
}

codes! {
    /// What was done.
    Action {
        /// Logged in with both factors.
        LoggedIn = "logged_in",
        /// Showed a wrong code of the second factor.
        SecondFactorWrong = "second_factor_wrong",
        /// Looked for a person.
        Searched = "searched",
        /// Looked at a person's record.
        LookedAt = "looked_at",
        /// Looked at a case.
        LookedAtCase = "looked_at_case",
        /// Asked the person back.
        AskedBack = "asked_back",
        /// Would grant a correction; another decides.
        Proposed = "proposed",
        /// Granted a correction.
        Granted = "granted",
        /// Refused one.
        Refused = "refused",
        /// Had the SMS sent anew.
        Resent = "resent",
        /// What was last written was not done: another was faster, or it could not be.
        NotDone = "not_done",
    }
}
