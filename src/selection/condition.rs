//! Conditions on header fields: `offset < 3000 and 100 <= inline < 200`.

use crate::table::Expression;

/// Alternatives, each of comparisons that all have to hold.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    alternatives: Vec<Vec<Comparison>>,
}

/// Two expressions and how they have to compare.
#[derive(Clone, Debug)]
struct Comparison {
    left: Side,
    operator: Operator,
    right: Side,
}

/// An expression, with the places of its names among the columns of the condition.
#[derive(Clone, Debug)]
struct Side {
    expression: Expression,
    places: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    Unequal,
}

/// The longer ones first.
const OPERATORS: [(&str, Operator); 7] = [
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("=", Operator::Equal),
];

impl Condition {
    /// Reads a condition. The names in it get a place in `names` if they have none yet.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn new(text: &str, names: &mut Vec<String>) -> Result<Self, String> {
        let text = text.replace("&&", "&").replace("||", "|");
        let alternatives = split_at_word(&text, "or", '|').into_iter().map(|alternative| {
            let parts = split_at_word(alternative, "and", '&').into_iter().map(|part| comparisons(part, names));
            parts.collect::<Result<Vec<_>, String>>().map(|parts| parts.concat())
        });
        Ok(Self { alternatives: alternatives.collect::<Result<_, String>>()? })
    }

    /// Whether it holds for these values of the columns. What is undefined compares as false.
    pub(crate) fn holds(&self, values: &[f64]) -> bool {
        self.alternatives.iter().any(|all| all.iter().all(|comparison| comparison.holds(values)))
    }
}

impl Comparison {
    fn holds(&self, values: &[f64]) -> bool {
        let (left, right) = (self.left.value(values), self.right.value(values));
        match self.operator {
            Operator::Less => left < right,
            Operator::LessOrEqual => left <= right,
            Operator::Greater => left > right,
            Operator::GreaterOrEqual => left >= right,
            Operator::Equal => left == right,
            Operator::Unequal => left != right && !left.is_nan() && !right.is_nan(),
        }
    }
}

impl Side {
    fn value(&self, values: &[f64]) -> f64 {
        let numbers: Vec<f64> =
            self.places.iter().map(|&place| values.get(place).copied().unwrap_or(f64::NAN)).collect();
        self.expression.value(&numbers)
    }
}

/// The parts of a text between a word that stands alone, or a sign.
fn split_at_word<'t>(text: &'t str, word: &str, sign: char) -> Vec<&'t str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = if is_word(c) { rest.find(|c| !is_word(c)).unwrap_or(rest.len()) } else { c.len_utf8() };
        if c == sign || rest[..length].eq_ignore_ascii_case(word) {
            parts.push(&text[start..at]);
            start = at + length;
        }
        at += length;
    }
    parts.push(&text[start..]);
    parts
}

/// `a < b`, or `a < b < c`, which is two.
fn comparisons(text: &str, names: &mut Vec<String>) -> Result<Vec<Comparison>, String> {
    let (mut sides, mut operators, mut rest) = (Vec::new(), Vec::new(), text);
    while let Some(at) = rest.find(['<', '>', '=', '!']) {
        let found = OPERATORS.iter().find(|(sign, _)| rest[at..].starts_with(sign));
        let (sign, operator) = found.ok_or("write <, <=, >, >=, == or !=")?;
        sides.push(&rest[..at]);
        operators.push(*operator);
        rest = &rest[at + sign.len()..];
    }
    sides.push(rest);
    if operators.is_empty() {
        return Err(format!("\"{}\" compares nothing; write as in offset < 3000 and cdp >= 100", text.trim()));
    }
    if sides.iter().any(|side| side.trim().is_empty()) {
        let what = "has nothing on one side of a comparison; write as in offset < 3000";
        return Err(format!("\"{}\" {what}", text.trim()));
    }
    let sides: Vec<Side> = sides.into_iter().map(|side| self::side(side, names)).collect::<Result<_, _>>()?;
    let pairs = sides.windows(2).zip(operators);
    let comparison = |(pair, operator): (&[Side], Operator)| match pair {
        [left, right] => Some(Comparison { left: left.clone(), operator, right: right.clone() }),
        _ => None,
    };
    Ok(pairs.filter_map(comparison).collect())
}

fn side(text: &str, names: &mut Vec<String>) -> Result<Side, String> {
    let expression = Expression::new(text.trim()).map_err(|why| format!("\"{}\": {why}", text.trim()))?;
    let place = |name: &String| {
        names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.clone());
            names.len() - 1
        })
    };
    let places = expression.names().iter().map(place).collect();
    Ok(Side { expression, places })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str) -> Result<bool, String> {
        let mut names = vec!["inline".to_owned()];
        let condition = Condition::new(text, &mut names)?;
        let value = |name: &String| if name == "inline" { 7.0 } else { -2.0 };
        Ok(condition.holds(&names.iter().map(value).collect::<Vec<_>>()))
    }

    #[test]
    fn conditions_are_read_as_in_python() {
        for (text, expected) in [
            ("offset < 3000", true),
            ("offset<-2", false),
            ("5 <= inline < 8", true),
            ("5 <= inline < 7", false),
            ("inline == 7 and offset != -2", false),
            ("inline == 8 or offset = -2", true),
            ("inline = 8 or inline = 7 and offset > 0", false),
            ("inline > 6 && abs(offset) >= 2 || inline < 0", true),
            ("orange < andes and inline > 0", false),
            ("sqrt(offset) != 0", false),
            ("inline < 1e1 and inline > 5e-1", true),
            ("inline > 1e+3 or offset < -1E0", true),
        ] {
            assert_eq!(holds(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, expected) in [
            ("offset", "compares nothing"),
            ("offset < ", "has nothing on one side"),
            ("cdp > 5 and < 3", "\"< 3\" has nothing on one side"),
            ("offset < (3", "not complete"),
            ("cdp > 1e999", "\"1e999\": 1e999 is not a number"),
            ("a ! b", "write <"),
            ("a < 1 and", "compares nothing"),
        ] {
            assert!(holds(text).is_err_and(|why| why.contains(expected)), "{text}: {:?}", holds(text));
        }
    }
}
