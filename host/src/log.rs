//! The log: events with fields on stderr. It never writes to stdout, which belongs to answers and
//! protocols.
//!
//! No secret can appear in it at any level. Our own events carry none. Libraries log headers and the
//! arguments of host calls at their verbose levels, so only their warnings and errors pass, whatever
//! the filter says.
//!
//! Logging never blocks: `log::queue` says what happens when nobody reads stderr.

mod queue;

use std::fmt;
use std::io::{IsTerminal, stderr};
use std::sync::OnceLock;
use std::time::Duration;

use kroger_core::settings::known::is_harmless;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use queue::Queue;

/// How long the end of the process waits for its last lines to be read.
const LAST_LINES: Duration = Duration::from_secs(2);

/// How an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A line for people.
    Human,
    /// A JSON object a line.
    Json,
}

/// The filter cannot be used.
#[derive(Debug)]
pub struct BadFilter {
    /// The filter. None if it could be a secret that was put into the wrong setting.
    shown: Option<String>,
}

impl fmt::Display for BadFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.shown.as_ref().map(|filter| format!("`{filter}` ")).unwrap_or_default();
        write!(
            f,
            "The log filter {shown}cannot be used. Allowed for --log, KROGER_LOG and RUST_LOG: off, error, warn, info, debug or \
             trace, or pairs such as `info,kroger_mcp=debug`.",
        )
    }
}

impl std::error::Error for BadFilter {}

/// Starts the log. `filter` is a level, or `target=level` pairs; `info` if absent. A log that was
/// started before stays as it is.
///
/// # Errors
/// [`BadFilter`].
pub fn start(format: Format, filter: Option<&str>) -> Result<(), BadFilter> {
    let layer = layer(format, filter, to_stderr)?;
    // This fails only if the embedder logs already. Its log is the right one.
    let _ = Registry::default().with(layer).try_init();
    Ok(())
}

fn layer<S, W>(format: Format, filter: Option<&str>, writer: W) -> Result<Box<dyn Layer<S> + Send + Sync>, BadFilter>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = filter.unwrap_or("info");
    let bad = || BadFilter { shown: is_harmless(filter).then(|| filter.to_owned()) };
    if !filter.split(',').all(is_directive) {
        return Err(bad());
    }
    let chosen = EnvFilter::builder().parse(filter).map_err(|_| bad())?;
    let chosen = chosen.and(filter_fn(is_safe));
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    Ok(match format {
        Format::Json => lines.json().flatten_event(true).with_filter(chosen).boxed(),
        Format::Human => lines.with_ansi(stderr().is_terminal()).with_filter(chosen).boxed(),
    })
}

/// Whether `text` is a level or a `target=level` pair. Any other text that parses is most often a
/// misspelt level: taken as the name of a target it would silence everything else.
fn is_directive(text: &str) -> bool {
    let (target, level) = text.rsplit_once('=').unwrap_or(("kroger", text));
    // The parser of levels accepts the empty text.
    let is_level = !level.is_empty() && level.parse::<LevelFilter>().is_ok();
    is_level && !target.is_empty()
}

/// An allow-list: the verbose levels of libraries never pass.
fn is_safe(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("kroger") || *metadata.level() <= Level::WARN
}

/// Writes `message` on stderr, outside the log.
pub fn complain(message: impl fmt::Display) {
    to_stderr().put(format!("{message}\n").into_bytes());
}

/// Waits until what was logged is written, for 2 s at most: nobody may read it. Call it last.
pub fn finish() {
    to_stderr().drain(LAST_LINES);
}

/// Has panics told like complaints. The usual way blocks the thread that panics while nobody reads.
pub(crate) fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let trace = std::backtrace::Backtrace::capture();
        let is_captured = trace.status() == std::backtrace::BacktraceStatus::Captured;
        complain(if is_captured { format!("{panic}\n{trace}") } else { panic.to_string() });
        // A panic of the main thread ends the process.
        if std::thread::current().name() == Some("main") {
            finish();
        }
    }));
}

fn to_stderr() -> &'static Queue {
    static QUEUE: OnceLock<Queue> = OnceLock::new();

    QUEUE.get_or_init(|| {
        Queue::to(stderr(), |dropped| tracing::warn!(dropped, "log lines were dropped: nobody read stderr in time"))
    })
}

/// Keeps what a log writes, for tests.
#[cfg(test)]
pub(crate) mod captured {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    pub(crate) struct Captured(pub(crate) Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::captured::Captured;
    use super::*;

    fn logged(format: Format, filter: Option<&str>, events: impl FnOnce()) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let layer = layer(format, filter, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(Registry::default().with(layer), events);
        let bytes = captured.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_library_is_quiet_even_where_the_filter_asks_for_its_details() {
        let text = logged(Format::Json, Some("trace,hyper=trace,h2=trace,wasmtime_wasi_http=trace"), || {
            tracing::trace!(target: "hyper::proto::h1", "authorization: Bearer canary");
            tracing::debug!(target: "h2::codec", "canary");
            tracing::info!(target: "wasmtime_wasi_http::p2", "canary");
            tracing::trace!(target: "kroger_mcp::pool", "ours");
            tracing::warn!(target: "hyper::proto", "theirs");
        });

        assert!(!text.contains("canary"), "{text}");
        assert!(text.contains("ours") && text.contains("theirs"), "{text}");
    }

    #[test]
    fn json_is_one_object_a_line_with_the_fields_on_top() {
        let text = logged(Format::Json, None, || {
            tracing::info!(target: "kroger::component", outcome = "refreshed", "refresh");
            tracing::debug!(target: "kroger::component", "not by default");
        });

        let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!(line["message"], "refresh");
        assert_eq!(line["outcome"], "refreshed");
    }

    #[test]
    fn a_filter_that_would_silence_all_or_does_not_parse_is_refused_with_what_is_allowed() {
        for (filter, is_shown) in
            [("kroger=loudest", false), ("blah", true), ("info,blah", false), ("", true), ("=info", true)]
        {
            let refused = start(Format::Human, Some(filter)).unwrap_err().to_string();

            assert_eq!(refused.contains(&format!("`{filter}`")), is_shown, "{refused}");
            assert!(refused.contains("debug"), "{refused}");
        }
        for filter in ["off", "WARN", "info,kroger_mcp=debug", "info,kroger=trace", "kroger_mcp::pool=debug"] {
            assert!(is_taken(filter), "{filter}");
        }
    }

    fn is_taken(filter: &str) -> bool {
        layer::<Registry, _>(Format::Human, Some(filter), Captured::default).is_ok()
    }
}
