//! `symbolon audit …`: what happened, read from the audit file and those that were put aside, whether or not the server runs.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::admin::{self, AdminCommand};
use super::arguments::Place;
use super::output::{Failure, Output};
use crate::audit::follower::Line;
use crate::audit::{Event, Filter, Follower};
use crate::foundation::{Clock, clock};
use crate::settings::{self, Finding, Findings};
use crate::telemetry::codes;

/// How often a file that is followed is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// What to ask.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Print the events that fit, oldest first; with --json as they stand in the file, one a line
    Query {
        /// Which events
        #[command(flatten)]
        wanted: Wanted,
        /// Only the last N of them
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Print the last events that fit, and go on with those that come
    Tail {
        /// Which events
        #[command(flatten)]
        wanted: Wanted,
        /// How many of those that are there
        #[arg(long, value_name = "N", default_value_t = 10)]
        limit: usize,
        /// Go on until interrupted
        #[arg(long, short)]
        follow: bool,
    },
    /// List every code with its meaning and the members of its events
    Codes,
}

/// Which events are wanted: those for which all of this is true.
#[derive(Debug, Args)]
pub struct Wanted {
    /// A code, or what it begins with, such as TK1032 or TK; may be given several times, for any of them
    #[arg(long, value_name = "CODE", value_parser = parse_code)]
    code: Vec<String>,
    /// The client
    #[arg(long, value_name = "CLIENT_ID")]
    client: Option<String>,
    /// The person, by sign-in name
    #[arg(long, value_name = "NAME", conflicts_with = "subject")]
    user: Option<String>,
    /// The person, by `sub`, which finds those who were deleted, too
    #[arg(long, value_name = "SUB")]
    subject: Option<String>,
    /// The session
    #[arg(long, value_name = "SID")]
    sid: Option<String>,
    /// How it ended
    #[arg(long)]
    outcome: Option<Ending>,
    /// Not before: a time such as 2026-11-28T14:00:00Z, or how long ago, such as 15m
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<String>,
    /// Before: a time, or how long ago
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<String>,
}

/// How a decision may end.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Ending {
    Granted,
    Refused,
}

fn parse_code(text: &str) -> Result<String, String> {
    // Those that are Auth0's are in lower case: what is meant as it is written comes first.
    for code in [text.to_owned(), text.to_ascii_uppercase(), text.to_ascii_lowercase()] {
        if !code.is_empty() && codes::ALL.iter().any(|known| known.id.starts_with(&code)) {
            return Ok(code);
        }
    }
    Err("no code begins so; `symbolon audit codes` lists them".to_owned())
}

/// A moment in the text form of events.
fn parse_time(text: &str) -> Result<String, String> {
    if let Some(millis) = clock::read_rfc3339(text) {
        return Ok(clock::rfc3339(millis));
    }
    let ago =
        settings::read_duration(text).map_err(|_| "write a time such as 2026-11-28T14:00:00Z, or how long ago, such as 15m")?;
    let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
    Ok(clock::rfc3339(Clock::system().now_millis().saturating_sub(ago)))
}

/// Carries it out.
///
/// # Errors
/// Findings, or why nothing can be read.
pub async fn run(command: AuditCommand, place: &Place, output: Output) -> Result<(), Failure> {
    match command {
        AuditCommand::Codes => {
            output.rows(&all_codes(), &["code", "meaning", "members"]);
            Ok(())
        }
        AuditCommand::Query { wanted, limit } => {
            let (path, filter) = (file(place)?, wanted.filter(place).await?);
            let mut last = Last::new(limit);
            read(&mut Follower::new(path, None), &filter, |line, event| match limit {
                Some(_) => {
                    last.keep(line, event);
                    true
                }
                None => print(output, &line, &event),
            })?;
            last.print(output);
            Ok(())
        }
        AuditCommand::Tail { wanted, limit, follow } => {
            let (path, filter) = (file(place)?, wanted.filter(place).await?);
            let mut follower = Follower::new(path, None);
            let mut last = Last::new(Some(limit));
            read(&mut follower, &filter, |line, event| {
                last.keep(line, event);
                true
            })?;
            let mut goes_on = last.print(output) && follow;
            while goes_on {
                tokio::time::sleep(LOOK).await;
                goes_on = read(&mut follower, &filter, |line, event| print(output, &line, &event))?;
            }
            Ok(())
        }
    }
}

/// Hands every event that fits to `each` until that says `false`; whether it never did.
fn read(follower: &mut Follower, filter: &Filter, mut each: impl FnMut(Line, Event) -> bool) -> Result<bool, Failure> {
    let failed = |error: io::Error| Failure::refusal(format!("the audit file cannot be read: {error}"));
    while let Some(line) = follower.read().map_err(failed)? {
        let Some(event) = Event::of_line(&line.text) else { continue };
        if filter.wants(&event) && !each(line, event) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn print(output: Output, line: &Line, event: &Event) -> bool {
    if output.is_json() { output.goes_on(String::from_utf8_lossy(&line.text).trim_end()) } else { output.goes_on(event) }
}

/// The last events of so many.
struct Last {
    limit: usize,
    kept: VecDeque<(Line, Event)>,
}

impl Last {
    fn new(limit: Option<usize>) -> Self {
        Self { limit: limit.unwrap_or(0), kept: VecDeque::new() }
    }

    fn keep(&mut self, line: Line, event: Event) {
        self.kept.push_back((line, event));
        if self.kept.len() > self.limit {
            self.kept.pop_front();
        }
    }

    /// Whether somebody still listens.
    fn print(&self, output: Output) -> bool {
        self.kept.iter().all(|(line, event)| print(output, line, event))
    }
}

/// The audit file of the settings.
fn file(place: &Place) -> Result<PathBuf, Failure> {
    let loaded = settings::from_process(place.config.as_deref(), &place.define)?;
    let origin = loaded.origins.get("audit.file.path").map(|origin| origin.place.clone());
    match loaded.settings.audit.file {
        Some(file) => Ok(file.path),
        None => Err(Failure::Findings(Findings(vec![Finding {
            id: "audit.no_file",
            place: origin.unwrap_or_default(),
            seen: "no audit.file.path".to_owned(),
            expected: "a file that the server writes audit events to; without one they are in its log alone".to_owned(),
            remedy: "write audit.file.path, such as \"audit/audit.jsonl\", and restart the server".to_owned(),
        }]))),
    }
}

impl Wanted {
    async fn filter(self, place: &Place) -> Result<Filter, Failure> {
        let subject = match (self.subject, self.user) {
            (Some(subject), _) => Some(subject),
            (None, Some(name)) => {
                let shown = admin::call(place, AdminCommand::UserShow { name }).await?;
                shown["sub"].as_str().map(str::to_owned)
            }
            (None, None) => None,
        };
        Ok(Filter {
            codes: self.code,
            client_id: self.client,
            subject,
            sid: self.sid,
            outcome: self.outcome.map(|outcome| match outcome {
                Ending::Granted => "granted",
                Ending::Refused => "refused",
            }),
            since: self.since,
            until: self.until,
        })
    }
}

fn all_codes() -> Value {
    let row = |code: &codes::Code| {
        let members: Vec<String> =
            code.members().map(|(name, always)| if always { name.to_owned() } else { format!("[{name}]") }).collect();
        json!({ "code": code.id, "meaning": code.meaning, "members": members })
    };
    codes::ALL.iter().map(row).collect()
}
