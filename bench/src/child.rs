//! This program again, in a process of its own that is spoken to line by line.

use std::{
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::Context;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child as Process, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// A process that ends with this one: when it is dropped, and when its standard input ends.
pub(crate) struct Child {
    process: Process,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Child {
    pub(crate) fn start(arguments: &[String]) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?;
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("a process cannot be started")?;
        let input = process.stdin.take().context("a process without standard input")?;
        let output = process.stdout.take().context("a process without standard output")?;
        Ok(Self { process, input, output: BufReader::new(output).lines() })
    }

    /// The next line it writes.
    pub(crate) async fn hear(&mut self) -> anyhow::Result<String> {
        let line = timeout(PATIENCE, self.output.next_line()).await.context("a process does not answer")??;
        line.context("a process ended too early; what it wrote says why")
    }

    /// Lets it go on and waits for what it says.
    pub(crate) async fn ask(&mut self) -> anyhow::Result<String> {
        self.input.write_all(b"\n").await?;
        self.input.flush().await?;
        self.hear().await
    }

    /// Ends it.
    pub(crate) async fn end(mut self) -> anyhow::Result<ExitStatus> {
        // It may have ended by itself.
        self.process.start_kill().ok();
        Ok(self.process.wait().await?)
    }
}
