//! What cleans up when a test has no chance to.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::Pid;

/// Waits for the end of its standard input, which is the end of the test however it comes, kills the server and removes
/// its folder. In a group of its own, so that it survives a kill of the test's group.
const SCRIPT: &str = r#"read -r _; kill -9 "$1" 2>/dev/null; rm -rf "$2""#;

/// Kills one process and removes its folder when this process is gone without having done so.
#[derive(Debug)]
pub(crate) struct Guard(Child);

impl Guard {
    pub(crate) fn over(process: Pid, folder: &Path) -> Self {
        let guard = Command::new("sh")
            .args(["-c", SCRIPT, "guard", &process.as_raw_nonzero().to_string()])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        Self(guard.unwrap_or_else(|error| panic!("sh cannot be started: {error}")))
    }
}

impl Drop for Guard {
    /// To be dropped before the process it watches is waited for: afterwards its number may be another's.
    fn drop(&mut self) {
        // Nothing can be wrong but that it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
