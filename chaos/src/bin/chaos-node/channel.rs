//! The lines a node writes.

use std::{
    io::{Write, stdout},
    sync::Arc,
};

use parking_lot::Mutex;
use roomwire_chaos::control::Line;

/// Standard output, shared by all writers.
///
/// Each line goes out at once: a node that is killed in the next moment has told what happened before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output(Arc<Mutex<()>>);

impl Output {
    pub(crate) fn write(&self, line: &Line) {
        let Ok(mut text) = serde_json::to_vec(line) else { return };
        text.push(b'\n');
        let _one_at_a_time = self.0.lock();
        let mut out = stdout().lock();
        // The reader is gone: then the input ends as well, and with it this process.
        let _ = out.write_all(&text).and_then(|()| out.flush());
    }
}
