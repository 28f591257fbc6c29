//! Colors that readers with any color vision can tell apart.

/// A color of the palette of Okabe & Ito (2008), "Color Universal Design", or a neutral one.
///
/// Every color has a lighter variant for dark backgrounds; the reader's theme decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Color {
    /// `#0072B2`, the first color.
    Blue,
    /// `#D55E00`.
    Vermillion,
    /// `#009E73`.
    Green,
    /// `#CC79A7`.
    Purple,
    /// `#E69F00`.
    Orange,
    /// `#56B4E9`.
    Sky,
    /// The color of text: black on white, white on black.
    Ink,
    /// Gray, for rules and other marks in the background.
    Muted,
}

impl Color {
    /// The colors of marks that set none, in this order.
    ///
    /// Yellow (`#F0E442`) is left out: as a line on white it is hardly visible.
    pub const CYCLE: [Color; 7] = [
        Color::Blue,
        Color::Vermillion,
        Color::Green,
        Color::Purple,
        Color::Orange,
        Color::Sky,
        Color::Ink,
    ];

    /// The color of the `index`-th mark; the cycle repeats.
    pub fn nth(index: usize) -> Self {
        Self::CYCLE[index % Self::CYCLE.len()]
    }

    /// Name of the CSS class that paints with this color.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Color::Blue => "c-blue",
            Color::Vermillion => "c-vermillion",
            Color::Green => "c-green",
            Color::Purple => "c-purple",
            Color::Orange => "c-orange",
            Color::Sky => "c-sky",
            Color::Ink => "c-ink",
            Color::Muted => "c-muted",
        }
    }

    /// Hexadecimal value on a light background.
    pub fn light(self) -> &'static str {
        match self {
            Color::Blue => "#0072b2",
            Color::Vermillion => "#d55e00",
            Color::Green => "#009e73",
            Color::Purple => "#cc79a7",
            Color::Orange => "#e69f00",
            Color::Sky => "#56b4e9",
            Color::Ink => "#1c2128",
            Color::Muted => "#6b7580",
        }
    }

    /// Hexadecimal value on a dark background.
    pub fn dark(self) -> &'static str {
        match self {
            Color::Blue => "#3f9fdc",
            Color::Vermillion => "#f47b2a",
            Color::Green => "#1fbf92",
            Color::Purple => "#df9ac2",
            Color::Orange => "#f2b632",
            Color::Sky => "#8fd0f7",
            Color::Ink => "#e6eaef",
            Color::Muted => "#98a3af",
        }
    }
}

const SURFACE: (&str, &str) = ("#ffffff", "#14181d");
const GRID: (&str, &str) = ("#e3e7ec", "#2a3139");

/// The style sheet of a chart: one CSS variable per color, switched by theme, light on paper.
///
/// Everything is scoped to `.chart`, since a `<style>` inside inlined SVG reaches the whole page.
pub(crate) fn style_sheet() -> String {
    let all = || Color::CYCLE.into_iter().chain([Color::Muted]);
    let variables = |dark: bool| {
        let pick = |pair: (&'static str, &'static str)| if dark { pair.1 } else { pair.0 };
        let mut css = format!("--chart-surface:{};--chart-grid:{};", pick(SURFACE), pick(GRID));
        for color in all() {
            let value = if dark { color.dark() } else { color.light() };
            css.push_str(&format!("--{}:{value};", color.class()));
        }
        css
    };
    let (light, dark) = (variables(false), variables(true));
    let mut css = format!(
        ".chart{{{light}font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',\
         Arial,sans-serif;font-variant-numeric:tabular-nums}}\
         @media (prefers-color-scheme:dark){{.chart{{{dark}}}}}\
         @media print{{.chart{{{light}}}}}\
         .chart .surface{{fill:var(--chart-surface)}}\
         .chart .grid{{stroke:var(--chart-grid)}}\
         .chart .ink{{fill:var(--c-ink)}}\
         .chart .quiet{{fill:var(--c-muted)}}"
    );
    for color in all() {
        let class = color.class();
        css.push_str(&format!(
            ".chart .{class}.f{{fill:var(--{class})}}.chart .{class}.s{{stroke:var(--{class})}}"
        ));
    }
    css
}

/// Presentation attributes for viewers without CSS variables, and the class for the others.
pub(crate) fn paint(color: Color, filled: bool) -> String {
    let (class, value) = (color.class(), color.light());
    if filled {
        format!(r#"class="{class} f" fill="{value}""#)
    } else {
        format!(r#"class="{class} s" fill="none" stroke="{value}""#)
    }
}

/// The light surface, grid, ink and quiet values, for presentation attributes.
pub(crate) const fn light_surface() -> &'static str {
    SURFACE.0
}

/// See [`light_surface`].
pub(crate) const fn light_grid() -> &'static str {
    GRID.0
}
