//! The command line: which tasks there are and what each takes.

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The tasks of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Run an example, with whatever it needs installed first
    Example(ExampleArgs),
    /// Set up and run all tests
    Test(TestArgs),
    /// Check layering, file sizes, headers, manifests and names
    Tidy,
    /// Everything CI checks: tidy, fmt, clippy, docs, deny, package, test, fuzz
    Ci(CiArgs),
    /// Give random bytes to every parser that reads bytes from outside
    Fuzz(FuzzArgs),
    /// Measure Roomwire and its peers side by side
    Bench(BenchArgs),
    /// Let clients come and go for minutes or hours, and see whether the memory of nodes grows
    Soak(SoakArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ExampleArgs {
    /// Which example
    pub(crate) name: Example,
    /// Build with optimizations
    #[arg(long)]
    pub(crate) release: bool,
    /// Chat only: so many nodes behind nginx, as one cluster, with a Redis of its own unless one is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) nodes: Option<u8>,
    /// Chat only: state in this Redis; of a Redis Cluster several URLs, with commas
    #[arg(long, value_name = "URL")]
    pub(crate) redis: Option<String>,
    /// Passed on to the example
    #[arg(last = true)]
    pub(crate) args: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Example {
    /// The chat, with its page for browsers
    Chat,
    /// Sockets of people who have logged in
    Login,
    /// An axum app of one's own that mounts the layer
    Mount,
    /// A test of a gateway without any socket
    NoSocket,
    /// Traces with OpenTelemetry, written to the terminal
    Tracing,
}

#[derive(Debug, Default, Args)]
pub(crate) struct TestArgs {
    /// Run only the tests whose name contains this
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Run randomized tests for more rounds
    #[arg(long)]
    pub(crate) full: bool,
    /// Run only one kind of test
    #[arg(long)]
    pub(crate) only: Option<Suite>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// Unit and integration tests in Rust
    Rust,
    /// The examples in the documentation
    Docs,
    /// The official client and a browser against real servers
    E2e,
}

impl Suite {
    /// The word that selects this suite on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Docs => "docs",
            Self::E2e => "e2e",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct CiArgs {
    /// Also what takes longer than a change can wait for: more rounds of randomized tests, a minute of each fuzz target
    #[arg(long)]
    pub(crate) full: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FuzzArgs {
    /// For how many seconds each
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,
    /// Only those whose name contains this
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SoakArgs {
    /// For how many minutes
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) minutes: u64,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// A short run of the peers in Rust, which fails only on wide margins
    #[arg(long)]
    pub(crate) quick: bool,
    /// Passed on to the benchmark
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_example_takes_its_own_arguments_after_two_dashes() {
        let cli = Cli::parse_from(["xtask", "example", "no-socket", "--release", "--", "--nocapture"]);
        let Task::Example(example) = cli.task else {
            panic!("another task was parsed");
        };
        assert_eq!(example.name, Example::NoSocket);
        assert!(example.release);
        assert_eq!(example.args, ["--nocapture"]);
    }

    #[test]
    fn a_cluster_has_one_to_sixteen_nodes() {
        let parsed = |nodes| Cli::try_parse_from(["xtask", "example", "chat", "--nodes", nodes]);
        assert!(parsed("1").is_ok() && parsed("16").is_ok());
        for nodes in ["0", "17", "-1", "many"] {
            assert!(parsed(nodes).is_err(), "{nodes}");
        }
    }

    #[test]
    fn the_benchmark_keeps_unknown_flags_for_itself() {
        let cli = Cli::parse_from(["xtask", "bench", "--quick", "--clients", "50"]);
        let Task::Bench(bench) = cli.task else {
            panic!("another task was parsed");
        };
        assert!(bench.quick);
        assert_eq!(bench.args, ["--clients", "50"]);
    }

    #[test]
    fn a_suite_is_selected_by_its_word() {
        for suite in [Suite::Rust, Suite::Docs, Suite::E2e] {
            let cli = Cli::parse_from(["xtask", "test", "--only", suite.word()]);
            assert!(matches!(cli.task, Task::Test(TestArgs { only: Some(only), .. }) if only == suite));
        }
    }
}
