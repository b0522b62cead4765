//! The component's requests to Kroger: the only way out of the process.
//!
//! Requests go only to the scheme and authority of `KROGER_API_BASE_URL`, and only to addresses that
//! such a host may have. Egress follows no redirect, uses no proxy, and sends nothing twice.
//!
//! The component decides by the error whether Kroger may have processed a request. So an error while
//! connecting is always a DNS, connection or TLS error, and a later error never is one of these.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::address::Naming;
use crate::time_limit::within;
use crate::wall_clock::since_1970;

/// The time limits of an exchange. The guest can shorten them, and not extend them.
#[derive(Clone, Copy)]
struct Limits {
    /// Name resolution, TCP and TLS together.
    connect: Duration,
    /// From sending to the head of the answer.
    answer: Duration,
    /// From the head of the answer to its end.
    body: Duration,
}

const LIMITS: Limits =
    Limits { connect: Duration::from_secs(5), answer: Duration::from_secs(30), body: Duration::from_secs(15) };

const MAX_REQUEST: usize = 1 << 20;
/// The largest answer of Kroger's. The component takes no larger one.
const MAX_RESPONSE: usize = 1 << 20;

/// Shorter than the 5 s after which the most impatient common server closes an
/// idle connection: a request that meets the closing has an unknown outcome.
const IDLE_LIMIT: Duration = Duration::from_secs(4);

type HttpClient = Client<Connector, Full<Bytes>>;

/// Sends the component's requests to the one allowed authority. A cheap handle.
#[derive(Clone)]
pub(crate) struct Egress(Arc<Inner>);

struct Inner {
    scheme: Scheme,
    authority: Authority,
    limits: Limits,
    pooled: HttpClient,
    /// One connection for each request: a token request never meets a server
    /// that is closing an idle connection, which could cost a refresh token.
    fresh: HttpClient,
}

impl Egress {
    /// Allows requests to the scheme and authority of `base_url`, and keeps up to `idle`
    /// connections for the next requests. `None` if `base_url` has no authority.
    pub(crate) fn to(base_url: &url::Url, idle: usize) -> Option<Self> {
        Self::within(LIMITS, base_url, idle)
    }

    fn within(limits: Limits, base_url: &url::Url, idle: usize) -> Option<Self> {
        let parts = base_url.as_str().parse::<Uri>().ok()?.into_parts();
        let (scheme, authority) = (parts.scheme?, parts.authority?);
        let connector = Connector::to(Naming::of(authority.host()), limits.connect)?;
        Some(Self(Arc::new(Inner {
            pooled: client(connector.clone(), idle),
            fresh: client(connector, 0),
            scheme,
            authority,
            limits,
        })))
    }

    /// Sends a request of the host itself, to learn whether a server can be reached.
    pub(crate) async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Error> {
        if !self.allows(request.uri()) {
            return Err(Error::HttpRequestDenied);
        }
        let (parts, body) = self.exchange(request, None).await?.into_parts();
        let Ok(body) = body.collect().await;
        Ok(Response::from_parts(parts, body.to_bytes()))
    }

    async fn send(
        &self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Response<Full<Bytes>>, Error> {
        if !self.allows(request.uri()) {
            return Err(Error::HttpRequestDenied);
        }
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, MAX_REQUEST).collect().await;
        let body = body.map_err(|_| Error::HttpRequestBodySize(None))?.to_bytes();
        self.exchange(Request::from_parts(parts, Full::new(body)), options).await
    }

    /// Compares as `http` does: case does not matter, and an absent port differs from the default port.
    fn allows(&self, uri: &Uri) -> bool {
        uri.scheme() == Some(&self.0.scheme) && uri.authority() == Some(&self.0.authority)
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        options: Option<RequestOptions>,
    ) -> Result<Response<Full<Bytes>>, Error> {
        let client = if request.method() == Method::POST { &self.0.fresh } else { &self.0.pooled };
        let limits = self.0.limits;
        let wait = options.and_then(|options| options.first_byte_timeout);
        let wait = wait.map_or(limits.answer, |wait| wait.min(limits.answer));
        let answer = within(limits.connect + wait, client.request(request)).await;
        let (parts, body) =
            answer.map_err(|_| Error::HttpResponseTimeout)?.map_err(|error| request_failure(&error))?.into_parts();
        let body = within(limits.body, whole(body)).await.map_err(|_| Error::HttpResponseTimeout)??;
        Ok(Response::from_parts(parts, Full::new(body)))
    }
}

impl WasiHttpHooks for Egress {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let egress = self.clone();
        Box::new(async move {
            let (began, method) = (Instant::now(), request.method().clone());
            let path = request.uri().path().to_owned();
            let sent = egress.send(request, options).await;
            let status = sent.as_ref().ok().map(|response| response.status().as_u16());
            let error = sent.as_ref().err().map(tracing::field::display);
            tracing::debug!(%method, path, status, error, took = ?began.elapsed(), "sent to Kroger");
            let response = sent?;
            let response = response.map(|body| body.map_err(Error::from).boxed_unsync());
            Ok((response, Box::new(std::future::ready(Ok(()))) as Rest))
        })
    }
}

type Sent = (Response<WasiBody>, Rest);
/// The work left after the answer: none, because the answer is whole.
type Rest = Box<dyn Future<Output = Result<(), Error>> + Send>;

fn client(connector: Connector, idle: usize) -> HttpClient {
    // hyper repeats a request only if it found an idle connection closed before it wrote the first
    // byte.
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_LIMIT)
        .pool_max_idle_per_host(idle)
        .build(connector)
}

async fn whole(body: Incoming) -> Result<Bytes, Error> {
    match Limited::new(body, MAX_RESPONSE).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Error::HttpResponseBodySize(Some(MAX_RESPONSE as u64))),
        Err(_) => Err(Error::HttpResponseIncomplete),
    }
}

/// The error of a request that got no head of an answer.
fn request_failure(error: &hyper_util::client::legacy::Error) -> Error {
    let connecting = causes(error).find_map(|cause| cause.downcast_ref::<ConnectFailure>());
    if let Some(failure) = connecting {
        return (*failure).into();
    }
    let hyper = causes(error).find_map(|cause| cause.downcast_ref::<hyper::Error>());
    match hyper {
        Some(error) if error.is_parse() => Error::HttpProtocolError,
        Some(error) if error.is_incomplete_message() => Error::HttpResponseIncomplete,
        _ => Error::ConnectionTerminated,
    }
}

type Cause<'a> = &'a (dyn StdError + 'static);

fn causes(error: Cause<'_>) -> impl Iterator<Item = Cause<'_>> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// Why there is no connection. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConnectFailure {
    Dns,
    /// The name resolves to addresses that a name of its kind may not have.
    Prohibited,
    Refused,
    Timeout,
    Tls,
}

impl std::fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Dns => "the name cannot be resolved",
            Self::Prohibited => "the name resolves to a private address",
            Self::Refused => "the connection is refused",
            Self::Timeout => "connecting takes too long",
            Self::Tls => "the TLS handshake fails",
        })
    }
}

impl StdError for ConnectFailure {}

impl From<ConnectFailure> for Error {
    fn from(failure: ConnectFailure) -> Self {
        match failure {
            ConnectFailure::Dns => Self::DnsError { rcode: None, info_code: None },
            ConnectFailure::Prohibited => Self::DestinationIpProhibited,
            ConnectFailure::Refused => Self::ConnectionRefused,
            ConnectFailure::Timeout => Self::ConnectionTimeout,
            ConnectFailure::Tls => Self::TlsProtocolError,
        }
    }
}

type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, ConnectFailure>> + Send>>;

/// Connects within a time limit, with TLS if the scheme is https.
#[derive(Clone)]
struct Connector {
    https: HttpsConnector<Tcp>,
    limit: Duration,
}

impl Connector {
    /// Trusts Mozilla's root certificates, which are compiled in. So a container without certificates
    /// works, and a root that somebody added to the machine cannot be used to read tokens.
    fn to(naming: Naming, limit: Duration) -> Option<Self> {
        let mut http = HttpConnector::new_with_resolver(Resolver(naming));
        http.enforce_http(false);
        http.set_nodelay(true);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_details(provider, Arc::new(Clock))
            .with_safe_default_protocol_versions()
            .ok()?
            .with_webpki_roots()
            .with_no_client_auth();
        let https =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(Tcp(http));
        Some(Self { https, limit })
    }
}

/// The time by which certificates are checked. The library's own clock panics before 1970.
#[derive(Debug)]
struct Clock;

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        since_1970().map(UnixTime::since_unix_epoch)
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = ConnectFailure;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectFailure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = timeout(self.limit, self.https.call(uri));
        Box::pin(async move {
            let connected = connecting.await;
            connected
                .map_err(|_| ConnectFailure::Timeout)?
                .map_err(|error| error.downcast_ref().copied().unwrap_or(ConnectFailure::Tls))
        })
    }
}

#[derive(Clone)]
struct Tcp(HttpConnector<Resolver>);

impl Service<Uri> for Tcp {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectFailure;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectFailure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move { connecting.await.map_err(|error| tcp_failure(&error)) })
    }
}

fn tcp_failure(error: &(dyn StdError + 'static)) -> ConnectFailure {
    if let Some(failure) = causes(error).find_map(|cause| cause.downcast_ref::<ConnectFailure>()) {
        return *failure;
    }
    match causes(error).find_map(|cause| cause.downcast_ref::<io::Error>()) {
        Some(error) if error.kind() == io::ErrorKind::TimedOut => ConnectFailure::Timeout,
        _ => ConnectFailure::Refused,
    }
}

/// Resolves a name to the addresses that a name of its kind may have.
#[derive(Clone)]
struct Resolver(Naming);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = ConnectFailure;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectFailure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let naming = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            permitted(naming, found.map_err(|_| ConnectFailure::Dns)?)
        })
    }
}

fn permitted(
    naming: Naming,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<std::vec::IntoIter<SocketAddr>, ConnectFailure> {
    let permitted: Vec<_> = found.filter(|address| naming.permits(address.ip())).collect();
    if permitted.is_empty() {
        return Err(ConnectFailure::Prohibited);
    }
    Ok(permitted.into_iter())
}

#[cfg(test)]
mod tests;
