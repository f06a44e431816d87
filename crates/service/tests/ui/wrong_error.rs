//! A handler whose error cannot become one of Roomwire's.

use roomwire_service::{Client, Gateway};

struct Refused;

async fn count(_client: Client) -> Result<u32, Refused> {
    Err(Refused)
}

fn main() {
    let _ = Gateway::new().on("count", count);
}
