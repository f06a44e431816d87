//! The steps after which an example's program is there to be run.

use std::cell::OnceCell;
use std::env;
use std::path::PathBuf;

use crate::chat_page;
use crate::cli::{Example, ExampleArgs};
use crate::executable;
use crate::steps::{Outcome, Step};
use crate::tools::{self, NODE, NPM, Tool};

/// The name of the last of the steps.
pub(super) const BUILD: &str = "build";

/// Names a chat that is built already: the end-to-end tests run all the same one.
const CHAT: &str = "ROOMWIRE_CHAT";

/// Provides the tools, for the chat also those of its page, and the page, and builds `package` into `program`.
pub(super) fn steps<'a>(
    example: &'a ExampleArgs,
    package: &'static str,
    tools: &[&'static Tool],
    repeat: &str,
    program: &'a OnceCell<PathBuf>,
) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    if example.name == Example::Chat {
        let tools = [&[&NODE, &NPM], tools].concat();
        steps.push(Step::new("tools", repeat, move |stage| tools::provide(&tools, stage)));
        steps.push(Step::new("chat page", repeat, chat_page::provide).needs(&["tools"]));
    }
    let needs = steps.last().map(|_| "chat page");
    let build = Step::new(BUILD, format!("cargo build --package {package}"), |stage| {
        let chosen = env::var_os(CHAT).filter(|_| example.name == Example::Chat).map(PathBuf::from);
        let path = match chosen {
            Some(path) => path,
            None => executable::build(stage, [package], example.release).map(|[path]| path)?,
        };
        program.get_or_init(|| path);
        Ok(Outcome::Done)
    });
    steps.push(build.needs(needs.as_slice()));
    steps
}
