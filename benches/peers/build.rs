//! Finds the folders of the crates whose migrations are for their users to run: they are read from there.

use std::process::Command;

/// The variables are called like them, in capitals.
const THEIRS: [&str; 3] = ["obix", "outbox-postgres", "sqlxmq"];

fn main() {
    let cargo = std::env::var("CARGO").expect("cargo sets it");
    // Without it, those that no default feature asks for are left out.
    let metadata = Command::new(cargo).args(["metadata", "--all-features", "--format-version", "1"]).output().expect("cargo metadata runs");
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).expect("it prints JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        if THEIRS.contains(&name) {
            let manifest = package["manifest_path"].as_str().expect("a path");
            let variable = name.to_uppercase().replace('-', "_");
            println!("cargo::rustc-env={variable}={}", manifest.trim_end_matches("/Cargo.toml"));
        }
    }
}
