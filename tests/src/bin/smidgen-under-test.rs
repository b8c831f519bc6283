//! The command line as the tests run it: `main` of the program, built by cargo beside the tests.

fn main() -> std::process::ExitCode {
    smidgen::cli::main()
}
