//! The routes of the API: one table, from which follow the dispatch in the functions, the API document, the paths that
//! clients call, and what the tests expect of access and template.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::LazyLock;

use matchit::Router;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody. What the request holds (captcha, code, token) may still be asked for.
    Anybody,
    /// Whoever has a session.
    Session,
    /// Whoever has a session of a phone that is appointed as an officer's, also before the second factor.
    AppointedPhone,
    /// Officers and supervisors, after the second factor.
    Officer,
    /// Senders of doses, by their API key.
    ApiKey,
}

/// A route of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// HTTP method.
    pub method: &'static str,
    /// Path, with its parameter, if it has one, in braces.
    pub path: &'static str,
    /// The function that answers.
    pub function: Function,
    /// Who may call it.
    pub access: Access,
}

impl Route {
    /// The name of the path's parameter.
    pub fn parameter(&self) -> Option<&'static str> {
        self.path.split(['{', '}']).nth(1)
    }

    /// The path with this value of its parameter.
    pub fn path_of(&self, value: impl Display) -> String {
        match self.path.split_once('{').zip(self.path.split_once('}')) {
            Some(((before, _), (_, after))) => format!("{before}{value}{after}"),
            None => self.path.to_owned(),
        }
    }
}

/// The routes of one function. A function matches on them, so that a route without a handler does not compile.
pub trait FunctionRoute: Copy + 'static {
    /// The function.
    const FUNCTION: Function;
    /// Its routes.
    const ALL: &'static [Self];

    /// The route's row in the table.
    fn route(self) -> Route;
}

/// The route of a request, and the value of its path's parameter as it is written in the path.
pub fn find_route<'path>(method: &str, path: &'path str) -> Option<(Route, Option<&'path str>)> {
    static ROUTER: LazyLock<Router<Vec<Route>>> = LazyLock::new(|| {
        let mut by_path = BTreeMap::<_, Vec<Route>>::new();
        for route in ROUTES {
            by_path.entry(route.path).or_default().push(*route);
        }
        let mut router = Router::new();
        for (path, routes) in by_path {
            // A test finds every route, so one that contradicts another does not get this far.
            let _ = router.insert(path, routes);
        }
        router
    });
    let found = ROUTER.at(path).ok()?;
    let route = found.value.iter().find(|route| route.method == method)?;
    let parameter = found.params.iter().next().map(|(_, value)| value);
    (parameter != Some("")).then_some((*route, parameter))
}

macro_rules! method {
    (get) => {
        "GET"
    };
    (post) => {
        "POST"
    };
    (delete) => {
        "DELETE"
    };
}

/// Declares the functions and their routes. Of a route: its name, which in snake case is its `operationId`; method, path and
/// access; tag and summary in the API document; request body or bodies, parameters, answers, and the statuses of its problems.
/// 421, 431, 500 and 503 may come from each.
macro_rules! routes {
    ($(
        $(#[$doc:meta])*
        $function:ident $routes:ident $folder:literal {
            $($name:ident: $method:ident $path:literal, $access:ident, $tag:literal,
                $summary:literal
                $(, body $body:ty)? $(, bodies $bodies:tt)? $(, params $params:tt)?,
                answers $answers:tt $(, problems [$($problem:literal),*])?;)*
        }
    )*) => {
        /// An HTTP function.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Function { $($(#[$doc])* $function),* }

        impl Function {
            /// Every function.
            pub const ALL: &[Function] = &[$(Function::$function),*];

            /// The name of its folder, crate and resource.
            pub fn name(self) -> &'static str {
                match self { $(Function::$function => $folder),* }
            }
        }

        /// Every route of the API.
        pub const ROUTES: &[Route] = &[$($($routes::$name.route()),*),*];

        $(
            #[doc = concat!("A route of the function `", $folder, "`.")]
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub enum $routes { $(#[doc = concat!($summary, ".")] $name),* }

            impl $routes {
                /// Its row in the table.
                pub const fn route(self) -> Route {
                    let function = Function::$function;
                    let (method, path, access) = match self {
                        $($routes::$name => (method!($method), $path, Access::$access)),*
                    };
                    Route { method, path, function, access }
                }

                /// Its path.
                pub const fn path(self) -> &'static str {
                    self.route().path
                }

                /// Its path with this value of the parameter.
                pub fn path_of(self, value: impl Display) -> String {
                    self.route().path_of(value)
                }
            }

            impl FunctionRoute for $routes {
                const FUNCTION: Function = Function::$function;
                const ALL: &'static [Self] = &[$($routes::$name),*];

                fn route(self) -> Route {
                    self.route()
                }
            }
        )*

        #[cfg(feature = "openapi")]
        pub(crate) mod operations {
            #![expect(dead_code, non_snake_case, reason = "only the attributes of the functions are read")]

            use utoipa::OpenApi;

            use crate::openapi::{Senders, snake_case};
            use crate::*;

            $($(
                #[utoipa::path($method, path = $path, operation_id = snake_case(stringify!($name)), tag = $tag,
                    summary = $summary $(, request_body = $body)? $(, request_body $bodies)? $(, params $params)?,
                    responses(
                        $answers
                        $($(, (status = $problem, body = Problem, content_type = "application/problem+json"))*)?,
                        (status = 421, body = Problem, content_type = "application/problem+json"),
                        (status = 431, body = Problem, content_type = "application/problem+json"),
                        (status = 500, body = Problem, content_type = "application/problem+json"),
                        (status = 503, body = Problem, content_type = "application/problem+json"),
                    ))]
                fn $name() {}
            )*)*

            #[derive(OpenApi)]
            #[openapi(
                info(
                    title = "Bukti",
                    description = "Proof of vaccination: status, certificates, links. Every problem is `application/problem+json` with a stable `code`.",
                    license(name = "Apache-2.0", identifier = "Apache-2.0"),
                ),
                paths($($($name),*),*),
                components(schemas(Problem)),
                modifiers(&Senders),
            )]
            pub(crate) struct Api;
        }
    };
}

routes! {
    /// What is answered without an account: captcha, status, quick download, vaccines, API document.
    Status StatusRoute "status" {
        Captcha: get "/api/captcha", Anybody, "captcha",
            "A proof-of-work challenge",
            answers (status = 200, body = CaptchaChallenge);
        Status: post "/api/status", Anybody, "status",
            "The doses of a person and why there is a certificate or none",
            body StatusRequest,
            answers (status = 200, body = StatusAnswer), problems [400, 403, 413, 422, 429];
        Download: post "/api/downloads", Anybody, "downloads",
            "Send a link to a certificate to the phone registered with the vaccination, without an account; the answer is the same whether the facts are right or not",
            body DownloadRequest,
            answers (status = 202, body = DownloadAnswer), problems [400, 403, 413, 422, 429];
        Vaccines: get "/api/vaccines", Anybody, "downloads",
            "The vaccines that there are certificates for",
            answers (status = 200, body = Vaccines);
        Openapi: get "/api/openapi.json", Anybody, "status",
            "This document",
            answers (status = 200, description = "OpenAPI 3.1", content_type = "application/json");
    }
    /// One-time codes, accounts, sessions.
    Otp OtpRoute "otp" {
        Otp: post "/api/otp", Anybody, "otp",
            "Send a one-time code by SMS, to log in or to make an account; sets the cookie that the code is tried with",
            body OtpRequest,
            answers (status = 202, body = OtpAnswer), problems [400, 403, 413, 422, 429];
        LogIn: post "/api/sessions", Anybody, "sessions",
            "Open a session with a one-time code and the cookie of the request for it; sets the session cookie",
            body SessionRequest,
            answers (status = 201, body = Session), problems [400, 403, 410, 413, 422, 429];
        Sessions: get "/api/sessions", Session, "sessions",
            "The sessions that are open for this phone",
            answers (status = 200, body = OpenSessions), problems [401];
        Session: get "/api/sessions/current", Session, "sessions",
            "Who is logged in",
            answers (status = 200, body = Session), problems [401];
        LogOut: delete "/api/sessions/current", Anybody, "sessions",
            "End the session",
            answers (status = 204), problems [403];
        EndSession: delete "/api/sessions/{session}", Session, "sessions",
            "End another session of this phone",
            params (("session" = String, Path, description = "Id of a session from `/api/sessions`")),
            answers (status = 204), problems [401, 403, 404];
    }
    /// People, certificates, links.
    Holder HolderRoute "holder" {
        People: get "/api/people", Session, "people",
            "The people whose vaccination was registered with this phone",
            answers (status = 200, body = People), problems [401];
        Certificates: get "/api/people/{person}/certificates", Session, "certificates",
            "The doses and certificates of a person",
            params (("person" = String, Path, description = "Id of a person from `/api/people`"), ("after" = Option<u32>, Query, description = "`next` of the page before")),
            answers (status = 200, body = Certificates), problems [401, 404, 422];
        Document: post "/api/certificates/{certificate}/document", Session, "certificates",
            "A short-lived address of a certificate's document",
            body Option<DocumentRequest>, params (("certificate" = String, Path, description = "Id of a certificate")),
            answers (status = 200, body = Document), problems [400, 401, 403, 404, 413, 422];
        Link: post "/api/links", Anybody, "links",
            "Open the link of an SMS with the birth date",
            body LinkRequest,
            answers (status = 200, body = LinkAnswer), problems [400, 403, 409, 410, 413, 422, 429];
        RefuseLink: post "/api/links/refusals", Anybody, "links",
            "Say of the link of an SMS \"this was not me\"",
            body LinkRefusal,
            answers (status = 204), problems [400, 403, 410, 413, 429];
    }
    /// Corrections: what people ask for, what officers see and decide.
    Helpdesk HelpdeskRoute "helpdesk" {
        OpenCase: post "/api/cases", Session, "cases",
            "Say what is wrong with a record; the phone that is logged in with is where the answer goes",
            body CaseRequest,
            answers (status = 201, body = CaseOpened), problems [400, 401, 403, 413, 422, 429];
        Cases: get "/api/cases", Session, "cases",
            "The cases that this phone opened",
            answers (status = 200, body = Cases), problems [401];
        Case: post "/api/cases/lookup", Anybody, "cases",
            "How a case stands, by its number and the birth date",
            body CaseQuery,
            answers (status = 200, body = Case), problems [400, 403, 404, 413, 422, 429];
        Evidence: post "/api/cases/{case}/evidence", Session, "cases",
            "An address at which evidence can be put",
            body EvidenceRequest, params (("case" = String, Path, description = "Number of a case")),
            answers (status = 201, body = EvidenceSlot), problems [400, 401, 403, 404, 409, 413, 422];
        Reply: post "/api/cases/{case}/replies", Session, "cases",
            "Answer what an officer asked",
            body CaseReply, params (("case" = String, Path, description = "Number of a case")),
            answers (status = 200, body = Case), problems [400, 401, 403, 404, 409, 413, 422];
        Looks: get "/api/people/{person}/looks", Session, "people",
            "Who looked at a person's record or changed it",
            params (("person" = String, Path, description = "Id of a person from `/api/people`")),
            answers (status = 200, body = Looks), problems [401, 404];
        SecondFactor: post "/api/helpdesk/second-factor", AppointedPhone, "helpdesk",
            "Show the second factor of an officer, in a session of the officer's phone",
            body SecondFactor,
            answers (status = 200, body = Officer), problems [400, 401, 403, 413, 422, 429];
        Officer: get "/api/helpdesk/officer", Officer, "helpdesk",
            "The officer who is logged in",
            answers (status = 200, body = Officer), problems [401, 403];
        Queue: get "/api/helpdesk/cases", Officer, "helpdesk",
            "The cases that somebody has to look at",
            params (("after" = Option<String>, Query, description = "`next` of the page before")),
            answers (status = 200, body = CaseQueue), problems [401, 403];
        OfficerCase: get "/api/helpdesk/cases/{case}", Officer, "helpdesk",
            "A case with what is recorded and what may be the person's",
            params (("case" = String, Path, description = "Number of a case")),
            answers (status = 200, body = OfficerCase), problems [401, 403, 404];
        Decide: post "/api/helpdesk/cases/{case}/decisions", Officer, "helpdesk",
            "Grant, refuse or ask back",
            body CaseDecision, params (("case" = String, Path, description = "Number of a case")),
            answers (status = 200, body = Case), problems [400, 401, 403, 404, 409, 413, 422];
        FindPeople: post "/api/helpdesk/people", Officer, "helpdesk",
            "Look for a person by number, phone or certificate",
            body PersonQuery,
            answers (status = 200, body = PeopleFound), problems [400, 401, 403, 413, 422];
        Resend: post "/api/helpdesk/doses/{dose}/sms", Officer, "helpdesk",
            "Send the link to a certificate to the registered phone once more",
            body ResendRequest, params (("dose" = String, Path, description = "Id of a dose")),
            answers (status = 202), problems [400, 401, 403, 404, 409, 413, 422, 429];
    }
    /// Doses that facilities and hubs send with their API keys.
    Sender SenderRoute "sender" {
        SendDoses: post "/api/intake/doses", ApiKey, "intake",
            "Send doses, at most 1,000 in 1 MiB; what is larger is dropped as a file. FHIR is answered with an OperationOutcome, also where it is refused. The same may be sent again and is answered the same",
            bodies (
                description = "CSV with a header; NDJSON, an object of the CSV's columns on each line; or FHIR R4 or R5: a Bundle of Immunization and Patient (one of the type transaction is kept as a whole or not at all), one Immunization, or Bulk Data NDJSON",
                content((String = "text/csv"), (String = "application/x-ndjson"), (serde_json::Value = "application/fhir+json"), (String = "application/fhir+ndjson"))
            ),
            answers (status = 200, content((DosesAnswer = "application/json"), (serde_json::Value = "application/fhir+json"))), problems [401, 403, 413, 415, 422, 429];
        Job: get "/api/intake/jobs/{job}", ApiKey, "intake",
            "How a job stands, with its report",
            params (("job" = String, Path, description = "A job, as `/api/intake/doses` or `bukti import` named it"), ("after" = Option<u32>, Query, description = "`next` of the page before")),
            answers (status = 200, body = JobAnswer), problems [401, 404, 422, 429];
        Metadata: get "/api/fhir/metadata", Anybody, "intake",
            "The CapabilityStatement of the FHIR intake",
            answers (status = 200, description = "FHIR R4 CapabilityStatement", content_type = "application/fhir+json");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_route_with_its_parameter() {
        for route in ROUTES {
            let parameter = route.parameter().map(|_| "x%20y");
            let path = route.path_of("x%20y");
            assert_eq!(find_route(route.method, &path), Some((*route, parameter)), "{path}");
            assert_eq!(
                route.path.matches('{').count(),
                parameter.iter().count(),
                "{path}: one parameter at most"
            );
            assert!(parameter.is_none() || find_route(route.method, &route.path_of("")).is_none(), "{path}");
            assert_eq!(find_route(route.method, &format!("{path}/")), None, "{path}");
            assert_eq!(find_route("PATCH", &path), None, "{path}");
        }
        assert_eq!(find_route("GET", "/api"), None);
    }
}
