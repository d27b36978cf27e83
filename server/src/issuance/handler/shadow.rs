//! A handler that is asked beside the enabled one, after the answer and without effect: where it decides otherwise is counted and
//! logged, so that a change of policy can be watched before it is made.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::active::Active;
use super::answer;
use super::outline::Verdict;
use super::question::Question;
use super::state::Entry;
use crate::issuance::guard::{self, AudienceLimit, Limits};
use crate::settings::Settings;
use crate::telemetry::{AuditEvent, codes};

/// The most comparisons at once: beyond them exchanges go unwatched rather than pile up.
const AT_ONCE: usize = 64;

/// The shadow.
#[derive(Debug)]
pub(super) struct Shadow {
    pub(super) handler: Active,
    /// What it was made of, to see whether it has changed.
    pub(super) entry: Entry,
    slots: Arc<Semaphore>,
}

impl Shadow {
    pub(super) fn new(handler: Active, entry: Entry) -> Self {
        Self { handler, entry, slots: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Asks the shadow what was asked of `enabled`, which decided `verdict`, and reports where they differ. Returns at once.
    pub(super) fn watch(
        self: &Arc<Self>,
        question: &Question<'_>,
        limits: &Limits<'_>,
        settings: &Arc<Settings>,
        enabled: &str,
        verdict: Verdict,
    ) {
        if verdict == Verdict::None {
            return;
        }
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            self.handler.meter.shadow("skipped");
            return;
        };
        let facts = question.facts().for_shadow();
        let (requested, allowed) = (limits.audience.requested.to_vec(), limits.audience.allowed.to_vec());
        let (client, grantable) = (Arc::clone(limits.client), limits.grantable.clone());
        let (session, offline, now) = (limits.session.cloned(), limits.offline, limits.now);
        let (settings, enabled, shadow) = (Arc::clone(settings), enabled.to_owned(), Arc::clone(self));
        tokio::spawn(async move {
            let ids = facts.ids();
            let (client_id, sid) = (ids.0.to_owned(), ids.1.to_owned());
            let audience = AudienceLimit { requested: &requested, allowed: &allowed };
            let limits = Limits { client: &client, grantable: &grantable, session: session.as_ref(), offline, audience, now };
            let answer = shadow.handler.ask_apart(facts).await.map(answer::proposal);
            let decided = answer.map(|proposal| guard::clamp(proposal, &limits, &settings));
            let own = Verdict::of(decided.as_ref());
            shadow.report(&verdict, &own, &enabled, &client_id, &sid);
            drop(slot);
        });
    }

    fn report(&self, verdict: &Verdict, own: &Verdict, enabled: &str, client_id: &str, sid: &str) {
        if *own == Verdict::None {
            // Why was logged when the call failed.
            self.handler.meter.shadow("failed");
            return;
        }
        let differences = verdict.differences(own);
        if differences.is_empty() {
            self.handler.meter.shadow("same");
            return;
        }
        self.handler.meter.shadow("different");
        AuditEvent::granted(codes::SHADOW_DIFFERED)
            .handler(&self.handler.name)
            .client_id(client_id)
            .sid(&sid)
            .reason(&format!("{enabled} decides {}, {} would decide {}", verdict.word(), self.handler.name, own.word()))
            .detail(&differences.join("; "))
            .emit();
    }
}
