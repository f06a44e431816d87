//! Free ports.

use std::{
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    process,
    sync::atomic::{AtomicU16, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// Below the ports that systems give to outgoing connections: a client that tries to come back to a server that is down
/// could else be connected to itself, and the port be taken when the server returns.
const PORTS: Range<u16> = 10_240..32_000;

/// A port of the loopback that was free a moment ago, another one at each call.
///
/// It is not reserved. A server that finds it taken asks for another.
///
/// # Panics
/// When no port is free.
#[must_use]
pub fn free_port() -> u16 {
    /// Where this process goes on looking; zero before it began.
    static NEXT: AtomicU16 = AtomicU16::new(0);

    let span = PORTS.end - PORTS.start;
    if NEXT.load(Ordering::Relaxed) == 0 {
        // Processes that start together begin far from each other.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
        let begin = process::id().wrapping_mul(2_654_435_761).wrapping_add(now / 1000) % u32::from(span);
        let begin = u16::try_from(begin).unwrap_or_default().max(1);
        // Another thread may have been faster.
        let _ = NEXT.compare_exchange(0, begin, Ordering::Relaxed, Ordering::Relaxed);
    }
    for _ in 0..span {
        let port = PORTS.start + NEXT.fetch_add(1, Ordering::Relaxed) % span;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free between {} and {}", PORTS.start, PORTS.end)
}
