//! The stock `wasmtime serve`, for the tests that run the component under a
//! host that is not ours.
use clap::Parser;
#[derive(clap::Parser)]
enum Wasmtime {
    Serve(wasmtime_cli::commands::ServeCommand),
}
fn main() -> wasmtime::Result<()> {
    let Wasmtime::Serve(command) = Wasmtime::parse();
    command.execute()
}
