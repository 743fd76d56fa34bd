//! The columns of `headers.parquet`, from the standard and everything that overrides it.

use std::collections::HashMap;

use crate::base::error::{Error, Result};
use crate::base::near_names::near_names;
use crate::base::visible::{excerpt, visible};
use crate::plan::mapping::presets::Preset;
use crate::plan::mapping::stanza::{self, Entry};
use crate::plan::mapping::{ComputedField, FieldPlacement, HeaderOptions, PlacedField};
use crate::segy::fields::{EXTENSION_1_FIELDS, Field, FieldKind, TRACE_FIELDS, TRACE_HEADER_BYTES};
use crate::segy::layout::{Decision, InputFormat};
use crate::segy::{Layout, SegyFile, text};
use crate::table::formula::{Computed, Input, names};
use crate::table::{Column, ENSEMBLE_ID, HeaderTable};

/// The header table of one file, and what differs from the standard.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    pub table: HeaderTable,
    pub placed: Vec<PlacedField>,
    /// The decisions on a header mapping found in the file, and on scalars.
    pub decisions: Vec<Decision>,
    pub warning: Option<String>,
}

impl Columns {
    /// The columns of the standard and of additional headers, and those placed by the user.
    ///
    /// # Errors
    /// `Error::Usage`, with the source, for fields that are outside the headers, overlap, or are given twice.
    ///
    /// `marks` says whether there are columns `file_index`, `n_samples` and `trace_in_file` too.
    pub(crate) fn new(
        options: &HeaderOptions,
        raw_header: bool,
        marks: [bool; 3],
        file: &SegyFile,
        layout: &Layout,
    ) -> Result<Self> {
        let major = options.preset.and_then(|p| p.revision).unwrap_or(layout.revision.0);
        let header_bytes = layout.header_bytes() as u32;
        let mut builder = Builder {
            columns: standard_columns(layout.kind, major, options.preset),
            placed: Vec::new(),
            major,
            header_bytes,
        };
        builder.columns.extend(extension_columns(file, layout)?);
        let (decision, warning) = builder.place_stanza(file, layout)?;
        if let Some(preset) = options.preset {
            let by = format!("--preset {}", preset.name);
            for &(name, first_byte, kind) in preset.fields {
                builder.place(&FieldPlacement { name: name.into(), first_byte, kind, description: None }, &by, &by)?;
            }
        }
        builder.place_user_fields(options)?;
        let Builder { mut columns, placed, .. } = builder;
        let mut decisions: Vec<Decision> = decision.into_iter().collect();
        decisions.extend(options.coordinate_scalar.map(|given| give_scalar(&mut columns, given)));
        let computed = computed(options, &columns, major)?;
        let table = HeaderTable {
            columns,
            header_bytes,
            byte_order: layout.byte_order,
            row_group_rows: HeaderTable::default_row_group_rows(header_bytes, layout.n_traces),
            in_parts: false,
            raw_header,
            sample_flags: true,
            pairwise_swapped: layout.pairwise_swapped,
            computed,
            file_index: marks[0],
            n_samples: marks[1],
            trace_in_file: marks[2],
            grid_keys: Vec::new(),
            recording_time: None,
            degrees: Vec::new(),
            info: Vec::new(),
        };
        let schema = table.arrow_schema();
        let mut names = std::collections::HashSet::from([ENSEMBLE_ID]);
        match schema.fields().iter().map(|f| f.name()).find(|name| !names.insert(name.as_str())) {
            Some(name) => Err(Error::Usage(format!(
                "there is a column {name} already; give the field or the computed column another name"
            ))),
            None => Ok(Self { table, placed, decisions, warning }),
        }
    }
}

/// Scales coordinates by this instead of the scalars in the headers.
fn give_scalar(columns: &mut [Column], given: i32) -> Decision {
    let place = columns.iter().find(|c| c.name == "coordinate_scalar").map(|c| c.first_byte);
    columns.iter_mut().filter(|c| c.scalar.is_some() && c.scalar == place).for_each(|c| c.given_scalar = Some(given));
    Decision {
        what: "coordinate scalar".into(),
        value: given.to_string(),
        because: "option --coordinate-scalar".into(),
    }
}

fn standard_columns(kind: InputFormat, major: u8, preset: Option<&Preset>) -> Vec<Column> {
    let mut columns = HeaderTable::standard_columns(kind, major);
    if let Some(last) = preset.and_then(|p| p.last_byte) {
        columns.retain(|c| c.first_byte as usize + c.kind.size() - 1 <= last as usize);
    }
    columns
}

/// A field placed by the user, and where that was said.
struct UserField<'a> {
    field: &'a FieldPlacement,
    canonical: &'a str,
    /// The option.
    by: &'static str,
    /// The option with its file, for messages.
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
    /// Applies the header mapping found in the file, if it fits.
    ///
    /// It is applied as a whole: if an entry overlaps a standard field that the mapping does not move, the bytes
    /// would have two meanings, so the standard is kept.
    fn place_stanza(&mut self, file: &SegyFile, layout: &Layout) -> Result<(Option<Decision>, Option<String>)> {
        let Some((record, xml)) = stanza::find(file, layout)? else { return Ok((None, None)) };
        let at = format!("the stanza SEG:Layout in extended textual header {record}");
        let ignored =
            |why: String| Ok((None, Some(format!("{at} {}; it is ignored, --mapping places fields", visible(&why)))));
        let entries = match stanza::parse(&xml) {
            Ok(entries) => entries,
            Err(why) => return ignored(why),
        };
        let decided = |value: String| {
            let because = format!("extended textual header {record}");
            Ok((Some(Decision { what: "header mapping".into(), value: visible(&value).into_owned(), because }), None))
        };
        if let Some((entry, column)) = self.conflict(&entries) {
            return decided(format!(
                "SEG:Layout not applied: it has {} at byte {}, where the standard has {}, which it does not move",
                entry.column, entry.first_byte, column.name
            ));
        }
        let before = (self.columns.clone(), self.placed.clone());
        let blocks = block_names(file, layout)?;
        for entry in entries.iter().filter(|e| !e.is_standard) {
            let block = match &entry.extension {
                None => 0,
                Some(name) => match blocks.iter().position(|block| block == name) {
                    Some(block) => (block + 1) * TRACE_HEADER_BYTES,
                    None => continue,
                },
            };
            let (name, first_byte, kind) = (entry.column.clone(), block as u32 + entry.first_byte, entry.kind);
            if let Err(error) =
                self.place(&FieldPlacement { name, first_byte, kind, description: None }, "SEG:Layout", "its")
            {
                (self.columns, self.placed) = before;
                return ignored(format!("does not fit: {error}"));
            }
        }
        match self.placed.len() {
            0 => decided("SEG:Layout, all fields where the standard has them".into()),
            n => decided(format!("SEG:Layout, {n} fields at other places than in the standard")),
        }
    }

    /// An entry that overlaps a standard field that no entry moves. Fields dropped in rev 2 do not count.
    fn conflict<'a>(&'a self, entries: &'a [Entry]) -> Option<(&'a Entry, &'a Column)> {
        let in_standard = || entries.iter().filter(|e| e.extension.is_none());
        let stays = |c: &&Column| {
            let is_given_up = TRACE_FIELDS.iter().any(|f| f.name == c.name && !f.exists_in(2));
            c.first_byte as usize <= TRACE_HEADER_BYTES && !is_given_up && !in_standard().any(|e| e.column == c.name)
        };
        let overlap = |e: &Entry, c: &Column| {
            let (e_end, c_end) = (e.first_byte as usize + e.kind.size(), c.first_byte as usize + c.kind.size());
            (e.first_byte as usize) < c_end && (c.first_byte as usize) < e_end
        };
        let staying: Vec<&Column> = self.columns.iter().filter(stays).collect();
        in_standard().find_map(|e| staying.iter().find(|c| overlap(e, c)).map(|c| (e, *c)))
    }

    /// Places the fields of the mapping file and of the options; an option replaces a field of the same name.
    fn place_user_fields(&mut self, options: &HeaderOptions) -> Result<()> {
        let mut fields: Vec<UserField> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let of_mapping = options.mapping.iter().flat_map(|m| {
            let at = format!("--mapping {}", m.path.display());
            m.fields.iter().map(move |f| (f, "--mapping", at.clone()))
        });
        let of_options = options.fields.iter().map(|f| (f, "--field", "--field".to_owned()));
        for (field, by, at) in of_mapping.chain(of_options) {
            let new = UserField { field, canonical: canonical_name(&field.name, self.major), by, at };
            let place = *places.entry(new.canonical).or_insert(fields.len());
            match fields.get_mut(place) {
                Some(known) if known.by != new.by => *known = new,
                Some(known) => {
                    let known = known.describe();
                    return Err(Error::Usage(format!("{}: {} is placed twice: {known}", new.at, new.describe())));
                }
                None => fields.push(new),
            }
        }
        // No more than headers have bytes are left after this, however many a file has.
        let mut in_order: Vec<&UserField> = fields.iter().collect();
        in_order.sort_by_key(|u| u.field.first_byte);
        if let Some(pair) = in_order.windows(2).find(|p| last_byte(p[0].field) >= p[1].field.first_byte as usize) {
            return Err(Error::Usage(format!("{} and {} overlap", pair[0].describe(), pair[1].describe())));
        }
        fields.iter().try_for_each(|user| self.place(user.field, user.by, &user.at))
    }

    /// Places a field: a standard column moves, any other is new. `by` is for the metadata, `at` for messages.
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
            self.columns.push(Column { name, first_byte, kind, scalar: None, given_scalar: None });
            return Ok(());
        };
        let old_byte = std::mem::replace(&mut column.first_byte, placed.first_byte);
        column.kind = placed.kind;
        // Text has no scalar.
        column.scalar = column.scalar.filter(|_| !matches!(placed.kind, FieldKind::Text(_)));
        if TRACE_FIELDS.iter().any(|f| f.name == canonical && is_scalar(f)) {
            if placed.kind != FieldKind::I16 {
                return refused("the *_scaled columns are computed with it, so it has to be i16".into());
            }
            let scaled = self.columns.iter_mut().filter(|c| c.scalar == Some(old_byte));
            scaled.for_each(|c| c.scalar = Some(placed.first_byte));
        }
        Ok(())
    }
}

/// The computed columns of the mapping file and of the options; an option replaces one of the same name.
fn computed(options: &HeaderOptions, columns: &[Column], major: u8) -> Result<Vec<Computed>> {
    let mut fields: Vec<(&ComputedField, String)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let of_mapping = options
        .mapping
        .iter()
        .flat_map(|m| m.computed.iter().map(move |f| (f, format!("--mapping {}: computed column", m.path.display()))));
    let of_options = options.computed.iter().map(|f| (f, "--compute".to_owned()));
    for (field, at) in of_mapping.chain(of_options) {
        let place = *places.entry(field.name.to_ascii_lowercase()).or_insert(fields.len());
        match fields.get_mut(place) {
            Some(known) if known.1 != at => *known = (field, at),
            Some(_) => return Err(Error::Usage(format!("{at} {}: is there twice", field.name))),
            None => fields.push((field, at)),
        }
    }
    let one = |(field, at): (&ComputedField, String)| {
        let shown = excerpt(&field.expression);
        let wrong = |why: String| Error::Usage(format!("{at} {} = {shown}: {why}", field.name));
        let inputs =
            names(&field.expression).and_then(|names| names.iter().map(|n| input(n, columns, major)).collect());
        let (name, expression) = (field.name.clone(), field.expression.clone());
        Ok(Computed { name, expression, inputs: inputs.map_err(wrong)? })
    };
    fields.into_iter().map(one).collect()
}

/// Resolves a name in an expression: a column, by its name or an alias, raw or `_scaled`.
pub(crate) fn input(name: &str, columns: &[Column], major: u8) -> Result<Input, String> {
    let find = |name: &str| {
        let exact = columns.iter().find(|c| c.name.eq_ignore_ascii_case(name));
        exact.or_else(|| columns.iter().find(|c| c.name == canonical_name(name, major)))
    };
    let of =
        |c: &Column, scalar| Input { first_byte: c.first_byte, kind: c.kind, scalar, given_scalar: c.given_scalar };
    if let Some(column) = find(name) {
        return match column.kind {
            FieldKind::Text(_) => Err(format!("{name} is text, not a number")),
            _ => Ok(of(column, None)),
        };
    }
    let scaled = name.strip_suffix("_scaled").and_then(find).and_then(|c| Some(of(c, Some(c.scalar?))));
    scaled.ok_or_else(|| {
        let all = columns.iter().flat_map(|c| {
            let scaled = c.scalar.map(|_| format!("{}_scaled", c.name));
            std::iter::once(c.name.clone()).chain(scaled)
        });
        let all: Vec<String> = all.collect();
        format!("there is no column {name}; {}", near_names(name, all.iter().map(String::as_str)))
    })
}

/// Whether any columns are scaled by this field.
fn is_scalar(field: &Field) -> bool {
    HeaderTable::standard_columns(InputFormat::Segy, 1).iter().any(|c| c.scalar == Some(field.byte))
}

/// The columns of trace header extension 1, if the first trace has an additional header of that name.
fn extension_columns(file: &SegyFile, layout: &Layout) -> Result<Vec<Column>> {
    let blocks = block_names(file, layout)?;
    let Some(index) = blocks.iter().position(|name| name == "SEG00001") else { return Ok(Vec::new()) };
    let in_block = ((index + 1) * TRACE_HEADER_BYTES) as u32;
    let column = |f: &Field| Column {
        name: f.name.into(),
        first_byte: in_block + f.byte,
        kind: f.kind,
        scalar: None,
        given_scalar: None,
    };
    Ok(EXTENSION_1_FIELDS.iter().map(column).collect())
}

/// The names of the first trace's additional headers.
fn block_names(file: &SegyFile, layout: &Layout) -> Result<Vec<String>> {
    let header = file.copy(layout.trace_offset(0), layout.header_bytes())?;
    Ok(header.chunks(TRACE_HEADER_BYTES).skip(1).map(|block| text::decode_field(&block[232..])).collect())
}

/// The name used here for a field known by an alias; other names are unchanged.
pub(crate) fn canonical_name(name: &str, major_revision: u8) -> &str {
    let mut fields = TRACE_FIELDS.iter().filter(|f| f.exists_in(major_revision));
    fields.find(|f| f.is_called(name)).map_or(name, |f| f.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::cancel::CancelHandle;
    use crate::base::growth::growth;
    use crate::generate::{GenerateConfig, generate};
    use crate::plan::import_config::ImportConfig;
    use crate::plan::mapping::Mapping;
    use crate::plan::mapping::presets::PRESETS;

    fn mapping(fields: Vec<FieldPlacement>, computed: Vec<ComputedField>) -> HeaderOptions {
        let mapping = Mapping { path: "map".into(), fields, ensemble_keys: Vec::new(), computed };
        HeaderOptions { mapping: Some(mapping), ..HeaderOptions::default() }
    }

    #[test]
    fn a_given_scalar_is_that_of_the_coordinates_alone() {
        let mut columns = HeaderTable::standard_columns(InputFormat::Segy, 1);
        give_scalar(&mut columns, -100);
        let given = |name: &str| columns.iter().find(|c| c.name == name).unwrap().given_scalar;
        assert_eq!(["source_x", "cdp_y"].map(given), [Some(-100); 2]);
        assert_eq!(["source_elevation", "shot_point", "inline", "coordinate_scalar"].map(given), [None; 4]);
    }

    #[test]
    fn a_preset_that_ends_at_a_byte_has_the_fields_up_to_it() {
        let ends = |last| {
            let preset = Preset { last_byte: Some(last), ..PRESETS[0] };
            standard_columns(InputFormat::Segy, 1, Some(&preset)).last().unwrap().name.clone()
        };
        assert_eq!([4, 27, 28, 29].map(ends), ["trace_sequence_line", "cdp", "trace_number_cdp", "trace_number_cdp"]);
    }

    #[test]
    fn the_first_extension_is_found_by_its_name_among_the_additional_headers() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("in.sgy");
        let survey = GenerateConfig { n_traces: 3, n_samples: 5, ..GenerateConfig::default() };
        generate(&survey, &path, &mut |_, _| {}, &CancelHandle::new()).unwrap();
        let plain = std::fs::read(&path).unwrap();
        let block = |name: &[u8]| [&[0; 232], name].concat();
        let mut extended = plain[..3600].to_vec();
        (extended[3500], extended[3501]) = (2, 0);
        extended[3506..3510].copy_from_slice(&2_i32.to_be_bytes());
        for trace in plain[3600..].chunks(240 + 20) {
            extended.extend([&trace[..240], &block(b"PRIVATE1"), &block(b"SEG00001"), &trace[240..]].concat());
        }
        std::fs::write(&path, extended).unwrap();
        let plan = ImportConfig::new(&path, directory.path().join("out")).plan().unwrap();
        assert_eq!(plan.headers.header_bytes, 720);
        let first = &EXTENSION_1_FIELDS[0];
        let column = plan.headers.columns.iter().find(|c| c.name == first.name).unwrap();
        assert_eq!((column.first_byte, column.kind), (480 + first.byte, first.kind));
    }

    #[test]
    fn many_fields_are_no_more_work_each_than_a_few() {
        let field = |i: u32| {
            let (name, first_byte) = (format!("field_{i:09}"), 1 + i % 240);
            FieldPlacement { name, first_byte, kind: FieldKind::U8, description: None }
        };
        let growth = growth(5_000, |n| {
            let options = mapping((0..n as u32).map(field).collect(), Vec::new());
            let mut builder = Builder { columns: Vec::new(), placed: Vec::new(), major: 1, header_bytes: 240 };
            assert!(builder.place_user_fields(&options).is_err_and(|e| e.to_string().contains("overlap")));
        });
        assert!(growth < 10.0, "{growth}");
    }

    #[test]
    fn many_computed_columns_are_no_more_work_each_than_a_few() {
        let columns = HeaderTable::standard_columns(InputFormat::Segy, 1);
        let column = |i: usize| ComputedField { name: format!("column_{i:09}"), expression: "cdp".into() };
        let growth = growth(2_000, |n| {
            let options = mapping(Vec::new(), (0..n).map(column).collect());
            assert_eq!(computed(&options, &columns, 1).map(|c| c.len()), Ok(n));
        });
        assert!(growth < 10.0, "{growth}");
    }
}
