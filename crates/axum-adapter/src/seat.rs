//! A session's seat: one of all there are, and one of those of its client's address.

use std::{net::IpAddr, sync::Arc};

use roomwire_core::{Error, ErrorCode, WebSocketConfig};

use crate::{
    addresses::{AddressLimits, AddressPlace, Reconnects},
    instruments,
    quota::{Place, Quota},
};

/// All seats.
#[derive(Debug)]
pub(crate) struct Seats {
    quota: Quota,
    addresses: AddressLimits,
}

/// One session's seat, given back when it is dropped. A websocket has it for as long as it stands. For a session over
/// HTTP requests it travels with the request that opened the session, and is dropped when socketioxide forgets the session,
/// whatever the reason.
#[derive(Debug)]
pub(crate) struct Seat {
    _place: Place,
    _of_address: Option<AddressPlace>,
}

impl Seats {
    pub(crate) fn new(config: &WebSocketConfig) -> Self {
        let limits = &config.limits;
        let reconnects = Reconnects::new(limits.reconnects_per_second, limits.reconnect_burst);
        Self {
            quota: Quota::new(config.max_connections),
            addresses: AddressLimits::new(limits.connections_per_address, Some(reconnects)),
        }
    }

    /// A seat for a client of this address, which may be unknown.
    ///
    /// # Errors
    /// `MAX_CONNECTIONS` when there is none for it now, `RATE_LIMITED` when its address comes and goes too often.
    pub(crate) fn take(&self, address: Option<IpAddr>) -> Result<Arc<Seat>, Error> {
        let place = self.quota.take().ok_or_else(|| {
            instruments::request_refused("full");
            Error::new(ErrorCode::MaxConnections)
        })?;
        let of_address = address.map(|address| self.addresses.begin(address)).transpose().inspect_err(|error| {
            let often = error.code() == ErrorCode::RateLimited;
            instruments::request_refused(if often { "reconnects" } else { "address" });
        })?;
        Ok(Arc::new(Seat { _place: place, _of_address: of_address }))
    }
}
