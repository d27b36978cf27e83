//! Handlers exchanged without a restart: by SIGHUP, by command, and by watching their files. Validated first; if anything is wrong
//! the old ones stay, and the findings say why.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;

use super::arguments::Place;
use crate::grants::Engine;
use crate::issuance::handler::{Reloaded, watched};
use crate::settings::meaning::Handlers as HandlerSettings;
use crate::settings::{self, Finding, Findings, Shown};
use crate::telemetry::{AuditEvent, codes, metrics};

/// Reloads the handlers of one running server.
#[derive(Debug)]
pub struct Reloader {
    place: Place,
    engine: Arc<Engine>,
    /// What `config show` said at the start, to tell which settings wait for a restart.
    began_with: Vec<Shown>,
    /// What holds for the handlers now.
    current: watch::Sender<HandlerSettings>,
}

impl Reloader {
    /// For the server that was started from `place`, with settings that show as `began_with`.
    #[must_use]
    pub fn new(place: Place, engine: Arc<Engine>, began_with: Vec<Shown>) -> Self {
        let current = watch::Sender::new(engine.settings().handlers.clone());
        Self { place, engine, began_with, current }
    }

    /// The engine whose handlers are reloaded.
    #[must_use]
    pub const fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Reads the settings again and puts the handlers that they mean into service.
    ///
    /// # Errors
    /// Findings; then nothing has changed.
    pub async fn reload(&self, why: &str) -> Result<Reloaded, Findings> {
        let result = self.exchange().await;
        let networks = self.engine.networks().clone();
        // What came of it is in the log: it is nobody's business who reloads handlers.
        drop(tokio::task::spawn_blocking(move || networks.refresh()).await);
        match &result {
            Ok(reloaded) => {
                metrics::handler_reload("ok");
                for warning in &reloaded.warnings {
                    super::assemble::warn(warning);
                }
                let detail =
                    if reloaded.changes.is_empty() { "nothing has changed".to_owned() } else { reloaded.changes.join("; ") };
                AuditEvent::granted(codes::HANDLERS_RELOADED).reason(why).detail(&detail).emit();
                if !reloaded.changes.is_empty() {
                    self.engine.handlers().announce();
                }
            }
            Err(findings) => {
                metrics::handler_reload("refused");
                for finding in &findings.0 {
                    tracing::error!(id = finding.id, place = finding.place, "the handlers are not reloaded: {finding}");
                }
                AuditEvent::refused(codes::RELOAD_REFUSED).reason(why).detail(&format!("{} findings", findings.0.len())).emit();
            }
        }
        result
    }

    async fn exchange(&self) -> Result<Reloaded, Findings> {
        let loaded = settings::from_process(self.place.config.as_deref(), &self.place.define)?;
        let waiting = waiting(&self.began_with, &loaded.show());
        let (engine, handlers) = (Arc::clone(&self.engine), loaded.settings.handlers.clone());
        let working = tokio::task::spawn_blocking(move || engine.handlers().reload(&handlers, engine.settings()));
        let mut reloaded = working.await.unwrap_or_else(|_| Err(broke_off()))?;
        self.current.send_replace(loaded.settings.handlers);
        reloaded.warnings.extend(waiting);
        Ok(reloaded)
    }

    /// Looks at the files as often as `handlers.watch` says, and reloads when a change has come to rest: a file that is still being
    /// copied changes from look to look.
    pub async fn watch(&self) {
        let mut settings = self.current.subscribe();
        let mut known: Option<Picture> = None;
        let mut previous = Picture::default();
        loop {
            let current = settings.borrow_and_update().clone();
            let Some(every) = current.watch else {
                known = None;
                // Fails only without a sender, and that is ours.
                drop(settings.changed().await);
                continue;
            };
            let now = look(current).await;
            match &known {
                None => known = Some(now.clone()),
                Some(known_now) if *known_now != now && now == previous => {
                    known = Some(now.clone());
                    // What came of it is in the log; a refused one is tried again when the files change again.
                    drop(self.reload("a file has changed").await);
                }
                Some(_) => {}
            }
            previous = now;
            tokio::time::sleep(every).await;
        }
    }
}

fn broke_off() -> Findings {
    Findings(vec![Finding {
        id: "handler.reload",
        place: "the server".to_owned(),
        seen: "the reload broke off".to_owned(),
        expected: "a reload that ends".to_owned(),
        remedy: "report this: it is a mistake in the program".to_owned(),
    }])
}

/// What differs between two pictures of a file.
type Picture = BTreeMap<PathBuf, (u64, Option<SystemTime>, u64)>;

async fn look(settings: HandlerSettings) -> Picture {
    use std::os::unix::fs::MetadataExt as _;
    let look = move || {
        let picture = |path: PathBuf| {
            let about = std::fs::metadata(&path).ok()?;
            Some((path, (about.len(), about.modified().ok(), about.ino())))
        };
        watched(&settings).into_iter().filter_map(picture).collect()
    };
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

/// Settings outside of `[handlers]` that were written anew: they hold from the next start on.
fn waiting(began_with: &[Shown], now: &[Shown]) -> Option<Finding> {
    const OURS: &str = "handlers.";
    let of_the_server = |shown: &&Shown| !shown.is_property && !shown.key.starts_with(OURS);
    let values = |list: &[Shown]| -> BTreeMap<String, String> {
        list.iter().filter(of_the_server).map(|shown| (shown.key.clone(), shown.value.clone())).collect()
    };
    let (before, after) = (values(began_with), values(now));
    let mut changed: Vec<&str> =
        after.iter().filter(|(key, value)| before.get(*key) != Some(value)).map(|(key, _)| key.as_str()).collect();
    changed.extend(before.keys().filter(|key| !after.contains_key(*key)).map(String::as_str));
    (!changed.is_empty()).then(|| Finding {
        id: "config.waits_for_restart",
        place: "the settings".to_owned(),
        seen: format!("changed since the start: {}", changed.join(", ")),
        expected: "a reload takes over handlers.* and handler properties alone".to_owned(),
        remedy: "restart the server for the rest".to_owned(),
    })
}
