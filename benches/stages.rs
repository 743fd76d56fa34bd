//! The stages of an import, one by one: `cargo bench`. Whole runs are measured by `benches/whole_run.py`.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use segy_import::ByteOrder;
use segy_import::ImportConfig;
use segy_import::internals::Dtype;
use segy_import::internals::SampleStatistics;
use segy_import::internals::partition;
use segy_import::internals::{ArrayPlan, ChunkEncoder};
use segy_import::internals::{Converter, FORMATS, sample_format};
use segy_import::internals::{HeaderSummary, HeaderTable, Joining, SegmentWriter, TablePart};
use segy_import::{GenerateConfig, generate_to};

const N_TRACES: usize = 2000;
const N_SAMPLES: usize = 1000;
const STRIDE: usize = 240 + 4 * N_SAMPLES;

/// The traces of a synthetic survey with IBM samples, headers included.
fn traces() -> Vec<u8> {
    let mut bytes = Vec::new();
    let config = GenerateConfig { n_traces: N_TRACES as u64, n_samples: N_SAMPLES as u32, ..Default::default() };
    generate_to(&config, &mut bytes, &mut |_, _| {}).expect("a survey in memory");
    bytes.split_off(3600)
}

/// A chunk of float32 samples, trace after trace.
fn chunk(traces: &[u8]) -> Vec<u8> {
    let mut converter = Converter::new(&FORMATS[0], ByteOrder::Big, Dtype::Float32).expect("IBM to float32");
    let mut chunk = vec![0; N_TRACES * N_SAMPLES * 4];
    for (trace, out) in traces.chunks(STRIDE).zip(chunk.chunks_mut(4 * N_SAMPLES)) {
        converter.convert(&trace[240..], out);
    }
    chunk
}

fn conversion(c: &mut Criterion) {
    // Larger than the L1 cache, smaller than the L2 cache: as in an import.
    let input: Vec<u8> = traces()[240..][..4 * N_SAMPLES].repeat(64);
    let mut group = c.benchmark_group("conversion");
    group.throughput(Throughput::Bytes(input.len() as u64));
    for code in [1, 3, 5, 6, 7] {
        let Some(format) = sample_format(code) else { continue };
        let input = &input[..input.len() / 24 * 24];
        let mut out = vec![0; input.len() / format.bytes * format.native.size()];
        let Some(mut converter) = Converter::new(format, ByteOrder::Big, format.native) else { continue };
        group.bench_function(format.name, |b| b.iter(|| converter.convert(black_box(input), &mut out)));
    }
    // What imports do for these two formats: converting, statistics, and finding words that cannot be restored, in one
    // pass.
    let mut values = vec![0; input.len()];
    for code in [1, 5] {
        let Some(format) = sample_format(code) else { continue };
        let Some(convert) = format.plain_kernel(ByteOrder::Big, Dtype::Float32) else { continue };
        let input = if code == 1 { input.clone() } else { vec![0x41; input.len()] };
        group.bench_function(format!("{}, and looking at it", format.name), |b| {
            b.iter(|| convert(black_box(&input), &mut values));
        });
    }
    group.bench_function("statistics float32", |b| {
        b.iter(|| SampleStatistics::default().add(Dtype::Float32, black_box(&values)));
    });
    group.finish();
}

fn codecs(c: &mut Criterion) {
    let chunk = chunk(&traces());
    let mut group = c.benchmark_group("codec");
    group.throughput(Throughput::Bytes(chunk.len() as u64)).sample_size(10);
    for name in ["lz4:1", "lz4", "lz4-bit:1", "lz4-bit", "zstd:1", "zstd", "zstd:3", "zstd-plain", "gzip"] {
        let mut array = ArrayPlan::new(N_SAMPLES as u64, N_TRACES as u64, Dtype::Float32);
        array.codec = name.parse().expect("a codec of the table");
        let mut encoder = ChunkEncoder::new(&array);
        let mut encode = |chunk: &[u8]| {
            let mut n_encoded = 0;
            let mut count = |encoded: &[u8]| {
                n_encoded += encoded.len();
                Ok(())
            };
            for window in chunk.chunks(512 << 10) {
                encoder.room(window.len()).copy_from_slice(window);
                encoder.advance(&mut count)?;
            }
            encoder.finish(&mut count).map(|_| n_encoded)
        };
        let ratio = chunk.len() as f64 / encode(&chunk).map_or(f64::NAN, |n| n as f64);
        group.bench_function(format!("{name} (ratio {ratio:.2})"), |b| b.iter(|| encode(black_box(&chunk))));
    }
    group.finish();
}

fn headers(c: &mut Criterion) {
    let traces = traces();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut group = c.benchmark_group("headers");
    group.throughput(Throughput::Elements(100 * N_TRACES as u64)).sample_size(10);
    for raw_header in [true, false] {
        let table = HeaderTable {
            columns: HeaderTable::standard_columns(segy_import::InputFormat::Segy, 1),
            header_bytes: 240,
            byte_order: ByteOrder::Big,
            row_group_rows: HeaderTable::default_row_group_rows(240, 100 * N_TRACES as u64),
            raw_header,
            sample_flags: true,
            pairwise_swapped: false,
            file_index: false,
            in_parts: false,
            n_samples: false,
            trace_in_file: false,
            computed: Vec::new(),
            recording_time: None,
            degrees: Vec::new(),
            info: Vec::new(),
            grid_keys: Vec::new(),
        };
        let path = directory.path().join(format!("{raw_header}.parquet"));
        let write = || -> segy_import::Result<HeaderSummary> {
            let mut writer = SegmentWriter::create(&segy_import::internals::Place::of(&path).unwrap(), &table, 0)?;
            for _ in 0..100 {
                writer.push(&traces, STRIDE, N_TRACES, &[0; N_TRACES])?;
            }
            writer.finish()
        };
        let name = if raw_header { "fields and raw header" } else { "fields" };
        group.bench_function(name, |b| b.iter(|| write().expect("the header table")));
        if raw_header {
            let joined = directory.path().join("joined.parquet");
            let row_groups = write().expect("the header table").row_groups;
            let parts = ["first", "second"].map(|name| TablePart {
                path: segy_import::internals::Place::of(&directory.path().join(name)).unwrap(),
                row_groups,
            });
            let copies =
                || parts.iter().for_each(|part| std::fs::copy(&path, part.path.path()).map(drop).expect("a copy"));
            group.bench_function("join", |b| {
                let join = |()| {
                    let joined = segy_import::internals::Place::of(&joined).unwrap();
                    let mut table = Joining::create(&joined, &table).expect("the joined table");
                    for part in &parts {
                        let part = TablePart { path: part.path.clone(), row_groups: part.row_groups };
                        table.push(part, &|| Ok(())).expect("a part");
                    }
                    table.finish(None).expect("the joined table")
                };
                b.iter_batched(copies, join, BatchSize::PerIteration);
            });
        }
    }
    group.finish();
}

fn planning(c: &mut Criterion) {
    let mut group = c.benchmark_group("planning");
    group.bench_function("partition into 64 segments at gathers of 60", |b| {
        let mut key_of = |trace: u64| Ok(vec![(trace / 60) as i64]);
        b.iter_batched(|| (), |()| partition(10_000_000, 64, 10_000, Some(&mut key_of)), BatchSize::SmallInput);
    });
    let directory = tempfile::tempdir().expect("a temporary directory");
    let input = directory.path().join("in.sgy");
    let config = GenerateConfig { n_traces: 100_000, n_samples: 10, ..Default::default() };
    segy_import::generate(&config, &input, &mut |_, _| {}, &segy_import::CancelHandle::new()).expect("a survey");
    let import = ImportConfig::new(&input, directory.path().join("out"));
    group.bench_function("plan of a file", |b| b.iter(|| import.plan().expect("a plan")));
    group.finish();
}

criterion_group! {
    name = stages;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = conversion, codecs, headers, planning
}
criterion_main!(stages);
