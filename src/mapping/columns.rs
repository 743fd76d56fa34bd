//! The columns of `headers.parquet`, made of the standard and of all that says otherwise.

use super::presets::Preset;
use super::{FieldPlacement, HeaderOptions, PlacedField};
use crate::error::{Error, Result};
use crate::headers::{Column, HeaderTable};
use crate::segy::fields::{EXTENSION_1_FIELDS, Field, FieldKind, TRACE_FIELDS, TRACE_HEADER_BYTES};
use crate::segy::{Layout, SegyFile, text};

/// The header table of one file, and what is not as the standard has it.
#[derive(Clone, Debug)]
pub struct Columns {
    pub table: HeaderTable,
    pub placed: Vec<PlacedField>,
}

impl Columns {
    /// The columns of the standard, of additional headers, and those that were placed.
    ///
    /// # Errors
    /// `Error::Usage` for fields outside the headers, that overlap, or that are there twice; with their place.
    pub fn new(options: &HeaderOptions, raw_header: bool, file: &SegyFile, layout: &Layout) -> Result<Self> {
        let major = options.preset.and_then(|p| p.revision).unwrap_or(layout.revision.0);
        let header_bytes = layout.header_bytes() as u32;
        let mut builder =
            Builder { columns: standard_columns(major, options.preset), placed: Vec::new(), major, header_bytes };
        builder.columns.extend(extension_columns(file, layout)?);
        if let Some(preset) = options.preset {
            let by = format!("--preset {}", preset.name);
            for &(name, first_byte, kind) in preset.fields {
                builder.place(&FieldPlacement { name: name.into(), first_byte, kind, description: None }, &by, &by)?;
            }
        }
        builder.place_user_fields(options)?;
        let Builder { columns, placed, .. } = builder;
        let table = HeaderTable {
            columns,
            header_bytes,
            byte_order: layout.byte_order,
            row_group_rows: HeaderTable::default_row_group_rows(header_bytes),
            raw_header,
            pairwise_swapped: layout.pairwise_swapped,
            computed: Vec::new(),
        };
        let schema = table.arrow_schema();
        let mut names = std::collections::HashSet::new();
        match schema.fields().iter().map(|f| f.name()).find(|name| !names.insert(name.as_str())) {
            Some(name) => Err(Error::Usage(format!("--field: there is a column {name} already"))),
            None => Ok(Self { table, placed }),
        }
    }
}

fn standard_columns(major: u8, preset: Option<&Preset>) -> Vec<Column> {
    let mut columns = HeaderTable::standard_columns(major);
    if let Some(last) = preset.and_then(|p| p.last_byte) {
        columns.retain(|c| c.first_byte as usize + c.kind.size() - 1 <= last as usize);
    }
    columns
}

/// A field that the user placed, with where that is said.
struct UserField<'a> {
    field: &'a FieldPlacement,
    canonical: &'a str,
    /// The option.
    by: &'static str,
    /// The option with its file.
    at: String,
}

impl UserField<'_> {
    /// `inline (bytes 5-8, --field)`.
    fn describe(&self) -> String {
        format!("{} (bytes {}-{}, {})", self.field.name, self.field.first_byte, last_byte(self.field), self.at)
    }
}

fn last_byte(field: &FieldPlacement) -> usize {
    field.first_byte as usize + field.kind.size() - 1
}

struct Builder {
    columns: Vec<Column>,
    placed: Vec<PlacedField>,
    major: u8,
    header_bytes: u32,
}

impl Builder {
    /// Fields of the mapping file, and those of the options, which take the place of those of the same name.
    fn place_user_fields(&mut self, options: &HeaderOptions) -> Result<()> {
        let mut fields: Vec<UserField> = Vec::new();
        let of_mapping = options.mapping.iter().flat_map(|m| {
            let at = format!("--mapping {}", m.path.display());
            m.fields.iter().map(move |f| (f, "--mapping", at.clone()))
        });
        let of_options = options.fields.iter().map(|f| (f, "--field", "--field".to_owned()));
        for (field, by, at) in of_mapping.chain(of_options) {
            let new = UserField { field, canonical: canonical_name(&field.name, self.major), by, at };
            match fields.iter_mut().find(|known| known.canonical == new.canonical) {
                Some(known) if known.by != new.by => *known = new,
                Some(known) => {
                    let known = known.describe();
                    return Err(Error::Usage(format!("{}: {} is placed twice: {known}", new.at, new.describe())));
                }
                None => fields.push(new),
            }
        }
        for user in &fields {
            self.place(user.field, user.by, &user.at)?;
        }
        fields.sort_by_key(|u| u.field.first_byte);
        match fields.windows(2).find(|pair| last_byte(pair[0].field) >= pair[1].field.first_byte as usize) {
            Some(pair) => Err(Error::Usage(format!("{} and {} overlap", pair[0].describe(), pair[1].describe()))),
            None => Ok(()),
        }
    }

    /// Puts a field where it was placed: a column of the standard moves, another one is new. `by` is for the metadata,
    /// `at` for messages.
    fn place(&mut self, placed: &FieldPlacement, by: &str, at: &str) -> Result<()> {
        let (end, header_bytes) = (last_byte(placed), self.header_bytes);
        let refused = |why: String| Err(Error::Usage(format!("{at}: field {}: {why}", placed.name)));
        if end > header_bytes as usize {
            return refused(format!(
                "bytes {}-{end} are outside the {header_bytes} bytes of the trace headers",
                placed.first_byte
            ));
        }
        let canonical = canonical_name(&placed.name, self.major);
        self.placed.retain(|p| p.name != canonical);
        self.placed.push(PlacedField {
            name: canonical.to_owned(),
            first_byte: placed.first_byte,
            kind: placed.kind.to_string(),
            by: by.to_owned(),
            description: placed.description.clone(),
        });
        let Some(column) = self.columns.iter_mut().find(|c| c.name == canonical) else {
            let (name, first_byte, kind) = (placed.name.clone(), placed.first_byte, placed.kind);
            self.columns.push(Column { name, first_byte, kind, scalar: None });
            return Ok(());
        };
        let old_byte = std::mem::replace(&mut column.first_byte, placed.first_byte);
        column.kind = placed.kind;
        // Text has no scalar.
        column.scalar = column.scalar.filter(|_| !matches!(placed.kind, FieldKind::Text(_)));
        if TRACE_FIELDS.iter().any(|f| f.name == canonical && is_scalar(f)) {
            if placed.kind != FieldKind::I16 {
                return refused("the *_scaled columns are made with it, so it has to be i16".into());
            }
            let scaled = self.columns.iter_mut().filter(|c| c.scalar == Some(old_byte));
            scaled.for_each(|c| c.scalar = Some(placed.first_byte));
        }
        Ok(())
    }
}

/// Whether there are columns that are scaled by this field.
fn is_scalar(field: &Field) -> bool {
    HeaderTable::standard_columns(1).iter().any(|c| c.scalar == Some(field.byte))
}

/// The columns of trace header extension 1, where the first trace has an additional header of that name.
fn extension_columns(file: &SegyFile, layout: &Layout) -> Result<Vec<Column>> {
    let header = file.copy(layout.trace_offset(0), layout.header_bytes())?;
    let blocks = header.chunks(TRACE_HEADER_BYTES).enumerate().skip(1);
    let mut named = blocks.filter(|(_, block)| text::decode_field(&block[232..]) == "SEG00001");
    let Some((index, _)) = named.next() else { return Ok(Vec::new()) };
    let in_block = (index * TRACE_HEADER_BYTES) as u32;
    let column = |f: &Field| Column { name: f.name.into(), first_byte: in_block + f.byte, kind: f.kind, scalar: None };
    Ok(EXTENSION_1_FIELDS.iter().map(column).collect())
}

/// This program's name of a field that may be called by an alias; other names stay.
pub fn canonical_name(name: &str, major_revision: u8) -> &str {
    let mut fields = TRACE_FIELDS.iter().filter(|f| f.exists_in(major_revision));
    fields.find(|f| f.is_called(name)).map_or(name, |f| f.name)
}
