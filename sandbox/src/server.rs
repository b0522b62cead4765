//! Carries a sandbox over sockets. On hyper directly, because closing a connection without an
//! answer is beyond what a router can say.

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

/// How long calls under way may take to end once the sandbox is told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Serves `sandbox` on `listener`, HTTP/1.1, until `stop` resolves. Calls under way then have
/// two seconds to end; connections that outlast them are closed.
///
/// # Errors
///
/// None today; a listener that can never accept again would be one.
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
                // Usually out of file descriptors: closing connections will free some.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    // Past the grace, dropping the set closes what is left.
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    Ok(())
}

fn connection(
    stream: TcpStream,
    router: Router,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<> {
    // Without it each small answer waits for the peer's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let answer = service_fn(move |request: Request<Incoming>| {
        let answer = hyper::service::Service::call(&router, request);
        async move { or_hang_up(answer.await) }
    });
    let serving = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer);
    let watched = graceful.watch(serving);
    // A connection that breaks, by its peer or on request, is no news.
    async move { drop(watched.await) }
}
