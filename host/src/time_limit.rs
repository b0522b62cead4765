//! Time limits that do not expire because the process was suspended.
//!
//! A SIGSTOP, a debugger or a frozen container suspends a process. When it resumes, every timer has
//! expired at once, though the answer may have arrived meanwhile. The answer to a refresh is the only
//! copy of a sign-in, so it gets a moment more. This module never extends a limit otherwise.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};

/// A process that sees a limit expire this much too late was suspended.
const STOPPED: Duration = Duration::from_secs(1);
/// Time enough to read an answer that has already arrived.
pub(crate) const MOMENT: Duration = Duration::from_secs(5);

/// Waits for `future`, for `limit` at most, and for [`MOMENT`] more if this process was suspended
/// meanwhile.
///
/// # Errors
/// The time is up.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let end = Instant::now() + limit;
    match timeout(limit, &mut future).await {
        Err(_) if end.elapsed() > STOPPED => timeout(MOMENT, future).await,
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tokio::sync::oneshot;
    use tokio::task::yield_now;

    const LIMIT: Duration = Duration::from_millis(10);

    fn on_one_thread<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    #[test]
    fn an_answer_that_came_while_the_process_was_suspended_is_read() {
        let received = on_one_thread(async {
            let (answer, answered) = oneshot::channel();
            tokio::spawn(async move {
                // This blocks the whole runtime, as a suspended process does.
                std::thread::sleep(LIMIT + STOPPED + LIMIT);
                for _ in 0..100 {
                    yield_now().await;
                }
                answer.send("tokens")
            });
            within(LIMIT, answered).await
        });

        assert_eq!(received.unwrap().unwrap(), "tokens");
    }

    #[test]
    fn a_process_that_was_not_suspended_gets_no_extra_time() {
        let began = std::time::Instant::now();

        let result = on_one_thread(within(LIMIT, std::future::pending::<()>()));

        assert!(result.is_err());
        assert!(began.elapsed() < STOPPED);
    }
}
