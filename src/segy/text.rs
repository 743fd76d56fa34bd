//! Textual headers: EBCDIC (code page 037) or ASCII, told apart by scoring all bytes.
//!
//! Source: SEG-Y rev 2.1, section 4 (textual file header), 40 lines of 80 characters.

use encoding_rs::Encoding;
use serde::{Deserialize, Serialize};

/// Bytes of the textual file header and of each extended textual header.
pub(crate) const TEXT_HEADER_BYTES: usize = 3200;
const LINE: usize = 80;

/// Declares the character sets: variant, name in options and documents, display name, and its decoder in the crate
/// `encoding_rs`, if it has one.
macro_rules! encodings {
    ($($(#[$doc:meta])* $value:ident = $name:literal, $display:literal, $decoder:expr;)*) => {
        /// Character set of the textual headers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum TextEncoding {
            $($(#[$doc])* #[serde(rename = $name)] $value,)*
        }

        impl TextEncoding {
            /// All character sets.
            pub const ALL: &'static [Self] = &[$(Self::$value),*];

            /// As options and documents name it.
            pub const fn option(self) -> &'static str {
                match self { $(Self::$value => $name,)* }
            }

            /// Display name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$value => $display,)* }
            }

            fn decoder(self) -> Option<&'static Encoding> {
                match self { $(Self::$value => $decoder,)* }
            }
        }
    };
}

encodings! {
    /// Code page 037.
    Ebcdic = "ebcdic", "EBCDIC", None;
    /// What is not ASCII is shown as U+FFFD.
    Ascii = "ascii", "ASCII", None;
    /// ISO 8859-1, ASCII with the letters of western Europe; never assumed, nor is any that follows.
    Latin1 = "latin1", "Latin-1", None;
    /// Unicode.
    Utf8 = "utf8", "UTF-8", None;
    /// EBCDIC, international.
    Cp500 = "cp500", "EBCDIC (code page 500)", None;
    /// EBCDIC of Unix systems, which has the brackets elsewhere.
    Cp1047 = "cp1047", "EBCDIC (code page 1047)", None;
    /// Cyrillic of MS-DOS.
    Cp866 = "cp866", "code page 866", Some(encoding_rs::IBM866);
    /// Central European.
    Windows1250 = "windows-1250", "Windows-1250", Some(encoding_rs::WINDOWS_1250);
    /// Cyrillic.
    Windows1251 = "windows-1251", "Windows-1251", Some(encoding_rs::WINDOWS_1251);
    /// Western European.
    Windows1252 = "windows-1252", "Windows-1252", Some(encoding_rs::WINDOWS_1252);
    /// Greek.
    Windows1253 = "windows-1253", "Windows-1253", Some(encoding_rs::WINDOWS_1253);
    /// Turkish.
    Windows1254 = "windows-1254", "Windows-1254", Some(encoding_rs::WINDOWS_1254);
    /// Hebrew.
    Windows1255 = "windows-1255", "Windows-1255", Some(encoding_rs::WINDOWS_1255);
    /// Arabic.
    Windows1256 = "windows-1256", "Windows-1256", Some(encoding_rs::WINDOWS_1256);
    /// Baltic.
    Windows1257 = "windows-1257", "Windows-1257", Some(encoding_rs::WINDOWS_1257);
    /// Vietnamese.
    Windows1258 = "windows-1258", "Windows-1258", Some(encoding_rs::WINDOWS_1258);
    /// ISO 8859-2, Central European.
    Latin2 = "latin2", "Latin-2", Some(encoding_rs::ISO_8859_2);
    /// ISO 8859-5, Cyrillic.
    Iso8859x5 = "iso-8859-5", "ISO 8859-5", Some(encoding_rs::ISO_8859_5);
    /// Russian of Unix systems.
    Koi8R = "koi8-r", "KOI8-R", Some(encoding_rs::KOI8_R);
    /// Ukrainian of Unix systems.
    Koi8U = "koi8-u", "KOI8-U", Some(encoding_rs::KOI8_U);
    /// Chinese, with GBK and GB 2312.
    Gb18030 = "gb18030", "GB 18030", Some(encoding_rs::GB18030);
    /// Traditional Chinese.
    Big5 = "big5", "Big5", Some(encoding_rs::BIG5);
    /// Japanese of Windows.
    ShiftJis = "shift-jis", "Shift JIS", Some(encoding_rs::SHIFT_JIS);
    /// Japanese of Unix systems.
    EucJp = "euc-jp", "EUC-JP", Some(encoding_rs::EUC_JP);
    /// Korean.
    EucKr = "euc-kr", "EUC-KR", Some(encoding_rs::EUC_KR);
}

/// Where code page 500 differs from 037, and where 1047 does.
const CP500: [(u8, u8); 7] =
    [(0x4A, b'['), (0x4F, b'!'), (0x5A, b']'), (0x5F, b'^'), (0xB0, 0xA2), (0xBA, 0xAC), (0xBB, b'|')];
const CP1047: [(u8, u8); 6] = [(0x5F, b'^'), (0xAD, b'['), (0xB0, 0xAC), (0xBA, 0xDD), (0xBB, 0xA8), (0xBD, b']')];

/// Code page 037 to Latin-1, the first 256 characters of Unicode.
#[rustfmt::skip]
const CP037: [u8; 256] = [
    0x00, 0x01, 0x02, 0x03, 0x9C, 0x09, 0x86, 0x7F, 0x97, 0x8D, 0x8E, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F,
    0x10, 0x11, 0x12, 0x13, 0x9D, 0x85, 0x08, 0x87, 0x18, 0x19, 0x92, 0x8F, 0x1C, 0x1D, 0x1E, 0x1F,
    0x80, 0x81, 0x82, 0x83, 0x84, 0x0A, 0x17, 0x1B, 0x88, 0x89, 0x8A, 0x8B, 0x8C, 0x05, 0x06, 0x07,
    0x90, 0x91, 0x16, 0x93, 0x94, 0x95, 0x96, 0x04, 0x98, 0x99, 0x9A, 0x9B, 0x14, 0x15, 0x9E, 0x1A,
    0x20, 0xA0, 0xE2, 0xE4, 0xE0, 0xE1, 0xE3, 0xE5, 0xE7, 0xF1, 0xA2, 0x2E, 0x3C, 0x28, 0x2B, 0x7C,
    0x26, 0xE9, 0xEA, 0xEB, 0xE8, 0xED, 0xEE, 0xEF, 0xEC, 0xDF, 0x21, 0x24, 0x2A, 0x29, 0x3B, 0xAC,
    0x2D, 0x2F, 0xC2, 0xC4, 0xC0, 0xC1, 0xC3, 0xC5, 0xC7, 0xD1, 0xA6, 0x2C, 0x25, 0x5F, 0x3E, 0x3F,
    0xF8, 0xC9, 0xCA, 0xCB, 0xC8, 0xCD, 0xCE, 0xCF, 0xCC, 0x60, 0x3A, 0x23, 0x40, 0x27, 0x3D, 0x22,
    0xD8, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0xAB, 0xBB, 0xF0, 0xFD, 0xFE, 0xB1,
    0xB0, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70, 0x71, 0x72, 0xAA, 0xBA, 0xE6, 0xB8, 0xC6, 0xA4,
    0xB5, 0x7E, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0xA1, 0xBF, 0xD0, 0xDD, 0xDE, 0xAE,
    0x5E, 0xA3, 0xA5, 0xB7, 0xA9, 0xA7, 0xB6, 0xBC, 0xBD, 0xBE, 0x5B, 0x5D, 0xAF, 0xA8, 0xB4, 0xD7,
    0x7B, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0xAD, 0xF4, 0xF6, 0xF2, 0xF3, 0xF5,
    0x7D, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F, 0x50, 0x51, 0x52, 0xB9, 0xFB, 0xFC, 0xF9, 0xFA, 0xFF,
    0x5C, 0xF7, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0xB2, 0xD4, 0xD6, 0xD2, 0xD3, 0xD5,
    0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0xB3, 0xDB, 0xDC, 0xD9, 0xDA, 0x9F,
];

/// A decoded character; control characters, which headers should not hold, become spaces at line ends and in padding.
fn character(byte: u8, encoding: TextEncoding) -> char {
    let of_page = |differences: &[(u8, u8)]| differences.iter().find(|(b, _)| *b == byte).map(|(_, latin1)| *latin1);
    let latin1 = match encoding {
        TextEncoding::Ebcdic => CP037[usize::from(byte)],
        TextEncoding::Cp500 => of_page(&CP500).unwrap_or(CP037[usize::from(byte)]),
        TextEncoding::Cp1047 => of_page(&CP1047).unwrap_or(CP037[usize::from(byte)]),
        _ => byte,
    };
    match latin1 {
        0 | b'\t' | b'\n' | b'\r' | 0x85 => ' ',
        0x20..=0x7E => char::from(latin1),
        0xA0.. if encoding.is_latin1() => char::from(latin1),
        _ => char::REPLACEMENT_CHARACTER,
    }
}

impl TextEncoding {
    /// Whether every byte stands for one of the first 256 characters of Unicode, beyond ASCII too.
    fn is_latin1(self) -> bool {
        matches!(self, Self::Ebcdic | Self::Cp500 | Self::Cp1047 | Self::Latin1)
    }
}

/// Decodes all bytes to characters.
fn characters(bytes: &[u8], encoding: TextEncoding) -> String {
    let text = match (encoding, encoding.decoder()) {
        (TextEncoding::Utf8, _) => String::from_utf8_lossy(bytes),
        (_, Some(decoder)) => decoder.decode_without_bom_handling(bytes).0,
        _ => return bytes.iter().map(|&b| character(b, encoding)).collect(),
    };
    let one = |c: char| if c.is_ascii() { character(c as u8, TextEncoding::Ascii) } else { c };
    text.chars().map(one).collect()
}

/// A hint for a textual header with characters that its encoding cannot show, or shows in place of brackets.
pub(crate) fn hint(bytes: &[u8], encoding: TextEncoding) -> Option<String> {
    if encoding == TextEncoding::Ebcdic {
        let has = |byte: u8| bytes.contains(&byte);
        return (has(0xAD) && has(0xBD)).then(|| {
            "the textual header has Ý and ¨ where code page 1047 has brackets; --text-encoding cp1047 shows them".into()
        });
    }
    let n = characters(bytes, encoding).chars().filter(|&c| c == char::REPLACEMENT_CHARACTER).count();
    if n == 0 || !is_text(bytes, encoding) && n * 2 > bytes.len() {
        return None;
    }
    let is_utf8 = encoding == TextEncoding::Ascii && std::str::from_utf8(bytes).is_ok();
    let option = if is_utf8 {
        "utf8 shows them"
    } else {
        "names their character set: windows-1252, windows-1251, cp866, gb18030 …"
    };
    let (noun, verb) = if n == 1 { ("character", "is") } else { ("characters", "are") };
    Some(format!(
        "{n} {noun} of the textual header {verb} not {} and shown as �; --text-encoding {option}",
        encoding.name()
    ))
}

/// Share of the bytes, 0 to 1, that are letters, digits, blanks and the usual punctuation in this encoding.
fn plausibility(bytes: &[u8], encoding: TextEncoding) -> f64 {
    let plausible = bytes
        .iter()
        .filter(|&&b| {
            let c = character(b, encoding);
            c == ' ' || c.is_ascii_alphanumeric() || ".,:;-+/()=_#'\"*&%@<>".contains(c)
        })
        .count();
    plausible as f64 / bytes.len().max(1) as f64
}

/// The encoding in which more of the bytes read as text; on a tie EBCDIC, the standard's own.
pub(crate) fn detect(bytes: &[u8]) -> TextEncoding {
    // Blanks decide nothing and are left out: an EBCDIC blank is "@" in ASCII.
    let telling: Vec<u8> = bytes.iter().copied().filter(|b| !matches!(b, 0x00 | 0x40)).collect();
    if plausibility(&telling, TextEncoding::Ascii) > plausibility(&telling, TextEncoding::Ebcdic) {
        TextEncoding::Ascii
    } else {
        TextEncoding::Ebcdic
    }
}

/// Whether the bytes read as text in this encoding: nine in ten are characters usual in headers.
pub(crate) fn is_text(bytes: &[u8], encoding: TextEncoding) -> bool {
    plausibility(bytes, encoding) >= 0.9
}

/// The lines of a textual header without trailing blanks. Invalid bytes become U+FFFD.
pub(crate) fn lines(bytes: &[u8], encoding: TextEncoding) -> Vec<String> {
    bytes.chunks(LINE).map(|line| characters(line, encoding).trim_end().to_owned()).collect()
}

/// The bytes as one string, without line breaks or trimming: for stanza names and XML that span lines.
pub(crate) fn decode(bytes: &[u8], encoding: TextEncoding) -> String {
    characters(bytes, encoding)
}

/// A short text field of a trace header, in the encoding that fits it, without padding.
pub(crate) fn decode_field(bytes: &[u8]) -> String {
    decode(bytes, detect(bytes)).trim().to_owned()
}

/// Text as EBCDIC. Characters not in code page 037 become "?".
pub(crate) fn to_ebcdic(text: &str) -> Vec<u8> {
    let byte = |c: char| CP037.iter().position(|&l| char::from(l) == c).unwrap_or(0x6F) as u8;
    text.chars().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> String {
        format!("{text:<3200}")
    }

    #[test]
    fn ebcdic_and_ascii_are_told_apart() {
        let text = header("C 1 CLIENT: NOBODY           COMPANY: NOBODY");
        assert_eq!(detect(text.as_bytes()), TextEncoding::Ascii);
        assert_eq!(detect(&to_ebcdic(&text)), TextEncoding::Ebcdic);
    }

    #[test]
    fn blank_and_zero_headers_count_as_ebcdic() {
        assert_eq!(detect(&[0x40; 3200]), TextEncoding::Ebcdic);
        assert_eq!(detect(&[0; 3200]), TextEncoding::Ebcdic);
    }

    #[test]
    fn printable_ascii_survives_the_way_through_ebcdic() {
        let all: String = (0x20..0x7Fu8).map(char::from).collect();
        assert_eq!(decode(&to_ebcdic(&all), TextEncoding::Ebcdic), all);
    }

    #[test]
    fn a_line_is_80_characters_and_line_ends_inside_are_blanks() {
        let mut text = header("C 1 FIRST").into_bytes();
        text[79] = b'\n';
        text[80..85].copy_from_slice(b"C 2 X");
        let lines = lines(&text, TextEncoding::Ascii);
        assert_eq!(lines.len(), 40);
        assert_eq!((lines[0].as_str(), lines[1].as_str()), ("C 1 FIRST", "C 2 X"));
    }

    #[test]
    fn letters_beyond_ascii_are_read_in_the_encoding_that_the_user_names() {
        assert_eq!(lines(b"C 1 FJELL\xC5S", TextEncoding::Latin1), ["C 1 FJELL\u{C5}S"]);
        assert_eq!(lines("C 1 FJELLÅS".as_bytes(), TextEncoding::Utf8), ["C 1 FJELL\u{C5}S"]);
        assert_eq!(lines(b"C 1 FJELL\xC5S\n", TextEncoding::Utf8), ["C 1 FJELL\u{FFFD}S"]);
        assert_eq!(lines(b"C 1 FJELL\xC5S", TextEncoding::Ascii), ["C 1 FJELL\u{FFFD}S"]);
    }

    #[test]
    fn code_pages_have_their_own_brackets_and_letters() {
        let decoded = |bytes: &[u8], encoding| decode(bytes, encoding);
        assert_eq!(decoded(&[0xAD, 0xC1, 0xBD, 0x5F], TextEncoding::Cp1047), "[A]^");
        assert_eq!(decoded(&[0x4A, 0xC1, 0x5A, 0x5F], TextEncoding::Cp500), "[A]^");
        assert_eq!(decoded(&[0x8F, 0xE0, 0xAE], TextEncoding::Cp866), "Про");
        assert_eq!(decoded(&[0xCF, 0xF0, 0xEE], TextEncoding::Windows1251), "Про");
        assert_eq!(decoded(&[0xB5, 0xD8], TextEncoding::Gb18030), "地");
        assert!(hint(&[0xAD, 0xC1, 0xBD], TextEncoding::Ebcdic).unwrap().contains("cp1047"));
        assert!(
            hint(&header("C 1 50\u{B0}").into_bytes(), TextEncoding::Ascii).unwrap().contains("--text-encoding utf8")
        );
        assert_eq!(hint(header("C 1 PLAIN").as_bytes(), TextEncoding::Ascii), None);
    }

    #[test]
    fn random_bytes_are_not_text() {
        let noise: Vec<u8> = (0..3200u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        assert!(!is_text(&noise, detect(&noise)));
        assert!(is_text(&to_ebcdic(&header("C 1")), TextEncoding::Ebcdic));
    }
}
