//! A client that shows what came over the wire, even if it is broken. It opens a connection for
//! each call.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// The answer until the connection closed. It is empty if there was none.
pub(crate) struct WireReply {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl WireReply {
    /// Returns `None` if the connection closed without an answer.
    pub(crate) fn status(&self) -> Option<u16> {
        self.head.split(' ').nth(1)?.parse().ok()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }
}

/// Sends a request and reads until the connection closes.
///
/// `head` is the request line and the headers of interest. The client adds the others.
pub(crate) fn call(address: SocketAddr, head: &str, body: &str) -> WireReply {
    let mut stream = send(address, head, body);
    let mut received = Vec::new();
    // A reset is a normal end here: only the bytes before it count.
    let _ = stream.read_to_end(&mut received);
    let received = String::from_utf8(received).expect("the answer is text");
    let (head, body) = received.split_once("\r\n\r\n").unwrap_or_default();
    WireReply { head: head.into(), body: body.into() }
}

/// Sends a request and does not wait for the answer.
pub(crate) fn send(address: SocketAddr, head: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the sandbox listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    let (line, headers) = head.split_once('\n').unwrap_or((head, ""));
    let headers = headers.lines().fold(String::new(), |all, line| all + line.trim() + "\r\n");
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("the request is sent");
    stream
}
