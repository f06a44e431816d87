//! Whether a payload fits into a message to other nodes.

use roomwire_core::{Error, ErrorCode, Escaped, MessageLimit, Payload};

use super::{Backend, start_error::refused};
use crate::{
    Refusal,
    metrics::{self, Limit},
};

impl Backend {
    /// Compares this value of `limits.payload` with the largest message of the backplane. An assumed limit causes a
    /// warning only: the backend may accept more than its default.
    ///
    /// # Errors
    /// `INTERNAL`, if a payload that clients may send cannot be sent to other nodes.
    pub(crate) fn check_payload_limit(&self, payload: usize) -> Result<(), Error> {
        let Some(limit) = &self.message_limit else { return Ok(()) };
        let largest = limit.payload();
        if payload <= largest {
            return Ok(());
        }
        let MessageLimit { setting, remedy, is_assumed, .. } = limit;
        let problem = format!(
            "limits.payload is {payload}, but a payload of more than {largest} bytes cannot be sent to other nodes: {setting}; \
             set limits.payload to {largest} or less, or {remedy}"
        );
        if !is_assumed {
            return Err(refused(problem));
        }
        tracing::warn!(target: "roomwire", "{problem}");
        Ok(())
    }

    /// Rejects a payload that cannot be sent to other nodes. Called before the payload is delivered to any client.
    ///
    /// # Errors
    /// `PAYLOAD_TOO_LARGE`.
    pub(crate) fn fits_message(&self, payload: &Payload) -> Result<(), Error> {
        let Some(limit) = &self.message_limit else { return Ok(()) };
        let (bytes, most) = (payload.size(), limit.payload());
        if bytes <= most {
            return Ok(());
        }
        metrics::limited(Limit::Payload);
        self.refusals.report("payload for other nodes", || {
            let (setting, remedy) = (Escaped(&limit.setting), limit.remedy);
            let message = format!(
                "a payload is too large for other nodes and was sent nowhere: {setting}; send less at a time, or {remedy}"
            );
            Refusal {
                message: message.into(),
                example: format!("{bytes} bytes, at most {most}"),
                key: Some("limits.payload"),
            }
        });
        let problem = format!("Payload of {bytes} bytes is too large to be sent to other nodes; {most} are allowed");
        Err(Error::with_message(ErrorCode::PayloadTooLarge, problem))
    }
}
