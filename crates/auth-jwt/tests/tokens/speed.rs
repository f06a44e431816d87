//! How long it takes to authenticate a client.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use crate::support::{FixedClock, NOW, auth, claims, issuer::Issuer, showing};
use roomwire_auth_jwt::JwtAuthenticator;
use roomwire_core::{Authenticator, config::Algorithm};

/// Prints a median of batches for each algorithm, of a token with the usual claims:
///
/// ```text
/// cargo test --release -p roomwire-auth-jwt --test tokens -- --ignored --nocapture speed
/// ```
#[tokio::test]
#[ignore = "a measurement, of use only with --release on a machine that does nothing else"]
async fn authenticating_costs_microseconds() {
    const BATCHES: usize = 200;
    const BATCH: u32 = 50;
    for algorithm in Algorithm::ALL {
        let issuer = Issuer::new(*algorithm);
        let authenticator = JwtAuthenticator::from_config(&issuer.accepted_by(auth())).await.expect("accepts");
        let authenticator = authenticator.with_clock(FixedClock::at(NOW));
        let request = showing(&issuer.token(&claims()));
        let mut times: Vec<Duration> = Vec::with_capacity(BATCHES);
        for _ in 0..BATCHES {
            let began = Instant::now();
            for _ in 0..BATCH {
                black_box(authenticator.authenticate(black_box(&request)).await).expect("accepted");
            }
            times.push(began.elapsed() / BATCH);
        }
        times.sort_unstable();
        let (median, slow) = (times[BATCHES / 2], times[BATCHES * 99 / 100]);
        println!("{algorithm}: median {median:?}, p99 {slow:?}");
        // P-384 has no fast implementation for most processors.
        let bound = if *algorithm == Algorithm::Es384 { 500 } else { 60 };
        assert!(median < Duration::from_micros(bound), "{algorithm}: {median:?}");
    }
}
