//! Why a command did not end well, and the exit code that says so.

/// Exit code of a command that did what it was asked.
pub const EXIT_OK: u8 = 0;
/// Exit code when the machine failed: a full disk, a folder without write permission.
pub const EXIT_FAILED: u8 = 1;
/// Exit code when the user's files or arguments are at fault; clap uses the same.
pub const EXIT_INPUT: u8 = 2;

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    error: anyhow::Error,
}

impl Failure {
    /// The user's files or arguments are at fault.
    pub fn input(error: impl Into<anyhow::Error>) -> Self {
        Self {
            code: EXIT_INPUT,
            error: error.into(),
        }
    }

    /// What went wrong, with its causes.
    pub fn error(&self) -> &anyhow::Error {
        &self.error
    }

    /// The exit code of the program.
    pub fn exit_code(&self) -> u8 {
        self.code
    }
}

/// What is not said to be the user's fault is the machine's.
impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            code: EXIT_FAILED,
            error: error.into(),
        }
    }
}

/// Says that an error is about the user's files or arguments.
pub trait Blame<T> {
    /// The error as one with exit code 2.
    fn or_input(self) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> Blame<T> for Result<T, E> {
    fn or_input(self) -> Result<T, Failure> {
        self.map_err(Failure::input)
    }
}
