//! HTTP/1.1 for the component's routes.
//!
//! The server reads a whole request before it takes an instance, and has the whole answer before it
//! gives the instance back: a slow client holds a connection, never an instance. The component decides
//! what a route means. The server decides sizes and times only, and answers `/livez`.

mod connections;
mod livez;
mod routes;
mod write_limit;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::run::budget::{Claim, Portion};
use crate::run::pool::{LONGEST_CALL, Pool};
use crate::run::problem::Problem;
use crate::wall_clock;
use connections::{Connection, Connections};
pub use routes::Routes;
use write_limit::WriteLimit;

/// The largest body of a request, and the longest message over stdin: 256 KiB. Most routes read less.
pub const MAX_BODY: usize = 256 << 10;
/// The part of each body that is read without a claim. The number of connections bounds these, and any
/// cart add fits: whoever sends large bodies keeps nobody from the cart.
const SMALL_BODY: usize = 16 << 10;
/// How long a large body waits for memory.
const BODY_WAIT: Duration = Duration::from_secs(5);
/// The most bytes read of a body that is too large, so that the client reads the refusal.
const MAX_READ: usize = 8 << 20;
const BODY_LIMIT: Duration = Duration::from_secs(10);
const HEAD_LIMIT: Duration = Duration::from_secs(30);

/// How long a client may read nothing of its answer.
const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// The read buffer of a connection, and so about the longest request line with headers. hyper answers
/// longer ones, and more than 100 headers, with 431 and no body.
const MAX_HEAD: usize = 16 << 10;

/// Serves `listener` until `stop` resolves. Returns the connections that are still open then.
pub(crate) async fn serve(
    listener: TcpListener,
    pool: &Pool,
    routes: Routes,
    stop: impl Future<Output = ()>,
) -> GracefulShutdown {
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
            let accepted = Accepted { stream, peer, connection };
            spawn_connection(accepted, pool.clone(), routes, &graceful);
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

/// A connection that was taken in.
struct Accepted {
    stream: TcpStream,
    peer: IpAddr,
    connection: Connection,
}

fn spawn_connection(accepted: Accepted, pool: Pool, routes: Routes, graceful: &GracefulShutdown) {
    let Accepted { stream, peer, connection } = accepted;
    // Without TCP_NODELAY an answer waits for the client's delayed acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let connection = Arc::new(connection);
    let of_calls = Arc::clone(&connection);
    let service = service_fn(move |request| {
        let (pool, connection) = (pool.clone(), Arc::clone(&of_calls));
        async move { Ok::<_, Infallible>(answer(&pool, routes, (peer, &connection), request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(WriteLimit::new(stream, WRITE_LIMIT)), service);
    let served = graceful.watch(served);
    tokio::spawn(async move {
        let mut served = pin!(served);
        // hyper writes the date of each answer, and panics at one that HTTP cannot write.
        let served = poll_fn(|cx| match wall_clock::since_1970() {
            Some(_) => served.as_mut().poll(cx).map(Some),
            None => Poll::Ready(None),
        });
        tokio::select! {
            served = served => match served {
                Some(Ok(())) => {}
                Some(Err(error)) => tracing::debug!(%error, "a connection ended"),
                None => tracing::warn!("a connection was closed: the system's clock is before 1970 or after 9999"),
            },
            () = connection.must_close() => tracing::debug!("a connection without a call was closed for another"),
        }
    });
}

/// The first two parts of `path`. What follows may be the id of a sign-in link, which
/// opens the link to anybody who reads the log.
fn loggable(path: &str) -> String {
    match path.match_indices('/').nth(2) {
        Some((end, _)) => format!("{}/…", &path[..end]),
        None => path.to_owned(),
    }
}

async fn answer(
    pool: &Pool,
    routes: Routes,
    (peer, connection): (IpAddr, &Connection),
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let began = Instant::now();
    let (method, path) = (request.method().clone(), loggable(request.uri().path()));
    let response = if livez::is_plain(&request) {
        livez::alive(&method)
    } else if !routes.have(request.uri().path()) {
        Problem::NotServed.response()
    } else {
        match whole(request, pool.bodies()).await {
            Ok((request, claim)) => {
                connection.calls();
                let response = call(pool, Some(peer), request, claim).await;
                connection.answered();
                response
            }
            Err(problem) => problem.response(),
        }
    };
    let response = held(&method, response, pool.bodies(), BODY_WAIT).await;
    // Never log the query, which may carry a code.
    tracing::trace!(%method, path, status = response.status().as_u16(), took = ?began.elapsed(), "answered");
    response
}

/// Has the component answer a whole request, which came from `peer`. None: it came over no network.
///
/// `claim` is for its body, and is given back at the end of the call: the call goes on if its caller goes
/// away.
pub(crate) async fn call(
    pool: &Pool,
    peer: Option<IpAddr>,
    request: Request<Full<Bytes>>,
    claim: Option<Claim>,
) -> Response<Full<Bytes>> {
    let caller = pool.caller(peer, &request);
    let answered = pool.call(caller, move |instance| {
        Box::pin(async move {
            let response = instance.handle(request).await;
            drop(claim);
            response
        })
    });
    match answered.await {
        Ok(response) => response,
        Err(error) => Problem::from(&error).response(),
    }
}

async fn whole(request: Request<Incoming>, bodies: &Portion) -> Result<(Request<Full<Bytes>>, Option<Claim>), Problem> {
    let (parts, body) = named(request)?.into_parts();
    let (body, claim) = timeout(BODY_LIMIT, read(body, bodies, BODY_WAIT)).await.map_err(|_| Problem::SlowBody)??;
    Ok((Request::from_parts(parts, Full::new(body)), claim))
}

/// Reads one byte past the limit, enough for the component to refuse the body: the component knows
/// which page may read its refusal. The rest is read and dropped for a while, because a client that
/// still sends would see a broken connection.
///
/// A body that is not small claims its memory before more of it is read.
async fn read<B>(body: B, bodies: &Portion, wait: Duration) -> Result<(Bytes, Option<Claim>), Problem>
where
    B: Body<Data = Bytes>,
{
    let mut body = pin!(body);
    let mut kept = BytesMut::new();
    let mut claim = None;
    let mut length = 0;
    while length <= MAX_READ
        && let Some(frame) = body.frame().await
    {
        let Ok(data) = frame.map_err(|_| Problem::BrokenBody)?.into_data() else { continue };
        length += data.len();
        let room = MAX_BODY + 1 - kept.len();
        let data = &data[..data.len().min(room)];
        if claim.is_none() && kept.len() + data.len() > SMALL_BODY {
            claim = claimed(MAX_BODY, wait, bodies).await;
            if claim.is_none() {
                return Err(Problem::Busy);
            }
            kept.reserve(MAX_BODY + 1 - kept.len());
        }
        kept.extend_from_slice(data);
    }
    Ok((kept.freeze(), claim))
}

/// Claims `bytes` of `bodies`; `None` if they are not free in time.
async fn claimed(bytes: usize, wait: Duration, bodies: &Portion) -> Option<Claim> {
    timeout(wait, bodies.claim(bytes)).await.ok().flatten()
}

/// Claims the memory of a large answer until its client has read it. A large answer to a `GET` that finds
/// no memory is refused, because its call changed nothing. Other answers are sent in any case.
async fn held(
    method: &Method,
    response: Response<Full<Bytes>>,
    bodies: &Portion,
    wait: Duration,
) -> Response<Full<Bytes>> {
    let size = response.body().size_hint().exact().map_or(0, |size| usize::try_from(size).unwrap_or(usize::MAX));
    if size <= SMALL_BODY {
        return response;
    }
    match claimed(size, wait, bodies).await {
        Some(claim) => {
            let (parts, body) = response.into_parts();
            let Ok(body) = body.collect().await;
            let owner = Claimed { bytes: body.to_bytes(), _claim: claim };
            Response::from_parts(parts, Full::new(Bytes::from_owner(owner)))
        }
        None if *method == Method::GET => Problem::Busy.response(),
        None => response,
    }
}

/// Bytes that give their claim back when the last part of them is written.
struct Claimed {
    bytes: Bytes,
    _claim: Claim,
}

impl AsRef<[u8]> for Claimed {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
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
    use hyper::body::Frame;

    use super::*;

    fn with_hosts(uri: &str, hosts: &[&str]) -> Request<()> {
        let mut request = Request::builder().uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        request.body(()).unwrap()
    }

    /// A body of this many pieces.
    struct Pieces(usize);

    const NO_WAIT: Duration = Duration::ZERO;
    const PIECE: usize = 4096;

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let Some(left) = self.0.checked_sub(1) else { return Poll::Ready(None) };
            self.0 = left;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b' '; PIECE])))))
        }
    }

    fn body(length: usize) -> Pieces {
        Pieces(length / PIECE)
    }

    #[tokio::test]
    async fn a_large_body_claims_memory_and_a_small_one_needs_none() {
        let bodies = Portion::of(2 * MAX_BODY);
        let (_, first) = read(body(MAX_BODY), &bodies, NO_WAIT).await.unwrap();
        let (_, second) = read(body(SMALL_BODY + 4096), &bodies, NO_WAIT).await.unwrap();
        assert_eq!((first.is_some(), second.is_some(), bodies.free()), (true, true, 0));

        let (cart_add, none) = read(body(SMALL_BODY), &bodies, NO_WAIT).await.unwrap();
        assert_eq!((cart_add.len(), none.is_none()), (SMALL_BODY, true));

        assert_eq!(read(body(MAX_BODY), &bodies, NO_WAIT).await.unwrap_err(), Problem::Busy);
        drop((first, second));
        let (cut, _) = read(body(4 * MAX_BODY), &bodies, NO_WAIT).await.unwrap();
        assert_eq!(cut.len(), MAX_BODY + 1);
    }

    #[tokio::test]
    async fn a_large_answer_holds_its_memory_until_it_is_read() {
        let bodies = Portion::of(2 * MAX_BODY);
        let answer = || Response::new(Full::new(Bytes::from(vec![0; 2 * MAX_BODY])));
        let first = held(&Method::GET, answer(), &bodies, NO_WAIT).await;
        assert_eq!(bodies.free(), 0);

        assert_eq!(held(&Method::GET, answer(), &bodies, NO_WAIT).await.status(), 503);
        assert_eq!(held(&Method::PUT, answer(), &bodies, NO_WAIT).await.status(), 200);
        drop(first);
        assert_eq!(bodies.free(), 2 * MAX_BODY);
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
    fn a_path_is_logged_without_the_id_of_a_link() {
        for (path, logged) in [
            ("/auth/start/secret-id", "/auth/start/…"),
            ("/auth/start/secret-id/more", "/auth/start/…"),
            ("/admin/tokens/a/b", "/admin/tokens/…"),
            ("/cart/add", "/cart/add"),
            ("/", "/"),
            ("*", "*"),
        ] {
            assert_eq!(loggable(path), logged);
        }
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
