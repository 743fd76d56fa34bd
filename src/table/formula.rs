//! Computed columns: an expression over header fields that gives each trace a float64, or null if undefined.
//!
//! Functions are those of `libm` and IEEE 754, which give the same bits on every machine.

use std::borrow::Cow;

use exmex::{BinOp, Express, FlatEx, MakeOperators, Operator, ops_factory};
use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};
use crate::base::visible::excerpt;
use crate::parquet::values::Values;
use crate::segy::ByteOrder;
use crate::segy::fields::FieldKind;
use crate::table::columns::Source;
use crate::table::rows::Rows;

/// Functions allowed in an expression, besides `pi`. Those with two arguments come last.
pub(crate) const FUNCTIONS: [&str; 25] = [
    "abs", "sign", "floor", "ceil", "round", "trunc", "sqrt", "exp", "ln", "log10", "sin", "cos", "tan", "asin",
    "acos", "atan", "degrees", "radians", "float", "atan2", "hypot", "pow", "mod", "min", "max",
];

/// The library's run time grows with the square of an expression's depth.
const MOST_CHARACTERS: usize = 4096;

/// A computed column as plain data, for the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Computed {
    pub name: String,
    pub expression: String,
    /// Where the names in the expression are read, sorted by name.
    pub inputs: Vec<Input>,
}

/// A header number used by an expression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// First byte in the trace's headers, from 1.
    pub first_byte: u32,
    pub kind: FieldKind,
    /// First byte of the int16 scalar to apply.
    pub scalar: Option<u32>,
    /// The scalar that the user gave instead.
    #[serde(default)]
    pub given_scalar: Option<i32>,
}

impl Input {
    fn source(&self) -> Source {
        let offset = self.first_byte.saturating_sub(1) as usize;
        match self.scalar {
            Some(scalar) => {
                let (scalar_offset, given) = (scalar.saturating_sub(1) as usize, self.given_scalar);
                Source::Scaled { offset, kind: self.kind, scalar_offset, given }
            }
            None => Source::Field { offset, kind: self.kind },
        }
    }
}

/// A parsed formula, evaluated 10 million times per second and core.
#[derive(Clone, Debug)]
pub(crate) struct Formula {
    expression: FlatEx<f64, Operators>,
    inputs: Vec<Source>,
}

impl Formula {
    /// # Errors
    /// `Error::Usage` for an invalid expression; [`names`] checks the names beforehand.
    pub(crate) fn new(computed: &Computed) -> Result<Self> {
        let expression = parse(&computed.expression).map_err(|why| {
            let shown = excerpt(&computed.expression);
            Error::Usage(format!("computed column {}: \"{shown}\": {why}", computed.name))
        })?;
        if expression.var_names().len() != computed.inputs.len() {
            return Err(Error::Failed(format!(
                "computed column {}: its inputs are not those of the plan",
                computed.name
            )));
        }
        Ok(Self { expression, inputs: computed.inputs.iter().map(Input::source).collect() })
    }

    /// The value of each row; NaN if undefined.
    pub(crate) fn values(&self, rows: &Rows<'_>) -> Vec<f64> {
        let columns: Vec<Vec<f64>> = self.inputs.iter().map(|&input| rows.numbers(input)).collect();
        let mut numbers = vec![0.0; columns.len()];
        let mut value = |row: usize| {
            numbers.iter_mut().zip(&columns).for_each(|(number, column)| *number = column[row]);
            // Adding 0 turns -0 into 0, so that equal values have equal bits.
            defined(self.expression.eval(&numbers).unwrap_or(f64::NAN)) + 0.0
        };
        (0..rows.n_rows()).map(&mut value).collect()
    }

    /// The value for one header; NaN if undefined.
    pub(crate) fn value(&self, header: &[u8], order: ByteOrder) -> f64 {
        self.values_of(header, header.len(), order).first().copied().unwrap_or(f64::NAN)
    }

    /// The values for consecutive headers of `width` bytes each; NaN if undefined.
    pub(crate) fn values_of(&self, headers: &[u8], width: usize, order: ByteOrder) -> Vec<f64> {
        self.values(&Rows { bytes: headers, width, order, first_trace: 0, flags: &[], formulas: &[], changed: &[] })
    }

    /// Whether all inputs are constant, given that `changed` is 0 for constant bytes.
    pub(crate) fn is_constant(&self, changed: &[u8]) -> bool {
        self.inputs.iter().all(|input| input.is_constant(changed))
    }
}

/// An expression over numbers by name.
#[derive(Clone, Debug)]
pub(crate) struct Expression(FlatEx<f64, Operators>);

impl Expression {
    /// # Errors
    /// What is wrong with it, as [`names`] says it.
    pub(crate) fn new(expression: &str) -> Result<Self, String> {
        names(expression)?;
        parse(expression).map(Self)
    }

    /// The names in it, sorted.
    pub(crate) fn names(&self) -> &[String] {
        self.0.var_names()
    }

    /// Its value with a number for each name, in their order; NaN if undefined.
    pub(crate) fn value(&self, numbers: &[f64]) -> f64 {
        defined(self.0.eval(numbers).unwrap_or(f64::NAN))
    }
}

/// The field names in an expression, sorted.
///
/// # Errors
/// What is wrong with the expression, with similar names for unknown functions.
pub(crate) fn names(expression: &str) -> Result<Vec<String>, String> {
    if let Some(wrong) = expression.chars().find(|c| !(c.is_ascii_alphanumeric() || "_.+-*/(), ".contains(*c))) {
        let hint = if wrong == '^' { "; write pow(x, y)" } else { "" };
        return Err(format!("it cannot have the character {wrong:?}{hint}"));
    }
    for (at, word) in words(expression) {
        let is_called = expression[at + word.len()..].trim_start().starts_with('(');
        if begins_number(word) {
            word.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or(format!("{word} is not a number"))?;
        } else if is_called && !FUNCTIONS.contains(&word) {
            let near = crate::base::near_names::near_names(word, FUNCTIONS);
            let example = "degrees(atan2(receiver_x - source_x, receiver_y - source_y))";
            return Err(format!("there is no function {word}; write as in {example}; {near}"));
        } else if !is_called && FUNCTIONS.contains(&word) {
            return Err(format!("{word} is a function; write {word}(…)"));
        }
    }
    parse(expression).map(|e| e.var_names().to_vec())
}

/// The names and numbers in an expression, and where they begin.
fn words(expression: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let word_end = move |from: usize| expression[from..].find(|c| !is_word(c)).map_or(expression.len(), |n| from + n);
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + expression[at..].find(is_word)?;
        at = word_end(start);
        // The sign of an exponent is part of its number.
        if is_before_exponent(&expression[start..at]) && expression[at..].starts_with(['+', '-']) {
            at = word_end(at + 1);
        }
        Some((start, &expression[start..at]))
    })
}

fn begins_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit() || c == '.')
}

/// Whether it is a number up to its exponent: `1.5e`.
fn is_before_exponent(word: &str) -> bool {
    let digits = word.strip_suffix(['e', 'E']).unwrap_or_default();
    begins_number(digits) && digits.parse::<f64>().is_ok()
}

fn parse(expression: &str) -> Result<FlatEx<f64, Operators>, String> {
    if expression.len() > MOST_CHARACTERS {
        return Err(format!("it has {} characters; the limit is {MOST_CHARACTERS}", expression.len()));
    }
    let (mut text, mut at) = (String::new(), 0);
    for (start, word) in words(expression) {
        text.push_str(&expression[at..start]);
        text.push_str(&as_library_writes(word));
        at = start + word.len();
    }
    text.push_str(&expression[at..]);
    FlatEx::parse(&text)
        .map_err(|_| "it is not complete, or parentheses, commas or operators are not where they should be".into())
}

/// A name or a number as the library reads it: names in braces, because it would take a function out of one that starts like that (min
/// of minute_of_hour), and numbers without an exponent.
fn as_library_writes(word: &str) -> Cow<'_, str> {
    if begins_number(word) {
        // Such a text has all digits of the number.
        let number = word.parse::<f64>().ok().filter(|_| word.contains(['e', 'E']));
        return number.map_or(Cow::Borrowed(word), |number| Cow::Owned(number.to_string()));
    }
    match word == "pi" || FUNCTIONS.contains(&word) {
        true => Cow::Borrowed(word),
        false => Cow::Owned(format!("{{{word}}}")),
    }
}

/// Infinity is undefined too: it comes from a division by zero or an overflow.
fn defined(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::NAN }
}

fn binary(apply: fn(f64, f64) -> f64, prio: i64) -> BinOp<f64> {
    // Not declared commutative, so that terms stay in the order written.
    BinOp { apply, prio, is_commutative: false }
}

/// NaN if either argument is NaN, even where IEEE 754 says otherwise.
fn both(a: f64, b: f64, f: impl Fn(f64, f64) -> f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { defined(f(a, b)) }
}

/// The remainder with the sign of the divisor.
fn modulo(a: f64, b: f64) -> f64 {
    let rest = a % b;
    if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
}

/// The direction of a zero vector is undefined.
fn direction(y: f64, x: f64) -> f64 {
    if y == 0.0 && x == 0.0 { f64::NAN } else { libm::atan2(y, x) }
}

ops_factory!(
    Operators,
    f64,
    Operator::make_bin_unary("+", binary(|a, b| defined(a + b), 0), |a| a),
    Operator::make_bin_unary("-", binary(|a, b| defined(a - b), 0), |a: f64| -a),
    Operator::make_bin("*", binary(|a, b| defined(a * b), 1)),
    Operator::make_bin("/", binary(|a, b| defined(a / b), 1)),
    Operator::make_bin("atan2", binary(|a, b| both(a, b, direction), 2)),
    Operator::make_bin("hypot", binary(|a, b| both(a, b, libm::hypot), 2)),
    Operator::make_bin("pow", binary(|a, b| both(a, b, libm::pow), 2)),
    Operator::make_bin("mod", binary(|a, b| both(a, b, modulo), 2)),
    Operator::make_bin("min", binary(|a, b| both(a, b, f64::min), 2)),
    Operator::make_bin("max", binary(|a, b| both(a, b, f64::max), 2)),
    Operator::make_unary("abs", |a: f64| a.abs()),
    Operator::make_unary("sign", |a: f64| if a == 0.0 { 0.0 } else { a.signum() }),
    Operator::make_unary("floor", |a: f64| a.floor()),
    Operator::make_unary("ceil", |a: f64| a.ceil()),
    Operator::make_unary("round", |a: f64| a.round()),
    Operator::make_unary("trunc", |a: f64| a.trunc()),
    Operator::make_unary("float", |a: f64| a),
    Operator::make_unary("sqrt", |a: f64| a.sqrt()),
    Operator::make_unary("exp", |a| defined(libm::exp(a))),
    Operator::make_unary("ln", |a| defined(libm::log(a))),
    Operator::make_unary("log10", |a| defined(libm::log10(a))),
    Operator::make_unary("sin", libm::sin),
    Operator::make_unary("cos", libm::cos),
    Operator::make_unary("tan", libm::tan),
    Operator::make_unary("asin", libm::asin),
    Operator::make_unary("acos", libm::acos),
    Operator::make_unary("atan", libm::atan),
    Operator::make_unary("degrees", |a: f64| a.to_degrees()),
    Operator::make_unary("radians", |a: f64| a.to_radians()),
    Operator::make_constant("pi", std::f64::consts::PI)
);

impl Rows<'_> {
    /// A column as doubles.
    fn numbers(&self, source: Source) -> Vec<f64> {
        match self.values(source) {
            Values::Double(values) => values,
            Values::Float(values) => values.into_iter().map(f64::from).collect(),
            _ => match source {
                Source::Field { offset, kind } => self.as_f64(offset, kind),
                _ => vec![f64::NAN; self.n_rows()],
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value with `a` = 6 and `b` = -4 in a header of two int16.
    fn value(expression: &str) -> Option<f64> {
        let all = [("a", 1), ("b", 3)];
        let names = names(expression).unwrap();
        let byte = |name: &String| all.iter().find(|(n, _)| n == name).unwrap().1;
        let input = |name| Input { first_byte: byte(name), kind: FieldKind::I16, scalar: None, given_scalar: None };
        let inputs = names.iter().map(input).collect();
        let computed = Computed { name: "x".into(), expression: expression.into(), inputs };
        let value = Formula::new(&computed).unwrap().value(&[0, 6, 0xFF, 0xFC], ByteOrder::Big);
        Some(value).filter(|v| !v.is_nan())
    }

    #[test]
    fn expressions_are_read_as_they_are_written() {
        for (expression, expected) in [
            ("a - b + 1 - 2", 9.0),
            ("a / 4 * 2", 3.0),
            ("1 + 2 * a - -b", 9.0),
            ("2 * pow(a, 2) + 1", 73.0),
            ("-pow(a, 2)", -36.0),
            ("2*min(a, b)", -8.0),
            ("10 - max(a, b) - 1", 3.0),
            ("mod(b, 3)", 2.0),
            ("round(a / 4)", 2.0),
            ("degrees(atan2(a, 0))", 90.0),
            ("floor(a / 4) * sign(b)", -1.0),
            ("cos(pi)", -1.0),
            ("hypot(3, b)", 5.0),
            ("float(a)", 6.0),
            ("1e3 + a", 1006.0),
            ("a - 2.5E-1", 5.75),
            ("5e-1-5e-1*a", -2.5),
            (".5e+1 * a", 30.0),
            ("1e300 / 1e300 + a", 7.0),
        ] {
            assert_eq!(value(expression), Some(expected), "{expression}");
        }
    }

    #[test]
    fn a_name_that_begins_like_a_function_is_a_name() {
        let expression = "min(minute_of_hour, mode) + sine * pick - abs(absolute) + a2 / E";
        assert_eq!(names(expression).unwrap(), ["E", "a2", "absolute", "minute_of_hour", "mode", "pick", "sine"]);
    }

    #[test]
    fn what_is_not_defined_is_nothing_also_inside() {
        for expression in [
            "a / 0",
            "1 / (1 / 0)",
            "sqrt(b)",
            "ln(0)",
            "exp(ln(0))",
            "asin(a)",
            "atan2(0, 0)",
            "min(1, sqrt(b))",
            "pow(sqrt(b), 0)",
            "mod(a, 0)",
            "exp(1000)",
        ] {
            assert_eq!(value(expression), None, "{expression}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (expression, expected) in [
            ("a ^ 2", "pow(x, y)"),
            ("sqr(a)", "there is no function sqr; write as in degrees(atan2("),
            ("sqr(a)", "did you mean \"sqrt\""),
            ("sqrt + 1", "sqrt(…)"),
            ("1e + a", "1e is not a number"),
            ("1e999 + a", "1e999 is not a number"),
            ("1e5a + a", "1e5a is not a number"),
            ("1e- + a", "1e- is not a number"),
            ("2 a", "not complete"),
            ("(a", "not complete"),
            ("", "not complete"),
            ("atan2(a)", "not complete"),
            ("atan2(a, b, a)", "not complete"),
        ] {
            let error = names(expression).unwrap_err();
            assert!(error.contains(expected), "{expression}: {error}");
            assert_eq!(error.contains("degrees"), error.contains("no function"), "{expression}: {error}");
        }
        let deep = format!("{}a{}", "floor(".repeat(1000), ")".repeat(1000));
        assert!(names(&deep).unwrap_err().contains("7001 characters"));
    }
}
