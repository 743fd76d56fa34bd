//! Columns of headers as numbers, before there is a table of them.

use crate::base::error::Result;
use crate::parquet::values::Values;
use crate::segy::ByteOrder;
use crate::segy::fields::FieldKind;
use crate::table::columns::{HeaderTable, Source};
use crate::table::formula::Formula;
use crate::table::rows::Rows;

/// What follows from the headers alone: all columns but the flags of the samples, texts and raw bytes.
pub(crate) struct ColumnNumbers {
    columns: Vec<(String, Source)>,
    formulas: Vec<Formula>,
    order: ByteOrder,
    header_bytes: usize,
}

impl ColumnNumbers {
    /// # Errors
    /// `Error::Usage` for an invalid expression.
    pub(crate) fn new(table: &HeaderTable) -> Result<Self> {
        let is_number = |(_, source): &(String, Source)| match source {
            Source::Mark { .. } | Source::Flag(_) | Source::RawBytes { .. } => false,
            Source::Field { kind, .. } => !matches!(kind, FieldKind::Text(_)),
            _ => true,
        };
        Ok(Self {
            columns: table.leaves().filter(is_number).collect(),
            formulas: table.computed.iter().map(Formula::new).collect::<Result<_>>()?,
            order: table.byte_order,
            header_bytes: table.header_bytes as usize,
        })
    }

    /// The names of the columns.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// Some columns of consecutive headers, column by column; NaN for what is null or no column.
    pub(crate) fn numbers(&self, names: &[&str], headers: &[u8], first_trace: u64) -> Vec<Vec<f64>> {
        let rows = Rows {
            bytes: headers,
            width: self.header_bytes,
            order: self.order,
            first_trace,
            flags: &[],
            formulas: &self.formulas,
            changed: &[],
        };
        let of = |name: &&str| {
            let source = self.columns.iter().find(|(known, _)| known == name).map(|(_, source)| *source);
            source.map_or_else(|| vec![f64::NAN; rows.n_rows()], |source| numbers(&rows, source))
        };
        names.iter().map(of).collect()
    }
}

fn numbers(rows: &Rows, source: Source) -> Vec<f64> {
    if let Source::Field { offset, kind } = source {
        return rows.as_f64(offset, kind);
    }
    match rows.values(source) {
        Values::Double(values) | Values::Nullable(values) => values,
        Values::Int64(values) => values.into_iter().map(|value| value as f64).collect(),
        Values::NullableInt64(values) => {
            let number = |value| if value == i64::MIN { f64::NAN } else { value as f64 };
            values.into_iter().map(number).collect()
        }
        Values::Bool(values) => values.into_iter().map(|is_set| f64::from(u8::from(is_set))).collect(),
        Values::Int32(_) | Values::Float(_) | Values::Text(_) => vec![f64::NAN; rows.n_rows()],
    }
}
