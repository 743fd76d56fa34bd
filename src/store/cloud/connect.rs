//! Connections to buckets, one for each, with credentials from the environment and from profiles.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::multipart::MultipartStore;
use object_store::path::Path as Key;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use tokio::runtime::{Builder, Runtime};

use crate::store::address::{Address, Scheme};
use crate::store::cloud::messages::{explained, invalid};
use crate::store::cloud::profile;

/// Threads for requests: they only move and encrypt bytes; converting happens in other threads.
const THREADS: usize = 2;
/// Time limit of a request, unless the environment sets another. Enough for 8 MiB on a slow line shared by many.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How often a request is retried after a failure that may be temporary.
const RETRIES: usize = 10;
/// How often a request whose answer was lost is sent again, after a pause that doubles each time. Not if it has taken
/// longer than [`TIME_TO_REPEAT`]: it was retried many times then.
const REPEATS: usize = 4;
const TIME_TO_REPEAT: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The environment variable for the number of retries.
const RETRIES_VARIABLE: &str = "SEGY_IMPORT_RETRIES";

/// An object store that also accepts multipart uploads.
pub(super) trait Store: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> Store for T {}

/// Where an object is.
#[derive(Clone)]
pub(super) struct Place {
    pub store: Arc<dyn Store>,
    pub key: Key,
}

impl Place {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let address = Address::parse(path).map_err(invalid)?;
        Ok(Self { store: store(&address)?, key: Key::parse(address.key).map_err(invalid)? })
    }
}

/// The runtime that requests run on.
pub(super) fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<io::Result<Runtime>> = OnceLock::new();
    let start = || {
        try_threads(THREADS).map_err(|e| io::Error::new(e.kind(), format!("its threads cannot be started: {e}")))?;
        Builder::new_multi_thread().worker_threads(THREADS).thread_name("store").enable_all().build()
    };
    RUNTIME.get_or_init(start).as_ref().map_err(|e| io::Error::new(e.kind(), e.to_string()))
}

/// Whether the system has so many threads for this process: the runtime panics where it has not.
fn try_threads(n: usize) -> io::Result<()> {
    let (stop, stopped) = crossbeam_channel::bounded::<()>(0);
    let start = |_| {
        let stopped = stopped.clone();
        std::thread::Builder::new().spawn(move || stopped.recv().is_ok())
    };
    let threads: Vec<_> = (0..n).map(start).collect();
    drop(stop);
    threads.into_iter().try_for_each(|thread| thread.map(|thread| drop(thread.join())))
}

/// Waits for a request and explains any failure.
pub(super) fn wait<T>(request: impl Future<Output = object_store::Result<T>>) -> io::Result<T> {
    wait_for(request)?.map_err(|e| explained(&e))
}

/// Waits for a request.
pub(super) fn wait_for<T>(request: impl Future<Output = T>) -> io::Result<T> {
    Ok(runtime()?.block_on(request))
}

/// Sends a request that is safe to repeat, and repeats it if its answer is lost; the library does not.
pub(super) async fn again<T, R: Future<Output = object_store::Result<T>>>(
    request: impl Fn() -> R,
) -> object_store::Result<T> {
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    for _ in 0..REPEATS {
        match request().await {
            Err(object_store::Error::Generic { .. }) if begun.elapsed() < TIME_TO_REPEAT => {}
            outcome => return outcome,
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    request().await
}

/// The store for a bucket.
pub(super) fn store(address: &Address) -> io::Result<Arc<dyn Store>> {
    type Stores = HashMap<(Scheme, String), Arc<dyn Store>>;
    static STORES: Mutex<Option<Stores>> = Mutex::new(None);
    let mut stores = STORES.lock().unwrap_or_else(PoisonError::into_inner);
    let stores = stores.get_or_insert_default();
    let name = (address.scheme, address.bucket.to_owned());
    if let Some(store) = stores.get(&name) {
        return Ok(store.clone());
    }
    let store = match address.scheme {
        Scheme::S3 => s3(address.bucket)?,
        Scheme::Gs => {
            let builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(address.bucket);
            let builder = builder.with_retry(retry_config()?).with_client_options(client_options("GOOGLE", "")?);
            Arc::new(builder.build().map_err(|e| explained(&e))?) as Arc<dyn Store>
        }
        Scheme::Az => {
            let endpoint = variable("AZURE_ENDPOINT").unwrap_or_default();
            let builder = MicrosoftAzureBuilder::from_env().with_container_name(address.bucket);
            let builder = builder.with_retry(retry_config()?).with_client_options(client_options("AZURE", &endpoint)?);
            Arc::new(builder.build().map_err(|e| explained(&e))?) as Arc<dyn Store>
        }
    };
    stores.insert(name, store.clone());
    Ok(store)
}

/// Keys, region and endpoint come from the environment, and what is not set there from the profile.
fn s3(bucket: &str) -> io::Result<Arc<dyn Store>> {
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
    let is_open = |builder: &AmazonS3Builder, key| builder.get_config_value(&key).is_none();
    let profile = profile::read(&|name| variable(name))?;
    if is_open(&builder, AmazonS3ConfigKey::Region)
        && let Some(region) = variable("AWS_DEFAULT_REGION").or(profile.region)
    {
        builder = builder.with_region(region);
    }
    if is_open(&builder, AmazonS3ConfigKey::Endpoint)
        && is_open(&builder, AmazonS3ConfigKey::S3Endpoint)
        && let Some(endpoint) = profile.endpoint_url
    {
        builder = builder.with_endpoint(endpoint);
    }
    let has_other = !is_open(&builder, AmazonS3ConfigKey::WebIdentityTokenFile);
    if is_open(&builder, AmazonS3ConfigKey::AccessKeyId)
        && !has_other
        && let Some((id, secret)) = profile.keys
    {
        builder = builder.with_access_key_id(id).with_secret_access_key(secret);
        if let Some(token) = profile.token {
            builder = builder.with_token(token);
        }
    }
    let endpoint = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint];
    let endpoint = endpoint.iter().find_map(|key| builder.get_config_value(key)).unwrap_or_default();
    let builder = builder.with_retry(retry_config()?).with_client_options(client_options("AWS", &endpoint)?);
    Ok(Arc::new(builder.build().map_err(|e| explained(&e))?))
}

/// The time limit, and the connection options that the environment sets. An endpoint with `http://` is used without
/// TLS.
fn client_options(prefix: &str, endpoint: &str) -> io::Result<ClientOptions> {
    let mut options = ClientOptions::new().with_timeout(TIMEOUT);
    if endpoint.starts_with("http://") {
        options = options.with_allow_http(true);
    }
    for (name, value) in std::env::vars_os() {
        let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { continue };
        let key = name.strip_prefix(prefix).and_then(|n| n.strip_prefix('_')).map(str::to_ascii_lowercase);
        if let Some(key) = key.and_then(|k| k.parse().ok()) {
            options = options.with_config(key, value);
        }
    }
    Ok(options)
}

/// Temporary failures are retried with growing pauses: up to ten times within three minutes.
fn retry_config() -> io::Result<RetryConfig> {
    let max_retries = match variable(RETRIES_VARIABLE) {
        None => RETRIES,
        Some(text) => text.parse().map_err(|_| invalid(format!("{RETRIES_VARIABLE} is not a number: {text}")))?,
    };
    Ok(RetryConfig { max_retries, ..RetryConfig::default() })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
