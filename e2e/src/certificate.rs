//! The certificate of the tests over TLS: made when the server starts, and anew when a test asks for it.

use std::fs;

use roomwire_service::WebSocketConfig;

/// Writes a certificate for this machine and its key to the files that `tls` names, when `ssl` is true.
pub(crate) fn write(config: &WebSocketConfig) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if let (true, Some(cert), Some(key)) = (config.ssl, &config.tls.cert, &config.tls.key) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        fs::write(key, made.signing_key.serialize_pem())?;
        fs::write(cert, made.cert.pem())?;
    }
    Ok(())
}
