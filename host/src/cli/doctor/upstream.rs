//! The way to Kroger and back: name, connection, TLS, clock, the app's credentials, and the redirect
//! URI. The component judges the credentials.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response, Uri, header};
use http_body_util::Full;
use kroger_core::kroger::retry_after::http_date;
use tokio::time::timeout;
use url::Url;
use wasmtime_wasi_http::Error;

use super::point::{Point, Verdict};
use super::tokens::Opened;
use crate::cli::print::span;
use crate::cli::words;
use crate::reach::address::is_on_this_machine;
use crate::reach::egress::Egress;
use crate::{Credentials, Host, Settings};

/// With a clock that is further off, expired tokens look valid.
const MOST_SKEW: Duration = Duration::from_secs(30);

/// How long the server at the redirect URI may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The network and the clock, and the credentials if the component can be asked.
pub(super) async fn points(settings: &Settings, opened: Option<&Opened>) -> Vec<Point> {
    let component = &settings.component;
    let Some(egress) = Egress::to(&component.api_base_url, 1) else {
        return vec![Point::bad("network", "KROGER_API_BASE_URL names no host")];
    };
    let host = component.api_base_url.host_str().unwrap_or_default();
    let began = SystemTime::now();
    let answer = match egress.ask(get(&component.api_base_url)).await {
        Ok(answer) => answer,
        Err(error) => return vec![Point::bad("network", unreachable(host, &error))],
    };
    let took = began.elapsed().unwrap_or_default();
    let network = Point::good("network", format!("{host} answers, in {} ms", took.as_millis()));
    let mut points = vec![network, clock(&answer, SystemTime::now())];
    if let Some(opened) = opened {
        points.push(credentials(&opened.host).await);
    }
    points
}

fn get(url: &Url) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::default());
    *request.uri_mut() = url.as_str().parse::<Uri>().unwrap_or_default();
    request
}

fn unreachable(host: &str, error: &Error) -> String {
    match error {
        Error::DnsError { .. } => format!("the name {host} cannot be resolved; check the network and its DNS"),
        Error::DestinationIpProhibited => {
            format!("{host} resolves to a private address, as behind a captive portal; check the network's DNS")
        }
        Error::ConnectionRefused => {
            format!("{host} refuses the connection; check the network, and KROGER_API_BASE_URL")
        }
        Error::ConnectionTimeout => format!("{host} cannot be reached; check the network and its firewall"),
        Error::TlsProtocolError => {
            format!("no secure connection to {host}; a proxy may stand between, or the clock is wrong")
        }
        _ => format!("{host} is reached and does not answer as a web server; try again later"),
    }
}

/// Compares our clock with the `Date` of Kroger's answer, in whole seconds.
fn clock(answer: &Response<Bytes>, now: SystemTime) -> Point {
    let date = answer.headers().get(header::DATE).and_then(|date| http_date(date.to_str().ok()?));
    let Some(theirs) = date else {
        return Point::new("clock", Verdict::Note, "Kroger's answer has no date to compare");
    };
    let ours = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (ahead, behind) = (ours.saturating_sub(theirs.as_secs()), theirs.as_secs().saturating_sub(ours));
    if ahead.max(behind) <= MOST_SKEW.as_secs() {
        return Point::good("clock", "it agrees with Kroger's");
    }
    let off = if ahead > 0 { format!("{} ahead of", span(ahead)) } else { format!("{} behind", span(behind)) };
    Point::bad("clock", format!("it is {off} Kroger's; set it, by NTP best"))
}

async fn credentials(host: &Host) -> Point {
    let found = host.check_credentials().await.unwrap_or(Credentials::NotKnown);
    let verdict = match &found {
        Credentials::Accepted => Verdict::Good,
        Credentials::NoSecret => Verdict::Note,
        Credentials::Rejected => Verdict::Bad,
        Credentials::ScopeRefused(_) | Credentials::NotKnown => Verdict::Warning,
    };
    Point::new("credentials", verdict, words::credentials(&found))
}

/// Whether a sign-in returns to a kroger-mcp.
pub(super) async fn redirect(settings: &Settings) -> Point {
    const NAME: &str = "redirect URI";
    let uri = &settings.component.redirect_uri;
    if let Some(words) = settings.unserved_redirect() {
        return Point::bad(NAME, words);
    }
    if uri.scheme() != "http" || !is_on_this_machine(uri) {
        let words = format!("{uri} is not of this machine; open it in a browser: it must lead to this server");
        return Point::new(NAME, Verdict::Note, words);
    }
    let port = uri.port_or_known_default().unwrap_or_default();
    match livez(uri).await {
        None => Point::new(
            NAME,
            Verdict::Note,
            format!("nobody listens on port {port} now; `kroger-mcp serve` will, and `kroger-mcp login` meanwhile"),
        ),
        Some(true) => Point::good(NAME, format!("a kroger-mcp listens on port {port}")),
        Some(false) => Point::bad(
            NAME,
            format!(
                "another program has port {port}; stop it, or register another KROGER_REDIRECT_URI with Kroger and \
                 serve there"
            ),
        ),
    }
}

/// Whether a kroger-mcp listens at the redirect URI; `None` if nobody does.
async fn livez(redirect_uri: &Url) -> Option<bool> {
    let egress = Egress::to(redirect_uri, 0)?;
    let asked = timeout(PATIENCE, egress.ask(get(&redirect_uri.join("/livez").ok()?))).await;
    match asked {
        Ok(Err(error)) if is_unconnected(&error) => None,
        Ok(Ok(answer)) => Some(answer.body().as_ref() == br#"{"status":"alive"}"#),
        Ok(Err(_)) | Err(_) => Some(false),
    }
}

/// Whether there was no connection, so that no program answered.
fn is_unconnected(error: &Error) -> bool {
    matches!(
        error,
        Error::DnsError { .. } | Error::DestinationIpProhibited | Error::ConnectionRefused | Error::ConnectionTimeout
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(date: &str) -> Response<Bytes> {
        Response::builder().header(header::DATE, date).body(Bytes::new()).unwrap()
    }

    #[test]
    fn a_clock_is_judged_by_kroger_and_the_direction_told() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let answer = answer("Sat, 18 Jan 2025 12:00:00 GMT");

        assert_eq!(clock(&answer, at(1_737_201_600 + 29)).verdict, Verdict::Good);
        assert!(clock(&answer, at(1_737_201_600 + 3_600)).detail.contains("1h ahead of"));
        assert!(clock(&answer, at(1_737_201_600 - 90)).detail.contains("1m 30s behind"));
        assert_eq!(clock(&answer, at(1_737_201_600 - 90)).verdict, Verdict::Bad);
        assert_eq!(clock(&self::answer("soon"), at(0)).verdict, Verdict::Note);
    }

    #[test]
    fn failed_connection_to_the_redirect_uri_is_no_other_program() {
        let dns = Error::DnsError { rcode: None, info_code: None };
        for error in [dns, Error::DestinationIpProhibited, Error::ConnectionRefused, Error::ConnectionTimeout] {
            assert!(is_unconnected(&error), "{error:?}");
        }
        for error in [Error::ConnectionTerminated, Error::HttpProtocolError] {
            assert!(!is_unconnected(&error), "{error:?}");
        }
    }

    #[test]
    fn each_way_not_to_reach_kroger_has_its_own_advice() {
        let dns = Error::DnsError { rcode: None, info_code: None };
        let advice = [dns, Error::ConnectionRefused, Error::ConnectionTimeout, Error::TlsProtocolError]
            .map(|error| unreachable("api.kroger.com", &error));

        for (index, words) in advice.iter().enumerate() {
            assert!(words.contains("api.kroger.com"), "{words}");
            assert!(!advice[..index].contains(words), "{words}");
        }
    }
}
