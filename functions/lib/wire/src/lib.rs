//! What goes over the wire: requests, answers and problems of the HTTP API, and its routes.
//!
//! Functions and site share these types, so that drift between them is a compile error. With the feature `openapi` the
//! same types make the API document.

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
