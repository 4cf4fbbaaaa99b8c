//! What goes over the wire: requests, answers and problems of the HTTP API, and its routes.
//!
//! Functions and site share these types, so that drift between them is a compile error. With the feature `openapi` the
//! same types make the API document.

mod answers;
mod cases;
mod forms;
mod intake;
#[cfg(feature = "openapi")]
mod openapi;
mod problem;
mod requests;
mod routes;

pub use answers::*;
pub use cases::*;
pub use forms::DocumentForm;
pub use intake::*;
#[cfg(feature = "openapi")]
pub use openapi::openapi_json;
pub use problem::{FieldError, Problem, ProblemCode};
pub use requests::*;
pub use routes::{Function, ROUTES, Route};
