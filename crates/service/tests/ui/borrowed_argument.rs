//! A handler that wants the client by reference.

use roomwire_service::{Client, Error, Gateway};

async fn look(_client: &Client) -> Result<(), Error> {
    Ok(())
}

fn main() {
    let _ = Gateway::new().on("look", look);
}
