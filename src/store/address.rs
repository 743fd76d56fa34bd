//! Addresses of places in object stores.

use std::path::Path;

/// The kinds of object stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scheme {
    /// Amazon S3 and compatible stores.
    S3,
    /// Google Cloud Storage.
    Gs,
    /// Azure Blob Storage.
    Az,
}

const SCHEMES: [(&str, Scheme); 3] = [("s3://", Scheme::S3), ("gs://", Scheme::Gs), ("az://", Scheme::Az)];

/// `s3://bucket/key`, parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address<'a> {
    pub scheme: Scheme,
    /// The bucket, or the container.
    pub bucket: &'a str,
    /// Without a slash at either end; may be empty.
    pub key: &'a str,
}

/// Whether a path is the address of a place in an object store.
pub(crate) fn is_remote(path: &Path) -> bool {
    path.to_str().is_some_and(|text| SCHEMES.iter().any(|(prefix, _)| text.starts_with(prefix)))
}

/// The path for messages, without anything in front of the bucket that could be a password.
pub(super) fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    let Some((scheme, rest)) = text.split_once("://") else { return text };
    match rest.split('/').next().and_then(|authority| authority.rfind('@')) {
        Some(at) => format!("{scheme}://…{}", &rest[at..]),
        None => text,
    }
}

impl<'a> Address<'a> {
    /// # Errors
    /// What is wrong with it, without the path.
    pub(super) fn parse(path: &'a Path) -> Result<Self, String> {
        let text = path.to_str().ok_or("the name is not UTF-8")?;
        let place = SCHEMES.iter().find_map(|(prefix, scheme)| Some((*scheme, text.strip_prefix(prefix)?)));
        let (scheme, rest) = place.ok_or("is not an address in an object store")?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let key = key.trim_end_matches('/');
        if bucket.contains(['@', ':']) {
            return Err("write scheme://bucket/key; credentials come only from the environment and profiles".into());
        }
        if bucket.is_empty() || bucket.contains(['?', '#']) {
            return Err("names no bucket; write scheme://bucket/key".into());
        }
        if !key.is_empty() && key.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err("has an empty part, . or .. in its key".into());
        }
        Ok(Self { scheme, bucket, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_bucket_and_a_key() {
        let parse = |text: &'static str| Address::parse(Path::new(text));
        let address = Address { scheme: Scheme::S3, bucket: "bucket", key: "a/b c" };
        assert_eq!(parse("s3://bucket/a/b c/"), Ok(address));
        assert_eq!(parse("gs://bucket"), Ok(Address { scheme: Scheme::Gs, bucket: "bucket", key: "" }));
        for wrong in ["s3://", "s3:///key", "s3://b/a//b", "az://b/../c", "s3://key:secret@b/c", "s3://b?x=1/c", "/b/c"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(shown(Path::new("s3://key:secret@bucket/a@b")), "s3://…@bucket/a@b");
        assert_eq!(shown(Path::new("s3://bucket/a@b")), "s3://bucket/a@b");
    }
}
