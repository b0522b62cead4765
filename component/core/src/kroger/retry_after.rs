//! Reads how long Kroger asks to wait. Never waits.

use std::time::Duration;

use crate::ports::{Response, Timestamp};

/// The longest wait to believe. A longer `Retry-After` counts as this.
pub(crate) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3_600);

/// The wait that `Retry-After` asks for (RFC 9110 § 10.2.3), in seconds or as a
/// date. A date counts from the `Date` of the answer, else from `now`.
pub(crate) fn retry_after(response: &Response, now: Timestamp) -> Option<Duration> {
    let text = response.retry_after.as_deref()?.trim();
    let wait = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let sent = response.date.as_deref().and_then(http_date).unwrap_or(now);
        http_date(text)?.since(sent)
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

/// Reads a date of HTTP (RFC 9110 § 5.6.7).
pub fn http_date(text: &str) -> Option<Timestamp> {
    let zoned = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    u64::try_from(zoned.timestamp().as_second()).ok().map(Timestamp::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(retry_after: &str, date: Option<&str>) -> Response {
        Response {
            status: 429,
            retry_after: Some(retry_after.to_owned()),
            date: date.map(str::to_owned),
            body: Vec::new(),
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_is_bounded() {
        let now = Timestamp::from_secs(1_000);
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");

        let waits = [
            (response("7", None), Some(7)),
            (response("Sun, 06 Nov 1994 08:49:47 GMT", date), Some(10)),
            (response("Sun, 06 Nov 1994 08:49:27 GMT", date), Some(0)),
            (response("Thu, 01 Jan 1970 00:16:45 GMT", None), Some(5)),
            (response("99999999", None), Some(3_600)),
            (response("soon", None), None),
            (response("-1", None), None),
        ];
        for (response, seconds) in waits {
            assert_eq!(retry_after(&response, now), seconds.map(Duration::from_secs), "{:?}", response.retry_after);
        }
    }
}
