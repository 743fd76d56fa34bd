//! What the user calls a column: by its own name, or by another name of its field, in upper or lower case.

use crate::segy::fields::{PASSCAL_FIELDS, TRACE_FIELDS};
use crate::selection::Columns;

/// The end of the name of a column with the scalar applied.
const SCALED: &str = "_scaled";

/// The column of this name, or else that of the field with this other name; both also with `_scaled`.
pub(super) fn column_called(name: &str, columns: &dyn Columns) -> Option<String> {
    columns.spelt(name).or_else(|| {
        let lower = name.to_ascii_lowercase();
        let (field, end) = lower.strip_suffix(SCALED).map_or((lower.as_str(), ""), |field| (field, SCALED));
        let mut fields = TRACE_FIELDS.iter().chain(PASSCAL_FIELDS).filter(|f| f.is_called(field));
        fields.find_map(|f| columns.spelt(&format!("{}{end}", f.name)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::{Error, Result};

    /// Columns of these names.
    struct Named(&'static [&'static str]);

    impl Columns for Named {
        fn has(&self, name: &str) -> bool {
            self.0.contains(&name)
        }

        fn missing(&self, name: &str) -> Error {
            Error::Usage(name.to_owned())
        }

        fn are_used(&self, _: &[&str]) -> Result<bool> {
            Ok(true)
        }
    }

    #[test]
    fn a_column_is_called_by_its_name_or_by_those_of_its_field() {
        let columns = Named(&["field_record", "source_x", "source_x_scaled", "inline", "Mine", "sample_interval_long"]);
        for (name, expected) in [
            ("inline", Some("inline")),
            ("ILINE", Some("inline")),
            ("INLINE_3D", Some("inline")),
            ("fldr", Some("field_record")),
            ("FieldRecord", Some("field_record")),
            ("sx", Some("source_x")),
            ("SX_scaled", Some("source_x_scaled")),
            ("Source_X_Scaled", Some("source_x_scaled")),
            ("samp_rate", Some("sample_interval_long")),
            ("Mine", Some("Mine")),
            ("xline", None),
            ("fldr_scaled", None),
            ("offset", None),
        ] {
            assert_eq!(column_called(name, &columns).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn a_column_of_that_very_name_comes_first() {
        assert_eq!(column_called("sx", &Named(&["source_x", "sx"])).as_deref(), Some("sx"));
        assert_eq!(column_called("CDP", &Named(&["cdp", "CDP"])).as_deref(), Some("CDP"));
    }
}
