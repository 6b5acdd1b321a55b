//! QR codes on the screen, read as a camera would: module by module.

use qrcode::{Color, EcLevel, QrCode};

/// Whether the code on the screen is that of `text`, in a light border of two modules at least.
pub(crate) fn is_of(screen: &str, text: &str) -> bool {
    let mut light: Vec<Vec<bool>> = Vec::new();
    for row in screen.lines().filter(|row| is_drawn(row)) {
        for half in [['█', '▀'], ['█', '▄']] {
            light.push(row.chars().map(|it| half.contains(&it)).collect());
        }
    }
    let code = QrCode::with_error_correction_level(text, EcLevel::L).expect("a code");
    let (width, modules) = (code.width(), code.to_colors());
    let columns = light.first().map_or(0, Vec::len);
    let border = columns.saturating_sub(width) / 2;
    border >= 2
        && light.len() >= width + 2 * border
        && light.iter().enumerate().all(|(row, cells)| {
            cells.iter().enumerate().all(|(column, is_light)| {
                let at = (row.wrapping_sub(border), column.wrapping_sub(border));
                let is_inside = at.0 < width && at.1 < width;
                let dark = is_inside && modules[at.0 * width + at.1] == Color::Dark;
                // Below an odd number of rows there is half a row of nothing.
                *is_light != dark || row >= width + 2 * border
            })
        })
}

/// Whether there is one at all.
pub(crate) fn is_there(screen: &str) -> bool {
    screen.lines().any(is_drawn)
}

fn is_drawn(row: &str) -> bool {
    row.chars().count() > 20 && row.chars().all(|it| "█▀▄ ".contains(it))
}
