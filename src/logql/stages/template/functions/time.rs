//! Functions on times. What the time is, and where, is told by the caller of the pipeline.

use std::rc::Rc;

use jiff::Zoned;
use jiff::tz::TimeZone;

use super::Type::{Any, Text, Time};
use super::number::to_int;
use super::{Context, Function, Value, layout, text_at};
use crate::logql::units::{NS_PER_DAY, NS_PER_MICROSECOND, NS_PER_MILLISECOND, NS_PER_SECOND};
use crate::model;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("__timestamp__", &[], |context, _| {
        let timestamp = instant(i128::from(context.scope.timestamp.as_ns()))?;
        Ok(time_value(timestamp.to_zoned(context.scope.clock.zone.clone())))
    }),
    Function::new("__line__", &[], |context, _| Ok(Value::Text(model::text_of(context.scope.line)))),
    Function::new("now", &[], |context, _| now(context).map(time_value)),
    Function::new("toDate", &[Text, Text], |context, a| {
        let zone = context.scope.clock.zone.clone();
        Ok(time_value(layout::parse(text_at(a, 0), text_at(a, 1), &zone)))
    }),
    Function::new("toDateInZone", &[Text, Text, Text], |context, a| {
        // A zone that nobody knows is UTC, as in sprig.
        let zone = context.scope.clock.zones.get(text_at(a, 1)).unwrap_or(TimeZone::UTC);
        Ok(time_value(layout::parse(text_at(a, 0), text_at(a, 2), &zone)))
    }),
    Function::new("date", &[Text, Any], |context, a| {
        let time = match &a[1] {
            Value::Time(time) => time.with_time_zone(context.scope.clock.zone.clone()),
            seconds @ Value::Int(_) => {
                let ns = i128::from(to_int(seconds)) * i128::from(NS_PER_SECOND);
                instant(ns)?.to_zoned(context.scope.clock.zone.clone())
            }
            _ => now(context)?,
        };
        layout::format(text_at(a, 0), &time).map(Value::text)
    }),
    Function::new("unixEpoch", &[Time], |_, a| Ok(units_since_epoch(&a[0], NS_PER_SECOND))),
    Function::new("unixEpochMillis", &[Time], |_, a| Ok(units_since_epoch(&a[0], NS_PER_MILLISECOND))),
    Function::new("unixEpochNanos", &[Time], |_, a| Ok(units_since_epoch(&a[0], 1))),
    Function::new("unixToTime", &[Text], |_, a| unix_to_time(text_at(a, 0))),
];

fn time_value<'a>(time: Zoned) -> Value<'a> {
    Value::Time(Rc::new(time))
}

fn instant(nanoseconds: i128) -> Result<jiff::Timestamp, String> {
    jiff::Timestamp::from_nanosecond(nanoseconds).map_err(|error| error.to_string())
}

fn now(context: &Context<'_, '_>) -> Result<Zoned, String> {
    let clock = context.scope.clock;
    Ok(instant(i128::from(clock.now.as_ns()))?.to_zoned(clock.zone.clone()))
}

fn units_since_epoch<'a>(time: &Value<'_>, unit_ns: i64) -> Value<'a> {
    let nanoseconds = if let Value::Time(time) = time { time.timestamp().as_nanosecond() } else { 0 };
    Value::text(nanoseconds.div_euclid(unit_ns.into()).to_string())
}

/// Reads a number of days, seconds, milliseconds, microseconds or nanoseconds, as its length tells.
fn unix_to_time<'a>(text: &str) -> Result<Value<'a>, String> {
    let unit_ns = match text.len() {
        5 => NS_PER_DAY,
        10 => NS_PER_SECOND,
        13 => NS_PER_MILLISECOND,
        16 => NS_PER_MICROSECOND,
        19 => 1,
        _ => return Err(format!("unable to parse time '{text}': unknown number of digits")),
    };
    let number: i64 = text.parse().map_err(|error| format!("unable to parse time '{text}': {error}"))?;
    Ok(time_value(instant(i128::from(number) * i128::from(unit_ns))?.to_zoned(TimeZone::UTC)))
}
