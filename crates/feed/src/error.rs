//! Errors on the way from a data file to a batch.

/// An error of reading data, putting it on a device, or computing there.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The data cannot be read or used.
    #[error(transparent)]
    Data(#[from] data::DataError),
    /// A part of the split is too short for a window.
    #[error(
        "the {part} part is empty or too short for a window of {context} + {horizon} rows\n  hint: lower `data.context` or `data.horizon`, or give it more rows in `data.split`"
    )]
    NoWindows {
        /// Name of the part.
        part: &'static str,
        /// Rows of a context.
        context: usize,
        /// Rows of a horizon.
        horizon: usize,
    },
    /// The requested device is not available.
    #[error("device `{asked}`: {reason}\n  hint: {hint}")]
    Device {
        /// The request in the user's words.
        asked: String,
        /// Why it is not available.
        reason: String,
        /// A remedy.
        hint: &'static str,
    },
    /// libtorch failed.
    #[error("libtorch: {}{}", first_line(.0), memory_hint(&.0.to_string()))]
    Torch(#[from] tch::TchError),
}

impl FeedError {
    /// The exit code of the `ballast` command for this error, as the README lists them.
    pub fn exit_code(&self) -> u8 {
        match self {
            FeedError::Data(error) => match error.kind() {
                data::ErrorKind::Config => 2,
                data::ErrorKind::NoSuchFile => 66,
                data::ErrorKind::Disk => 74,
                _ => 65,
            },
            FeedError::NoWindows { .. } => 65,
            FeedError::Device { .. } => 69,
            FeedError::Torch(error) if is_out_of_memory(&error.to_string()) => 69,
            FeedError::Torch(_) => 70,
        }
    }
}

/// The first line of a message of libtorch, which is followed by a C++ stack trace.
fn first_line(error: &tch::TchError) -> String {
    let text = error.to_string();
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or("unknown error").to_owned()
}

/// The remedy when memory runs out.
pub const MEMORY_HINT: &str =
    "\n  hint: lower `train.batch_size`, `evaluate.samples` or the size of the model";

/// Whether a message of libtorch, on the CPU or on CUDA, says that memory ran out.
pub fn is_out_of_memory(message: &str) -> bool {
    let text = message.to_lowercase();
    ["out of memory", "can't allocate memory", "cannot allocate memory", "bad_alloc"]
        .iter()
        .any(|words| text.contains(words))
}

/// [`MEMORY_HINT`] if a message of libtorch says that memory ran out, otherwise the empty string.
pub fn memory_hint(message: &str) -> &'static str {
    if is_out_of_memory(message) { MEMORY_HINT } else { "" }
}
