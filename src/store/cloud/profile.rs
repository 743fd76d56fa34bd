//! AWS profiles: keys, region and endpoint in `~/.aws/credentials` and `~/.aws/config`.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::store::cloud::messages::invalid;

/// With one of these in the environment no credentials are asked of a profile.
const CREDENTIALS_ELSEWHERE: [&str; 4] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// The settings a profile has.
#[derive(Default)]
pub(super) struct Profile {
    /// Access key and secret key.
    pub keys: Option<(String, String)>,
    /// Session token that goes with the keys.
    pub token: Option<String>,
    pub region: Option<String>,
    pub endpoint_url: Option<String>,
}

/// Reads the profile named in the environment, or `default`.
///
/// # Errors
/// If the named profile does not exist, has credentials of another kind than keys, or a file cannot be read and the
/// environment has no credentials.
pub(super) fn read(variable: &dyn Fn(&str) -> Option<String>) -> io::Result<Profile> {
    let named = variable("AWS_PROFILE");
    let name = named.as_deref().unwrap_or("default");
    let home = variable("HOME").map(PathBuf::from).unwrap_or_default();
    let file = |name: &str, usual: &str| variable(name).map_or_else(|| home.join(usual), PathBuf::from);
    let is_needed = !CREDENTIALS_ELSEWHERE.iter().any(|&name| variable(name).is_some());
    let section = |path: &Path, names: &[&str]| match section(path, names) {
        Err(e) if is_needed => Err(io::Error::new(e.kind(), format!("{}: cannot be read: {e}", path.display()))),
        found => Ok(found.unwrap_or_default()),
    };
    let credentials = section(&file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"), &[name])?;
    let in_config = format!("profile {name}");
    let config_names = if name == "default" { vec![in_config.as_str(), name] } else { vec![in_config.as_str()] };
    let config = section(&file("AWS_CONFIG_FILE", ".aws/config"), &config_names)?;
    if named.is_some() && credentials.is_none() && config.is_none() {
        return Err(invalid(format!("there is no profile {name}, which AWS_PROFILE names")));
    }
    let (credentials, config) = (credentials.unwrap_or_default(), config.unwrap_or_default());
    let get = |key: &str| credentials.get(key).or_else(|| config.get(key)).cloned();
    let keys = get("aws_access_key_id").zip(get("aws_secret_access_key"));
    if named.is_some() && keys.is_none() && variable("AWS_ACCESS_KEY_ID").is_none() {
        return Err(invalid(format!(
            "the profile {name} has no access key; put its credentials into the environment: \
             eval \"$(aws configure export-credentials --profile {name} --format env)\""
        )));
    }
    Ok(Profile { keys, token: get("aws_session_token"), region: get("region"), endpoint_url: get("endpoint_url") })
}

/// The entries of the first of these sections found in a file, if it is there.
fn section(path: &Path, names: &[&str]) -> io::Result<Option<HashMap<String, String>>> {
    let text = match std::fs::read_to_string(path) {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
        text => text?,
    };
    Ok(names.iter().find_map(|name| {
        let mut lines = text.lines().map(str::trim).skip_while(|line| header(line) != Some(name));
        lines.next()?;
        let entries = lines.take_while(|line| header(line).is_none()).filter(|line| !line.starts_with(['#', ';']));
        let pairs = entries.filter_map(|line| line.split_once('='));
        Some(pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect())
    }))
}

/// The section name, if the line is a section header.
fn header(line: &str) -> Option<&str> {
    line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_of(files: [&str; 2], variables: &[(&str, &str)]) -> io::Result<Profile> {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        for (name, text) in ["credentials", "config"].iter().zip(files) {
            std::fs::write(home.path().join(".aws").join(name), text).unwrap();
        }
        read(&|name| match name {
            "HOME" => home.path().to_str().map(str::to_owned),
            name => variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()),
        })
    }

    const CREDENTIALS: &str = "[default]\naws_access_key_id = A\naws_secret_access_key=B\n\n[other]\n# no\naws_access_key_id=C\n\
                               aws_secret_access_key=D=\naws_session_token=E\n";
    const CONFIG: &str = "[default]\nregion=eu-north-1\n[profile other]\nregion = us-west-2\nendpoint_url = http://h\n[profile sso]\nsso_session=x\n";

    #[test]
    fn the_default_profile_is_read_without_being_named() {
        let profile = read_of([CREDENTIALS, CONFIG], &[]).unwrap();
        assert_eq!(profile.keys, Some(("A".into(), "B".into())));
        assert_eq!((profile.token, profile.region.as_deref()), (None, Some("eu-north-1")));
    }

    #[test]
    fn the_environment_names_another_profile() {
        let profile = read_of([CREDENTIALS, CONFIG], &[("AWS_PROFILE", "other")]).unwrap();
        assert_eq!(profile.keys, Some(("C".into(), "D=".into())));
        assert_eq!(profile.token.as_deref(), Some("E"));
        assert_eq!((profile.region.as_deref(), profile.endpoint_url.as_deref()), (Some("us-west-2"), Some("http://h")));
    }

    #[test]
    fn a_named_profile_that_cannot_be_used_is_refused() {
        for (name, what) in [("none", "no profile none"), ("sso", "export-credentials")] {
            let error = read_of([CREDENTIALS, CONFIG], &[("AWS_PROFILE", name)]).err().unwrap();
            assert!(error.to_string().contains(what), "{error}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_unless_the_environment_has_credentials() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join(".aws/config")).unwrap();
        let read = |given: Option<&str>| {
            read(&|name| match name {
                "HOME" => home.path().to_str().map(str::to_owned),
                name => given.filter(|given| *given == name).map(|_| "x".to_owned()),
            })
        };
        let error = read(None).err().unwrap().to_string();
        assert!(error.contains(".aws/config: cannot be read"), "{error}");
        assert!(read(Some("AWS_ACCESS_KEY_ID")).unwrap().region.is_none());
    }

    #[test]
    fn without_files_there_is_an_empty_profile() {
        assert!(read(&|_| None).unwrap().keys.is_none());
    }
}
