//! The daemon: `licensing-server serve`, `check`, `peer-key`, `demo`.

fn main() -> std::process::ExitCode {
    licensing_server::cli::daemon::main()
}
