//! Limits of names, nesting and metadata.

use std::io;

use bytestring::ByteString;
use roomwire_core::{Error, ErrorCode, EventName, Metadata, Payload, RoomId, config::Limits};

use crate::metrics::{self, Limit};

/// How deep metadata may be nested. Readers of JSON refuse deeper text, so it could be written and not be read again.
const METADATA_DEPTH: usize = 120;

/// Validates the name of an event that a client sent, with its payload.
///
/// # Errors
/// `INVALID_NAME`; as [`payload`].
pub(crate) fn event(limits: &Limits, name: ByteString, brought: &Payload) -> Result<EventName, Error> {
    name_of(Limit::EventName, "event name", &name, limits.event_name)?;
    payload(limits, brought)?;
    Ok(EventName::new(name)?)
}

/// # Errors
/// `INVALID_PAYLOAD` when arrays and objects are nested deeper than `limits.depth`.
pub(crate) fn depth(limits: &Limits, payload: &Payload) -> Result<(), Error> {
    payload.check_depth(limits.depth).inspect_err(|_| metrics::limited(Limit::Depth))
}

/// Validates the arguments of an event or an acknowledgement that a client sent.
///
/// # Errors
/// `INVALID_PAYLOAD` when arrays and objects are nested deeper than `limits.depth`; `LIMIT_EXCEEDED` when there are
/// more binary attachments than `limits.attachments`.
pub(crate) fn payload(limits: &Limits, payload: &Payload) -> Result<(), Error> {
    depth(limits, payload)?;
    attachments(limits, payload)
}

/// # Errors
/// `LIMIT_EXCEEDED` when there are more binary attachments than `limits.attachments`: a receiver may close its
/// connection.
pub(crate) fn attachments(limits: &Limits, payload: &Payload) -> Result<(), Error> {
    payload.check_attachments(limits.attachments).inspect_err(|_| metrics::limited(Limit::Attachments))
}

/// # Errors
/// `INVALID_NAME` when a room's id is longer than `limits.roomName`.
pub(crate) fn room(limits: &Limits, room: &RoomId) -> Result<(), Error> {
    name_of(Limit::RoomName, "room name", room, limits.room_name)
}

/// # Errors
/// `LIMIT_EXCEEDED` if the metadata, with `beside` further bytes, is larger than `limits.metadata`, which an empty one never
/// is. `INVALID_PAYLOAD` if it is nested deeper than 120 levels.
pub(crate) fn notes(limits: &Limits, notes: &Metadata, beside: usize) -> Result<(), Error> {
    if notes.is_empty() && beside == 0 {
        return Ok(());
    }
    let mut size = Size(beside);
    serde_json::to_writer(&mut size, notes).map_err(Error::internal)?;
    let (size, most) = (size.0, limits.metadata);
    if size > most {
        metrics::limited(Limit::Metadata);
        let problem = format!("metadata is {size} bytes of JSON; {most} are allowed");
        return Err(Error::with_message(ErrorCode::LimitExceeded, problem));
    }
    Payload::encode(notes)?.check_depth(METADATA_DEPTH)
}

/// # Errors
/// `LIMIT_EXCEEDED` for a client that is in `limits.roomsPerClient` rooms.
pub(crate) fn one_room_more(limits: &Limits, rooms: usize) -> Result<(), Error> {
    let most = limits.rooms_per_client;
    if rooms >= most {
        metrics::limited(Limit::Rooms);
        let problem = format!("a client may be in {most} rooms; leave one first");
        return Err(Error::with_message(ErrorCode::LimitExceeded, problem));
    }
    Ok(())
}

fn name_of(limit: Limit, kind: &str, name: &str, most: usize) -> Result<(), Error> {
    let bytes = name.len();
    if bytes > most {
        metrics::limited(limit);
        let problem = format!("{kind} is {bytes} bytes long; 1 to {most} are allowed");
        return Err(Error::with_message(ErrorCode::InvalidName, problem));
    }
    Ok(())
}

/// Counts written bytes and discards them.
struct Size(usize);

impl io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
