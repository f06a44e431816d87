//! What a client shows as a token, in its handshake or in a header: nothing that was not signed admits anybody.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomwire_auth_jwt::JwtAuthenticator;
use roomwire_core::{
    Authenticator, ConnectRequest, ErrorCode, Namespace, Payload,
    config::{Algorithm, Auth},
};
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static STAGE: (Runtime, JwtAuthenticator) = {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let auth = Auth {
            algorithms: vec![Algorithm::Hs256],
            secret: Some("a secret of thirty-two bytes, or more".into()),
            ..Auth::default()
        };
        let authenticator = runtime.block_on(JwtAuthenticator::from_config(&auth)).expect("is configured");
        (runtime, authenticator)
    };
}

fuzz_target!(|shown: (&str, &str)| {
    let mut request = ConnectRequest::new(Namespace::root());
    request.auth = Payload::from_encoded(shown.0.into(), Vec::new());
    if let Ok(value) = shown.1.parse() {
        request.headers.insert("authorization", value);
    }
    STAGE.with(|(runtime, authenticator)| {
        let refused = runtime.block_on(authenticator.authenticate(&request)).expect_err("nothing was signed");
        assert_eq!((refused.code(), refused.message()), (ErrorCode::Unauthorized, "Not authorized"));
        // The same as the one token that there is.
        request.auth = Payload::encode(&serde_json::json!({ "token": shown.0 })).expect("encodes");
        runtime.block_on(authenticator.authenticate(&request)).expect_err("nothing was signed");
    });
});
