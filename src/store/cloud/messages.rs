//! What went wrong with a request, in plain words and without secrets.

use std::error::Error;
use std::io::{self, ErrorKind};

use object_store::Error as StoreError;

/// The most characters of a cause that are shown.
const SHOWN: usize = 200;

/// How a store that has no error kind for forbidden requests answers them.
const FORBIDDEN: &str = " 403 Forbidden";
/// The address that cloud machines ask for their own credentials, as a last resort.
const METADATA_SERVICE: &str = "169.254.";

/// The error for an invalid request or address.
pub(super) fn invalid(what: impl ToString) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, what.to_string())
}

/// A failed request as an I/O error.
pub(super) fn explained(error: &StoreError) -> io::Error {
    let code = code(error).map_or(String::new(), |code| format!(" ({code})"));
    let (kind, what) = match error {
        _ if code.contains("NoSuchBucket") => (ErrorKind::NotFound, "there is no such bucket".to_owned()),
        StoreError::NotFound { .. } => (ErrorKind::NotFound, "there is no such object, or no such bucket".to_owned()),
        error if matches!(error, StoreError::PermissionDenied { .. }) || error.to_string().contains(FORBIDDEN) => {
            let what = format!("the store refuses it{code}: the credentials found are wrong, or do not allow it");
            (ErrorKind::PermissionDenied, what)
        }
        StoreError::Unauthenticated { .. } => {
            (ErrorKind::PermissionDenied, format!("the store rejects the credentials found{code}"))
        }
        StoreError::AlreadyExists { .. } => (ErrorKind::AlreadyExists, "already exists".to_owned()),
        StoreError::Precondition { .. } | StoreError::NotModified { .. } => {
            (ErrorKind::InvalidData, "was changed or replaced meanwhile".to_owned())
        }
        other if other.to_string().contains(METADATA_SERVICE) => {
            let what = "there are no credentials in the environment, in a profile, or of this computer itself";
            (ErrorKind::PermissionDenied, format!("{what} ({})", cause(other)))
        }
        other => (ErrorKind::Other, format!("{}{code}", cause(other))),
    };
    io::Error::new(kind, what)
}

/// The innermost cause, without response bodies and without the parts of addresses that can hold a signature or token.
fn cause(error: &StoreError) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    let text = text.lines().next().unwrap_or_default();
    let text = text.split('<').next().unwrap_or_default().trim_end_matches([' ', ':']);
    let words = text.split(' ').map(|word| match word.split_once('?') {
        Some((address, _)) if address.contains("://") => address,
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ").chars().take(SHOWN).collect()
}

/// The store's own code for the error: `<Code>SlowDown</Code>` in its response.
fn code(error: &StoreError) -> Option<String> {
    let text = error.to_string();
    let (_, after) = text.split_once("<Code>")?;
    let code: String = after.chars().take_while(char::is_ascii_alphanumeric).take(SHOWN).collect();
    Some(code).filter(|c| !c.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
        StoreError::Generic { store: "S3", source: source.into() }
    }

    #[test]
    fn the_query_of_an_address_is_not_told() {
        let error = generic("Error for https://host/a?sig=SECRET&se=1 in 1 s");
        assert_eq!(explained(&error).to_string(), "Error for https://host/a in 1 s");
    }

    #[test]
    fn an_answer_is_told_by_its_code() {
        let error =
            generic("status code: 503 Service Unavailable: <?xml?><Error><Code>SlowDown</Code><Message>x</Message>");
        assert_eq!(explained(&error).to_string(), "status code: 503 Service Unavailable (SlowDown)");
    }
}
