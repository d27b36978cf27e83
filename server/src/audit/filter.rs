//! Which events somebody wants.

use super::Event;

/// What an event must be; what is empty or `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Its code, or what that begins with: one of these.
    pub codes: Vec<String>,
    /// Its client.
    pub client_id: Option<String>,
    /// Its person, by `sub`.
    pub subject: Option<String>,
    /// Its session.
    pub sid: Option<String>,
    /// `granted` or `refused`.
    pub outcome: Option<&'static str>,
    /// The earliest time, in the text form of events.
    pub since: Option<String>,
    /// The time before which it was, likewise.
    pub until: Option<String>,
}

impl Filter {
    /// Whether the event is wanted.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        let same = |wanted: &Option<String>, seen: &Option<String>| wanted.is_none() || wanted == seen;
        (self.codes.is_empty() || self.codes.iter().any(|code| event.code.starts_with(code.as_str())))
            && same(&self.client_id, &event.client_id)
            && same(&self.subject, &event.subject)
            && same(&self.sid, &event.sid)
            && self.outcome.is_none_or(|outcome| outcome == event.outcome)
            // All times have the same length, so their text is in their order.
            && self.since.as_ref().is_none_or(|since| *since <= event.time)
            && self.until.as_ref().is_none_or(|until| event.time < *until)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn each_wish_counts() {
        let event = Event::of_line(
            br#"{"id":"1","time":"2026-11-28T14:18:11.023Z","code":"TK1032","outcome":"refused","client_id":"app","subject":"s","sid":"x"}"#,
        )
        .unwrap();
        let text = |text: &str| Some(text.to_owned());
        let with = |change: &dyn Fn(&mut Filter)| {
            let mut filter = Filter::default();
            change(&mut filter);
            filter.wants(&event)
        };
        let yes: [&dyn Fn(&mut Filter); 9] = [
            &|_| {},
            &|f| f.codes = vec!["SE".into(), "TK1".into()],
            &|f| f.codes = vec!["TK1032".into()],
            &|f| f.client_id = text("app"),
            &|f| f.subject = text("s"),
            &|f| f.sid = text("x"),
            &|f| f.outcome = Some("refused"),
            &|f| f.since = text("2026-11-28T14:18:11.023Z"),
            &|f| f.until = text("2026-11-28T14:18:11.024Z"),
        ];
        let no: [&dyn Fn(&mut Filter); 8] = [
            &|f| f.codes = vec!["SE".into(), "TK1031".into()],
            &|f| f.codes = vec!["K1032".into()],
            &|f| f.client_id = text("ap"),
            &|f| f.subject = text("app"),
            &|f| f.sid = text(""),
            &|f| f.outcome = Some("granted"),
            &|f| f.since = text("2026-11-28T14:18:11.024Z"),
            &|f| f.until = text("2026-11-28T14:18:11.023Z"),
        ];
        assert!(yes.iter().all(|change| with(*change)));
        assert!(!no.iter().any(|change| with(*change)));
    }
}
