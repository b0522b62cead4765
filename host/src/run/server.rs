//! HTTP/1.1 for the component's routes.
//!
//! The server reads a whole request before it takes an instance, and has the whole answer before it
//! gives the instance back: a slow client holds a connection, never an instance. The component decides
//! what a route means. The server decides sizes and times only, and answers `/livez`.

mod connections;
mod livez;
mod write_limit;

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::run::pool::{LONGEST_CALL, Pool};
use crate::run::problem::Problem;
use connections::{Connection, Connections};
use write_limit::WriteLimit;

/// The largest body of a request, and the longest message over stdin: 1 MiB.
pub const MAX_BODY: usize = 1 << 20;
/// The most bytes read of a body that is too large, so that the client reads the refusal.
const MAX_READ: usize = 8 << 20;
const BODY_LIMIT: Duration = Duration::from_secs(10);
const HEAD_LIMIT: Duration = Duration::from_secs(30);

/// How long a client may read nothing of its answer.
const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// The read buffer of a connection, and so about the longest request line with headers. hyper answers
/// longer ones, and more than 100 headers, with 431 and no body.
const MAX_HEAD: usize = 64 << 10;

/// Serves `listener` until `stop` resolves. Returns the connections that are still open then.
pub(crate) async fn serve(listener: TcpListener, pool: &Pool, stop: impl Future<Output = ()>) -> GracefulShutdown {
    let graceful = GracefulShutdown::new();
    let connections = Connections::new(connections::most());
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        if let Some((stream, peer)) = accepted
            && let Some(connection) = connections.admit(peer)
        {
            spawn_connection(stream, peer, connection, pool.clone(), &graceful);
        }
    }
    graceful
}

/// Waits until `connections` are closed and all calls and refreshes have ended, also those whose
/// callers have gone away. Waits as long as a call can last. True if all ended and none was given up.
pub(crate) async fn drain(pool: &Pool, connections: Option<GracefulShutdown>) -> bool {
    let given_up = pool.given_up();
    let ended = async {
        if let Some(connections) = connections {
            connections.shutdown().await;
        }
        pool.drained().await;
    };
    let have_ended = timeout(LONGEST_CALL, ended).await.is_ok();
    if !have_ended {
        tracing::warn!("calls are still under way; ending anyway");
    }
    have_ended && pool.given_up() == given_up
}

async fn accept(listener: &TcpListener, connections: &Connections) -> Option<(TcpStream, IpAddr)> {
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer.ip())),
        Err(error) => {
            // Most likely there are no file descriptors left.
            tracing::warn!(%error, "a connection cannot be accepted");
            connections.make_room();
            sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

fn spawn_connection(stream: TcpStream, peer: IpAddr, connection: Connection, pool: Pool, graceful: &GracefulShutdown) {
    // Without TCP_NODELAY an answer waits for the client's delayed acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let connection = Arc::new(connection);
    let of_calls = Arc::clone(&connection);
    let service = service_fn(move |request| {
        let (pool, connection) = (pool.clone(), Arc::clone(&of_calls));
        async move { Ok::<_, Infallible>(answer(&pool, peer, &connection, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(WriteLimit::new(stream, WRITE_LIMIT)), service);
    let served = graceful.watch(served);
    tokio::spawn(async move {
        tokio::select! {
            served = served => if let Err(error) = served {
                tracing::debug!(%error, "a connection ended");
            },
            () = connection.must_close() => tracing::debug!("a connection without a call was closed for another"),
        }
    });
}

async fn answer(
    pool: &Pool,
    peer: IpAddr,
    connection: &Connection,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let began = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = if livez::is_plain(&request) {
        livez::alive(&method)
    } else {
        match whole(request).await {
            Ok(request) => {
                connection.calls();
                let response = call(pool, Some(peer), request).await;
                connection.answered();
                response
            }
            Err(problem) => problem.response(),
        }
    };
    // Never log the query, which may carry a code.
    tracing::trace!(%method, path, status = response.status().as_u16(), took = ?began.elapsed(), "answered");
    response
}

/// Has the component answer a whole request, which came from `peer`. None: it came over no network.
pub(crate) async fn call(pool: &Pool, peer: Option<IpAddr>, request: Request<Full<Bytes>>) -> Response<Full<Bytes>> {
    let caller = pool.caller(peer, &request);
    match pool.call(caller, move |instance| Box::pin(instance.handle(request))).await {
        Ok(response) => response,
        Err(error) => Problem::from(&error).response(),
    }
}

async fn whole(request: Request<Incoming>) -> Result<Request<Full<Bytes>>, Problem> {
    let (parts, body) = named(request)?.into_parts();
    let body = timeout(BODY_LIMIT, read(body)).await.map_err(|_| Problem::SlowBody)??;
    Ok(Request::from_parts(parts, Full::new(body)))
}

/// Reads one byte past the limit, enough for the component to refuse the body: the component knows
/// which page may read its refusal. The rest is read and dropped for a while, because a client that
/// still sends would see a broken connection.
async fn read(mut body: Incoming) -> Result<Bytes, Problem> {
    let mut kept = BytesMut::new();
    let mut length = 0;
    while length <= MAX_READ
        && let Some(frame) = body.frame().await
    {
        let Ok(data) = frame.map_err(|_| Problem::BrokenBody)?.into_data() else { continue };
        length += data.len();
        let room = MAX_BODY + 1 - kept.len();
        kept.extend_from_slice(&data[..data.len().min(room)]);
    }
    Ok(kept.freeze())
}

/// Gives a probe without a valid `Host` the host `localhost`: the component needs one. Other requests
/// must have exactly one.
fn named<B>(mut request: Request<B>) -> Result<Request<B>, Problem> {
    match check_host(&request) {
        Err(_) if request.uri().path() == livez::PATH => {
            *request.uri_mut() = Uri::from_static(livez::PATH);
            request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
            Ok(request)
        }
        checked => checked.map(|()| request),
    }
}

/// Checks that the request names one host. The component sees one authority, from the request target
/// or from `Host`. An attacker sends two that differ, so that a check sees one and a use sees the other
/// (RFC 9112 § 3.2).
fn check_host<B>(request: &Request<B>) -> Result<(), Problem> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    let is_authority = host.is_some_and(|host| host.parse::<Authority>().is_ok() && !host.contains('@'));
    let agrees = request
        .uri()
        .authority()
        .is_none_or(|target| host.is_some_and(|host| host.eq_ignore_ascii_case(target.as_str())));
    if is_authority && agrees && hosts.next().is_none() { Ok(()) } else { Err(Problem::Host) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_hosts(uri: &str, hosts: &[&str]) -> Request<()> {
        let mut request = Request::builder().uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn a_request_with_one_host_is_let_in() {
        for request in [
            with_hosts("/livez", &["localhost:9004"]),
            with_hosts("/livez", &["[::1]:9004"]),
            with_hosts("http://localhost/livez", &["localhost"]),
            with_hosts("http://LOCALHOST:9004/livez", &["localhost:9004"]),
        ] {
            assert_eq!(check_host(&request), Ok(()), "{request:?}");
        }
    }

    #[test]
    fn a_probe_needs_no_host_and_every_other_call_one() {
        for hosts in [&[][..], &["a b"], &["a", "b"]] {
            let probe = named(with_hosts("http://evil.example/livez", hosts)).unwrap();

            assert_eq!(probe.headers().get_all(HOST).iter().collect::<Vec<_>>(), ["localhost"]);
            assert_eq!(probe.uri(), "/livez");
            assert_eq!(named(with_hosts("/config", hosts)).unwrap_err(), Problem::Host);
        }
        let asked = named(with_hosts("/livez", &["kroger:9004"])).unwrap();
        assert_eq!(asked.headers()[HOST], "kroger:9004");
    }

    #[test]
    fn a_request_without_one_clear_host_is_turned_away() {
        for request in [
            with_hosts("/livez", &[]),
            with_hosts("/livez", &["a", "a"]),
            with_hosts("/livez", &["a b"]),
            with_hosts("/livez", &["user@localhost"]),
            with_hosts("http://evil.example/livez", &["localhost"]),
        ] {
            assert_eq!(check_host(&request), Err(Problem::Host), "{request:?}");
        }
    }
}
