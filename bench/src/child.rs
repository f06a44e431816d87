//! A process that takes and writes lines.

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

/// The longest time until a process writes its next line.
const TIMEOUT: Duration = Duration::from_secs(180);

/// A process that ends with this one: when it is dropped, and when its standard input ends.
pub(crate) struct Child {
    process: Process,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Child {
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", command.as_std().get_program().display()))?;
        let input = process.stdin.take().context("a process without standard input")?;
        let output = process.stdout.take().context("a process without standard output")?;
        Ok(Self { process, input, output: BufReader::new(output).lines() })
    }

    /// Starts this program again, with other arguments.
    pub(crate) fn this_program<'a>(arguments: impl IntoIterator<Item = &'a String>) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments);
        Self::start(command)
    }

    /// The next line it writes.
    pub(crate) async fn next_line(&mut self) -> anyhow::Result<String> {
        let line = timeout(TIMEOUT, self.output.next_line()).await.context("a process writes nothing")??;
        line.context("a process ended too early; its last output says why")
    }

    /// Writes an empty line and waits for the line in response.
    pub(crate) async fn ask(&mut self) -> anyhow::Result<String> {
        self.input.write_all(b"\n").await?;
        self.input.flush().await?;
        self.next_line().await
    }

    /// Kills it and waits until it is gone.
    pub(crate) async fn end(mut self) -> anyhow::Result<ExitStatus> {
        // It may have ended by itself.
        self.process.start_kill().ok();
        Ok(self.process.wait().await?)
    }
}
