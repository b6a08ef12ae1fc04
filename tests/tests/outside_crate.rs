//! The README's example, built and run as a stranger would: in a crate outside the workspace, unchanged.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// The first block of `language` in `markdown`.
fn block<'a>(markdown: &'a str, language: &str) -> &'a str {
    let fence = format!("```{language}\n");
    let start = markdown.find(&fence).unwrap_or_else(|| panic!("the README has no {language} block")) + fence.len();
    let length = markdown[start..].find("\n```").expect("the block ends");
    &markdown[start..=start + length]
}

#[test]
fn the_twelve_lines_of_the_readme_run_in_a_crate_of_their_own() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace");
    let readme = std::fs::read_to_string(workspace.join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);

    let mut manifest = String::from("[package]\nname = \"outside\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n");
    manifest.push_str(block(&readme, "toml"));
    manifest.push_str("\n[workspace]\n\n[patch.crates-io]\n");
    for sibling in ["events-core", "events-macros", "events-sqlx"] {
        writeln!(manifest, "{sibling} = {{ path = {:?} }}", workspace.join(sibling)).unwrap();
    }
    std::fs::create_dir(at("src")).unwrap();
    std::fs::write(at("Cargo.toml"), manifest).unwrap();
    std::fs::write(at("src/main.rs"), block(&readme, "rust")).unwrap();
    // The same versions that the workspace has built, so that nothing needs to be fetched.
    std::fs::copy(workspace.join("Cargo.lock"), at("Cargo.lock")).unwrap();

    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline"])
        .current_dir(folder.path())
        .env("CARGO_TARGET_DIR", workspace.join("target/outside-crate"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stdout, "a ticket for order 1\n", "{stderr}");
    assert!(!stderr.contains("warning"), "{stderr}");
}
