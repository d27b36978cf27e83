//! Drives many connections at once for a while and counts. Owns time and latencies; must not know what a request means.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::failure::Failure;
use crate::meter::{Cost, Meter};
use crate::wire::Wire;

/// What one connection does, over and over. Any answer that is not the expected success is an error.
pub(crate) trait Sequence: 'static {
    /// One operation.
    async fn turn(&mut self, wire: &mut Wire) -> Result<(), Failure>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Measuring,
    Over,
}

/// What one run showed.
#[derive(Debug, Serialize)]
pub(crate) struct Run {
    /// Connections at once.
    pub(crate) connections: usize,
    /// Operations that ended within the measured time.
    pub(crate) operations: usize,
    /// Connections that ended early because an answer was not the expected one.
    pub(crate) errors: usize,
    /// The first of those answers.
    pub(crate) first_error: Option<String>,
    /// Operations per second.
    pub(crate) per_second: f64,
    /// Median latency of an operation in microseconds.
    pub(crate) p50_us: u64,
    /// 99th percentile in microseconds.
    pub(crate) p99_us: u64,
    /// What it cost the measured process.
    pub(crate) cost: Cost,
}

/// How long to drive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// Before anything is counted.
    pub(crate) warm_up: Duration,
    /// Counted.
    pub(crate) measured: Duration,
}

/// Drives one connection for each sequence and gives the sequences back, each where it stopped.
pub(crate) async fn drive<S: Sequence>(
    address: SocketAddr,
    sequences: Vec<S>,
    span: Span,
    meter: &Meter,
) -> Result<(Run, Vec<S>), Failure> {
    let phase = Rc::new(Cell::new(Phase::WarmUp));
    let connections = sequences.len();
    let mut tasks = Vec::with_capacity(connections);
    for mut sequence in sequences {
        let mut wire = Wire::connect(address).await?;
        let phase = Rc::clone(&phase);
        tasks.push(tokio::task::spawn_local(async move {
            let mut latencies: Vec<u32> = Vec::with_capacity(1 << 14);
            let mut error = None;
            while phase.get() != Phase::Over {
                let began = Instant::now();
                if let Err(failure) = sequence.turn(&mut wire).await {
                    error = Some(failure.to_string());
                    break;
                }
                if phase.get() == Phase::Measuring {
                    latencies.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
            }
            (sequence, latencies, error)
        }));
    }
    tokio::time::sleep(span.warm_up).await;
    let before = meter.read_with_children()?;
    let began = Instant::now();
    phase.set(Phase::Measuring);
    tokio::time::sleep(span.measured).await;
    phase.set(Phase::Over);
    let elapsed = began.elapsed();
    let after = meter.read_with_children()?;

    let (mut back, mut latencies, mut errors, mut first_error) = (Vec::with_capacity(connections), Vec::new(), 0, None);
    for task in tasks {
        let (sequence, own, error) = task.await.map_err(|error| Failure::said(format!("a connection's task: {error}")))?;
        back.push(sequence);
        latencies.extend(own);
        if let Some(error) = error {
            errors += 1;
            first_error.get_or_insert(error);
        }
    }
    latencies.sort_unstable();
    let operations = latencies.len();
    let run = Run {
        connections,
        operations,
        errors,
        first_error,
        per_second: count(operations) / elapsed.as_secs_f64(),
        p50_us: percentile(&latencies, 50),
        p99_us: percentile(&latencies, 99),
        cost: after.since(&before, operations, elapsed),
    };
    Ok((run, back))
}

/// A count as a number to divide by.
pub(crate) fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

/// Nearest-rank percentile of sorted values; 0 of none.
fn percentile(sorted: &[u32], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let values: Vec<u32> = (1..=200).collect();
        assert_eq!((percentile(&values, 50), percentile(&values, 99)), (100, 198));
        assert_eq!((percentile(&[7], 50), percentile(&[7], 99), percentile(&[], 99)), (7, 7, 0));
    }
}
