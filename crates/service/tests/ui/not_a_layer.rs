//! Something else in the place of a layer.

use std::time::Duration;

use roomwire_service::{Error, Gateway, Handler};

async fn search() -> Result<(), Error> {
    Ok(())
}

fn main() {
    let _ = Gateway::new().on("search", search.layer(Duration::from_secs(1)));
}
