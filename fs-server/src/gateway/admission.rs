//! Who may come in where the gateway has a token: whoever says it as a bearer (RFC 6750), follows a link with `?token=`, or has the cookie
//! that such a link sets. What was said to the gateway is taken out of the request: no container sees it.
//!
//! ```text
//! GET /a?token=T&b=c           303 to /a?b=c, with the cookie          a person's browser, once for each name of a host
//! Authorization: Bearer T      passed on without it                    curl, scripts
//! Cookie: taskfs-gateway=…     passed on without it                    the browser from then on, WebSockets too
//! ```
//!
//! The cookie is no token: it is made of it by a hash, so that it opens this gateway and nothing else.

use super::answer::{Body, say};
use crate::auth::Secret;
use blake3::Hash;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};

const COOKIE: &str = "taskfs-gateway";
const PARAMETER: &str = "token";

/// What has to be said.
pub struct Admission {
    /// Compared as hashes: in constant time, and the same time for every length.
    token: Hash,
    cookie: Hash,
    /// Over TLS only.
    secure: bool,
}

impl Admission {
    pub fn new(token: &Secret, secure: bool) -> Admission {
        let cookie = cookie_of(token);
        Admission { token: token.hash(), cookie: blake3::hash(cookie.as_bytes()), secure }
    }

    fn is_token(&self, said: &str) -> bool {
        blake3::hash(said.as_bytes()) == self.token
    }

    fn is_cookie(&self, said: &str) -> bool {
        blake3::hash(said.as_bytes()) == self.cookie
    }

    /// Lets a request in, or answers it.
    pub fn admit<B>(&self, request: &mut Request<B>) -> Result<(), Box<Response<Body>>> {
        let wants_upgrade = request.headers().contains_key(header::UPGRADE);
        let by_bearer = self.take_bearer(request.headers_mut());
        let by_cookie = self.take_cookie(request.headers_mut());
        let link = self.take_parameter(request.uri());
        if let Some((path, token)) = link {
            let looks = matches!(*request.method(), Method::GET | Method::HEAD);
            if looks && !wants_upgrade {
                return Err(Box::new(self.welcome(&path, &token)));
            }
            if let Ok(uri) = Uri::try_from(&path) {
                *request.uri_mut() = with_authority(uri, request.uri());
                return Ok(());
            }
        }
        if by_bearer || by_cookie { Ok(()) } else { Err(Box::new(refusal(request))) }
    }

    /// Takes the token out of the Authorization header; another one is the program's business.
    fn take_bearer(&self, headers: &mut HeaderMap) -> bool {
        let is_ours = |value: &HeaderValue| {
            let said = value.to_str().ok().and_then(|text| text.split_once(' '));
            said.is_some_and(|(scheme, token)| {
                scheme.eq_ignore_ascii_case("bearer") && self.is_token(token.trim())
            })
        };
        take(headers, header::AUTHORIZATION, |value| if is_ours(value) { Kept::Nothing } else { Kept::All })
    }

    /// Takes the cookie out from among the others.
    fn take_cookie(&self, headers: &mut HeaderMap) -> bool {
        let mut found = false;
        take(headers, header::COOKIE, |value| {
            let Ok(text) = value.to_str() else { return Kept::All };
            let mut others = Vec::new();
            for pair in text.split(';').map(str::trim) {
                match pair.split_once('=') {
                    // Whatever is called so was meant for the gateway.
                    Some((COOKIE, said)) => found |= self.is_cookie(said),
                    _ => others.push(pair),
                }
            }
            match others.as_slice() {
                [] => Kept::Nothing,
                others => HeaderValue::try_from(others.join("; ")).map_or(Kept::Nothing, Kept::Part),
            }
        });
        found
    }

    /// The path without the token, and the token, where the query has ours.
    fn take_parameter(&self, uri: &Uri) -> Option<(String, String)> {
        let query = uri.query()?;
        let mut token = None;
        let mut others = Vec::new();
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some((PARAMETER, said)) if self.is_token(said) => token = Some(said.to_owned()),
                _ => others.push(pair),
            }
        }
        // Two slashes would begin the name of another host.
        let path = format!("/{}", uri.path().trim_start_matches('/'));
        let path = if others.is_empty() { path } else { format!("{path}?{}", others.join("&")) };
        Some((path, token?))
    }

    /// To where the link led, with the cookie.
    fn welcome(&self, path: &str, token: &str) -> Response<Body> {
        let mut response = say(StatusCode::SEE_OTHER, &format!("it is {path}"));
        let secure = if self.secure { "; Secure" } else { "" };
        let cookie = Secret::new(token).map(|token| cookie_of(&token)).unwrap_or_default();
        let cookie = format!("{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Lax{secure}");
        let headers = response.headers_mut();
        for (name, value) in [(header::LOCATION, path.to_owned()), (header::SET_COOKIE, cookie)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }
}

fn cookie_of(token: &Secret) -> String {
    Hash::from(blake3::derive_key("taskfs gateway cookie v1", token.reveal().as_bytes())).to_hex().to_string()
}

/// What of a header's value is passed on.
enum Kept {
    All,
    Part(HeaderValue),
    Nothing,
}

/// Looks at each value of a header; whether one was changed.
fn take(
    headers: &mut HeaderMap,
    name: header::HeaderName,
    mut keep: impl FnMut(&HeaderValue) -> Kept,
) -> bool {
    let mut taken = false;
    let mut kept = Vec::new();
    for value in headers.get_all(&name) {
        match keep(value) {
            Kept::All => kept.push(value.clone()),
            Kept::Part(value) => {
                taken = true;
                kept.push(value);
            }
            Kept::Nothing => taken = true,
        }
    }
    if taken {
        headers.remove(&name);
        for value in kept {
            headers.append(&name, value);
        }
    }
    taken
}

/// HTTP/2 has the host in the URI.
fn with_authority(path: Uri, of: &Uri) -> Uri {
    let (Some(scheme), Some(authority)) = (of.scheme(), of.authority()) else { return path };
    let mut parts = path.clone().into_parts();
    parts.scheme = Some(scheme.clone());
    parts.authority = Some(authority.clone());
    Uri::from_parts(parts).unwrap_or(path)
}

fn refusal<B>(request: &Request<B>) -> Response<Body> {
    let said = request.headers().contains_key(header::AUTHORIZATION)
        || request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("token=")));
    let missing = if said { "this is not the gateway's token" } else { "the gateway's token is missing" };
    let line = format!(
        "{missing}: open the page once with ?token=TOKEN behind its address, which sets a cookie, or send \
         Authorization: Bearer TOKEN"
    );
    let mut response = say(StatusCode::UNAUTHORIZED, &line);
    let challenge = HeaderValue::from_static("Bearer realm=\"taskfs gateway\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn admission() -> Admission {
        Admission::new(&Secret::new(TOKEN).expect("a token"), true)
    }

    fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request")
    }

    fn status(request: &mut Request<()>) -> u16 {
        admission().admit(request).map_or_else(|response| response.status().as_u16(), |()| 200)
    }

    #[test]
    fn a_bearer_is_let_in_and_his_token_goes_no_further() {
        let mut good = request("GET", "/a", &[("authorization", "bearer 0123456789abcdef")]);
        assert_eq!(status(&mut good), 200);
        assert!(!good.headers().contains_key("authorization"));
        for bad in
            ["Bearer 0123456789abcdeg", "Bearer 0123456789abcde", "Bearer ", "Basic 0123456789abcdef", ""]
        {
            assert_eq!(status(&mut request("GET", "/a", &[("authorization", bad)])), 401, "{bad}");
        }
    }

    #[test]
    fn a_link_sets_a_cookie_and_leads_to_the_page_without_the_token() {
        let answer = admission().admit(&mut request("GET", "//a/b?x=1&token=0123456789abcdef&y=2", &[]));
        let answer = answer.expect_err("a redirect");
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert_eq!(answer.headers()["location"], "/a/b?x=1&y=2");
        let cookie = answer.headers()["set-cookie"].to_str().expect("text").to_owned();
        assert!(
            cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure") && !cookie.contains(TOKEN),
            "{cookie}"
        );
        let pair = cookie.split(';').next().expect("a pair");
        let mut good = request("GET", "/", &[("cookie", &format!("mine=1; {pair}; other=2"))]);
        assert_eq!(status(&mut good), 200);
        assert_eq!(good.headers()["cookie"], "mine=1; other=2");
        let mut bad = request("GET", "/", &[("cookie", &format!("taskfs-gateway={TOKEN}"))]);
        assert_eq!(status(&mut bad), 401, "the token itself is no cookie");
    }

    #[test]
    fn what_cannot_follow_a_redirect_is_let_in_by_its_link() {
        for (method, headers) in [("POST", &[][..]), ("GET", &[("upgrade", "websocket")])] {
            let mut good = request(method, "/ws?token=0123456789abcdef&a=b", headers);
            assert_eq!(status(&mut good), 200, "{method}");
            assert_eq!(good.uri().path_and_query().expect("a path"), "/ws?a=b");
        }
    }

    #[test]
    fn what_a_program_says_of_itself_passes_through() {
        let cookie = cookie_of(&Secret::new(TOKEN).expect("a token"));
        let headers = [("authorization", "Bearer theirs"), ("cookie", &format!("taskfs-gateway={cookie}"))];
        let mut good = request("GET", "/?token=theirs", &headers);
        assert_eq!(status(&mut good), 200);
        assert_eq!(good.headers()["authorization"], "Bearer theirs");
        assert_eq!(good.uri(), "/?token=theirs");
        assert!(!good.headers().contains_key("cookie"));
    }

    #[test]
    fn a_refusal_says_what_is_missing() {
        let answer = admission().admit(&mut request("GET", "/", &[])).expect_err("refused");
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(answer.headers()["www-authenticate"].to_str().expect("text").starts_with("Bearer"));
    }
}
