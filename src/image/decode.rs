//! Photo files of unknown origin → pixels, and pixels → PNG. Natively only: in the page the browser decodes.

use super::complete::is_complete;
use super::picture::{MAX_PIXELS, Picture, check_size};
use crate::error::{Error, Result};
use ::image::codecs::png::PngEncoder;
use ::image::error::ImageError;
use ::image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageReader, Limits};
use std::io::Cursor;

/// JPEG, PNG or WebP → upright, opaque pixels. EXIF orientation is applied, transparency is laid
/// over white, of an animation the first frame is taken, CMYK and 16-bit pictures become 8-bit RGB;
/// colour profiles are ignored.
///
/// # Errors
/// `Malformed` for other or damaged files, `Unsupported` for variants of the formats that the
/// decoders do not know, `Limit` above [`MAX_PIXELS`], found from the header before memory is taken.
pub fn decode(bytes: &[u8]) -> Result<Picture> {
    let not_an_image =
        || Error::Malformed("not a JPEG, PNG or WebP picture; convert it to one of these".into());
    let mut reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|_| not_an_image())?;
    let format = reader.format().filter(|f| f.reading_enabled()).ok_or_else(not_an_image)?;
    let name = format.to_mime_type().trim_start_matches("image/");
    if !is_complete(bytes) {
        return Err(Error::Malformed(format!("the {name} picture is cut short; get a fresh copy")));
    }
    let mut limits = Limits::default();
    // Eight bytes a pixel: a 16-bit RGBA picture at the bound.
    limits.max_alloc = Some(MAX_PIXELS * 8);
    reader.limits(limits);
    let sort = |e| sort(e, name);
    let mut decoder = reader.into_decoder().map_err(sort)?;
    let (width, height) = decoder.dimensions();
    check_size(width.into(), height.into())?;
    // A damaged orientation tag is no reason to refuse the picture: browsers ignore it too.
    let orientation = decoder.orientation().ok();
    let mut image = DynamicImage::from_decoder(decoder).map_err(sort)?;
    if let Some(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    let rgba = image.into_rgba8();
    let (width, height) = (rgba.width() as usize, rgba.height() as usize);
    Picture::new(width, height, rgba.into_raw())
}

fn sort(error: ImageError, format: &str) -> Error {
    match error {
        ImageError::Unsupported(e) => Error::Unsupported(format!(
            "this kind of {format} picture is not supported ({e}); save it again as PNG"
        )),
        ImageError::Limits(e) => {
            Error::Limit(format!("the {format} picture needs too much memory ({e}); make it smaller"))
        }
        // The decoders' own words help nobody who has only the file.
        _ => Error::Malformed(format!("the {format} picture is damaged; get a fresh copy")),
    }
}

/// A PNG file, 8-bit RGB.
///
/// # Errors
/// `Limit` where the encoder cannot hold it.
pub fn encode_png(picture: &Picture) -> Result<Vec<u8>> {
    let rgb: Vec<u8> = picture.rgba().chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(&rgb, picture.width() as u32, picture.height() as u32, ExtendedColorType::Rgb8)
        .map_err(|e| Error::Limit(format!("the picture could not be written as PNG: {e}")))?;
    Ok(bytes)
}
