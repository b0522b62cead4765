//! Builds the component that the host embeds, so that plain `cargo run` and
//! `cargo test` work on a fresh clone.
//!
//! The component has its own target directory and its own profile, so it is built
//! once for all profiles of the host. `KROGER_CONNECTOR_WASM` names a prebuilt
//! component to embed instead.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const TARGET: &str = "wasm32-wasip2";
const PROFILE: &str = "component";
const PREBUILT: &str = "KROGER_CONNECTOR_WASM";

/// Variables that the outer cargo sets for this build only. The inner cargo must
/// choose its own.
const LEAKING: [&str; 11] = [
    "RUSTFLAGS",
    "RUSTDOCFLAGS",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_LINKER",
    "TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_TARGET_DIR",
];

fn main() -> ExitCode {
    let manifest_dir = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let workspace = manifest_dir.parent().expect("host/ lies in the workspace");
    declare_inputs(workspace);
    match component(workspace) {
        Ok(wasm) => {
            println!("cargo:rustc-env=KROGER_CONNECTOR_COMPONENT={}", wasm.display());
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn declare_inputs(workspace: &Path) {
    println!("cargo:rerun-if-env-changed={PREBUILT}");
    println!("cargo:rerun-if-changed=build.rs");
    for input in [
        "component/src",
        "component/core",
        "component/openapi.json",
        "component/Cargo.toml",
        "wit",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        println!("cargo:rerun-if-changed={}", workspace.join(input).display());
    }
}

fn component(workspace: &Path) -> Result<PathBuf, String> {
    if let Some(prebuilt) = env::var_os(PREBUILT).filter(|path| !path.is_empty()) {
        return prebuilt_component(&PathBuf::from(prebuilt));
    }
    ensure_target()?;
    build(workspace)
}

fn prebuilt_component(path: &Path) -> Result<PathBuf, String> {
    println!("cargo:rerun-if-changed={}", path.display());
    path.canonicalize().map_err(|error| format!("{PREBUILT} names {}, which cannot be read: {error}", path.display()))
}

/// Installs the target. `rust-toolchain.toml` lists it, but rustup may be told not
/// to install by itself.
fn ensure_target() -> Result<(), String> {
    if target_is_installed() || rustup_adds_target() {
        return Ok(());
    }
    Err(format!(
        "The component needs the Rust target {TARGET}, which is not installed. Run:\n\n    rustup target add {TARGET}\n"
    ))
}

fn target_is_installed() -> bool {
    Command::new(variable("RUSTC"))
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .is_ok_and(|printed| Path::new(String::from_utf8_lossy(&printed.stdout).trim()).is_dir())
}

fn rustup_adds_target() -> bool {
    Command::new("rustup").args(["target", "add", TARGET]).status().is_ok_and(|status| status.success())
        && target_is_installed()
}

fn build(workspace: &Path) -> Result<PathBuf, String> {
    let target_dir = target_dir(workspace);
    let mut cargo = Command::new(variable("CARGO"));
    cargo
        .current_dir(workspace)
        .args(["build", "--locked", "--package", "kroger-connector", "--lib"])
        .args(["--profile", PROFILE, "--target", TARGET])
        .arg("--target-dir")
        .arg(&target_dir);
    for name in leaking() {
        cargo.env_remove(name);
    }
    let status = cargo.status().map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !status.success() {
        return Err("The component does not build; its errors are above.".to_owned());
    }
    Ok(target_dir.join(TARGET).join(PROFILE).join("kroger_connector.wasm"))
}

/// The component's target directory, inside that of the host.
fn target_dir(workspace: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace.join("target"), |dir| workspace.join(dir))
        .join("component")
}

fn leaking() -> Vec<String> {
    let of_this_package = env::vars_os().filter_map(|(name, _)| name.into_string().ok()).filter(|name| {
        ["CARGO_PKG_", "CARGO_CFG_", "CARGO_FEATURE_", "CARGO_PROFILE_", "CARGO_MANIFEST_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    });
    LEAKING.iter().map(|name| (*name).to_owned()).chain(of_this_package).collect()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
