//! The parts of a request's path and query.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query};
use http::request::Parts;
use roomwire_core::{Error, ErrorCode, NameError};
use serde::de::DeserializeOwned;

use crate::{api::Api, body::shortened, problem::Problem};

/// The only id in the path, percent-decoded.
#[derive(Debug)]
pub(crate) struct Id<T>(pub(crate) T);

impl<T: FromStr<Err = NameError>> FromRequestParts<Api> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let id = Path::<String>::from_request_parts(parts, api).await.map_err(|_| {
            let problem = "The id in the path is not UTF-8 when it is percent-decoded";
            Error::with_message(ErrorCode::InvalidName, problem)
        })?;
        Ok(Self(id.parse()?))
    }
}

/// The query.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let query = Query::try_from_uri(&parts.uri).map_err(|rejection| {
            let problem = rejection.body_text();
            let problem = problem.strip_prefix("Failed to deserialize query string: ").unwrap_or(&problem);
            let problem = format!("The query is not as expected: {}", shortened(problem.to_owned()));
            Error::with_message(ErrorCode::InvalidPayload, problem)
        })?;
        Ok(Self(query.0))
    }
}
