//! Detects and decodes a QR code in an image.

use rxing::common::{BitMatrix, DetectorRXingResult, GlobalHistogramBinarizer, HybridBinarizer};
use rxing::qrcode::cpp_port::{decoder, detector};
use rxing::{Binarizer, Luma8Source};

/// Reads the first QR code in an image. `rgba` has four bytes per pixel, row by row from the top,
/// as a canvas returns them. `None` if there is no readable code; the caller then tries other
/// scales and sections of the image.
pub fn read_qr(rgba: &[u8], width: u32, height: u32) -> Option<String> {
    // Use only the green channel. It contributes most to the brightness, and black ink is dark in
    // it.
    let luma: Vec<u8> = rgba.as_chunks::<4>().0.iter().map(|[_, green, _, _]| *green).collect();
    let source = || Luma8Source::new_with_slice(&luma, width, height).ok();
    // The first binariser adapts to local brightness, so it reads codes in shadow. The second one
    // reads smaller modules.
    let locally_binarised = HybridBinarizer::new(source()?);
    let read = locally_binarised.get_black_matrix().ok().and_then(read_modules);
    read.or_else(|| {
        let globally_binarised = GlobalHistogramBinarizer::new(source()?);
        globally_binarised.get_black_matrix().ok().and_then(read_modules)
    })
}

fn read_modules(picture: &BitMatrix) -> Option<String> {
    let mut corners = detector::FindFinderPatterns(picture, true, 0);
    detector::GenerateFinderPatternSets(&mut corners).iter().find_map(|corners| {
        let found = detector::SampleQR(picture, corners).ok()?;
        let read = decoder::Decode(found.getBits()).ok().filter(|read| read.isValid())?;
        String::from_utf8(read.content().bytes().to_vec()).ok()
    })
}

#[cfg(test)]
mod tests {
    use qrcode::{Color, EcLevel, QrCode};

    use super::*;

    /// Text lengths of certificates with a one-word name and with a long name. Their QR codes have
    /// versions 15 and 17.
    const LENGTHS: [usize; 2] = [537, 700];

    fn text(length: usize) -> String {
        const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
        let mut state = u32::try_from(length).unwrap();
        let random = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(ALPHABET[(state >> 16) as usize % ALPHABET.len()])
        });
        "HC1:".chars().chain(random.take(length - 4)).collect()
    }

    /// Parameters of a simulated photograph of a QR code.
    #[derive(Clone, Copy)]
    struct Photo {
        /// Width and height of the image in pixels.
        frame: (usize, usize),
        /// Side length of the QR code in pixels, including its quiet zone.
        side: f64,
        /// Rotation in degrees.
        rotation: f64,
        /// Perspective: relative difference in scale between two opposite edges.
        tilt: f64,
        /// Contrast of the image, from 0 to 1.
        contrast: f64,
        /// Number of passes of a three-pixel box blur. Each pass has a standard deviation of 0.8
        /// pixels.
        blur_passes: usize,
    }

    const UPRIGHT: Photo =
        Photo { frame: (1280, 720), side: 427.0, rotation: 0.0, tilt: 0.0, contrast: 1.0, blur_passes: 0 };

    /// Renders a greyscale image as RGBA.
    fn photograph(text: &str, photo: Photo) -> Vec<u8> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).unwrap();
        let modules = code.width() as f64;
        let dark = code.to_colors();
        let whole = modules + 8.0;
        let (sin, cos) = photo.rotation.to_radians().sin_cos();
        let (width, height) = photo.frame;
        let brightness = |x: f64, y: f64| {
            let (x, y) = (x - width as f64 / 2.0, y - height as f64 / 2.0);
            let (u, v) = ((cos * x + sin * y) / photo.side, (cos * y - sin * x) / photo.side);
            let scale = 1.0 + photo.tilt * v;
            let [column, row] = [u, v].map(|it| (it / scale + 0.5) * whole - 4.0);
            let within = |it: f64, margin: f64| (-margin..modules + margin).contains(&it);
            let printed = within(column, 0.0) && within(row, 0.0);
            if printed && dark[row as usize * code.width() + column as usize] == Color::Dark {
                0.0
            } else if within(column, 4.0) && within(row, 4.0) {
                1.0
            } else {
                0.8
            }
        };
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x as f64, y as f64)));
        let mut pixels: Vec<f64> = places
            .map(|(x, y)| {
                let within_pixel = [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)];
                within_pixel.map(|(dx, dy)| brightness(x + dx, y + dy)).iter().sum::<f64>() / 4.0
            })
            .collect();
        for _ in 0..photo.blur_passes {
            for step in [1, width] {
                let sharp = pixels.clone();
                for at in step..pixels.len() - step {
                    pixels[at] = (sharp[at - step] + sharp[at] + sharp[at + step]) / 3.0;
                }
            }
        }
        let seen = |it: &f64| ((0.5 + photo.contrast * (it - 0.5)) * 255.0) as u8;
        pixels.iter().map(seen).flat_map(|it| [it, it, it, 255]).collect()
    }

    fn is_read(photo: Photo) -> bool {
        LENGTHS.iter().all(|length| {
            let text = text(*length);
            let (width, height) = photo.frame;
            read_qr(&photograph(&text, photo), width as u32, height as u32) == Some(text)
        })
    }

    #[test]
    fn reads_code_at_any_angle() {
        for rotation in [7.0, 45.0, 135.0, 262.0] {
            assert!(is_read(Photo { rotation, ..UPRIGHT }), "{rotation} degrees");
        }
    }

    #[test]
    fn reads_turned_blurred_and_pale_print_of_40_mm() {
        let print = Photo { frame: (700, 700), side: 472.0, rotation: 7.0, contrast: 0.6, ..UPRIGHT };
        assert!(is_read(Photo { blur_passes: 3, ..print }));
        assert!(is_read(Photo { tilt: 0.2, blur_passes: 1, ..print }));
    }

    #[test]
    fn picture_without_code_reads_as_none() {
        assert_eq!(read_qr(&[200; 64 * 48 * 4], 64, 48), None);
        assert_eq!(read_qr(&[], 0, 0), None);
        assert_eq!(read_qr(&[0; 4], 1280, 720), None, "fewer bytes than the size requires");
    }
}
