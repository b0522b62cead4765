//! Time limits that a process which was stopped does not run into.
//!
//! After a SIGSTOP, a debugger or a frozen container every timer has run out at
//! once, though what was waited for may have come meanwhile. The answer to a
//! refresh is the only copy of a sign-in, so it is given a moment to get through.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};

/// Who learns this much too late that time is up was stopped.
const STOPPED: Duration = Duration::from_secs(1);
/// What already lies there gets through in this.
pub(crate) const MOMENT: Duration = Duration::from_secs(5);

/// Waits for `future`, for `limit` at most, and a moment longer where this process
/// was stopped meanwhile.
///
/// # Errors
/// Time is up.
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
    fn what_came_while_the_process_was_stopped_gets_through() {
        let received = on_one_thread(async {
            let (answer, answered) = oneshot::channel();
            tokio::spawn(async move {
                // Nothing of this runtime moves meanwhile, as in a process that is stopped.
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
    fn a_process_that_was_not_stopped_gets_no_moment_more() {
        let began = std::time::Instant::now();

        let result = on_one_thread(within(LIMIT, std::future::pending::<()>()));

        assert!(result.is_err());
        assert!(began.elapsed() < STOPPED);
    }
}
