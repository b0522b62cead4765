//! The component's requests to Kroger: the one way out.
//!
//! Only the scheme and authority of `KROGER_API_BASE_URL` can be reached, and
//! only at addresses that such a host may have. No redirect is followed and no
//! proxy asked. Nothing is sent twice.
//!
//! The component decides by the error whether a request may have been processed,
//! so the errors here say on which side of sending they arose: what fails while
//! connecting is a DNS, connection or TLS error; what fails later never is.

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
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::address::Naming;
use crate::time_limit::within;

/// How long the parts of an exchange may take, whatever the guest allows.
#[derive(Clone, Copy)]
struct Limits {
    /// Name resolution, TCP and TLS together.
    connect: Duration,
    /// From sending to the answer's head.
    answer: Duration,
    /// From the answer's head to its end.
    body: Duration,
}

const LIMITS: Limits =
    Limits { connect: Duration::from_secs(5), answer: Duration::from_secs(30), body: Duration::from_secs(15) };

const MAX_REQUEST: usize = 1 << 20;
const MAX_RESPONSE: usize = 4 << 20;

/// Shorter than the 5 s after which the most impatient common server closes an
/// idle connection: a request that meets the closing has an unknown outcome.
const IDLE_LIMIT: Duration = Duration::from_secs(4);

type HttpClient = Client<Connector, Full<Bytes>>;

/// Sends what the component wants sent, if it may be. A cheap handle.
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

    /// Sends a request of the host's own, to find out whether Kroger can be
    /// reached.
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

    /// Compared as `http` compares them: without regard to case, and a port
    /// that is left out is not the same as one that is spelled out.
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
/// What is left to do once the answer is there: nothing, it is whole.
type Rest = Box<dyn Future<Output = Result<(), Error>> + Send>;

fn client(connector: Connector, idle: usize) -> HttpClient {
    // A request is repeated only where hyper hands it back unread because an
    // idle connection was found closed before the first byte was written.
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

/// Where no answer's head came.
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

/// Why there is no connection, so that nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConnectFailure {
    Dns,
    /// The name resolves to addresses that it may not have.
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

/// Connects within a limit, with TLS where the scheme says so.
#[derive(Clone)]
struct Connector {
    https: HttpsConnector<Tcp>,
    limit: Duration,
}

impl Connector {
    /// Trusts the roots that Mozilla trusts, compiled in: a container without
    /// certificates works, and an authority that someone added to the machine
    /// cannot read tokens.
    fn to(naming: Naming, limit: Duration) -> Option<Self> {
        let mut http = HttpConnector::new_with_resolver(Resolver(naming));
        http.enforce_http(false);
        http.set_nodelay(true);
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .ok()?;
        let https = tls.https_or_http().enable_http1().wrap_connector(Tcp(http));
        Some(Self { https, limit })
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

/// Resolves names to such addresses only as they may have.
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
