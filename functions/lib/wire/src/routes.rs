//! Which function answers which route. The embedded stack mounts the functions by this list, and tests hold the API
//! document and the deployment template to it.

/// An HTTP function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// What is answered without an account: captcha, status, quick download, vaccines, API document.
    Status,
    /// One-time codes, accounts, sessions.
    Otp,
    /// People, certificates, links.
    Holder,
    /// Corrections: what people ask for, what officers see and decide.
    Helpdesk,
    /// Doses that facilities and hubs send with their API keys.
    Sender,
}

impl Function {
    /// The name of its folder, crate and resource.
    pub fn name(self) -> &'static str {
        match self {
            Function::Status => "status",
            Function::Otp => "otp",
            Function::Holder => "holder",
            Function::Helpdesk => "helpdesk",
            Function::Sender => "sender",
        }
    }
}

/// A route of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// HTTP method.
    pub method: &'static str,
    /// Path, parameters in braces.
    pub path: &'static str,
    /// Who answers.
    pub function: Function,
}

const fn route(method: &'static str, path: &'static str, function: Function) -> Route {
    Route { method, path, function }
}

/// Every route of the API.
pub const ROUTES: &[Route] = &[
    route("GET", "/api/captcha", Function::Status),
    route("POST", "/api/status", Function::Status),
    route("POST", "/api/downloads", Function::Status),
    route("GET", "/api/vaccines", Function::Status),
    route("GET", "/api/openapi.json", Function::Status),
    route("POST", "/api/otp", Function::Otp),
    route("POST", "/api/sessions", Function::Otp),
    route("GET", "/api/sessions", Function::Otp),
    route("GET", "/api/sessions/current", Function::Otp),
    route("DELETE", "/api/sessions/current", Function::Otp),
    route("DELETE", "/api/sessions/{session}", Function::Otp),
    route("GET", "/api/people", Function::Holder),
    route("GET", "/api/people/{person}/certificates", Function::Holder),
    route("POST", "/api/certificates/{certificate}/document", Function::Holder),
    route("POST", "/api/links", Function::Holder),
    route("POST", "/api/links/refusals", Function::Holder),
    route("POST", "/api/cases", Function::Helpdesk),
    route("GET", "/api/cases", Function::Helpdesk),
    route("POST", "/api/cases/lookup", Function::Helpdesk),
    route("POST", "/api/cases/{case}/evidence", Function::Helpdesk),
    route("POST", "/api/cases/{case}/replies", Function::Helpdesk),
    route("GET", "/api/people/{person}/looks", Function::Helpdesk),
    route("POST", "/api/helpdesk/second-factor", Function::Helpdesk),
    route("GET", "/api/helpdesk/officer", Function::Helpdesk),
    route("GET", "/api/helpdesk/cases", Function::Helpdesk),
    route("GET", "/api/helpdesk/cases/{case}", Function::Helpdesk),
    route("POST", "/api/helpdesk/cases/{case}/decisions", Function::Helpdesk),
    route("POST", "/api/helpdesk/people", Function::Helpdesk),
    route("POST", "/api/helpdesk/doses/{dose}/sms", Function::Helpdesk),
    route("POST", "/api/intake/doses", Function::Sender),
    route("GET", "/api/intake/jobs/{job}", Function::Sender),
    route("GET", "/api/fhir/metadata", Function::Sender),
];
