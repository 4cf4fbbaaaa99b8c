//! The route table of the API. The dispatch in the functions, the API document, the paths that
//! clients call, and the expectations of tests are derived from it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::LazyLock;

use matchit::Router;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone, without a session. The request may still need a captcha, a code or a token.
    Anybody,
    /// Callers who are logged in.
    Session,
    /// Callers who are logged in with an officer's phone, even if they have not passed the second
    /// factor.
    AppointedPhone,
    /// Officers and supervisors who have passed the second factor.
    Officer,
    /// Senders of doses, authenticated by their API key.
    ApiKey,
}

/// A route of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The HTTP method.
    pub method: &'static str,
    /// The path. If it has a parameter, the parameter is in braces.
    pub path: &'static str,
    /// The function that handles the route.
    pub function: Function,
    /// Who may call the route.
    pub access: Access,
}

impl Route {
    /// The name of the path parameter; `None` if the path has none.
    pub fn parameter(&self) -> Option<&'static str> {
        self.path.split(['{', '}']).nth(1)
    }

    /// The path with its parameter replaced by this value, which is not percent-encoded here.
    pub fn path_of(&self, value: impl Display) -> String {
        match self.path.split_once('{').zip(self.path.split_once('}')) {
            Some(((before, _), (_, after))) => format!("{before}{value}{after}"),
            None => self.path.to_owned(),
        }
    }
}

/// The routes of one function. The function's dispatch is a `match` on them, so that a route
/// without a handler does not compile.
pub trait FunctionRoute: Copy + 'static {
    /// The function that handles these routes.
    const FUNCTION: Function;
    /// All routes of the function.
    const ALL: &'static [Self];

    /// The entry of this route in [`ROUTES`].
    fn route(self) -> Route;
}

/// Finds the route with this method and path. Also returns the value of the path parameter, still
/// percent-encoded. `None` if no route matches or the parameter is empty.
pub fn find_route<'path>(method: &str, path: &'path str) -> Option<(Route, Option<&'path str>)> {
    static ROUTER: LazyLock<Router<Vec<Route>>> = LazyLock::new(|| {
        let mut by_path = BTreeMap::<_, Vec<Route>>::new();
        for route in ROUTES {
            by_path.entry(route.path).or_default().push(*route);
        }
        let mut router = Router::new();
        for (path, routes) in by_path {
            // Inserting fails only if paths conflict. A unit test looks up every route, so this
            // cannot happen.
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

/// Declares the functions and their routes. Each route has a name, a method, a path and an access
/// level, followed by its data for the API document: tag, summary, request body or bodies,
/// parameters, responses, and the statuses of its problems. The `operationId` is the name in snake
/// case. Statuses 421, 431, 500 and 503 are added to every route.
macro_rules! routes {
    ($(
        $(#[$doc:meta])*
        $function:ident $routes:ident $folder:literal {
            $($name:ident: $method:ident $path:literal, $access:ident, $tag:literal,
                $summary:literal
                $(, body $body:ty)? $(, bodies $bodies:tt)? $(, params $params:tt)?,
                responses $responses:tt $(, problems [$($problem:literal),*])?;)*
        }
    )*) => {
        /// An HTTP function.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Function { $($(#[$doc])* $function),* }

        impl Function {
            /// All HTTP functions.
            pub const ALL: &[Function] = &[$(Function::$function),*];

            /// The name of the function's folder, crate and AWS resource.
            pub fn name(self) -> &'static str {
                match self { $(Function::$function => $folder),* }
            }
        }

        /// All routes of the API, by function.
        pub const ROUTES: &[Route] = &[$($($routes::$name.route()),*),*];

        $(
            #[doc = concat!("A route of the function `", $folder, "`.")]
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub enum $routes { $(#[doc = concat!($summary, ".")] $name),* }

            impl $routes {
                /// The entry of this route in [`ROUTES`].
                pub const fn route(self) -> Route {
                    let function = Function::$function;
                    let (method, path, access) = match self {
                        $($routes::$name => (method!($method), $path, Access::$access)),*
                    };
                    Route { method, path, function, access }
                }

                /// The path. If it has a parameter, the parameter is in braces.
                pub const fn path(self) -> &'static str {
                    self.route().path
                }

                /// The path with its parameter replaced by this value, which is not percent-encoded
                /// here.
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
            #![expect(dead_code, non_snake_case, reason = "utoipa uses only the attributes")]

            use utoipa::OpenApi;

            use crate::openapi::{Senders, snake_case};
            use crate::*;

            $($(
                #[utoipa::path($method, path = $path, operation_id = snake_case(stringify!($name)), tag = $tag,
                    summary = $summary $(, request_body = $body)? $(, request_body $bodies)? $(, params $params)?,
                    responses(
                        $responses
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
                    description = "Proof of vaccination: status, certificates, links. Every error response is `application/problem+json` with a stable `code`.",
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
    /// Services that need no account: captcha, status, quick download, vaccines and API document.
    Status StatusRoute "status" {
        Captcha: get "/api/captcha", Anybody, "captcha",
            "A proof-of-work challenge",
            responses (status = 200, body = CaptchaChallenge);
        Status: post "/api/status", Anybody, "status",
            "The doses of a person and the state of their certificates",
            body StatusRequest,
            responses (status = 200, body = StatusAnswer), problems [400, 403, 413, 422, 429];
        Download: post "/api/downloads", Anybody, "downloads",
            "Send a link to a certificate to the phone registered with the vaccination, without an account; the response is the same whether the data are right or not",
            body DownloadRequest,
            responses (status = 202, body = DownloadAnswer), problems [400, 403, 413, 422, 429];
        Vaccines: get "/api/vaccines", Anybody, "downloads",
            "The vaccines that certificates are issued for",
            responses (status = 200, body = Vaccines);
        Openapi: get "/api/openapi.json", Anybody, "status",
            "This document",
            responses (status = 200, description = "OpenAPI 3.1", content_type = "application/json");
    }
    /// One-time codes, accounts and sessions.
    Otp OtpRoute "otp" {
        Otp: post "/api/otp", Anybody, "otp",
            "Send a one-time code by SMS, to log in or to create an account; sets the cookie that must accompany the code",
            body OtpRequest,
            responses (status = 202, body = OtpAnswer), problems [400, 403, 413, 422, 429];
        LogIn: post "/api/sessions", Anybody, "sessions",
            "Open a session with a one-time code and the cookie that was set with it; sets the session cookie",
            body SessionRequest,
            responses (status = 201, body = Session), problems [400, 403, 410, 413, 422, 429];
        Sessions: get "/api/sessions", Session, "sessions",
            "The open sessions of this phone",
            responses (status = 200, body = OpenSessions), problems [401];
        Session: get "/api/sessions/current", Session, "sessions",
            "The account that is logged in",
            responses (status = 200, body = Session), problems [401];
        LogOut: delete "/api/sessions/current", Anybody, "sessions",
            "End the session",
            responses (status = 204), problems [403];
        EndSession: delete "/api/sessions/{session}", Session, "sessions",
            "End another session of this phone",
            params (("session" = String, Path, description = "Id of a session from `/api/sessions`")),
            responses (status = 204), problems [401, 403, 404];
    }
    /// People, certificates and links.
    Holder HolderRoute "holder" {
        People: get "/api/people", Session, "people",
            "The people whose vaccinations were registered with this phone",
            responses (status = 200, body = People), problems [401];
        Certificates: get "/api/people/{person}/certificates", Session, "certificates",
            "The doses and certificates of a person",
            params (("person" = String, Path, description = "Id of a person from `/api/people`"), ("after" = Option<u32>, Query, description = "`next` of the previous page")),
            responses (status = 200, body = Certificates), problems [401, 404, 422];
        Document: post "/api/certificates/{certificate}/document", Session, "certificates",
            "A short-lived URL of a certificate's document",
            body Option<DocumentRequest>, params (("certificate" = String, Path, description = "Id of a certificate")),
            responses (status = 200, body = Document), problems [400, 401, 403, 404, 413, 422];
        Link: post "/api/links", Anybody, "links",
            "Open the link of an SMS with the birth date",
            body LinkRequest,
            responses (status = 200, body = LinkAnswer), problems [400, 403, 409, 410, 413, 422, 429];
        RefuseLink: post "/api/links/refusals", Anybody, "links",
            "Report that an SMS was not requested by its recipient (\"this was not me\")",
            body LinkRefusal,
            responses (status = 204), problems [400, 403, 410, 413, 429];
    }
    /// Corrections: citizens' cases, and the officers' search and decisions.
    Helpdesk HelpdeskRoute "helpdesk" {
        OpenCase: post "/api/cases", Session, "cases",
            "Open a case about an error in a record; replies go to the phone that is logged in",
            body CaseRequest,
            responses (status = 201, body = CaseOpened), problems [400, 401, 403, 413, 422, 429];
        Cases: get "/api/cases", Session, "cases",
            "The cases that this phone opened",
            responses (status = 200, body = Cases), problems [401];
        Case: post "/api/cases/lookup", Anybody, "cases",
            "The state of a case, by its number and the birth date",
            body CaseQuery,
            responses (status = 200, body = Case), problems [400, 403, 404, 413, 422, 429];
        Evidence: post "/api/cases/{case}/evidence", Session, "cases",
            "A URL for uploading evidence",
            body EvidenceRequest, params (("case" = String, Path, description = "Number of a case")),
            responses (status = 201, body = EvidenceSlot), problems [400, 401, 403, 404, 409, 413, 422];
        Reply: post "/api/cases/{case}/replies", Session, "cases",
            "Reply to an officer's question",
            body CaseReply, params (("case" = String, Path, description = "Number of a case")),
            responses (status = 200, body = Case), problems [400, 401, 403, 404, 409, 413, 422];
        AccessLog: get "/api/people/{person}/looks", Session, "people",
            "Who viewed or changed a person's record",
            params (("person" = String, Path, description = "Id of a person from `/api/people`")),
            responses (status = 200, body = AccessLog), problems [401, 404];
        SecondFactor: post "/api/helpdesk/second-factor", AppointedPhone, "helpdesk",
            "Pass the second factor of an officer, in a session of the officer's phone",
            body SecondFactor,
            responses (status = 200, body = Officer), problems [400, 401, 403, 413, 422, 429];
        Officer: get "/api/helpdesk/officer", Officer, "helpdesk",
            "The officer who is logged in",
            responses (status = 200, body = Officer), problems [401, 403];
        Queue: get "/api/helpdesk/cases", Officer, "helpdesk",
            "The cases that wait for an officer",
            params (("after" = Option<String>, Query, description = "`next` of the previous page")),
            responses (status = 200, body = CaseQueue), problems [401, 403];
        OfficerCase: get "/api/helpdesk/cases/{case}", Officer, "helpdesk",
            "A case with the recorded doses and others that may be the person's",
            params (("case" = String, Path, description = "Number of a case")),
            responses (status = 200, body = OfficerCase), problems [401, 403, 404];
        Decide: post "/api/helpdesk/cases/{case}/decisions", Officer, "helpdesk",
            "Grant or refuse a case, or ask the citizen a question",
            body CaseDecision, params (("case" = String, Path, description = "Number of a case")),
            responses (status = 200, body = Case), problems [400, 401, 403, 404, 409, 413, 422];
        FindPeople: post "/api/helpdesk/people", Officer, "helpdesk",
            "Search for a person by number, phone or certificate",
            body PersonQuery,
            responses (status = 200, body = PeopleFound), problems [400, 401, 403, 413, 422];
        Resend: post "/api/helpdesk/doses/{dose}/sms", Officer, "helpdesk",
            "Send the link to a certificate to the registered phone again",
            body ResendRequest, params (("dose" = String, Path, description = "Id of a dose")),
            responses (status = 202), problems [400, 401, 403, 404, 409, 413, 422, 429];
    }
    /// Doses that facilities and hubs send with their API keys.
    Sender SenderRoute "sender" {
        SendDoses: post "/api/intake/doses", ApiKey, "intake",
            "Send doses, at most 1,000 in 1 MiB; larger amounts are uploaded as a file. The response to FHIR is an OperationOutcome, also for errors. Idempotent: the same content sent again gets the same response",
            bodies (
                description = "CSV with a header; NDJSON, an object of the CSV's columns on each line; or FHIR R4 or R5: a Bundle of Immunization and Patient (a transaction is stored completely or not at all), one Immunization, or Bulk Data NDJSON",
                content((String = "text/csv"), (String = "application/x-ndjson"), (serde_json::Value = "application/fhir+json"), (String = "application/fhir+ndjson"))
            ),
            responses (status = 200, content((DosesAnswer = "application/json"), (serde_json::Value = "application/fhir+json"))), problems [401, 403, 413, 415, 422, 429];
        Job: get "/api/intake/jobs/{job}", ApiKey, "intake",
            "The state of a job, with its report",
            params (("job" = String, Path, description = "Id of a job, from `/api/intake/doses` or `bukti import`"), ("after" = Option<u32>, Query, description = "`next` of the previous page")),
            responses (status = 200, body = JobAnswer), problems [401, 404, 422, 429];
        Metadata: get "/api/fhir/metadata", Anybody, "intake",
            "The CapabilityStatement of the FHIR intake",
            responses (status = 200, description = "FHIR R4 CapabilityStatement", content_type = "application/fhir+json");
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
