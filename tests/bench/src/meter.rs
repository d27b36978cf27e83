//! Reads what a process has used from `/proc`: CPU, memory, bytes written. Owns these formats; knows nothing of load.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::count;

/// Microseconds in one tick of `/proc/PID/stat`: `USER_HZ` is 100 on every Linux that Rust supports.
const TICK_US: u64 = 10_000;

/// A process to measure.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    process: String,
}

/// What a process has used since it was started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    /// All threads, also those that have ended, in microseconds of user and system time.
    cpu_us: u64,
    /// Bytes handed to the disk.
    written: u64,
    /// Nanoseconds on the CPU by name of thread, for the living ones.
    threads: BTreeMap<String, u64>,
    /// Resident set in KiB.
    rss_kib: u64,
}

/// What a process used for one operation.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// CPU in microseconds, user and system, all threads.
    pub(crate) cpu_us: f64,
    /// CPU time by wall time: 1.0 is a core.
    pub(crate) busy: f64,
    /// KiB handed to the disk.
    pub(crate) written_kib: f64,
    /// Resident set in KiB at the end.
    pub(crate) rss_kib: u64,
    /// CPU in microseconds by name of thread.
    pub(crate) threads_us: BTreeMap<String, f64>,
}

impl Meter {
    /// A meter of the process with this id.
    pub(crate) fn of(pid: u32) -> Self {
        Self { process: format!("/proc/{pid}") }
    }

    /// A meter of this process.
    pub(crate) fn own() -> Self {
        Self { process: "/proc/self".to_owned() }
    }

    /// What it and the processes that it has started have used so far.
    pub(crate) fn read_with_children(&self) -> Result<Reading, Failure> {
        let mut all = self.read()?;
        for child in self.children() {
            // One that ends just now is no longer of interest.
            let Ok(own) = child.read() else { continue };
            all.cpu_us += own.cpu_us;
            all.written += own.written;
            all.rss_kib += own.rss_kib;
            for (name, ns) in own.threads {
                *all.threads.entry(format!("{name} (child)")).or_default() += ns;
            }
        }
        Ok(all)
    }

    /// The processes whose parent it is.
    fn children(&self) -> Vec<Self> {
        let own = self.process.trim_start_matches("/proc/");
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        numbers
            .map(Self::of)
            .filter(|other| {
                let stat = fs::read_to_string(format!("{}/stat", other.process)).unwrap_or_default();
                stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)) == Some(own)
            })
            .collect()
    }

    /// What it has used so far.
    pub(crate) fn read(&self) -> Result<Reading, Failure> {
        let stat = fs::read_to_string(format!("{}/stat", self.process))
            .map_err(|error| Failure::said(format!("the measured process is gone: {error}")))?;
        let cpu_us = ticks_of(&stat).ok_or_else(|| Failure::said("/proc/PID/stat is not as expected"))? * TICK_US;
        let written =
            fs::read_to_string(format!("{}/io", self.process)).ok().and_then(|io| field(&io, "write_bytes:")).unwrap_or(0);
        let mut threads = BTreeMap::new();
        for task in fs::read_dir(format!("{}/task", self.process))?.flatten() {
            let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            let used = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let used: u64 = used.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or_default();
            *threads.entry(name.trim().to_owned()).or_default() += used;
        }
        Ok(Reading { cpu_us, written, threads, rss_kib: self.rss_kib()? })
    }

    /// The resident set in KiB.
    pub(crate) fn rss_kib(&self) -> Result<u64, Failure> {
        let status = fs::read_to_string(format!("{}/status", self.process))?;
        field(&status, "VmRSS:").ok_or_else(|| Failure::said("no VmRSS in /proc/PID/status"))
    }

    /// The largest resident set so far in KiB.
    pub(crate) fn peak_kib(&self) -> Result<u64, Failure> {
        let status = fs::read_to_string(format!("{}/status", self.process))?;
        field(&status, "VmHWM:").ok_or_else(|| Failure::said("no VmHWM in /proc/PID/status"))
    }
}

impl Reading {
    /// The cost of one of `operations` that were done in `elapsed` since `before`.
    pub(crate) fn since(&self, before: &Self, operations: usize, elapsed: Duration) -> Cost {
        let operations = count(operations.max(1));
        let by_schedule: u64 = self.threads.iter().map(|(name, ns)| gain(*ns, before.threads.get(name))).sum();
        // Scheduler times are exact to the nanosecond but forget threads that have ended; ticks remember them.
        let cpu_us = micros(self.cpu_us - before.cpu_us).max(micros(by_schedule) / 1e3);
        Cost {
            cpu_us: cpu_us / operations,
            busy: cpu_us / 1e6 / elapsed.as_secs_f64(),
            written_kib: micros(self.written - before.written) / 1024.0 / operations,
            rss_kib: self.rss_kib,
            threads_us: self
                .threads
                .iter()
                .map(|(name, ns)| (name.clone(), micros(gain(*ns, before.threads.get(name))) / 1e3 / operations))
                .filter(|(_, us)| *us >= 0.05)
                .collect(),
        }
    }

    /// Microseconds that all living threads were on the CPU since `before`.
    pub(crate) fn scheduled_us_since(&self, before: &Self) -> f64 {
        micros(self.threads.iter().map(|(name, ns)| gain(*ns, before.threads.get(name))).sum()) / 1e3
    }
}

fn gain(now: u64, before: Option<&u64>) -> u64 {
    now.saturating_sub(before.copied().unwrap_or_default())
}

/// A number of microseconds (or nanoseconds, or bytes) to calculate with.
fn micros(n: u64) -> f64 {
    Duration::from_micros(n).as_secs_f64() * 1e6
}

/// `utime` + `stime` of `/proc/PID/stat`; the name in parentheses may contain anything.
fn ticks_of(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// The number behind a name at the start of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_does_not_confuse_its_times() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 250 31 0 0 20 0 1 0 99 1 1";
        assert_eq!(ticks_of(stat), Some(281));
    }

    #[test]
    fn this_process_uses_memory_and_time() {
        let meter = Meter::own();
        let before = meter.read().unwrap();
        let mut sum = 0_u64;
        for n in 0..5_000_000_u64 {
            sum = std::hint::black_box(sum.wrapping_add(n));
        }
        let after = meter.read().unwrap();
        assert!(after.scheduled_us_since(&before) > 0.0);
        assert!(after.rss_kib > 100 && meter.peak_kib().unwrap() >= after.rss_kib);
    }
}
