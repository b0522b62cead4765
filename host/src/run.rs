//! Runs the component: its instances, and the calls into them from HTTP, from lines on stdin and from the timer.

mod budget;
pub(crate) mod component;
mod exports;
pub(crate) mod guest_log;
pub(crate) mod host;
pub(crate) mod pool;
pub(crate) mod problem;
pub(crate) mod server;
pub(crate) mod shares;
pub(crate) mod stdio;
pub(crate) mod timer;
mod wasi_keyvalue;
