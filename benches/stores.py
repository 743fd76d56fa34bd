"""Measures imports to and from an S3 server on the loopback, and the server by itself.

Starts the tests' server and counting proxy (tests/python), makes a survey, and runs three imports: file to store, store to
directory, store to store. Prints for each the rate in MB/s of input, the requests per GB of input, and the peak memory of a
worker; also the rate at which boto3 puts and gets objects of 8 MiB with as many threads as workers. Needs Python with the
packages of tests/python/requirements-stores.txt, and a program built with --features cloud.

    python3 benches/stores.py --program target/release/segy-import --traces 60000
"""

import argparse
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent / "tests" / "python"
OBJECT_BYTES = 8 << 20
SAMPLES = 1000


def server(script, *arguments):
    """Starts one of the tests' servers and returns its port. It ends with this process, which holds its standard input open."""
    command = [sys.executable, str(SCRIPTS / script), *map(str, arguments)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return int(process.stdout.readline())


def peak_memory(pid, peaks):
    """Records the peak resident memory of a process's workers, in MiB."""
    while pathlib.Path(f"/proc/{pid}").exists():
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            try:
                status = pathlib.Path(f"/proc/{child}/status").read_text()
            except OSError:
                continue
            for line in status.splitlines():
                if line.startswith("VmHWM:"):
                    peaks[child] = max(peaks.get(child, 0), int(line.split()[1]) / 1024)
        time.sleep(0.02)


def counts(client_port):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", client_port)
    connection.request("GET", "/-/counts")
    return collections.Counter(json.loads(connection.getresponse().read()))


def run(program, arguments, environment):
    """Runs an import. Returns its time in seconds and the peak memory of its workers in MiB."""
    started = time.monotonic()
    command = [program, *map(str, arguments), "--overwrite", "--no-sync", "--progress", "none", "--parallel-threshold", "0"]
    process = subprocess.Popen(command, env=environment)
    peaks = {}
    watcher = threading.Thread(target=peak_memory, args=(process.pid, peaks))
    watcher.start()
    if process.wait() != 0:
        sys.exit(f"{command} failed")
    seconds = time.monotonic() - started
    watcher.join()
    return seconds, max(peaks.values(), default=0)


def of_the_server(client, bucket, n_bytes, threads):
    """MB/s of putting objects and of getting them again."""
    n = max(threads, n_bytes // OBJECT_BYTES)
    body = os.urandom(OBJECT_BYTES)
    rates = []
    for request in (
        lambda i: client.put_object(Bucket=bucket, Key=f"plain/{i}", Body=body),
        lambda i: client.get_object(Bucket=bucket, Key=f"plain/{i}")["Body"].read(),
    ):
        started = time.monotonic()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(request, range(n)))
        rates.append(n * OBJECT_BYTES / 1e6 / (time.monotonic() - started))
    return rates


def main():
    import boto3
    import botocore.config

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/segy-import")
    parser.add_argument("--traces", type=int, default=60_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()

    port = server("store_server.py")
    proxy = server("faulty_proxy.py", port)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    environment |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
    direct = environment | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    counted = environment | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy}"}
    client = boto3.client(
        "s3",
        endpoint_url=direct["AWS_ENDPOINT_URL"],
        aws_access_key_id="x",
        aws_secret_access_key="x",
        region_name="us-east-1",
        config=botocore.config.Config(max_pool_connections=options.workers),
    )
    client.create_bucket(Bucket="bench")

    directory = pathlib.Path(tempfile.mkdtemp())
    try:
        file, local = directory / "in.sgy", directory / "out"
        subprocess.run([options.program, "generate", file, "--traces", str(options.traces), "--samples", str(SAMPLES)], check=True)
        n_bytes = file.stat().st_size
        client.upload_file(str(file), "bench", "in.sgy")
        print(f"{n_bytes / 1e6:.0f} MB, {options.workers} workers")
        put, get = of_the_server(client, "bench", n_bytes, options.workers)
        print(f"{'server alone':<24} put {put:.0f} MB/s, get {get:.0f} MB/s")
        stored = "s3://bench/in.sgy"
        for name, source, target in (
            ("file to store", file, "s3://bench/a"),
            ("store to directory", stored, local),
            ("store to store", stored, "s3://bench/b"),
        ):
            workers = ["--workers", options.workers]
            seconds, memory = run(options.program, [source, target, *workers], direct)
            before = counts(proxy)
            run(options.program, [source, target, *workers], counted)
            requests = counts(proxy) - before
            kinds = ", ".join(f"{n / n_bytes * 1e9:.0f} {kind}" for kind, n in sorted(requests.items()) if kind.isupper())
            print(f"{name:<24} {n_bytes / 1e6 / seconds:.0f} MB/s, per GB {kinds}; {memory:.0f} MiB per worker")
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
