"""What the tests do with a bucket. Arguments: what, name of the bucket, and more as each function below says."""

import http.client
import os
import pathlib
import sys

import boto3

what, bucket, *arguments = sys.argv[1:]
client = boto3.client("s3") if "AWS_ENDPOINT_URL" in os.environ else None


def make():
    client.create_bucket(Bucket=bucket)


def put(file, key):
    client.upload_file(file, bucket, key)


def found(prefix):
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            yield entry["Key"]


def keys(prefix):
    for key in found(prefix):
        print(key)


def get(prefix, directory):
    for key in found(prefix + "/"):
        path = pathlib.Path(directory, key[len(prefix) + 1 :])
        path.parent.mkdir(parents=True, exist_ok=True)
        client.download_file(bucket, key, str(path))


def remove(key):
    client.delete_object(Bucket=bucket, Key=key)


def uploads():
    for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        print(upload["Key"])


def counts(port):
    connection = http.client.HTTPConnection("127.0.0.1", int(port))
    connection.request("GET", "/-/counts")
    print(connection.getresponse().read().decode())


def read(prefix):
    """Shape and sum of the samples, as zarr and xarray read them straight from the store."""
    import obstore.store
    import zarr.storage

    store = obstore.store.S3Store(
        bucket,
        prefix=prefix,
        endpoint=os.environ["AWS_ENDPOINT_URL"],
        client_options={"allow_http": True},
    )
    describe(zarr.storage.ObjectStore(store, read_only=True))


def read_local(directory):
    describe(directory)


def describe(store):
    import xarray

    dataset = xarray.open_zarr(store)
    traces = dataset["traces.zarr"]
    print(*traces.shape, float(traces.astype("float64").sum()))


globals()[what](*arguments)
