//! A layer of tower whose service cannot be shared by clients.

use std::time::Duration;

use roomwire_service::{Error, Gateway, Handler};
use tower::limit::RateLimitLayer;

async fn search() -> Result<(), Error> {
    Ok(())
}

fn main() {
    let _ = Gateway::new().on("search", search.layer(RateLimitLayer::new(5, Duration::from_secs(1))));
}
