//! Logs what the component writes to its standard streams.
//!
//! The component writes one JSON object a line, each an event with its fields. Any other line is the
//! message of a panic or a library: it becomes a warning, cut short and without control characters.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use kroger_core::grant::attempts::AttemptOutcome;
use kroger_core::text::cleaned;
use serde::Deserialize;
use serde_json::{Map, Value};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// The `target` of the component's events.
pub(crate) const TARGET: &str = "kroger::component";

/// A longer line is split here, and the rest is a line of its own.
const MAX_LINE: usize = 8 << 10;

/// The most characters shown of a line that is no event.
const MAX_SHOWN: usize = 400;

/// A guest's stdout or stderr.
#[derive(Clone, Default)]
pub(crate) struct GuestLog(Arc<Mutex<Vec<u8>>>);

/// An event of the component, as the core's `Event` serializes: its name, and its fields.
#[derive(Deserialize)]
struct GuestEvent {
    #[serde(rename = "event")]
    name: String,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

impl GuestEvent {
    fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    fn number(&self, field: &str) -> Option<u64> {
        self.fields.get(field)?.as_u64()
    }
}

impl GuestLog {
    fn append(&self, bytes: &[u8]) {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for byte in bytes {
            if *byte == b'\n' || pending.len() == MAX_LINE {
                show(&pending);
                pending.clear();
            }
            if *byte != b'\n' {
                pending.push(*byte);
            }
        }
    }
}

fn show(line: &[u8]) {
    if line.is_empty() {
        return;
    }
    let Ok(event) = serde_json::from_slice::<GuestEvent>(line) else {
        return tracing::warn!(target: TARGET, "{}", printable(&String::from_utf8_lossy(line)));
    };
    show_event(&event);
}

/// Names each field that an event of the core can have: `tracing` needs the names at compile time.
macro_rules! log_at {
    ($level:ident, $event:ident, $($more:tt)*) => {
        tracing::$level!(
            target: TARGET,
            user = $event.text("user"),
            why = $event.text("why"),
            outcome = $event.text("outcome"),
            duration_ms = $event.number("duration_ms"),
            ticket = $event.text("ticket"),
            items = $event.number("items"),
            doing = $event.text("doing"),
            $($more)*
            "{}",
            $event.name
        )
    };
}

fn show_event(event: &GuestEvent) {
    if let Some(next) = advice(event) {
        log_at!(warn, event, next = next,);
    } else {
        log_at!(info, event,);
    }
}

/// What an operator should do about an event; `None` if nothing is wrong.
fn advice(event: &GuestEvent) -> Option<&'static str> {
    match event.name.as_str() {
        "refresh" => event.text("outcome").and_then(advice_after_refresh),
        "credentials_rejected" => Some(APP_REJECTED),
        "add_unknown" => Some("the items may be in the cart: nothing sends them again, and the person must look"),
        "rescued" | "store_trouble" => Some("check the store's disk space and permissions"),
        // `signed_in` and `forgotten`.
        _ => None,
    }
}

const APP_REJECTED: &str = "Kroger rejects the app: check KROGER_CLIENT_ID and KROGER_CLIENT_SECRET";

fn advice_after_refresh(outcome: &str) -> Option<&'static str> {
    match outcome {
        kroger_core::ports::Event::UNSAVED => {
            Some("this person must sign in again; check the store's disk space and permissions")
        }
        kroger_core::ports::Event::REFRESHED => None,
        // The core makes its names for the log and for the store alike.
        failed => match serde_json::from_value(failed.into()).ok()? {
            AttemptOutcome::Refused => Some("this person must sign in again"),
            AttemptOutcome::ClientRefused => Some(APP_REJECTED),
            AttemptOutcome::RequestRefused
            | AttemptOutcome::NotSent
            | AttemptOutcome::Busy
            | AttemptOutcome::Failed
            | AttemptOutcome::Unknown => None,
        },
    }
}

/// A hidden character could forge a line or drive the reader's terminal.
fn printable(line: &str) -> String {
    cleaned(line, MAX_SHOWN)
}

impl IsTerminal for GuestLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestLog {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only WASI 0.3 components call this, and ours is a 0.2 component.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for GuestLog {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.append(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

#[async_trait]
impl Pollable for GuestLog {
    async fn ready(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::captured::Captured;

    fn logged(chunks: &[&[u8]]) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber = tracing_subscriber::fmt().json().without_time().with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            let log = GuestLog::default();
            for chunk in chunks {
                log.append(chunk);
            }
        });
        let bytes = captured.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_event_written_in_pieces_becomes_one_event_with_its_fields() {
        let text = logged(&[
            br#"{"event":"refresh","user":"abc","why":"due","out"#,
            br#"come":"refreshed","duration_ms":12,"ticket":"1.0.3"}"#,
            b"\n",
        ]);

        let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["target"], TARGET);
        assert_eq!(line["fields"]["message"], "refresh");
        assert_eq!(line["fields"]["outcome"], "refreshed");
        assert_eq!(line["fields"]["duration_ms"], 12);
        assert_eq!(line["fields"]["ticket"], "1.0.3");
        assert!(line["fields"].get("doing").is_none());
    }

    /// By the component's own events, so that neither side's words change alone.
    #[test]
    fn what_an_operator_must_know_is_a_warning_with_a_next_step() {
        use kroger_core::ports::Event;

        let user = || "abc".to_owned();
        let ticket = || "1.0.3".to_owned();
        let refresh = |outcome| Event::Refresh { user: user(), why: "due", outcome, duration_ms: 1, ticket: ticket() };
        let level = |event: &Event| {
            let line = [serde_json::to_vec(event).unwrap(), b"\n".to_vec()].concat();
            let line: serde_json::Value = serde_json::from_str(logged(&[&line]).trim()).unwrap();
            let sent = serde_json::to_value(event).unwrap();
            for (field, value) in sent.as_object().unwrap().iter().filter(|(field, _)| *field != "event") {
                assert_eq!(&line["fields"][field], value, "the log drops `{field}`");
            }
            (line["level"].as_str().unwrap().to_owned(), line["fields"]["next"].is_string())
        };

        for event in [
            refresh(AttemptOutcome::Refused.as_str()),
            refresh(AttemptOutcome::ClientRefused.as_str()),
            refresh(Event::UNSAVED),
            Event::CredentialsRejected,
            Event::AddUnknown { user: user(), items: 2 },
            Event::Rescued { user: user(), ticket: ticket() },
            Event::StoreTrouble { doing: "storing" },
        ] {
            assert_eq!(level(&event), ("WARN".to_owned(), true), "{event:?}");
        }
        for event in [
            refresh(Event::REFRESHED),
            refresh(AttemptOutcome::RequestRefused.as_str()),
            refresh(AttemptOutcome::NotSent.as_str()),
            refresh(AttemptOutcome::Busy.as_str()),
            refresh(AttemptOutcome::Failed.as_str()),
            refresh(AttemptOutcome::Unknown.as_str()),
            Event::SignedIn { user: user(), ticket: ticket() },
            Event::Forgotten { user: user(), ticket: ticket() },
        ] {
            assert_eq!(level(&event), ("INFO".to_owned(), false), "{event:?}");
        }
    }

    #[test]
    fn each_outcome_of_a_failed_refresh_is_known_by_its_name_in_the_log() {
        for outcome in [
            AttemptOutcome::Refused,
            AttemptOutcome::ClientRefused,
            AttemptOutcome::RequestRefused,
            AttemptOutcome::NotSent,
            AttemptOutcome::Busy,
            AttemptOutcome::Failed,
            AttemptOutcome::Unknown,
        ] {
            let known: AttemptOutcome = serde_json::from_value(outcome.as_str().into()).unwrap();

            assert_eq!(known, outcome);
        }
    }

    #[test]
    fn a_line_that_is_no_event_is_a_short_warning_without_control_characters() {
        let mut line = b"\x1b[31mpanicked\r at ".to_vec();
        line.extend(std::iter::repeat_n(b'x', 2 * MAX_SHOWN));
        line.push(b'\n');

        let line: serde_json::Value = serde_json::from_str(logged(&[&line]).trim()).unwrap();

        let message = line["fields"]["message"].as_str().unwrap();
        assert_eq!(line["level"], "WARN");
        assert!(message.starts_with("[31mpanicked  at x"));
        assert_eq!(message.chars().count(), MAX_SHOWN);
    }

    #[test]
    fn a_line_without_end_does_not_fill_the_memory() {
        let log = GuestLog::default();

        log.append(&vec![b'x'; 10 * MAX_LINE]);

        assert!(log.0.lock().unwrap().len() <= MAX_LINE);
    }
}
