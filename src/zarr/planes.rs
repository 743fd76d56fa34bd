//! Zstandard in the Blosc 1 container, with a frame for each byte plane of a block.
//!
//! Sign and exponent of a float need about three bits of their eight, the lowest bits of the mantissa all of them. A
//! Huffman table for each plane is nearly all of the gain; planes that do not shrink are stored as they are. c-blosc itself
//! compresses the planes of a block in one piece with Zstandard, but reads separate ones: bit 4 of the flags is clear.
//! Source of the frames: RFC 8878.

use zstd::zstd_safe::{CCtx, CParameter, DCtx, ParamSwitch, Strategy};

use crate::zarr::blosc::{Blosc, Format, MAX_PARTS, PartDecoder, PartEncoder, Place, Shuffle, Unblosc};

/// Bytes of a plane, at most. Zstandard samples a piece this long before it tries to compress it, so noise costs little
/// more than a copy; shorter pieces pay more for their tables.
const PLANE_BYTES: usize = 64 << 10;
/// Blocks are no longer than this, however many planes they have.
const BLOCK_BYTES: usize = 256 << 10;
/// One block in this many is compressed both ways, to see which to use for the blocks that follow.
const TRIAL_BLOCKS: usize = 16;
/// The same while matches pay. They take longer, and pay above the first arrivals but not long after them.
const TRIAL_BLOCKS_WITH_MATCHES: usize = 4;

/// An encoder of chunks. `level` is 1 to 9: at 1 there are no matches, just a Huffman table for each plane.
///
/// `None` for items of more than 255 bytes, and where a chunk is longer than the format can say.
pub(super) fn encoder(item_bytes: usize, chunk_bytes: usize, level: u8) -> Option<Blosc> {
    let block_bytes = block_bytes(item_bytes, chunk_bytes);
    Blosc::new(item_bytes, chunk_bytes, block_bytes, Shuffle::Byte, Box::new(PlaneEncoder::new(item_bytes, level)?))
}

/// The way back from [`encoder`], whatever the level.
pub(super) fn decoder(item_bytes: usize, chunk_bytes: usize) -> Option<Unblosc> {
    Unblosc::new(item_bytes, chunk_bytes, Box::new(PlaneDecoder { context: DCtx::try_create()? }))
}

/// Equal blocks, because a shorter one at the end is not split; only a few items are left over.
fn block_bytes(item_bytes: usize, chunk_bytes: usize) -> usize {
    let n_items = chunk_bytes / item_bytes.max(1);
    let most_items = PLANE_BYTES.min(BLOCK_BYTES / item_bytes.max(1)).max(1);
    let n_blocks = n_items.div_ceil(most_items).max(1);
    (n_items / n_blocks).max(1) * item_bytes
}

/// Compresses each plane in the way that was better when both were last tried.
struct PlaneEncoder {
    literals: CCtx<'static>,
    /// `None` at level 1.
    matches: Option<CCtx<'static>>,
    /// Matches pay if they save more than one byte in this many of a plane.
    bytes_for_one: usize,
    /// For each plane, whether matches paid in the last trial.
    has_matches: [bool; MAX_PARTS],
    /// A plane compressed with matches, in a trial.
    tried: Vec<u8>,
}

impl PlaneEncoder {
    fn new(item_bytes: usize, level: u8) -> Option<Self> {
        let search = match level {
            ..=1 => None,
            2.. => Some(SEARCHES.get(usize::from(level) - 2)?),
        };
        let matches = match search {
            None => None,
            Some(search) => Some(search.context(item_bytes)?),
        };
        Some(Self {
            literals: context(&LITERALS)?,
            matches,
            bytes_for_one: search.map_or(1, |search| search.bytes_for_one),
            has_matches: [false; MAX_PARTS],
            tried: Vec::new(),
        })
    }
}

impl PartEncoder for PlaneEncoder {
    fn format(&self) -> Format {
        Format::Zstd
    }

    fn encode(&mut self, place: Place, part: &[u8], room: &mut [u8]) -> Option<usize> {
        let Some(matches) = &mut self.matches else { return self.literals.compress2(room, part).ok() };
        let has_matches = &mut self.has_matches[place.part];
        let n_blocks = if *has_matches { TRIAL_BLOCKS_WITH_MATCHES } else { TRIAL_BLOCKS };
        if !place.block.is_multiple_of(n_blocks) {
            let context = if *has_matches { matches } else { &mut self.literals };
            return context.compress2(room, part).ok();
        }
        self.tried.resize(room.len(), 0);
        let with_matches = matches.compress2(&mut self.tried[..], part).ok();
        let without = self.literals.compress2(room, part).ok();
        let n = with_matches.unwrap_or(part.len());
        *has_matches = n + part.len() / self.bytes_for_one < without.unwrap_or(part.len());
        if *has_matches {
            room[..n].copy_from_slice(&self.tried[..n]);
            return with_matches;
        }
        without
    }
}

/// One table of Huffman codes and nothing else: the search steps over more than a plane. Compression of literals must be
/// asked for, because Zstandard takes long steps to mean that it is not wanted.
const LITERALS: [CParameter; 4] = [
    CParameter::Strategy(Strategy::ZSTD_fast),
    CParameter::TargetLength(128 << 10),
    CParameter::HashLog(6),
    CParameter::LiteralCompressionMode(ParamSwitch::Enable),
];

/// How matches are found at one level.
struct Search {
    parameters: &'static [CParameter],
    /// A shorter match costs more than the Huffman codes that it replaces.
    least_bytes: u32,
    /// See [`PlaneEncoder::bytes_for_one`].
    bytes_for_one: usize,
}

impl Search {
    const fn new(parameters: &'static [CParameter], least_bytes: u32, bytes_for_one: usize) -> Self {
        Self { parameters, least_bytes, bytes_for_one }
    }

    fn context(&self, item_bytes: usize) -> Option<CCtx<'static>> {
        let mut context = context(self.parameters)?;
        // Quiet samples of one byte come in runs.
        let least_bytes = if item_bytes == 1 { self.least_bytes.min(5) } else { self.least_bytes };
        context.set_parameter(CParameter::MinMatch(least_bytes)).ok()?;
        Some(context)
    }
}

/// The levels from 2 on. The tables of the first two, 16 and 80 KiB, stay in the L1 and L2 caches. The others are
/// Zstandard's own levels, for which six bytes are the most that can be asked for. Matches take three times as long as
/// Huffman codes alone, so at level 2 they must be worth it.
const SEARCHES: [Search; 8] = {
    use CParameter::{ChainLog, CompressionLevel, HashLog, Strategy as By};
    [
        Search::new(&[By(Strategy::ZSTD_fast), HashLog(12)], 7, 32),
        Search::new(&[By(Strategy::ZSTD_dfast), HashLog(14), ChainLog(12)], 7, 128),
        Search::new(&[CompressionLevel(5)], 6, 128),
        Search::new(&[CompressionLevel(6)], 6, 128),
        Search::new(&[CompressionLevel(8)], 6, 128),
        Search::new(&[CompressionLevel(10)], 6, 128),
        Search::new(&[CompressionLevel(14)], 6, 128),
        Search::new(&[CompressionLevel(16)], 6, 128),
    ]
};

fn context(parameters: &[CParameter]) -> Option<CCtx<'static>> {
    let mut context = CCtx::try_create()?;
    for parameter in parameters {
        context.set_parameter(*parameter).ok()?;
    }
    Some(context)
}

struct PlaneDecoder {
    context: DCtx<'static>,
}

impl PartDecoder for PlaneDecoder {
    fn format(&self) -> Format {
        Format::Zstd
    }

    fn decode(&mut self, encoded: &[u8], part: &mut [u8]) -> Option<()> {
        let n = self.context.decompress(part, encoded).ok()?;
        (n == part.len()).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(encoder: &mut Blosc, chunk: &[u8]) -> Vec<u8> {
        chunk.chunks(encoder.block_bytes()).for_each(|block| encoder.push(block));
        encoder.finish().to_vec()
    }

    fn random(state: &mut u64) -> u8 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (*state >> 56) as u8
    }

    /// Noise in the lower bytes of the items; the highest byte has few values, and `n_repeated` of the items come back.
    fn items(item_bytes: usize, n: usize, seed: u64, n_repeated: usize) -> Vec<u8> {
        let mut state = seed;
        let mut bytes: Vec<u8> = (0..n * item_bytes).map(|_| random(&mut state)).collect();
        bytes.chunks_mut(item_bytes).for_each(|item| item[item_bytes - 1] %= 7);
        let repeated = n_repeated.min(n) * item_bytes;
        if repeated > 0 {
            (repeated..bytes.len()).for_each(|i| bytes[i] = bytes[i - repeated]);
        }
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn chunks_come_back_as_they_went_in(
            item_bytes in prop_oneof![Just(1usize), Just(2), Just(4), Just(8), 1usize..=255],
            n in prop_oneof![1usize..300, 300usize..100_000],
            level in 1u8..=5,
            n_repeated in prop_oneof![Just(0usize), 1usize..5000],
            seed: u64,
        ) {
            let chunk = items(item_bytes, n, seed, n_repeated);
            let mut encoder = encoder(item_bytes, chunk.len(), level).unwrap();
            let container = encode(&mut encoder, &chunk);
            let mut decoder = decoder(item_bytes, chunk.len()).unwrap();
            prop_assert!(decoder.decode(&container) == Some(&chunk[..]));
            // Earlier chunks leave nothing behind, neither in the contexts nor in the trials.
            encode(&mut encoder, &vec![7; chunk.len()]);
            prop_assert!(encode(&mut encoder, &chunk) == container);
        }

        #[test]
        fn a_damaged_container_is_refused_or_gives_a_whole_chunk(
            (at, byte, length) in (0usize..4000, 0u8..=255, 0usize..8000), level in 1u8..=2,
        ) {
            let chunk = items(4, 1000, 1, 300);
            let mut container = encode(&mut encoder(4, chunk.len(), level).unwrap(), &chunk);
            let at = at % container.len();
            container[at] = byte;
            container.truncate(length.max(at + 1));
            let mut decoder = decoder(4, chunk.len()).unwrap();
            if let Some(decoded) = decoder.decode(&container) {
                prop_assert_eq!(decoded.len(), chunk.len());
            }
        }

        #[test]
        fn what_is_left_over_is_less_than_an_item_for_each_block(item_bytes in 1usize..=255, n in 1usize..10_000_000) {
            let block = block_bytes(item_bytes, n * item_bytes);
            let n_blocks = (n * item_bytes) / block;
            prop_assert!(block.is_multiple_of(item_bytes) && block <= BLOCK_BYTES && block <= PLANE_BYTES * item_bytes);
            prop_assert!((n * item_bytes) % block < n_blocks * item_bytes);
        }
    }

    #[test]
    fn noise_costs_four_bytes_a_plane() {
        let mut state = 1;
        let chunk: Vec<u8> = (0..1 << 20).map(|_| random(&mut state)).collect();
        let container = encode(&mut encoder(4, chunk.len(), 2).unwrap(), &chunk);
        assert_eq!(container.len(), chunk.len() + 16 + 4 * (4 + 16));
    }

    #[test]
    fn the_plane_of_few_values_becomes_shorter() {
        let chunk = items(4, 100_000, 1, 0);
        let share = |level| encode(&mut encoder(4, chunk.len(), level).unwrap(), &chunk).len() as f64 / 4e5;
        // Three planes of noise, and one of seven values: log2(7) bits of eight.
        assert!((0.838..0.845).contains(&share(1)), "{}", share(1));
        assert!(share(2) <= share(1) + 1e-4);
    }

    #[test]
    fn traces_that_come_back_are_found_at_the_levels_with_matches() {
        let chunk = items(4, 100_000, 1, 1500);
        let share = |level| encode(&mut encoder(4, chunk.len(), level).unwrap(), &chunk).len() as f64 / 4e5;
        assert!(share(1) > 0.8 && share(2) < 0.3, "{} {}", share(1), share(2));
    }

    #[test]
    fn levels_and_sizes_that_do_not_exist_are_refused() {
        assert!(encoder(4, 4096, 10).is_none());
        assert!(encoder(256, 4096, 1).is_none() && encoder(0, 4096, 1).is_none() && decoder(0, 4096).is_none());
        assert!(encoder(4, 0, 1).is_none() && encoder(4, usize::MAX / 8, 1).is_none() && decoder(4, 0).is_none());
    }

    /// The bytes are the same on every machine. Another version of Zstandard may make others: they are not wrong, but then the
    /// output has changed.
    #[test]
    fn the_bytes_are_those_of_this_version() {
        let chunk = items(4, 200_000, 1, 20_000);
        let digests = [1, 2, 3, 4, 9].map(|level| {
            let container = encode(&mut encoder(4, chunk.len(), level).unwrap(), &chunk);
            container.iter().fold(0xCBF2_9CE4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01B3))
        });
        assert_eq!(
            digests,
            [
                16_568_397_619_410_839_812,
                14_966_629_542_462_512_894,
                15_255_498_446_072_438_738,
                12_711_781_131_463_178_702,
                11_914_929_775_960_563_532,
            ]
        );
    }

    #[test]
    fn a_frame_that_claims_more_than_a_plane_is_refused() {
        // A hundred times the same byte, in a frame that says how much it holds: RFC 8878, sections 3.1.1.1 and 3.1.1.2.
        let frame = |n: u64| [&[0x28, 0xB5, 0x2F, 0xFD, 0xE0][..], &n.to_le_bytes(), &[0x23, 0x03, 0, 9]].concat();
        let mut decoder = PlaneDecoder { context: DCtx::create() };
        let mut part = [1; 100];
        assert!(decoder.decode(&frame(1 << 60), &mut part).is_none());
        assert!(decoder.decode(&frame(99), &mut part).is_none());
        assert!(decoder.decode(&frame(100), &mut part[..99]).is_none());
        assert!(decoder.decode(&frame(100), &mut [1; 101]).is_none());
        assert!(decoder.decode(&frame(100), &mut part).is_some() && part == [9; 100]);
    }

    #[test]
    fn other_compressors_and_sizes_are_refused() {
        let chunk = items(4, 10_000, 1, 0);
        let container = encode(&mut encoder(4, chunk.len(), 1).unwrap(), &chunk);
        let mut lz4 = Unblosc::lz4(4, chunk.len()).unwrap();
        assert!(lz4.decode(&container).is_none());
        for (item_bytes, n) in [(2, chunk.len()), (4, chunk.len() - 4), (4, chunk.len() + 4)] {
            assert!(decoder(item_bytes, n).unwrap().decode(&container).is_none());
        }
    }
}
