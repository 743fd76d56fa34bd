//! Panics of libraries that are expected: where they do not look for damage in the bytes that they decode.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::base::error::Error;

thread_local! {
    /// What a panic of this thread means.
    static MEANING: RefCell<Option<Error>> = const { RefCell::new(None) };
}

/// The result of `work`; `None` if it panics. A program that does not unwind fails with `meaning` instead, see [`expected`].
pub(crate) fn caught<T>(meaning: &Error, work: impl FnOnce() -> T) -> Option<T> {
    MEANING.set(Some(meaning.clone()));
    let done = catch_unwind(AssertUnwindSafe(work)).ok();
    MEANING.set(None);
    done
}

/// What a panic of this thread means, if one is expected.
pub(crate) fn expected() -> Option<Error> {
    MEANING.with_borrow(Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_has_its_meaning_while_it_is_expected() {
        let meaning = Error::Input("it is damaged".into());
        assert_eq!(caught(&meaning, || expected().unwrap()), Some(meaning.clone()));
        assert_eq!(expected(), None);
        assert_eq!(caught::<()>(&meaning, || panic!("as the test wants it")), None);
        assert_eq!(expected(), None);
    }
}
