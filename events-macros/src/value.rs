//! What a key's value must be: a string, a list of strings, a number, nothing at all.

use crate::{
    attribute::{Entry, Value},
    duration,
    errors::Errors,
};
use std::{ops::RangeInclusive, time::Duration};
use syn::{Expr, ExprLit, Lit, LitStr, UnOp};

impl Entry {
    /// A string literal.
    pub(crate) fn string(self, errors: &mut Errors) -> Option<LitStr> {
        let expr = self.required(errors)?;
        self.as_string(&expr, errors)
    }

    /// A string literal that passes `check`, which says what is wrong otherwise.
    pub(crate) fn checked(self, check: fn(&str) -> Result<(), String>, errors: &mut Errors) -> Option<LitStr> {
        let text = self.string(errors)?;
        match check(&text.value()) {
            Ok(()) => Some(text),
            Err(message) => {
                errors.at(text.span(), message);
                None
            }
        }
    }

    /// A duration in a string literal.
    pub(crate) fn duration(self, errors: &mut Errors) -> Option<(LitStr, Duration)> {
        let text = self.string(errors)?;
        match duration::parse(&text.value()) {
            Ok(duration) => Some((text, duration)),
            Err(message) => {
                errors.at(text.span(), message);
                None
            }
        }
    }

    /// A string literal, or several in brackets.
    pub(crate) fn strings(self, errors: &mut Errors) -> Vec<LitStr> {
        match self.required(errors) {
            Some(Expr::Array(array)) => {
                if array.elems.is_empty() {
                    errors.on(&array, format_args!("the list is empty; write `{}`", self.example));
                }
                array.elems.iter().filter_map(|element| self.as_string(ungrouped(element), errors)).collect()
            }
            Some(expr) => self.as_string(&expr, errors).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// A whole number within `range`; `low` says why it cannot be less.
    pub(crate) fn number(self, range: RangeInclusive<u32>, low: &str, errors: &mut Errors) -> Option<u32> {
        let expr = self.required(errors)?;
        let (negative, literal) = match &expr {
            Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => (true, ungrouped(&unary.expr)),
            other => (false, other),
        };
        let Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) = literal else {
            errors.on(&expr, format_args!("expected a whole number; write `{}`", self.example));
            return None;
        };
        // What is too large for u64 is too large.
        let number = number.base10_parse::<u64>().unwrap_or(u64::MAX);
        match u32::try_from(number) {
            _ if negative => errors.on(&expr, low),
            Ok(number) if range.contains(&number) => return Some(number),
            Ok(number) if number < *range.start() => errors.on(&expr, low),
            _ => errors.on(&expr, format_args!("`{}` is at most {}", self.key, range.end())),
        }
        None
    }

    /// A key without a value.
    pub(crate) fn flag(&self, errors: &mut Errors) {
        if let Value::Expr(value) = &self.value {
            errors.on(value, format_args!("`{}` takes no value; write `{}`, or leave it out", self.key, self.key));
        }
    }

    /// The value, which must be there.
    pub(crate) fn required(&self, errors: &mut Errors) -> Option<Expr> {
        match &self.value {
            Value::Expr(expr) => Some(ungrouped(expr).clone()),
            Value::Broken => None,
            Value::Nothing => {
                errors.at(self.key.span(), format_args!("`{}` needs a value; write `{}`", self.key, self.example));
                None
            }
        }
    }

    fn as_string(&self, expr: &Expr, errors: &mut Errors) -> Option<LitStr> {
        if let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = expr {
            return Some(text.clone());
        }
        errors.on(expr, format_args!("expected a string; write `{}`", self.example));
        None
    }
}

/// The expression without the invisible parentheses that a `macro_rules!` variable is wrapped in.
fn ungrouped(mut expr: &Expr) -> &Expr {
    while let Expr::Group(group) = expr {
        expr = &group.expr;
    }
    expr
}
