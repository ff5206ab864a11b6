//! Tells what of the product a sweep never ran (`tests/coverage/sweep.sh`), and fails when that has no excuse.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use licensing_tests::coverage::{Excuses, judge, read_counts};

/// Tells what of the product never ran.
#[derive(Parser)]
struct Arguments {
    /// What `llvm-cov export -format=lcov` wrote.
    #[arg(long)]
    report: PathBuf,
    /// What need not run.
    #[arg(long)]
    excused: PathBuf,
    /// The crates it is about, by their folders.
    #[arg(required = true)]
    crates: Vec<String>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace is above this crate")?;
    let mut files = BTreeMap::new();
    for name in &arguments.crates {
        read_folder(root, &root.join(name).join("src"), &mut files)?;
    }
    let report = read(&arguments.report)?;
    let excuses = Excuses::read(&read(&arguments.excused)?)
        .map_err(|wrong| anyhow::anyhow!("{}, {wrong}", arguments.excused.display()))?;
    let counts = read_counts(&report, &root.to_string_lossy());
    anyhow::ensure!(!counts.is_empty(), "{} tells of no file of the workspace", arguments.report.display());
    let found = judge(&files, &counts, &excuses);
    eprintln!("{found}");
    if found.is_good() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "hint: let the simulation reach it, delete it, or excuse it with a reason in {}",
        arguments.excused.display()
    );
    Ok(ExitCode::FAILURE)
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn read_folder(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            read_folder(root, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
            files.insert(name, read(&path)?);
        }
    }
    Ok(())
}
