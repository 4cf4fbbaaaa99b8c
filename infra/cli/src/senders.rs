//! `bukti key`: who may send doses over HTTP.

use std::process::ExitCode;

use anyhow::{Result, bail};
use bukti_records::Sender;
use bukti_store::Senders;
use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Subcommand};
use jiff::{SignedDuration, Timestamp};

use crate::target::{Target, Where};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Adds an API key of a facility or a hub, and shows it, once. Those that it has stay good.
    #[command(group(ArgGroup::new("sender").required(true)))]
    Add {
        /// Of the facility with this code in the national register: it sends its own doses, and corrects those that it sent.
        #[arg(long, value_name = "CODE", group = "sender", value_parser = NonEmptyStringValueParser::new())]
        facility: Option<String>,
        /// Of the hub with this name: it sends and corrects the doses of all facilities.
        #[arg(long, value_name = "NAME", group = "sender", value_parser = NonEmptyStringValueParser::new())]
        hub: Option<String>,
    },
    /// Ends an API key, at once or after a while in which its sender changes to another.
    Revoke {
        /// The key's id: what stands between the two low lines of the key.
        id: String,
        /// After so long: `7d`, `12h`.
        #[arg(long = "in", value_name = "TIME", value_parser = read_while)]
        after: Option<SignedDuration>,
    },
    /// Lists the API keys: whose, since when, until when, and when they were last used.
    List,
}

pub(crate) fn read_while(text: &str) -> Result<SignedDuration, String> {
    let span: jiff::Span = text.parse().map_err(|_| "this is no time such as 7d or 12h".to_owned())?;
    let days = jiff::SpanRelativeTo::days_are_24_hours();
    let duration = span.to_duration(days).map_err(|_| "this is too long".to_owned())?;
    if duration.is_negative() { Err("this is over already".to_owned()) } else { Ok(duration) }
}

/// Does what is asked.
///
/// # Errors
///
/// Where it cannot be done, in a sentence that says why.
pub(crate) async fn run(place: &Where, command: &Command) -> Result<ExitCode> {
    let senders = Senders::new(&Target::find(place).await?.aws().await?);
    let now = Timestamp::now();
    match command {
        Command::Add { facility, hub } => {
            let sender = match (facility, hub) {
                (Some(code), _) => Sender::Facility(code.trim().to_owned()),
                (None, name) => Sender::Hub(name.as_deref().unwrap_or_default().trim().to_owned()),
            };
            println!("{}", senders.add(sender.clone(), now).await?);
            eprintln!(
                "The {} {} sends this as `Authorization: Bearer …`. It is not shown again.",
                sender.kind(),
                sender.name()
            );
        }
        Command::Revoke { id, after } => {
            let Ok(at) = now.checked_add(after.unwrap_or_default()) else { bail!("this is too long") };
            if !senders.end(id, at).await? {
                bail!("there is no key {id}: `bukti key list` says which there are");
            }
            println!("{}", if after.is_some() { format!("ends at {at:.0}") } else { "ended".to_owned() });
        }
        Command::List => {
            for key in senders.all().await? {
                let used = key.used_at.map_or("never used".to_owned(), |at| format!("last used {at:.0}"));
                let ends = match key.ends_at {
                    Some(_) if key.has_ended(now) => "  ended".to_owned(),
                    Some(at) => format!("  ends {at:.0}"),
                    None => String::new(),
                };
                let sender = format!("{:<8} {}", key.sender.kind(), key.sender.name());
                println!("{}  {sender}  since {:.0}  {used}{ends}", key.id, key.added_at);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
