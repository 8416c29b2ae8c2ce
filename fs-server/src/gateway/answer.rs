//! What the gateway says itself: which request it cannot pass on, and why, in one line for a person.

use super::route::Lost;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;

/// What comes from a container, or from here.
pub type Body = Either<Incoming, Full<Bytes>>;

/// A status and a line that names what was wrong.
pub fn say(status: StatusCode, line: &str) -> Response<Body> {
    let mut response = Response::new(Either::Right(Full::from(format!("taskfs gateway: {line}\n"))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // The line repeats what was asked for.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

pub fn lost(lost: &Lost) -> Response<Body> {
    let forms = "want PORT--CONTAINER.localhost, or localhost and /container/CONTAINER/PORT/";
    match lost {
        Lost::Host(host) => {
            say(StatusCode::MISDIRECTED_REQUEST, &format!("host {host:?} is no port of a container: {forms}"))
        }
        Lost::Path(path) => {
            say(StatusCode::NOT_FOUND, &format!("path {path:?} is no port of a container: {forms}"))
        }
        Lost::Slash(path) => {
            let mut response = say(StatusCode::TEMPORARY_REDIRECT, &format!("it is {path}"));
            if let Ok(path) = HeaderValue::try_from(path) {
                response.headers_mut().insert(header::LOCATION, path);
            }
            response
        }
    }
}
