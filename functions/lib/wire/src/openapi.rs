//! The API document, made from the types and the routes.

use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, RefOr};

use crate::*;

/// Declares the operations: one item an endpoint, in the order of [`ROUTES`], with the statuses of its problems. 421,
/// 431, 500 and 503 may come from each.
macro_rules! operations {
    ($($name:ident: $method:ident $path:literal, $tag:literal, $summary:literal
       $(, body $body:ty)? $(, bodies $bodies:tt)? $(, key $key:tt)? $(, params $params:tt)?, answers ($($answer:tt)*) $(, problems [$($problem:literal),*])?;)*) => {
        $(
            #[utoipa::path($method, path = $path, tag = $tag, summary = $summary $(, request_body = $body)?
                $(, request_body $bodies)? $(, security $key)? $(, params $params)?, responses(
                    ($($answer)*)
                    $($(, (status = $problem, body = Problem, content_type = "application/problem+json"))*)?,
                    (status = 421, body = Problem, content_type = "application/problem+json"),
                    (status = 431, body = Problem, content_type = "application/problem+json"),
                    (status = 500, body = Problem, content_type = "application/problem+json"),
                    (status = 503, body = Problem, content_type = "application/problem+json"),
                ))]
            #[expect(dead_code, reason = "only its attribute is read")]
            fn $name() {}
        )*

        #[derive(OpenApi)]
        #[openapi(
            info(
                title = "Bukti",
                description = "Proof of vaccination: status, certificates, links. Every problem is `application/problem+json` with a stable `code`.",
                license(name = "Apache-2.0", identifier = "Apache-2.0"),
            ),
            paths($($name),*),
            components(schemas(Problem)),
            modifiers(&Senders),
        )]
        struct Api;
    };
}

operations! {
    captcha: get "/api/captcha", "captcha", "A proof-of-work challenge",
        answers (status = 200, body = CaptchaChallenge);
    status: post "/api/status", "status", "The doses of a person and why there is a certificate or none",
        body StatusRequest,
        answers (status = 200, body = StatusAnswer), problems [400, 403, 413, 422, 429];
    download: post "/api/downloads", "downloads", "Send a link to a certificate to the phone registered with the vaccination, without an account; the answer is the same whether the facts are right or not",
        body DownloadRequest,
        answers (status = 202, body = DownloadAnswer), problems [400, 403, 413, 422, 429];
    vaccines: get "/api/vaccines", "downloads", "The vaccines that there are certificates for",
        answers (status = 200, body = Vaccines);
    openapi: get "/api/openapi.json", "status", "This document",
        answers (status = 200, description = "OpenAPI 3.1", content_type = "application/json");
    otp: post "/api/otp", "otp", "Send a one-time code by SMS, to log in or to make an account; sets the cookie that the code is tried with",
        body OtpRequest,
        answers (status = 202, body = OtpAnswer), problems [400, 403, 413, 422, 429];
    log_in: post "/api/sessions", "sessions", "Open a session with a one-time code and the cookie of the request for it; sets the session cookie",
        body SessionRequest,
        answers (status = 201, body = Session), problems [400, 403, 410, 413, 422, 429];
    sessions: get "/api/sessions", "sessions", "The sessions that are open for this phone",
        answers (status = 200, body = OpenSessions), problems [401];
    session: get "/api/sessions/current", "sessions", "Who is logged in",
        answers (status = 200, body = Session), problems [401];
    log_out: delete "/api/sessions/current", "sessions", "End the session",
        answers (status = 204), problems [403];
    end_session: delete "/api/sessions/{session}", "sessions", "End another session of this phone",
        params (("session" = String, Path, description = "Id of a session from `/api/sessions`")),
        answers (status = 204), problems [401, 403, 404];
    people: get "/api/people", "people", "The people whose vaccination was registered with this phone",
        answers (status = 200, body = People), problems [401];
    certificates: get "/api/people/{person}/certificates", "certificates", "The doses and certificates of a person",
        params (("person" = String, Path, description = "Id of a person from `/api/people`"), ("after" = Option<u32>, Query, description = "`next` of the page before")),
        answers (status = 200, body = Certificates), problems [401, 404, 422];
    document: post "/api/certificates/{certificate}/document", "certificates", "A short-lived address of a certificate's document",
        body Option<DocumentRequest>, params (("certificate" = String, Path, description = "Id of a certificate")),
        answers (status = 200, body = Document), problems [400, 401, 403, 404, 413, 422];
    link: post "/api/links", "links", "Open the link of an SMS with the birth date",
        body LinkRequest,
        answers (status = 200, body = LinkAnswer), problems [400, 403, 409, 410, 413, 422, 429];
    refuse_link: post "/api/links/refusals", "links", "Say of the link of an SMS \"this was not me\"",
        body LinkRefusal,
        answers (status = 204), problems [400, 403, 410, 413, 429];
    open_case: post "/api/cases", "cases", "Say what is wrong with a record; the phone that is logged in with is where the answer goes",
        body CaseRequest,
        answers (status = 201, body = CaseOpened), problems [400, 401, 403, 413, 422, 429];
    cases: get "/api/cases", "cases", "The cases that this phone opened",
        answers (status = 200, body = Cases), problems [401];
    case: post "/api/cases/lookup", "cases", "How a case stands, by its number and the birth date",
        body CaseQuery,
        answers (status = 200, body = Case), problems [400, 403, 404, 413, 422, 429];
    evidence: post "/api/cases/{case}/evidence", "cases", "An address at which evidence can be put",
        body EvidenceRequest, params (("case" = String, Path, description = "Number of a case")),
        answers (status = 201, body = EvidenceSlot), problems [400, 401, 403, 404, 409, 413, 422];
    reply: post "/api/cases/{case}/replies", "cases", "Answer what an officer asked",
        body CaseReply, params (("case" = String, Path, description = "Number of a case")),
        answers (status = 200, body = Case), problems [400, 401, 403, 404, 409, 413, 422];
    looks: get "/api/people/{person}/looks", "people", "Who looked at a person's record or changed it",
        params (("person" = String, Path, description = "Id of a person from `/api/people`")),
        answers (status = 200, body = Looks), problems [401, 404];
    second_factor: post "/api/helpdesk/second-factor", "helpdesk", "Show the second factor of an officer, in a session of the officer's phone",
        body SecondFactor,
        answers (status = 200, body = Officer), problems [400, 401, 403, 413, 422, 429];
    officer: get "/api/helpdesk/officer", "helpdesk", "The officer who is logged in",
        answers (status = 200, body = Officer), problems [401, 403];
    queue: get "/api/helpdesk/cases", "helpdesk", "The cases that somebody has to look at",
        params (("after" = Option<String>, Query, description = "`next` of the page before")),
        answers (status = 200, body = CaseQueue), problems [401, 403];
    officer_case: get "/api/helpdesk/cases/{case}", "helpdesk", "A case with what is recorded and what may be the person's",
        params (("case" = String, Path, description = "Number of a case")),
        answers (status = 200, body = OfficerCase), problems [401, 403, 404];
    decide: post "/api/helpdesk/cases/{case}/decisions", "helpdesk", "Grant, refuse or ask back",
        body CaseDecision, params (("case" = String, Path, description = "Number of a case")),
        answers (status = 200, body = Case), problems [400, 401, 403, 404, 409, 413, 422];
    find_people: post "/api/helpdesk/people", "helpdesk", "Look for a person by number, phone or certificate",
        body PersonQuery,
        answers (status = 200, body = PeopleFound), problems [400, 401, 403, 413, 422];
    resend: post "/api/helpdesk/doses/{dose}/sms", "helpdesk", "Send the link to a certificate to the registered phone once more",
        body ResendRequest, params (("dose" = String, Path, description = "Id of a dose")),
        answers (status = 202), problems [400, 401, 403, 404, 409, 413, 422, 429];
    send_doses: post "/api/intake/doses", "intake", "Send doses, at most 1,000 in 1 MiB; what is larger is dropped as a file. FHIR is answered with an OperationOutcome, also where it is refused. The same may be sent again and is answered the same",
        bodies (
            description = "CSV with a header; NDJSON, an object of the CSV's columns on each line; or FHIR R4 or R5: a Bundle of Immunization and Patient (one of the type transaction is kept as a whole or not at all), one Immunization, or Bulk Data NDJSON",
            content((String = "text/csv"), (String = "application/x-ndjson"), (Value = "application/fhir+json"), (String = "application/fhir+ndjson"))
        ),
        key (("api_key" = [])),
        answers (status = 200, content((DosesAnswer = "application/json"), (Value = "application/fhir+json"))), problems [401, 403, 413, 415, 422, 429];
    job: get "/api/intake/jobs/{job}", "intake", "How a job stands, with its report",
        key (("api_key" = [])),
        params (("job" = String, Path, description = "A job, as `/api/intake/doses` or `bukti import` named it"), ("after" = Option<u32>, Query, description = "`next` of the page before")),
        answers (status = 200, body = JobAnswer), problems [401, 404, 422, 429];
    metadata: get "/api/fhir/metadata", "intake", "The CapabilityStatement of the FHIR intake",
        answers (status = 200, description = "FHIR R4 CapabilityStatement", content_type = "application/fhir+json");
}

/// How senders of doses say who they are, and that who sends FHIR is answered so.
struct Senders;

impl utoipa::Modify for Senders {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
        let scheme = scheme.description(Some("An API key, as `bukti key add` showed it")).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("api_key", SecurityScheme::Http(scheme));
        let doses = document.paths.paths.get_mut("/api/intake/doses").and_then(|path| path.post.as_mut());
        for response in doses.into_iter().flat_map(|post| post.responses.responses.values_mut()) {
            if let RefOr::T(response) = response {
                let fhir = response.content.entry("application/fhir+json".to_owned());
                fhir.or_insert_with(|| RefOr::T(Content::default()));
            }
        }
    }
}

/// The document of `/api/openapi.json`, OpenAPI 3.1.
pub fn openapi_json() -> String {
    // Serialising plain maps and strings does not fail.
    Api::openapi().to_pretty_json().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_document_has_every_route_and_no_other() {
        let document: serde_json::Value = serde_json::from_str(&openapi_json()).unwrap();
        let mut documented = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys() {
                documented.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
        let routes = ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
        assert_eq!(documented, routes);
    }

    #[test]
    fn the_document_is_what_callers_rely_on() {
        insta::assert_snapshot!("openapi", openapi_json());
    }
}
