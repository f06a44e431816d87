//! A handler whose payload is not wrapped in `Data`.

use roomwire_service::{Client, Error, Gateway};
use serde::Deserialize;

#[derive(Deserialize)]
struct Message {
    _text: String,
}

async fn send(_client: Client, _message: Message) -> Result<(), Error> {
    Ok(())
}

fn main() {
    let _ = Gateway::new().on("send", send);
}
