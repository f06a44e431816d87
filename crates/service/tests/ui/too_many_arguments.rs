//! A handler of nine arguments.

use roomwire_service::{Client, Error, Gateway};

type C = Client;

async fn many(_: C, _: C, _: C, _: C, _: C, _: C, _: C, _: C, _: C) -> Result<(), Error> {
    Ok(())
}

fn main() {
    let _ = Gateway::new().on("many", many);
}
