//! The types of the HTTP API: requests, responses, problems and routes.
//!
//! The functions and the site share these types, so that a mismatch between them is a compile
//! error. With the feature `openapi`, the API document is generated from the same types.

mod answers;
mod cases;
mod intake;
#[cfg(feature = "openapi")]
mod openapi;
mod problem;
mod requests;
mod routes;

pub use answers::*;
pub use bukti_domain::DocumentForm;
pub use cases::*;
pub use intake::*;
#[cfg(feature = "openapi")]
pub use openapi::openapi_json;
pub use problem::{FieldError, Problem, ProblemCode};
pub use requests::*;
pub use routes::{
    Access, Function, FunctionRoute, HelpdeskRoute, HolderRoute, OtpRoute, ROUTES, Route, SenderRoute,
    StatusRoute, find_route,
};
