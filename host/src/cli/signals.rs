//! Ctrl-C, SIGTERM, and SIGHUP, which a closed terminal sends. The first signal asks the process to
//! stop. A second Ctrl-C or SIGTERM ends it at once.

use std::fs;
use std::future::{Future, pending};
use std::io;

use tokio::signal::unix::{self, Signal, SignalKind};
use tokio::sync::oneshot;

/// The exit code of a program that a second Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Resolves at the first signal. The second signal ends the process at once; everything that was
/// acknowledged is stored by then. Listens from the call on, not from the first poll.
pub(super) fn stop() -> impl Future<Output = ()> {
    let (stop, stopped) = oneshot::channel();
    let listening = Signals::listen();
    tokio::spawn(async move {
        let Ok(mut signals) = listening else {
            tracing::warn!("signals cannot be listened for");
            let _held = stop;
            return pending().await;
        };
        signals.any().await;
        tracing::info!("stopping; calls under way may end, Ctrl-C ends at once");
        let _ = stop.send(());
        // The kernel and the shell each send SIGHUP for a closed terminal, so a second SIGHUP does not
        // count.
        signals.asked().await;
        std::process::exit(INTERRUPTED);
    });
    async move { drop(stopped.await) }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` if the parent process ignores it, as `nohup` does.
    hangup: Option<Signal>,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let hangup = if ignores_hangup(&status) { None } else { Some(unix::signal(SignalKind::hangup())?) };
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
            hangup,
        })
    }

    /// Resolves at Ctrl-C or SIGTERM.
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    async fn any(&mut self) {
        let hangup = self.hangup.take();
        tokio::select! {
            () = self.asked() => {}
            () = hung_up(hangup) => {}
        }
    }
}

async fn hung_up(hangup: Option<Signal>) {
    match hangup {
        Some(mut hangup) => drop(hangup.recv().await),
        None => pending().await,
    }
}

/// Whether SIGHUP is ignored, by the status that Linux gives of a process: the lowest bit of `SigIgn`
/// is signal 1. Other systems give no status.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u128::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hangup_is_ignored_where_the_status_of_the_process_says_so() {
        let status = |mask: &str| format!("SigBlk:\t0000000000000001\nSigIgn:\t{mask}\nSigCgt:\t0000000000000001\n");

        for (mask, is_ignored) in [("0000000000000001", true), ("0000000000001001", true), ("0000000000001000", false)]
        {
            assert_eq!(ignores_hangup(&status(mask)), is_ignored, "{mask}");
        }
        assert!(!ignores_hangup(""));
    }
}
