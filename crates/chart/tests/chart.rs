//! Properties of rendered charts, checked on the parsed XML.

use chart::{Chart, Color};
use proptest::prelude::*;
use roxmltree::{Document, Node};

/// Every pixel position in the document, as `(x, y)`.
fn positions(document: &Document) -> Vec<(f64, f64)> {
    let number = |text: &str| text.parse::<f64>().unwrap_or_else(|_| panic!("`{text}` in SVG"));
    let mut all = Vec::new();
    for node in document.descendants().filter(Node::is_element) {
        let get = |name: &str| node.attribute(name).map(number);
        for (x, y) in [("x", "y"), ("x1", "y1"), ("x2", "y2"), ("cx", "cy")] {
            if let (Some(x), Some(y)) = (get(x), get(y)) {
                all.push((x, y));
            }
        }
        if let (Some(x), Some(y), Some(w), Some(h)) =
            (get("x"), get("y"), get("width"), get("height"))
        {
            assert!(w >= 0.0 && h >= 0.0, "a rectangle of {w} × {h}");
            all.push((x + w, y + h));
        }
        if let Some(points) = node.attribute("points") {
            for pair in points.split(' ') {
                let (x, y) = pair.split_once(',').expect("x,y");
                all.push((number(x), number(y)));
            }
        }
        if let Some(path) = node.attribute("d") {
            for pair in path.split(['M', 'L']).filter(|pair| !pair.is_empty()) {
                let (x, y) = pair.split_once(',').expect("x,y");
                all.push((number(x), number(y)));
            }
        }
    }
    all
}

/// Parses and checks what holds for every chart: finite, inside the view box, described, unique.
fn checked(svg: &str) -> Document<'_> {
    let document = Document::parse(svg).unwrap_or_else(|e| panic!("not XML: {e}\n{svg}"));
    let root = document.root_element();
    let view: Vec<f64> =
        root.attribute("viewBox").unwrap().split(' ').map(|v| v.parse().unwrap()).collect();
    for (x, y) in positions(&document) {
        assert!(x.is_finite() && y.is_finite());
        assert!((0.0..=view[2]).contains(&x), "x = {x} outside {view:?}\n{svg}");
        assert!((0.0..=view[3]).contains(&y), "y = {y} outside {view:?}\n{svg}");
    }
    assert_eq!(root.attribute("role"), Some("img"));
    let ids: Vec<&str> = document.descendants().filter_map(|n| n.attribute("id")).collect();
    for label in root.attribute("aria-labelledby").unwrap().split(' ') {
        assert_eq!(ids.iter().filter(|id| **id == label).count(), 1, "{label} in {ids:?}");
    }
    document
}

fn elements<'a>(document: &'a Document, tag: &str) -> Vec<Node<'a, 'a>> {
    document.descendants().filter(|node| node.has_tag_name(tag)).collect()
}

fn texts(document: &Document) -> Vec<String> {
    elements(document, "text").iter().map(|n| n.text().unwrap_or("").to_owned()).collect()
}

/// The pixels of a polyline or polygon.
fn pixels(node: &Node) -> Vec<(f64, f64)> {
    let pair = |p: &str| {
        let (x, y) = p.split_once(',').unwrap();
        (x.parse().unwrap(), y.parse().unwrap())
    };
    node.attribute("points").unwrap().split(' ').map(pair).collect()
}

#[test]
fn a_line_is_an_affine_image_of_its_data() {
    let (xs, ys) = ([0.0, 1.0, 3.0, 10.0], [5.0, -1.0, 2.0, 2.5]);
    let svg = Chart::new("line").line("", &xs, &ys).render();
    let document = checked(&svg);
    let line = pixels(&elements(&document, "polyline")[0]);
    assert_eq!(line.len(), 4);
    // Ratios of differences survive any affine map; pixels are rounded to 0.01.
    let ratio = |v: [f64; 4]| (v[2] - v[0]) / (v[3] - v[1]);
    let (px, py) = ([0, 1, 2, 3].map(|i| line[i].0), [0, 1, 2, 3].map(|i| line[i].1));
    assert!((ratio(px) - ratio(xs)).abs() < 1e-3);
    assert!((ratio(py) - ratio(ys)).abs() < 1e-3);
    assert!(py[0] < py[1], "y grows upwards");
}

/// A tick's label is the value at the tick's pixel, here found from the line's own pixels.
#[test]
fn ticks_stand_where_their_numbers_are() {
    let svg = Chart::new("t").line("", &[0.0, 100.0], &[-20.0, 40.0]).render();
    let document = checked(&svg);
    let line = pixels(&elements(&document, "polyline")[0]);
    let (mut x_labels, mut y_labels) = (0, 0);
    for text in elements(&document, "text") {
        let Ok(value) = text.text().unwrap().replace('−', "-").parse::<f64>() else { continue };
        let at = |name: &str| text.attribute(name).unwrap().parse::<f64>().unwrap();
        if text.attribute("text-anchor") == Some("middle") {
            let expected = line[0].0 + value / 100.0 * (line[1].0 - line[0].0);
            assert!((at("x") - expected).abs() < 0.02, "{value}");
            x_labels += 1;
        } else {
            let expected = line[0].1 + (value + 20.0) / 60.0 * (line[1].1 - line[0].1);
            assert!((at("y") - 4.0 - expected).abs() < 0.02, "{value}"); // baseline under middle
            y_labels += 1;
        }
    }
    assert!(x_labels >= 3 && y_labels >= 3, "{x_labels} and {y_labels} ticks");
}

#[test]
fn a_gap_breaks_the_line_and_writes_no_nan() {
    let ys = [1.0, 2.0, f64::NAN, 3.0, f64::INFINITY, 2.0, 1.0];
    let xs: Vec<f64> = (0..7).map(f64::from).collect();
    let svg = Chart::new("gaps").line("", &xs, &ys).band("", &xs, &ys, &ys).render();
    let document = checked(&svg);
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    let lengths: Vec<usize> =
        elements(&document, "polyline").iter().map(|n| pixels(n).len()).collect();
    assert_eq!(lengths, [2, 2]);
    assert_eq!(elements(&document, "circle").len(), 1, "the value between two gaps is a point");
}

#[test]
fn a_line_beyond_the_range_ends_at_the_edge_of_the_plot() {
    let chart = Chart::new("cut").y_range(0.0, 1.0).x_range(0.0, 10.0);
    let svg = chart.line("", &[0.0, 10.0], &[-1.0, 1.0]).render();
    let document = checked(&svg);
    let line = pixels(&elements(&document, "polyline")[0]);
    // It crosses y = 0 at x = 5, the middle of the plot.
    let axis = elements(&document, "line");
    let bottom = axis
        .iter()
        .find(|n| {
            n.attribute("y1") == n.attribute("y2") && n.attribute("class") == Some("c-muted s")
        })
        .unwrap();
    let end = |name: &str| bottom.attribute(name).unwrap().parse::<f64>().unwrap();
    assert!((line[0].0 - (end("x1") + end("x2")) / 2.0).abs() < 0.02);
    assert!((line[0].1 - end("y1")).abs() < 0.02);
}

#[test]
fn text_is_escaped_everywhere() {
    let evil = "<script>alert('1') & \"2\"</script>\u{0}";
    let svg = Chart::new(evil)
        .id(evil)
        .x(evil)
        .y(evil)
        .x_categories([evil])
        .points(evil, &[0.0], &[1.0])
        .render();
    let document = checked(&svg);
    assert!(elements(&document, "script").is_empty());
    let title = document.root_element().children().find(|n| n.has_tag_name("title")).unwrap();
    assert_eq!(title.text().unwrap(), "<script>alert('1') & \"2\"</script>\u{fffd}");
}

#[test]
fn charts_of_different_content_have_different_ids_and_the_same_have_the_same() {
    let id = |chart: Chart| {
        let svg = chart.render();
        checked(&svg).root_element().attribute("aria-labelledby").unwrap().to_owned()
    };
    let line = |ys: &[f64]| Chart::new("a").line("", &[0.0, 1.0], ys);
    assert_ne!(id(line(&[0.0, 1.0])), id(line(&[0.0, 1.5])));
    assert_eq!(id(line(&[0.0, 1.0])), id(line(&[0.0, 1.0])));
    assert_eq!(id(line(&[0.0, 1.0]).id("mine")), "chart-mine-title chart-mine-description");
}

#[test]
fn the_description_names_axes_and_marks() {
    let svg = Chart::new("SNR")
        .x("diffusion step t")
        .y("dB")
        .line("plain", &[0.0, 100.0], &[40.0, -22.0])
        .horizontal_rule("floor", 0.0)
        .render();
    let document = checked(&svg);
    let text = elements(&document, "desc")[0].text().unwrap().to_owned();
    for part in
        ["diffusion step t", "dB", "plain: line from −22 to 40", "floor: horizontal rule at 0"]
    {
        assert!(text.contains(part), "`{part}` not in `{text}`");
    }
}

#[test]
fn the_legend_stands_above_the_plot_and_inside_the_chart() {
    let names: Vec<String> = (0..9).map(|i| format!("arm number {i} with a long name")).collect();
    let mut chart = Chart::new("many").size(360.0, 400.0);
    for name in &names {
        chart = chart.line(name, &[0.0, 1.0], &[0.0, 1.0]);
    }
    let svg = chart.render();
    let document = checked(&svg);
    let top = elements(&document, "line")
        .iter()
        .filter(|n| n.attribute("class") == Some("grid"))
        .map(|n| n.attribute("y1").unwrap().parse::<f64>().unwrap())
        .fold(f64::INFINITY, f64::min);
    for name in &names {
        let entry =
            elements(&document, "text").into_iter().find(|n| n.text() == Some(name)).unwrap();
        let y: f64 = entry.attribute("y").unwrap().parse().unwrap();
        assert!(y < top, "`{name}` at {y} reaches into the plot at {top}");
    }
}

#[test]
fn namesakes_share_an_entry_and_a_color() {
    let x = [0.0, 1.0];
    let svg = Chart::new("fan")
        .band("forecast", &x, &[0.0, 0.0], &[3.0, 3.0])
        .band("forecast", &x, &[1.0, 1.0], &[2.0, 2.0])
        .line("truth", &x, &[1.0, 2.0])
        .color(Color::Ink)
        .line("forecast", &x, &[1.5, 1.5])
        .render();
    let document = checked(&svg);
    assert_eq!(texts(&document).iter().filter(|t| *t == "forecast").count(), 1);
    let blue = |tag: &str| {
        let painted = elements(&document, tag);
        painted.iter().filter(|n| n.attribute("class").unwrap_or("").contains("c-blue")).count()
    };
    assert_eq!((blue("polygon"), blue("polyline")), (2, 1));
}

#[test]
fn dates_are_thinned_until_they_fit() {
    let days: Vec<String> = (1..=28).map(|d| format!("2015-01-{d:02}")).collect();
    let xs: Vec<f64> = (0..28).map(f64::from).collect();
    let svg = Chart::new("days").x_sequence(days).line("", &xs, &xs).render();
    let document = checked(&svg);
    let shown: Vec<f64> = elements(&document, "text")
        .iter()
        .filter(|n| n.text().unwrap().starts_with("2015"))
        .map(|n| n.attribute("x").unwrap().parse().unwrap())
        .collect();
    assert!(shown.len() >= 3, "{shown:?}");
    assert!(shown.windows(2).all(|pair| pair[1] - pair[0] > 70.0), "labels touch: {shown:?}");
}

#[test]
fn error_bars_span_twice_the_error() {
    let svg = Chart::new("dots")
        .y_categories(["first", "second"])
        .x_range(0.0, 10.0)
        .points_error_x("", &[5.0, 5.0], &[0.0, 1.0], &[2.0, f64::NAN])
        .render();
    let document = checked(&svg);
    let bars = elements(&document, "path");
    assert_eq!(bars.len(), 1, "no bar for an unknown error");
    let path = bars[0].attribute("d").unwrap();
    let ends: Vec<f64> = path[1..]
        .split(['M', 'L'])
        .take(2)
        .map(|p| p.split_once(',').unwrap().0.parse().unwrap())
        .collect();
    let axis = elements(&document, "line")
        .into_iter()
        .find(|n| n.attribute("class") == Some("c-muted s"))
        .unwrap();
    let width: f64 = axis.attribute("x2").unwrap().parse::<f64>().unwrap()
        - axis.attribute("x1").unwrap().parse::<f64>().unwrap();
    assert!(((ends[1] - ends[0]) - 0.4 * width).abs() < 0.05, "{ends:?} of {width}");
}

#[test]
fn bars_stand_on_zero() {
    let svg = Chart::new("bars").histogram("n", &[0.0, 1.0, 2.0], &[3.0, -1.0]).render();
    let document = checked(&svg);
    let bars: Vec<(f64, f64)> = elements(&document, "rect")
        .iter()
        .filter(|n| n.has_children())
        .map(|n| ["y", "height"].map(|a| n.attribute(a).unwrap().parse::<f64>().unwrap()))
        .map(|[y, h]| (y, h))
        .collect();
    assert!((bars[0].0 + bars[0].1 - bars[1].0).abs() < 0.02, "{bars:?}");
    assert!((bars[0].1 / bars[1].1 - 3.0).abs() < 0.01);
}

#[test]
fn an_empty_chart_says_so() {
    for chart in
        [Chart::new(""), Chart::new("x").line("a", &[], &[]), Chart::new("y").x_categories([""; 0])]
    {
        let svg = chart.render();
        assert!(texts(&checked(&svg)).contains(&"no data".to_owned()));
    }
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -1e3..1e3_f64,
        1 => proptest::num::f64::ANY,
        1 => Just(0.0),
    ]
}

proptest! {
    /// Whatever the numbers and names, the result is XML with every coordinate in the view box.
    #[test]
    fn any_chart_is_well_formed(
        xs in prop::collection::vec(any_number(), 0..12),
        ys in prop::collection::vec(any_number(), 0..12),
        es in prop::collection::vec(any_number(), 0..12),
        name in "\\PC{0,40}",
        label in any::<String>(),
        size in (any_number(), any_number()),
        range in (any_number(), any_number()),
        log in any::<(bool, bool, bool)>(),
    ) {
        let mut chart = Chart::new(&label).x(&name).y(&label).size(size.0, size.1);
        if log.0 { chart = chart.x_log(); }
        if log.1 { chart = chart.y_log(); }
        if log.2 { chart = chart.y_range(range.0, range.1).x_range(range.0, range.1); }
        let svg = chart
            .line(&name, &xs, &ys)
            .step("step", &xs, &ys)
            .band("band", &xs, &ys, &es)
            .points_error_x("dots", &xs, &ys, &es)
            .points_error_y("points", &xs, &ys, &es)
            .bars("bars", &xs, &ys)
            .horizontal_rule("rule", range.0)
            .vertical_rule("", range.1)
            .render();
        checked(&svg);
    }

    #[test]
    fn any_categories_are_well_formed(
        labels in prop::collection::vec(any::<String>(), 0..8),
        values in prop::collection::vec(any_number(), 0..8),
        which in 0..3,
    ) {
        let positions: Vec<f64> = (0..labels.len()).map(|i| i as f64).collect();
        let chart = Chart::new("c");
        let svg = match which {
            0 => chart.x_categories(labels).bars("b", &positions, &values),
            1 => chart.x_sequence(labels).line("b", &positions, &values),
            _ => chart.y_categories(labels).points_error_x("b", &values, &positions, &values),
        };
        checked(&svg.render());
    }
}

/// The first label of a sequence, which is centered on the left edge of the plot, is not cut off.
#[test]
fn the_first_label_of_a_sequence_lies_inside() {
    let first = "2014-12-28 00:00:00";
    let hours = (1..30).map(|hour| format!("2014-12-{:02} {:02}:00:00", 28 + hour / 24, hour % 24));
    let xs: Vec<f64> = (0..30).map(f64::from).collect();
    let labels = std::iter::once(first.to_owned()).chain(hours);
    let svg =
        Chart::new("hours").size(720.0, 320.0).x_sequence(labels).line("x", &xs, &xs).render();
    let document = Document::parse(&svg).unwrap();
    let label = document.descendants().find(|node| node.text() == Some(first)).unwrap();
    let x: f64 = label.attribute("x").unwrap().parse().unwrap();
    // Digits are about half as wide as they are high.
    assert!(x >= 0.5 * 0.5 * 12.0 * first.len() as f64, "{x}");
}
