//! What docs/scaling.md says its model says.

use std::{fs, path::Path, process::Command};

#[test]
fn the_model_says_what_the_page_shows() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(folder.join("scaling.md")).expect("reads");
    let shown = page.split("$ python3 docs/scaling-model.py\n").nth(1).and_then(|rest| rest.split("```").next());
    let run = Command::new("python3").arg(folder.join("scaling-model.py")).output().expect("python3 runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(shown.expect("is shown"), String::from_utf8_lossy(&run.stdout));
}
