//! Serves a sandbox over sockets.
//!
//! Uses hyper directly: a router alone cannot close a connection without an answer.

use std::{io, pin::pin, time::Duration};

use axum::Router;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::service::TowerToHyperService;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{layers::hang_up::or_hang_up, routes::router, sandbox::Sandbox};

/// How long open calls may still take after the signal to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Serves `sandbox` on `listener` over HTTP/1.1 until `stop` resolves.
///
/// Open calls then have two seconds to end. After that their connections are closed.
///
/// # Errors
///
/// There are none today. A listener that can never accept again would be one.
pub async fn serve(
    listener: TcpListener,
    sandbox: Sandbox,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = router(&sandbox);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(connection(stream, router.clone(), &graceful)); }
                // The process is usually out of file descriptors. Closed connections free some.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    // After the grace, dropping `connections` closes the rest.
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    Ok(())
}

fn connection(
    stream: TcpStream,
    router: Router,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<> {
    // Otherwise each small answer waits for the peer's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let answer = service_fn(move |request: Request<Incoming>| {
        let answer = hyper::service::Service::call(&router, request);
        async move { or_hang_up(answer.await) }
    });
    let serving = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer);
    let watched = graceful.watch(serving);
    // Errors are ignored: peers and faults break connections all the time.
    async move { drop(watched.await) }
}
