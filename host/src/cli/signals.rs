//! Ctrl-C and SIGTERM. The first asks to stop, the second stops.

use std::future::Future;

use tokio::signal::unix::{self, SignalKind};
use tokio::sync::oneshot;

/// The exit code of a program that a second Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Resolves at the first signal. At the second the process ends at once; what
/// was acknowledged is stored by then.
pub(super) fn stop() -> impl Future<Output = ()> {
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(async move {
        signal().await;
        tracing::info!("stopping; calls under way may end, Ctrl-C ends at once");
        let _ = stop.send(());
        signal().await;
        std::process::exit(INTERRUPTED);
    });
    async move { drop(stopped.await) }
}

async fn signal() {
    let listeners = (unix::signal(SignalKind::interrupt()), unix::signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = listeners else {
        tracing::warn!("signals cannot be listened for");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
