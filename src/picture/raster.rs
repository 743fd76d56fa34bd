//! Pixels that are numbers of colours, and PNG. The only code that knows the crate `png`.

use std::borrow::Cow;

use crate::base::error::{Result, failed};
use crate::picture::colours::Colour;
use crate::picture::font;

/// A picture of at most 256 colours.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Raster {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Numbers of colours, row after row from the top.
    pub pixels: Vec<u8>,
    /// The colours.
    pub palette: Vec<Colour>,
    /// The transparent colour.
    pub transparent: Option<u8>,
}

impl Raster {
    /// A picture all in colour 0.
    pub(crate) fn new(width: usize, height: usize, palette: Vec<Colour>) -> Self {
        Self { width, height, pixels: vec![0; width * height], palette, transparent: None }
    }

    /// The number of the colour at a pixel, if there is such a pixel.
    pub(crate) fn get(&self, x: usize, y: usize) -> Option<u8> {
        if x < self.width { self.pixels.get(y * self.width + x).copied() } else { None }
    }

    /// Sets a pixel, if there is such a pixel.
    pub(crate) fn set(&mut self, x: usize, y: usize, colour: u8) {
        if x < self.width
            && let Some(pixel) = self.pixels.get_mut(y * self.width + x)
        {
            *pixel = colour;
        }
    }

    /// Fills a rectangle.
    pub(crate) fn fill(&mut self, (x, y): (usize, usize), (width, height): (usize, usize), colour: u8) {
        for row in y..y + height {
            (x..x + width).for_each(|column| self.set(column, row, colour));
        }
    }

    /// Puts another picture with the same colours into this one.
    pub(crate) fn put(&mut self, other: &Self, (x, y): (usize, usize)) {
        for (row, pixels) in other.pixels.chunks_exact(other.width.max(1)).enumerate() {
            pixels.iter().enumerate().for_each(|(column, &colour)| self.set(x + column, y + row, colour));
        }
    }

    /// Writes text with its upper left corner here.
    pub(crate) fn text(&mut self, text: &str, (x, y): (usize, usize), colour: u8) {
        for (i, c) in text.chars().enumerate() {
            for (row, bits) in font::glyph(c).iter().enumerate() {
                let columns = (0..font::WIDTH).filter(|column| bits >> (7 - column) & 1 == 1);
                columns.for_each(|column| self.set(x + i * font::WIDTH + column, y + row, colour));
            }
        }
    }

    /// The picture with every pixel taken from the nearest one of this one.
    pub(crate) fn resized(&self, width: usize, height: usize) -> Self {
        let rows = (0..height).map(|y| (2 * y + 1) * self.height / (2 * height.max(1)));
        let pixel = |y: usize, x: usize| self.get((2 * x + 1) * self.width / (2 * width.max(1)), y).unwrap_or(0);
        let pixels = rows.flat_map(|y| (0..width).map(move |x| pixel(y, x))).collect();
        Self { width, height, pixels, palette: self.palette.clone(), transparent: self.transparent }
    }

    /// The colour of a pixel; `None` if it is transparent.
    pub(crate) fn colour(&self, x: usize, y: usize) -> Option<Colour> {
        let number = self.get(x, y).filter(|&number| Some(number) != self.transparent)?;
        self.palette.get(usize::from(number)).copied()
    }

    /// As a PNG file.
    ///
    /// # Errors
    /// `Error::Failed` for a picture without pixels or colours.
    pub(crate) fn png(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let (width, height) = (u32::try_from(self.width), u32::try_from(self.height));
        let (Ok(width), Ok(height)) = (width, height) else { return Err(failed("a picture")("is too large")) };
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        let (depth, bits) = self.depth();
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(depth);
        encoder.set_compression(png::Compression::Balanced);
        encoder.set_filter(png::Filter::NoFilter);
        encoder.set_palette(self.palette.concat());
        if let Some(transparent) = self.transparent {
            let opacity: Vec<u8> = (0..=transparent).map(|i| if i == transparent { 0 } else { 255 }).collect();
            encoder.set_trns(opacity);
        }
        let mut writer = encoder.write_header().map_err(failed("a picture"))?;
        writer.write_image_data(&self.packed(bits)).map_err(failed("a picture"))?;
        writer.finish().map_err(failed("a picture"))?;
        Ok(bytes)
    }

    fn depth(&self) -> (png::BitDepth, usize) {
        match self.palette.len() {
            0..=2 => (png::BitDepth::One, 1),
            3..=4 => (png::BitDepth::Two, 2),
            5..=16 => (png::BitDepth::Four, 4),
            _ => (png::BitDepth::Eight, 8),
        }
    }

    /// The pixels in `bits` bits each; every row begins with a new byte.
    fn packed(&self, bits: usize) -> Cow<'_, [u8]> {
        if bits == 8 {
            return Cow::Borrowed(&self.pixels);
        }
        let per_byte = 8 / bits;
        let byte = |pixels: &[u8]| {
            let shift = |i: usize| 8 - bits * (i + 1);
            pixels.iter().enumerate().fold(0u8, |byte, (i, pixel)| byte | pixel << shift(i))
        };
        let rows = self.pixels.chunks_exact(self.width.max(1));
        Cow::Owned(rows.flat_map(|row| row.chunks(per_byte).map(byte)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::ALPHA);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        (info.width, info.height, pixels)
    }

    #[test]
    fn a_picture_comes_back_from_its_png_in_every_depth() {
        for n_colours in [2, 4, 16, 64, 256] {
            let palette: Vec<Colour> = (0..n_colours).map(|i| [i as u8, 255 - i as u8, 7]).collect();
            let mut raster = Raster::new(5, 3, palette.clone());
            raster.pixels.iter_mut().enumerate().for_each(|(i, p)| *p = (i % n_colours.min(15)) as u8);
            raster.transparent = Some(1);
            let expected: Vec<u8> = raster
                .pixels
                .iter()
                .flat_map(|&p| {
                    let [r, g, b] = palette[usize::from(p)];
                    [r, g, b, if p == 1 { 0 } else { 255 }]
                })
                .collect();
            assert_eq!(decoded(&raster.png().unwrap()), (5, 3, expected), "{n_colours} colours");
        }
    }

    #[test]
    fn what_is_drawn_outside_is_left_out() {
        let mut raster = Raster::new(4, 2, vec![[0; 3], [255; 3]]);
        raster.fill((3, 1), (5, 5), 1);
        raster.text("W", (2, 0), 1);
        assert_eq!((raster.pixels.len(), raster.get(3, 1), raster.get(4, 0)), (8, Some(1), None));
    }

    #[test]
    fn a_larger_picture_repeats_pixels() {
        let raster = Raster { width: 2, height: 1, pixels: vec![1, 0], palette: vec![[0; 3]; 2], transparent: None };
        assert_eq!(raster.resized(4, 2).pixels, [1, 1, 0, 0, 1, 1, 0, 0]);
        assert_eq!(raster.resized(4, 2).resized(2, 1).pixels, raster.pixels);
    }
}
