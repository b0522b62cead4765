//! The limits, types and small functions that the HTTP, MCP and WASI faces share.
//! Knows none of the faces, and decides nothing.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use kroger_core::ports::Ports;
use kroger_core::settings::{SettingError, Settings};
use kroger_core::user::UserId;

/// The largest request body that any route reads, in bytes.
pub(crate) const LARGEST_REQUEST: usize = 256 * 1024;

/// The largest message of MCP, as a tree. A call with a hundred items takes about 100 KiB.
pub(crate) const LARGEST_MESSAGE: usize = 2 << 20;

/// The route of the page on which a person accepts an invitation to sign in.
pub(crate) const INVITATION_ROUTE: &str = "/auth/start/{invitation}";

/// The route by which a person confirms, after Kroger's page, for which user they sign in.
pub(crate) const FINISH_ROUTE: &str = "/auth/finish";

/// The ports of one call, shared so that a handler can keep them while it runs.
pub(crate) type SharedPorts = Arc<dyn Ports + Send + Sync>;

/// The caller of a request and the ports of the call. Travels as an extension of the request.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) ports: SharedPorts,
    pub(crate) user: UserId,
}

/// The URL of the page of the invitation `id`. It lies beside the redirect URI, below the same prefix.
pub(crate) fn invitation_url(settings: &Settings, id: &str) -> String {
    let mut url = settings.redirect_uri.clone();
    url.set_query(None);
    let before = url.path().strip_suffix("/auth/callback").unwrap_or_default();
    let path = format!("{before}{}", INVITATION_ROUTE.replace("{invitation}", id));
    url.set_path(&path);
    url.into()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_stands_where_kroger_sends_people_back_to() {
        let page = |redirect_uri: &str| {
            let variable = ("KROGER_REDIRECT_URI".to_owned(), redirect_uri.to_owned());
            invitation_url(&Settings::from_variables([variable]).unwrap(), "1.x")
        };

        assert_eq!(page("http://localhost:9004/auth/callback"), "http://localhost:9004/auth/start/1.x");
        assert_eq!(page("https://home.example/kroger/auth/callback"), "https://home.example/kroger/auth/start/1.x");
        assert_eq!(page("https://home.example/elsewhere?a=b"), "https://home.example/auth/start/1.x");
    }
}
