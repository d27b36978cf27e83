//! A prepared server that is measured in turn with others that differ in one thing, so that what a shared machine does to one it does
//! to all. Knows nothing of what they differ in.

use crate::failure::Failure;
use crate::load::{Run, Span, drive};
use crate::preparation::{Device, Endpoints, Prepared};
use crate::server::Server;
use crate::workloads::shared_out;

/// How often servers are measured in turn.
const ROUNDS: usize = 5;
const QUICK_ROUNDS: usize = 3;

/// One server and what it is asked with.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) server: Server,
    endpoints: Endpoints,
    devices: Vec<Device>,
}

/// The number of rounds of a short or a long comparison.
pub(crate) const fn rounds(quick: bool) -> usize {
    if quick { QUICK_ROUNDS } else { ROUNDS }
}

impl Place {
    /// A server with device sessions on it.
    pub(crate) fn of(prepared: Prepared) -> Self {
        let Prepared { server, endpoints, devices } = prepared;
        Self { server, endpoints, devices }
    }

    /// The same devices at a server that was started again.
    pub(crate) const fn again(server: Server, endpoints: Endpoints, devices: Vec<Device>) -> Self {
        Self { server, endpoints, devices }
    }

    /// Drives exchanges. A wrong answer is a failure: a comparison with one means nothing.
    pub(crate) async fn exchanges(&mut self, connections: usize, span: Span) -> Result<Run, Failure> {
        let sequences = shared_out(&mut self.devices, connections, &self.endpoints);
        let (run, back) = drive(self.server.address, sequences, span, &self.server.meter).await?;
        self.devices.extend(back.into_iter().flat_map(|sequence| sequence.devices));
        match &run.first_error {
            None => Ok(run),
            Some(error) => Err(Failure::said(error.clone())),
        }
    }
}

/// The one whose `by` is in the middle.
pub(crate) fn median<T>(mut seen: Vec<T>, by: impl Fn(&T) -> f64) -> Option<T> {
    seen.sort_by(|one, other| by(one).total_cmp(&by(other)));
    (!seen.is_empty()).then(|| seen.swap_remove(seen.len() / 2))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(super::median(vec![3.0, 1.0, 2.0], |n| *n), Some(2.0));
        assert_eq!(super::median(Vec::<f64>::new(), |n| *n), None);
    }
}
