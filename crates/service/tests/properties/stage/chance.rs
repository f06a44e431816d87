//! Chance, so that races end differently every time.

/// Gives way at random, up to eight times.
pub(crate) async fn stumble() {
    for _ in 0..rand::random_range(0..=8) {
        tokio::task::yield_now().await;
    }
}
