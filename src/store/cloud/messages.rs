//! What goes wrong with requests, in plain words and without what could be secret.

use std::error::Error;
use std::io::{self, ErrorKind};

use object_store::Error as StoreError;

/// Characters of a cause that are shown at most.
const SHOWN: usize = 200;

/// The answer to requests that are not allowed, where it has no kind of error of its own.
const FORBIDDEN: &str = " 403 Forbidden";
/// Where computers in clouds ask for credentials of their own, as the last resort.
const METADATA_SERVICE: &str = "169.254.";

/// A request or a place that is not as it has to be.
pub(super) fn invalid(what: impl ToString) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, what.to_string())
}

/// The failure of a request as one of input and output.
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
            (ErrorKind::PermissionDenied, format!("the store does not take the credentials found{code}"))
        }
        StoreError::AlreadyExists { .. } => (ErrorKind::AlreadyExists, "is there already".to_owned()),
        StoreError::Precondition { .. } | StoreError::NotModified { .. } => {
            (ErrorKind::InvalidData, "was changed or replaced meanwhile".to_owned())
        }
        other if other.to_string().contains(METADATA_SERVICE) => {
            let what = "there are no credentials in the environment, and none in a profile or of this computer";
            (ErrorKind::PermissionDenied, format!("{what} ({})", cause(other)))
        }
        other => (ErrorKind::Other, format!("{}{code}", cause(other))),
    };
    io::Error::new(kind, what)
}

/// The innermost cause, without the parts of addresses that can hold a signature or a token, and without a body.
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

/// The word that the store has for it: `<Code>SlowDown</Code>` in what it answered.
fn code(error: &StoreError) -> Option<String> {
    let text = error.to_string();
    let (_, behind) = text.split_once("<Code>")?;
    let code: String = behind.chars().take_while(char::is_ascii_alphanumeric).take(SHOWN).collect();
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
