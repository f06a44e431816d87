//! The token of a request.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, header};
use roomwire_core::{Error, ErrorCode};
use roomwire_service::Refusal;
use subtle::ConstantTimeEq;

use crate::{api::Api, problem::Problem};

/// What a request without the token is told.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"roomwire\"");

/// Refuses requests without the token, before anything else of them is looked at.
pub(crate) async fn check(State(api): State<Api>, request: Request, next: Next) -> Response {
    if api.token().is_some_and(|token| is_token(request.headers(), token.expose())) {
        return next.run(request).await;
    }
    let address = request.extensions().get().map(|ConnectInfo::<SocketAddr>(address)| address.ip());
    api.service().refusal_log().report("api token", || Refusal {
        message: "a request to the HTTP API is refused: it does not have the token of api.token".into(),
        example: address.map_or_else(|| "unknown".to_owned(), |address| address.to_string()),
        key: Some("api.token"),
    });
    let problem = "Send the token of api.token: Authorization: Bearer <token>";
    let mut response = Problem::from(Error::with_message(ErrorCode::Unauthorized, problem)).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
    response
}

/// Takes the same time for all tokens of the right length.
fn is_token(headers: &HeaderMap, token: &str) -> bool {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Some((scheme, sent)) = value.as_bytes().split_at_checked("Bearer ".len()) else { return false };
    scheme.eq_ignore_ascii_case(b"Bearer ") && sent.trim_ascii().ct_eq(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, header};

    use super::is_token;

    #[test]
    fn the_token_and_nothing_else_is_accepted() {
        let is = |values: &[&str]| {
            let headers = values.iter().map(|value| (header::AUTHORIZATION, value.parse().expect("valid")));
            is_token(&HeaderMap::from_iter(headers), "0123456789abcdef")
        };
        assert!(is(&["Bearer 0123456789abcdef"]) && is(&["bearer  0123456789abcdef "]));
        for refused in
            ["", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0", "0123456789abcdef"]
        {
            assert!(!is(&[refused]), "{refused}");
        }
        assert!(!is(&["Basic 0123456789abcdef"]) && !is(&["Bearer 0123456789ABCDEF"]));
        assert!(!is(&[]) && !is(&["Bearer 0123456789abcdef", "Bearer 0123456789abcdef"]));
    }
}
