//! What opens a session over HTTP requests: a ticket that only its client has.
//!
//! The engine's name of a session is what everybody sees as the client's id. A ticket is that name with proof that this
//! process gave it out; no request reaches a session without one.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use http::{Uri, uri::PathAndQuery};
use sha2::Sha256;

/// How many bytes of the proof a ticket carries.
const PROOF: usize = 16;

/// Gives out tickets and takes them back. Its key is made when the process starts and never leaves it.
#[derive(Clone)]
pub(crate) struct Tickets(Hmac<Sha256>);

/// A request for a session that does not show its ticket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoTicket;

impl Tickets {
    pub(crate) fn new() -> Self {
        let key: [u8; 64] = rand::random();
        Self(Hmac::new(&key.into()))
    }

    /// The ticket of a session.
    pub(crate) fn issue(&self, session: &str) -> String {
        let proof = self.0.clone().chain_update(session).finalize().into_bytes();
        format!("{session}.{}", URL_SAFE_NO_PAD.encode(&proof[..PROOF]))
    }

    /// The session that this ticket belongs to, if the ticket is valid.
    pub(crate) fn redeem<'a>(&self, ticket: &'a str) -> Option<&'a str> {
        let (session, proof) = ticket.rsplit_once('.')?;
        let proof = URL_SAFE_NO_PAD.decode(proof).ok().filter(|proof| proof.len() == PROOF)?;
        // Takes as long whichever byte is wrong.
        self.0.clone().chain_update(session).verify_truncated_left(&proof).ok()?;
        Some(session)
    }

    /// Puts the session's name in the place of its ticket, where the engine reads it. None when the request is for no
    /// session.
    ///
    /// # Errors
    /// When it is for a session and shows no ticket of it, or several.
    pub(crate) fn exchange(&self, uri: &Uri) -> Result<Option<Uri>, NoTicket> {
        const NAME: &str = "sid=";
        let query = uri.query().unwrap_or_default();
        let mut shown = query.split('&').filter_map(|pair| pair.strip_prefix(NAME));
        let Some(ticket) = shown.next() else { return Ok(None) };
        let session = self.redeem(ticket).filter(|_| shown.next().is_none()).ok_or(NoTicket)?;
        let pairs = query.split('&').map(|pair| if pair.starts_with(NAME) { (NAME, session) } else { ("", pair) });
        let query = pairs.map(|(name, value)| [name, value].concat()).collect::<Vec<_>>().join("&");
        let target: PathAndQuery = format!("{}?{query}", uri.path()).parse().map_err(|_| NoTicket)?;
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(target);
        Uri::from_parts(parts).map(Some).map_err(|_| NoTicket)
    }

    /// The first packet of a session over HTTP requests, with the ticket in the place of the session's name. Everything
    /// else as it is.
    pub(crate) fn reveal(&self, packet: &[u8]) -> Option<String> {
        let mut open: serde_json::Value = serde_json::from_slice(packet.strip_prefix(b"0")?).ok()?;
        let ticket = self.issue(open.get("sid")?.as_str()?);
        open["sid"] = ticket.into();
        Some(format!("0{open}"))
    }
}

/// Shows no key.
impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tickets")
    }
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::{NoTicket, Tickets};

    const SESSION: &str = "AAAAAAAAAAAAAAHs";

    fn uri(query: &str) -> Uri {
        format!("/socket.io/?{query}").parse().expect("an address")
    }

    #[test]
    fn a_ticket_opens_its_session_and_no_other_text_does() {
        let tickets = Tickets::new();
        let ticket = tickets.issue(SESSION);
        assert_eq!(tickets.redeem(&ticket), Some(SESSION));
        assert_eq!(ticket.len(), SESSION.len() + 1 + 22);
        let proof = ticket.rsplit_once('.').expect("a ticket").1;
        for wrong in [
            String::new(),
            SESSION.to_owned(),
            format!("{SESSION}."),
            format!(".{proof}"),
            format!("BAAAAAAAAAAAAAHs.{proof}"),
            format!("{SESSION}.{}", &proof[..21]),
            format!("{SESSION}.{proof}A"),
            format!("{SESSION}.{proof}="),
            format!("{ticket}.{proof}"),
            Tickets::new().issue(SESSION),
        ] {
            assert_eq!(tickets.redeem(&wrong), None, "{wrong}");
        }
        for at in 0..ticket.len() {
            let mut changed = ticket.clone().into_bytes();
            changed[at] ^= 1;
            assert_eq!(tickets.redeem(std::str::from_utf8(&changed).expect("text")), None, "changed at {at}");
        }
    }

    #[test]
    fn the_engine_reads_the_session_where_the_ticket_stood_and_everything_else_as_it_was() {
        let tickets = Tickets::new();
        let ticket = tickets.issue(SESSION);
        let exchanged = tickets.exchange(&uri(&format!("EIO=4&transport=polling&sid={ticket}&t=%41x"))).expect("shown");
        let expected = format!("/socket.io/?EIO=4&transport=polling&sid={SESSION}&t=%41x");
        assert_eq!(exchanged.expect("for a session").to_string(), expected);
        assert_eq!(tickets.exchange(&uri("EIO=4&transport=polling&xsid=1")), Ok(None));
        assert_eq!(tickets.exchange(&Uri::from_static("/socket.io/")), Ok(None));
    }

    #[test]
    fn a_session_without_its_ticket_is_not_reached_however_it_is_written() {
        let tickets = Tickets::new();
        let ticket = tickets.issue(SESSION);
        for query in [
            format!("EIO=4&transport=polling&sid={SESSION}"),
            "EIO=4&sid=".to_owned(),
            format!("EIO=4&sid={ticket}&sid={SESSION}"),
            format!("EIO=4&sid={SESSION}&sid={ticket}"),
            format!("EIO=4&sid={ticket}&sid={ticket}"),
            format!("EIO=4&sid={}", ticket.replace('.', "%2E")),
        ] {
            assert_eq!(tickets.exchange(&uri(&query)), Err(NoTicket), "{query}");
        }
    }

    #[test]
    fn the_first_packet_shows_the_ticket_and_other_answers_stay_as_they_are() {
        let tickets = Tickets::new();
        let shown = tickets.reveal(br#"0{"sid":"AAAAAAAAAAAAAAHs","upgrades":["websocket"],"pingInterval":25000}"#);
        let open: serde_json::Value = serde_json::from_str(&shown.expect("an open packet")[1..]).expect("JSON");
        assert_eq!(tickets.redeem(open["sid"].as_str().expect("text")), Some(SESSION));
        assert_eq!(open["pingInterval"], 25000);
        for other in
            [&b""[..], b"0", b"1{}", br#"{"code":"0","message":"Transport unknown"}"#, b"0[]", br#"0{"sid":1}"#]
        {
            assert_eq!(tickets.reveal(other), None);
        }
    }
}
