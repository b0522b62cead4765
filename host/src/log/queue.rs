//! Lines on their way to stderr. A thread of its own writes them, so no caller waits for a reader.
//!
//! A pipe that nobody reads fills up, and a write to it blocks. So the queue is bounded. When it is
//! full, new lines are dropped and counted, and the count is told once the reader goes on.

use std::io::Write;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The most lines that wait. A line of the component has at most 8 KiB, so they take 8 MiB at most.
const WAITING: usize = 1024;

/// A longer line is cut, so that the waiting lines stay within their bound.
const LONGEST_LINE: usize = 8 << 10;

/// A handle on the queue. Its clones share it.
#[derive(Clone)]
pub(super) struct Queue {
    lines: SyncSender<Vec<u8>>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    dropped: AtomicU64,
    /// Lines that wait, and the one that is being written.
    waiting: AtomicUsize,
    emptied: (Mutex<()>, Condvar),
}

impl Queue {
    /// Starts a thread that writes to `out`. `tell` gets the number of lines that were dropped, as soon
    /// as a line could be written again.
    pub(super) fn to<W: Write + Send + 'static>(out: W, tell: impl Fn(u64) + Send + 'static) -> Self {
        Self::of(WAITING, out, tell)
    }

    fn of<W: Write + Send + 'static>(length: usize, out: W, tell: impl Fn(u64) + Send + 'static) -> Self {
        let (lines, waiting) = sync_channel(length);
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        // Without a thread the receiver is gone, and each line counts as dropped.
        let _ = thread::Builder::new().name("log".to_owned()).spawn(move || write_all(out, &waiting, &shared, &tell));
        Self { lines, state }
    }

    /// Puts `line` into the queue, or drops it if the queue is full. Never blocks.
    pub(super) fn put(&self, mut line: Vec<u8>) {
        if line.len() > LONGEST_LINE {
            line.truncate(LONGEST_LINE);
            line.push(b'\n');
        }
        self.state.waiting.fetch_add(1, Ordering::SeqCst);
        if self.lines.try_send(line).is_err() {
            self.state.dropped.fetch_add(1, Ordering::SeqCst);
            self.state.leave();
        }
    }

    /// Waits until all lines are written, for `limit` at most.
    pub(super) fn drain(&self, limit: Duration) {
        let (lock, emptied) = &self.state.emptied;
        let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        // A lost or early wake-up only changes how long this waits.
        let _ = emptied.wait_timeout_while(guard, limit, |()| self.state.waiting.load(Ordering::SeqCst) > 0);
    }
}

impl State {
    fn leave(&self) {
        if self.waiting.fetch_sub(1, Ordering::SeqCst) == 1 {
            drop(self.emptied.0.lock().unwrap_or_else(PoisonError::into_inner));
            self.emptied.1.notify_all();
        }
    }
}

fn write_all(mut out: impl Write, waiting: &Receiver<Vec<u8>>, state: &State, tell: &impl Fn(u64)) {
    for line in waiting {
        // If stderr is closed, nobody can be told.
        let _ = out.write_all(&line).and_then(|()| out.flush());
        let dropped = state.dropped.swap(0, Ordering::SeqCst);
        if dropped > 0 {
            tell(dropped);
        }
        state.leave();
    }
}

/// Takes what is written as lines of the log.
impl Write for &Queue {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.put(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// A pipe that nobody reads until the test lets it go on.
    struct Stuck {
        go_on: Receiver<()>,
        written: std::sync::mpsc::Sender<Vec<u8>>,
    }

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.go_on.recv();
            let _ = self.written.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_that_nobody_reads_blocks_nobody_and_what_it_lost_is_counted() {
        let ((go, go_on), (written, lines), (told, dropped)) = (channel(), channel(), channel());
        let tell = move |count| told.send(count).unwrap();
        let queue = Queue::of(4, Stuck { go_on, written }, tell);

        for _ in 0..100 {
            queue.put(b"line\n".to_vec());
        }
        queue.drain(Duration::from_millis(10));

        drop(go);
        queue.drain(Duration::from_secs(60));
        drop(queue);
        let (written, dropped) = (lines.iter().count() as u64, dropped.iter().sum::<u64>());
        assert!((4..=5).contains(&written), "{written}");
        assert_eq!(written + dropped, 100);
    }

    #[test]
    fn all_lines_are_written_in_order_before_the_end() {
        let (written, lines) = channel();
        let (go, go_on) = channel();
        drop(go);
        let queue = Queue::of(8, Stuck { go_on, written }, |_| {});

        for number in 0..5 {
            queue.put(vec![number]);
        }
        queue.put(vec![b'x'; 3 * LONGEST_LINE]);
        queue.drain(Duration::from_secs(60));

        let lines: Vec<_> = lines.try_iter().collect();
        assert_eq!(lines[..5].concat(), [0, 1, 2, 3, 4]);
        assert_eq!(lines[5].len(), LONGEST_LINE + 1);
    }
}
