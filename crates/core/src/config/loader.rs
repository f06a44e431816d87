//! Loads the layers of a configuration.

use std::{fmt, path::PathBuf};

use super::{ConfigError, ConfigOrigin, WebSocketConfig, draft::Draft, file, variables};

/// Reads a [`WebSocketConfig`] from its layers. Created by [`WebSocketConfig::loader`]; for launchers with their own
/// configuration, and for tests.
#[derive(Clone, Default)]
#[must_use]
pub struct ConfigLoader {
    directory: PathBuf,
    file: FileChoice,
    variables: Option<Vec<(String, String)>>,
}

#[derive(Clone, Debug, Default)]
enum FileChoice {
    #[default]
    Found,
    Named(PathBuf),
    None,
}

impl ConfigLoader {
    /// Reads this file, which must exist and end in `.toml`, `.yaml`, `.yml` or `.json`. `ROOMWIRE_CONFIG` is then
    /// ignored.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = FileChoice::Named(path.into());
        self
    }

    /// Reads no file, and ignores `ROOMWIRE_CONFIG`.
    pub fn without_file(mut self) -> Self {
        self.file = FileChoice::None;
        self
    }

    /// Looks for the file in this directory instead of the current one; relative paths start there too.
    pub fn directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.directory = path.into();
        self
    }

    /// Reads these variables instead of the environment of this process. Names without the prefix `ROOMWIRE_` are
    /// ignored; of two values for one name the later wins.
    pub fn variables(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.variables = Some(variables.into_iter().collect());
        self
    }

    /// Reads all layers and checks every value. Blocks while it reads the file.
    ///
    /// # Errors
    /// All problems at once, as described at [`WebSocketConfig::load`].
    pub fn load(self) -> Result<WebSocketConfig, ConfigError> {
        let again = self.anchored();
        let mut draft = Draft::default();
        let variables = match self.variables {
            Some(variables) => variables::sorted(variables),
            None => variables::of_process(&mut draft),
        };
        let mut found = None;
        match (self.file, variables.get(variables::FILE)) {
            (FileChoice::Named(path), _) => {
                file::read(&mut draft, &self.directory.join(path), None);
            }
            (FileChoice::Found, Some(path)) => {
                file::read(&mut draft, &self.directory.join(path), Some(path));
            }
            (FileChoice::Found, None) => found = file::find_and_read(&mut draft, &self.directory),
            (FileChoice::None, _) => {}
        }
        variables::read(&mut draft, &variables);
        let mut config = draft.finish()?;
        config.origin = ConfigOrigin::of(again, found, &config);
        Ok(config)
    }

    /// The same loader, independent of the current directory.
    fn anchored(&self) -> Self {
        let directory = std::env::current_dir().map_or_else(|_| self.directory.clone(), |it| it.join(&self.directory));
        Self { directory, ..self.clone() }
    }
}

impl fmt::Debug for ConfigLoader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Omits the values: callers may pass a whole environment, including secrets.
        f.debug_struct("ConfigLoader")
            .field("directory", &self.directory)
            .field("file", &self.file)
            .field("variables", &self.variables.as_ref().map(Vec::len))
            .finish()
    }
}
