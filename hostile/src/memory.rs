//! How much memory a process has, as Linux counts it.

use std::fs;

/// The memory of a process that is in use at one time, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pid: u32,
    before: u64,
}

impl Memory {
    /// Begins to watch: the peak counts from now on.
    ///
    /// # Panics
    /// When the system does not tell.
    #[must_use]
    pub fn watch(pid: u32) -> Self {
        // Sets the peak to what is in use.
        if let Err(error) = fs::write(format!("/proc/{pid}/clear_refs"), "5") {
            panic!("the peak of the memory cannot be set back: {error}");
        }
        Self { pid, before: field(pid, "VmRSS:") }
    }

    /// By how much the peak since the watch began is above what was in use then, in bytes.
    ///
    /// # Panics
    /// When the system does not tell.
    #[must_use]
    pub fn growth(&self) -> u64 {
        field(self.pid, "VmHWM:").saturating_sub(self.before)
    }
}

fn field(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or_else(|| panic!("{name} of process {pid} is unknown")) * 1024
}
