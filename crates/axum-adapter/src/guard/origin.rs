//! Which pages may connect: the origin that a browser names.

use http::{HeaderMap, HeaderValue, Uri, header, uri::Authority};

/// The origin that stands for all in `allowedOrigins`.
const ANY: &str = "*";

/// The origins whose pages may connect besides the one that they connect to.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    listed: Vec<String>,
    any: bool,
}

/// From where a request comes, as far as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// From no page, or from a page of this very server: nobody need be told that it may read the answer.
    Here,
    /// From a page elsewhere that may connect.
    Listed,
}

/// A request of a page that may not connect: what it named, for a person to read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Foreign(pub(crate) String);

impl Origins {
    pub(crate) fn new(listed: &[String]) -> Self {
        Self { any: listed.iter().any(|origin| origin == ANY), listed: listed.to_vec() }
    }

    /// Whether pages of this origin may connect, wherever they are.
    pub(crate) fn lists(&self, origin: &HeaderValue) -> bool {
        self.any || self.listed.iter().any(|listed| origin == listed)
    }

    /// # Errors
    /// When a page may not connect: one of another origin that is not listed, one of none (`null`), and whatever is not
    /// written as a browser writes it.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<Came, Foreign> {
        let mut named = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = named.next() else { return Ok(Came::Here) };
        if let Some(another) = named.next() {
            return Err(Foreign(format!("{} and {}", shown(origin), shown(another))));
        }
        if is_own(origin, uri, headers) {
            Ok(Came::Here)
        } else if self.lists(origin) {
            Ok(Came::Listed)
        } else {
            Err(Foreign(shown(origin)))
        }
    }
}

/// Whether it names the host and port that the request is for. Its scheme is not compared: whether TLS ends here or at a
/// proxy is not seen here.
fn is_own(origin: &HeaderValue, uri: &Uri, headers: &HeaderMap) -> bool {
    let Some((scheme, named)) = origin.to_str().ok().and_then(|origin| origin.split_once("://")) else { return false };
    let default = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return false,
    };
    let mut hosts = headers.get_all(header::HOST).iter();
    let asked = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok().and_then(authority),
        (None, None) => uri.authority().cloned(),
        _ => None,
    };
    let (Some(named), Some(asked)) = (authority(named), asked) else { return false };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default);
    named.host().eq_ignore_ascii_case(asked.host()) && port(&named) == port(&asked)
}

/// A host with its port if any, and nothing else.
fn authority(text: &str) -> Option<Authority> {
    text.parse().ok().filter(|authority: &Authority| {
        !authority.as_str().contains('@') && (authority.port_u16().is_some() || !authority.as_str().ends_with(':'))
    })
}

fn shown(origin: &HeaderValue) -> String {
    String::from_utf8_lossy(origin.as_bytes()).chars().take(128).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

    use super::{Came, Foreign, Origins};

    fn check(listed: &[&str], headers: &[(HeaderName, &[u8])]) -> Result<Came, Foreign> {
        let origins = Origins::new(&listed.iter().map(|&origin| origin.to_owned()).collect::<Vec<_>>());
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_bytes(value).expect("a header value"));
        }
        origins.check(&Uri::from_static("/socket.io/"), &map)
    }

    const LISTED: &[&str] = &["https://app.example.com", "capacitor://localhost"];

    fn from_page(host: &str, origin: &str) -> Result<Came, Foreign> {
        check(LISTED, &[(header::HOST, host.as_bytes()), (header::ORIGIN, origin.as_bytes())])
    }

    #[test]
    fn pages_of_this_host_and_port_are_here_whatever_the_scheme() {
        for (host, origin) in [
            ("chat.example.com", "https://chat.example.com"),
            ("chat.example.com", "http://chat.example.com"),
            ("chat.example.com:443", "https://chat.example.com"),
            ("Chat.Example.com", "https://chat.example.com"),
            ("localhost:3000", "http://localhost:3000"),
            ("[::1]:3000", "http://[::1]:3000"),
        ] {
            assert_eq!(from_page(host, origin), Ok(Came::Here), "{host} {origin}");
        }
        assert_eq!(check(LISTED, &[(header::HOST, b"a")]), Ok(Came::Here), "no page names none");
    }

    #[test]
    fn listed_pages_may_come_and_no_others() {
        for origin in LISTED {
            assert_eq!(from_page("chat.example.com", origin), Ok(Came::Listed));
        }
        for origin in [
            "https://evil.example",
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com/",
            "https://app.example.com.evil.example",
            "https://xapp.example.com",
            "HTTPS://app.example.com",
            "null",
            "",
            "https://",
            "https://chat.example.com@evil.example",
            "https://chat.example.com:",
            "https://chat.example.com/x",
            "https://chat.example.com:8080",
            "ftp://chat.example.com",
            "chat.example.com",
            "https://app.example.com https://evil.example",
        ] {
            assert_eq!(from_page("chat.example.com", origin), Err(Foreign(origin.to_owned())), "{origin}");
        }
    }

    #[test]
    fn several_origins_and_what_is_no_text_are_foreign_and_are_shown_escaped_and_cut() {
        let twice = [(header::ORIGIN, &b"https://app.example.com"[..]), (header::ORIGIN, b"https://app.example.com")];
        assert!(check(LISTED, &twice).is_err());
        let two_hosts = [(header::HOST, &b"a"[..]), (header::HOST, b"b"), (header::ORIGIN, b"https://a")];
        assert!(check(LISTED, &two_hosts).is_err());
        let Err(Foreign(shown)) = check(LISTED, &[(header::ORIGIN, b"\xff\x9b\t")]) else { panic!("foreign") };
        assert!(shown.chars().all(|character| !character.is_control()), "{shown:?}");
        let Err(Foreign(shown)) = check(LISTED, &[(header::ORIGIN, &[b'x'; 4096])]) else { panic!("foreign") };
        assert_eq!(shown.len(), 128);
    }

    #[test]
    fn the_star_lists_all_also_those_without_a_name() {
        for origin in ["https://evil.example", "null"] {
            assert_eq!(check(&["*"], &[(header::ORIGIN, origin.as_bytes())]), Ok(Came::Listed));
        }
        let twice = [(header::ORIGIN, &b"https://a"[..]), (header::ORIGIN, b"https://b")];
        assert!(check(&["*"], &twice).is_err());
    }
}
