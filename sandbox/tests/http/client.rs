//! A client that shows what came over the wire, however broken: one connection per call.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// What came back before the connection was closed; empty if nothing did.
pub(crate) struct Reply {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    /// `None` where the connection was closed without an answer.
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

/// `head` is the request line and the headers that matter; the rest is added.
pub(crate) fn call(address: SocketAddr, head: &str, body: &str) -> Reply {
    let mut stream = send(address, head, body);
    let mut received = Vec::new();
    // A reset is as good an end as any; what came before it counts.
    let _ = stream.read_to_end(&mut received);
    let received = String::from_utf8(received).expect("the answer is text");
    let (head, body) = received.split_once("\r\n\r\n").unwrap_or_default();
    Reply { head: head.into(), body: body.into() }
}

/// Sends without waiting for the answer.
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
