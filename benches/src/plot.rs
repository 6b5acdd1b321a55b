//! Plots as SVG: both axes logarithmic, one line for each contender.

use plotters::prelude::*;

use crate::BoxError;
use crate::section::{Line, Plot};

/// The drawing of a plot: the same text for the same figures.
///
/// # Errors
/// If it has no points, or one that is not above zero.
pub fn svg(plot: &Plot) -> Result<String, BoxError> {
    let (xs, ys) =
        ranges(&plot.lines).ok_or_else(|| format!("the plot {} has nothing to draw", plot.name))?;
    let mut text = String::new();
    draw(plot, xs, ys, &mut text).map_err(|error| format!("the plot {}: {error}", plot.name))?;
    Ok(text)
}

fn draw(plot: &Plot, xs: (f64, f64), ys: (f64, f64), text: &mut String) -> Result<(), BoxError> {
    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(told)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(&plot.title, ("sans-serif", 18))
        .margin(14)
        .x_label_area_size(40)
        .y_label_area_size(72)
        .build_cartesian_2d((xs.0..xs.1).log_scale(), (ys.0..ys.1).log_scale())
        .map_err(told)?;
    chart
        .configure_mesh()
        .x_desc(&plot.x)
        .y_desc(&plot.y)
        .x_label_formatter(&|x| crate::format::number(*x).trim_end_matches(".00").to_owned())
        .y_label_formatter(&|y| crate::format::number(*y).trim_end_matches(".00").to_owned())
        .light_line_style(WHITE)
        .draw()
        .map_err(told)?;
    for (line, color) in plot.lines.iter().zip(COLORS.iter().cycle()) {
        let style = color.stroke_width(2);
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), style).point_size(3))
            .map_err(told)?
            .label(&line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .border_style(BLACK)
        .draw()
        .map_err(told)?;
    area.present().map_err(told)?;
    Ok(())
}

fn told(error: impl std::error::Error) -> BoxError {
    error.to_string().into()
}

/// The least and the most of both axes, with room around them; none if a logarithm would not exist.
fn ranges(lines: &[Line]) -> Option<((f64, f64), (f64, f64))> {
    let points: Vec<(f64, f64)> = lines
        .iter()
        .flat_map(|line| line.points.iter().copied())
        .collect();
    let drawable = |&(x, y): &(f64, f64)| x > 0.0 && y > 0.0 && x.is_finite() && y.is_finite();
    if points.is_empty() || !points.iter().all(drawable) {
        return None;
    }
    let range = |of: fn(&(f64, f64)) -> f64, room: f64| {
        let least = points.iter().map(of).fold(f64::INFINITY, f64::min);
        let most = points.iter().map(of).fold(0.0, f64::max);
        (least / room, most * room)
    };
    Some((range(|point| point.0, 1.0), range(|point| point.1, 1.6)))
}

const SIZE: (u32, u32) = (760, 420);
const COLORS: [RGBColor; 6] = [
    RGBColor(0, 90, 181),
    RGBColor(220, 50, 32),
    RGBColor(26, 133, 80),
    RGBColor(153, 79, 0),
    RGBColor(93, 58, 155),
    RGBColor(90, 90, 90),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: &[(f64, f64)]) -> Plot {
        Plot {
            name: "growth-list".to_owned(),
            title: "Servers & time".to_owned(),
            x: "servers".to_owned(),
            y: "ms".to_owned(),
            lines: vec![Line {
                name: "doorkey <list>".to_owned(),
                points: points.to_vec(),
            }],
        }
    }

    #[test]
    fn the_same_figures_are_the_same_drawing_and_its_words_are_escaped() {
        let drawn = svg(&plot(&[(1.0, 2.0), (10.0, 3.0), (100.0, 30.0)])).unwrap();
        assert_eq!(
            drawn,
            svg(&plot(&[(1.0, 2.0), (10.0, 3.0), (100.0, 30.0)])).unwrap()
        );
        assert!(
            drawn.starts_with("<svg ") && drawn.trim_end().ends_with("</svg>"),
            "{drawn}"
        );
        for words in ["Servers &amp; time", "doorkey &lt;list&gt;", "servers"] {
            assert!(drawn.contains(words), "{words}");
        }
    }

    #[test]
    fn what_has_no_logarithm_is_refused() {
        for points in [&[][..], &[(0.0, 1.0)], &[(1.0, 0.0)], &[(1.0, f64::NAN)]] {
            assert!(svg(&plot(points)).is_err(), "{points:?}");
        }
    }
}
