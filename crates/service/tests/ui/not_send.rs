//! A handler that holds an `Rc` while it waits.

use std::rc::Rc;

use roomwire_service::{Client, Error, Gateway};

async fn wait(_client: Client) -> Result<(), Error> {
    let shared = Rc::new(7);
    std::future::ready(()).await;
    drop(shared);
    Ok(())
}

fn main() {
    let _ = Gateway::new().on("wait", wait);
}
