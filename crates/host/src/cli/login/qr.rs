//! An address as a QR code (ISO/IEC 18004), drawn with half blocks: two modules in each character, one above the other.

use anstyle::{Ansi256Color, Color, Style};
use doorkey::Environment;
use qrcode::{Color as Module, EcLevel, QrCode};

/// The columns and rows that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    columns: u16,
    rows: u16,
}

impl Room {
    /// What the terminal of standard error says of itself, else what most are.
    pub(crate) fn of_terminal() -> Self {
        #[cfg(unix)]
        if let Ok(size) = rustix::termios::tcgetwinsize(std::io::stderr())
            && size.ws_col > 0
            && size.ws_row > 0
        {
            return Self {
                columns: size.ws_col,
                rows: size.ws_row,
            };
        }
        Self {
            columns: 80,
            rows: 24,
        }
    }

    pub(crate) fn columns(self) -> usize {
        self.columns.into()
    }
}

/// The rows of the code, to be drawn light on dark; `None` where it does not fit the screen as a whole, for then no
/// camera sees it.
pub(crate) fn drawn(text: &str, room: Room) -> Option<Vec<String>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let width = code.width();
    let modules = code.to_colors();
    let fits = |border: &usize| {
        let side = width + 2 * border;
        side <= room.columns.into() && side.div_ceil(2) + BESIDE <= room.rows.into()
    };
    let border = *BORDERS.iter().find(|border| fits(border))?;
    let is_light = |row: usize, column: usize| {
        let inside = |at: usize| at.checked_sub(border).filter(|at| *at < width);
        match (inside(row), inside(column)) {
            (Some(row), Some(column)) => modules.get(row * width + column) != Some(&Module::Dark),
            _ => true,
        }
    };
    let side = width + 2 * border;
    let rows = (0..side).step_by(2).map(|row| {
        let block = |column| match (
            is_light(row, column),
            row + 1 < side && is_light(row + 1, column),
        ) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        };
        (0..side).map(block).collect()
    });
    Some(rows.collect())
}

/// Whether a terminal in these surroundings shows half blocks: its characters are UTF-8, as far as anybody says.
pub(crate) fn is_plausible(environment: &Environment) -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    match environment.first_text(&names) {
        Ok(Some((_, locale))) => {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        }
        Ok(None) => true,
        Err(_) => false,
    }
}

/// Black on white whatever the colours of the terminal are, as cameras want it: the characters draw what is light.
pub(crate) const STYLE: Style = Style::new()
    .fg_color(Some(Color::Ansi256(Ansi256Color(231))))
    .bg_color(Some(Color::Ansi256(Ansi256Color(16))));
/// The quiet zone of the standard, and one that most cameras get along with.
const BORDERS: [usize; 2] = [4, 2];
/// The rows of what is waited for, below.
const BESIDE: usize = 1;

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room {
        columns: 80,
        rows: 24,
    };

    #[test]
    fn what_is_drawn_has_the_modules_of_the_code_in_a_light_border() {
        let text = "https://as.example/device?user_code=WDJB-MJHT";
        let rows = drawn(text, ROOM).expect("it fits");
        let light: Vec<Vec<bool>> = rows
            .iter()
            .flat_map(|row| {
                [['█', '▀'], ['█', '▄']]
                    .map(|light| row.chars().map(|it| light.contains(&it)).collect())
            })
            .collect();
        let code = QrCode::with_error_correction_level(text, EcLevel::L).expect("a code");
        let (width, modules) = (code.width(), code.to_colors());
        let border = (light[0].len() - width) / 2;
        for row in 0..width + 2 * border {
            for column in 0..width + 2 * border {
                let inside = (border..border + width).contains(&row)
                    && (border..border + width).contains(&column);
                let dark =
                    inside && modules[(row - border) * width + column - border] == Module::Dark;
                assert_eq!(light[row][column], !dark, "{row} {column}");
            }
        }
    }

    #[test]
    fn a_code_that_does_not_fit_the_screen_is_not_drawn() {
        let long = format!("https://as.example/authorize?{}", "x".repeat(400));
        assert_eq!(drawn(&long, ROOM), None);
        let tall = Room { rows: 60, ..ROOM };
        let rows = drawn(&long, tall).expect("it fits");
        assert!(rows.iter().all(|row| row.chars().count() <= 80));
        assert_eq!(
            drawn(
                &long,
                Room {
                    columns: 60,
                    ..tall
                }
            ),
            None
        );
        assert_eq!(
            drawn(
                &"x".repeat(9000),
                Room {
                    columns: 900,
                    rows: 900
                }
            ),
            None
        );
    }

    #[test]
    fn half_blocks_are_for_utf_8_and_for_whoever_says_nothing() {
        let at =
            |variables: &[(&str, &str)]| is_plausible(&Environment::new(variables.iter().copied()));
        assert!(at(&[]) && at(&[("LANG", "de_DE.UTF-8")]) && at(&[("LC_ALL", "C.utf8")]));
        assert!(!at(&[("LANG", "C")]) && !at(&[("LC_ALL", "POSIX"), ("LANG", "en_GB.UTF-8")]));
    }
}
