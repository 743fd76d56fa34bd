//! Trace header fields that the user sets to an expression.

use std::str::FromStr;

use crate::base::error::{Error, Result};
use crate::plan::mapping::placed_columns::{canonical_name, input};
use crate::segy::ByteOrder;
use crate::segy::fields::{FieldKind, TRACE_FIELDS, TRACE_HEADER_BYTES};
use crate::segy::layout::InputFormat;
use crate::table::formula::{Computed, Formula, names};
use crate::table::{HeaderTable, write_number};

/// `FIELD=EXPRESSION`: a field by its name, or by its first byte and type, and what becomes its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetField {
    first_byte: u32,
    kind: FieldKind,
    expression: Computed,
}

impl FromStr for SetField {
    type Err = Error;

    /// `offset=100 * trace_number_cdp`, `233:i32=cdp + 1`.
    fn from_str(text: &str) -> Result<Self> {
        const MAJOR: u8 = 1;
        let wrong = |why: String| Error::Usage(format!("--set {text}: {why}"));
        let (field, expression) = text
            .split_once('=')
            .ok_or_else(|| wrong("is not FIELD=EXPRESSION, as in offset=100 * trace_number_cdp".into()))?;
        let (first_byte, kind) = place(field.trim()).map_err(wrong)?;
        let columns = HeaderTable::standard_columns(InputFormat::Segy, MAJOR);
        let inputs =
            names(expression).and_then(|names| names.iter().map(|name| input(name, &columns, MAJOR)).collect());
        let (name, expression) = (field.trim().to_owned(), expression.trim().to_owned());
        let expression = Computed { name, expression, inputs: inputs.map_err(wrong)? };
        Formula::new(&expression)?;
        Ok(Self { first_byte, kind, expression })
    }
}

/// Where a field is: by its name, or as BYTE:TYPE.
fn place(field: &str) -> Result<(u32, FieldKind), String> {
    if let Some((byte, kind)) = field.split_once(':') {
        let kind: FieldKind = kind.parse()?;
        let last = TRACE_HEADER_BYTES as u32 + 1;
        return match byte.parse() {
            Ok(byte) if byte >= 1 && byte + kind.size() as u32 <= last && !matches!(kind, FieldKind::Text(_)) => {
                Ok((byte, kind))
            }
            _ => Err(format!("{field} is not a number in the {TRACE_HEADER_BYTES} bytes of a trace header")),
        };
    }
    let name = canonical_name(field, 1);
    let known = TRACE_FIELDS.iter().find(|f| f.name == name).map(|f| (f.byte, f.kind));
    known.ok_or_else(|| format!("{field} is not a trace header field; BYTE:TYPE names any other place"))
}

/// The fields to set, ready for traces.
pub(super) struct Setter(Vec<(SetField, Formula)>);

impl Setter {
    pub(super) fn new(fields: &[SetField]) -> Result<Self> {
        let with_formula = |field: &SetField| Ok((field.clone(), Formula::new(&field.expression)?));
        fields.iter().map(with_formula).collect::<Result<_>>().map(Self)
    }

    /// Sets them one after another; a later one sees the earlier ones. What is not defined stays as it is.
    pub(super) fn set(&self, header: &mut [u8], order: ByteOrder) {
        for (field, formula) in &self.0 {
            let value = formula.value(header, order);
            if !value.is_nan() {
                write_number(header, field.first_byte, field.kind, order, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::read_integer;

    #[test]
    fn fields_are_set_one_after_another() {
        let fields = ["cdp=1000 + 2 * inline", "233:i16=cdp / 3", "offset=0 / 0", "tracf=pow(10, 18)"];
        let setter = Setter::new(&fields.map(|text| text.parse().unwrap())).unwrap();
        for order in [ByteOrder::Big, ByteOrder::Little] {
            let mut header = vec![0; 240];
            write_number(&mut header, 189, FieldKind::I32, order, 5.0);
            write_number(&mut header, 37, FieldKind::I32, order, 77.0);
            setter.set(&mut header, order);
            let at = |byte, kind| read_integer(&header, byte, kind, order);
            assert_eq!((at(21, FieldKind::I32), at(233, FieldKind::I16), at(37, FieldKind::I32)), (1010, 337, 77));
            assert_eq!(at(13, FieldKind::I32), i64::from(i32::MAX));
        }
    }

    #[test]
    fn what_cannot_be_set_is_refused_in_words() {
        for (text, words) in [
            ("inline", "is not FIELD=EXPRESSION"),
            ("inlin=3", "inlin is not a trace header field"),
            ("239:i32=3", "is not a number in the 240 bytes"),
            ("inline=crossline +", "--set inline=crossline +"),
            ("inline=crosslin", "crosslin"),
        ] {
            let refused = text.parse::<SetField>().unwrap_err().to_string();
            assert!(refused.contains(words), "{text}: {refused}");
        }
    }
}
