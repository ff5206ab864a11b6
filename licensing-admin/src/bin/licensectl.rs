//! The administrator's command: `licensectl status`, `checkout`, `failover` and others.

fn main() -> std::process::ExitCode {
    licensing_admin::cli::licensectl::main()
}
