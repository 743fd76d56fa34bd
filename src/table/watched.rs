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

    /// Takes note of one trace.
    pub(crate) fn see(&self, header: &[u8], order: ByteOrder, trace: u64, summary: &mut HeaderSummary) {
        for (byte, n) in self.scalars.iter().zip(&mut summary.n_odd_scalars) {
            let is_odd = |byte: &u32| !is_scalar(read_integer(header, *byte, FieldKind::I16, order) as i16);
            *n += u64::from(byte.as_ref().is_some_and(is_odd));
        }
        for (place, change) in self.constants.iter().zip(&mut summary.changes) {
            if let Some((byte, kind)) = *place {
                change.see(trace, read_integer(header, byte, kind, order));
            }
        }
    }
}
