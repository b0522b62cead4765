use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A server that answers each request by `script`, and counts.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

/// What the server does about the request with that number, from 1.
type Script = fn(usize) -> Action;

/// Whether that is the error it should be.
type Judge = fn(&Error) -> bool;

#[derive(Clone, Copy)]
enum Action {
    Answer(&'static str),
    AnswerAndClose(&'static str),
    Close,
    Flood,
    Silence,
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

impl Server {
    async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server =
            Self { port: listener.local_addr().unwrap().port(), connections: Arc::default(), requests: Arc::default() };
        let (connections, requests) = (Arc::clone(&server.connections), Arc::clone(&server.requests));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(converse(stream, script, Arc::clone(&requests)));
            }
        });
        server
    }

    fn egress(&self) -> Egress {
        egress(&format!("http://localhost:{}", self.port))
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn converse(mut stream: TcpStream, script: Script, requests: Arc<AtomicUsize>) {
    while read_head(&mut stream).await {
        match script(requests.fetch_add(1, Ordering::SeqCst) + 1) {
            Action::Answer(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
            Action::AnswerAndClose(answer) => return stream.write_all(answer.as_bytes()).await.unwrap(),
            Action::Close => return,
            Action::Flood => return flood(&mut stream).await,
            Action::Silence => std::future::pending().await,
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return false,
        }
    }
    true
}

async fn flood(stream: &mut TcpStream) {
    let head = "HTTP/1.1 200 OK\r\n\r\n";
    let mut sent = stream.write_all(head.as_bytes()).await;
    while sent.is_ok() {
        sent = stream.write_all(&[b'x'; 16_384]).await;
    }
}

fn egress(base_url: &str) -> Egress {
    let limits = Limits {
        connect: Duration::from_millis(500),
        answer: Duration::from_millis(500),
        body: Duration::from_secs(5),
    };
    Egress::within(limits, &base_url.parse().unwrap(), 8).unwrap()
}

async fn send(egress: &Egress, method: Method) -> Result<Response<Full<Bytes>>, Error> {
    let Inner { scheme, authority, .. } = &*egress.0;
    send_to(egress, method, &format!("{scheme}://{authority}/v1/x")).await
}

async fn send_to(egress: &Egress, method: Method, uri: &str) -> Result<Response<Full<Bytes>>, Error> {
    let body = Full::new(Bytes::new()).map_err(Error::from).boxed_unsync();
    egress.send(Request::builder().method(method).uri(uri).body(body).unwrap(), None).await
}

#[tokio::test]
async fn only_the_scheme_and_authority_of_the_base_url_can_be_reached() {
    let server = Server::start(|_| Action::Answer(OK)).await;
    let port = server.port;
    let egress = server.egress();

    for uri in [
        format!("https://localhost:{port}/"),
        format!("http://127.0.0.1:{port}/"),
        "http://localhost/".to_owned(),
        format!("http://user@localhost:{port}/"),
    ] {
        let refused = send_to(&egress, Method::GET, &uri).await.unwrap_err();
        assert!(matches!(refused, Error::HttpRequestDenied), "{uri}: {refused:?}");
    }

    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_refused_connection_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);

    let error = send(&egress(&format!("http://{address}")), Method::PUT).await.unwrap_err();

    assert!(matches!(error, Error::ConnectionRefused), "{error:?}");
}

#[tokio::test]
async fn a_name_that_resolves_to_where_it_may_not_be_was_not_sent() {
    let found = ["127.0.0.1:0".parse().unwrap(), "10.0.0.1:0".parse().unwrap()];

    let failure = permitted(Naming::of("api.kroger.com"), found.into_iter()).unwrap_err();

    assert!(matches!(Error::from(failure), Error::DestinationIpProhibited));
}

#[tokio::test]
async fn a_handshake_with_no_tls_server_was_not_sent() {
    let server = Server::start(|_| Action::Answer(OK)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(OK.as_bytes()).await.unwrap();
        read_head(&mut stream).await;
    });

    let error = send(&egress(&format!("https://localhost:{port}")), Method::POST).await.unwrap_err();

    assert!(matches!(error, Error::TlsProtocolError), "{error:?}");
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn a_handshake_without_an_end_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();

    let error = send(&egress(&format!("https://localhost:{port}")), Method::POST).await.unwrap_err();

    assert!(matches!(error, Error::ConnectionTimeout), "{error:?}");
}

#[tokio::test]
async fn a_request_whose_answer_is_lost_is_not_sent_again() {
    for method in [Method::PUT, Method::POST] {
        let server = Server::start(|number| if number == 1 { Action::Answer(OK) } else { Action::Close }).await;
        let egress = server.egress();
        send(&egress, method.clone()).await.unwrap();

        let error = send(&egress, method).await.unwrap_err();

        assert!(matches!(error, Error::HttpResponseIncomplete | Error::ConnectionTerminated), "{error:?}");
        assert_eq!(server.requests(), 2);
    }
}

#[tokio::test]
async fn a_broken_or_missing_answer_is_never_taken_for_an_unsent_request() {
    let broken: [(Script, Judge); 4] = [
        (
            |_| Action::AnswerAndClose("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"),
            |error| matches!(error, Error::HttpResponseIncomplete),
        ),
        (|_| Action::AnswerAndClose("no HTTP at all\r\n\r\n"), |error| matches!(error, Error::HttpProtocolError)),
        (|_| Action::Silence, |error| matches!(error, Error::HttpResponseTimeout)),
        (|_| Action::Flood, |error| matches!(error, Error::HttpResponseBodySize(Some(_)))),
    ];
    for (index, (script, is_expected)) in broken.into_iter().enumerate() {
        let server = Server::start(script).await;

        let error = send(&server.egress(), Method::GET).await.unwrap_err();

        assert!(is_expected(&error), "{index}: {error:?}");
    }
}

#[tokio::test]
async fn a_token_request_has_a_connection_of_its_own_and_others_share() {
    let server = Server::start(|_| Action::Answer(OK)).await;
    let egress = server.egress();

    for _ in 0..3 {
        send(&egress, Method::POST).await.unwrap();
    }
    assert_eq!(server.connections(), 3);

    for _ in 0..3 {
        send(&egress, Method::PUT).await.unwrap();
    }
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let server =
        Server::start(|_| Action::Answer("HTTP/1.1 302 Found\r\nlocation: /y\r\ncontent-length: 0\r\n\r\n")).await;

    let response = send(&server.egress(), Method::GET).await.unwrap();

    assert_eq!(response.status(), 302);
    assert_eq!(server.requests(), 1);
}
