//! Finds the folder of the crate obix: its migrations are for its users to run, and are read from there.

use std::process::Command;

fn main() {
    let cargo = std::env::var("CARGO").expect("cargo sets it");
    let metadata = Command::new(cargo).args(["metadata", "--format-version", "1"]).output().expect("cargo metadata runs");
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).expect("it prints JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    if let Some(obix) = packages.iter().find(|package| package["name"] == "obix") {
        let manifest = obix["manifest_path"].as_str().expect("a path");
        println!("cargo::rustc-env=OBIX={}", manifest.trim_end_matches("/Cargo.toml"));
    }
}
