//! Fields of the trace headers that warnings are about: scalars, the sample interval, and the delay.

use crate::segy::fields::FieldKind;
use crate::segy::is_scalar;
use crate::segy::samples::format::ByteOrder;
use crate::table::columns::HeaderTable;
use crate::table::rows::read_integer;
use crate::table::summary::HeaderSummary;

/// Scalars of coordinates and of elevations.
const SCALARS: [&str; 2] = ["coordinate_scalar", "elevation_scalar"];
/// Fields that should be the same in all traces.
const CONSTANTS: [&str; 2] = ["sample_interval", "delay_recording_time"];

/// Where the watched fields are: first byte, from 1, and type.
#[derive(Clone)]
pub(crate) struct Watched {
    scalars: [Option<u32>; 2],
    constants: [Option<(u32, FieldKind)>; 2],
}

impl Watched {
    pub(crate) fn new(table: &HeaderTable) -> Self {
        let find = |name: &str| table.columns.iter().find(|c| c.name == name && c.kind.is_integer());
        // A scalar that the user gave takes the place of those in the headers.
        let is_used = |byte: u32| table.columns.iter().any(|c| c.scalar == Some(byte) && c.given_scalar.is_none());
        let scalar =
            |name| find(name).filter(|c| c.kind == FieldKind::I16).map(|c| c.first_byte).filter(|&b| is_used(b));
        Self {
            scalars: SCALARS.map(scalar),
            constants: CONSTANTS.map(|name| find(name).map(|c| (c.first_byte, c.kind))),
        }
    }

    /// Whether the fields have one value, given that `changed` is 0 for bytes that have.
    pub(crate) fn is_constant(&self, changed: &[u8]) -> bool {
        let scalars = self.scalars.iter().flatten().map(|&byte| (byte, FieldKind::I16));
        let mut fields = scalars.chain(self.constants.iter().flatten().copied());
        let is_same = |&byte: &u8| byte == 0;
        fields.all(|(byte, kind)| changed[byte as usize - 1..][..kind.size()].iter().all(is_same))
    }

    /// Takes note of `n` traces from `trace` on, whose fields are those of `header`.
    pub(crate) fn see(&self, header: &[u8], order: ByteOrder, trace: u64, n: u64, summary: &mut HeaderSummary) {
        for (byte, n_odd) in self.scalars.iter().zip(&mut summary.n_odd_scalars) {
            let is_odd = |byte: &u32| !is_scalar(read_integer(header, *byte, FieldKind::I16, order) as i16);
            *n_odd += if byte.as_ref().is_some_and(is_odd) { n } else { 0 };
        }
        for (place, change) in self.constants.iter().zip(&mut summary.changes) {
            if let Some((byte, kind)) = *place {
                change.see(trace, read_integer(header, byte, kind, order));
            }
        }
    }
}
