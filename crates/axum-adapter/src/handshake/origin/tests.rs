//! The table of origins.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{HeaderName, HeaderValue, Request, header};

use super::{AllowedOrigins, ClientAddress, Page, Reason, RefusedOrigin};

const LISTED: &[&str] = &["https://app.example.com", "capacitor://localhost"];
const XFF: HeaderName = HeaderName::from_static("x-forwarded-for");

fn judge(listed: &[&str], peer: Option<&str>, headers: &[(HeaderName, &[u8])]) -> Page {
    let origins = AllowedOrigins::new(&listed.iter().map(|&origin| origin.to_owned()).collect::<Vec<_>>());
    let mut request = Request::get("/socket.io/").body(()).expect("a request");
    for (name, value) in headers {
        request.headers_mut().append(name, HeaderValue::from_bytes(value).expect("a header value"));
    }
    if let Some(peer) = peer {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.parse().expect("an address"), 1)));
    }
    origins.judge(&request)
}

/// A page of this origin asks a server that listens on a public address.
fn from_page(host: &str, origin: &str) -> Page {
    judge(LISTED, Some("203.0.113.7"), &[(header::HOST, host.as_bytes()), (header::ORIGIN, origin.as_bytes())])
}

/// A page of this origin asks a server on the same machine.
fn on_this_machine(host: &str, origin: &str) -> Page {
    judge(&[], Some("127.0.0.1"), &[(header::HOST, host.as_bytes()), (header::ORIGIN, origin.as_bytes())])
}

#[track_caller]
fn refused(page: Page) -> RefusedOrigin {
    let Page::Refused(refused) = page else { panic!("{page:?}") };
    refused
}

#[test]
fn pages_of_the_host_and_port_of_the_request_are_same_origin_whatever_the_scheme() {
    for (host, origin) in [
        ("chat.example.com", "https://chat.example.com"),
        ("chat.example.com", "http://chat.example.com"),
        ("chat.example.com:443", "https://chat.example.com"),
        ("Chat.Example.com", "https://chat.example.com"),
        ("localhost:3000", "http://localhost:3000"),
        ("[::1]:3000", "http://[::1]:3000"),
    ] {
        assert_eq!(from_page(host, origin), Page::SameOrigin, "{host} {origin}");
    }
    assert_eq!(judge(LISTED, None, &[(header::HOST, b"a")]), Page::SameOrigin, "no page");
}

#[test]
fn listed_origins_are_allowed_and_others_are_refused() {
    for origin in LISTED {
        assert_eq!(from_page("chat.example.com", origin), Page::Allowed);
    }
    for origin in [
        "https://evil.example",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.example",
        "https://xapp.example.com",
        "HTTPS://app.example.com",
        "ftp://chat.example.com",
        "ionic://localhost",
    ] {
        let expected = RefusedOrigin { name: origin.to_owned(), reason: Reason::NotListed };
        assert_eq!(refused(from_page("chat.example.com", origin)), expected, "{origin}");
    }
    for origin in [
        "null",
        "",
        "https://",
        "https://chat.example.com@evil.example",
        "https://chat.example.com:",
        "https://chat.example.com/x",
        "https://app.example.com/",
        "chat.example.com",
        "https://app.example.com https://evil.example",
    ] {
        assert_eq!(refused(from_page("chat.example.com", origin)).reason, Reason::NoOrigin, "{origin}");
    }
}

#[test]
fn a_host_header_that_a_proxy_has_changed_is_told_apart() {
    for (host, origin) in [
        // nginx: proxy_set_header Host $host; the port is missing.
        ("chat.example.com", "http://chat.example.com:8080"),
        ("localhost", "http://localhost:8080"),
        ("chat.example.com:3000", "https://chat.example.com"),
    ] {
        let refused = refused(from_page(host, origin));
        assert_eq!(refused.reason, Reason::HostMismatch(host.to_owned()), "{host} {origin}");
        let advice = refused.advice();
        assert!(advice.contains("proxy_set_header Host $http_host;") && advice.contains(host), "{advice}");
    }
}

#[test]
fn loopback_pages_may_connect_to_a_loopback_server_whatever_the_ports_and_spellings() {
    let spellings = ["localhost", "127.0.0.1", "[::1]", "shop.localhost"];
    for host in spellings {
        for origin in spellings {
            for scheme in ["http", "https"] {
                let page = on_this_machine(&format!("{host}:3000"), &format!("{scheme}://{origin}:5173"));
                assert_eq!(page, Page::Allowed, "{scheme}://{origin}:5173 to {host}:3000");
            }
        }
    }
    let by_ipv6 = [(header::HOST, &b"localhost:3000"[..]), (header::ORIGIN, b"http://localhost:5173")];
    for peer in ["::1", "::ffff:127.0.0.1"] {
        assert_eq!(judge(&[], Some(peer), &by_ipv6), Page::Allowed, "{peer}");
    }
    // A dev server's proxy may name the browser, which is on this machine too.
    let by_dev_proxy = [by_ipv6[0].clone(), by_ipv6[1].clone(), (XFF, b"127.0.0.1")];
    assert_eq!(judge(&[], Some("127.0.0.1"), &by_dev_proxy), Page::Allowed);
}

#[test]
fn loopback_pages_may_not_connect_to_a_server_that_is_reached_from_elsewhere() {
    let (host, origin) = ((header::HOST, &b"localhost:3000"[..]), (header::ORIGIN, &b"http://localhost:5173"[..]));
    let direct = [host.clone(), origin.clone()];
    // Docker's proxy, another machine, and a server that does not know its peers.
    for peer in [Some("172.17.0.1"), Some("203.0.113.7"), None] {
        assert_eq!(refused(judge(&[], peer, &direct)).reason, Reason::NotLocal, "{peer:?}");
    }
    // A proxy on this machine that serves others: it kept the visitor's Host, or it names the visitor.
    let public_host = [(header::HOST, &b"chat.example.com"[..]), origin.clone()];
    assert_eq!(refused(judge(&[], Some("127.0.0.1"), &public_host)).reason, Reason::NotLocal);
    for (name, value) in [
        (XFF, &b"203.0.113.7"[..]),
        (XFF, b"127.0.0.1, 203.0.113.7"),
        (XFF, b"unknown"),
        (header::FORWARDED, b"for=203.0.113.7"),
        (header::FORWARDED, b"proto=https"),
        (HeaderName::from_static("x-real-ip"), b"203.0.113.7"),
    ] {
        let proxied = [host.clone(), origin.clone(), (name, value)];
        assert_eq!(refused(judge(&[], Some("127.0.0.1"), &proxied)).reason, Reason::NotLocal, "{proxied:?}");
    }
    // A layer in front knows the client better.
    let mut request = Request::get("/").header("host", "localhost:3000").header("origin", "http://localhost:5173");
    let extensions = request.extensions_mut().expect("valid so far");
    extensions.insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))));
    extensions.insert(ClientAddress("203.0.113.7".parse::<IpAddr>().expect("an address")));
    let page = AllowedOrigins::new(&[]).judge(&request.body(()).expect("a request"));
    assert_eq!(refused(page).reason, Reason::NotLocal);
}

#[test]
fn a_page_whose_name_resolves_to_this_machine_is_no_loopback_page() {
    for (host, origin) in [
        ("127.0.0.1:3000", "http://evil.example:3000"),
        ("localhost:3000", "http://localhost.evil.example:3000"),
        ("localhost:3000", "http://127.0.0.1.evil.example"),
    ] {
        assert!(matches!(on_this_machine(host, origin), Page::Refused(_)), "{host} {origin}");
    }
}

#[test]
fn several_origins_and_what_is_no_text_are_refused_and_cut() {
    let twice = [(header::ORIGIN, &b"https://app.example.com"[..]), (header::ORIGIN, b"https://app.example.com")];
    assert_eq!(refused(judge(LISTED, None, &twice)).reason, Reason::NoOrigin);
    let two_hosts = [(header::HOST, &b"a"[..]), (header::HOST, b"b"), (header::ORIGIN, b"https://a")];
    refused(judge(LISTED, None, &two_hosts));
    let advice = refused(judge(LISTED, None, &[(header::ORIGIN, b"\xff\x9b\t")])).advice();
    assert!(advice.chars().all(|character| !character.is_control()), "{advice:?}");
    assert_eq!(refused(judge(LISTED, None, &[(header::ORIGIN, &[b'x'; 4096])])).name.len(), 128);
}

#[test]
fn the_star_allows_all_single_origins() {
    for origin in ["https://evil.example", "null"] {
        assert_eq!(judge(&["*"], None, &[(header::ORIGIN, origin.as_bytes())]), Page::Allowed);
    }
    let twice = [(header::ORIGIN, &b"https://a"[..]), (header::ORIGIN, b"https://b")];
    assert!(matches!(judge(&["*"], None, &twice), Page::Refused(_)));
}

#[test]
fn the_advice_for_an_origin_is_the_line_to_add_and_what_a_proxy_must_forward() {
    // The latter: nginx without a Host header of its own sends the name or address of the upstream.
    for host in ["chat.example.com", "127.0.0.1:3000", "roomwire"] {
        let advice = refused(from_page(host, "https://preview-1.example.com")).advice();
        assert!(advice.contains(r#"allowedOrigins = ["https://preview-1.example.com"]"#), "{advice}");
        assert!(advice.contains("proxy_set_header Host $http_host;"), "{advice}");
    }
}
