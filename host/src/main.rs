//! `kroger-mcp`: keeps Kroger customers signed in and adds to their carts.

fn main() -> std::process::ExitCode {
    kroger_mcp::cli::run()
}
