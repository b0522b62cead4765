//! Tests the real binary end to end: with the real component, a real store, and
//! the sandbox in place of Kroger.

#![expect(unreachable_pub, reason = "what the modules of one test binary share needs no finer word than pub")]

mod support;

mod adds;
mod cart;
mod catalog;
mod cli;
mod clocks;
mod contract;
mod crashes;
mod embedding;
mod ending;
mod faults;
mod files;
mod hostile_upstream;
mod mcp;
mod moving_in;
mod operator;
mod quotas;
mod refreshing;
mod secrets;
mod shares;
mod sign_in;
mod sign_out;
mod start;
mod stock_host;
mod strain;
mod trust;
