//! What a process has used, as it sees it itself.

use rustix::{
    param::clock_ticks_per_second,
    process::{Resource, Rlimit, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
};
use serde::{Deserialize, Serialize};

/// CPU time since the start of a process, and its memory now.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// User and system time of all its threads.
    pub(crate) cpu_nanoseconds: i64,
    /// The system time in it. `None` where the system does not tell (anywhere but on Linux).
    pub(crate) system_nanoseconds: Option<i64>,
    /// Resident memory. `None` where the system does not tell (anywhere but on Linux).
    pub(crate) resident_bytes: Option<u64>,
}

impl Usage {
    /// Of this process.
    pub(crate) fn now() -> Self {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        Self {
            cpu_nanoseconds: cpu.tv_sec * 1_000_000_000 + cpu.tv_nsec,
            system_nanoseconds: system(),
            resident_bytes: resident(),
        }
    }

    /// Microseconds of CPU since an earlier moment.
    pub(crate) fn microseconds_since(&self, earlier: &Self) -> f64 {
        (self.cpu_nanoseconds - earlier.cpu_nanoseconds) as f64 / 1000.0
    }

    /// The share of system time in the CPU time since an earlier moment, in percent.
    pub(crate) fn kernel_share_since(&self, earlier: &Self) -> Option<f64> {
        let system = (self.system_nanoseconds? - earlier.system_nanoseconds?) as f64 / 1000.0;
        Some(100.0 * system / self.microseconds_since(earlier))
    }

    /// KiB that came on top since an earlier moment.
    pub(crate) fn kibibytes_since(&self, earlier: &Self) -> Option<f64> {
        Some((self.resident_bytes? as f64 - earlier.resident_bytes? as f64) / 1024.0)
    }
}

/// In steps of a clock tick, which is ten milliseconds.
fn system() -> Option<i64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in parentheses, may contain spaces. System time is the 13th field after it.
    let ticks: i64 = stat.rsplit_once(')')?.1.split_whitespace().nth(12)?.parse().ok()?;
    Some(ticks * (1_000_000_000 / i64::try_from(clock_ticks_per_second()).ok()?))
}

fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// Lets this process hold as many connections as the system grants.
pub(crate) fn raise_file_limit() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    Ok(())
}
