//! `bukti officer`: manages the officers who may log in to the helpdesk.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bukti_domain::{PhoneNumber, Role};
use bukti_store::Officers;
use clap::builder::NonEmptyStringValueParser;
use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use crate::output::{examples, print, to_seconds};
use crate::target::{Target, TargetOptions};

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum RoleName {
    /// Views records, answers and decides cases
    Officer,
    /// Also approves another officer's proposal to change who a certificate is for
    Supervisor,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Add an officer, and print the secret for their authenticator app
    ///
    /// The secret is printed once, as QR code and URL. Adding an existing officer replaces it.
    #[command(after_help = examples(&["bukti officer add 08110000001 --name \"Rina\" --role supervisor"]))]
    Add {
        /// Phone that the officer logs in with
        phone: String,
        /// Name of the officer, shown to the people whose records they view
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        name: String,
        /// Role of the officer
        #[arg(long, value_enum, default_value = "officer")]
        role: RoleName,
    },
    /// Remove an officer, with effect from the next request
    #[command(after_help = examples(&["bukti officer remove 08110000001"]))]
    Remove {
        /// Phone that the officer logs in with
        phone: String,
    },
    /// List the officers
    #[command(after_help = examples(&["bukti officer list"]))]
    List,
}

pub(crate) async fn run(target: &TargetOptions, command: &Command) -> Result<ExitCode> {
    let aws = Target::connect(target).await?.aws().await?;
    let officers = Officers::new(&aws);
    match command {
        Command::Add { phone, name, role } => {
            let phone = parse_phone(phone)?;
            let role = match role {
                RoleName::Officer => Role::Officer,
                RoleName::Supervisor => Role::Supervisor,
            };
            let secret = officers.add(&phone, name, role, Timestamp::now()).await?;
            let issuer = percent_encode(&aws.settings.service_name);
            let label = percent_encode(name);
            let address = format!("otpauth://totp/{issuer}:{label}?secret={secret}&issuer={issuer}");
            let qr = QrCode::new(&address).context("the name is too long for a QR: shorten it")?;
            print(&format!("{}\n{address}\n", qr.render::<Dense1x2>().build()));
            eprintln!("Have {name} scan this with an authenticator app now: it is not shown again.");
        }
        Command::Remove { phone } => {
            if !officers.remove(&parse_phone(phone)?).await? {
                bail!("no officer has this phone: check the number");
            }
            print("removed\n");
        }
        Command::List => {
            let officers = officers.all().await?;
            if officers.is_empty() {
                eprintln!("No officers. Add one with `bukti officer add`.");
            }
            for officer in officers {
                let added = to_seconds(officer.added_at);
                print(&format!("{:<10} {}  since {added}\n", officer.role.code(), officer.name));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn parse_phone(phone: &str) -> Result<PhoneNumber> {
    PhoneNumber::parse(phone).context("this is not a mobile phone number: write it as 0811… or +62811…")
}

fn percent_encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
