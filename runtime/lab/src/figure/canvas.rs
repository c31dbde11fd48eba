//! Where figures are drawn: an SVG document, or pixels that become a PNG.

use std::sync::OnceLock;

use gaitd_packed::{packed, unpack};
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use super::draw::Figure;

/// Pixels are drawn this many times as fine and averaged, because thin strokes and small discs are not smoothed.
const FINER: u32 = 2;

/// The name under which the embedded font is used. In an SVG document the reader's own font of this kind takes its place.
pub(super) const FONT: &str = "sans-serif";

/// Makes the embedded font known, once.
fn register() -> Result<(), String> {
    static REGISTERED: OnceLock<Result<(), String>> = OnceLock::new();
    // it stays in memory, as figures are drawn by commands that end
    let register = || register_font(FONT, FontStyle::Normal, unpack(packed!("font")).leak());
    REGISTERED.get_or_init(|| register().map_err(|_| "the embedded font cannot be read".to_owned())).clone()
}

/// `figure` as an SVG document.
pub(super) fn svg(figure: &impl Figure) -> Result<String, String> {
    register()?;
    let mut document = String::new();
    {
        let root = SVGBackend::with_string(&mut document, figure.size()).into_drawing_area();
        figure.draw(&root, 1)?;
        root.present().map_err(|error| error.to_string())?;
    }
    Ok(document)
}

/// `figure` as a PNG file.
pub(super) fn png(figure: &impl Figure) -> Result<Vec<u8>, String> {
    register()?;
    let (width, height) = figure.size();
    let fine = (width * FINER, height * FINER);
    let mut pixels = vec![0; 3 * (fine.0 * fine.1) as usize];
    {
        let root = BitMapBackend::with_buffer(&mut pixels, fine).into_drawing_area();
        figure.draw(&root, FINER)?;
        root.present().map_err(|error| error.to_string())?;
    }
    encode(&averaged(&pixels, (width, height)), (width, height)).map_err(|error| error.to_string())
}

/// RGB rows of `size` from rows that are [`FINER`] times as wide and as many.
fn averaged(pixels: &[u8], (width, height): (u32, u32)) -> Vec<u8> {
    let (width, height, finer) = (width as usize, height as usize, FINER as usize);
    let stride = 3 * width * finer;
    let mut out = Vec::with_capacity(3 * width * height);
    for row in 0..height {
        for byte in 0..3 * width {
            let (column, channel) = (byte / 3, byte % 3);
            let cell = (0..finer * finer).map(|place| {
                let (y, x) = (row * finer + place / finer, column * finer + place % finer);
                u32::from(pixels[y * stride + 3 * x + channel])
            });
            out.push((cell.sum::<u32>() / (FINER * FINER)) as u8);
        }
    }
    out
}

fn encode(pixels: &[u8], (width, height): (u32, u32)) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(file)
}
