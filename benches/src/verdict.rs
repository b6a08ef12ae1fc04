//! Whether a case reaches its target.

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) case: String,
    pub(crate) floor: String,
    pub(crate) ours: String,
    pub(crate) ratio: Option<f64>,
    pub(crate) target: Target,
}

/// What is asked of a case.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// The ratio may be so much at most.
    RatioAtMost(f64),
    /// The ratio must be so much at least.
    RatioAtLeast(f64),
    /// So many MB were resident at the peak, and there must be less than so many.
    Memory { peak_mb: Option<f64>, below_mb: f64 },
    /// Nothing; it is good to know.
    None,
}

impl Verdict {
    /// A target that could not be measured is missed.
    pub(crate) fn is_met(&self) -> bool {
        match self.target {
            Target::RatioAtMost(limit) => self.ratio.is_some_and(|ratio| ratio <= limit),
            Target::RatioAtLeast(limit) => self.ratio.is_some_and(|ratio| ratio >= limit),
            Target::Memory { peak_mb, below_mb } => peak_mb.is_some_and(|peak| peak < below_mb),
            Target::None => true,
        }
    }

    pub(crate) fn word(&self) -> &'static str {
        match self.target {
            Target::None => "for information",
            _ if self.is_met() => "met",
            _ => "**missed**",
        }
    }
}

impl Target {
    pub(crate) fn text(self) -> String {
        match self {
            Self::RatioAtMost(limit) => format!("at most {limit:.2}"),
            Self::RatioAtLeast(limit) => format!("at least {limit:.2}"),
            Self::Memory { below_mb, .. } => format!("below {below_mb:.0} MB"),
            Self::None => "-".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(ratio: Option<f64>, target: Target) -> Verdict {
        Verdict { case: String::new(), floor: String::new(), ours: String::new(), ratio, target }
    }

    #[test]
    fn a_target_is_met_or_missed() {
        assert!(verdict(Some(1.5), Target::RatioAtMost(1.5)).is_met());
        assert!(!verdict(Some(1.6), Target::RatioAtMost(1.5)).is_met());
        assert!(!verdict(Some(0.7), Target::RatioAtLeast(0.8)).is_met());
        assert!(!verdict(Some(f64::NAN), Target::RatioAtLeast(0.8)).is_met());
        assert!(!verdict(None, Target::RatioAtMost(1.5)).is_met());
        assert!(!verdict(None, Target::Memory { peak_mb: None, below_mb: 150.0 }).is_met());
        assert!(verdict(None, Target::None).is_met());
    }
}
