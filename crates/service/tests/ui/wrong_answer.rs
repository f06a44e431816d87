//! A handler that returns no `Result`.

use roomwire_service::{Client, Gateway};

async fn count(_client: Client) -> u32 {
    7
}

fn main() {
    let _ = Gateway::new().on("count", count);
}
