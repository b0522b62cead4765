//! The limits, types and small functions that the HTTP, MCP and WASI faces share.
//! Knows none of the faces, and decides nothing.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use kroger_core::ports::Ports;
use kroger_core::settings::SettingError;
use kroger_core::user::UserId;

/// The largest request body that the server reads, in bytes.
pub(crate) const LARGEST_REQUEST: usize = 1024 * 1024;

/// The ports of one call, shared so that a handler can keep them while it runs.
pub(crate) type SharedPorts = Arc<dyn Ports + Send + Sync>;

/// The caller of a request and the ports of the call. Travels as an extension of the request.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) ports: SharedPorts,
    pub(crate) user: UserId,
}

/// Names each wrong setting and what is allowed. Never shows the value: a URL may carry a password.
pub(crate) fn misconfiguration(errors: &[SettingError]) -> String {
    let each: Vec<String> = errors.iter().map(|error| format!("{}: {}", error.name, error.allowed)).collect();
    format!("The settings cannot be used. {}", each.join("; "))
}

/// Runs `call` to its end on this thread.
///
/// The rules block where they wait, so nothing ever has to wake the call: one poll is enough.
pub(crate) fn block_on<F: Future>(call: F) -> F::Output {
    let mut call = pin!(call);
    loop {
        if let Poll::Ready(output) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
}
