//! What the compiler says about a wrong handler: our own words, and where to look.

use std::{fs, path::Path, process::Command};

/// The compiler with which `ui/*.stderr` were recorded. Another words its part of a message differently.
const RECORDED_WITH: &str = "rustc 1.95.";

/// What each message must say.
const SAID: [(&str, &[&str]); 10] = [
    ("borrowed_argument", &["is not a handler", "its arguments are taken by value: WebSocketService, Client, Data<T>"]),
    (
        "layer_of_another_kind",
        &["cannot be put around the handling of an event", "is not Clone: use roomwire_service::RateLimitLayer"],
    ),
    (
        "not_a_layer",
        &["`Duration` cannot be put around the handling of an event", "a layer is a tower `Layer<EventService>`"],
    ),
    ("not_async", &["is not a handler", "a handler is an `async fn` of up to 8 arguments that returns `Result<T, E>`"]),
    ("not_send", &["is not a handler", "its future must be Send: hold no `Rc`, `RefCell` guard or std `MutexGuard`"]),
    ("not_serializable", &["is not a handler", "returns `Result<T, E>` with `T: Serialize`, `E: Into<Error>`"]),
    ("too_many_arguments", &["is not a handler", "of up to 8 arguments"]),
    ("wrong_answer", &["is not a handler", "impl Future<Output = u32> {count}", "that returns `Result<T, E>`"]),
    (
        "wrong_argument",
        &["is not a handler", "fn(roomwire_service::Client, Message)", "Data<T> for what the client sent"],
    ),
    ("wrong_error", &["is not a handler", "Result<u32, Refused>", "`E: Into<Error>`"]),
];

#[test]
fn a_wrong_handler_is_told_what_a_handler_is() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("rustc runs").stdout;
    let version = String::from_utf8_lossy(&version).into_owned();
    if !version.starts_with(RECORDED_WITH) {
        eprintln!("not compared: recorded with {RECORDED_WITH}*, this is {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

#[test]
fn the_recorded_messages_are_complete_and_say_what_helps() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    for (name, sentences) in SAID {
        let recorded = fs::read_to_string(folder.join(name).with_extension("stderr")).expect("recorded");
        for sentence in sentences {
            assert!(recorded.contains(sentence), "{name} does not say {sentence:?}");
        }
    }
    let mut cases: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    assert_eq!(cases.len(), SAID.len(), "each case is listed");
}
