//! The expected response of each route to each kind of caller.

use bukti_tests::caller::RawResponse;
use bukti_wire::{Access, HelpdeskRoute, HolderRoute, OtpRoute, ROUTES, Route, SenderRoute, StatusRoute};

/// The status and problem code of a response. The code is empty if the request succeeds.
pub(crate) type Outcome = (u16, &'static str);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallerKind {
    /// No session and no API key.
    Anonymous,
    /// A session of a phone to which none of the records belongs.
    Stranger,
    /// A session of the phone to which the records belong.
    Owner,
    /// An officer's session without the second factor.
    UnverifiedOfficer,
    Officer,
    Supervisor,
    /// A facility's API key.
    Facility,
    /// A hub's API key.
    Hub,
}

impl CallerKind {
    /// All kinds, in the order in which they call a route. The officer comes before the supervisor,
    /// whose approval closes the case.
    pub(crate) const ALL: [Self; 8] = [
        Self::Anonymous,
        Self::Stranger,
        Self::Owner,
        Self::UnverifiedOfficer,
        Self::Officer,
        Self::Supervisor,
        Self::Facility,
        Self::Hub,
    ];
}

/// The expected response to callers that may call the route, for a request about the owner's
/// records.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// The same response to all callers.
    All(u16, &'static str),
    /// One response to the owner, another to all other callers.
    Owner { owner: Outcome, other: Outcome },
    /// One response to an officer, another to a supervisor.
    Supervisor { officer: Outcome, supervisor: Outcome },
    /// One response to a facility, another to a hub.
    Hub { facility: Outcome, hub: Outcome },
}

/// For a record that only the owner may see: other callers get the response for a missing record.
const fn owner_only(status: u16, code: &'static str) -> Expected {
    Expected::Owner { owner: (status, code), other: (404, "not_found") }
}

/// The response to an approval of another officer's proposal.
const APPROVAL: Expected = Expected::Supervisor { officer: (403, "needs_supervisor"), supervisor: (200, "") };
/// The response to a request for the job of a feed from the drop folder. Only hubs may see it.
const JOB: Expected = Expected::Hub { facility: (404, "not_found"), hub: (200, "") };

/// The expected responses to the fixture's requests. For other routes, the tests only check that
/// permitted callers are not rejected.
const EXPECTED: [(Route, Expected); 32] = [
    (StatusRoute::Captcha.route(), Expected::All(200, "")),
    (StatusRoute::Status.route(), Expected::All(422, "captcha_wrong")),
    (StatusRoute::Download.route(), Expected::All(422, "captcha_wrong")),
    (StatusRoute::Vaccines.route(), Expected::All(200, "")),
    (StatusRoute::Openapi.route(), Expected::All(200, "")),
    (OtpRoute::Otp.route(), Expected::All(422, "captcha_wrong")),
    (OtpRoute::LogIn.route(), Expected::All(410, "code_dead")),
    (OtpRoute::Sessions.route(), Expected::All(200, "")),
    (OtpRoute::Session.route(), Expected::All(200, "")),
    // Logging out without a session succeeds.
    (OtpRoute::LogOut.route(), Expected::All(204, "")),
    (OtpRoute::EndSession.route(), owner_only(204, "")),
    (HolderRoute::People.route(), Expected::All(200, "")),
    (HolderRoute::Certificates.route(), owner_only(200, "")),
    (HolderRoute::Document.route(), owner_only(200, "")),
    (HolderRoute::Link.route(), Expected::All(410, "link_dead")),
    (HolderRoute::RefuseLink.route(), Expected::All(410, "link_dead")),
    (HelpdeskRoute::OpenCase.route(), Expected::All(201, "")),
    (HelpdeskRoute::Cases.route(), Expected::All(200, "")),
    (HelpdeskRoute::Case.route(), Expected::All(404, "not_found")),
    (HelpdeskRoute::Evidence.route(), owner_only(201, "")),
    // No officer has asked a question, so the owner has nothing to reply to.
    (HelpdeskRoute::Reply.route(), owner_only(409, "case_changed")),
    (HelpdeskRoute::AccessLog.route(), owner_only(200, "")),
    (HelpdeskRoute::SecondFactor.route(), Expected::All(422, "second_factor_wrong")),
    (HelpdeskRoute::Officer.route(), Expected::All(200, "")),
    (HelpdeskRoute::Queue.route(), Expected::All(200, "")),
    (HelpdeskRoute::OfficerCase.route(), Expected::All(200, "")),
    (HelpdeskRoute::Decide.route(), APPROVAL),
    (HelpdeskRoute::FindPeople.route(), Expected::All(200, "")),
    (HelpdeskRoute::Resend.route(), Expected::All(202, "")),
    // The request body contains no rows.
    (SenderRoute::SendDoses.route(), Expected::All(422, "feed_unreadable")),
    (SenderRoute::Job.route(), JOB),
    (SenderRoute::Metadata.route(), Expected::All(200, "")),
];

/// The response to a caller that may not call the route; `None` if the caller may call it.
pub(crate) fn rejection(access: Access, caller: CallerKind) -> Option<Outcome> {
    let has_session = !matches!(caller, CallerKind::Anonymous | CallerKind::Facility | CallerKind::Hub);
    let is_appointed =
        matches!(caller, CallerKind::UnverifiedOfficer | CallerKind::Officer | CallerKind::Supervisor);
    match access {
        Access::Anybody => None,
        Access::ApiKey => {
            (!matches!(caller, CallerKind::Facility | CallerKind::Hub)).then_some((401, "api_key_wrong"))
        }
        _ if !has_session => Some((401, "not_logged_in")),
        Access::Session => None,
        _ if !is_appointed => Some((403, "not_an_officer")),
        Access::AppointedPhone => None,
        Access::Officer => (caller == CallerKind::UnverifiedOfficer).then_some((403, "second_factor_needed")),
    }
}

/// Asserts that a route gave a caller the expected response.
pub(crate) fn assert_response(route: Route, caller: CallerKind, raw: &RawResponse, context: &str) {
    let code = if raw.body.is_empty() { String::new() } else { code(raw) };
    let (got, context) = ((raw.status, &*code), format!("{context}: {caller:?}: {route:?}"));
    if let Some(rejection) = rejection(route.access, caller) {
        return assert_eq!(got, rejection, "{context}");
    }
    let Some((_, answer)) = EXPECTED.iter().find(|(known, _)| *known == route) else {
        let rejections = ["not_logged_in", "not_an_officer", "second_factor_needed", "api_key_wrong"];
        return assert!(raw.status < 500 && !rejections.contains(&got.1), "{context}: {got:?}");
    };
    let expected = match *answer {
        Expected::All(status, code) => (status, code),
        Expected::Owner { owner, other } => {
            if caller == CallerKind::Owner {
                owner
            } else {
                other
            }
        }
        Expected::Supervisor { officer, supervisor } => {
            if caller == CallerKind::Supervisor {
                supervisor
            } else {
                officer
            }
        }
        Expected::Hub { facility, hub } => {
            if caller == CallerKind::Hub {
                hub
            } else {
                facility
            }
        }
    };
    assert_eq!(got, expected, "{context}");
}

/// All routes that require a session.
pub(crate) fn session_routes() -> impl Iterator<Item = Route> {
    ROUTES
        .iter()
        .copied()
        .filter(|route| rejection(route.access, CallerKind::Anonymous) == Some((401, "not_logged_in")))
}

pub(crate) fn code(raw: &RawResponse) -> String {
    raw.json()["code"].as_str().unwrap_or_default().to_owned()
}
