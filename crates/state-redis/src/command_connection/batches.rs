//! Sends commands of one connection in batches.
//!
//! While the server has not answered a batch, further commands collect and become the next one: one write and one read
//! for all of them. The first command on an idle connection is sent at once.

use std::mem;

use parking_lot::Mutex;
use redis::{Arg, Cmd, Pipeline, Value};
use tokio::{sync::oneshot, time::Instant};

use super::{CommandConnection, Failure, Reconnect, read};

/// The size of a batch in bytes, beyond which the next command begins another. A pipeline is copied into one buffer.
const MOST_BYTES: usize = 1 << 20;

/// The commands that wait for the response to the batch before them.
#[derive(Debug, Default)]
pub(super) struct CommandBatches(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    commands: Vec<Waiter>,
    /// Whether a task sends batches until none waits.
    is_sending: bool,
}

#[derive(Debug)]
struct Waiter {
    command: Cmd,
    deadline: Instant,
    answer: oneshot::Sender<Result<Value, Failure>>,
}

impl CommandBatches {
    /// Adds a command. Returns true if the caller has to start a task that sends the batches.
    fn push(&self, waiter: Waiter) -> bool {
        let mut waiting = self.0.lock();
        waiting.commands.push(waiter);
        !mem::replace(&mut waiting.is_sending, true)
    }

    /// Takes the next batch. `None` if no command waits; then the task has to end.
    fn next(&self) -> Option<Vec<Waiter>> {
        let mut waiting = self.0.lock();
        let mut bytes = 0;
        let fits = |waiter: &&Waiter| {
            let is_first = bytes == 0;
            bytes += size(&waiter.command);
            is_first || bytes <= MOST_BYTES
        };
        let count = waiting.commands.iter().take_while(fits).count();
        let batch: Vec<_> = waiting.commands.drain(..count).collect();
        waiting.is_sending = !batch.is_empty();
        waiting.is_sending.then_some(batch)
    }
}

/// The task that sends the batches. If it ends early, with its runtime, no command waits for it.
struct Sending<'a> {
    batches: &'a CommandBatches,
    is_over: bool,
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            *self.batches.0.lock() = Waiting::default();
        }
    }
}

impl CommandConnection {
    /// Like [`send`](Self::send), but together with others that are sent this way before the server has answered. They
    /// are executed in the order of their calls. Fails at once while there is no connection.
    ///
    /// A command is not sent if its caller stops waiting before its batch is sent. The deadline is that of its batch: the
    /// command may wait for the batch before it, until that one's deadline.
    pub(crate) async fn send_in_batch(&self, command: Cmd, deadline: Instant) -> Result<Value, Failure> {
        let (answer, answered) = oneshot::channel();
        if self.0.batches.push(Waiter { command, deadline, answer }) {
            tokio::spawn(self.clone().send_batches());
        }
        // The task ends without an answer only with its runtime.
        answered.await.unwrap_or(Err(Failure::TimedOut))
    }

    async fn send_batches(self) {
        let mut sending = Sending { batches: &self.0.batches, is_over: false };
        while let Some(mut batch) = self.0.batches.next() {
            batch.retain(|waiter| !waiter.answer.is_closed());
            let Some(deadline) = batch.iter().map(|waiter| waiter.deadline).max() else { continue };
            let mut pipeline = Pipeline::with_capacity(batch.len());
            let mut answers = Vec::with_capacity(batch.len());
            for Waiter { command, answer, .. } in batch {
                pipeline.add_command(command);
                answers.push(answer);
            }
            // A caller that has stopped waiting needs no answer.
            match self.send_all(&pipeline, Reconnect::DoNotWait, deadline).await {
                Ok(values) => answers.into_iter().zip(values).for_each(|(answer, value)| {
                    let _ = answer.send(read(value));
                }),
                Err(failure) => answers.into_iter().for_each(|answer| {
                    let _ = answer.send(Err(failure.clone()));
                }),
            }
        }
        sending.is_over = true;
    }
}

fn size(command: &Cmd) -> usize {
    let bytes = |arg| if let Arg::Simple(bytes) = arg { <[u8]>::len(bytes) } else { 0 };
    command.args_iter().map(bytes).sum()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::join_all;
    use redis::{Cmd, IntoConnectionInfo, Value};
    use roomwire_test_servers::RedisServer;
    use tokio::{
        sync::oneshot,
        time::{Instant, sleep, timeout},
    };

    use super::{CommandBatches, MOST_BYTES, Sending, Waiter};
    use crate::{command_connection::Failure, shard::Shard};

    fn append(key: &str, text: &str) -> Cmd {
        let mut command = redis::cmd("APPEND");
        command.arg(key).arg(text);
        command
    }

    fn waiter(bytes: usize) -> Waiter {
        Waiter { command: append("k", &"x".repeat(bytes)), deadline: Instant::now(), answer: oneshot::channel().0 }
    }

    #[tokio::test]
    async fn a_batch_ends_before_it_is_too_large_and_has_one_command_at_least() {
        let batches = CommandBatches::default();
        assert!(batches.push(waiter(10)), "the first caller starts the task");
        for bytes in [10, 2 * MOST_BYTES, 10, MOST_BYTES / 2, MOST_BYTES / 2, 10] {
            assert!(!batches.push(waiter(bytes)), "a task runs");
        }
        let counts = std::iter::from_fn(|| batches.next()).map(|batch| batch.len());
        assert_eq!(counts.collect::<Vec<_>>(), [2, 1, 2, 2]);
        assert!(batches.push(waiter(10)), "the task has ended");
    }

    async fn shard(server: &RedisServer) -> Shard {
        let info = server.url().into_connection_info().expect("valid");
        Shard::new(&info, 1, Duration::from_secs(1)).expect("valid")
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test]
    async fn commands_are_executed_in_the_order_of_their_calls_and_fail_alone() {
        let server = RedisServer::start().await;
        let shard = shard(&server).await;
        let mut commands: Vec<_> = (0..2000).map(|number| append("log", &format!("{number},"))).collect();
        commands[700] = redis::cmd("NO-SUCH-COMMAND");
        let answers = join_all(commands.iter().map(|command| shard.send_in_batch(0, command, soon()))).await;
        for (number, answer) in answers.iter().enumerate() {
            assert_eq!(matches!(answer, Err(Failure::Answered(_))), number == 700, "{number}: {answer:?}");
        }
        let mut get = redis::cmd("GET");
        get.arg("log");
        let expected: String = (0..2000).filter(|number| *number != 700).map(|number| format!("{number},")).collect();
        assert_eq!(shard.send(0, &get, soon()).await.expect("answers"), Value::BulkString(expected.into()));
    }

    #[tokio::test]
    async fn a_command_whose_caller_has_given_up_is_not_sent() {
        let server = RedisServer::start().await;
        let shard = shard(&server).await;
        shard.send_in_batch(0, &append("log", "a"), soon()).await.expect("answers");
        server.stop_answering();
        let (one, two, three) = (append("log", "b"), append("log", "c"), append("log", "d"));
        let (first, (), third) = tokio::join!(
            shard.send_in_batch(0, &one, soon()),
            async {
                sleep(Duration::from_millis(10)).await;
                let given_up = timeout(Duration::from_millis(50), shard.send_in_batch(0, &two, soon())).await;
                assert!(given_up.is_err(), "the server does not answer");
                server.go_on();
            },
            async {
                sleep(Duration::from_millis(20)).await;
                shard.send_in_batch(0, &three, soon()).await
            }
        );
        first.and(third).expect("answers");
        let mut get = redis::cmd("GET");
        get.arg("log");
        assert_eq!(shard.send(0, &get, soon()).await.expect("answers"), Value::BulkString("abd".into()));
    }

    #[tokio::test]
    async fn when_the_task_ends_early_waiting_commands_fail_and_the_next_caller_starts_another() {
        let batches = CommandBatches::default();
        let (answer, answered) = oneshot::channel();
        assert!(batches.push(Waiter { answer, ..waiter(10) }));
        drop(Sending { batches: &batches, is_over: false });
        answered.await.expect_err("it is dropped");
        assert!(batches.push(waiter(10)));
        drop(Sending { batches: &batches, is_over: true });
        assert!(!batches.push(waiter(10)), "a task runs");
    }
}
