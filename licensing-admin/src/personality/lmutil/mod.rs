//! `lmutil`: the utilities administrators of FlexNet servers know, with their flags, their texts and their exit
//! codes (FLEXnet License Administration Guide, License Administration Tools).
//!
//! One utility a file.

mod flags;
mod lmdown;
mod lmstat;

use std::process::ExitCode;

use flags::Flags;

use crate::console::{Failure, finish, put, runtime, talk};
use crate::exit::Exit;

const USAGE: &str = "\
usage: lmutil lmstat [-a] [-A] [-f [feature]] [-s [server]] [-S [vendor]] [-t seconds] [-c port@host,…|file]
       lmutil lmdown [-q] [-all] [-force] [-c port@host,…|file]
       lmutil lmver
";

/// Entry point of the program.
pub fn main() -> ExitCode {
    finish(run(std::env::args().skip(1).collect()))
}

fn run(arguments: Vec<String>) -> Result<Exit, Failure> {
    let (utility, flags) = match arguments.split_first() {
        Some((utility, flags)) => (utility.trim_end_matches(".exe"), flags),
        None => {
            talk(USAGE.trim_end());
            return Ok(Exit::Unknown);
        }
    };
    match utility {
        "lmstat" => with_runtime(|flags| Box::pin(lmstat::stat(flags)), Flags::parse(flags, lmstat::FLAGS)?),
        "lmdown" => with_runtime(|flags| Box::pin(lmdown::down(flags)), Flags::parse(flags, lmdown::FLAGS)?),
        "lmver" => {
            put(&format!("lmutil - licensing-server v{0}\nlmver v{0}\n", crate::VERSION))?;
            Ok(Exit::Done)
        }
        "-h" | "-help" | "--help" => {
            put(USAGE)?;
            Ok(Exit::Done)
        }
        other => Err(Failure::unknown(format!(
            "there is no utility `{other}` here: lmstat, lmdown and lmver there are"
        ))
        .hint("`licensectl --help` lists what else an administrator can do")),
    }
}

type Running = std::pin::Pin<Box<dyn Future<Output = Result<Exit, Failure>>>>;

fn with_runtime(utility: impl FnOnce(Flags) -> Running, flags: Flags) -> Result<Exit, Failure> {
    let runtime = runtime()?;
    let result = runtime.block_on(utility(flags));
    runtime.shutdown_background();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_utilities_are_told_what_exists() {
        let failure = run(vec!["lmborrow".to_owned()]).unwrap_err();
        assert!(failure.message.contains("lmstat, lmdown and lmver"), "{}", failure.message);
    }
}
