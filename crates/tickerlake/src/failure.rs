//! Why the command failed, in one line.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// A failure as the user is told it: what went wrong and why, and what to do where that helps.
#[derive(Debug)]
pub(crate) struct Failure {
    text: String,
    exit_code: u8,
}

impl Failure {
    /// The exit code after Ctrl-C, as shells have it: 128 and the signal's number.
    pub(crate) const INTERRUPTED: u8 = 130;
    const USAGE: u8 = 2;
    const OTHER: u8 = 1;

    /// Something failed because of `source`.
    pub(crate) fn new(what: impl fmt::Display, source: impl Error) -> Self {
        let mut text = what.to_string();
        let mut cause: Option<&dyn Error> = Some(&source);
        while let Some(error) = cause {
            let reason = error.to_string();
            // Many errors repeat their source in their own words.
            if !text.contains(&reason) {
                text.push_str(": ");
                text.push_str(&reason);
            }
            cause = error.source();
        }
        Self { text, exit_code: Self::OTHER }
    }

    /// Something failed, and there is no more to say.
    pub(crate) fn plain(what: impl fmt::Display) -> Self {
        Self { text: what.to_string(), exit_code: Self::OTHER }
    }

    /// The command was called wrongly.
    pub(crate) fn usage(what: impl fmt::Display) -> Self {
        Self { text: what.to_string(), exit_code: Self::USAGE }
    }

    /// Ctrl-C came.
    pub(crate) fn interrupted(what: impl fmt::Display) -> Self {
        Self { text: what.to_string(), exit_code: Self::INTERRUPTED }
    }

    /// The command line cannot be read. Of clap's text, what is wrong: the usage that follows takes a screen.
    pub(crate) fn command_line(error: &clap::Error) -> Self {
        let text = error.to_string();
        let wrong = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
        Self::usage(format_args!("{wrong}; --help tells more"))
    }

    /// 2 for usage, 130 for Ctrl-C, 1 for the rest.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit_code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = self.text.split_whitespace();
        if let Some(first) = words.next() {
            f.write_str(first)?;
        }
        words.try_for_each(|word| write!(f, " {word}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Failure;

    #[test]
    fn a_failure_is_one_line() {
        let inner = std::io::Error::other("first\n  second");
        assert_eq!(Failure::new("cannot read x", inner).to_string(), "cannot read x: first second");
    }
}
