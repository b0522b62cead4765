//! The ways to Kroger and back: name, connection, TLS, clock, the app's
//! credentials, and where sign-ins return to.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::Full;
use kroger_core::client::Client;
use kroger_core::kroger::retry_after::http_date;
use kroger_core::kroger::token_response::{Verdict as TokenVerdict, verdict};
use kroger_core::kroger::wire::client_credentials_request;
use kroger_core::ports::{self, Timestamp};
use kroger_core::settings::Settings as ComponentSettings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;
use wasmtime_wasi_http::Error;

use super::{Point, Verdict};
use crate::Settings;
use crate::cli::print::span;
use crate::reach::address::is_on_this_machine;
use crate::reach::egress::Egress;

/// A clock that is further off makes tokens seem good that are not.
const MOST_SKEW: Duration = Duration::from_secs(30);

/// How long whoever listens at the redirect URI may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn points(settings: &Settings) -> Vec<Point> {
    let component = &settings.component;
    let Some(egress) = Egress::to(&component.api_base_url, 1) else {
        return vec![Point::bad("network", "KROGER_API_BASE_URL names no host")];
    };
    let host = component.api_base_url.host_str().unwrap_or_default();
    let began = SystemTime::now();
    let answer = match egress.ask(root(component)).await {
        Ok(answer) => answer,
        Err(error) => return vec![Point::bad("network", unreachable(host, &error))],
    };
    let took = began.elapsed().unwrap_or_default();
    let network = Point::good("network", format!("{host} answers, in {} ms", took.as_millis()));
    vec![network, clock(&answer, SystemTime::now()), credentials(component, &egress).await]
}

fn root(settings: &ComponentSettings) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::default());
    *request.uri_mut() = settings.api_base_url.as_str().parse::<Uri>().unwrap_or_default();
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

/// Kroger's clock is that of the answer's `Date`, in whole seconds.
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

async fn credentials(settings: &ComponentSettings, egress: &Egress) -> Point {
    const NAME: &str = "credentials";
    let Some(client) = settings.client.as_ref().filter(|client| client.secret.is_some()) else {
        return Point::new(NAME, Verdict::Note, "there is no secret to check; a sign-in shows whether the id is right");
    };
    let Some(request) = token_request(settings, client) else {
        return Point::bad(NAME, "KROGER_CLIENT_ID or KROGER_CLIENT_SECRET cannot be sent; copy them anew");
    };
    let Ok(answer) = egress.ask(request).await else {
        return Point::new(NAME, Verdict::Warning, "Kroger did not answer when asked; try again later");
    };
    let response = ports::Response {
        status: answer.status().as_u16(),
        retry_after: None,
        date: None,
        body: answer.into_body().to_vec(),
    };
    match verdict(&response, Timestamp::default()) {
        TokenVerdict::Granted(_) => Point::good(NAME, "Kroger accepts KROGER_CLIENT_ID and KROGER_CLIENT_SECRET"),
        TokenVerdict::ClientRefused => Point::bad(
            NAME,
            "Kroger rejects KROGER_CLIENT_ID and KROGER_CLIENT_SECRET; they belong to one environment, production or \
             certification",
        ),
        TokenVerdict::RequestRefused(error) => Point::new(
            NAME,
            Verdict::Warning,
            format!("Kroger knows the app and refuses product.compact: {}", error.reason),
        ),
        _ => Point::new(NAME, Verdict::Warning, "Kroger did not say whether it accepts them; try again later"),
    }
}

/// What the component sends for the app's own token, from here.
fn token_request(settings: &ComponentSettings, client: &Client) -> Option<Request<Full<Bytes>>> {
    let ports::Request { path, headers, body, .. } = client_credentials_request(&settings.token_path, client);
    let uri: Uri = settings.api_base_url.join(&path).ok()?.as_str().parse().ok()?;
    let mut request = Request::post(uri);
    for (name, value) in headers {
        request = request.header(name, HeaderValue::from_str(&value).ok()?);
    }
    request.body(Full::new(body.into())).ok()
}

/// Whether whoever signs in comes back to one of ours.
pub(super) async fn redirect(settings: &Settings) -> Point {
    const NAME: &str = "redirect URI";
    let uri = &settings.component.redirect_uri;
    if let Some(words) = settings.unserved_redirect() {
        return Point::bad(NAME, words);
    }
    if uri.scheme() != "http" || !is_on_this_machine(uri) {
        let words = format!("{uri} is not of this machine; open it in a browser: it must lead to /auth/callback here");
        return Point::new(NAME, Verdict::Note, words);
    }
    let port = uri.port_or_known_default().unwrap_or_default();
    match livez(uri, port).await {
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

/// Whether it is a kroger-mcp that listens; none where nobody does.
async fn livez(uri: &Url, port: u16) -> Option<bool> {
    let host = uri.host_str()?.trim_matches(['[', ']']).to_owned();
    let mut stream = timeout(PATIENCE, TcpStream::connect((host, port))).await.ok()?.ok()?;
    let asked = async {
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut answer = Vec::new();
        (&mut stream).take(4_096).read_to_end(&mut answer).await?;
        std::io::Result::Ok(String::from_utf8_lossy(&answer).contains(r#""status":"alive""#))
    };
    Some(matches!(timeout(PATIENCE, asked).await, Ok(Ok(true))))
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
