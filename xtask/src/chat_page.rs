//! The page of the chat example: the official client, brought to where the page loads it from.

use std::fs;

use anyhow::Context;

use crate::npm::NodeFolder;
use crate::steps::{Outcome, Stage};

/// The client as a module for browsers, and the map back to its source.
const BUNDLE: [&str; 2] = ["socket.io.esm.min.js", "socket.io.esm.min.js.map"];

/// Installs the official client and copies its browser bundle into the page's folder.
pub(crate) fn provide(stage: &Stage<'_>) -> anyhow::Result<Outcome> {
    let example = NodeFolder::new(stage.session().root(), "examples/chat");
    example.install(stage)?;
    let vendor = example.join("page/vendor");
    fs::create_dir_all(&vendor).with_context(|| format!("{} cannot be made", vendor.display()))?;
    for name in BUNDLE {
        let from = example.join("node_modules/socket.io-client/dist").join(name);
        let new = fs::read(&from).with_context(|| format!("{} cannot be read", from.display()))?;
        let to = vendor.join(name);
        // Left alone when it is the same, so that a build which embeds it has nothing to do.
        if fs::read(&to).ok().as_ref() != Some(&new) {
            fs::write(&to, new).with_context(|| format!("{} cannot be written", to.display()))?;
        }
    }
    Ok(Outcome::Done)
}
