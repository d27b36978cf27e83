//! Everything that a start depends on and that can be told without starting: settings, then clients, then databases of addresses, then
//! handlers and their properties, all in one pass. `config check` and `serve` find the same because both look here.

use super::output::Output;
use crate::clients;
use crate::issuance::handler::Rehearsal;
use crate::network::Networks;
use crate::settings::{Draft, Findings, Loaded};

/// What was found.
#[derive(Debug)]
pub struct Examination {
    loaded: Loaded,
    rehearsal: Option<Rehearsal>,
    networks: Option<Networks>,
    findings: Findings,
}

/// Examines settings as far as they could be read.
#[must_use]
pub fn examine(draft: Draft) -> Examination {
    let Draft { loaded, mut findings, handlers_are_known } = draft;
    findings.0.extend(clients::check(&loaded.settings.clients, &loaded.settings.scopes).0);
    let networks = Networks::open(&loaded.settings.network).map_err(|wrong| findings.0.extend(wrong.0)).ok();
    let mut rehearsal = handlers_are_known.then(|| Rehearsal::of(&loaded.settings));
    if let Some(rehearsal) = &mut rehearsal
        && loaded.settings.proxy.client_certificate_header.is_none()
    {
        rehearsal.warnings.extend(clients::without_certificates(&loaded.settings.clients));
    }
    findings.0.extend(rehearsal.iter_mut().flat_map(|rehearsal| std::mem::take(&mut rehearsal.findings)));
    Examination { loaded, rehearsal, networks, findings }
}

impl Examination {
    /// The settings, the databases, and the handlers ready to be put into service, with what is wrong without keeping a server from starting.
    ///
    /// # Errors
    /// Everything that is wrong; then the warnings are printed, so that all is told in one run.
    pub fn finish(self, output: Output) -> Result<(Loaded, Networks, Rehearsal), Findings> {
        match (self.rehearsal, self.networks) {
            (Some(rehearsal), Some(networks)) if self.findings.0.is_empty() => Ok((self.loaded, networks, rehearsal)),
            (rehearsal, _) => {
                rehearsal.iter().flat_map(|rehearsal| &rehearsal.warnings).for_each(|warning| output.finding(warning));
                // Whatever leaves one of them unknown is a finding too.
                Err(self.findings)
            }
        }
    }
}
