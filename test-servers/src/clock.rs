//! Clocks of processes that go wrong.

use std::{
    fs,
    io::{Seek, SeekFrom, Write},
    path::PathBuf,
    process::Command,
    sync::Mutex,
    time::Duration,
};

use tempfile::TempDir;

const SOURCE: &str = include_str!("clock.c");

/// The clock of those processes that are started with its [variables](Self::variables). Only on Linux, with a C
/// compiler.
#[derive(Debug)]
pub struct ShiftedClock {
    folder: TempDir,
    ahead: Mutex<fs::File>,
}

impl ShiftedClock {
    /// A clock that is right.
    ///
    /// # Panics
    /// When there is no C compiler.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder can be made: {error}"));
        let source = folder.path().join("clock.c");
        let written = fs::write(&source, SOURCE).and_then(|()| fs::File::create(folder.path().join("ahead")));
        let ahead = written.unwrap_or_else(|error| panic!("{error}"));
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(Self::library(&folder))
            .arg(&source)
            .output();
        let compiled = compiled.unwrap_or_else(|error| panic!("cc cannot be started: {error}"));
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let clock = Self { folder, ahead: Mutex::new(ahead) };
        clock.set_ahead(Duration::ZERO);
        clock
    }

    /// Lets it be that far ahead from now on, in all processes that have it.
    ///
    /// # Panics
    /// When its file cannot be written.
    pub fn set_ahead(&self, ahead: Duration) {
        let micros = i64::try_from(ahead.as_micros()).unwrap_or(i64::MAX);
        let mut file = self.ahead.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let written = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&micros.to_ne_bytes()));
        written.unwrap_or_else(|error| panic!("the clock cannot be set: {error}"));
    }

    /// What a process needs to have this clock.
    #[must_use]
    pub fn variables(&self) -> Vec<(String, String)> {
        let text = |path: PathBuf| path.display().to_string();
        vec![
            ("LD_PRELOAD".to_owned(), text(Self::library(&self.folder))),
            ("TEST_CLOCK".to_owned(), text(self.folder.path().join("ahead"))),
        ]
    }

    fn library(folder: &TempDir) -> PathBuf {
        folder.path().join("clock.so")
    }
}

impl Default for ShiftedClock {
    fn default() -> Self {
        Self::new()
    }
}
