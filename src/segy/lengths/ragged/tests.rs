//! Walks along traces of varying length.

use crate::segy::lengths::ragged::*;
use crate::segy::{Access, Io};

/// A file of 10 bytes followed by traces with these numbers of 2-byte samples.
fn file(counts: &[u16]) -> (tempfile::TempDir, SegyFile) {
    let directory = tempfile::tempdir().unwrap();
    let mut bytes = vec![0; 10];
    for n in counts {
        let mut trace = vec![0; 240 + usize::from(*n) * 2];
        trace[114..116].copy_from_slice(&n.to_be_bytes());
        bytes.extend(trace);
    }
    std::fs::write(directory.path().join("f"), bytes).unwrap();
    let file = SegyFile::open(&directory.path().join("f"), Io::Auto, Access::Headers).unwrap();
    (directory, file)
}

fn walk(file: &SegyFile, end: u64) -> Walk {
    let order = ByteOrder::Big;
    Chain { file, start: 10, end, header_bytes: 240, sample_bytes: 2, order }.walk(&|_| Ok(())).unwrap()
}

#[test]
fn a_walk_counts_the_traces_and_names_the_first_odd_one() {
    let (_directory, file) = file(&[5, 5, 9, 3]);
    let walk = walk(&file, file.len());
    assert_eq!((walk.n_traces, walk.index.min_samples, walk.max_samples), (4, 3, 9));
    assert_eq!((walk.first_odd, &walk.how), (Some((2, 9)), &End::Exact));
    assert_eq!(walk.index.offsets, [10, 260, 510, 768]);
}

#[test]
fn a_walk_that_is_stopped_says_how_far_it_is() {
    let (_directory, file) = file(&[3; 20_000]);
    let (start, end) = (10, file.len());
    let chain = Chain { file: &file, start, end, header_bytes: 240, sample_bytes: 2, order: ByteOrder::Big };
    let stopped = |walked: Walked| Err(crate::base::error::Error::Failed(format!("{walked:?}")));
    let bytes = WATCH_TRACES * 246;
    let walked = Walked { n_traces: WATCH_TRACES, bytes, of_bytes: 20_000 * 246 };
    assert_eq!(chain.walk(&stopped).unwrap_err().to_string(), format!("{walked:?}"));
}

#[test]
fn a_walk_says_where_it_breaks() {
    let (_directory, cut) = file(&[5, 0, 3]);
    assert!(walk(&cut, cut.len()).complaint(&cut).unwrap().starts_with("trace 2, at byte 261, says 0 samples"));
    let (_directory, whole) = file(&[5, 7]);
    let cut = walk(&whole, whole.len() - 3);
    assert_eq!((cut.n_traces, cut.how), (1, End::Cut { needed: 254, left: 251 }));
    let rest = walk(&whole, whole.len() - 200);
    assert_eq!((rest.n_traces, rest.how), (1, End::Rest(54)));
}

#[test]
fn the_kept_offsets_stay_few_and_right() {
    let index = TraceIndex { step: 1, offsets: Vec::new(), end: 0, min_samples: u32::MAX };
    let mut walk = Walk { index, n_traces: 0, max_samples: 0, first_odd: None, first_samples: 0, how: End::Exact };
    for trace in 0..100_003 {
        walk.add(trace * 7, 1);
    }
    assert_eq!(walk.index.step, 8);
    assert_eq!(walk.index.offsets.len(), 100_003usize.div_ceil(8));
    assert!(walk.index.offsets.iter().enumerate().all(|(i, &offset)| offset == i as u64 * 8 * 7));
}

#[test]
fn the_count_of_extension_1_comes_before_the_16_bits() {
    let mut header = vec![0; 480];
    header[114..116].copy_from_slice(&7u16.to_be_bytes());
    assert_eq!(stated_samples(&header, ByteOrder::Big), 7);
    header[472..480].copy_from_slice(b"SEG00001");
    assert_eq!(stated_samples(&header, ByteOrder::Big), 7);
    header[240 + 136..240 + 140].copy_from_slice(&70_000u32.to_be_bytes());
    assert_eq!(stated_samples(&header, ByteOrder::Big), 70_000);
}
