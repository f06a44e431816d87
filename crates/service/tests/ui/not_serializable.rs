//! A handler whose answer cannot be written as JSON.

use roomwire_service::{Client, Error, Gateway};

struct Count(u32);

async fn count(_client: Client) -> Result<Count, Error> {
    Ok(Count(7))
}

fn main() {
    let _ = Gateway::new().on("count", count);
    let _ = Count(1).0;
}
