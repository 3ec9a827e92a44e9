//! Two networks side by side: which of the paper's three complaints (ZF14 §4.1) one remedies for the other, in
//! words that follow from the numbers alone.

use super::survey::Diagnosis;
use serde::Serialize;

/// One complaint measured in both.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// `dead`, `gap` or `aliasing`.
    pub what: &'static str,
    /// In the first network.
    pub a: f64,
    /// In the second.
    pub b: f64,
    /// −1: less of it in the second, +1: more, 0: as much (within a tenth).
    pub change: i8,
}

/// The comparison and its verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// What could be measured in both.
    pub findings: Vec<Finding>,
    /// Whether the second has less of everything measured, and all three were.
    pub remedied: bool,
    /// One sentence.
    pub verdict: String,
}

/// Compares the second network with the first.
pub fn compare(a: &Diagnosis, b: &Diagnosis) -> Comparison {
    let dead = |d: &Diagnosis| d.filters.counts[0] as f64 / d.filters.filters.len() as f64;
    let mut findings = vec![
        finding("dead", dead(a), dead(b), 0.01),
        finding("gap", a.filters.gap.depth, b.filters.gap.depth, 0.02),
    ];
    if let (Some(x), Some(y)) = (&a.aliasing, &b.aliasing) {
        findings.push(finding("aliasing", x.energy, y.energy, 0.005));
    }
    let remedied = findings.len() == 3 && findings.iter().all(|f| f.change < 0);
    let texts: Vec<String> = findings.iter().map(words).collect();
    let verdict = format!("{} against {}: {}.", name(b), name(a), texts.join("; "));
    Comparison { findings, remedied, verdict }
}

fn name(d: &Diagnosis) -> String {
    format!("{} ({}×{}, stride {})", d.model, d.shape[2], d.shape[3], d.stride[0])
}

/// Differences below a tenth, or below what is small for such a number, say nothing.
fn finding(what: &'static str, a: f64, b: f64, small: f64) -> Finding {
    let close = (a - b).abs() <= small.max(0.1 * a.max(b));
    let change = if close {
        0
    } else if b < a {
        -1
    } else {
        1
    };
    Finding { what, a, b, change }
}

fn words(f: &Finding) -> String {
    let percent = |v: f64| format!("{:.1} %", 100.0 * v);
    let how = |less: &str, more: &str, same: &str| match f.change {
        -1 => less.to_owned(),
        0 => same.to_owned(),
        _ => more.to_owned(),
    };
    let (what, unit) = match f.what {
        "dead" => (how("fewer dead filters", "more dead filters", "as many dead filters"), "of the filters"),
        "gap" => (
            how(
                "the middle frequencies are better filled",
                "a wider gap in the middle frequencies",
                "as deep a gap in the middle frequencies",
            ),
            "below the peaks beside it",
        ),
        _ => (
            how(
                "less aliasing in the second layer",
                "more aliasing in the second layer",
                "as much aliasing in the second layer",
            ),
            "of the power at the stride's frequencies",
        ),
    };
    format!("{what} ({} {unit}, {} before)", percent(f.b), percent(f.a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_differences_say_nothing() {
        assert_eq!(finding("gap", 0.5, 0.2, 0.02).change, -1);
        assert_eq!(finding("gap", 0.2, 0.5, 0.02).change, 1);
        assert_eq!(finding("gap", 0.50, 0.46, 0.02).change, 0);
        assert_eq!(finding("gap", 0.0, 0.01, 0.02).change, 0);
        assert!(
            words(&finding("dead", 0.25, 0.0, 0.01))
                .starts_with("fewer dead filters (0.0 % of the filters, 25.0 %")
        );
    }
}
