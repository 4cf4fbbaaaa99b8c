//! The pages, one for each address.

mod account;
mod help;
mod home;
mod link;
mod log_in;
mod log_out;
mod not_found;
mod register;
mod verify;

pub use account::Account;
pub use help::Help;
pub use home::Home;
pub use link::Link;
pub use log_in::LogIn;
pub use log_out::LogOut;
pub use not_found::NotFound;
pub use register::Register;
pub use verify::Verify;
