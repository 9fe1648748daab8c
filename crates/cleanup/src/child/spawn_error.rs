//! Why a program could not be started, in words that name the file and the way out.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// A child process could not be started. Nothing was left running.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// There is no such file.
    #[error("{}: no such file; give the path of an existing program", program.display())]
    NotFound {
        /// The program as it was asked for.
        program: PathBuf,
    },
    /// The path names a directory.
    #[error("{}: is a directory; give the path of the program inside it", program.display())]
    IsDirectory {
        /// The program as it was asked for.
        program: PathBuf,
    },
    /// The file is there, but this user may not execute it.
    #[error("{}: not executable; check its mode (`chmod +x`), its owner and that its filesystem is not mounted noexec", program.display())]
    NotExecutable {
        /// The program as it was asked for.
        program: PathBuf,
    },
    /// The file is there, but what its first line (or its ELF header) asks for is not.
    #[error("{}: its interpreter {interpreter} does not exist; install it or correct the first line", program.display())]
    BadInterpreter {
        /// The program as it was asked for.
        program: PathBuf,
        /// The interpreter of the `#!` line, or "(dynamic loader)" for a binary of another C library.
        interpreter: String,
    },
    /// The kernel does not know the file's format.
    #[error("{}: not a program for this machine; check its architecture, or that it starts with `#!`", program.display())]
    WrongFormat {
        /// The program as it was asked for.
        program: PathBuf,
    },
    /// Anything else the system said: process or memory limits, file being written, ...
    #[error("{}: cannot be started: {source}; check the limits of this user (`ulimit -a`) and free memory", program.display())]
    System {
        /// The program as it was asked for.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl SpawnError {
    /// Names the cause: the errno of exec alone does not tell a missing file from a missing interpreter.
    pub(super) fn diagnose(program: &Path, source: io::Error) -> Self {
        let path = program;
        let program = path.to_path_buf();
        let exists = fs::metadata(path);
        match source.kind() {
            io::ErrorKind::NotFound => match exists {
                Ok(_) => Self::BadInterpreter { program, interpreter: interpreter(path) },
                Err(_) => Self::NotFound { program },
            },
            io::ErrorKind::NotADirectory => Self::NotFound { program },
            io::ErrorKind::PermissionDenied if exists.is_ok_and(|meta| meta.is_dir()) => {
                Self::IsDirectory { program }
            }
            io::ErrorKind::PermissionDenied => Self::NotExecutable { program },
            _ if source.raw_os_error() == Some(libc::ENOEXEC) => Self::WrongFormat { program },
            _ => Self::System { program, source },
        }
    }

    /// The program that was asked for.
    pub fn program(&self) -> &Path {
        match self {
            Self::NotFound { program }
            | Self::IsDirectory { program }
            | Self::NotExecutable { program }
            | Self::BadInterpreter { program, .. }
            | Self::WrongFormat { program }
            | Self::System { program, .. } => program,
        }
    }
}

/// Whether `program` is an executable file of no kind that Linux knows. The C library would feed it to a shell.
#[cfg(target_os = "linux")]
pub(super) fn has_wrong_format(program: &Path) -> bool {
    let mut magic = Vec::new();
    let read = fs::File::open(program).and_then(|file| file.take(4).read_to_end(&mut magic));
    read.is_ok() && !magic.starts_with(b"#!") && magic != b"\x7fELF"
}

#[cfg(not(target_os = "linux"))]
pub(super) fn has_wrong_format(_program: &Path) -> bool {
    false
}

fn interpreter(program: &Path) -> String {
    let mut line = Vec::new();
    let read = fs::File::open(program)
        .and_then(|file| BufReader::new(file.take(256)).read_until(b'\n', &mut line))
        .is_ok();
    match line.strip_prefix(b"#!") {
        Some(rest) if read => {
            String::from_utf8_lossy(rest).split_whitespace().next().unwrap_or_default().to_owned()
        }
        _ => "(dynamic loader)".to_owned(),
    }
}
