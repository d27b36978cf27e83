//! From a library that works to a handler in service, run as its isolation says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use symbolon_sdk::host::Configured;

use super::active::{Active, InProcess, Runner};
use super::health::Health;
use super::pool::{Pool, Worker};
use super::process::{Child, Hosted, Launch};
use super::question::Surroundings;
use super::state::Entry;
use crate::settings::meaning::{Handlers as HandlerSettings, IsolationMode};
use crate::telemetry::metrics::{HandlerMeter, Role};

/// Puts a handler into service. `child` is a process that was configured just so, if there is one.
///
/// # Errors
/// One sentence.
pub(super) fn begin(
    entry: &Entry,
    child: Option<Child>,
    surroundings: &Surroundings,
    settings: &HandlerSettings,
    role: Role,
) -> Result<Active, String> {
    let isolation = entry.isolation;
    let name = entry.description.name.clone();
    let meter = HandlerMeter::new(&name, role);
    let no_threads = |error: std::io::Error| format!("{name} cannot be given threads: {error}");
    let runner = match isolation.mode {
        IsolationMode::Inline => Runner::Inline(in_process(entry)?),
        IsolationMode::Pool => {
            let (handler, surroundings) = (Arc::new(in_process(entry)?), Arc::new(surroundings.clone()));
            let worker = |_| {
                let own = InProcess { handler: Arc::clone(&handler), surroundings: Arc::clone(&surroundings) };
                Box::new(own) as Box<dyn Worker>
            };
            Runner::Pool(Pool::start((0..isolation.threads).map(worker).collect()).map_err(no_threads)?)
        }
        IsolationMode::Process => {
            let launch = Arc::new(Launch {
                name: name.clone(),
                library: entry.library.clone(),
                properties: entry.properties.clone(),
                surroundings: surroundings.clone(),
                memory: isolation.memory,
                start_limit: settings.start_deadline,
                limit: isolation.deadline,
                meter: meter.clone(),
                retired: AtomicBool::new(false),
            });
            let mut workers: Vec<Box<dyn Worker>> = Vec::with_capacity(isolation.processes);
            let mut first = child;
            for _ in 0..isolation.processes {
                let child = match first.take() {
                    Some(child) => child,
                    None => launch.start().map_err(|why| format!("{name}: {why}"))?,
                };
                workers.push(Box::new(Hosted::new(Arc::clone(&launch), child)));
            }
            Runner::Process(Pool::start(workers).map_err(no_threads)?, launch)
        }
    };
    Ok(Active {
        runner,
        limit: isolation.deadline,
        surroundings: surroundings.clone(),
        health: Health::default(),
        meter,
        name,
        retired: AtomicBool::new(false),
    })
}

/// An instance in this process. The library has shown in a process of its own that it can be opened and configured.
fn in_process(entry: &Entry) -> Result<Configured, String> {
    let described = entry.library.open().and_then(symbolon_sdk::host::Opened::describe).map_err(|error| error.to_string())?;
    let properties: BTreeMap<String, String> = entry.properties.clone();
    described.configure(&properties).map_err(|failure| format!("{}: {failure}", entry.description.path.display()))
}
