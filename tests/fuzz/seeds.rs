//! Inputs for the fuzz targets to begin with, made and not kept.

use std::fs;

use segy_import::ByteOrder;
use segy_import::CancelHandle;
use segy_import::internals::work;
use segy_import::{GenerateConfig, SurveyKind, generate};

use crate::checks::Survey;

/// A survey of each format and byte order, and what is odd about some files.
pub(crate) fn files() -> Vec<Vec<u8>> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("in.sgy");
    let mut files = Vec::new();
    for (i, format) in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 16].into_iter().enumerate() {
        let kind = [SurveyKind::Poststack, SurveyKind::Prestack, SurveyKind::Shots][i % 3];
        let byte_order = [ByteOrder::Big, ByteOrder::Little][i % 2];
        let survey =
            GenerateConfig { kind, byte_order, format, n_traces: 4, n_samples: 3, ..GenerateConfig::default() };
        // Not every format can be generated.
        if generate(&survey, &path, &mut |_, _| {}, &segy_import::CancelHandle::new()).is_ok() {
            files.push(fs::read(&path).unwrap());
        }
    }
    let odd: Vec<Vec<u8>> = files.iter().flat_map(|file| oddities(file)).collect();
    files.extend(odd);
    files
}

/// A file changed to something that is met.
fn oddities(file: &[u8]) -> Vec<Vec<u8>> {
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = file.to_vec();
        change(&mut bytes);
        bytes
    };
    let mut label = b"   1SY1.0RECORDB001         0        23JUN-01-1999".to_vec();
    label.resize(128, b' ');
    let stanza = |text: &str| {
        let mut record = text.as_bytes().to_vec();
        record.resize(3200, b' ');
        record
    };
    let entries = "<entry name=\"cdp\" byte=\"9\" type=\"int4\"/><entry name=\"ffid\" byte=\"21\" type=\"int4\"/>";
    let layout = format!("((SEG:Layout:text/xml))<segy-layout name=\"x\">{entries}</segy-layout>");
    vec![
        changed(&|b| b.truncate(b.len() - 5)),
        changed(&|b| b.extend([7; 50])),
        changed(&|b| drop(b.splice(..0, label.clone()))),
        file[3600..].to_vec(),
        changed(&|b| b[3200..].as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.swap(0, 1))),
        changed(&|b| {
            b[3296..3300].copy_from_slice(&[1, 2, 3, 4]);
            b[3500] = 2;
            b[3504..3506].copy_from_slice(&[0, 2]);
            b.splice(3600..3600, [stanza(&layout), stanza("((SEG:EndText))")].concat());
        }),
        changed(&|b| {
            b[3500..3502].copy_from_slice(&[2, 1]);
            b[3528..3532].copy_from_slice(&[0, 0, 0, 1]);
            b.extend(stanza("((OGP:P1/90))"));
        }),
        changed(&|b| {
            let last = b.len() - (file.len() - 3600) / 4;
            let cut = ((file.len() - 3600) / 4 - 240) / 3;
            b[last + 115] = 2;
            b.truncate(b.len() - cut);
        }),
        changed(&|b| {
            b[3500] = 2;
            b[3506..3510].copy_from_slice(&[0, 0, 0, 1]);
            let (header, stride) = ([&[0; 232][..], b"SEG00001"].concat(), (file.len() - 3600) / 4);
            (0..4).rev().for_each(|i| drop(b.splice(3600 + i * stride + 240..3600 + i * stride + 240, header.clone())));
        }),
    ]
}

/// The plan of an import in three segments.
pub(crate) fn plans() -> Vec<Vec<u8>> {
    vec![serde_json::to_vec(&Survey::new().plan).unwrap()]
}

/// What the workers of an import say, and what one says that fails.
pub(crate) fn lines() -> Vec<Vec<u8>> {
    let (survey, staging) = (Survey::new(), tempfile::tempdir().unwrap());
    let mut said = String::new();
    for segment in &survey.plan.segments {
        let last = work(
            &survey.plan,
            &segy_import::internals::Place::to_write(staging.path()).unwrap(),
            segment.id,
            &CancelHandle::new(),
            &|_| {},
        );
        let last = serde_json::to_string(&last).unwrap();
        said += &format!("{{\"type\":\"progress\",\"traces\":2}}\n{last}\n\n");
    }
    let failed = "{\"type\":\"started\",\"segment\":0}\n{\"type\":\"failed\",\"exit_code\":3,\"message\":\"a\\nb\"}\n";
    vec![said.into_bytes(), failed.as_bytes().to_vec()]
}
