//! The personality that prints what `lmutil lmstat` prints.

fn main() -> std::process::ExitCode {
    licensing_admin::personality::lmutil::main()
}
