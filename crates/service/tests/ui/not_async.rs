//! A handler that is a plain function.

use roomwire_service::{Error, Gateway};

fn hello() -> Result<(), Error> {
    Ok(())
}

fn main() {
    let _ = Gateway::new().on("hello", hello);
}
