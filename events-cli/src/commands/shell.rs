//! `outbox completions` and `outbox man`.

use crate::args::Args;
use crate::exit::Exit;
use anyhow::Context;
use clap::CommandFactory;
use std::{fs, io, path::Path};

pub(crate) fn completions(shell: clap_complete::Shell) -> anyhow::Result<Exit> {
    // Written at once: a reader that goes away must not cause a panic in the middle.
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "outbox", &mut text);
    io::Write::write_all(&mut io::stdout(), &text)?;
    Ok(Exit::Ok)
}

pub(crate) fn man(folder: Option<&Path>) -> anyhow::Result<Exit> {
    let Some(folder) = folder else {
        let mut text = Vec::new();
        clap_mangen::Man::new(Args::command()).render(&mut text)?;
        io::Write::write_all(&mut io::stdout(), &text)?;
        return Ok(Exit::Ok);
    };
    fs::create_dir_all(folder).with_context(|| format!("making the folder `{}`", folder.display()))?;
    clap_mangen::generate_to(Args::command(), folder).with_context(|| format!("writing into `{}`", folder.display()))?;
    Ok(Exit::Ok)
}
