//! The table at the end: each step, what became of it and how long it took.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

/// What became of a step.
#[derive(Debug)]
pub(super) enum Verdict {
    Passed,
    Failed { repeat: String },
    Skipped(String),
}

/// A step that is over.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    pub(super) took: Duration,
}

impl Row {
    pub(super) fn skipped(name: &'static str, why: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Skipped(why.into()), took: Duration::ZERO }
    }

    /// The row as a line of a log.
    pub(super) fn sentence(&self) -> String {
        let Self { name, took, .. } = self;
        match &self.verdict {
            Verdict::Passed => format!("{name}: ok in {:.1} s", took.as_secs_f64()),
            Verdict::Failed { repeat } => {
                format!("{name}: FAILED after {:.1} s; to repeat: {repeat}", took.as_secs_f64())
            }
            Verdict::Skipped(why) => format!("{name}: skipped, {why}"),
        }
    }
}

/// What became of all steps. Displays as a table that ends with the counts.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    stopped_with: Option<u8>,
}

impl Report {
    pub(super) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Notes the exit code that a signal asks for.
    pub(super) fn stopped_with(mut self, code: Option<u8>) -> Self {
        self.stopped_with = code;
        self
    }

    /// Whether this step failed, or was skipped because of another that did.
    pub(super) fn is_short_of(&self, name: &str) -> bool {
        self.rows.iter().any(|row| row.name == name && !matches!(row.verdict, Verdict::Passed))
    }

    /// Whether every step that was due succeeded.
    pub(crate) fn succeeded(&self) -> bool {
        self.stopped_with.is_none() && self.count(|verdict| matches!(verdict, Verdict::Failed { .. })) == 0
    }

    /// The status of this process: a signal's, or whether a step failed.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self.stopped_with {
            Some(code) => ExitCode::from(code),
            None if self.succeeded() => ExitCode::SUCCESS,
            None => ExitCode::FAILURE,
        }
    }

    fn count(&self, wanted: impl Fn(&Verdict) -> bool) -> usize {
        self.rows.iter().filter(|row| wanted(&row.verdict)).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
        writeln!(f)?;
        for Row { name, verdict, took } in &self.rows {
            let took = took.as_secs_f64();
            match verdict {
                Verdict::Passed => writeln!(f, "{name:width$}  ok      {took:>7.1} s")?,
                Verdict::Failed { repeat } => {
                    writeln!(f, "{name:width$}  FAILED  {took:>7.1} s  to repeat: {repeat}")?;
                }
                Verdict::Skipped(why) => writeln!(f, "{name:width$}  skipped            {why}")?,
            }
        }
        writeln!(f)?;
        let passed = self.count(|verdict| matches!(verdict, Verdict::Passed));
        let failed = self.count(|verdict| matches!(verdict, Verdict::Failed { .. }));
        write!(f, "{passed} passed, {failed} failed")?;
        match self.rows.len() - passed - failed {
            0 => writeln!(f),
            skipped => writeln!(f, ", {skipped} skipped"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdicts: Vec<(&'static str, Verdict)>) -> Report {
        let mut report = Report::default();
        for (name, verdict) in verdicts {
            report.add(Row { name, verdict, took: Duration::from_millis(1_500) });
        }
        report
    }

    fn failed() -> Verdict {
        Verdict::Failed { repeat: "cargo fmt --all --check".into() }
    }

    #[test]
    fn the_last_line_counts_the_steps() {
        let report = report(vec![("tidy", Verdict::Passed), ("docs", Verdict::Passed)]);
        assert!(report.to_string().ends_with("\n2 passed, 0 failed\n"));
        assert!(report.succeeded());
    }

    #[test]
    fn a_failed_step_says_how_to_repeat_it() {
        let report = report(vec![
            ("tidy", Verdict::Passed),
            ("fmt", failed()),
            ("deny", Verdict::Skipped("cargo-deny is not installed".into())),
        ]);
        let text = report.to_string();
        assert!(text.contains("fmt   FAILED      1.5 s  to repeat: cargo fmt --all --check\n"), "{text}");
        assert!(text.ends_with("\n1 passed, 1 failed, 1 skipped\n"), "{text}");
        assert!(!report.succeeded());
    }

    #[test]
    fn a_skipped_step_is_no_failure_but_nothing_can_build_on_it() {
        let report = report(vec![("tools", Verdict::Skipped("not here".into()))]);
        assert!(report.succeeded());
        assert!(report.is_short_of("tools"));
        assert!(!report.is_short_of("fmt"));
    }

    #[test]
    fn a_signal_is_no_success() {
        let report = report(vec![("tidy", Verdict::Passed)]).stopped_with(Some(130));
        assert!(!report.succeeded());
    }
}
